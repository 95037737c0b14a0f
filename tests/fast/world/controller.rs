//! The deployment controller: its arithmetic is the simulator's, the sets are this world's.

use tidegate::rollout::Counts;
use tidegate::sim::arithmetic::deployment::{self, Change, Set, Wish};
use tidegate::sim::arithmetic::limits::Limits;
use tidegate::sim::arithmetic::progress::Totals;

use super::{ReplicaSet, World};

impl World {
    /// One sync of the Deployment.
    pub(crate) fn sync_deployment(&mut self) {
        let Some(live) = &self.live else {
            return;
        };
        let version = live.version;
        let before: Vec<u32> = self.sets.iter().map(|set| set.size.replicas).collect();
        let new = self.sets.iter().position(|set| set.mould == live.mould);
        let is_paused = live.paused;
        // The update of a set is a conflict for whatever else the same sync wanted of it.
        if !new.is_some_and(|new| self.hand_on(new)) || is_paused {
            self.sync_sets(new);
            self.report();
        }
        let after = self.sets.iter().map(|set| &set.size.replicas);
        let moved = !before.iter().eq(after);
        let told = self
            .live
            .as_ref()
            .is_some_and(|live| live.version != version);
        self.agent.is_due |= moved || told;
        self.note_sync(&before);
    }

    /// `getNewReplicaSet` hands minReadySeconds on to the set. `syncDeployment` asks twice on one
    /// reading, so that the second update is a conflict and the rest waits for the next sync.
    fn hand_on(&mut self, new: usize) -> bool {
        let min_ready = self.live.as_ref().map_or(0, |live| live.min_ready);
        let set = &mut self.sets[new];
        let changed = set.min_ready != min_ready;
        set.min_ready = min_ready;
        changed
    }

    fn sync_sets(&mut self, new: Option<usize>) {
        let Some(live) = &self.live else {
            return;
        };
        let wish = Wish {
            replicas: live.replicas,
            strategy: live.strategy,
            is_paused: live.paused,
            reported: live.counts.replicas,
        };
        let marks = {
            let surge = Limits::of(wish.strategy, wish.replicas).surge;
            (Some(wish.replicas), Some(wish.replicas + surge))
        };
        let (mould, min_ready) = (live.mould, live.min_ready);
        let mut others = self.sets.iter().filter(|set| set.mould != mould);
        let old_pods_run = others.any(|set| set.pods.iter().any(|pod| !pod.gone));
        for change in deployment::sync(wish, &self.sizes(), new, old_pods_run) {
            let (set, replicas) = match change {
                Change::Create(replicas) => {
                    self.sets.push(ReplicaSet::new(mould, min_ready));
                    (self.sets.len() - 1, replicas)
                }
                Change::Resize { set, replicas } => (set, replicas),
            };
            let size = &mut self.sets[set].size;
            size.replicas = replicas;
            (size.desired, size.max) = marks;
        }
    }

    fn sizes(&self) -> Vec<Set> {
        self.sets.iter().map(|set| set.size).collect()
    }

    /// `syncRolloutStatus`.
    fn report(&mut self) {
        let sizes = self.sizes();
        let Some(live) = &mut self.live else {
            return;
        };
        let new = self.sets.iter().position(|set| set.mould == live.mould);
        let totals = Totals::of(&sizes, new);
        let counts = Counts {
            replicas: totals.replicas,
            updated: totals.updated,
            available: totals.available,
        };
        if counts != live.counts || live.observed != live.generation {
            live.counts = counts;
            live.observed = live.generation;
            live.version += 1;
        }
    }
}
