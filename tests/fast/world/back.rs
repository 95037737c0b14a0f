//! I9: going back never has fewer Ready pods than going forward had.

use tidegate::object::Strategy;
use tidegate::policy::Order;
use tidegate::rollout::{Schedule, Seen};

use super::{Behaviour, Deployment, ReplicaSet, World};

/// What is known of the way that the workload is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Way {
    /// Someone else scaled or wrote in between, or nothing was begun.
    #[default]
    Unknown,
    /// Forward, with the fewest Ready pods that there were.
    Forward { least: u32 },
    /// Back, with the fewest that there may be, and [`World::lost`] when it began.
    Back { least: u32, lost: u32 },
}

impl World {
    /// The spec was written, by the agent on what it saw or by someone else.
    pub(super) fn note_way(&mut self, before: &Deployment, seen: Option<&Seen>) {
        let (Some(live), Some(seen)) = (self.live.clone(), seen) else {
            self.way = Way::Unknown;
            return;
        };
        let is_clear = live.replicas == before.replicas
            && live.strategy != Strategy::Recreate
            && before.strategy != Strategy::Recreate
            && self.are_losses_told()
            && !self.mark.is_racing();
        let begins = live.mould != before.mould;
        let is_return = self.git.goal.is_return;
        self.way = match self.way {
            Way::Unknown | Way::Forward { .. } | Way::Back { .. } if !is_clear => Way::Unknown,
            // What the way forward has let go already still goes.
            Way::Forward { least } if begins && is_return => Way::Back {
                least: least.min(self.kept_back(seen)).min(self.lasting()),
                lost: self.lost,
            },
            Way::Unknown | Way::Forward { .. } | Way::Back { .. } if begins && is_return => {
                Way::Unknown
            }
            Way::Unknown | Way::Forward { .. } | Way::Back { .. } if begins => Way::Forward {
                least: self.ready(),
            },
            Way::Back { least, lost } => Way::Back {
                least: least.min(self.kept_back(seen)),
                lost,
            },
            Way::Unknown | Way::Forward { .. } => self.way,
        };
    }

    /// Ready pods that no controller has decided to take yet.
    fn lasting(&self) -> u32 {
        self.sets.iter().map(ReplicaSet::lasting).sum()
    }

    /// Ready pods that the policy and the pods themselves let go back at least: all, but for as
    /// many as went forward at a time where stopping first is wanted or extra pods find no place,
    /// and for all others where none of them serves. Of a set that the freeze kept unavailable the
    /// controller may keep the pods that are not Ready.
    fn kept_back(&self, seen: &Seen) -> u32 {
        let (Some(live), goal) = (&seen.live, &self.git.goal) else {
            return 0;
        };
        let others = || live.sets.iter().filter(|set| set.template != goal.template);
        let serving: u32 = others().map(tidegate::rollout::Set::ready).sum();
        let there: u32 = others().map(|set| set.replicas).sum();
        // Ready pods that a controller has yet to take do not fill the place of those that are not.
        let lasting: u32 = others().map(|set| set.ready().min(set.replicas)).sum();
        let schedule = Schedule::of(&goal.policy, goal.strategy, live.replicas);
        let stops_first =
            goal.policy.rollback.order == Order::StopFirst || schedule.order == Order::StopFirst;
        let has_no_place = self.sets.iter().any(|set| set.refused.is_some())
            || self.behaviours.contains(&Behaviour::NoRoom);
        let largest = self.agent.memory.as_ref().map_or(0, |kept| kept.largest);
        let gone = if serving == 0 {
            there
        } else if stops_first || has_no_place {
            largest.max(1)
        } else {
            0
        };
        live.replicas.saturating_sub(gone + there - lasting)
    }

    /// The law on the state of the cluster.
    pub(super) fn check_way(&mut self) {
        let ready = self.ready();
        match &mut self.way {
            Way::Unknown => {}
            Way::Forward { least } => *least = ready.min(*least),
            Way::Back { least, lost } => {
                let (least, lost) = (*least, self.lost - *lost);
                self.law(ready + lost >= least, || {
                    format!("I9: {ready} pods are Ready on the way back, {least} were on the way")
                });
            }
        }
    }
}
