//! What happened to a `GitSync` and its objects: Events, and the records of commits, which outlive
//! them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::ledger::{Deployed, Ledger, Outcome};
use crate::object::{Object, ObjectId};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Happening {
    /// When, the last time.
    pub time: Timestamp,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub tone: String,
    /// One word in CamelCase.
    pub reason: String,
    /// What it is about: `Kind/name`.
    pub object: String,
    /// For people.
    pub message: String,
    /// How often it happened.
    pub count: u64,
}

/// Merges Events about a `GitSync` (its ledger's `head`) and its objects with the outcomes of its
/// commits, oldest first. Other Events are left out.
#[must_use]
pub fn timeline(name: &str, head: &ObjectId, ledger: &Ledger, events: &[Object]) -> Vec<Happening> {
    let own: BTreeSet<&ObjectId> = ledger
        .inventory
        .keys()
        .chain(ledger.rollouts.keys())
        .collect();
    let told = events.iter().filter_map(|event| {
        let id = regarding(event)?;
        if id == *head {
            Some(read(event, &format!("GitSync/{name}")))
        } else {
            own.contains(&id).then(|| read(event, &id.short()))
        }
    });
    let recorded = ledger
        .history
        .iter()
        .filter_map(|record| ended(record, name));
    let mut all: Vec<Happening> = told.chain(recorded).collect();
    all.sort();
    all
}

/// The object that an Event of `events.k8s.io/v1` is about.
fn regarding(event: &Object) -> Option<ObjectId> {
    let text = |key: &str| event.text(&format!("/regarding/{key}"));
    let api_version = text("apiVersion").unwrap_or_default();
    Some(ObjectId {
        group: api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
            .to_owned(),
        kind: text("kind")?.to_owned(),
        namespace: text("namespace").map(ToOwned::to_owned),
        name: text("name")?.to_owned(),
    })
}

fn read(event: &Object, about: &str) -> Happening {
    let text = |pointer| event.text(pointer).unwrap_or_default().to_owned();
    let time = |pointer| event.text(pointer)?.parse::<Timestamp>().ok();
    let count = |pointer| event.at(pointer).and_then(Value::as_u64);
    let times = [
        "/series/lastObservedTime",
        "/deprecatedLastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ];
    Happening {
        time: times.into_iter().find_map(time).unwrap_or_default(),
        tone: text("/type"),
        reason: text("/reason"),
        object: about.to_owned(),
        message: text("/note"),
        count: count("/series/count")
            .or_else(|| count("/deprecatedCount"))
            .unwrap_or(1)
            .max(1),
    }
}

/// The end of a commit, as the ledger has it.
fn ended(record: &Deployed, name: &str) -> Option<Happening> {
    let is_good = match record.outcome {
        Outcome::Succeeded | Outcome::Superseded => true,
        Outcome::Pending
        | Outcome::InProgress
        | Outcome::CompletedWithFailures
        | Outcome::Rejected
        | Outcome::Failed
        | Outcome::RolledBack
        | Outcome::Aborted
        | Outcome::Held => false,
    };
    let (id, subject) = (record.revision.id.short(), &record.revision.subject);
    let mut message = format!("{id} \"{subject}\"");
    if !record.message.is_empty() {
        message.push_str(&format!(": {}", record.message));
    }
    Some(Happening {
        time: record.ended?,
        tone: if is_good { "Normal" } else { "Warning" }.to_owned(),
        reason: format!("{:?}", record.outcome),
        object: format!("GitSync/{name}"),
        message,
        count: 1,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLLING: &str = include_str!("../../tests/fixtures/ledger.json");

    fn event(kind: &str, name: &str, reason: &str, more: &Value) -> Object {
        let version = if kind == "Deployment" {
            "apps/v1"
        } else {
            "v1"
        };
        let mut event = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"name": format!("{name}.{reason}"), "namespace": "shop"},
            "type": "Normal", "reason": reason, "note": "words",
            "eventTime": "2026-11-21T10:42:00.000000Z",
            "regarding": {"apiVersion": version, "kind": kind, "namespace": "shop", "name": name},
        });
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        Object::new(event).unwrap()
    }

    #[test]
    fn events_of_the_gitsync_and_its_objects_stand_between_the_ends_of_commits() {
        let ledger: Ledger = serde_json::from_str(ROLLING).unwrap();
        let head = "/ConfigMap/shop/tidegate-web".parse().unwrap();
        let series = json!({"series": {"count": 4, "lastObservedTime": "2026-11-21T10:43:00.5Z"}});
        let events = [
            event("Deployment", "web", "ScalingReplicaSet", &series),
            event("ConfigMap", "tidegate-web", "RevisionFetched", &json!({})),
            event("Deployment", "other", "BatchStarted", &json!({})),
            event("Pod", "web-x", "Pulled", &json!({})),
        ];
        let happenings = timeline("web", &head, &ledger, &events);
        let lines: Vec<String> = happenings
            .iter()
            .map(|it| {
                format!(
                    "{} {} {} {}x {}",
                    it.tone, it.reason, it.object, it.count, it.message
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "Warning RolledBack GitSync/web 1x 3d4e5f6 \"web 1.7.2\": Deployment/shop/web: pod \
                 web-7c9d-x2k1q, container web: CrashLoopBackOff",
                "Normal Succeeded GitSync/web 1x 41aa0d7 \"web 1.7.3\"",
                "Normal RevisionFetched GitSync/web 1x words",
                "Normal ScalingReplicaSet Deployment/web 4x words",
            ]
        );
    }
}
