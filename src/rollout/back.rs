//! Going back to a template that succeeded before: one write, the controller's own pace within the
//! surge; no soak, no gates, but readiness and the limits hold.

use std::time::Duration;

use jiff::Timestamp;

use crate::object::{Amount, Strategy, later};
use crate::policy::Order;

use super::checkup::{earlier, examine};
use super::step::Tick;
use super::{Checkpoint, Decision, Overlay, Phase, Reason};

/// Patience with pods of the target revision that are refused or find no room.
const REFUSED: Duration = Duration::from_secs(30);

impl Tick<'_> {
    /// Turns back, from rest or from the middle of a rollout.
    pub(super) fn go_back(&self, before: Option<Checkpoint>) -> Decision {
        if self.live.spec_editor.is_some() {
            return self.absorb(before);
        }
        let largest = before.as_ref().map_or(0, |c| c.largest);
        let mut kept = self.checkpoint(before.as_ref(), self.way_back(largest, false));
        kept.phase = Phase::RollingBack;
        kept.failure = before.filter(|c| !c.is_over()).and_then(|c| c.failure);
        if self.is_back() && self.is_untouched() {
            return self.arrived(kept);
        }
        let text = format!(
            "{} of {} pods go back to revision {}",
            self.live.pods_without(&self.goal.template),
            self.live.replicas,
            self.goal.commit.short()
        );
        Decision::write(kept, Reason::RollingBack).told(Reason::RollingBack, text)
    }

    /// Watches the pods go back.
    pub(super) fn go_back_on(&self, mut kept: Checkpoint) -> Decision {
        kept.target = self.reach();
        kept.replicas = self.live.replicas;
        if self.is_back() {
            if kept.write.overlay == Overlay::Plain {
                return self.arrived(kept);
            }
            kept.write.overlay = Overlay::Plain;
            kept.write.base = self.live.generation;
            return Decision::write(kept, Reason::RollingBack);
        }
        if kept.write.overlay != Overlay::Plain {
            let wider = self.way_back(kept.largest, self.is_refused());
            if unavailable(wider) > unavailable(kept.write.overlay) {
                kept.write.overlay = wider;
                kept.write.base = self.live.generation;
                kept.opened = self.now;
                kept.judge.since = self.now;
                return Decision::write(kept, Reason::RollingBack);
            }
        }
        let found = examine(self.goal, self.live, self.now, &mut kept);
        let wake = earlier(found.wake, self.patience().filter(|end| *end > self.now));
        let due = self.replaced(&kept);
        let reason = match found.failed {
            Some(cause) if kept.phase == Phase::RollingBack => return self.fail(kept, cause),
            Some(_) => Reason::RollbackFailed,
            None => Reason::RollingBack,
        };
        Decision::wait(kept, reason, wake).deleting(due)
    }

    fn arrived(&self, mut kept: Checkpoint) -> Decision {
        kept.phase = Phase::RolledBack;
        kept.engagement = None;
        let text = format!("all pods are back on revision {}", self.goal.commit.short());
        Decision::wait(kept, Reason::RolledBack, None)
            .stored()
            .told(Reason::RolledBack, text)
    }

    /// Says whether nothing that sets the pace is other than Git's.
    fn is_untouched(&self) -> bool {
        let (live, goal) = (self.live, self.goal);
        let clocks = live.min_ready_seconds == goal.min_ready_seconds
            && live.progress_deadline_seconds == goal.progress_deadline_seconds;
        clocks && live.strategy == goal.strategy && live.is_paused == goal.is_paused
    }

    /// Says whether every pod has the target's template and is available.
    fn is_back(&self) -> bool {
        self.live.template == self.goal.template
            && self.live.is_complete(self.goal.strategy)
            && self.is_rid_of_others()
    }

    /// Says whether no pod is left that the target does not have. Those of a StatefulSet below its
    /// partition are of the revision before it.
    fn is_rid_of_others(&self) -> bool {
        self.reach() < self.live.replicas || self.live.pods_without(&self.goal.template) == 0
    }

    /// The levers of the one write: extra pods first; where nothing of the others serves they all
    /// may go at once; where extra pods are refused, as many at a time as went forward.
    fn way_back(&self, largest: u32, is_refused: bool) -> Overlay {
        match self.goal.strategy {
            Strategy::Recreate | Strategy::Partition(_) | Strategy::Nodes { .. } => {
                return Overlay::Plain;
            }
            Strategy::OnDelete => return Overlay::Deletes(self.replicas()),
            Strategy::RollingUpdate { .. } => {}
        }
        let policy = &self.goal.policy;
        let replicas = self.replicas();
        let surge = policy.rollback.max_surge.rounded_up(replicas).max(1);
        let others = self
            .live
            .sets
            .iter()
            .filter(|set| set.template != self.goal.template);
        let serving: u32 = others.map(super::Set::ready).sum();
        let stop_first = policy.rollback.order == Order::StopFirst
            || self.schedule().order == Order::StopFirst
            || is_refused;
        let (surge, unavailable) = if serving == 0 {
            let all = self.live.pods_without(&self.goal.template).min(replicas);
            (surge, all)
        } else if stop_first {
            (0, largest.max(1))
        } else {
            (surge, 0)
        };
        Overlay::Native {
            surge: Amount::Count(surge),
            unavailable: Amount::Count(unavailable),
        }
    }

    /// Says whether pods of the target are refused, or find no room, for long.
    fn is_refused(&self) -> bool {
        self.patience().is_some_and(|end| self.now >= end)
    }

    /// When pods of the target will have been refused, or without room, for long.
    fn patience(&self) -> Option<Timestamp> {
        let set = self.live.current()?;
        let rooms = set.present().filter_map(|pod| pod.unschedulable.as_ref());
        let since = rooms.chain(&set.refused).map(|(since, _)| *since).min()?;
        Some(later(since, REFUSED))
    }
}

fn unavailable(overlay: Overlay) -> u32 {
    match overlay.strategy() {
        Some(Strategy::RollingUpdate {
            max_unavailable, ..
        }) => max_unavailable.rounded_down(100),
        Some(
            Strategy::Recreate
            | Strategy::Partition(_)
            | Strategy::Nodes { .. }
            | Strategy::OnDelete,
        )
        | None => 0,
    }
}
