//! The one total function: every observation has an answer.

use jiff::Timestamp;

use crate::health::Pod;

use super::checkup::examine;
use super::foreign::{Landing, landing};
use super::seen::restarts;
use super::{
    Action, Checkpoint, Decision, Goal, Judge, Live, Overlay, Phase, Reason, Seen, Set, Stance,
};

/// Decides the next move of one rollout.
///
/// The same arguments give the same decision, and the caller may stop and start again between any
/// two calls: what is not in the checkpoint is in the observation. An observation may be old, but
/// not older than the answer to a write that the caller itself has made since it started.
#[must_use]
pub fn step(goal: &Goal, stance: Stance, seen: &Seen, checkpoint: Option<&Checkpoint>) -> Decision {
    let Some(live) = &seen.live else {
        return super::native::create(goal, stance, seen.now, checkpoint);
    };
    let tick = Tick {
        goal,
        stance,
        live,
        now: seen.now,
    };
    let known = checkpoint
        .filter(|c| c.uid == live.uid || c.uid.is_empty())
        .cloned();
    match known {
        Some(known) if !known.is_over() => tick.go_on(Checkpoint {
            uid: live.uid.clone(),
            ..known
        }),
        over => tick.begin(over),
    }
}

/// One look at one workload.
pub(super) struct Tick<'a> {
    pub(super) goal: &'a Goal,
    pub(super) stance: Stance,
    pub(super) live: &'a Live,
    pub(super) now: Timestamp,
}

impl Tick<'_> {
    fn go_on(&self, mut kept: Checkpoint) -> Decision {
        if self.live.generation < kept.write.base {
            // An observation from before the last decision, or from before its write was seen.
            return Decision::wait(kept, Reason::Applied, None);
        }
        if kept.write.template != self.goal.template {
            return self.retarget(kept);
        }
        if kept.write.manifest != self.goal.manifest {
            kept.write.commit = self.goal.commit.clone();
            kept.write.manifest = self.goal.manifest.clone();
            if self.live.template == self.goal.template {
                return self.rewrite(kept);
            }
        }
        match landing(self, &kept) {
            Landing::Pending => self.decide_again(kept),
            Landing::Template => self.retake(kept),
            Landing::Levers => self.correct(kept),
            Landing::Restarted => self.watch_anew(kept),
            Landing::Landed => {
                kept.write.base = self.live.generation;
                self.carry_on(kept)
            }
        }
    }

    pub(super) fn carry_on(&self, mut kept: Checkpoint) -> Decision {
        kept.write.restart = Some(self.live.restart.clone());
        if !kept.is_going_back() && kept.judged_by != self.goal.judged_by {
            return self.judge_afresh(kept);
        }
        if let Some(decision) = self.hold(&mut kept) {
            return decision;
        }
        match kept.phase {
            Phase::Progressing | Phase::Monitoring => self.advance(kept),
            Phase::Finalizing => self.finish(kept),
            Phase::Native => self.follow(kept),
            Phase::Failed => Decision::wait(kept, Reason::RolloutFailed, None),
            Phase::RollingBack | Phase::RollbackFailed => self.go_back_on(kept),
            Phase::Succeeded => Decision::wait(kept, Reason::RolloutCompleted, None),
            Phase::RolledBack => Decision::wait(kept, Reason::RolledBack, None),
        }
    }

    /// Stops the clocks while the stance is to hold, and starts them afresh afterwards. Only
    /// `spec.paused` holds a way back.
    fn hold(&self, kept: &mut Checkpoint) -> Option<Decision> {
        let paused = self.goal.is_paused;
        let ends = kept.phase == Phase::Finalizing || kept.is_going_back();
        let holds = self.stance == Stance::Hold && !ends;
        if paused || holds {
            let is_new = !kept.is_held;
            kept.is_held = true;
            let reason = if kept.phase == Phase::Failed {
                Reason::RolloutFailed
            } else if paused {
                Reason::PausedInGit
            } else {
                Reason::Held
            };
            let decision = Decision::wait(kept.clone(), reason, None);
            return Some(if is_new { decision.stored() } else { decision });
        }
        if kept.is_held {
            kept.is_held = false;
            kept.healthy_since = None;
            kept.opened = self.now;
            kept.judge = Judge {
                condemned: std::mem::take(&mut kept.judge.condemned),
                ..Judge::new(self.now, self.restarts())
            };
            return Some(
                Decision::wait(kept.clone(), Reason::WaitingHealthy, Some(self.now)).stored(),
            );
        }
        None
    }

    /// Another template is wanted than the one that is being rolled.
    fn retarget(&self, kept: Checkpoint) -> Decision {
        if self.goal.is_return {
            return self.go_back(Some(kept));
        }
        if kept.is_unknown()
            && kept.write.commit == self.goal.commit
            && kept.judged_by == self.goal.judged_by
        {
            return Decision::wait(kept, Reason::Adopted, None);
        }
        if self.goal.is_paused {
            return Decision::wait(kept, Reason::PausedInGit, None);
        }
        if self.stance == Stance::Hold {
            return Decision::wait(kept, Reason::Held, None);
        }
        if let Some(wait) = self.no_beginning() {
            return Decision {
                checkpoint: Some(kept),
                ..wait
            };
        }
        let text = format!(
            "{} takes over from {} on the pods as they are",
            self.goal.commit.short(),
            kept.write.commit.short()
        );
        let decision = self.engage(Some(kept));
        if decision.action != Action::Write {
            return decision;
        }
        decision.told_first(Reason::RolloutSuperseded, text)
    }

    /// The manifest changed around the same template: the levers stay, the rest is written.
    fn rewrite(&self, mut kept: Checkpoint) -> Decision {
        // What was to open is not open yet, and does not open by this.
        if let Some(stand) = self.levers_in_force(&kept) {
            kept.write.overlay = stand;
        }
        let Some(overlay) = self.reinstated(&kept) else {
            return Decision::idle(Reason::Applied);
        };
        kept.write.overlay = overlay;
        kept.write.base = self.live.generation;
        Decision::write(kept, Reason::Applied)
    }

    /// What failed, or runs under another policy or configuration, is judged from now on.
    fn judge_afresh(&self, mut kept: Checkpoint) -> Decision {
        kept.judged_by = self.goal.judged_by.clone();
        self.replan(&mut kept);
        if kept.phase != Phase::Failed {
            return Decision::wait(kept, Reason::JudgedAfresh, Some(self.now)).stored();
        }
        let failed = examine(self.goal, self.live, self.now, &mut kept).failed_pods;
        let unready = self
            .unready()
            .map(|pod| (pod.name.clone(), pod.uid.clone()));
        kept.phase = match kept.write.overlay {
            Overlay::Plain => Phase::Native,
            Overlay::Frozen { .. }
            | Overlay::Native { .. }
            | Overlay::Partition(_)
            | Overlay::Deletes(_) => Phase::Progressing,
        };
        kept.failure = None;
        kept.opened = self.now;
        kept.healthy_since = None;
        kept.judge = Judge::new(self.now, self.restarts());
        kept.judge.condemned = failed
            .into_iter()
            .chain(unready)
            .map(|(name, uid)| (uid, name))
            .collect();
        let decision = Decision {
            reason: Reason::JudgedAfresh,
            ..self.wait_healthy(kept, Some(self.now), true)
        };
        decision.told(
            Reason::JudgedAfresh,
            "what failed is judged afresh; its failed pods are replaced",
        )
    }

    /// Pods of the live template that are not Ready.
    pub(super) fn unready(&self) -> impl Iterator<Item = &Pod> {
        let pods = self.live.current().into_iter().flat_map(Set::present);
        pods.filter(|pod| pod.ready_since.is_none())
    }

    /// Restarts that pods of the live template have by now, by UID.
    pub(super) fn restarts(&self) -> std::collections::BTreeMap<String, u32> {
        restarts(self.live.current().into_iter())
    }

    /// Replicas that the next write asks for.
    pub(super) fn replicas(&self) -> u32 {
        self.goal.replicas.unwrap_or(self.live.replicas)
    }
}
