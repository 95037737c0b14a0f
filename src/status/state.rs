//! The state of a `GitSync` in one word and one sentence.

use std::fmt;

use serde::Serialize;

use crate::ledger::{Aim, Course, Deployed, Ledger, Outcome, Problem, Trouble};
use crate::rollout::Phase;

use super::condition::Truth;
use super::next::approvals;
use super::workload::waits_for;

/// Why a `GitSync` is ready or not: its state in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Reason {
    /// The cluster is as the tip says.
    Synced,
    /// On its way, and healthy so far.
    RollingOut,
    /// Something waits for an approval.
    AwaitingPromotion,
    /// A window has to open first.
    WindowClosed,
    /// A person paused, suspended or released it.
    Paused,
    /// A commit failed and the cluster is back.
    RolledBack,
    /// A rollout failed; it is held or goes back.
    RolloutFailed,
    /// The tip could not be read, checked or dry-run.
    Rejected,
    /// A write was refused, or others fight over fields.
    ApplyFailed,
    /// Rendering failed.
    RenderFailed,
    /// Git cannot be reached.
    GitUnreachable,
    /// The document cannot be used.
    InvalidSpec,
    /// The tip, or a part of it, failed before and is held.
    Quarantined,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Reason {
    /// Says whether a `GitSync` in this state is ready.
    #[must_use]
    pub fn ready(self) -> Truth {
        match self {
            Self::Synced => Truth::True,
            Self::RollingOut | Self::WindowClosed => Truth::Unknown,
            Self::AwaitingPromotion
            | Self::Paused
            | Self::RolledBack
            | Self::RolloutFailed
            | Self::Rejected
            | Self::ApplyFailed
            | Self::RenderFailed
            | Self::GitUnreachable
            | Self::InvalidSpec
            | Self::Quarantined => Truth::False,
        }
    }
}

/// Says whether the document asks for a standstill.
pub(super) fn is_suspended(ledger: &Ledger) -> bool {
    ledger.spec.pointer("/spec/suspend") == Some(&true.into())
}

/// The state in one word and one sentence; what needs a person most comes first.
pub(super) fn state(ledger: &Ledger) -> (Reason, String) {
    standstill(ledger)
        .or_else(|| failed(ledger))
        .or_else(|| {
            let pause = ledger.pause.as_ref()?;
            let text = format!("paused by {}: {}", pause.by, pause.reason);
            Some((Reason::Paused, text))
        })
        .or_else(|| waiting(ledger))
        .or_else(|| ledger.problems.first().map(troubled))
        .or_else(|| went_back(ledger))
        .or_else(|| rejected(ledger))
        .or_else(|| closed(ledger))
        .unwrap_or_else(|| going(ledger))
}

fn standstill(ledger: &Ledger) -> Option<(Reason, String)> {
    let text = if let Some(released) = &ledger.released {
        format!("released by {}; nothing is written", released.by)
    } else if is_suspended(ledger) {
        "suspended in its document; nothing is written".to_owned()
    } else {
        return None;
    };
    Some((Reason::Paused, text))
}

fn failed(ledger: &Ledger) -> Option<(Reason, String)> {
    let aim = ledger.aim.as_ref()?;
    if let Course::Back { from, outcome } = &aim.course
        && !aim.is_done
    {
        let (reason, what) = if *outcome == Outcome::Aborted {
            (Reason::Quarantined, "was aborted")
        } else {
            (Reason::RolloutFailed, "failed")
        };
        let text = format!(
            "{} {what}; going back to {}{}",
            from.short(),
            aim.revision.id.short(),
            open_stage(aim).map_or_else(String::new, |open| format!("; {open}"))
        );
        return Some((reason, text));
    }
    let causes: Vec<String> = ledger
        .rollouts
        .iter()
        .filter(|(_, kept)| matches!(kept.phase, Phase::Failed | Phase::RollbackFailed))
        .filter_map(|(id, kept)| {
            let failure = kept.failure.as_ref()?;
            let place = if failure.batch > 0 {
                format!(" batch {}/{}", failure.batch, kept.batches)
            } else {
                String::new()
            };
            Some(format!("{}{place}: {}", id.short(), failure.cause))
        })
        .collect();
    let recorded = ledger.deployed(&aim.revision.id);
    let is_failed = recorded.is_some_and(|deployed| deployed.outcome == Outcome::Failed);
    match (causes.is_empty(), recorded) {
        (false, _) => Some((Reason::RolloutFailed, causes.join("; "))),
        (true, Some(deployed)) if is_failed => {
            Some((Reason::RolloutFailed, deployed.message.clone()))
        }
        (true, _) => None,
    }
}

fn waiting(ledger: &Ledger) -> Option<(Reason, String)> {
    let approval = approvals(ledger).into_iter().next()?;
    Some((Reason::AwaitingPromotion, approval.what))
}

/// A window keeps the commit from going on, and nothing of it moves meanwhile.
fn closed(ledger: &Ledger) -> Option<(Reason, String)> {
    let waits: Vec<String> = ledger
        .waiting()
        .filter(|(_, wait)| wait.until.is_some())
        .map(|(id, wait)| format!("{}: {}", id.short(), waits_for(wait)))
        .collect();
    (!waits.is_empty() && !ledger.is_moving()).then(|| (Reason::WindowClosed, waits.join("; ")))
}

fn troubled(problem: &Problem) -> (Reason, String) {
    let reason = match problem.reason {
        Trouble::GitUnreachable | Trouble::AuthenticationFailed => Reason::GitUnreachable,
        Trouble::Rejected | Trouble::PathMissing => Reason::Rejected,
        Trouble::HistoryRewritten => Reason::AwaitingPromotion,
        Trouble::PausedInGit => Reason::Paused,
        Trouble::RolloutFailed | Trouble::RollbackFailed => Reason::RolloutFailed,
        Trouble::FieldConflict
        | Trouble::SharedResource
        | Trouble::ApplyFailed
        | Trouble::WatchFailed
        | Trouble::PruneStuck
        | Trouble::DriftFight => Reason::ApplyFailed,
    };
    (reason, problem.message.clone())
}

fn went_back(ledger: &Ledger) -> Option<(Reason, String)> {
    let aim = ledger.aim.as_ref()?;
    if let Course::Back { from, outcome } = &aim.course {
        let aborted = *outcome == Outcome::Aborted;
        let reason = if aborted {
            Reason::Quarantined
        } else {
            Reason::RolledBack
        };
        let text = match ledger.deployed(from) {
            Some(deployed) if !deployed.message.is_empty() => deployed.message.clone(),
            Some(_) | None if aborted => "aborted".to_owned(),
            Some(_) | None => "failed".to_owned(),
        };
        let back = aim.revision.id.short();
        return Some((reason, format!("{}: {text}; held at {back}", from.short())));
    }
    // Commits since then that do not touch the path change nothing of it.
    let record = ledger.deployed(&aim.revision.id)?;
    let message = &record.message;
    match record.outcome {
        Outcome::Held => Some((Reason::Quarantined, message.clone())),
        Outcome::CompletedWithFailures => {
            let text = format!("completed with failures: {message}");
            Some((Reason::RolloutFailed, text))
        }
        Outcome::Pending
        | Outcome::InProgress
        | Outcome::Succeeded
        | Outcome::Rejected
        | Outcome::Failed
        | Outcome::RolledBack
        | Outcome::Aborted
        | Outcome::Superseded => None,
    }
}

/// The record of the tip where it was rejected.
pub(super) fn rejected_tip(ledger: &Ledger) -> Option<&Deployed> {
    let tip = ledger.deployed(&ledger.tip.as_ref()?.revision.id)?;
    (tip.outcome == Outcome::Rejected).then_some(tip)
}

fn rejected(ledger: &Ledger) -> Option<(Reason, String)> {
    rejected_tip(ledger).map(|tip| (Reason::Rejected, tip.message.clone()))
}

fn going(ledger: &Ledger) -> (Reason, String) {
    let Some(aim) = &ledger.aim else {
        return (Reason::RollingOut, "waits for the first fetch".to_owned());
    };
    if ledger.tip.as_ref().is_some_and(|tip| !tip.is_judged) {
        return (Reason::RollingOut, "a new revision was seen".to_owned());
    }
    // A restart, or drift that is taken back, rolls under an aim that is done.
    if !aim.is_done || ledger.rollouts.values().any(|kept| !kept.is_over()) {
        return (Reason::RollingOut, progress(ledger, aim));
    }
    let objects = ledger.inventory.len();
    let drift = match ledger.drifted.len() {
        0 => "no drift".to_owned(),
        count => format!("{count} drifted"),
    };
    let open = open_stage(aim).map_or_else(String::new, |open| format!("; {open}"));
    (Reason::Synced, format!("{objects} objects, {drift}{open}"))
}

/// What the open stage waits for, where it is known.
fn open_stage(aim: &Aim) -> Option<String> {
    let stage = aim.stage.as_ref()?;
    (!stage.waits_for.is_empty())
        .then(|| format!("{} waits: {}", stage.name, stage.waits_for.join("; ")))
}

fn progress(ledger: &Ledger, aim: &Aim) -> String {
    let under_way: Vec<String> = ledger
        .rollouts
        .iter()
        .filter(|(_, kept)| !kept.is_over())
        .map(|(id, kept)| {
            let workload = super::Workload::read(id, kept, None);
            let (updated, desired) = (workload.updated, workload.desired);
            format!("{}: {updated} of {desired} pods may be new", id.short())
        })
        .collect();
    let told: Vec<String> = under_way.into_iter().chain(open_stage(aim)).collect();
    match &aim.stage {
        _ if !told.is_empty() => told.join("; "),
        Some(stage) => format!("stage {}", stage.name),
        None => format!("{} is being applied", aim.revision.id.short()),
    }
}
