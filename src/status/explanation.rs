//! Why a `GitSync` is not as Git says: every cause that is known, the most telling first.

use jiff::Timestamp;
use serde::Serialize;

use crate::ledger::{Course, Ledger, Outcome, Problem, Trouble};
use crate::object::ObjectId;
use crate::revision::CommitId;
use crate::rollout::{Checkpoint, Failure};

use super::condition::Truth;
use super::next::approvals;
use super::picture::Picture;
use super::state::{Reason, is_suspended, rejected_tip};
use super::strip::Strip;

/// What is wrong, what the commit changed, what that did, and what helps.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// `namespace/name`.
    pub app: String,
    /// Status of the condition Ready.
    pub ready: Truth,
    /// Its reason.
    pub state: Reason,
    /// The same in a sentence.
    pub message: String,
    /// The causes, the most telling first; none where nothing is wrong.
    pub causes: Vec<Why>,
    /// What the commit at fault changed, as far as that is recorded; the caller may add fields.
    pub changed: Vec<String>,
    /// How far it got.
    pub effect: Vec<String>,
    /// Commands that help now.
    pub next: Vec<String>,
}

/// One cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// What it is about: `Kind/name`; `None` for the whole `GitSync`.
    pub about: Option<String>,
    /// The pod at fault.
    pub pod: Option<String>,
    /// Its container at fault.
    pub container: Option<String>,
    /// One word: `CrashLoopBackOff`, `GitUnreachable`, `Paused`, …
    pub reason: String,
    /// One sentence.
    pub message: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The commit at fault.
    pub commit: Option<CommitId>,
}

/// Explains a ledger with its picture of the same moment; `only` leaves the causes of one workload.
#[must_use]
pub fn explain(ledger: &Ledger, picture: &Picture, only: Option<&ObjectId>) -> Explanation {
    let mut causes = standstill(ledger);
    causes.extend(failures(ledger));
    causes.extend(picture.strips.iter().filter_map(trouble));
    causes.extend(problems(ledger));
    causes.extend(stuck(ledger));
    causes.extend(left(ledger));
    causes.extend(waiting(ledger));
    causes.extend(drift(ledger));
    if let Some(only) = only {
        causes.retain(|why| why.about.as_ref() == Some(&only.short()));
    }
    let changed = changed(ledger, &causes);
    // Where nothing rolls, what rolled before is no effect of this.
    let is_meant = |strip: &&Strip| {
        let is_told = !strip.is_over() || strip.is_back() || causes.is_empty();
        is_told && only.is_none_or(|only| strip.id == *only)
    };
    let effect = picture.strips.iter().filter(is_meant).map(effect).collect();
    Explanation {
        app: picture.app.clone(),
        ready: picture.state.ready(),
        state: picture.state,
        message: picture.message.clone(),
        causes,
        changed,
        effect,
        next: picture.next.clone(),
    }
}

impl Why {
    fn new(reason: &str, message: impl Into<String>) -> Self {
        Self {
            about: None,
            pod: None,
            container: None,
            reason: reason.to_owned(),
            message: message.into(),
            since: None,
            commit: None,
        }
    }
}

fn standstill(ledger: &Ledger) -> Vec<Why> {
    let released = ledger.released.as_ref().map(|mark| Why {
        since: Some(mark.at),
        ..Why::new("Released", format!("by {}; nothing is written", mark.by))
    });
    let suspended =
        is_suspended(ledger).then(|| Why::new("Suspended", "by its document; nothing is written"));
    released.into_iter().chain(suspended).collect()
}

/// Workloads that failed, with the record and why.
fn failed(ledger: &Ledger) -> impl Iterator<Item = (&ObjectId, &Checkpoint, &Failure)> {
    let rollouts = ledger.rollouts.iter();
    rollouts
        .filter(|(_, kept)| !kept.is_over())
        .filter_map(|(id, kept)| Some((id, kept, kept.failure.as_ref()?)))
}

/// Workloads that failed, those that do not even get back first.
fn failures(ledger: &Ledger) -> Vec<Why> {
    let mut failed: Vec<_> = failed(ledger).collect();
    failed.sort_by_key(|(_, kept, failure)| {
        (
            kept.phase != crate::rollout::Phase::RollbackFailed,
            failure.at,
        )
    });
    let why = failed.into_iter().map(|(id, kept, failure)| Why {
        about: Some(id.short()),
        pod: failure.cause.pod.clone(),
        container: failure.cause.container.clone(),
        since: Some(failure.at),
        commit: (!kept.is_going_back()).then(|| kept.write.commit.clone()),
        ..Why::new(&failure.cause.reason, failure.cause.message.clone())
    });
    why.collect()
}

/// What keeps a pod from becoming Ready and is not held against the commit yet.
fn trouble(strip: &Strip) -> Option<Why> {
    let words = strip.trouble.as_ref()?;
    Some(Why {
        about: Some(strip.id.short()),
        commit: Some(strip.to.clone()),
        ..Why::new("PodTroubled", words.clone())
    })
    .filter(|_| strip.cause.is_none())
}

/// What the open stage waits for.
fn stuck(ledger: &Ledger) -> Option<Why> {
    let aim = ledger.aim.as_ref()?;
    let stage = aim.stage.as_ref()?;
    (!stage.waits_for.is_empty()).then(|| Why {
        since: Some(stage.since),
        commit: Some(aim.revision.id.clone()),
        ..Why::new("StageOpen", stage.waits_for.join("; "))
    })
}

fn problems(ledger: &Ledger) -> Vec<Why> {
    // What was rejected is told with its commit.
    let rejected = rejected_tip(ledger).map(|record| {
        let (commit, message) = (record.revision.id.short(), &record.message);
        format!("{commit}: {message}")
    });
    let problems = ledger.problems.iter();
    let problems = problems.filter(|problem| rejected.as_ref() != Some(&problem.message));
    // What failed by its pods is told workload by workload.
    let told: Vec<String> = failed(ledger)
        .map(|(id, _, failure)| format!("{id}: {}", failure.cause))
        .collect();
    let is_told = |problem: &Problem| {
        let (_, why) = problem.message.split_once(": ").unwrap_or_default();
        let mut parts = told
            .iter()
            .fold(why.to_owned(), |rest, told| rest.replace(told, ""));
        parts.retain(|letter| !matches!(letter, ';' | ' '));
        problem.reason == Trouble::RolloutFailed && !told.is_empty() && parts.is_empty()
    };
    let problems = problems.filter(|problem| !is_told(problem));
    let why = problems.map(|problem| Why {
        since: Some(problem.since),
        ..Why::new(&problem.reason.to_string(), problem.message.clone())
    });
    why.collect()
}

/// A commit that the cluster has left, or does not follow.
fn left(ledger: &Ledger) -> Vec<Why> {
    let from = ledger.aim.as_ref().and_then(|aim| match &aim.course {
        Course::Forward => None,
        Course::Back { from, .. } => Some(from),
    });
    let tip = ledger.tip.as_ref().map(|tip| &tip.revision.id);
    let mut commits: Vec<&CommitId> = from.into_iter().chain(tip).collect();
    commits.dedup();
    let why = commits.into_iter().filter_map(|commit| {
        let record = ledger.deployed(commit)?;
        let reason = match record.outcome {
            Outcome::RolledBack => "RolledBack",
            Outcome::Aborted => "Aborted",
            Outcome::Held => "Quarantined",
            Outcome::Rejected => "Rejected",
            Outcome::CompletedWithFailures => "CompletedWithFailures",
            Outcome::Pending
            | Outcome::InProgress
            | Outcome::Succeeded
            | Outcome::Failed
            | Outcome::Superseded => return None,
        };
        Some(Why {
            since: record.ended,
            commit: Some(commit.clone()),
            ..Why::new(reason, record.message.clone())
        })
    });
    why.collect()
}

fn waiting(ledger: &Ledger) -> Vec<Why> {
    let approvals = approvals(ledger)
        .into_iter()
        .map(|approval| Why::new("AwaitingApproval", approval.what));
    let pause = ledger.pause.as_ref().map(|pause| Why {
        since: Some(pause.at),
        ..Why::new("Paused", format!("by {}: {}", pause.by, pause.reason))
    });
    approvals.chain(pause).collect()
}

fn drift(ledger: &Ledger) -> Vec<Why> {
    let why = ledger.drifted.iter().map(|(id, words)| Why {
        about: Some(id.short()),
        ..Why::new("Drifted", words.clone())
    });
    why.collect()
}

/// What the newest commit at fault changed: its objects, and images that the last good one had not.
/// Nothing where it is the cause of nothing any more.
fn changed(ledger: &Ledger, causes: &[Why]) -> Vec<String> {
    let newest = ledger.quarantine.culprits().last();
    let is_cause = |commit| causes.iter().any(|why| why.commit.as_ref() == Some(commit));
    let Some(culprit) = newest.filter(|culprit| is_cause(&culprit.commit)) else {
        return Vec::new();
    };
    let images = |id: &ObjectId| {
        let pairs = culprit.pairs.iter();
        let images = pairs.filter(|pair| pair.failed.workload == *id);
        let images: Vec<&str> = images
            .flat_map(|pair| &pair.bad_images)
            .map(String::as_str)
            .collect();
        if images.is_empty() {
            String::new()
        } else {
            format!(": image {}", images.join(", "))
        }
    };
    let line = |(id, hash): (&ObjectId, &Option<_>)| match hash {
        Some(_) => format!("{}{}", id.short(), images(id)),
        None => format!("{} was removed", id.short()),
    };
    culprit.changed.iter().map(line).collect()
}

/// How many pods a workload's rollout has reached.
fn effect(strip: &Strip) -> String {
    let tally = strip.tally;
    let new = tally.ready + tally.starting + tally.failing;
    let to = strip.to.short();
    let batch = if strip.batch > 0 {
        format!(", batch {} of {}", strip.batch, strip.batches)
    } else {
        String::new()
    };
    format!(
        "{}: {new} of {} pods are on {to}, {} of them ready{batch}",
        strip.id.short(),
        strip.desired,
        tally.ready
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::status::picture;

    /// A rollout of 9f3c2e1 over 41aa0d7, in batch 2 of 3.
    const ROLLING: &str = include_str!("../../tests/fixtures/ledger.json");
    const WEB: &str = "/rollouts/apps~1Deployment~1shop~1web";

    fn explained(changes: &[(&str, Value)], only: Option<&str>) -> Explanation {
        let mut json: Value = serde_json::from_str(ROLLING).unwrap();
        for (pointer, value) in changes {
            let pointer = pointer.replace("WEB", WEB);
            *json.pointer_mut(&pointer).unwrap() = value.clone();
        }
        let ledger: Ledger = serde_json::from_value(json).unwrap();
        let now = "2026-11-21T10:44:00Z".parse().unwrap();
        let picture = picture("shop/web", &ledger, &BTreeMap::new(), now);
        let only = only.map(|only| only.parse().unwrap());
        explain(&ledger, &picture, only.as_ref())
    }

    fn crash() -> Value {
        json!({
            "at": "2026-11-21T10:43:00Z", "batch": 2,
            "cause": {"class": "Revision", "pod": "web-x", "container": "web",
                "reason": "CrashLoopBackOff", "message": "exit 1"},
        })
    }

    fn pause() -> Value {
        json!({"by": "ada", "at": "2026-11-21T10:42:00Z", "reason": "lunch", "until": null})
    }

    #[test]
    fn a_healthy_rollout_has_no_cause() {
        let explained = explained(&[], None);
        assert_eq!(explained.causes, []);
        assert_eq!(
            explained.effect,
            ["Deployment/web: 5 of 10 pods are on 9f3c2e1, 1 of them ready, batch 2 of 3"]
        );
    }

    #[test]
    fn a_failed_pod_comes_before_a_pause_and_names_the_commit() {
        let explained = explained(
            &[
                ("/pause", pause()),
                ("WEB/phase", json!("Failed")),
                ("WEB/failure", crash()),
            ],
            None,
        );
        let reasons: Vec<&str> = explained.causes.iter().map(|why| &*why.reason).collect();
        assert_eq!(reasons, ["CrashLoopBackOff", "Paused"]);
        let first = &explained.causes[0];
        assert_eq!(first.pod.as_deref(), Some("web-x"));
        assert_eq!(first.container.as_deref(), Some("web"));
        assert_eq!(first.commit.as_ref().unwrap().short(), "9f3c2e1");
        assert!(explained.next[0].starts_with("kubectl -n shop logs web-x"));
    }

    #[test]
    fn one_workload_has_its_own_causes_only() {
        let changes = [
            ("/pause", pause()),
            ("WEB/phase", json!("Failed")),
            ("WEB/failure", crash()),
        ];
        let web = explained(&changes, Some("apps/Deployment/shop/web"));
        assert_eq!(web.causes.len(), 1);
        let api = explained(&changes, Some("apps/Deployment/shop/api"));
        assert_eq!((api.causes.len(), api.effect.len()), (0, 0));
    }

    #[test]
    fn a_rejected_commit_is_told_once_with_what_helps_and_no_effect() {
        let commit = format!("9f3c2e1{}", "0".repeat(33));
        let message = "a.yaml:1:1: one\nb.yaml:2:2: two";
        let problem = json!([{
            "reason": "Rejected", "since": "2026-11-21T10:43:00Z",
            "message": format!("9f3c2e1: {message}"),
        }]);
        let explained = explained(
            &[
                ("/problems", problem),
                ("/history/0/outcome", json!("Rejected")),
                ("/history/0/message", json!(message)),
                ("WEB/phase", json!("Succeeded")),
            ],
            None,
        );
        let told: Vec<_> = explained.causes.iter().map(|why| &why.message).collect();
        assert_eq!(told, [message]);
        assert_eq!(explained.causes[0].commit, Some(commit.parse().unwrap()));
        assert_eq!(explained.next, ["git revert 9f3c2e1"]);
        assert_eq!(explained.effect, [""; 0]);
    }

    #[test]
    fn a_commit_that_was_rolled_back_is_explained_by_its_record_and_images() {
        let failed = format!("9f3c2e1{}", "0".repeat(33));
        let good: Value = serde_json::from_str::<Value>(ROLLING).unwrap()["lastGood"].clone();
        let digest = "4".repeat(64);
        let web = "apps/Deployment/shop/web";
        let culprit = json!({
            "commit": failed, "why": "Deployment/web: crash", "at": "2026-11-21T10:43:00Z",
            "objects": {}, "changed": {web: digest, "/ConfigMap/shop/old": null},
            "pairs": [{
                "workload": web, "template": digest, "imageless": digest, "images": ["web:1.8.0"],
                "uses": digest, "goodImageless": null, "badImages": ["web:1.8.0"],
            }],
        });
        let explained = explained(
            &[
                (
                    "/aim/course",
                    json!({"Back": {"from": failed, "outcome": "RolledBack"}}),
                ),
                ("/aim/revision", good),
                ("/aim/isDone", json!(true)),
                ("/rollouts", json!({})),
                ("/quarantine", json!([culprit])),
                ("/history/0/outcome", json!("RolledBack")),
                ("/history/0/message", json!("Deployment/web: crash")),
            ],
            None,
        );
        let pairs = json!([{
            "commit": failed, "why": "long ago", "at": "2026-11-19T10:43:00Z", "objects": {},
            "changed": {web: digest}, "pairs": [],
        }]);
        let calm = self::explained(&[("/quarantine", pairs)], None);
        assert_eq!(calm.changed, [""; 0], "it is the cause of nothing");
        assert_eq!(explained.causes.len(), 1);
        assert_eq!(explained.causes[0].reason, "RolledBack");
        assert_eq!(explained.causes[0].message, "Deployment/web: crash");
        assert_eq!(
            explained.changed,
            [
                "ConfigMap/old was removed",
                "Deployment/web: image web:1.8.0"
            ]
        );
    }
}
