//! What is new between two pictures, one line each: for logs, and for programs that follow.

use jiff::Timestamp;
use serde::Serialize;

use crate::revision::CommitId;
use crate::rollout::Phase;

use super::picture::Picture;
use super::strip::{Progress, Row, Strip};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct News {
    /// When it was seen.
    pub time: Timestamp,
    /// `namespace/name` of the `GitSync`.
    pub app: String,
    /// What it is, in one word: that of the Event where there is one (`BatchHealthy`), else the
    /// reason of the condition Ready.
    #[serde(rename = "type")]
    pub kind: String,
    /// The commit.
    pub revision: Option<CommitId>,
    /// `Kind/name`; `None` where it is about the whole `GitSync`.
    pub workload: Option<String>,
    /// The batch, counted from 1.
    pub batch: Option<u32>,
    /// Number of batches.
    pub batches: Option<u32>,
    /// For people.
    pub message: String,
}

/// Returns what is new in `after`; without an earlier picture, where things stand.
#[must_use]
pub fn news(before: Option<&Picture>, after: &Picture) -> Vec<News> {
    let mut news = Vec::new();
    let subject = |picture: &Picture| picture.subject.as_ref().map(|it| it.id.clone());
    if before.is_none_or(|before| subject(before) != subject(after)) {
        news.extend(after.subject.as_ref().map(|revision| {
            let words = format!("{} \"{}\"", revision.id.short(), revision.subject);
            News::about(after, "RevisionSeen", words)
        }));
    }
    for strip in &after.strips {
        let known = before.and_then(|before| before.strip(strip));
        turns(after, known, strip, &mut news);
    }
    let is_same = |before: &Picture| {
        before.state == after.state && (is_moving(after) || before.message == after.message)
    };
    if !before.is_some_and(is_same) {
        let mut words = after.message.clone();
        // Beside the lines of its workloads it says the rest.
        for cause in after.strips.iter().filter_map(|strip| strip.cause.as_ref()) {
            words = words.replace(cause, brief(cause));
        }
        news.push(News::about(after, &after.state.to_string(), words));
    }
    news
}

/// A cause without what the container, the image or the probe said: pod, container and reason.
fn brief(cause: &str) -> &str {
    let ends = cause.match_indices(": ").map(|(end, _)| end);
    ends.take(2).nth(1).map_or(cause, |end| &cause[..end])
}

/// The message of a rollout that moves counts pods; the batches are told one by one.
fn is_moving(picture: &Picture) -> bool {
    picture.strips.iter().any(|strip| !strip.is_over())
}

/// What is new about one workload.
fn turns(picture: &Picture, before: Option<&Strip>, after: &Strip, news: &mut Vec<News>) {
    let is_same_rollout = before.is_some_and(|before| before.to == after.to);
    let known =
        before.filter(|_| is_same_rollout && before.map(Strip::is_back) == Some(after.is_back()));
    let say = |kind: &str, row: Option<&Row>, words: String| {
        let batch = row.map(|row| row.first).filter(|batch| *batch > 0);
        let whole = News::about(picture, kind, words);
        // On the way back it is about the commit that is left.
        let revision = if after.is_back() {
            whole.revision.clone()
        } else {
            Some(after.to.clone())
        };
        News {
            workload: Some(after.id.short()),
            batch,
            // On the way back they are not recorded any more.
            batches: batch
                .map(|_| after.batches.max(before.map_or(0, |before| before.batches)))
                .filter(|count| *count > 0),
            revision,
            ..whole
        }
    };
    if let Some(known) = known {
        let closed = after.rows.iter().filter(|row| {
            row.progress == Progress::Closed && row.first > known.closed && row.first > 0
        });
        news.extend(closed.map(|row| say("BatchHealthy", Some(row), healthy(row))));
    }
    let is_new_batch = known.is_none_or(|known| known.batch != after.batch);
    let open = after
        .rows
        .iter()
        .find(|row| row.progress == Progress::Open && row.first > 0);
    if let Some(row) = open.filter(|_| is_new_batch) {
        news.push(say("BatchStarted", Some(row), started(row)));
    }
    // The failure itself may have stood between two looks.
    let was_told = before.is_none_or(|before| before.cause == after.cause);
    if let Some(cause) = after
        .cause
        .as_ref()
        .filter(|_| after.is_back() && !was_told)
    {
        let mut row = after.rows.iter();
        let row = row.find(|row| row.progress == Progress::Failed);
        news.push(say("BatchFailed", row, failed(before, cause)));
    }
    if known.is_none_or(|known| known.phase != after.phase) {
        news.extend(phase(before, after, &say));
    }
    let trouble = known.and_then(|known| known.trouble.as_ref());
    if let Some(words) = after.trouble.as_ref().filter(|now| Some(*now) != trouble) {
        news.push(say("PodTroubled", open, words.clone()));
    }
}

/// The turn to a phase; batches tell of themselves.
fn phase(
    before: Option<&Strip>,
    strip: &Strip,
    say: &dyn Fn(&str, Option<&Row>, String) -> News,
) -> Option<News> {
    let mut rows = strip.rows.iter();
    let row = rows.find(|row| row.progress == Progress::Failed);
    let cause = strip.cause.clone().unwrap_or_default();
    let to = strip.to.short();
    let (kind, row, words) = match strip.phase {
        Phase::Progressing => return None,
        Phase::Native => ("RolloutStarted", None, "at Kubernetes' own pace".to_owned()),
        Phase::Monitoring => (
            "Monitoring",
            None,
            "all pods are new; they are watched".to_owned(),
        ),
        Phase::Finalizing => ("Finalizing", None, "the last old pods leave".to_owned()),
        Phase::Succeeded => {
            let words = format!("{}/{} pods are on {to}", strip.tally.ready, strip.desired);
            ("RolloutCompleted", None, words)
        }
        Phase::Failed => ("BatchFailed", row, failed(before, &cause)),
        Phase::RollingBack => ("RollingBack", None, format!("goes back to {to}")),
        Phase::RolledBack => ("RolledBack", None, format!("is back on {to}")),
        Phase::RollbackFailed => (
            "RollbackFailed",
            None,
            format!(
                "going back to {to} does not succeed: {}",
                told(before, &cause)
            ),
        ),
    };
    Some(say(kind, row, words))
}

fn failed(before: Option<&Strip>, cause: &str) -> String {
    format!("failed: {}", told(before, cause))
}

/// A cause, in full where it has not been told yet.
fn told<'a>(before: Option<&Strip>, cause: &'a str) -> &'a str {
    let was_told = before.is_some_and(|before| {
        before.trouble.as_deref() == Some(cause) || before.cause.as_deref() == Some(cause)
    });
    if was_told { brief(cause) } else { cause }
}

fn started(row: &Row) -> String {
    format!("started, {}", pods(row.slots.len()))
}

fn healthy(row: &Row) -> String {
    let pods = pods(row.slots.len());
    if row.note.is_empty() {
        format!("healthy, {pods}")
    } else {
        format!("healthy, {pods}, {}", row.note)
    }
}

fn pods(count: usize) -> String {
    if count == 1 {
        "1 pod".to_owned()
    } else {
        format!("{count} pods")
    }
}

impl News {
    /// Returns what is to be said about a whole picture.
    #[must_use]
    pub fn about(picture: &Picture, kind: &str, message: String) -> Self {
        Self {
            time: picture.now,
            app: picture.app.clone(),
            kind: kind.to_owned(),
            revision: picture.subject.as_ref().map(|subject| subject.id.clone()),
            workload: None,
            batch: None,
            batches: None,
            message,
        }
    }
}

impl Picture {
    fn strip(&self, other: &Strip) -> Option<&Strip> {
        self.strips.iter().find(|strip| strip.id == other.id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::ledger::Ledger;
    use crate::status::picture;

    /// A rollout of 9f3c2e1 over 41aa0d7, in batch 2 of 3.
    const ROLLING: &str = include_str!("../../tests/fixtures/ledger.json");
    const WEB: &str = "/rollouts/apps~1Deployment~1shop~1web";

    fn shown(changes: &[(&str, Value)]) -> Picture {
        let mut json: Value = serde_json::from_str(ROLLING).unwrap();
        for (pointer, value) in changes {
            let pointer = pointer.replace("WEB", WEB);
            *json.pointer_mut(&pointer).unwrap() = value.clone();
        }
        let ledger: Ledger = serde_json::from_value(json).unwrap();
        let now = "2026-11-21T10:42:30Z".parse().unwrap();
        picture("shop/web", &ledger, &BTreeMap::new(), now)
    }

    fn lines(before: Option<&Picture>, after: &Picture) -> Vec<String> {
        let line = |one: News| {
            let about = one.workload.unwrap_or(one.app);
            let batch = one.batch.map_or("-".to_owned(), |batch| batch.to_string());
            format!("{} {about} {batch} {}", one.kind, one.message)
        };
        news(before, after).into_iter().map(line).collect()
    }

    #[test]
    fn the_first_picture_tells_where_things_stand() {
        assert_eq!(
            lines(None, &shown(&[])),
            [
                "RevisionSeen shop/web - 9f3c2e1 \"bump web to 1.8.0\"",
                "BatchStarted Deployment/web 2 started, 4 pods",
                "RollingOut shop/web - Deployment/web: 5 of 10 pods may be new",
            ]
        );
    }

    #[test]
    fn the_same_again_is_no_news() {
        assert_eq!(lines(Some(&shown(&[])), &shown(&[])), [""; 0]);
    }

    #[test]
    fn batches_that_closed_between_two_looks_are_all_told() {
        let proof = |batch: u32, target: u32, to: &str| {
            json!({
                "batch": batch, "target": target, "generation": 2, "pods": [],
                "template": "2".repeat(64), "from": to, "to": to,
            })
        };
        let proofs = json!([
            proof(1, 1, "2026-11-21T10:42:00Z"),
            proof(2, 5, "2026-11-21T10:42:20Z")
        ]);
        let first = shown(&[("WEB/batch", json!(1)), ("WEB/target", json!(1))]);
        let third = shown(&[
            ("WEB/batch", json!(3)),
            ("WEB/target", json!(10)),
            ("WEB/evidence", proofs),
        ]);
        assert_eq!(
            lines(Some(&first), &third),
            [
                "BatchHealthy Deployment/web 1 healthy, 1 pod, took 58s",
                "BatchHealthy Deployment/web 2 healthy, 4 pods, took 20s",
                "BatchStarted Deployment/web 3 started, 5 pods",
            ]
        );
    }

    #[test]
    fn a_cause_is_told_in_full_once_and_with_all_batches() {
        let words = "pod web-x, container web: ErrImagePull: registry: no such image";
        let cause = json!({
            "class": "Revision", "pod": "web-x", "container": "web",
            "reason": "ErrImagePull", "message": "registry: no such image",
        });
        let failure = json!({"cause": cause, "at": "2026-11-21T10:42:30Z", "batch": 2});
        let changes = [("WEB/phase", json!("Failed")), ("WEB/failure", failure)];
        let mut before = shown(&[]);
        let after = shown(&changes);
        assert_eq!(
            lines(Some(&before), &after),
            [
                format!("BatchFailed Deployment/web 2 failed: {words}"),
                "RolloutFailed shop/web - Deployment/web batch 2/3: pod web-x, container web: \
                 ErrImagePull"
                    .to_owned(),
            ]
        );
        before.strips[0].trouble = Some(words.to_owned());
        assert_eq!(
            lines(Some(&before), &after)[0],
            "BatchFailed Deployment/web 2 failed: pod web-x, container web: ErrImagePull"
        );
        let mut back = after.clone();
        back.strips[0].phase = Phase::RollingBack;
        back.strips[0].batches = 0;
        let failed = &news(Some(&shown(&[])), &back)[0];
        assert_eq!((failed.batch, failed.batches), (Some(2), Some(3)));
    }

    #[test]
    fn a_failure_is_told_with_its_batch_and_cause_and_then_the_way_back() {
        let cause = json!({
            "class": "Revision", "pod": "web-x", "container": "web",
            "reason": "CrashLoopBackOff", "message": "",
        });
        let failure = json!({"cause": cause, "at": "2026-11-21T10:42:30Z", "batch": 2});
        let failed = shown(&[
            ("WEB/phase", json!("Failed")),
            ("WEB/failure", failure.clone()),
        ]);
        let told = lines(Some(&shown(&[])), &failed);
        let words = "pod web-x, container web: CrashLoopBackOff";
        assert_eq!(
            told,
            [
                format!("BatchFailed Deployment/web 2 failed: {words}"),
                format!("RolloutFailed shop/web - Deployment/web batch 2/3: {words}"),
            ]
        );
        let good: Value = serde_json::from_str::<Value>(ROLLING).unwrap()["lastGood"].clone();
        let from = format!("9f3c2e1{}", "0".repeat(33));
        let back = shown(&[
            (
                "/aim/course",
                json!({"Back": {"from": from, "outcome": "RolledBack"}}),
            ),
            ("/aim/revision", good.clone()),
            ("WEB/phase", json!("RollingBack")),
            ("WEB/write/commit", good["id"].clone()),
            ("WEB/failure", failure),
        ]);
        assert_eq!(
            lines(Some(&failed), &back),
            ["RollingBack Deployment/web - goes back to 41aa0d7"]
        );
        assert_eq!(
            lines(Some(&shown(&[])), &back)[0],
            format!("BatchFailed Deployment/web 2 failed: {words}"),
            "also where the failure stood between two looks"
        );
    }
}
