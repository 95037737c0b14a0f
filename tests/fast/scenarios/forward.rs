//! Going forward, batch after batch.

use std::time::Duration;

use tidegate::object::Amount;
use tidegate::policy::{Batches, Order};
use tidegate::rollout::Phase;

use super::super::world::{Manifest, World};
use super::{sized, world};

#[test]
fn surge_first_in_three_batches_never_has_less_than_ten_ready() {
    let told = world(|_| ()).roll(1);
    let rests = [(10, 0), (10, 1), (9, 5), (5, 10), (0, 10)];
    assert_eq!(told.settled, rests);
    assert_eq!(told.fewest, [10; 5]);
}

#[test]
fn stop_first_in_three_batches_keeps_its_floors() {
    let told = world(|it| it.policy.order = Some(Order::StopFirst)).roll(1);
    let rests = [(10, 0), (9, 1), (5, 5), (0, 10), (0, 10)];
    assert_eq!(told.settled, rests);
    assert_eq!(told.fewest, [10, 9, 6, 5, 10]);
}

#[test]
fn one_extra_pod_opens_a_batch_of_five_in_slices_and_never_has_less_than_ten_ready() {
    let told = world(|it| {
        it.policy.batches = Batches::Size(Amount::Count(5));
        it.policy.max_surge = Some(Amount::Count(1));
    })
    .roll(1);
    let new: Vec<u32> = told.settled.iter().map(|(_, new)| *new).collect();
    assert_eq!(new, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]);
    assert!(told.fewest.iter().all(|ready| *ready >= 10), "{told:?}");
}

#[test]
fn no_replicas_are_applied_plainly_and_one_is_one_batch() {
    let none = sized(0, |_| ()).roll(1);
    assert_eq!(none.settled, [(0, 0), (0, 0)]);
    let surge = sized(1, |_| ()).roll(1);
    assert_eq!(surge.settled, [(1, 0), (1, 1), (0, 1)]);
    assert_eq!(surge.fewest, [1, 1, 1]);
    let stop = sized(1, |it| it.policy.order = Some(Order::StopFirst)).roll(1);
    assert_eq!(stop.settled, [(1, 0), (0, 1), (0, 1)]);
}

#[test]
fn without_a_policy_the_own_strategy_gives_the_batches() {
    let own = |surge: &str, unavailable: &str| {
        let mut manifest = Manifest::ten(surge, unavailable);
        manifest.policy.monitor = Duration::ZERO;
        World::at_rest(manifest, 10).roll(1)
    };
    let quarter = own("25%", "25%");
    let new: Vec<u32> = quarter.settled.iter().map(|(_, new)| *new).collect();
    assert_eq!(new, [0, 3, 5, 8, 10, 10]);
    assert_eq!(quarter.fewest.iter().min(), Some(&10));
    let one = own("1", "0");
    assert_eq!(
        (one.settled.len(), one.fewest.iter().min()),
        (12, Some(&10))
    );
    let stop = own("0", "1");
    assert_eq!(
        (stop.settled.len(), stop.fewest.iter().min()),
        (12, Some(&9))
    );
}

#[test]
fn two_hundred_replicas_are_rolled_exactly() {
    let told = sized(200, |_| ()).roll(1);
    // One of 200 is no whole percent: the surge makes up for it, and one old pod stays longer.
    let rests = [(200, 0), (200, 1), (200, 100), (100, 200), (0, 200)];
    assert_eq!(told.settled, rests);
    assert!(told.fewest.iter().all(|ready| *ready >= 200), "{told:?}");
}

#[test]
fn a_newer_commit_takes_over_in_the_middle_of_a_batch_without_a_loss() {
    let mut world = world(|_| ());
    world.commit(|manifest| manifest.image = 1);
    world.until(5);
    let told = world.roll(2);
    assert!(told.fewest.iter().all(|ready| *ready >= 10), "{told:?}");
    assert_eq!(world.phase(), Some(Phase::Succeeded));
    assert_eq!(world.with_image(2), 10);
}
