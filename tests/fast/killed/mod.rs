//! The agent's process ends, or an answer is lost, at a write: the pods never do what the undisturbed
//! run would not, and all ends the same.
//!
//! Counted are the writes of the agent from the commit in question on. Renewals of the Lease come by
//! the clock, and Events are told to nobody who acts on them: at these nothing is broken.

mod run;
mod story;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use tidegate::sim::seed::Seed;

use run::{End, Way, play};
use story::{STORIES, Story};

/// Runs at a time: they wait more than they work.
const AT_ONCE: usize = 8;

/// Where a run is broken.
#[derive(Clone, Copy)]
struct Place {
    story: &'static Story,
    write: usize,
    way: Way,
}

const WAYS: [Way; 3] = [Way::KilledBefore, Way::KilledAfter, Way::AnswerLost];

/// Does something for each, several at a time.
fn for_each<T: Copy + Send + Sync, R: Send>(all: &[T], work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(all.len()) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(*one);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The undisturbed run of each story: its writes, and how it ends.
fn undisturbed(stories: &'static [Story]) -> BTreeMap<&'static str, (usize, End)> {
    let stories: Vec<&'static Story> = stories.iter().collect();
    for_each(&stories, |story| {
        let run = play(story, None);
        (story.name, (run.writes, run.end))
    })
    .into_iter()
    .collect()
}

/// Breaks the runs and compares; says at how many places they broke.
fn broken(places: &[Place], whole: &BTreeMap<&str, (usize, End)>) -> usize {
    let tried = for_each(places, |place| {
        let what = format!(
            "{}, write {}, {:?}",
            place.story.name, place.write, place.way
        );
        // One that ends otherwise does not keep the others from being tried.
        catch_unwind(AssertUnwindSafe(|| {
            let run = play(place.story, Some((place.write, place.way)));
            run.end.assert_same(&whole[place.story.name].1, &what);
            usize::from(run.is_broken)
        }))
        .map_err(|_| what)
    });
    let failed: Vec<&String> = tried.iter().filter_map(|run| run.as_ref().err()).collect();
    assert!(
        failed.is_empty(),
        "{} of {} places: {failed:#?}",
        failed.len(),
        places.len()
    );
    tried.into_iter().flatten().sum()
}

/// All places of a story.
fn places(story: &'static Story, writes: usize) -> impl Iterator<Item = Place> {
    let all = (1..=writes).flat_map(|write| WAYS.map(|way| (write, way)));
    all.map(move |(write, way)| Place { story, write, way })
}

#[test]
fn a_rollout_broken_at_a_write_ends_as_if_nothing_had_been() {
    let whole = undisturbed(STORIES);
    let mut seed = Seed::new(1);
    let some: Vec<Place> = STORIES
        .iter()
        .flat_map(|story| {
            let all: Vec<Place> = places(story, whole[story.name].0).collect();
            let count = u64::try_from(all.len()).expect("a short list");
            let pick = usize::try_from(seed.below(count)).expect("a place in it");
            all.get(pick).copied()
        })
        .collect();
    let broken = broken(&some, &whole);
    println!("{broken} places tried");
    assert_eq!(broken, some.len(), "each run was broken");
}

#[test]
#[ignore = "minutes; the command is in CONTRIBUTING.md"]
fn rollouts_broken_at_every_write_end_as_if_nothing_had_been() {
    let whole = undisturbed(STORIES);
    let all: Vec<Place> = STORIES
        .iter()
        .flat_map(|story| places(story, whole[story.name].0))
        .collect();
    for (name, (writes, _)) in &whole {
        println!("{name}: {writes} writes");
    }
    let broken = broken(&all, &whole);
    println!("{broken} of {} places tried", all.len());
    assert!(broken * 20 >= all.len() * 19, "nearly each run was broken");
}
