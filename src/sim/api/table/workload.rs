//! Workloads.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Column, age, list, name, number, wide};
use crate::object::Object;

pub(super) const DEPLOYMENT: &[Column] = &[
    Column("Name", "string", 0),
    Column("Ready", "string", 0),
    Column("Up-to-date", "string", 0),
    Column("Available", "string", 0),
    Column("Age", "string", 0),
    Column("Containers", "string", 1),
    Column("Images", "string", 1),
    Column("Selector", "string", 1),
];

pub(super) fn deployment(object: &Object, now: Timestamp) -> Vec<Value> {
    let ready = number(object, "/status/readyReplicas");
    let wanted = number(object, "/spec/replicas");
    let mut cells = vec![
        name(object),
        json!(format!("{ready}/{wanted}")),
        json!(number(object, "/status/updatedReplicas")),
        json!(number(object, "/status/availableReplicas")),
        age(object, now),
    ];
    cells.extend(wide(object, ""));
    cells
}

pub(super) const REPLICA_SET: &[Column] = &[
    Column("Name", "string", 0),
    Column("Desired", "integer", 0),
    Column("Current", "integer", 0),
    Column("Ready", "integer", 0),
    Column("Age", "string", 0),
    Column("Containers", "string", 1),
    Column("Images", "string", 1),
    Column("Selector", "string", 1),
];

pub(super) fn replica_set(object: &Object, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![
        name(object),
        json!(number(object, "/spec/replicas")),
        json!(number(object, "/status/replicas")),
        json!(number(object, "/status/readyReplicas")),
        age(object, now),
    ];
    cells.extend(wide(object, ""));
    cells
}

pub(super) const STATEFUL_SET: &[Column] = &[
    Column("Name", "string", 0),
    Column("Ready", "string", 0),
    Column("Age", "string", 0),
    Column("Containers", "string", 1),
    Column("Images", "string", 1),
];

pub(super) fn stateful_set(object: &Object, now: Timestamp) -> Vec<Value> {
    let ready = number(object, "/status/readyReplicas");
    let wanted = number(object, "/spec/replicas");
    let [containers, images, _] = wide(object, "");
    vec![
        name(object),
        json!(format!("{ready}/{wanted}")),
        age(object, now),
        containers,
        images,
    ]
}

pub(super) const DAEMON_SET: &[Column] = &[
    Column("Name", "string", 0),
    Column("Desired", "integer", 0),
    Column("Current", "integer", 0),
    Column("Ready", "integer", 0),
    Column("Up-to-date", "integer", 0),
    Column("Available", "integer", 0),
    Column("Node Selector", "string", 0),
    Column("Age", "string", 0),
    Column("Containers", "string", 1),
    Column("Images", "string", 1),
    Column("Selector", "string", 1),
];

pub(super) fn daemon_set(object: &Object, now: Timestamp) -> Vec<Value> {
    let status = |key: &str| json!(number(object, &format!("/status/{key}")));
    let nodes = object.at("/spec/template/spec/nodeSelector");
    let nodes = nodes.and_then(Value::as_object).map(|labels| {
        let pairs = labels.iter();
        let pairs =
            pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
        pairs.collect::<Vec<_>>().join(",")
    });
    let nodes = nodes.unwrap_or_else(|| "<none>".to_owned());
    let mut cells = vec![
        name(object),
        status("desiredNumberScheduled"),
        status("currentNumberScheduled"),
        status("numberReady"),
        status("updatedNumberScheduled"),
        status("numberAvailable"),
        json!(nodes),
        age(object, now),
    ];
    cells.extend(wide(object, ""));
    cells
}

pub(super) const REVISION: &[Column] = &[
    Column("Name", "string", 0),
    Column("Controller", "string", 0),
    Column("Revision", "string", 0),
    Column("Age", "string", 0),
];

pub(super) fn revision(object: &Object, now: Timestamp) -> Vec<Value> {
    let owners = list(object, "/metadata/ownerReferences");
    let controller = owners.iter().find(|owner| owner["controller"] == true);
    let controller = controller.map_or_else(
        || "<none>".to_owned(),
        |owner| {
            let text = |key: &str| owner[key].as_str().unwrap_or_default();
            let kind = text("kind").to_lowercase();
            let group = text("apiVersion").split_once('/').map(|(group, _)| group);
            match group {
                Some(group) => format!("{kind}.{group}/{}", text("name")),
                None => format!("{kind}/{}", text("name")),
            }
        },
    );
    vec![
        name(object),
        json!(controller),
        json!(number(object, "/revision")),
        age(object, now),
    ]
}

pub(super) const JOB: &[Column] = &[
    Column("Name", "string", 0),
    Column("Status", "string", 0),
    Column("Completions", "string", 0),
    Column("Duration", "string", 0),
    Column("Age", "string", 0),
    Column("Containers", "string", 1),
    Column("Images", "string", 1),
    Column("Selector", "string", 1),
];

pub(super) fn job(object: &Object, now: Timestamp) -> Vec<Value> {
    let has = |kind: &str| {
        list(object, "/status/conditions")
            .iter()
            .any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    let status = match () {
        () if has("Complete") => "Complete",
        () if has("Failed") => "Failed",
        () if object.is_terminating() => "Terminating",
        () if has("Suspended") => "Suspended",
        () if has("FailureTarget") => "FailureTarget",
        () if has("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    };
    let done = number(object, "/status/succeeded");
    let completions = match object.at("/spec/completions").and_then(Value::as_i64) {
        Some(wanted) => format!("{done}/{wanted}"),
        None => match number(object, "/spec/parallelism") {
            wanted if wanted > 1 => format!("{done}/1 of {wanted}"),
            _ => format!("{done}/1"),
        },
    };
    let ended = object
        .text("/status/completionTime")
        .and_then(|at| at.parse().ok());
    let duration = match object.text("/status/startTime") {
        Some(start) => super::age::since(Some(start), ended.unwrap_or(now)),
        None => String::new(),
    };
    let mut cells = vec![
        name(object),
        json!(status),
        json!(completions),
        json!(duration),
        age(object, now),
    ];
    cells.extend(wide(object, ""));
    cells
}

pub(super) const CRON_JOB: &[Column] = &[
    Column("Name", "string", 0),
    Column("Schedule", "string", 0),
    Column("Timezone", "string", 0),
    Column("Suspend", "boolean", 0),
    Column("Active", "integer", 0),
    Column("Last Schedule", "string", 0),
    Column("Age", "string", 0),
    Column("Containers", "string", 1),
    Column("Images", "string", 1),
    Column("Selector", "string", 1),
];

pub(super) fn cron_job(object: &Object, now: Timestamp) -> Vec<Value> {
    let last = object.text("/status/lastScheduleTime");
    let last = match last {
        Some(last) => super::age::since(Some(last), now),
        None => "<none>".to_owned(),
    };
    let suspended = object.at("/spec/suspend").and_then(Value::as_bool);
    let suspended = if suspended.unwrap_or_default() {
        "True"
    } else {
        "False"
    };
    vec![
        name(object),
        json!(object.text("/spec/schedule")),
        json!(object.text("/spec/timeZone").unwrap_or("<none>")),
        json!(suspended),
        json!(list(object, "/status/active").len()),
        json!(last),
        age(object, now),
    ]
    .into_iter()
    .chain(wide(object, "/spec/jobTemplate"))
    .collect()
}
