//! The laws of the engine over random histories.

use tidegate::clock;

use super::world::{Story, campaign, replay};

const COMMAND: &str = "cargo test --test fast laws -- --nocapture";

/// The seed of a history to repeat, from the environment.
fn seed() -> Option<u64> {
    asked("TIDEGATE_SEED")
}

/// The length of the long campaign, from the environment.
fn rollouts() -> Option<u64> {
    asked("TIDEGATE_ROLLOUTS")
}

#[expect(
    clippy::disallowed_methods,
    reason = "what a campaign does beyond its default is asked for from outside"
)]
fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn the_laws_hold_at_every_event_of_10_000_rollouts() {
    if let Some(seed) = seed() {
        let (trace, outcome) = replay(seed);
        println!("{}", trace.join("\n"));
        outcome.expect("the laws hold");
        return;
    }
    live_through(0, 10_000);
}

/// The long campaign: `TIDEGATE_ROLLOUTS` of them, a million by default.
#[test]
#[ignore = "minutes; cargo test --release --test fast laws_hold_in_a_million -- --ignored --nocapture"]
fn the_laws_hold_in_a_million_rollouts() {
    live_through(1 << 32, rollouts().unwrap_or(1_000_000));
}

/// Lives through so many rollouts and tells how many a second that were; without the checks of a
/// debug build it is 2,000 at least.
fn live_through(first: u64, rollouts: u64) {
    let begin = clock::since_boot();
    let tally = campaign(first, rollouts, COMMAND);
    let seconds = (clock::since_boot() - begin).as_secs_f64();
    let rate = tally.rollouts as f64 / seconds;
    println!("laws: {tally:?} in {seconds:.1} s, {rate:.0} rollouts a second");
    assert!(
        cfg!(debug_assertions) || rate >= 2_000.0,
        "{rate:.0} a second"
    );
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..20 {
        assert_eq!(replay(seed), replay(seed));
    }
}

#[test]
fn a_history_is_shrunk_to_what_it_takes() {
    let takes = |story: &Story| {
        story
            .events
            .iter()
            .filter(|chance| *chance % 2 == 0)
            .count()
            >= 3
    };
    let seed = (0..).find(|seed| Story::of(*seed).events.len() > 20 && takes(&Story::of(*seed)));
    let shrunk = Story::shrunk(seed.expect("most histories are long"), takes);
    assert_eq!(shrunk.events.len(), 3);
}
