//! Failures, and going back.

use tidegate::policy::{OnFailure, Order};
use tidegate::rollout::Phase;

use super::super::world::{Behaviour, Fault};
use super::world;

#[test]
fn a_broken_image_holds_at_its_batch_and_names_pod_and_reason() {
    let mut world = world(|_| ());
    world.behaviours[1] = Behaviour::Crash;
    let told = world.roll(1);
    assert_eq!(told.settled, [(10, 0), (10, 1)]);
    assert_eq!(world.phase(), Some(Phase::Failed));
    let failure = world
        .agent
        .memory
        .as_ref()
        .and_then(|it| it.failure.clone());
    let cause = failure.expect("it failed").cause;
    assert_eq!(cause.reason, "CrashLoopBackOff");
    assert!(cause.pod.is_some_and(|pod| pod.starts_with("web-")));
}

#[test]
fn a_failure_goes_back_by_itself_where_the_policy_says_so() {
    let mut world = world(|it| it.policy.on_failure = OnFailure::Rollback);
    world.behaviours[1] = Behaviour::NoImage;
    world.commit(|manifest| manifest.image = 1);
    world.ends(Phase::RolledBack);
    assert_eq!((world.with_image(0), world.with_image(1)), (10, 0));
    assert!(!world.is_frozen());
}

#[test]
fn ready_new_pods_go_back_without_a_loss() {
    let mut world = world(|_| ());
    world.commit(|manifest| manifest.image = 1);
    world.until(5);
    assert!(world.abort());
    let told = world.told();
    assert!(told.fewest.iter().all(|ready| *ready >= 10), "{told:?}");
    assert_eq!(world.phase(), Some(Phase::RolledBack));
    assert_eq!(world.new_old(), (10, 0));
}

#[test]
fn broken_new_pods_all_go_at_once() {
    let mut world = world(|it| it.policy.order = Some(Order::StopFirst));
    world.behaviours[1] = Behaviour::Never;
    world.commit(|manifest| manifest.image = 1);
    world.until(1);
    assert!(world.abort());
    let told = world.told();
    assert_eq!(told.fewest.iter().min(), Some(&9));
    assert_eq!(world.phase(), Some(Phase::RolledBack));
}

#[test]
fn a_way_back_that_finds_no_room_for_extra_pods_stops_first_after_half_a_minute() {
    let mut world = world(|_| ());
    world.commit(|manifest| manifest.image = 1);
    world.until(5);
    world.settle_pods();
    world.quota = Some(world.sets.iter().map(|set| set.pods.len()).sum());
    // Quota is full: 9 old and 5 new pods, and nothing more.
    world.sets[0].pods.truncate(5);
    world.sets[0].size.replicas = 5;
    world.quota = Some(10);
    world.edit("test", |_| ());
    assert!(world.abort());
    let start = world.now;
    world.ends(Phase::RolledBack);
    assert!(world.now - start >= 30, "{}", world.now - start);
    assert_eq!(world.new_old(), (10, 0));
}

#[test]
fn a_fix_goes_through_after_a_failure_and_so_does_going_forward_after_a_way_back() {
    let mut world = world(|_| ());
    world.behaviours[1] = Behaviour::Never;
    world.roll(1);
    assert_eq!(world.phase(), Some(Phase::Failed));
    world.commit(|manifest| manifest.image = 2);
    world.ends(Phase::Succeeded);
    world.commit(|manifest| manifest.image = 3);
    world.until(0);
    world.next_write();
    assert!(world.abort());
    world.next_write();
    assert_eq!(world.phase(), Some(Phase::RollingBack));
    world.commit(|manifest| manifest.image = 4);
    world.ends(Phase::Succeeded);
    assert_eq!(world.with_image(4), 10);
}

#[test]
fn a_change_of_configuration_alone_lets_a_failed_batch_go_through() {
    let mut world = world(|_| ());
    world.behaviours[1] = Behaviour::Crash;
    world.roll(1);
    assert_eq!(world.phase(), Some(Phase::Failed));
    world.behaviours[1] = Behaviour::Good(1);
    let broken = world.sets[1].pods[0].id;
    world.commit(|manifest| manifest.config += 1);
    world.ends(Phase::Succeeded);
    let pods = world.sets.iter().flat_map(|set| &set.pods);
    assert!(pods.clone().all(|pod| pod.id != broken));
}

#[test]
fn a_way_back_that_failed_ends_when_the_pods_recover() {
    let mut world = world(|_| ());
    world.commit(|manifest| manifest.image = 1);
    world.until(5);
    world.behaviours[0] = Behaviour::NoImage;
    assert!(world.abort());
    world.told();
    assert_eq!(world.phase(), Some(Phase::RollbackFailed));
    world.heal();
    world.ends(Phase::RolledBack);
    assert_eq!(world.new_old(), (10, 0));
}

#[test]
fn a_recorded_opening_is_not_made_once_its_pods_are_broken() {
    let mut world = world(|_| ());
    world.commit(|manifest| manifest.image = 1);
    world.until(1);
    let wake = world.agent.wake.into_iter().chain(world.next_turn()).min();
    world.now = wake.unwrap_or(world.now) + 5;
    world.act(Fault::None);
    world.now += 5;
    world.act(Fault::BeforeWrite);
    let stored = world.agent.stored.as_ref().map(|kept| kept.batch);
    assert_eq!(stored, Some(2));
    world.behaviours[1] = Behaviour::Crash;
    for pod in &mut world.sets[1].pods {
        pod.next = world.now;
    }
    world.kubelet();
    world.told();
    assert_eq!(world.with_image(1), 1);
    assert_eq!(world.phase(), Some(Phase::Failed));
}
