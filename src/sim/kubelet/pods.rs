//! What is read of pods and written to them.

use serde_json::Value;

use super::conduct::{Conduct, Look, SETTINGS};
use crate::object::Object;
use crate::sim::controller::Events;
use crate::sim::kind::Kind;
use crate::sim::store::{Actor, Deletion, Part, Store};

/// Returns namespace and name.
fn place(pod: &Object) -> (&str, &str) {
    let name = pod.text("/metadata/name").unwrap_or_default();
    (pod.namespace().unwrap_or_default(), name)
}

/// What a pod does, and the image that says so.
pub(super) fn conduct(pod: &Object) -> (Conduct, &str) {
    let image = pod.text("/spec/containers/0/image").unwrap_or_default();
    let variables = pod.at("/spec/containers/0/env").and_then(Value::as_array);
    let variables = variables.into_iter().flatten();
    let variables: Vec<&str> = variables.filter_map(|one| one["name"].as_str()).collect();
    (Conduct::of(image, &variables), image)
}

/// Says whether the settings are there that some pods need.
pub(super) fn has_settings(store: &Store, pod: &Object) -> bool {
    let (name, key, value) = SETTINGS;
    let namespace = pod.namespace().unwrap_or_default();
    let settings = store.get(&Kind::CONFIG_MAP, namespace, name);
    let said = settings.and_then(|map| map.at("/data")?.get(key)?.as_str());
    said == Some(value)
}

/// Writes the fields of a status into that of a pod; one that is gone needs none.
pub(super) fn say(store: &mut Store, pod: &Object, manager: &str, patch: &Value) {
    let actor = Actor::new(manager).on(Part::Status);
    let (namespace, name) = place(pod);
    let fields = patch["status"].as_object();
    let _gone = store.change(&actor, (&Kind::POD, namespace, name), |pod| {
        for (key, value) in fields.into_iter().flatten() {
            pod["status"][key] = value.clone();
        }
    });
}

/// Tells in an Event what is wrong with a pod.
pub(super) fn complain(store: &mut Store, events: &mut Events, pod: &Object, look: &Look) {
    let (namespace, name) = place(pod);
    let container = pod.text("/spec/containers/0/name").unwrap_or_default();
    let whole = format!("{name}_{namespace}({})", pod.uid().unwrap_or_default());
    if let Some((reason, message)) = look.complaint(container, &whole) {
        events.tell(store, "kubelet", pod, ("Warning", reason, &message));
    }
}

/// Ends a pod whose grace is over.
pub(super) fn end(store: &mut Store, uid: &str, (namespace, name): &(String, String)) {
    let deletion = Deletion {
        uid: Some(uid.to_owned()),
        grace_seconds: Some(0),
        ..Deletion::default()
    };
    // It may be gone already.
    let _gone = store.delete(&Kind::POD, namespace, name, &deletion);
}

/// Deletes a pod whose node has been lost for longer than it tolerates.
pub(super) fn evict(store: &mut Store, pod: &Object) {
    if !pod.is_terminating() {
        let (namespace, name) = place(pod);
        let deletion = Deletion {
            uid: pod.uid().map(ToOwned::to_owned),
            ..Deletion::default()
        };
        let _gone = store.delete(&Kind::POD, namespace, name, &deletion);
    }
}
