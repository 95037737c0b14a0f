//! What people and the clock let a rollout do: approvals, promotions, windows.

use jiff::Timestamp;

use super::step::Tick;
use super::{Decision, Goal, Reason, Schedule};

/// What people and the clock let a rollout do. It keeps batches from opening, never a way back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leave {
    /// The last batch that a person approved; those before it are approved with it.
    pub approved: u32,
    /// Batches up to this one open as soon as the pods before them are healthy: without an
    /// approval, the rest of the soak or a window.
    pub promoted: u32,
    /// When batches may open again; `None`: they may now.
    pub closed_until: Option<Timestamp>,
}

impl Leave {
    /// Lets every batch open as soon as its pods allow it: what is asked for by a person, or takes
    /// back what one has changed.
    #[must_use]
    pub fn full(self) -> Self {
        Self {
            approved: u32::MAX,
            closed_until: None,
            ..self
        }
    }

    /// What keeps a batch from opening.
    fn missing(&self, batch: u32, needs_approval: bool) -> Option<Decision> {
        if batch <= self.promoted {
            return None;
        }
        let is_approved = !needs_approval || batch <= self.approved;
        let reason = match (is_approved, self.closed_until) {
            (false, _) => Reason::AwaitingApproval,
            (true, Some(_)) => Reason::WindowClosed,
            (true, None) => return None,
        };
        Some(Decision {
            wake: self.closed_until.filter(|_| is_approved),
            waits: Some(batch),
            ..Decision::idle(reason)
        })
    }
}

/// Why a workload that is not there may not be made yet. What is new needs no approval: nothing
/// that serves is replaced.
pub(super) fn no_creation(goal: &Goal) -> Option<Decision> {
    goal.leave.missing(1, false)
}

impl Tick<'_> {
    /// What keeps a batch, counted from 1, from opening.
    pub(super) fn awaited(&self, batch: u32) -> Option<Decision> {
        let needs_approval = self.schedule().needs_approval(batch);
        self.goal.leave.missing(batch, needs_approval)
    }

    /// Why a rollout may not begin yet.
    pub(super) fn no_beginning(&self) -> Option<Decision> {
        let (goal, replicas) = (self.goal, self.live.replicas);
        let needs_approval = Schedule::begins_by_approval(&goal.policy, goal.strategy, replicas);
        goal.leave.missing(1, needs_approval)
    }
}
