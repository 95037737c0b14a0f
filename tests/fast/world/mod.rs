//! A cluster with one Deployment in plain numbers: the simulator's arithmetic of the deployment
//! and ReplicaSet controllers, pods with a stand-in kubelet, people, a scaler, Git, and the agent
//! with its ledger. Time and chance are driven from outside; one seed is one history, and one that breaks a law is
//! shrunk.

mod agent;
mod back;
mod campaign;
mod controller;
mod dice;
mod git;
mod history;
mod kubelet;
mod laws;
mod mark;
mod people;
mod replicaset;
mod story;
mod templates;

pub(crate) use agent::{Agent, Fault};
pub(crate) use back::Way;
pub(crate) use campaign::{campaign, replay};
pub(crate) use git::{Git, Manifest};
pub(crate) use kubelet::{Behaviour, Pod};
pub(crate) use mark::Mark;
pub(crate) use replicaset::ReplicaSet;
pub(crate) use story::Story;
pub(crate) use templates::Mould;

use std::collections::BTreeMap;

use dice::Dice;
use jiff::Timestamp;
use tidegate::object::{FREEZE_MIN_READY, Strategy};
use tidegate::rollout::{Counts, Kind, Live, Seen, Set};
use tidegate::sim::arithmetic::limits::Limits;

/// Seconds since the epoch at which every world begins.
const DAWN: i64 = 1_700_000_000;

/// Returns the moment `second` seconds after a world began.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(DAWN + second).expect("a world is short")
}

/// The Deployment as the API server holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deployment {
    pub(crate) uid: u32,
    /// resourceVersion: rises with spec, status and managedFields.
    pub(crate) version: u64,
    pub(crate) generation: i64,
    pub(crate) observed: i64,
    pub(crate) replicas: u32,
    pub(crate) min_ready: i64,
    pub(crate) deadline: i64,
    pub(crate) strategy: Strategy,
    pub(crate) paused: bool,
    pub(crate) mould: Mould,
    /// Who owns the image, an added variable, the restart mark, beside tidegate.
    pub(crate) owners: [Option<&'static str>; 3],
    pub(crate) editor: Option<&'static str>,
    pub(crate) counts: Counts,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) now: i64,
    pub(crate) dice: Dice,
    pub(crate) live: Option<Deployment>,
    /// In order of creation.
    pub(crate) sets: Vec<ReplicaSet>,
    pub(crate) git: Git,
    pub(crate) agent: Agent,
    /// How pods behave, by image.
    pub(crate) behaviours: Vec<Behaviour>,
    /// Pods that the namespace may hold.
    pub(crate) quota: Option<usize>,
    /// Ready pods that were lost by no doing of controllers or the agent.
    pub(crate) lost: u32,
    pub(crate) mark: Mark,
    pub(crate) way: Way,
    /// The first law that did not hold.
    pub(crate) broken: Option<String>,
    pub(crate) trace: Option<Vec<String>>,
    pods: u32,
}

impl World {
    /// A workload of `manifest`, complete and at rest.
    pub(crate) fn at_rest(manifest: Manifest, replicas: u32) -> Self {
        let mut world = Self::empty(manifest);
        world.create(replicas);
        world.settle_pods();
        world.git.good.push(world.git.goal_manifest.clone());
        world
    }

    /// Nothing yet but a commit.
    pub(crate) fn empty(manifest: Manifest) -> Self {
        Self {
            now: 0,
            dice: Dice::new(0),
            live: None,
            sets: Vec::new(),
            git: Git::new(manifest),
            agent: Agent::default(),
            behaviours: vec![Behaviour::Good(1); 64],
            quota: None,
            lost: 0,
            mark: Mark::default(),
            way: Way::default(),
            broken: None,
            trace: None,
            pods: 0,
        }
    }

    /// Writes down what happens, where someone wants to read it.
    pub(crate) fn tell(&mut self, text: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>5} {}", self.now, text(self));
            if let Some(trace) = &mut self.trace {
                trace.push(line);
            }
        }
    }

    /// Runs controllers and kubelet until nothing moves but time.
    pub(crate) fn settle(&mut self) {
        for _ in 0..200 {
            let before = (self.live.clone(), self.census());
            let times: Vec<i64> = self.sets.iter().map(|set| set.min_ready).collect();
            self.kubelet();
            for set in 0..self.sets.len() {
                self.sync_set(set);
                self.check();
            }
            self.sync_deployment();
            self.check();
            let same = times.iter().eq(self.sets.iter().map(|set| &set.min_ready));
            if same && before == (self.live.clone(), self.census()) {
                return;
            }
        }
        self.broken
            .get_or_insert_with(|| "controllers do not settle".to_owned());
    }

    /// Lets time pass until every pod has become what it will be, without the agent.
    pub(crate) fn settle_pods(&mut self) {
        for _ in 0..40 {
            self.settle();
            self.now += 1;
        }
        self.settle();
    }

    /// Spec of each set, its available pods, and all its pods.
    fn census(&self) -> Vec<(u32, u32, usize)> {
        let sets = self.sets.iter();
        sets.map(|set| (set.size.replicas, set.size.available, set.pods.len()))
            .collect()
    }

    /// Returns the pods that the current and that all other ReplicaSets ask for.
    pub(crate) fn new_old(&self) -> (u32, u32) {
        let Some(live) = &self.live else {
            return (0, 0);
        };
        let (new, old): (Vec<&ReplicaSet>, Vec<&ReplicaSet>) =
            self.sets.iter().partition(|set| set.mould == live.mould);
        let sum = |sets: Vec<&ReplicaSet>| sets.iter().map(|set| set.size.replicas).sum();
        (sum(new), sum(old))
    }

    /// Returns the pods that sets with this image ask for.
    pub(crate) fn with_image(&self, image: u32) -> u32 {
        let sets = self.sets.iter().filter(|set| set.mould.image == image);
        sets.map(|set| set.size.replicas).sum()
    }

    /// Returns the number of Ready pods.
    pub(crate) fn ready(&self) -> u32 {
        self.sets.iter().map(ReplicaSet::ready).sum()
    }

    /// Says whether the freeze is on.
    pub(crate) fn is_frozen(&self) -> bool {
        self.live
            .as_ref()
            .is_some_and(|live| live.min_ready == FREEZE_MIN_READY)
    }

    /// What the agent sees now.
    pub(crate) fn seen(&self) -> Seen {
        let live = self.live.as_ref().map(|live| Live {
            kind: Kind::Deployment,
            spots: BTreeMap::new(),
            uid: live.uid.to_string(),
            generation: live.generation,
            observed_generation: live.observed,
            replicas: live.replicas,
            min_ready_seconds: live.min_ready,
            progress_deadline_seconds: live.deadline,
            strategy: live.strategy,
            is_paused: live.paused,
            template: live.mould.template(),
            restart: live.mould.restart_digest(),
            content: live.mould.content(),
            spec_editor: live.owners.iter().flatten().next().map(ToString::to_string),
            editor: live.editor.map(ToString::to_string),
            counts: live.counts,
            sets: self.sets.iter().map(|set| set.seen(live.mould)).collect(),
        });
        Seen {
            now: at(self.now),
            live,
        }
    }
}

impl ReplicaSet {
    fn seen(&self, current: Mould) -> Set {
        Set {
            template: self.mould.template(),
            is_current: self.mould == current,
            is_base: false,
            replicas: self.size.replicas,
            pods: self.pods.iter().map(Pod::seen).collect(),
            refused: self
                .refused
                .map(|since| (at(since), "exceeded quota".to_owned())),
        }
    }
}

/// Returns surge and unavailability that a strategy comes to.
pub(crate) fn resolve(strategy: Strategy, replicas: u32) -> (u32, u32) {
    let limits = Limits::of(strategy, replicas);
    (limits.surge, limits.unavailable)
}
