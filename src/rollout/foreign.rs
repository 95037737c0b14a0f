//! What others did to a workload while it is rolled.

use crate::object::{FREEZE_DEADLINE, Strategy};

use super::step::Tick;
use super::{Action, Checkpoint, Decision, Judge, Overlay, Phase, Reason};

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
    if live.generation <= kept.write.base {
        return Landing::Pending;
    }
    if live.template == kept.write.template {
        Landing::Levers
    } else {
        Landing::Template
    }
}

/// Says whether every field that the write set, beside the template, is as it set it.
fn stands(tick: &Tick<'_>, kept: &Checkpoint) -> bool {
    let (live, goal) = (tick.live, tick.goal);
    let own_times = live.min_ready_seconds == goal.min_ready_seconds
        && live.progress_deadline_seconds == goal.progress_deadline_seconds;
    let levers = match kept.write.overlay {
        Overlay::Plain => own_times && live.strategy == goal.strategy,
        Overlay::Frozen { surge, unavailable } => {
            live.is_frozen()
                && live.progress_deadline_seconds == FREEZE_DEADLINE
                && live.strategy
                    == Strategy::RollingUpdate {
                        max_surge: surge,
                        max_unavailable: unavailable,
                    }
        }
        Overlay::Native { surge, unavailable } => {
            own_times
                && live.strategy
                    == Strategy::RollingUpdate {
                        max_surge: surge,
                        max_unavailable: unavailable,
                    }
        }
    };
    let scaled = goal
        .replicas
        .is_some_and(|replicas| replicas != live.replicas);
    levers && live.is_paused == goal.is_paused && !scaled
}

impl Tick<'_> {
    /// Levers, replicas or the pause were changed by hand: the recorded values are written again,
    /// then every new pod is checked before anything opens.
    pub(super) fn restore(&self, mut kept: Checkpoint) -> Decision {
        if self.live.spec_editor.is_some() {
            return self.absorb(Some(kept)).told(
                Reason::DriftDetected,
                format!("{} changed the workload by hand", self.editor()),
            );
        }
        kept.write.base = self.live.generation;
        kept.healthy_since = None;
        kept.judge.since = self.now;
        let decision = Decision::write(kept, Reason::DriftCorrected);
        decision.told(
            Reason::DriftCorrected,
            "what was changed by hand is taken back; every new pod is checked again",
        )
    }

    /// The template was changed by hand: Git's comes back on the pods as they are.
    pub(super) fn retake(&self, kept: Checkpoint) -> Decision {
        if self.live.spec_editor.is_some() {
            return self.absorb(Some(kept)).told(
                Reason::DriftDetected,
                format!("{} changed the pod template by hand", self.editor()),
            );
        }
        let decision = match kept.phase {
            Phase::RollingBack | Phase::RollbackFailed => self.go_back(Some(kept)),
            Phase::Native
            | Phase::Finalizing
            | Phase::Succeeded
            | Phase::RolledBack
            | Phase::Progressing
            | Phase::Monitoring => self.engage(Some(kept)),
            Phase::Failed => {
                let failure = kept.failure.clone();
                let mut decision = self.engage(Some(kept));
                if let Some(checkpoint) = &mut decision.checkpoint {
                    checkpoint.phase = Phase::Failed;
                    checkpoint.failure = failure;
                }
                decision
            }
        };
        decision.told_first(
            Reason::DriftCorrected,
            "the pod template that was changed by hand is taken back".to_owned(),
        )
    }

    /// Moves what people own in the spec to tidegate, so that an apply can remove it.
    pub(super) fn absorb(&self, kept: Option<Checkpoint>) -> Decision {
        let idle = Decision::idle(Reason::DriftDetected);
        Decision {
            checkpoint: kept,
            action: Action::Absorb,
            ..idle
        }
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
