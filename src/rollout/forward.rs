//! Batch after batch, then the watch over all pods, then the levers are given back.

use std::time::Duration;

use jiff::Timestamp;

use crate::object::{Amount, Strategy, later};

use super::checkup::{Checkup, earlier, examine, rollout_cause};
use super::lever::Levers;
use super::lever::deployment::{Opening, open};
use super::seen::Kind;
use super::step::Tick;
use super::{Checkpoint, Decision, Evidence, Overlay, Phase, Reason, Schedule};

impl Tick<'_> {
    /// Judges the open batch and opens the next slice or batch.
    pub(super) fn advance(&self, mut kept: Checkpoint) -> Decision {
        if self.live.kind == Kind::DaemonSet && self.live.replicas == 0 && kept.replicas > 0 {
            let text = format!(
                "by the new template none of the {} nodes that are to run a pod may run one",
                kept.replicas
            );
            return self.fail(kept, rollout_cause("NoNodeFits", &text));
        }
        if self.reach() == 0 {
            return self.finalize(kept);
        }
        if self.live.replicas != kept.replicas {
            return self.rescale(kept);
        }
        let flaps = kept.judge.flaps.clone();
        let found = examine(self.goal, self.live, self.now, &mut kept);
        kept.failures = found.tolerated;
        if let Some(cause) = found.failed.clone() {
            return self.fail(kept, cause);
        }
        let allowed = self.allowed(&kept);
        let healthy = self.live.is_settled(allowed)
            && found.settled() >= allowed
            && found.settled() == found.present;
        if !healthy {
            let flapped = kept.judge.flaps != flaps;
            // What breaks after new pods serve is no reason to make more of them.
            let has_begun = found.healthy > 0 || !kept.evidence.is_empty();
            return match self.blocked_from().filter(|_| !has_begun) {
                Some((place, pod)) => self.widen(kept, place, pod),
                None => self.wait_healthy(kept, found.wake, flapped),
            };
        }
        if allowed < kept.target.min(self.live.replicas) {
            return self.open(kept, found.settled(), Reason::SliceStarted);
        }
        self.soak(kept, &found)
    }

    /// Not all that should be is healthy; what the agent itself replaces goes now.
    pub(super) fn wait_healthy(
        &self,
        mut kept: Checkpoint,
        wake: Option<Timestamp>,
        flapped: bool,
    ) -> Decision {
        let was_whole = kept.healthy_since.take().is_some();
        if was_whole {
            kept.opened = self.now;
        }
        let mut due = self.doomed(&kept);
        due.extend(self.replaced(&kept));
        let wait = Decision::wait(kept, Reason::WaitingHealthy, wake);
        let wait = if was_whole || flapped {
            wait.stored()
        } else {
            wait
        };
        wait.deleting(due)
    }

    /// The batch is healthy: it closes when it has been for long enough.
    fn soak(&self, mut kept: Checkpoint, found: &Checkup) -> Decision {
        let next = self.next(&kept, found.settled());
        let is_promoted = next.unwrap_or(kept.batches + 1) <= self.goal.leave.promoted;
        let watch = match kept.phase {
            Phase::Monitoring => (self.goal.policy.monitor, Reason::Monitoring),
            _ if is_promoted => (Duration::ZERO, Reason::Soaking),
            Phase::Progressing
            | Phase::Finalizing
            | Phase::Native
            | Phase::Succeeded
            | Phase::Failed
            | Phase::RollingBack
            | Phase::RolledBack
            | Phase::RollbackFailed => (self.schedule().soak(kept.batch), Reason::Soaking),
        };
        if let Some(wait) = self.stay_healthy(&mut kept, found, watch) {
            return wait;
        }
        // Until then the batch stays open: its pods are judged as before.
        if let Some(wait) = next.and_then(|batch| self.awaited(batch)) {
            return Decision {
                checkpoint: Some(kept),
                wake: earlier(found.wake, wait.wake),
                ..wait
            };
        }
        // Two hundred batches of two hundred pods would not fit into a ledger's head.
        if let Some(last) = kept.evidence.last_mut() {
            last.pods.clear();
        }
        kept.evidence.push(Evidence {
            batch: kept.batch,
            target: kept.target,
            generation: self.live.generation,
            template: self.goal.template.clone(),
            pods: found.pods.clone(),
            from: kept.healthy_since.unwrap_or(self.now),
            to: self.now,
        });
        kept.judge.flaps.clear();
        kept.judge.condemned.clear();
        self.close(kept, found)
    }

    /// All that should be is healthy and must stay so for a while: the decision to wait, or `None`
    /// once it has.
    pub(super) fn stay_healthy(
        &self,
        kept: &mut Checkpoint,
        found: &Checkup,
        (wait, reason): (Duration, Reason),
    ) -> Option<Decision> {
        let since = found.whole_since(kept, self.now);
        let is_new = kept.healthy_since != Some(since);
        kept.healthy_since = Some(since);
        let end = later(since, wait);
        if self.now >= end {
            return None;
        }
        let wake = earlier(found.wake, Some(end));
        let decision = Decision::wait(kept.clone(), reason, wake);
        Some(if is_new { decision.stored() } else { decision })
    }

    /// The batch that comes after the open one; `None` after the last.
    fn next(&self, kept: &Checkpoint, healthy: u32) -> Option<u32> {
        let schedule = self.schedule();
        let next = schedule.reached(kept.target.max(healthy)) + 1;
        (kept.phase != Phase::Monitoring && next <= schedule.batches()).then_some(next)
    }

    /// The batch is closed: the next one, the last watch, or the end.
    fn close(&self, mut kept: Checkpoint, found: &Checkup) -> Decision {
        if kept.phase == Phase::Monitoring {
            return self.finalize(kept);
        }
        let failures = match found.tolerated {
            0 => String::new(),
            failures => format!(", {failures} failed and are put up with"),
        };
        let text = format!(
            "batch {} of {}: {} new pods are healthy{failures}",
            kept.batch, kept.batches, found.healthy
        );
        if let Some(next) = self.next(&kept, found.settled()) {
            let schedule = self.schedule();
            kept.batch = next;
            kept.batches = schedule.batches();
            kept.target = schedule.target(next);
            kept.largest = kept.largest.max(schedule.size(next));
            let decision = self.open(kept, found.settled(), Reason::BatchStarted);
            return decision.told_first(Reason::BatchHealthy, text);
        }
        if self.goal.policy.monitor.is_zero() {
            return self.finalize(kept).told_first(Reason::BatchHealthy, text);
        }
        kept.phase = Phase::Monitoring;
        kept.opened = self.now;
        kept.healthy_since = Some(self.now);
        let wake = later(self.now, self.goal.policy.monitor);
        let decision = Decision::wait(kept, Reason::Monitoring, Some(wake)).stored();
        decision.told(Reason::BatchHealthy, text)
    }

    /// Writes the levers of the open batch, or of its next slice.
    fn open(&self, mut kept: Checkpoint, healthy: u32, reason: Reason) -> Decision {
        let schedule = self.schedule();
        let opening = Opening {
            batch: kept.target,
            surge: schedule.surge(kept.batch),
            healthy,
            before: self.levers(&kept),
            missing: self.missing(&kept),
        };
        let levers = open(schedule.order, opening);
        kept.healthy_since = None;
        kept.opened = self.now;
        let text = format!(
            "batch {} of {}: {} of {} pods may be new",
            kept.batch,
            kept.batches,
            levers.target(),
            self.live.replicas
        );
        self.write_levers(kept, levers, reason).told(reason, text)
    }

    fn write_levers(&self, mut kept: Checkpoint, levers: Levers, reason: Reason) -> Decision {
        let replicas = self.live.replicas;
        let in_place = Overlay::in_place(self.goal.strategy, levers.target(), replicas);
        kept.write.overlay = in_place.unwrap_or_else(|| self.frozen(levers));
        if let Overlay::Deletes(_) = kept.write.overlay {
            // Nothing in the object says so: the record does.
            return Decision::wait(kept, reason, Some(self.now)).stored();
        }
        kept.write.base = self.live.generation;
        Decision::write(kept, reason)
    }

    /// An old pod of a StatefulSet keeps its controller from going on: the batch takes it in, with
    /// all above it. They are still replaced one at a time, each once those before it are Ready.
    fn widen(&self, mut kept: Checkpoint, place: u32, pod: &str) -> Decision {
        let allowed = self.live.replicas.saturating_sub(place);
        kept.target = kept.target.max(allowed);
        kept.batch = self.schedule().holding(kept.target);
        kept.opened = self.now;
        let text = format!(
            "pod {pod} does not serve, and its controller waits for it: {allowed} of {} pods may be \
             new",
            self.live.replicas
        );
        let levers = Levers::stop_first(allowed);
        self.write_levers(kept, levers, Reason::SliceStarted)
            .told(Reason::SliceStarted, text)
    }

    /// The levers of a Deployment. Unavailable pods never fall, not by rounding either.
    fn frozen(&self, levers: Levers) -> Overlay {
        let replicas = self.live.replicas;
        let (mut surge, mut unavailable) = levers.encode(replicas);
        if let Strategy::RollingUpdate {
            max_unavailable: before,
            ..
        } = self.live.strategy
        {
            let kept = before.rounded_down(replicas);
            if kept > unavailable.rounded_down(replicas) {
                unavailable = before;
                surge = Amount::Count(levers.target() - kept.min(levers.target()));
            }
        }
        Overlay::Frozen { surge, unavailable }
    }

    /// The replicas changed under the rollout: the batch keeps its share.
    fn rescale(&self, mut kept: Checkpoint) -> Decision {
        let (before, now) = (kept.replicas, self.live.replicas);
        self.keep_share(&mut kept);
        kept.healthy_since = None;
        let text = format!("replicas went from {before} to {now}; the share of new pods stays");
        kept.opened = self.now;
        let levers = self.levers(&kept);
        let rest = matches!(
            kept.write.overlay,
            Overlay::Frozen {
                surge: Amount::Count(_),
                ..
            }
        );
        // Percents resolve anew by themselves; a count as surge has to be computed anew.
        let decision = if rest && now > 0 {
            self.write_levers(kept, levers, Reason::Rescaled)
        } else {
            Decision::wait(kept, Reason::Rescaled, Some(self.now)).stored()
        };
        decision.told(Reason::Rescaled, text)
    }

    /// Takes the share of the open batch over to today's replicas.
    fn keep_share(&self, kept: &mut Checkpoint) {
        let now = self.live.replicas;
        let share = u64::from(kept.target) * u64::from(now);
        let share = share.div_ceil(u64::from(kept.replicas.max(1)));
        let allowed = self.allowed(kept);
        let reach = self.reach();
        let share = u32::try_from(share).unwrap_or(now);
        kept.target = share.min(reach).max(allowed);
        kept.replicas = now;
        let schedule = self.schedule();
        kept.batches = schedule.batches();
        kept.batch = schedule.holding(kept.target);
    }

    /// Lays a changed policy over the rest of the rollout: what is open stays, and closes as it is.
    pub(super) fn replan(&self, kept: &mut Checkpoint) {
        if kept.batch == 0 || kept.phase == Phase::Monitoring {
            return;
        }
        self.keep_share(kept);
        let schedule = self.schedule();
        let allowed = self.allowed(kept);
        let tightened = schedule.target(kept.batch).max(allowed);
        kept.target = kept.target.min(tightened).max(allowed);
        kept.batch = schedule.holding(kept.target);
    }

    /// Condemned pods that are there and not Ready: name and UID. Those that serve stay.
    pub(super) fn doomed(&self, kept: &Checkpoint) -> Vec<(String, String)> {
        self.unready()
            .filter(|pod| kept.judge.condemned.contains_key(&pod.uid))
            .map(|pod| (pod.name.clone(), pod.uid.clone()))
            .collect()
    }

    pub(super) fn schedule(&self) -> Schedule {
        Schedule::of(&self.goal.policy, self.goal.strategy, self.live.replicas)
    }

    /// Pods that are new once the rollout has ended.
    pub(super) fn reach(&self) -> u32 {
        self.goal.strategy.reach(self.live.replicas)
    }

    /// The levers in force, resolved at today's replicas.
    pub(super) fn levers(&self, kept: &Checkpoint) -> Levers {
        let overlay = kept.write.overlay;
        overlay.levers(self.live.strategy, self.live.replicas)
    }

    /// Pods that may be new by the levers in force.
    pub(super) fn allowed(&self, kept: &Checkpoint) -> u32 {
        self.levers(kept).target().min(self.live.replicas)
    }
}
