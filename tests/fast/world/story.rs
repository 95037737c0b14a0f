//! Histories as proptest makes and shrinks them.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::dice::Dice;

/// What happens in one history: chance for the workload, for each event, and for the end. Events
/// share no chance, so that one that is left out changes none of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Story {
    pub(crate) workload: u64,
    pub(crate) events: Vec<u64>,
    pub(crate) end: u64,
}

/// Any history; the shorter, the simpler.
fn any_story() -> impl Strategy<Value = Story> {
    let chance = || any::<u64>().no_shrink();
    (chance(), vec(chance(), 0..110), chance()).prop_map(|(workload, events, end)| Story {
        workload,
        events,
        end,
    })
}

/// Returns the history of a seed.
fn tree(seed: u64) -> impl ValueTree<Value = Story> {
    // A xorshift generator begins badly on a seed of few ones.
    let mut dice = Dice::new(seed);
    let bytes: Vec<u8> = [dice.roll(), dice.roll()]
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .collect();
    let chance = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), chance);
    any_story()
        .new_tree(&mut runner)
        .expect("nothing is filtered out")
}

impl Story {
    /// The history of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        tree(seed).current()
    }

    /// The simplest history that is found from that of a seed and for which `is_broken` holds as
    /// well.
    pub(crate) fn shrunk(seed: u64, is_broken: impl Fn(&Self) -> bool) -> Self {
        let mut tree = tree(seed);
        let mut simplest = tree.current();
        let mut goes_on = tree.simplify();
        while goes_on {
            let story = tree.current();
            goes_on = if is_broken(&story) {
                simplest = story;
                tree.simplify()
            } else {
                tree.complicate()
            };
        }
        simplest
    }
}
