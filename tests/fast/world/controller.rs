//! The deployment controller of Kubernetes 1.36.2 (`pkg/controller/deployment`): `syncDeployment`,
//! `scale`, `rolloutRolling`, `rolloutRecreate`, in the same order and with the same returns.

use tidegate::object::Strategy;
use tidegate::rollout::Counts;

use super::{Deployment, ReplicaSet, World, resolve};

/// One sync at work.
struct Sync<'a> {
    live: &'a mut Deployment,
    sets: &'a mut Vec<ReplicaSet>,
    surge: u32,
    unavailable: u32,
}

impl World {
    /// One sync of the Deployment.
    pub(crate) fn sync_deployment(&mut self) {
        let Some(live) = &mut self.live else {
            return;
        };
        let (surge, unavailable) = resolve(live.strategy, live.replicas);
        let mut sync = Sync {
            live,
            sets: &mut self.sets,
            surge,
            unavailable,
        };
        let before = sync.sizes();
        let version = sync.live.version;
        sync.run();
        let moved = before != sync.sizes() || version != sync.live.version;
        self.agent.is_due |= moved;
        self.note_sync(&before);
    }
}

impl Sync<'_> {
    fn sizes(&self) -> Vec<u32> {
        self.sets.iter().map(|set| set.replicas).collect()
    }

    fn run(&mut self) {
        let mould = self.live.mould;
        let new = self.sets.iter().position(|set| set.mould == mould);
        if new.is_some_and(|new| self.hand_on(new)) && !self.live.paused {
            return;
        }
        if self.live.paused || self.is_scaling_event() {
            self.scale(new);
        } else {
            match self.live.strategy {
                Strategy::RollingUpdate { .. } => self.roll(new),
                Strategy::Recreate => self.recreate(new),
            }
        }
        self.report();
    }

    /// `getNewReplicaSet` hands minReadySeconds on to the set. `syncDeployment` asks twice on one
    /// reading, so that the second update is a conflict and the rest waits for the next sync.
    fn hand_on(&mut self, new: usize) -> bool {
        let set = &mut self.sets[new];
        let changed = set.min_ready != self.live.min_ready;
        set.min_ready = self.live.min_ready;
        changed
    }

    fn is_scaling_event(&self) -> bool {
        let mut active = self.sets.iter().filter(|set| set.replicas > 0);
        active.any(|set| set.desired != self.live.replicas)
    }

    fn total(&self) -> u32 {
        self.sets.iter().map(|set| set.replicas).sum()
    }

    fn max(&self) -> u32 {
        self.live.replicas + self.surge
    }

    /// `scaleReplicaSet`.
    fn resize(&mut self, index: usize, size: u32, force: bool) -> bool {
        let (desired, max) = (self.live.replicas, self.max());
        let set = &mut self.sets[index];
        let resized = set.replicas != size;
        if resized || force {
            (set.replicas, set.desired, set.max) = (size, desired, max);
        }
        resized
    }

    /// `scale`: proportionally.
    fn scale(&mut self, new: Option<usize>) {
        let active: Vec<usize> = (0..self.sets.len())
            .filter(|index| self.sets[*index].replicas > 0)
            .collect();
        let only = match active[..] {
            [] => new.or(self.sets.len().checked_sub(1)),
            [only] => Some(only),
            _ => None,
        };
        if let Some(only) = only {
            self.resize(only, self.live.replicas, false);
            return;
        }
        if active.is_empty() {
            return;
        }
        if new.is_some_and(|new| self.is_saturated(new)) {
            for old in active.into_iter().filter(|index| Some(*index) != new) {
                self.resize(old, 0, false);
            }
            return;
        }
        if let Strategy::RollingUpdate { .. } = self.live.strategy {
            self.scale_proportionally(active);
        }
    }

    fn is_saturated(&self, new: usize) -> bool {
        let (set, replicas) = (&self.sets[new], self.live.replicas);
        set.replicas == replicas && set.desired == replicas && set.status.1 == replicas
    }

    fn scale_proportionally(&mut self, mut active: Vec<usize>) {
        let allowed = if self.live.replicas > 0 {
            self.max()
        } else {
            0
        };
        let add = i64::from(allowed) - i64::from(self.total());
        let size = |index: usize| i64::from(self.sets[index].replicas);
        match add {
            1.. => active.sort_by_key(|index| (-size(*index), -(*index as i64))),
            ..0 => active.sort_by_key(|index| (-size(*index), *index as i64)),
            0 => {}
        }
        let mut added = 0;
        let mut sizes = Vec::new();
        for index in &active {
            let share = self.proportion(*index, add, added);
            sizes.push(size(*index) + share);
            added += share;
        }
        if add != 0 {
            sizes[0] = (sizes[0] + add - added).max(0);
        }
        for (index, size) in active.into_iter().zip(sizes) {
            let size = u32::try_from(size).expect("a share is no more than there is");
            self.resize(index, size, true);
        }
    }

    /// `GetReplicaSetProportion`.
    fn proportion(&self, index: usize, add: i64, added: i64) -> i64 {
        if add == 0 || add == added {
            return 0;
        }
        let set = &self.sets[index];
        let size = i64::from(set.replicas);
        let fraction = if self.live.replicas == 0 {
            -size
        } else {
            let before = if set.max == 0 {
                self.live.counts.replicas
            } else {
                set.max
            };
            let exact = f64::from(set.replicas * self.max()) / f64::from(before);
            // `RoundToInt32`: half away from zero.
            exact.round() as i64 - size
        };
        if add > 0 {
            fraction.min(add - added)
        } else {
            fraction.max(add - added)
        }
    }

    /// `NewRSNewReplicas`.
    fn grown(&self, size: u32) -> u32 {
        if self.live.strategy == Strategy::Recreate {
            return self.live.replicas;
        }
        let room = self.max().saturating_sub(self.total());
        if room == 0 {
            return size;
        }
        size + room.min(self.live.replicas.saturating_sub(size))
    }

    fn make_new(&mut self) -> usize {
        let replicas = self.grown(0);
        self.sets.push(ReplicaSet {
            mould: self.live.mould,
            replicas,
            min_ready: self.live.min_ready,
            desired: self.live.replicas,
            max: self.max(),
            pods: Vec::new(),
            status: (0, 0),
            refused: None,
        });
        self.sets.len() - 1
    }

    /// `rolloutRolling`.
    fn roll(&mut self, new: Option<usize>) {
        let new = new.unwrap_or_else(|| self.make_new());
        let size = self.sets[new].replicas;
        let wanted = if size > self.live.replicas {
            self.live.replicas
        } else if size < self.live.replicas {
            self.grown(size)
        } else {
            size
        };
        if self.resize(new, wanted, false) {
            return;
        }
        self.shrink_old(new);
    }

    /// `reconcileOldReplicaSets`.
    fn shrink_old(&mut self, new: usize) {
        let least = i64::from(self.live.replicas - self.unavailable);
        let unavailable = i64::from(self.sets[new].replicas) - i64::from(self.sets[new].status.1);
        let most = i64::from(self.total()) - least - unavailable;
        if most <= 0 {
            return;
        }
        let olds: Vec<usize> = (0..self.sets.len()).filter(|old| *old != new).collect();
        let mut cleaned = 0;
        for old in &olds {
            let set = &self.sets[*old];
            let unhealthy = i64::from(set.replicas) - i64::from(set.status.1);
            if cleaned >= most || set.replicas == 0 || unhealthy == 0 {
                continue;
            }
            let Ok(count) = u32::try_from(unhealthy.min(most - cleaned)) else {
                // A stale status: the pass does nothing more.
                return;
            };
            let size = set.replicas - count;
            self.resize(*old, size, false);
            cleaned += i64::from(count);
        }
        let available: i64 = self.sets.iter().map(|set| i64::from(set.status.1)).sum();
        let mut rest = available - least;
        for old in olds {
            let size = self.sets[old].replicas;
            if rest <= 0 || size == 0 {
                continue;
            }
            let count = i64::from(size).min(rest);
            let smaller = size - u32::try_from(count).expect("it is at most the size");
            self.resize(old, smaller, false);
            rest -= count;
        }
    }

    /// `rolloutRecreate`.
    fn recreate(&mut self, new: Option<usize>) {
        let olds = (0..self.sets.len()).filter(|old| Some(*old) != new);
        let mut scaled = false;
        for old in olds.collect::<Vec<_>>() {
            scaled |= self.resize(old, 0, false);
        }
        let mould = self.live.mould;
        let mut others = self.sets.iter().filter(|set| set.mould != mould);
        let runs = |set: &ReplicaSet| set.status.0 > 0 || set.pods.iter().any(|pod| !pod.gone);
        if scaled || others.any(runs) {
            return;
        }
        let new = new.unwrap_or_else(|| self.make_new());
        self.resize(new, self.live.replicas, false);
    }

    /// `syncRolloutStatus`.
    fn report(&mut self) {
        let sum = |part: fn(&ReplicaSet) -> u32| self.sets.iter().map(part).sum();
        let mould = self.live.mould;
        let new = self.sets.iter().find(|set| set.mould == mould);
        let counts = Counts {
            replicas: sum(|set| set.status.0),
            updated: new.map_or(0, |set| set.status.0),
            available: sum(|set| set.status.1),
        };
        if counts != self.live.counts || self.live.observed != self.live.generation {
            self.live.counts = counts;
            self.live.observed = self.live.generation;
            self.live.version += 1;
        }
    }
}
