//! The laws of the engine over ten times as many rollouts as in the fast lane.

use super::world::campaign;

#[test]
fn the_laws_hold_at_every_event_of_100_000_rollouts() {
    let tally = campaign(
        1_000_000,
        100_000,
        "cargo test --test fast laws -- --nocapture",
    );
    println!("laws: {tally:?}");
}
