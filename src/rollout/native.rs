//! Workloads that are applied as they are: first installs, `Recreate`, `strategy: Native`, and no
//! replicas. The verdict comes by health all the same.

use std::time::Duration;

use jiff::Timestamp;

use super::checkup::examine;
use super::leave::no_creation;
use super::step::Tick;
use super::{Checkpoint, Decision, Goal, Overlay, Phase, Reason, Stance};

/// There is no such workload: it is created from Git.
pub(super) fn create(
    goal: &Goal,
    stance: Stance,
    now: Timestamp,
    checkpoint: Option<&Checkpoint>,
) -> Decision {
    let pending = checkpoint.filter(|c| c.uid.is_empty() && c.write.manifest == goal.manifest);
    if let Some(pending) = pending {
        return Decision::write(pending.clone(), Reason::Applied);
    }
    if stance == Stance::Hold {
        match checkpoint.filter(|kept| !kept.is_over()) {
            None => return Decision::idle(Reason::Held),
            Some(kept) if kept.failure.is_some() => return held_back(),
            // It was on its way when somebody deleted it: nothing new begins by making it again.
            Some(_) => {}
        }
    }
    if let Some(wait) = no_creation(goal).filter(|_| checkpoint.is_none_or(Checkpoint::is_over)) {
        return wait;
    }
    let replicas = goal.replicas.unwrap_or(1);
    let checkpoint = Checkpoint::new(goal, replicas, now);
    Decision::write(checkpoint, Reason::Applied).told(Reason::Applied, "it is new; no batches")
}

/// What failed is not made again unasked, and what was good before is not in Git's manifest.
fn held_back() -> Decision {
    Decision::idle(Reason::Held).told(
        Reason::DriftDetected,
        "it was deleted while its failed rollout is held; `tidegate abort`, `tidegate retry` or a \
         new commit makes it again",
    )
}

impl Tick<'_> {
    /// Writes Git's manifest without levers and lets Kubernetes go on.
    pub(super) fn apply_natively(&self, before: Option<&Checkpoint>) -> Decision {
        let mut kept = self.checkpoint(before, Overlay::Plain);
        kept.phase = Phase::Native;
        kept.engagement = before
            .filter(|before| !before.is_over())
            .and_then(|before| before.engagement.clone());
        let text = format!("revision {} is applied as it is", self.goal.commit.short());
        Decision::write(kept, Reason::Applied).told(Reason::Applied, text)
    }

    /// Watches what Kubernetes does by itself.
    pub(super) fn follow(&self, mut kept: Checkpoint) -> Decision {
        kept.target = self.reach();
        kept.replicas = self.live.replicas;
        let flaps = kept.judge.flaps.clone();
        let found = examine(self.goal, self.live, self.now, &mut kept);
        if let Some(cause) = found.failed.clone().filter(|_| kept.target > 0) {
            return self.fail(kept, cause);
        }
        let complete = self.live.is_complete(self.goal.strategy) && found.healthy >= kept.target;
        let healthy = complete || self.is_as_good_as_complete(&mut kept, &found);
        if !healthy {
            let flapped = kept.judge.flaps != flaps;
            return self.wait_healthy(kept, found.wake, flapped);
        }
        let monitor = if kept.target == 0 {
            Duration::ZERO
        } else {
            self.goal.policy.monitor
        };
        if let Some(wait) = self.stay_healthy(&mut kept, &found, (monitor, Reason::Monitoring)) {
            return wait;
        }
        kept.phase = Phase::Succeeded;
        kept.engagement = None;
        let text = format!(
            "{} of {} pods are healthy",
            found.healthy, self.live.replicas
        );
        Decision::wait(kept, Reason::RolloutCompleted, None)
            .stored()
            .told(Reason::RolloutCompleted, text)
    }
}
