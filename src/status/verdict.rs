//! The fate of one commit, for `wait`.

use std::collections::BTreeSet;

use crate::ledger::{Ledger, Outcome, Trouble};
use crate::revision::CommitId;
use crate::rollout::{Checkpoint, Phase};

use super::next::approvals;
use super::state::is_suspended;

/// What a commit has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as it says, or it does not touch the path.
    Done(String),
    /// On its way, or on the way back.
    Going,
    /// A person has to do something first.
    Waiting(Waits, String),
    /// Rejected, rolled back or aborted, or it failed and going back does not succeed.
    Failed(String),
    /// A newer commit took over.
    Superseded,
    /// The ledger knows nothing of it.
    Unseen,
}

/// What a person is waited for with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// It failed and is held as it is.
    Failure,
    /// A part of it failed before and is held.
    Quarantine,
    /// A rollout, a batch, a prune or a rewritten history.
    Approval,
    /// A person's pause, or that of a manifest.
    Pause,
    /// It is suspended in its document.
    Suspended,
    /// It was released.
    Released,
}

/// What the beginning of a commit id is found to mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// One commit.
    One(CommitId),
    /// Several.
    Ambiguous(Vec<CommitId>),
    /// None that the ledger knows.
    Unknown,
}

/// Returns the commit whose id begins so, among all that the ledger knows.
#[must_use]
pub fn find(ledger: &Ledger, beginning: &str) -> Search {
    let beginning = beginning.to_ascii_lowercase();
    let tip = ledger.tip.iter().map(|tip| &tip.revision.id);
    let aim = ledger.aim.iter().map(|aim| &aim.revision.id);
    let known: BTreeSet<&CommitId> = ledger
        .history
        .iter()
        .map(|deployed| &deployed.revision.id)
        .chain(&ledger.untouched)
        .chain(
            ledger
                .quarantine
                .culprits()
                .iter()
                .map(|culprit| &culprit.commit),
        )
        .chain(tip)
        .chain(aim)
        .filter(|id| id.as_str().starts_with(&beginning))
        .collect();
    let mut found: Vec<CommitId> = known.into_iter().cloned().collect();
    match found.len() {
        0 => Search::Unknown,
        1 => Search::One(found.remove(0)),
        _ => Search::Ambiguous(found),
    }
}

/// Judges a commit.
#[must_use]
pub fn verdict(ledger: &Ledger, commit: &CommitId) -> Verdict {
    if ledger.untouched.contains(commit) {
        return Verdict::Done("it does not touch the path".to_owned());
    }
    let is_tip = ledger
        .tip
        .as_ref()
        .is_some_and(|tip| tip.revision.id == *commit);
    if is_tip && let Some(problem) = ledger.problem(Trouble::PathMissing) {
        return Verdict::Failed(problem.message.clone());
    }
    let Some(deployed) = ledger.deployed(commit) else {
        return if is_tip {
            pending(ledger, commit)
        } else {
            Verdict::Unseen
        };
    };
    let said = |otherwise: &str| {
        let message = &deployed.message;
        if message.is_empty() {
            otherwise.to_owned()
        } else {
            message.clone()
        }
    };
    match deployed.outcome {
        Outcome::Succeeded => Verdict::Done("it is rolled out".to_owned()),
        Outcome::CompletedWithFailures => Verdict::Failed(format!(
            "it is completed with failures: {}",
            deployed.message
        )),
        Outcome::Rejected => Verdict::Failed(said("it was rejected")),
        Outcome::RolledBack => Verdict::Failed(said("it failed and was rolled back")),
        Outcome::Aborted => Verdict::Failed(said("it was aborted")),
        Outcome::Superseded => Verdict::Superseded,
        Outcome::Held => Verdict::Waiting(Waits::Quarantine, said("a part of it is quarantined")),
        Outcome::Pending => pending(ledger, commit),
        Outcome::InProgress | Outcome::Failed if ledger.has_left(commit) => way_back(ledger),
        Outcome::Failed if is_aim(ledger, commit) => {
            Verdict::Waiting(Waits::Failure, said("it failed and is held"))
        }
        Outcome::Failed => Verdict::Failed(said("it failed, and a newer commit took over")),
        Outcome::InProgress => pending(ledger, commit),
    }
}

/// Something that has not ended: is a person in its way?
fn pending(ledger: &Ledger, commit: &CommitId) -> Verdict {
    if ledger.released.is_none()
        && !is_suspended(ledger)
        && let Some(pause) = &ledger.pause
    {
        let text = format!("paused by {}: {}", pause.by, pause.reason);
        return Verdict::Waiting(Waits::Pause, text);
    }
    if is_aim(ledger, commit)
        && let Some(problem) = ledger.problem(Trouble::PausedInGit)
    {
        return Verdict::Waiting(Waits::Pause, problem.message.clone());
    }
    if is_aim(ledger, commit)
        && let Some(why) = stuck(ledger)
    {
        // A commit that brings back what ran before is never gone back on.
        return Verdict::Waiting(Waits::Failure, format!("it does not succeed: {why}"));
    }
    if is_aim(ledger, commit)
        && let Some(fight) = ledger.problem(Trouble::DriftFight)
        // What others fight for elsewhere holds up no commit.
        && ledger.drifted.keys().any(|id| ledger.rolling(id).is_some())
    {
        return Verdict::Waiting(Waits::Failure, fight.message.clone());
    }
    stopped(ledger, commit)
}

/// What stops the way forward and the way back alike.
fn stopped(ledger: &Ledger, commit: &CommitId) -> Verdict {
    if let Some(released) = &ledger.released {
        return Verdict::Waiting(Waits::Released, format!("released by {}", released.by));
    }
    if is_suspended(ledger) {
        return Verdict::Waiting(Waits::Suspended, "suspended in its document".to_owned());
    }
    // A held prune holds only the deletes, and an approval one workload: what moves comes first.
    let own = approvals(ledger)
        .into_iter()
        .find(|approval| approval.token.starts_with(commit.as_str()));
    match own {
        Some(approval) if !ledger.is_moving() || ledger.before_tip().next().is_some() => {
            Verdict::Waiting(Waits::Approval, approval.what)
        }
        Some(_) | None => Verdict::Going,
    }
}

fn is_aim(ledger: &Ledger, commit: &CommitId) -> bool {
    ledger
        .aim
        .as_ref()
        .is_some_and(|aim| aim.revision.id == *commit)
}

/// Why going back does not succeed.
fn stuck(ledger: &Ledger) -> Option<String> {
    let is_stuck = |kept: &&Checkpoint| kept.phase == Phase::RollbackFailed;
    if let Some(kept) = ledger.rollouts.values().find(is_stuck) {
        let cause = kept.failure.as_ref();
        return Some(cause.map_or_else(String::new, |failure| failure.cause.to_string()));
    }
    let problem = ledger.problem(Trouble::RollbackFailed)?;
    Some(problem.message.clone())
}

fn way_back(ledger: &Ledger) -> Verdict {
    if let Some(why) = stuck(ledger) {
        return Verdict::Failed(format!("it failed, and going back does not succeed: {why}"));
    }
    let back = ledger.aim.as_ref().map(|aim| &aim.revision.id);
    back.map_or(Verdict::Going, |back| stopped(ledger, back))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A rollout of 9f3c2e1 over 41aa0d7, in batch 2 of 3.
    const ROLLING: &str = include_str!("../../tests/fixtures/ledger.json");
    const TARGET: &str = "9f3c2e1";

    fn ledger(changes: &[(&str, Value)]) -> Ledger {
        let mut json: Value = serde_json::from_str(ROLLING).unwrap();
        for (pointer, value) in changes {
            *json.pointer_mut(pointer).unwrap() = value.clone();
        }
        serde_json::from_value(json).unwrap()
    }

    fn judged(changes: &[(&str, Value)], beginning: &str) -> Verdict {
        let ledger = ledger(changes);
        match find(&ledger, beginning) {
            Search::One(commit) => verdict(&ledger, &commit),
            Search::Unknown => Verdict::Unseen,
            Search::Ambiguous(commits) => panic!("{commits:?}"),
        }
    }

    fn outcome(word: &str) -> (&'static str, Value) {
        ("/history/0/outcome", json!(word))
    }

    fn waits(verdict: &Verdict) -> Option<Waits> {
        match verdict {
            Verdict::Waiting(waits, _) => Some(*waits),
            Verdict::Done(_)
            | Verdict::Going
            | Verdict::Failed(_)
            | Verdict::Superseded
            | Verdict::Unseen => None,
        }
    }

    fn back(outcome: &str) -> (&'static str, Value) {
        let from = format!("{TARGET}{}", "0".repeat(33));
        (
            "/aim/course",
            json!({"Back": {"from": from, "outcome": outcome}}),
        )
    }

    #[test]
    fn each_outcome_has_its_verdict() {
        assert_eq!(judged(&[], TARGET), Verdict::Going);
        assert!(matches!(
            judged(&[outcome("Succeeded")], TARGET),
            Verdict::Done(_)
        ));
        for word in ["Rejected", "RolledBack", "Aborted"] {
            assert!(
                matches!(judged(&[outcome(word)], TARGET), Verdict::Failed(_)),
                "{word}"
            );
        }
        assert_eq!(
            judged(&[outcome("Superseded")], TARGET),
            Verdict::Superseded
        );
        assert_eq!(
            waits(&judged(&[outcome("Held")], TARGET)),
            Some(Waits::Quarantine)
        );
        assert_eq!(
            waits(&judged(&[outcome("Failed")], TARGET)),
            Some(Waits::Failure)
        );
        assert!(
            matches!(judged(&[], "b7c8d9e"), Verdict::Done(_)),
            "it does not touch the path"
        );
        assert_eq!(judged(&[], "0000000"), Verdict::Unseen);
    }

    #[test]
    fn a_failed_commit_that_a_newer_one_took_over_waits_for_nobody() {
        let older = [("/history/2/outcome", json!("Failed"))];
        assert!(matches!(judged(&older, "3d4e5f6"), Verdict::Failed(_)));
    }

    #[test]
    fn going_back_is_waited_for_unless_it_does_not_succeed() {
        let phase = |word| ("/rollouts/apps~1Deployment~1shop~1web/phase", json!(word));
        assert_eq!(
            judged(&[back("RolledBack"), phase("RollingBack")], TARGET),
            Verdict::Going
        );
        let paused = (
            "/pause",
            json!({"by": "ada", "at": "2026-11-21T10:42:00Z", "reason": "x", "until": null}),
        );
        assert_eq!(
            judged(&[back("RolledBack"), phase("RollingBack"), paused], TARGET),
            Verdict::Going,
            "a rollback that has begun goes on under a pause"
        );
        let stuck = judged(&[back("RolledBack"), phase("RollbackFailed")], TARGET);
        assert!(matches!(stuck, Verdict::Failed(_)));
        let problem = json!([{"reason": "RollbackFailed", "message": "settings is being deleted",
            "since": "2026-11-21T10:42:00Z"}]);
        let Verdict::Failed(why) = judged(&[back("RolledBack"), ("/problems", problem)], TARGET)
        else {
            panic!("an object that is stuck keeps it from going back")
        };
        assert!(why.ends_with("settings is being deleted"), "{why}");
    }

    #[test]
    fn a_person_in_the_way_is_told_apart() {
        let at = "2026-11-21T10:42:00Z";
        let pause = (
            "/pause",
            json!({"by": "ada", "at": at, "reason": "p99", "until": null}),
        );
        assert_eq!(
            judged(&[pause], TARGET),
            Verdict::Waiting(Waits::Pause, "paused by ada: p99".to_owned())
        );
        let released = ("/released", json!({"by": "ada", "at": at}));
        assert_eq!(waits(&judged(&[released], TARGET)), Some(Waits::Released));
        let suspended = ("/spec/spec/suspend", json!(true));
        assert_eq!(waits(&judged(&[suspended], TARGET)), Some(Waits::Suspended));
    }

    #[test]
    fn a_held_prune_is_waited_for_once_the_pods_are_done() {
        let held = json!({
            "commit": format!("{TARGET}{}", "0".repeat(33)), "digest": "d", "why": "more than 3",
            "objects": ["/ConfigMap/shop/a"],
        });
        let held = ("/heldPrune", held);
        let done = (
            "/rollouts/apps~1Deployment~1shop~1web/phase",
            json!("Succeeded"),
        );
        assert_eq!(judged(std::slice::from_ref(&held), TARGET), Verdict::Going);
        assert_eq!(
            waits(&judged(&[held.clone(), done.clone()], TARGET)),
            Some(Waits::Approval)
        );
        let token = format!("{TARGET}{}/prune/d", "0".repeat(33));
        let given = ("/approvals", json!([token]));
        assert_eq!(judged(&[held, done, given], TARGET), Verdict::Going);
    }

    #[test]
    fn the_beginning_of_an_id_is_enough_while_it_means_one_commit() {
        let ledger = ledger(&[(
            "/untouched",
            json!(["9f3c2ff".to_owned() + &"0".repeat(33)]),
        )]);
        assert!(matches!(find(&ledger, "9F3C2E"), Search::One(_)));
        assert!(matches!(find(&ledger, "9f3c"), Search::Ambiguous(both) if both.len() == 2));
        assert_eq!(find(&ledger, "abcd"), Search::Unknown);
    }
}
