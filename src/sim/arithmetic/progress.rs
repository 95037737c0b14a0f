//! What the status of a Deployment says of its ReplicaSets, and whether the rollout is getting on
//! (`calculateStatus`, `DeploymentComplete`, `DeploymentProgressing`, `DeploymentTimedOut` in
//! `pkg/controller/deployment` of Kubernetes 1.36.2).

use super::deployment::{Set, Wish};
use super::limits::Limits;

/// The counts in the status of a Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// `replicas`: pods of all sets.
    pub replicas: u32,
    /// `updatedReplicas`: those of the current template.
    pub updated: u32,
    /// `readyReplicas`.
    pub ready: u32,
    /// `availableReplicas`.
    pub available: u32,
    /// `unavailableReplicas`: how many are asked for and not available.
    pub unavailable: u32,
}

impl Totals {
    /// Adds up sets, of which `new` has the current template.
    #[must_use]
    pub fn of(sets: &[Set], new: Option<usize>) -> Self {
        let sum = |part: fn(&Set) -> u32| sets.iter().map(part).sum::<u32>();
        let available = sum(|set| set.available);
        Self {
            replicas: sum(|set| set.present),
            updated: new.map_or(0, |new| sets[new].present),
            ready: sum(|set| set.ready),
            available,
            unavailable: sum(|set| set.replicas).saturating_sub(available),
        }
    }

    /// Says whether as many pods are available as the strategy asks for at least, which the
    /// condition `Available` tells.
    #[must_use]
    pub fn has_minimum(&self, wish: Wish) -> bool {
        let limits = Limits::of(wish.strategy, wish.replicas);
        self.available >= wish.replicas - limits.unavailable
    }

    /// Says whether all pods are of the current template and available.
    #[must_use]
    pub fn is_complete(&self, replicas: u32) -> bool {
        [self.updated, self.replicas, self.available] == [replicas; 3]
    }

    /// Says whether more is new, Ready or available, or less is old, than `before`.
    #[must_use]
    pub fn has_moved_since(&self, before: &Self) -> bool {
        let old = |totals: &Self| i64::from(totals.replicas) - i64::from(totals.updated);
        self.updated > before.updated
            || old(self) < old(before)
            || self.ready > before.ready
            || self.available > before.available
    }
}

/// What the condition `Progressing` has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All is done.
    Complete,
    /// Something has moved.
    Moving,
    /// Nothing has moved for longer than the deadline.
    TimedOut,
    /// Nothing new.
    Waiting,
}

impl Progress {
    /// Judges a rollout; `is_late` says whether the deadline has passed since the last progress.
    #[must_use]
    pub fn of(before: &Totals, now: &Totals, replicas: u32, is_late: bool) -> Self {
        if now.is_complete(replicas) {
            Self::Complete
        } else if now.has_moved_since(before) {
            Self::Moving
        } else if is_late {
            Self::TimedOut
        } else {
            Self::Waiting
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Amount, Strategy};

    fn set(replicas: u32, available: u32) -> Set {
        Set {
            replicas,
            present: replicas,
            ready: available,
            available,
            ..Set::default()
        }
    }

    #[test]
    fn the_status_adds_up_the_sets() {
        let totals = Totals::of(&[set(8, 8), set(5, 2)], Some(1));
        let expected = Totals {
            replicas: 13,
            updated: 5,
            ready: 10,
            available: 10,
            unavailable: 3,
        };
        assert_eq!(totals, expected);
        assert_eq!(Totals::of(&[set(8, 8)], None).updated, 0);
    }

    #[test]
    fn old_pods_keep_a_deployment_available_down_to_its_minimum() {
        let wish = Wish {
            replicas: 10,
            strategy: Strategy::RollingUpdate {
                max_surge: Amount::Count(0),
                max_unavailable: Amount::Count(2),
            },
            is_paused: false,
            reported: 10,
        };
        assert!(Totals::of(&[set(8, 8), set(2, 0)], Some(1)).has_minimum(wish));
        assert!(!Totals::of(&[set(8, 7), set(2, 0)], Some(1)).has_minimum(wish));
    }

    #[test]
    fn progress_is_made_by_new_or_fewer_old_or_more_ready_pods() {
        let start = Totals::of(&[set(10, 10)], None);
        let surged = Totals::of(&[set(10, 10), set(3, 0)], Some(1));
        let fewer = Totals::of(&[set(8, 8), set(3, 0)], Some(1));
        let of = |before, now, is_late| Progress::of(before, now, 10, is_late);
        assert_eq!(of(&start, &surged, true), Progress::Moving);
        assert_eq!(of(&surged, &fewer, true), Progress::Moving);
        assert_eq!(of(&fewer, &fewer, true), Progress::TimedOut);
        assert_eq!(of(&fewer, &fewer, false), Progress::Waiting);
        let done = Totals::of(&[set(0, 0), set(10, 10)], Some(1));
        assert_eq!(of(&done, &done, true), Progress::Complete);
    }
}
