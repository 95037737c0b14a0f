//! The cumulative targets of a rollout.

use std::time::Duration;

use crate::object::{Amount, Strategy};
use crate::policy::{Approval, Batches, Mode, Order, Policy, Step};

use super::lever::Levers;

/// A policy laid over one workload: what goes first, the extra pods, and the targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What goes first within a batch.
    pub order: Order,
    /// The batches; their targets strictly rise, and the last is what the rollout reaches: all
    /// replicas, of a StatefulSet those from its partition on. Empty where that is none.
    plan: Vec<Batch>,
    /// Extra pods allowed; `None`: the size of each batch.
    surge: Option<u32>,
}

/// One batch of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Batch {
    /// Cumulative target.
    target: u32,
    /// How long it must be healthy before the next one opens.
    soak: Duration,
    /// Whether a person has to approve it before it opens.
    approval: bool,
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
        let mut plan = within(strategy.reach(replicas), batches(policy, own, replicas));
        let count = plan.len();
        for (index, batch) in plan.iter_mut().enumerate() {
            batch.approval |= match policy.approval {
                Approval::None => false,
                Approval::Before => index == 0,
                Approval::EveryBatch => true,
                Approval::BeforeFull => index + 1 == count,
            };
        }
        Self { order, plan, surge }
    }

    /// Says whether a person has to approve a rollout before its first pod: also one that is not
    /// cut into batches.
    #[must_use]
    pub fn begins_by_approval(policy: &Policy, strategy: Strategy, replicas: u32) -> bool {
        let is_native = policy.strategy == Mode::Native
            || strategy == Strategy::Recreate
            || strategy.reach(replicas) == 0;
        if is_native {
            return policy.approval != Approval::None;
        }
        Self::of(policy, strategy, replicas).needs_approval(1)
    }

    /// Returns the number of batches.
    #[must_use]
    pub fn batches(&self) -> u32 {
        u32::try_from(self.plan.len()).unwrap_or(u32::MAX)
    }

    /// Returns the cumulative targets of the batches.
    #[must_use]
    pub fn targets(&self) -> Vec<u32> {
        self.plan.iter().map(|batch| batch.target).collect()
    }

    /// Returns the cumulative target of a batch, counted from 1; past the end the last one.
    #[must_use]
    pub fn target(&self, batch: u32) -> u32 {
        self.at(batch).map(|batch| batch.target).unwrap_or_default()
    }

    /// Returns how long a batch, counted from 1, must be healthy before the next one opens.
    #[must_use]
    pub fn soak(&self, batch: u32) -> Duration {
        self.at(batch).map(|batch| batch.soak).unwrap_or_default()
    }

    /// Says whether a person has to approve a batch, counted from 1, before it opens.
    #[must_use]
    pub fn needs_approval(&self, batch: u32) -> bool {
        self.at(batch).is_some_and(|batch| batch.approval)
    }

    fn at(&self, batch: u32) -> Option<&Batch> {
        let index = batch.max(1) as usize - 1;
        self.plan.get(index).or(self.plan.last())
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
            .plan
            .iter()
            .take_while(|batch| batch.target <= pods)
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

/// Batches of which the last is what a rollout reaches.
fn within(reach: u32, mut plan: Vec<Batch>) -> Vec<Batch> {
    let below = plan.iter().take_while(|batch| batch.target < reach).count();
    let last = plan.get(below).copied();
    plan.truncate(below);
    plan.extend(last.filter(|_| reach > 0).map(|last| Batch {
        target: reach,
        ..last
    }));
    plan
}

fn batches(policy: &Policy, own: Levers, replicas: u32) -> Vec<Batch> {
    let batch = |target: u32| Batch {
        target,
        soak: policy.soak,
        approval: false,
    };
    let even = |size: u32| -> Vec<Batch> {
        let size = size.max(1);
        (1..=replicas.div_ceil(size))
            .map(|k| batch(k.saturating_mul(size).min(replicas)))
            .collect()
    };
    match &policy.batches {
        Batches::Own => even(own.target()),
        Batches::Size(size) => even(size.rounded_up(replicas)),
        Batches::Steps(steps) => {
            let mut plan: Vec<Batch> = Vec::new();
            let all = [Step::from(Amount::Percent(100))];
            for step in steps.iter().chain(&all) {
                let said = Batch {
                    target: step.target.rounded_up(replicas).max(1).min(replicas),
                    soak: step.soak.unwrap_or(policy.soak),
                    approval: step.approval,
                };
                match plan.last_mut() {
                    // It moves no pod: what it asks for is asked of the one before.
                    Some(last) if said.target <= last.target => {
                        last.soak = last.soak.max(step.soak.unwrap_or_default());
                        last.approval |= said.approval;
                    }
                    Some(_) | None if said.target > 0 => plan.push(said),
                    Some(_) | None => {}
                }
            }
            plan
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
        let steps = texts.iter().map(|text| text.parse().unwrap());
        Policy {
            batches: Batches::steps(steps),
            ..Policy::default()
        }
    }

    #[test]
    fn steps_are_rounded_up_and_end_at_all_pods() {
        let schedule = Schedule::of(&steps(&["1", "50%", "100%"]), native(25, 25), 10);
        assert_eq!(schedule.targets(), [1, 5, 10]);
        assert_eq!(
            (schedule.surge(1), schedule.surge(2), schedule.surge(3)),
            (1, 4, 5)
        );
        assert_eq!(
            Schedule::of(&steps(&["1", "50%", "100%"]), native(25, 25), 1).targets(),
            [1]
        );
        assert_eq!(
            Schedule::of(&steps(&["20"]), native(25, 25), 10).targets(),
            [10]
        );
    }

    #[test]
    fn without_a_policy_the_own_strategy_gives_size_surge_and_order() {
        let schedule = Schedule::of(&Policy::default(), native(25, 25), 10);
        assert_eq!((schedule.order, schedule.surge(1)), (Order::SurgeFirst, 3));
        assert_eq!(schedule.targets(), [5, 10]);
        let stop = Schedule::of(&Policy::default(), native(0, 25), 4);
        assert_eq!(
            (stop.order, stop.targets().as_slice()),
            (Order::StopFirst, &[1, 2, 3, 4][..])
        );
    }

    #[test]
    fn a_stateful_set_goes_one_pod_at_a_time_down_to_its_partition() {
        let schedule = Schedule::of(&Policy::default(), Strategy::Partition(7), 10);
        assert_eq!(schedule.targets(), [1, 2, 3]);
        assert_eq!(schedule.order, Order::StopFirst);
        let capped = Schedule::of(&steps(&["1", "50%"]), Strategy::Partition(4), 10);
        assert_eq!(capped.targets(), [1, 5, 6]);
        let all_kept = Schedule::of(&Policy::default(), Strategy::Partition(10), 10);
        assert_eq!(all_kept.batches(), 0);
    }

    #[test]
    fn a_daemon_set_goes_by_the_nodes_that_may_be_without_a_pod() {
        let nodes = |max_unavailable| Strategy::Nodes {
            max_surge: Amount::Count(0),
            max_unavailable,
        };
        let targets = |strategy| Schedule::of(&Policy::default(), strategy, 7).targets();
        assert_eq!(targets(nodes(Amount::Percent(30))), [3, 6, 7], "rounded up");
        assert_eq!(targets(nodes(Amount::Count(0))), [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_step_that_moves_no_pod_hands_what_it_asks_for_to_the_one_before() {
        let said = |target: &str, seconds: Option<u64>, approval| Step {
            target: target.parse().unwrap(),
            soak: seconds.map(Duration::from_secs),
            approval,
        };
        let policy = Policy {
            batches: Batches::Steps(vec![
                said("1", Some(5), false),
                said("10%", Some(9), true),
                said("100%", None, false),
            ]),
            soak: Duration::from_secs(1),
            ..Policy::default()
        };
        let rests = |replicas: u32| -> Vec<(u32, u64, bool)> {
            let schedule = Schedule::of(&policy, native(25, 25), replicas);
            let one = |batch| {
                let soak = schedule.soak(batch).as_secs();
                (schedule.target(batch), soak, schedule.needs_approval(batch))
            };
            (1..=schedule.batches()).map(one).collect()
        };
        assert_eq!(rests(10), [(1, 9, true), (10, 1, false)]);
        assert_eq!(rests(20), [(1, 5, false), (2, 9, true), (20, 1, false)]);
    }

    #[test]
    fn an_approval_is_asked_for_before_the_batches_that_the_policy_names() {
        let asked = |approval, texts: &[&str]| -> Vec<bool> {
            let policy = Policy {
                approval,
                ..steps(texts)
            };
            let schedule = Schedule::of(&policy, native(25, 25), 10);
            let batches = 1..=schedule.batches();
            batches
                .map(|batch| schedule.needs_approval(batch))
                .collect()
        };
        let three = ["1", "50%", "100%"];
        assert_eq!(asked(Approval::None, &three), [false, false, false]);
        assert_eq!(asked(Approval::Before, &three), [true, false, false]);
        assert_eq!(asked(Approval::EveryBatch, &three), [true, true, true]);
        assert_eq!(asked(Approval::BeforeFull, &three), [false, false, true]);
        assert_eq!(asked(Approval::BeforeFull, &["100%"]), [true]);
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
