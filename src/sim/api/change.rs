//! Creating, replacing and deleting.

use http::Response;
use serde_json::{Value, json};

use super::call::Call;
use super::reply::{Body, json as answer};
use super::{body, options, view};
use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::refusal::{Cause, Refusal, Subject};
use crate::sim::store::{Deletion, Part, Propagation, Store};

/// Kinds whose last state is the answer to their deletion (`ReturnDeletedObject`).
const TOLD: &[&str] = &[
    "Pod",
    "PodTemplate",
    "ResourceQuota",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
    "ServiceAccount",
];

/// Namespaces that stay (admission `NamespaceLifecycle`).
const LASTING: &[&str] = &["default", "kube-public", "kube-system"];

pub(super) fn create(store: &mut Store, call: &Call) -> Result<Response<Body>, Refusal> {
    let object = body::object(call)?;
    let version = object.pointer("/metadata/resourceVersion");
    if version.is_some_and(|version| version.as_str().is_some_and(|text| !text.is_empty())) {
        return Err(Refusal::unnamed(
            500,
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let made = store.create(&call.actor(Part::Main), object)?;
    Ok(answer(201, &view::one(call, &made)))
}

pub(super) fn update(store: &mut Store, call: &Call) -> Result<Response<Body>, Refusal> {
    let object = body::object(call)?;
    let version = object.pointer("/metadata/resourceVersion");
    let says_version = version
        .and_then(Value::as_str)
        .is_some_and(|text| !text.is_empty());
    if call.resource.needs_version_to_update && !says_version {
        let detail = "must be specified for an update";
        let cause = Cause::invalid("metadata.resourceVersion", &json!(0), detail);
        let subject = Subject {
            kind: call.resource.plural.clone(),
            ..call.subject()
        };
        return Err(Refusal::invalid(&subject, &[cause]));
    }
    let written = store.update(&call.actor(Part::Main), object)?;
    Ok(answer(200, &view::one(call, &written)))
}

pub(super) fn delete(store: &mut Store, call: &Call) -> Result<Response<Body>, Refusal> {
    let deletion = deletion(call)?;
    let kind = call.kind();
    if kind == Kind::NAMESPACE && LASTING.contains(&call.name.as_str()) {
        let why = "this namespace may not be deleted";
        return Err(Refusal::forbidden(&call.subject(), why));
    }
    let object = store.delete(&kind, &call.namespace, &call.name, &deletion)?;
    let is_gone = deletion.is_dry_run || is_gone(store, &kind, &object);
    if !is_gone || kind.group.is_empty() && TOLD.contains(&kind.name.as_ref()) {
        return Ok(answer(200, &view::one(call, &object)));
    }
    Ok(answer(200, &success(call, &object)))
}

fn is_gone(store: &Store, kind: &Kind, object: &Object) -> bool {
    let namespace = object.namespace().unwrap_or_default();
    let name = object.text("/metadata/name").unwrap_or_default();
    let live = store.get(kind, namespace, name);
    live.is_none_or(|live| live.uid() != object.uid())
}

fn success(call: &Call, object: &Object) -> Value {
    let mut details = json!({
        "name": object.text("/metadata/name"),
        "kind": call.resource.plural,
        "uid": object.uid(),
    });
    if !call.resource.kind.group.is_empty() {
        details["group"] = json!(call.resource.kind.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
           "details": details})
}

pub(super) fn delete_all(store: &mut Store, call: &Call) -> Result<Response<Body>, Refusal> {
    let (labels, fields) = call.selectors()?;
    let deletion = deletion(call)?;
    let kind = call.kind();
    let namespace = Some(call.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let found: Vec<_> = store.list(&kind, namespace).cloned().collect();
    let mut gone = Vec::new();
    for object in found {
        let own = object.at("/metadata/labels").and_then(Value::as_object);
        if !labels.fit(own) || !fields.fit(object.value()) {
            continue;
        }
        let namespace = object.namespace().unwrap_or_default();
        let name = object.text("/metadata/name").unwrap_or_default();
        gone.push(store.delete(&kind, namespace, name, &deletion)?);
    }
    let shown: Vec<&Object> = gone.iter().map(AsRef::as_ref).collect();
    let metadata = json!({"resourceVersion": store.revision().to_string()});
    Ok(answer(200, &view::many(call, &shown, &metadata)))
}

/// Reads how to delete: from the body, else from the query.
fn deletion(call: &Call) -> Result<Deletion, Refusal> {
    let said = if call.body.is_empty() {
        json!({})
    } else {
        body::json(&call.body, "DeleteOptions")?.0
    };
    let text = |pointer: &str| said.pointer(pointer).and_then(Value::as_str);
    let policy = text("/propagationPolicy").or_else(|| call.parameter("propagationPolicy"));
    let orphans = said.get("orphanDependents").and_then(Value::as_bool);
    let propagation = match (policy, orphans) {
        (None | Some(""), None) => None,
        (None | Some(""), Some(true)) | (Some("Orphan"), _) => Some(Propagation::Orphan),
        (None | Some(""), Some(false)) | (Some("Background"), _) => Some(Propagation::Background),
        (Some("Foreground"), _) => Some(Propagation::Foreground),
        (Some(other), _) => {
            let known = ["Foreground", "Background", "Orphan", "nil"];
            let cause = Cause::unsupported("propagationPolicy", &json!(other), &known);
            return Err(Refusal::options("DeleteOptions", &[cause]));
        }
    };
    let grace = said.get("gracePeriodSeconds").and_then(Value::as_i64);
    let asked = call.parameter("gracePeriodSeconds");
    let dry = said.get("dryRun").and_then(Value::as_array);
    if dry.is_some_and(|dry| dry.iter().any(|word| word != "All")) {
        let cause = options::no_dry_run(&said["dryRun"]);
        return Err(Refusal::options("DeleteOptions", &[cause]));
    }
    Ok(Deletion {
        uid: text("/preconditions/uid").map(ToOwned::to_owned),
        resource_version: text("/preconditions/resourceVersion").map(ToOwned::to_owned),
        grace_seconds: grace.or_else(|| asked.and_then(|seconds| seconds.parse().ok())),
        propagation,
        is_dry_run: call.is_dry_run() || dry.is_some_and(|dry| !dry.is_empty()),
    })
}
