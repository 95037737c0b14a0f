//! How a rollout ends: the levers are given back and it is complete, or it failed.

use crate::object::later;

use super::checkup::{Checkup, examine, rollout_cause};
use super::step::Tick;
use super::{Checkpoint, Decision, Failure, Overlay, Phase, Reason};

impl Tick<'_> {
    /// All that the rollout needs was healthy: Git's manifest without levers.
    pub(super) fn finalize(&self, mut kept: Checkpoint) -> Decision {
        kept.phase = Phase::Finalizing;
        kept.opened = self.now;
        kept.write.overlay = Overlay::Plain;
        kept.write.base = self.live.generation;
        kept.write.commit = self.goal.commit.clone();
        Decision::write(kept, Reason::Finalizing).told(
            Reason::Finalizing,
            "all new pods are healthy; the last old pods leave",
        )
    }

    /// Waits for the controller to end the rollout.
    pub(super) fn finish(&self, mut kept: Checkpoint) -> Decision {
        if self.is_complete(&mut kept) {
            kept.phase = Phase::Succeeded;
            kept.engagement = None;
            let text = format!("{} of {} pods are new", self.reach(), self.live.replicas);
            return Decision::wait(kept, Reason::RolloutCompleted, None)
                .stored()
                .told(Reason::RolloutCompleted, text);
        }
        let due = self.replaced(&kept);
        let Some(deadline) = self.goal.progress_deadline() else {
            return Decision::wait(kept, Reason::Finalizing, None).deleting(due);
        };
        let end = later(kept.opened.max(kept.judge.since), deadline);
        if self.now >= end {
            let message = format!(
                "not complete {} s after the levers were given back",
                deadline.as_secs()
            );
            return self.fail(kept, rollout_cause("ProgressDeadlineExceeded", &message));
        }
        Decision::wait(kept, Reason::Finalizing, Some(end)).deleting(due)
    }

    /// Says whether Kubernetes calls the rollout complete, or all that is missing are failed pods
    /// that are put up with, which it never calls so.
    fn is_complete(&self, kept: &mut Checkpoint) -> bool {
        if self.live.is_complete(self.goal.strategy) {
            kept.failures = 0;
            return true;
        }
        let found = examine(self.goal, self.live, self.now, kept);
        self.is_as_good_as_complete(kept, &found)
    }

    /// Says whether the last write was seen, and all that is missing are failed pods that are put up
    /// with; takes down how many.
    pub(super) fn is_as_good_as_complete(&self, kept: &mut Checkpoint, found: &Checkup) -> bool {
        let is_whole = found.tolerated > 0 && found.settled() >= self.reach();
        let is_seen = is_whole && self.live.is_observed();
        if is_seen {
            kept.failures = found.tolerated;
        }
        is_seen
    }

    /// The rollout failed: everything stays as it is until the commit's fate is decided.
    pub(super) fn fail(&self, mut kept: Checkpoint, cause: crate::health::Cause) -> Decision {
        let back = kept.is_going_back();
        let text = cause.to_string();
        kept.failure = Some(Failure {
            cause,
            at: self.now,
            batch: kept.batch,
        });
        kept.healthy_since = None;
        kept.phase = if back {
            Phase::RollbackFailed
        } else {
            Phase::Failed
        };
        let reason = if back {
            Reason::RollbackFailed
        } else {
            Reason::RolloutFailed
        };
        let told = if kept.batch > 0 && !back {
            format!("batch {} of {} failed: {text}", kept.batch, kept.batches)
        } else {
            text
        };
        Decision::wait(kept, reason, None)
            .stored()
            .told(reason, told)
    }
}
