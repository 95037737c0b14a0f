//! What others did to a workload while it is rolled.

use crate::object::{FREEZE_DEADLINE, FREEZE_MIN_READY, Strategy};

use super::lever::Levers;
use super::lever::deployment::{Ground, reinstate};
use super::step::Tick;
use super::{Action, Checkpoint, Decision, Judge, Overlay, Phase, Reason, Stance};

/// How the live workload stands to the last recorded write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    /// It is in place.
    Landed,
    /// It is not there yet: the same write is due again.
    Pending,
    /// It is in place, and someone restarted the workload since.
    Restarted,
    /// Someone wrote another template.
    Template,
    /// Someone wrote other levers, replicas or the pause.
    Levers,
}

/// Compares the live workload with the recorded write.
pub(super) fn landing(tick: &Tick<'_>, kept: &Checkpoint) -> Landing {
    let live = tick.live;
    if live.template == kept.write.template && stands(tick, kept) {
        let restarted = kept
            .write
            .restart
            .as_ref()
            .is_some_and(|seen| *seen != live.restart);
        return if restarted {
            Landing::Restarted
        } else {
            Landing::Landed
        };
    }
    if live.generation <= kept.write.base || is_only_scaled(tick, kept) {
        return Landing::Pending;
    }
    if live.template == kept.write.template {
        Landing::Levers
    } else {
        Landing::Template
    }
}

/// Says whether the write did not get there because a scaler came first: it would have made the
/// next generation, and there is another one.
fn is_only_scaled(tick: &Tick<'_>, kept: &Checkpoint) -> bool {
    let live = tick.live;
    live.generation == kept.write.base + 1
        && tick.goal.replicas.is_none()
        && live.replicas != kept.replicas
        && live.spec_editor.is_none()
}

/// Says whether the live workload is as it was before the last write of a rollout that is over:
/// an old observation.
pub(super) fn is_outdated(tick: &Tick<'_>, over: &Checkpoint) -> bool {
    let live = tick.live;
    let stands = live.template == over.write.template && !live.is_frozen();
    live.generation <= over.write.base && !stands
}

/// Says whether every field that the write set, beside the template, is as it set it.
fn stands(tick: &Tick<'_>, kept: &Checkpoint) -> bool {
    let (live, goal) = (tick.live, tick.goal);
    let overlay = kept.write.overlay;
    let (min_ready, deadline) = if overlay.is_frozen() {
        (FREEZE_MIN_READY, FREEZE_DEADLINE)
    } else {
        (goal.min_ready_seconds, goal.progress_deadline_seconds)
    };
    let levers = live.min_ready_seconds == min_ready
        && live.progress_deadline_seconds == deadline
        && live.strategy == overlay.strategy().unwrap_or(goal.strategy);
    let scaled = goal
        .replicas
        .is_some_and(|replicas| replicas != live.replicas);
    levers && live.is_paused == goal.is_paused && !scaled
}

impl Tick<'_> {
    /// The recorded write is not in place. Much may have happened since it was decided: it is
    /// decided again on what is there now, never made blindly.
    pub(super) fn decide_again(&self, mut kept: Checkpoint) -> Decision {
        let stand = if is_only_scaled(self, &kept) {
            self.levers_there(&kept)
        } else {
            self.levers_in_force(&kept)
        };
        if let Some(overlay) = stand {
            let mut open = kept.clone();
            open.write.overlay = overlay;
            if stands(self, &open) {
                return self.carry_on_below(open, kept);
            }
            kept.write.overlay = overlay;
        }
        let starts = self.live.template != kept.write.template;
        let opens = starts && matches!(kept.phase, Phase::Progressing | Phase::Native);
        if opens && self.stance == Stance::Hold && !kept.is_held {
            return Decision::wait(kept, Reason::Held, None);
        }
        if self.live.spec_editor.is_some() {
            return self.absorb(Some(kept));
        }
        let mut decision = match kept.write.overlay {
            Overlay::Native { .. } => self.go_back(Some(kept)),
            Overlay::Frozen { .. } | Overlay::Partition(_) | Overlay::Deletes(_) if starts => {
                self.start_over(kept)
            }
            Overlay::Plain
            | Overlay::Frozen { .. }
            | Overlay::Partition(_)
            | Overlay::Deletes(_) => {
                let Some(overlay) = self.reinstated(&kept) else {
                    return Decision::idle(Reason::Applied);
                };
                kept.write.overlay = overlay;
                kept.write.base = self.live.generation;
                kept.opened = self.now;
                Decision::write(kept, Reason::Applied)
            }
        };
        decision.notes.clear();
        decision
    }

    /// Goes on under the levers that stand; until another write is due the recorded one counts.
    fn carry_on_below(&self, open: Checkpoint, kept: Checkpoint) -> Decision {
        let base = kept.write.base;
        let mut decision = self.carry_on(open);
        if let Some(checkpoint) = &mut decision.checkpoint
            && decision.action != Action::Write
        {
            checkpoint.write = kept.write;
            checkpoint.write.base = self.live.generation;
        }
        if base == self.live.generation {
            return decision;
        }
        decision.stored()
    }

    /// Levers, replicas or the pause are not as recorded: someone changed them by hand, or an
    /// opening did not get there and people or a scaler wrote since. Less than was recorded is
    /// never made more without a look at the pods.
    pub(super) fn correct(&self, kept: Checkpoint) -> Decision {
        let (live, own) = (
            self.live.levers(),
            self.levers_of(&kept, self.live.replicas),
        );
        let is_less = live.target() < own.target() && self.levers_in_force(&kept).is_some();
        if is_less && !self.live.is_observed() {
            // How many pods there will be shows only after the controller has seen the change.
            return Decision::idle(Reason::DriftDetected);
        }
        if !is_less || self.missing(&kept) > live.unavailable {
            return self.restore(kept);
        }
        let text = format!(
            "{} changed the workload; the levers are less than recorded",
            self.editor()
        );
        let decision = self.decide_again(kept);
        decision.told_first(Reason::DriftDetected, text)
    }

    /// The levers that stand, where they open no more than the recorded ones, on as many replicas
    /// as these were made for: on others the same percents are rounded apart.
    pub(super) fn levers_in_force(&self, kept: &Checkpoint) -> Option<Overlay> {
        let overlay = kept.write.overlay;
        let live = overlay.levers(self.live.strategy, kept.replicas);
        let own = self.levers_of(kept, kept.replicas);
        let below = live.target() <= own.target() && live.unavailable <= own.unavailable;
        self.levers_there(kept).filter(|_| below)
    }

    /// The levers that stand on the recorded template, where the freeze is on.
    fn levers_there(&self, kept: &Checkpoint) -> Option<Overlay> {
        let same = self.live.template == kept.write.template;
        match (kept.write.overlay, self.live.strategy) {
            (
                Overlay::Frozen { .. },
                Strategy::RollingUpdate {
                    max_surge,
                    max_unavailable,
                },
            ) if same && self.live.is_frozen() => Some(Overlay::Frozen {
                surge: max_surge,
                unavailable: max_unavailable,
            }),
            (Overlay::Partition(_), Strategy::Partition(partition)) if same => {
                Some(Overlay::Partition(partition))
            }
            (Overlay::Deletes(_), Strategy::OnDelete) if same => Some(kept.write.overlay),
            (_, _) => None,
        }
    }

    /// The recorded levers as they have to be on the pods of now, lest new ones come in place of
    /// others that are missing; `None` until the controller has seen the replicas that the write
    /// changes, since its sets are shares of those that it has seen.
    pub(super) fn reinstated(&self, kept: &Checkpoint) -> Option<Overlay> {
        let (replicas, live) = (self.replicas(), self.live);
        let frozen = matches!(kept.write.overlay, Overlay::Frozen { .. });
        if !frozen || replicas == 0 || live.replicas == 0 {
            return Some(kept.write.overlay);
        }
        if !live.is_observed() {
            return (replicas == live.replicas).then_some(kept.write.overlay);
        }
        let own = self.levers_of(kept, replicas);
        let levers = reinstate(
            own,
            Ground {
                replicas,
                replicas_now: live.replicas,
                surge_now: live.levers().surge,
                same: live.pods_with(&kept.write.template),
                others: live.pods_without(&kept.write.template),
            },
        );
        if levers == own {
            return Some(kept.write.overlay);
        }
        let (surge, unavailable) = levers.encode_start(replicas);
        Some(Overlay::Frozen { surge, unavailable })
    }

    /// Pods that the other templates are short of all replicas.
    pub(super) fn missing(&self, kept: &Checkpoint) -> u32 {
        let others = self.live.pods_without(&kept.write.template);
        self.live.replicas.saturating_sub(others)
    }

    /// The recorded levers, resolved at so many replicas.
    fn levers_of(&self, kept: &Checkpoint, replicas: u32) -> Levers {
        let overlay = kept.write.overlay;
        overlay.levers(overlay.strategy().unwrap_or(self.live.strategy), replicas)
    }

    /// Levers, replicas or the pause were changed by hand: the recorded values are written again,
    /// then every new pod is checked before anything opens.
    pub(super) fn restore(&self, mut kept: Checkpoint) -> Decision {
        if self.live.spec_editor.is_some() {
            return self.absorb(Some(kept)).told(
                Reason::DriftDetected,
                format!("{} changed the workload by hand", self.editor()),
            );
        }
        let Some(overlay) = self.reinstated(&kept) else {
            return Decision::idle(Reason::DriftDetected);
        };
        kept.write.overlay = overlay;
        kept.write.base = self.live.generation;
        kept.healthy_since = None;
        kept.judge.since = self.now;
        let decision = Decision::write(kept, Reason::DriftCorrected);
        self.named(decision, "workload").told(
            Reason::DriftCorrected,
            "what was changed by hand is taken back; every new pod is checked again",
        )
    }

    /// The template was changed by hand: Git's comes back on the pods as they are.
    pub(super) fn retake(&self, kept: Checkpoint) -> Decision {
        if self.live.spec_editor.is_some() {
            return self.absorb(Some(kept));
        }
        let decision = self.start_over(kept);
        if decision.action != Action::Write {
            return decision;
        }
        let decision = decision.told_first(
            Reason::DriftCorrected,
            "Git's pod template is written over another one".to_owned(),
        );
        self.named(decision, "pod template")
    }

    /// Tells first who changed something, where that is known.
    fn named(&self, decision: Decision, what: &str) -> Decision {
        match &self.live.editor {
            Some(editor) => {
                let text = format!("{editor} changed the {what}; it is taken back");
                decision.told_first(Reason::DriftDetected, text)
            }
            None => decision,
        }
    }

    /// Writes the template anew on the pods as they are; a failure stays one.
    fn start_over(&self, kept: Checkpoint) -> Decision {
        let is_held = self.stance == Stance::Hold;
        let failure = kept.failure.clone();
        match kept.phase {
            Phase::RollingBack | Phase::RollbackFailed => self.go_back(Some(kept)),
            Phase::Native
            | Phase::Finalizing
            | Phase::Succeeded
            | Phase::RolledBack
            | Phase::Progressing
            | Phase::Monitoring => marked(self.engage(Some(kept)), |kept| kept.is_held = is_held),
            Phase::Failed => marked(self.engage(Some(kept)), |kept| {
                kept.phase = Phase::Failed;
                kept.failure = failure;
            }),
        }
    }

    /// Moves what people own in the spec to tidegate, so that an apply can remove it.
    pub(super) fn absorb(&self, kept: Option<Checkpoint>) -> Decision {
        let recorded = kept.as_ref().map(|kept| &kept.write.template);
        let is_drift = recorded.is_none_or(|template| *template != self.live.template);
        let decision = Decision {
            checkpoint: kept,
            action: Action::Absorb,
            ..Decision::idle(Reason::DriftDetected)
        };
        if !is_drift {
            return decision;
        }
        let text = format!(
            "{} changed the pod template by hand; it is taken back",
            self.editor()
        );
        decision.told(Reason::DriftDetected, text)
    }

    /// A restart by hand is let through; its pods are watched from now on.
    pub(super) fn watch_anew(&self, mut kept: Checkpoint) -> Decision {
        kept.write.restart = Some(self.live.restart.clone());
        kept.healthy_since = None;
        kept.opened = self.now;
        kept.judge = Judge::new(self.now, self.restarts());
        let text = format!(
            "{} restarted the workload; its pods are watched anew",
            self.editor()
        );
        let decision = Decision::wait(kept, Reason::Restarted, Some(self.now)).stored();
        decision.told(Reason::Restarted, text)
    }

    /// Who made the newest change that was not ours.
    fn editor(&self) -> &str {
        self.live.editor.as_deref().unwrap_or("someone")
    }
}

/// Adds what must live on to the checkpoint of a decision.
fn marked(mut decision: Decision, mark: impl FnOnce(&mut Checkpoint)) -> Decision {
    if let Some(kept) = &mut decision.checkpoint
        && decision.action == Action::Write
    {
        mark(kept);
    }
    decision
}
