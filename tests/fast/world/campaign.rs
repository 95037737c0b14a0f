//! Campaigns of many histories, one seed each.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Story, World};

/// What a campaign came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) histories: u64,
    pub(crate) rollouts: u64,
    pub(crate) writes: u64,
    pub(crate) events: u64,
}

/// Runs seeds until `rollouts` have begun; a law that does not hold ends it with the line that
/// repeats the history.
pub(crate) fn campaign(first: u64, rollouts: u64, command: &str) -> Tally {
    let lanes = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let share = rollouts.div_ceil(lanes);
    let lane = |lane: u64| {
        let mut tally = Tally::default();
        let mut seed = first + lane;
        while tally.rollouts < share {
            let one = history(&Story::of(seed)).unwrap_or_else(|law| fail(seed, &law, command));
            tally.histories += 1;
            tally.rollouts += one.rollouts;
            tally.writes += one.writes;
            tally.events += one.events;
            seed += lanes;
        }
        tally
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|n| scope.spawn(move || lane(n))).collect();
        let all = lanes.into_iter().map(|lane| match lane.join() {
            Ok(tally) => tally,
            Err(law) => std::panic::resume_unwind(law),
        });
        all.fold(Tally::default(), |sum, one| Tally {
            histories: sum.histories + one.histories,
            rollouts: sum.rollouts + one.rollouts,
            writes: sum.writes + one.writes,
            events: sum.events + one.events,
        })
    })
}

fn fail(seed: u64, law: &str, command: &str) -> ! {
    panic!("{law}\nrepeat it, as short as it can be, with: TIDEGATE_SEED={seed} {command}")
}

/// Repeats one history and returns what happened in it; where a law does not hold, what happens in
/// the shortest history found that breaks one.
pub(crate) fn replay(seed: u64) -> (Vec<String>, Result<(), String>) {
    let (trace, outcome) = told(&Story::of(seed));
    if outcome.is_ok() {
        return (trace, outcome);
    }
    told(&Story::shrunk(seed, |story| history(story).is_err()))
}

fn told(story: &Story) -> (Vec<String>, Result<(), String>) {
    let mut world = World::of(story);
    world.trace = Some(Vec::new());
    let outcome = catch_unwind(AssertUnwindSafe(|| world.live_through(story)));
    let outcome = outcome.unwrap_or_else(|_| Err("a panic".to_owned()));
    (world.trace.unwrap_or_default(), outcome.map(|_| ()))
}

fn history(story: &Story) -> Result<Tally, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::of(story);
        let events = world.live_through(story)?;
        Ok(Tally {
            histories: 1,
            rollouts: u64::from(world.agent.rollouts),
            writes: u64::from(world.agent.writes),
            events,
        })
    }));
    outcome.unwrap_or_else(|_| Err("a panic".to_owned()))
}
