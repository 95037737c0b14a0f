//! The cumulative targets of a rollout.

use crate::object::{Amount, Strategy};
use crate::policy::{Batches, Order, Policy};

use super::lever::Levers;

/// A policy laid over one workload: what goes first, the extra pods, and the targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What goes first within a batch.
    pub order: Order,
    /// Cumulative targets; strictly rising, the last is what the rollout reaches: all replicas, of
    /// a StatefulSet those from its partition on. Empty where that is none.
    pub targets: Vec<u32>,
    /// Extra pods allowed; `None`: the size of each batch.
    surge: Option<u32>,
}

impl Schedule {
    /// Lays `policy` over a workload with `replicas` pods and its own `strategy`.
    #[must_use]
    pub fn of(policy: &Policy, strategy: Strategy, replicas: u32) -> Self {
        let own = own(strategy, replicas);
        let native = policy.batches == Batches::Own;
        let order = match strategy {
            Strategy::Partition(_) | Strategy::Nodes { .. } | Strategy::OnDelete => {
                Order::StopFirst
            }
            Strategy::Recreate | Strategy::RollingUpdate { .. } => {
                policy.order_in_force().unwrap_or(if own.surge == 0 {
                    Order::StopFirst
                } else {
                    Order::SurgeFirst
                })
            }
        };
        let written = policy
            .max_surge
            .map(|surge| surge.rounded_up(replicas).max(1));
        let surge = written.or((native && own.surge > 0).then_some(own.surge));
        Self {
            order,
            targets: within(
                strategy.reach(replicas),
                targets(&policy.batches, own, replicas),
            ),
            surge,
        }
    }

    /// Returns the number of batches.
    #[must_use]
    pub fn batches(&self) -> u32 {
        u32::try_from(self.targets.len()).unwrap_or(u32::MAX)
    }

    /// Returns the cumulative target of a batch, counted from 1; past the end the last one.
    #[must_use]
    pub fn target(&self, batch: u32) -> u32 {
        let index = (batch.max(1) as usize - 1).min(self.targets.len().saturating_sub(1));
        self.targets.get(index).copied().unwrap_or_default()
    }

    /// Returns how many pods a batch adds.
    #[must_use]
    pub fn size(&self, batch: u32) -> u32 {
        let before = if batch > 1 { self.target(batch - 1) } else { 0 };
        self.target(batch).saturating_sub(before)
    }

    /// Returns the extra pods allowed in a batch.
    #[must_use]
    pub fn surge(&self, batch: u32) -> u32 {
        self.surge.unwrap_or_else(|| self.size(batch)).max(1)
    }

    /// Returns the batch that so many pods belong to: the smallest whose target is not below.
    #[must_use]
    pub fn holding(&self, pods: u32) -> u32 {
        (self.reached(pods.saturating_sub(1)) + 1).min(self.batches())
    }

    /// Returns the largest batch whose target is at most `pods`; 0 where even the first is above.
    #[must_use]
    pub fn reached(&self, pods: u32) -> u32 {
        let reached = self
            .targets
            .iter()
            .take_while(|target| **target <= pods)
            .count();
        u32::try_from(reached).unwrap_or(u32::MAX)
    }
}

/// Pods that a workload replaces at a time where no policy says more: a StatefulSet one, a DaemonSet
/// as many as may be unavailable.
pub(super) fn own(strategy: Strategy, replicas: u32) -> Levers {
    match strategy {
        Strategy::Recreate | Strategy::RollingUpdate { .. } => Levers::of(strategy, replicas),
        Strategy::Partition(_) | Strategy::OnDelete => Levers::stop_first(1),
        Strategy::Nodes {
            max_unavailable, ..
        } => Levers::stop_first(max_unavailable.rounded_up(replicas).max(1)),
    }
}

/// Targets of which the last is what a rollout reaches.
fn within(reach: u32, mut targets: Vec<u32>) -> Vec<u32> {
    let below = targets.iter().take_while(|target| **target < reach).count();
    targets.truncate(below);
    targets.extend((reach > 0).then_some(reach));
    targets
}

fn targets(batches: &Batches, own: Levers, replicas: u32) -> Vec<u32> {
    let even = |size: u32| -> Vec<u32> {
        let size = size.max(1);
        (1..=replicas.div_ceil(size))
            .map(|k| k.saturating_mul(size).min(replicas))
            .collect()
    };
    match batches {
        Batches::Own => even(own.target()),
        Batches::Size(size) => even(size.rounded_up(replicas)),
        Batches::Steps(steps) => {
            let mut targets: Vec<u32> = Vec::new();
            let all = [Amount::Percent(100)];
            for step in steps.iter().chain(&all) {
                let target = step.rounded_up(replicas).max(1).min(replicas);
                if target > targets.last().copied().unwrap_or_default() {
                    targets.push(target);
                }
            }
            targets
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(surge: u32, unavailable: u32) -> Strategy {
        Strategy::RollingUpdate {
            max_surge: Amount::Percent(surge),
            max_unavailable: Amount::Percent(unavailable),
        }
    }

    fn steps(texts: &[&str]) -> Policy {
        let steps = texts.iter().map(|text| text.parse().unwrap()).collect();
        Policy {
            batches: Batches::Steps(steps),
            ..Policy::default()
        }
    }

    #[test]
    fn steps_are_rounded_up_and_end_at_all_pods() {
        let schedule = Schedule::of(&steps(&["1", "50%", "100%"]), native(25, 25), 10);
        assert_eq!(schedule.targets, [1, 5, 10]);
        assert_eq!(
            (schedule.surge(1), schedule.surge(2), schedule.surge(3)),
            (1, 4, 5)
        );
        assert_eq!(
            Schedule::of(&steps(&["1", "50%", "100%"]), native(25, 25), 1).targets,
            [1]
        );
        assert_eq!(
            Schedule::of(&steps(&["20"]), native(25, 25), 10).targets,
            [10]
        );
    }

    #[test]
    fn without_a_policy_the_own_strategy_gives_size_surge_and_order() {
        let schedule = Schedule::of(&Policy::default(), native(25, 25), 10);
        assert_eq!((schedule.order, schedule.surge(1)), (Order::SurgeFirst, 3));
        assert_eq!(schedule.targets, [5, 10]);
        let stop = Schedule::of(&Policy::default(), native(0, 25), 4);
        assert_eq!(
            (stop.order, stop.targets.as_slice()),
            (Order::StopFirst, &[1, 2, 3, 4][..])
        );
    }

    #[test]
    fn a_stateful_set_goes_one_pod_at_a_time_down_to_its_partition() {
        let schedule = Schedule::of(&Policy::default(), Strategy::Partition(7), 10);
        assert_eq!(schedule.targets, [1, 2, 3]);
        assert_eq!(schedule.order, Order::StopFirst);
        let capped = Schedule::of(&steps(&["1", "50%"]), Strategy::Partition(4), 10);
        assert_eq!(capped.targets, [1, 5, 6]);
        let all_kept = Schedule::of(&Policy::default(), Strategy::Partition(10), 10);
        assert_eq!(all_kept.batches(), 0);
    }

    #[test]
    fn a_daemon_set_goes_by_the_nodes_that_may_be_without_a_pod() {
        let nodes = |max_unavailable| Strategy::Nodes {
            max_surge: Amount::Count(0),
            max_unavailable,
        };
        let targets = |strategy| Schedule::of(&Policy::default(), strategy, 7).targets;
        assert_eq!(targets(nodes(Amount::Percent(30))), [3, 6, 7], "rounded up");
        assert_eq!(targets(nodes(Amount::Count(0))), [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn no_replicas_need_no_batch() {
        let schedule = Schedule::of(&Policy::default(), native(25, 25), 0);
        assert_eq!((schedule.batches(), schedule.target(1)), (0, 0));
    }

    #[test]
    fn the_batch_reached_is_the_largest_within_the_pods_in_place() {
        let schedule = Schedule::of(&steps(&["1", "50%"]), native(25, 25), 10);
        assert_eq!(
            (0..=10).map(|n| schedule.reached(n)).collect::<Vec<_>>(),
            [0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3]
        );
        assert_eq!(
            (0..=10).map(|n| schedule.holding(n)).collect::<Vec<_>>(),
            [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3]
        );
    }
}
