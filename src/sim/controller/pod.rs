//! What controllers read of pods, and how they make them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::desk::{controlled_by, count};
use crate::object::Object;
use crate::sim::arithmetic::replicaset::{Phase, is_available};

/// A pod as a controller reads it.
#[derive(Clone, Copy)]
pub(super) struct Pod<'a>(pub(super) &'a Object);

impl<'a> Pod<'a> {
    pub(super) fn name(self) -> &'a str {
        self.0.text("/metadata/name").unwrap_or_default()
    }

    fn phase_text(self) -> &'a str {
        self.0.text("/status/phase").unwrap_or("Pending")
    }

    /// How far it has come; one that has ended counts as running.
    pub(super) fn phase(self) -> Phase {
        match self.phase_text() {
            "Pending" => Phase::Pending,
            "Unknown" => Phase::Unknown,
            _ => Phase::Running,
        }
    }

    pub(super) fn has_failed(self) -> bool {
        self.phase_text() == "Failed"
    }

    pub(super) fn has_succeeded(self) -> bool {
        self.phase_text() == "Succeeded"
    }

    pub(super) fn has_ended(self) -> bool {
        self.has_failed() || self.has_succeeded()
    }

    /// `IsPodActive`: neither ended nor being deleted.
    pub(super) fn is_active(self) -> bool {
        !self.has_ended() && !self.0.is_terminating()
    }

    /// `IsPodTerminating`.
    pub(super) fn is_terminating(self) -> bool {
        !self.has_ended() && self.0.is_terminating()
    }

    /// Since when it is Ready, in seconds; `None` where it is not.
    pub(super) fn ready(self) -> Option<i64> {
        let condition = self.0.condition("Ready")?;
        let since = condition["lastTransitionTime"].as_str();
        (condition["status"] == "True").then(|| since.and_then(second).unwrap_or_default())
    }

    pub(super) fn is_available(self, min_ready_seconds: i64, now: i64) -> bool {
        self.ready()
            .is_some_and(|ready| is_available(ready, min_ready_seconds, now))
    }

    pub(super) fn node(self) -> Option<&'a str> {
        let node = self.0.text("/spec/nodeName");
        node.filter(|node| !node.is_empty())
    }

    pub(super) fn created(self) -> i64 {
        created(self.0)
    }

    /// The highest restart count of its containers.
    pub(super) fn restarts(self) -> u32 {
        let statuses = self.0.at("/status/containerStatuses");
        let statuses = statuses.and_then(Value::as_array).into_iter().flatten();
        let counts = statuses.filter_map(|status| status["restartCount"].as_u64());
        u32::try_from(counts.max().unwrap_or_default()).unwrap_or(u32::MAX)
    }

    /// `controller.kubernetes.io/pod-deletion-cost`.
    pub(super) fn deletion_cost(self) -> i32 {
        let cost = self
            .0
            .annotation("controller.kubernetes.io/pod-deletion-cost");
        cost.and_then(|cost| cost.parse().ok()).unwrap_or_default()
    }
}

/// When an object was made, in seconds.
pub(super) fn created(object: &Object) -> i64 {
    let created = object.text("/metadata/creationTimestamp");
    created.and_then(second).unwrap_or_default()
}

/// Reads a time of the API, in seconds.
pub(super) fn second(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// Returns the moment of a second.
pub(super) fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// Returns when the next of these pods becomes available; `None` where all are or none will.
pub(super) fn next_available<'a>(
    pods: impl Iterator<Item = Pod<'a>>,
    min_ready_seconds: i64,
    now: i64,
) -> Option<Timestamp> {
    let due = pods.filter_map(|pod| Some(pod.ready()?.saturating_add(min_ready_seconds)));
    due.filter(|due| *due > now).min().map(moment)
}

/// Makes a pod of an owner's template (`GetPodFromTemplate`), named after the owner.
pub(super) fn from_template(owner: &Object, template: &Value) -> Value {
    let name = owner.text("/metadata/name").unwrap_or_default();
    let mut metadata = json!({
        "generateName": format!("{name}-"),
        "namespace": owner.namespace(),
        "ownerReferences": [controlled_by(owner)],
    });
    for key in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.pointer(&format!("/metadata/{key}")) {
            metadata[key] = value.clone();
        }
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template.get("spec"),
    })
}

/// Returns `spec.replicas`, by default 1.
pub(super) fn replicas(object: &Object) -> u32 {
    count(object, "/spec/replicas").unwrap_or(1)
}
