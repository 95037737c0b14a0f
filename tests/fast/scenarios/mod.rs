//! One rollout at a time, told as sentences. Image 0 is A, 1 is B, 2 is C; ten pods where nothing
//! else is said.

mod back;
mod forward;
mod people;

use std::time::Duration;

use tidegate::policy::Batches;
use tidegate::rollout::Phase;

use super::world::{Fault, Manifest, World};

/// How the pods of a rollout settled, old and new, and the fewest Ready ones after each write.
#[derive(Debug, PartialEq)]
struct Told {
    settled: Vec<(u32, u32)>,
    fewest: Vec<u32>,
}

fn steps(texts: &[&str]) -> Batches {
    let amounts = texts.iter().map(|text| text.parse().expect("an amount"));
    Batches::steps(amounts)
}

/// `steps [1, 50%, 100%]`, soak 2 s, monitor 1 s.
fn manifest() -> Manifest {
    let mut manifest = Manifest::ten("25%", "25%");
    manifest.policy.batches = steps(&["1", "50%", "100%"]);
    manifest.policy.soak = Duration::from_secs(2);
    manifest.policy.monitor = Duration::from_secs(1);
    manifest
}

fn world(change: impl FnOnce(&mut Manifest)) -> World {
    sized(10, change)
}

fn sized(replicas: u32, change: impl FnOnce(&mut Manifest)) -> World {
    let mut manifest = manifest();
    change(&mut manifest);
    World::at_rest(manifest, replicas)
}

impl World {
    /// Runs until the agent writes again; says whether it did. The fewest Ready pods on the way.
    fn next_write(&mut self) -> (bool, u32) {
        let writes = self.agent.writes;
        let mut fewest = self.ready();
        for _ in 0..4000 {
            for actor in 0..3 {
                match actor {
                    0 => self.kubelet(),
                    1 => self.sync_deployment(),
                    _ => (0..self.sets.len()).for_each(|set| self.sync_set(set)),
                }
                self.check();
                fewest = fewest.min(self.ready());
            }
            if self.agent.is_awake(self.now) {
                self.act(Fault::None);
                if self.agent.writes != writes {
                    return (true, fewest);
                }
            }
            if self.is_still() {
                let wake = self.agent.wake.into_iter();
                let Some(next) = wake.chain(self.next_turn()).min() else {
                    return (false, fewest);
                };
                self.now = next.max(self.now);
            }
        }
        panic!("nothing comes of it: {:?}", self.agent.last);
    }

    /// Whether controllers have no more to do now.
    fn is_still(&mut self) -> bool {
        let before = self.new_old();
        let version = self.live.as_ref().map(|live| live.version);
        self.settle();
        let same = self.live.as_ref().map(|live| live.version) == version;
        before == self.new_old() && same && !self.agent.is_awake(self.now)
    }

    /// Runs to the end and tells every rest of the pods before a write, as old and new.
    fn told(&mut self) -> Told {
        let mut told = Told {
            settled: Vec::new(),
            fewest: Vec::new(),
        };
        loop {
            let (wrote, fewest) = self.next_write();
            assert_eq!(self.broken, None);
            told.fewest.push(fewest);
            let image = self.git.goal_manifest.image;
            let new = self.with_image(image);
            let total: u32 = self.sets.iter().map(|set| set.size.replicas).sum();
            told.settled.push((total - new, new));
            if !wrote {
                return told;
            }
        }
    }

    fn roll(&mut self, image: u32) -> Told {
        self.commit(|manifest| manifest.image = image);
        self.told()
    }

    fn phase(&self) -> Option<Phase> {
        self.agent.memory.as_ref().map(|kept| kept.phase)
    }

    /// Writes until `new` pods are B and settled.
    fn until(&mut self, new: u32) {
        while self.with_image(1) < new {
            assert!(self.next_write().0, "{:?}", self.agent.last);
            self.settle();
        }
        self.settle_pods();
    }

    fn ends(&mut self, phase: Phase) {
        self.told();
        assert_eq!(self.phase(), Some(phase), "{:?}", self.agent.last);
    }
}
