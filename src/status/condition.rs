//! Conditions, as `GitSync` resources have them.

use std::fmt;

use serde::Serialize;

use crate::ledger::{Course, Ledger, Outcome, Trouble};

use super::state::{Reason, state};

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Its type: `Ready`, `Reconciling`, `Stalled`, `GitReachable`, `RolledOut` or `Drifted`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether it holds.
    pub status: Truth,
    /// A CamelCase word.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Truth {
    /// It does.
    True,
    /// It does not.
    False,
    /// It cannot be said yet.
    Unknown,
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// All conditions.
pub(super) fn conditions(ledger: &Ledger) -> Vec<Condition> {
    let (reason, message) = state(ledger);
    let mut conditions = vec![Condition {
        kind: "Ready",
        status: reason.ready(),
        reason: reason.to_string(),
        message,
    }];
    conditions.push(reconciling(ledger, reason));
    conditions.push(stalled(ledger, reason));
    conditions.extend(git_reachable(ledger));
    conditions.extend(rolled_out(ledger));
    conditions.push(drifted(ledger));
    conditions
}

fn condition(kind: &'static str, holds: bool, reason: &str, message: &str) -> Condition {
    Condition {
        kind,
        status: if holds { Truth::True } else { Truth::False },
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

fn reconciling(ledger: &Ledger, state: Reason) -> Condition {
    let is_new = ledger.tip.as_ref().is_some_and(|tip| !tip.is_judged);
    let goes_back = ledger
        .aim
        .as_ref()
        .is_some_and(|aim| !aim.is_done && matches!(aim.course, Course::Back { .. }));
    let reason = if is_new { "NewRevision" } else { "Progressing" };
    condition(
        "Reconciling",
        state == Reason::RollingOut || goes_back,
        reason,
        "",
    )
}

fn stalled(ledger: &Ledger, state: Reason) -> Condition {
    let stalling = [Trouble::AuthenticationFailed, Trouble::FieldConflict];
    let problem = stalling.into_iter().find_map(|kind| ledger.problem(kind));
    match problem {
        Some(problem) => {
            let reason = problem.reason.to_string();
            condition("Stalled", true, &reason, &problem.message)
        }
        None if matches!(state, Reason::Quarantined | Reason::RolledBack) => {
            condition("Stalled", true, "QuarantinedHead", "")
        }
        None => condition("Stalled", false, "Progressing", ""),
    }
}

fn git_reachable(ledger: &Ledger) -> Option<Condition> {
    match (ledger.unreachable(), ledger.fetched_at) {
        (Some(problem), _) => Some(condition(
            "GitReachable",
            false,
            "FetchFailed",
            &problem.message,
        )),
        (None, Some(at)) => Some(condition(
            "GitReachable",
            true,
            "Fetched",
            &format!("the newest commit at {at:.0}"),
        )),
        (None, None) => None,
    }
}

fn rolled_out(ledger: &Ledger) -> Option<Condition> {
    let newest = ledger.history.first()?;
    let (holds, reason) = match newest.outcome {
        Outcome::Succeeded => (true, "Complete"),
        Outcome::Pending | Outcome::InProgress => (false, "InProgress"),
        Outcome::CompletedWithFailures => (false, "CompletedWithFailures"),
        Outcome::Superseded => (false, "Superseded"),
        Outcome::Aborted => (false, "Aborted"),
        Outcome::Rejected | Outcome::Failed | Outcome::RolledBack | Outcome::Held => {
            (false, "Failed")
        }
    };
    Some(condition("RolledOut", holds, reason, &newest.message))
}

fn drifted(ledger: &Ledger) -> Condition {
    let fight = ledger.problem(Trouble::DriftFight);
    let who: Vec<String> = ledger
        .drifted
        .iter()
        .map(|(id, who)| format!("{id}: {who}"))
        .collect();
    match fight {
        Some(problem) => condition("Drifted", true, "DriftFight", &problem.message),
        None => condition("Drifted", !who.is_empty(), "FieldChanged", &who.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A rollout of 9f3c2e1 over 41aa0d7, in batch 2 of 3.
    const ROLLING: &str = include_str!("../../tests/fixtures/ledger.json");
    const WEB: &str = "/rollouts/apps~1Deployment~1shop~1web";

    fn shown(changes: &[(&str, Value)]) -> String {
        let mut json: Value = serde_json::from_str(ROLLING).unwrap();
        for (pointer, value) in changes {
            *json.pointer_mut(pointer).unwrap() = value.clone();
        }
        let ledger: Ledger = serde_json::from_value(json).unwrap();
        let lines = conditions(&ledger).into_iter().map(|one| {
            let line = format!("{} {} {} {}", one.kind, one.status, one.reason, one.message);
            line.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn ready(changes: &[(&str, Value)]) -> String {
        shown(changes).lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_healthy_rollout_is_unknown_and_reconciling() {
        assert_eq!(
            shown(&[]),
            "\
Ready Unknown RollingOut Deployment/web: 5 of 10 pods may be new
Reconciling True Progressing
Stalled False Progressing
GitReachable True Fetched the newest commit at 2026-11-21T10:42:18Z
RolledOut False InProgress
Drifted False FieldChanged"
        );
    }

    #[test]
    fn a_target_that_is_reached_is_synced() {
        let done = [
            ("/aim/isDone", json!(true)),
            ("/rollouts", json!({})),
            ("/history/0/outcome", json!("Succeeded")),
        ];
        assert_eq!(ready(&done), "Ready True Synced 0 objects, no drift");
        assert!(shown(&done).contains("RolledOut True Complete"));
    }

    #[test]
    fn what_rolls_under_a_target_that_was_reached_is_told() {
        let restarted = [
            ("/aim/isDone", json!(true)),
            ("/history/0/outcome", json!("Succeeded")),
        ];
        assert_eq!(
            ready(&restarted),
            "Ready Unknown RollingOut Deployment/web: 5 of 10 pods may be new"
        );
    }

    #[test]
    fn a_failure_names_workload_batch_pod_container_and_reason() {
        let cause = json!({
            "class": "Revision", "pod": "web-x", "container": "web",
            "reason": "ImagePullBackOff", "message": "manifest unknown",
        });
        let failure = json!({"cause": cause, "at": "2026-11-21T10:43:00Z", "batch": 2});
        let failed = [
            (&*format!("{WEB}/phase"), json!("Failed")),
            (&*format!("{WEB}/failure"), failure),
        ];
        assert_eq!(
            ready(&failed),
            "Ready False RolloutFailed Deployment/web batch 2/3: pod web-x, container web: \
             ImagePullBackOff: manifest unknown"
        );
    }

    #[test]
    fn the_way_back_and_its_end_are_not_ready() {
        let from = format!("9f3c2e1{}", "0".repeat(33));
        let good: Value = serde_json::from_str::<Value>(ROLLING).unwrap()["lastGood"].clone();
        let mut back = vec![
            (
                "/aim/course",
                json!({"Back": {"from": from, "outcome": "RolledBack"}}),
            ),
            ("/aim/revision", good),
        ];
        assert_eq!(
            ready(&back),
            "Ready False RolloutFailed 9f3c2e1 failed; going back to 41aa0d7"
        );
        back.push(("/aim/isDone", json!(true)));
        back.push(("/rollouts", json!({})));
        back.push(("/history/0/message", json!("web-x: CrashLoopBackOff")));
        assert_eq!(
            ready(&back),
            "Ready False RolledBack 9f3c2e1: web-x: CrashLoopBackOff; held at 41aa0d7"
        );
        assert!(shown(&back).contains("Stalled True QuarantinedHead"));
    }

    #[test]
    fn git_that_cannot_be_reached_is_told_and_a_failed_login_stalls() {
        let problem = |reason: &str| json!([{"reason": reason, "message": "no", "since": "2026-11-21T10:43:00Z"}]);
        let away = [("/problems", problem("GitUnreachable"))];
        assert_eq!(ready(&away), "Ready False GitUnreachable no");
        assert!(shown(&away).contains("GitReachable False FetchFailed no"));
        assert!(shown(&away).contains("Stalled False"));
        let refused = [("/problems", problem("AuthenticationFailed"))];
        assert!(shown(&refused).contains("Stalled True AuthenticationFailed no"));
        let rewritten = [("/problems", problem("HistoryRewritten"))];
        assert_eq!(ready(&rewritten), "Ready False AwaitingPromotion no");
    }

    #[test]
    fn a_standstill_that_a_person_asked_for_is_paused() {
        let at = "2026-11-21T10:42:00Z";
        let pause = json!({"by": "ada", "at": at, "reason": "p99", "until": null});
        assert_eq!(
            ready(&[("/pause", pause)]),
            "Ready False Paused paused by ada: p99"
        );
        let released = json!({"by": "ada", "at": at});
        assert_eq!(
            ready(&[("/released", released)]),
            "Ready False Paused released by ada; nothing is written"
        );
    }
}
