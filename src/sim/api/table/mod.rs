//! Tables, which `kubectl get` prints (`pkg/printers/internalversion/printers.go`).

mod age;
mod around;
mod custom;
mod pod;
mod seldom;
mod workload;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Call;
use super::view;
use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::selector::Labels;

/// One column: name, type, and 1 for those that only `-o wide` shows.
pub(super) struct Column(&'static str, &'static str, u8);

/// Returns the cells of one object.
type Row = fn(&Object, Timestamp) -> Vec<Value>;

/// How a kind is printed.
struct Form(&'static [Column], Row);

/// Returns the table of some objects.
pub(super) fn of(call: &Call, objects: &[&Object], version: Option<&str>) -> Value {
    let mut metadata = json!({});
    if let Some(version) = version {
        metadata["resourceVersion"] = json!(version);
    }
    let now = call.now;
    let is_custom = call.resource.is_custom && call.subresource.as_deref() != Some("scale");
    let (columns, rows): (Vec<Value>, Vec<Vec<Value>>) = if is_custom {
        custom::table(&call.version.columns, objects, now)
    } else {
        let kind = match call.subresource.as_deref() {
            Some("scale") => &Kind::of("autoscaling", "Scale"),
            Some(_) | None => &call.resource.kind,
        };
        let Form(columns, row) = form(kind);
        let columns = columns.iter().map(definition).collect();
        (
            columns,
            objects.iter().map(|object| row(object, now)).collect(),
        )
    };
    let rows: Vec<Value> = objects
        .iter()
        .zip(rows)
        .map(|(object, cells)| json!({"cells": cells, "object": shown(call, object)}))
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
           "columnDefinitions": columns, "rows": rows})
}

fn definition(Column(name, kind, priority): &Column) -> Value {
    let format = if *name == "Name" { "name" } else { "" };
    json!({"name": name, "type": kind, "format": format, "description": "", "priority": priority})
}

/// Returns what a row says of its object (`includeObject`).
fn shown(call: &Call, object: &Object) -> Value {
    match call.parameter("includeObject") {
        Some("None") => Value::Null,
        Some("Object") => view::versioned(call, object),
        Some(_) | None => view::metadata(object),
    }
}

fn form(kind: &Kind) -> Form {
    match (kind.group.as_ref(), kind.name.as_ref()) {
        ("", "Pod") => Form(pod::COLUMNS, pod::row),
        ("apps", "Deployment") => Form(workload::DEPLOYMENT, workload::deployment),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => {
            Form(workload::REPLICA_SET, workload::replica_set)
        }
        ("apps", "StatefulSet") => Form(workload::STATEFUL_SET, workload::stateful_set),
        ("apps", "DaemonSet") => Form(workload::DAEMON_SET, workload::daemon_set),
        ("apps", "ControllerRevision") => Form(workload::REVISION, workload::revision),
        ("batch", "Job") => Form(workload::JOB, workload::job),
        ("batch", "CronJob") => Form(workload::CRON_JOB, workload::cron_job),
        ("", "Service") => Form(around::SERVICE, around::service),
        ("", "ConfigMap") => Form(around::CONFIG_MAP, around::config_map),
        ("", "Secret") => Form(around::SECRET, around::secret),
        ("", "Namespace") => Form(around::NAMESPACE, around::namespace),
        ("", "Node") => Form(around::NODE, around::node),
        (_, "Event") => Form(around::EVENT, around::event),
        ("policy", "PodDisruptionBudget") => Form(around::BUDGET, around::budget),
        ("autoscaling", "HorizontalPodAutoscaler") => Form(around::SCALER, around::scaler),
        ("networking.k8s.io", "Ingress") => Form(around::INGRESS, around::ingress),
        ("coordination.k8s.io", "Lease") => Form(around::LEASE, around::lease),
        ("discovery.k8s.io", "EndpointSlice") => Form(around::SLICE, around::slice),
        _ => seldom::form(kind),
    }
}

fn name(object: &Object) -> Value {
    json!(object.text("/metadata/name"))
}

fn number(object: &Object, pointer: &str) -> i64 {
    object
        .at(pointer)
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

fn list<'a>(object: &'a Object, pointer: &str) -> &'a [Value] {
    let list = object.at(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// Returns how long ago the object was made.
fn age(object: &Object, now: Timestamp) -> Value {
    json!(age::since(object.text("/metadata/creationTimestamp"), now))
}

/// Returns names, images and selector, which `-o wide` shows of what makes pods.
/// `below` is where its spec stands.
fn wide(object: &Object, below: &str) -> [Value; 3] {
    let containers = list(object, &format!("{below}/spec/template/spec/containers"));
    let all = |key: &str| {
        let texts = containers
            .iter()
            .filter_map(|container| container[key].as_str());
        json!(texts.collect::<Vec<_>>().join(","))
    };
    let selector = object.at(&format!("{below}/spec/selector"));
    let selector = selector.map(Labels::of).unwrap_or_default();
    let text = if selector.is_empty() {
        "<none>".to_owned()
    } else {
        selector.text()
    };
    [all("name"), all("image"), json!(text)]
}
