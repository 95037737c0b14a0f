//! What the deployment controller does with the ReplicaSets of a Deployment in one sync: `scale`,
//! `rolloutRolling` and `rolloutRecreate` of Kubernetes 1.36.2 (`pkg/controller/deployment`), in
//! the same order and with the same returns.

use crate::object::Strategy;

use super::limits::Limits;
use super::proportion;

/// What a Deployment asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.strategy`.
    pub strategy: Strategy,
    /// `spec.paused`: only scaling is done.
    pub is_paused: bool,
    /// `status.replicas`, by which a set is scaled whose annotations are lost.
    pub reported: u32,
}

/// One ReplicaSet of a Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// `spec.replicas`.
    pub replicas: u32,
    /// The Deployment's replicas when it was last resized
    /// (`deployment.kubernetes.io/desired-replicas`); `None` where that cannot be read.
    pub desired: Option<u32>,
    /// The same with the surge (`deployment.kubernetes.io/max-replicas`).
    pub max: Option<u32>,
    /// `status.replicas`.
    pub present: u32,
    /// `status.readyReplicas`.
    pub ready: u32,
    /// `status.availableReplicas`.
    pub available: u32,
}

/// One write to a ReplicaSet. Each also says for which replicas and surge it was made, in the
/// annotations that [`Set::desired`] and [`Set::max`] read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A set of the current template is made, with so many replicas.
    Create(u32),
    /// A set gets this size, which may be the one it has.
    Resize {
        /// Its place in what was asked.
        set: usize,
        /// Its `spec.replicas` from now on.
        replicas: u32,
    },
}

/// Decides what one sync writes, in this order.
///
/// `sets` are in order of creation; `new` is the one of the current template, the oldest where
/// there are several. `old_pods_run` says whether a pod of another set has not ended; only
/// `Recreate` asks.
#[must_use]
pub fn sync(wish: Wish, sets: &[Set], new: Option<usize>, old_pods_run: bool) -> Vec<Change> {
    let mut sync = Sync {
        wish,
        limits: Limits::of(wish.strategy, wish.replicas),
        sets: sets.to_vec(),
        changes: Vec::new(),
    };
    if wish.is_paused || is_scaling_event(wish, sets) {
        sync.scale(new);
    } else {
        match wish.strategy {
            Strategy::RollingUpdate { .. } => sync.roll(new),
            Strategy::Recreate => sync.recreate(new, old_pods_run),
            // No Deployment has one of these.
            Strategy::Partition(_) | Strategy::Nodes { .. } | Strategy::OnDelete => {}
        }
    }
    sync.changes
}

/// Says whether the replicas are others than when a set that has some was last resized
/// (`isScalingEvent`): then nothing but scaling is done.
#[must_use]
pub fn is_scaling_event(wish: Wish, sets: &[Set]) -> bool {
    let mut active = sets.iter().filter(|set| set.replicas > 0);
    active.any(|set| set.desired.is_some_and(|desired| desired != wish.replicas))
}

/// One sync at work, on sets as it leaves them.
struct Sync {
    wish: Wish,
    limits: Limits,
    sets: Vec<Set>,
    changes: Vec<Change>,
}

impl Sync {
    fn total(&self) -> u32 {
        self.sets.iter().map(|set| set.replicas).sum()
    }

    fn max(&self) -> u32 {
        self.wish.replicas + self.limits.surge
    }

    /// `scaleReplicaSet`; with `force` also where only the annotations are out of date. Says
    /// whether the size is another one.
    fn resize(&mut self, index: usize, replicas: u32, force: bool) -> bool {
        let marks = (Some(self.wish.replicas), Some(self.max()));
        let set = &mut self.sets[index];
        let resized = set.replicas != replicas;
        if resized || force && (set.desired, set.max) != marks {
            set.replicas = replicas;
            (set.desired, set.max) = marks;
            let set = index;
            self.changes.push(Change::Resize { set, replicas });
        }
        resized
    }

    fn scale(&mut self, new: Option<usize>) {
        let active: Vec<usize> = (0..self.sets.len())
            .filter(|index| self.sets[*index].replicas > 0)
            .collect();
        match active[..] {
            [] => {
                if let Some(latest) = new.or(self.sets.len().checked_sub(1)) {
                    self.resize(latest, self.wish.replicas, false);
                }
            }
            [only] => {
                self.resize(only, self.wish.replicas, false);
            }
            _ if new.is_some_and(|new| self.is_saturated(new)) => {
                for old in active.into_iter().filter(|index| Some(*index) != new) {
                    self.resize(old, 0, false);
                }
            }
            _ => match self.wish.strategy {
                Strategy::RollingUpdate { .. } => self.scale_proportionally(&active),
                Strategy::Recreate
                | Strategy::Partition(_)
                | Strategy::Nodes { .. }
                | Strategy::OnDelete => {}
            },
        }
    }

    /// `IsSaturated`.
    fn is_saturated(&self, new: usize) -> bool {
        let (set, replicas) = (&self.sets[new], self.wish.replicas);
        set.replicas == replicas && set.desired == Some(replicas) && set.available == replicas
    }

    fn scale_proportionally(&mut self, active: &[usize]) {
        let allowed = match self.wish.replicas {
            0 => 0,
            _ => self.max(),
        };
        let sets: Vec<(usize, Set)> = active.iter().map(|at| (*at, self.sets[*at])).collect();
        for (index, size) in proportion::share_out(self.wish, self.max(), allowed, sets) {
            self.resize(index, size, true);
        }
    }

    /// `NewRSNewReplicas`, for a rolling update.
    fn grown(&self, size: u32) -> u32 {
        let room = self.max().saturating_sub(self.total());
        size + room.min(self.wish.replicas.saturating_sub(size))
    }

    fn create(&mut self, replicas: u32) -> usize {
        self.sets.push(Set {
            replicas,
            desired: Some(self.wish.replicas),
            max: Some(self.max()),
            ..Set::default()
        });
        self.changes.push(Change::Create(replicas));
        self.sets.len() - 1
    }

    fn roll(&mut self, new: Option<usize>) {
        let new = new.unwrap_or_else(|| self.create(self.grown(0)));
        let size = self.sets[new].replicas;
        let wanted = if size > self.wish.replicas {
            self.wish.replicas
        } else {
            self.grown(size)
        };
        if !self.resize(new, wanted, false) {
            self.shrink_old(new);
        }
    }

    /// `reconcileOldReplicaSets`.
    fn shrink_old(&mut self, new: usize) {
        let least = i64::from(self.wish.replicas - self.limits.unavailable);
        let unavailable = i64::from(self.sets[new].replicas) - i64::from(self.sets[new].available);
        let most = i64::from(self.total()) - least - unavailable;
        if most <= 0 {
            return;
        }
        let olds: Vec<usize> = (0..self.sets.len()).filter(|old| *old != new).collect();
        if self.clean_up(&olds, most).is_none() {
            return;
        }
        let available: i64 = self.sets.iter().map(|set| i64::from(set.available)).sum();
        let mut rest = available - least;
        for old in olds {
            let size = self.sets[old].replicas;
            let count = size.min(u32::try_from(rest.max(0)).unwrap_or(u32::MAX));
            if count > 0 {
                self.resize(old, size - count, false);
                rest -= i64::from(count);
            }
        }
    }

    /// `cleanupUnhealthyReplicas`: pods that are not available go first, at most so many. `None`
    /// where a status is older than its spec: nothing more is done then.
    fn clean_up(&mut self, olds: &[usize], most: i64) -> Option<()> {
        let mut cleaned = 0;
        for old in olds {
            let set = self.sets[*old];
            let unhealthy = i64::from(set.replicas) - i64::from(set.available);
            if cleaned >= most || set.replicas == 0 || unhealthy == 0 {
                continue;
            }
            let count = u32::try_from(unhealthy.min(most - cleaned)).ok()?;
            self.resize(*old, set.replicas - count, false);
            cleaned += i64::from(count);
        }
        Some(())
    }

    fn recreate(&mut self, new: Option<usize>, old_pods_run: bool) {
        let olds: Vec<usize> = (0..self.sets.len())
            .filter(|old| Some(*old) != new)
            .collect();
        let mut scaled = false;
        for old in &olds {
            scaled |= self.resize(*old, 0, false);
        }
        let is_reported = olds.iter().any(|old| self.sets[*old].present > 0);
        if scaled || is_reported || old_pods_run {
            return;
        }
        match new {
            Some(new) => {
                self.resize(new, self.wish.replicas, false);
            }
            None => {
                self.create(self.wish.replicas);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Amount;

    fn wish(replicas: u32, surge: u32, unavailable: u32) -> Wish {
        Wish {
            replicas,
            strategy: Strategy::RollingUpdate {
                max_surge: Amount::Count(surge),
                max_unavailable: Amount::Count(unavailable),
            },
            is_paused: false,
            reported: replicas,
        }
    }

    /// A set of `replicas` of which so many are available, last resized for `wish`.
    fn set(wish: Wish, replicas: u32, available: u32) -> Set {
        Set {
            replicas,
            desired: Some(wish.replicas),
            max: Some(wish.replicas + Limits::of(wish.strategy, wish.replicas).surge),
            present: replicas,
            ready: available,
            available,
        }
    }

    fn resize(set: usize, replicas: u32) -> Change {
        Change::Resize { set, replicas }
    }

    #[test]
    fn a_rolling_update_begins_with_the_surge_and_takes_old_pods_for_what_may_be_unavailable() {
        let wish = wish(10, 3, 2);
        let old = set(wish, 10, 10);
        let first = sync(wish, &[old], None, false);
        assert_eq!(first, [Change::Create(3), resize(0, 8)]);
        let second = sync(wish, &[set(wish, 8, 8), set(wish, 3, 0)], Some(1), false);
        assert_eq!(second, [resize(1, 5)]);
        let third = sync(wish, &[set(wish, 8, 8), set(wish, 5, 0)], Some(1), false);
        assert_eq!(third, []);
    }

    #[test]
    fn old_pods_that_are_not_available_go_first_in_order_of_creation() {
        let wish = wish(10, 0, 4);
        let sets = [
            set(wish, 3, 1),
            set(wish, 3, 0),
            set(wish, 2, 2),
            set(wish, 2, 2),
        ];
        let changes = sync(wish, &sets, Some(3), false);
        assert_eq!(changes, [resize(0, 1), resize(1, 1)]);
    }

    #[test]
    fn a_status_older_than_its_spec_stops_the_sync() {
        let wish = wish(10, 0, 4);
        let late = Set {
            available: 6,
            ..set(wish, 5, 5)
        };
        let sets = [late, set(wish, 3, 3), set(wish, 2, 2)];
        assert_eq!(sync(wish, &sets, Some(2), false), []);
    }

    #[test]
    fn a_scaling_is_shared_out_in_proportion_and_comes_before_everything_else() {
        let before = wish(10, 2, 0);
        let sets = [set(before, 8, 8), set(before, 4, 4)];
        let after = wish(20, 2, 0);
        assert!(is_scaling_event(after, &sets));
        let changes = sync(after, &sets, None, false);
        assert_eq!(changes, [resize(0, 15), resize(1, 7)]);
    }

    #[test]
    fn a_scaling_marks_sets_whose_size_stays() {
        let before = wish(4, 1, 0);
        let sets = [set(before, 3, 3), set(before, 2, 2)];
        let after = wish(4, 1, 0);
        let stale = [
            Set {
                desired: Some(5),
                max: Some(6),
                ..sets[0]
            },
            sets[1],
        ];
        assert_eq!(sync(after, &stale, Some(1), false), [resize(0, 3)]);
    }

    #[test]
    fn what_is_scaled_up_from_nothing_is_the_current_or_the_newest_set() {
        let none = [set(wish(0, 1, 0), 0, 0), set(wish(0, 1, 0), 0, 0)];
        let paused = Wish {
            is_paused: true,
            ..wish(3, 1, 0)
        };
        assert_eq!(sync(paused, &none, Some(0), false), [resize(0, 3)]);
        assert_eq!(sync(paused, &none, None, false), [resize(1, 3)]);
        assert_eq!(sync(paused, &[], None, false), []);
    }

    #[test]
    fn recreate_waits_for_the_last_old_pod() {
        let recreate = Wish {
            strategy: Strategy::Recreate,
            ..wish(3, 0, 0)
        };
        let old = set(recreate, 3, 3);
        assert_eq!(sync(recreate, &[old], None, true), [resize(0, 0)]);
        let gone = set(recreate, 0, 0);
        let reported = Set { present: 1, ..gone };
        assert_eq!(sync(recreate, &[reported], None, false), []);
        assert_eq!(sync(recreate, &[gone], None, true), []);
        assert_eq!(sync(recreate, &[gone], None, false), [Change::Create(3)]);
    }
}
