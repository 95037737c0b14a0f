//! Holds, scalers, hands, restarts and a lost ledger.

use std::time::Duration;

use tidegate::object::Amount;
use tidegate::policy::Mode;
use tidegate::rollout::{Phase, Reason, Stance};

use super::super::world::{Behaviour, Fault, World};
use super::{sized, steps, world};

#[test]
fn levers_without_a_record_are_taken_over_and_the_rollout_ends() {
    let mut world = world(|_| ());
    world.commit(|manifest| manifest.image = 1);
    world.until(5);
    (world.agent.stored, world.agent.memory) = (None, None);
    world.agent.is_due = true;
    world.mark.is_forgotten = true;
    world.act(Fault::None);
    let taken = world.agent.memory.clone().expect("it is recorded");
    assert_eq!((taken.batch, taken.target), (2, 5));
    let told = world.told();
    assert!(told.fewest.iter().all(|ready| *ready >= 10), "{told:?}");
    assert_eq!(world.phase(), Some(Phase::Succeeded));
}

#[test]
fn levers_without_a_record_on_another_template_are_held_until_someone_says_more() {
    let mut world = world(|_| ());
    world.commit(|manifest| manifest.image = 1);
    world.until(5);
    (world.agent.stored, world.agent.memory) = (None, None);
    world.mark.is_forgotten = true;
    world.commit(|manifest| manifest.image = 2);
    world.told();
    assert_eq!(world.with_image(2), 0);
    let last = world.agent.last.as_ref().map(|last| last.reason);
    assert_eq!(last, Some(Reason::Adopted));
    world.retry();
    world.ends(Phase::Succeeded);
}

#[test]
fn a_restart_by_hand_is_let_through_and_its_pods_are_watched_anew() {
    let mut world = world(|_| ());
    world.commit(|manifest| manifest.image = 1);
    world.until(5);
    world.restart();
    world.ends(Phase::Succeeded);
    let live = world.live.as_ref().expect("it is there");
    assert_eq!((live.mould.restart, world.new_old()), (1, (10, 0)));
}

#[test]
fn an_image_and_a_variable_set_by_hand_are_taken_back() {
    for by_hand in [|world: &mut World| world.set_image(3), World::set_env] {
        let mut world = world(|_| ());
        world.commit(|manifest| manifest.image = 1);
        world.until(5);
        by_hand(&mut world);
        world.ends(Phase::Succeeded);
        let live = world.live.as_ref().expect("it is there");
        assert_eq!((live.mould.image, live.mould.extra), (1, false));
    }
}

#[test]
fn a_scaler_keeps_the_share_while_the_agent_is_dead_and_the_rollout_goes_on() {
    for (replicas, rest) in [(6, (3, 6)), (14, (7, 13))] {
        let mut world = world(|_| ());
        world.commit(|manifest| manifest.image = 1);
        world.until(5);
        world.scale(replicas);
        world.settle_pods();
        let new = world.with_image(1);
        assert!(new.abs_diff(rest.0) <= 1, "{new} of {replicas}");
        world.ends(Phase::Succeeded);
        assert_eq!(world.with_image(1), replicas);
    }
}

#[test]
fn replicas_that_git_writes_come_back_after_a_scale_by_hand() {
    let mut world = world(|it| it.replicas = Some(10));
    world.commit(|manifest| manifest.image = 1);
    world.until(5);
    world.scale(6);
    world.ends(Phase::Succeeded);
    assert_eq!(world.new_old(), (10, 0));
}

#[test]
fn no_batch_opens_while_held_even_where_its_write_is_recorded() {
    let mut world = world(|_| ());
    world.commit(|manifest| manifest.image = 1);
    world.act(Fault::BeforeWrite);
    world.git.stance = Stance::Hold;
    world.told();
    assert_eq!(world.with_image(1), 0);
    world.git.stance = Stance::Go;
    world.agent.is_due = true;
    world.until(1);
    world.git.stance = Stance::Hold;
    world.told();
    assert_eq!(world.with_image(1), 1);
    world.git.stance = Stance::Go;
    world.agent.is_due = true;
    world.ends(Phase::Succeeded);
}

#[test]
fn a_pod_lost_late_in_a_long_soak_does_not_end_the_deadline() {
    let mut world = world(|it| it.policy.soak = Duration::from_hours(1));
    world.commit(|manifest| manifest.image = 1);
    world.until(1);
    world.act(Fault::None);
    world.now += 1800;
    world.evict(10);
    world.ends(Phase::Succeeded);
}

#[test]
fn a_pause_in_git_stops_the_clocks() {
    let mut world = world(|_| ());
    world.behaviours[1] = Behaviour::Good(30);
    world.commit(|manifest| manifest.image = 1);
    world.next_write();
    world.commit(|manifest| manifest.paused = true);
    world.told();
    world.now += 5000;
    world.agent.is_due = true;
    world.act(Fault::None);
    assert_eq!(world.phase(), Some(Phase::Progressing));
    world.commit(|manifest| manifest.paused = false);
    world.ends(Phase::Succeeded);
}

#[test]
fn a_way_back_waits_while_git_says_paused() {
    let mut world = world(|_| ());
    world.commit(|manifest| manifest.image = 1);
    world.until(5);
    assert!(world.abort());
    world.commit(|manifest| (manifest.image, manifest.paused) = (0, true));
    world.told();
    world.now += 5000;
    world.agent.is_due = true;
    world.act(Fault::None);
    assert_eq!(world.phase(), Some(Phase::RollingBack));
    assert_eq!(world.with_image(1), 5);
    world.commit(|manifest| manifest.paused = false);
    world.ends(Phase::RolledBack);
    assert_eq!((world.with_image(0), world.with_image(1)), (10, 0));
}

/// Above 100 replicas the surge is a count: at half the replicas it is twice the share, and scaling
/// up again in proportion would keep that.
#[test]
fn replicas_that_come_back_bring_no_more_new_pods_than_the_batch() {
    let mut world = sized(116, |manifest| {
        manifest.replicas = Some(116);
        manifest.policy.batches = steps(&["30%", "64%", "100%"]);
        manifest.policy.max_surge = Some(Amount::Count(39));
    });
    world.commit(|manifest| manifest.image = 1);
    world.until(74);
    world.scale(58);
    world.settle();
    world.act(Fault::None);
    assert_eq!(world.live.as_ref().map(|live| live.replicas), Some(116));
    let mut most = 0;
    for _ in 0..6 {
        world.sync_deployment();
        most = most.max(world.with_image(1));
        world.check();
    }
    assert_eq!((world.broken.clone(), most), (None, 74));
    world.ends(Phase::Succeeded);
}

#[test]
fn what_is_changed_again_while_it_is_taken_back_is_taken_back_again() {
    let mut world = world(|manifest| manifest.policy.strategy = Mode::Native);
    world.commit(|manifest| manifest.image = 1);
    world.act(Fault::None);
    world.settle();
    world.set_env();
    world.act(Fault::None);
    world.act(Fault::BeforeWrite);
    world.set_env();
    world.ends(Phase::Succeeded);
    assert_eq!(world.with_image(1), 10);
}
