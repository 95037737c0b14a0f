//! The laws of the engine over random histories.

use super::world::{campaign, replay};

const COMMAND: &str = "cargo test --test fast laws -- --nocapture";

/// The seed of a history to repeat, from the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "a history that broke a law is repeated by its seed"
)]
fn seed() -> Option<u64> {
    std::env::var("TIDEGATE_SEED").ok()?.parse().ok()
}

#[test]
fn the_laws_hold_at_every_event_of_10_000_rollouts() {
    if let Some(seed) = seed() {
        let (trace, outcome) = replay(seed);
        println!("{}", trace.join("\n"));
        outcome.expect("the laws hold");
        return;
    }
    let tally = campaign(0, 10_000, COMMAND);
    println!("laws: {tally:?}");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..20 {
        assert_eq!(replay(seed), replay(seed));
    }
}
