//! Objects without what chance and the clock decide, so that those of two clusters can be compared.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Returns the objects of a namespace by kind and name. Hashes are counted in the order of their
/// revisions, random ends of names and times are left out; what a kubelet reports as well, since it
/// is the same stand-in on both sides.
pub(super) fn picture(namespace: &str, objects: Vec<Value>) -> BTreeMap<String, Value> {
    let hashes = hashes(&objects);
    let mut picture: BTreeMap<String, Value> = BTreeMap::new();
    let mut events: Vec<String> = Vec::new();
    let mut plain: Vec<(String, Value)> = Vec::new();
    for mut object in objects {
        strip(&mut object);
        let mut text = object.to_string();
        for (number, hash) in hashes.iter().enumerate() {
            text = text.replace(hash, &format!("#{number}"));
        }
        text = text.replace(&format!("\"{namespace}\""), "\"NAMESPACE\"");
        let mut object: Value = serde_json::from_str(&text).unwrap();
        if object["kind"] == "Event" {
            events.extend(event(&object));
            continue;
        }
        blur(&mut object);
        let kind = object["kind"].as_str().unwrap().to_owned();
        plain.push((kind, object));
    }
    plain.sort_by_cached_key(|(kind, object)| (kind.clone(), object.to_string()));
    for (kind, object) in plain {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let count = picture
            .keys()
            .filter(|key| key.starts_with(&format!("{kind} {name}/")));
        let key = format!("{kind} {name}/{}", count.count());
        picture.insert(key, object);
    }
    // How often depends on how far behind the cache of a real controller is.
    for event in events {
        picture.insert(format!("Event {event}"), json!("told"));
    }
    picture
}

/// The hashes of templates, in the order of their revisions.
fn hashes(objects: &[Value]) -> Vec<String> {
    let mut hashes: Vec<(i64, String)> = Vec::new();
    for object in objects {
        let labels = &object["metadata"]["labels"];
        let annotation = "deployment.kubernetes.io/revision";
        let revision = match object["kind"].as_str() {
            Some("ReplicaSet") => object["metadata"]["annotations"][annotation]
                .as_str()
                .and_then(|text| text.parse().ok()),
            Some("ControllerRevision") => object["revision"].as_i64(),
            _ => None,
        };
        let keys = [
            "pod-template-hash",
            "controller-revision-hash",
            "controller.kubernetes.io/hash",
        ];
        let hash = keys.iter().find_map(|key| labels[*key].as_str());
        if let (Some(revision), Some(hash)) = (revision, hash) {
            hashes.push((revision, hash.to_owned()));
        }
    }
    hashes.sort();
    hashes.into_iter().map(|(_, hash)| hash).collect()
}

/// Takes away what differs for no reason that matters.
fn strip(object: &mut Value) {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for key in ["uid", "resourceVersion", "creationTimestamp", "selfLink"] {
        metadata.remove(key);
    }
    if kind == "Pod" {
        let whole = object.as_object_mut().unwrap();
        whole.remove("status");
        whole["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("managedFields");
        let zone = "topology.kubernetes.io/zone";
        if let Some(zone) = object["metadata"]["labels"].get_mut(zone) {
            *zone = json!("ZONE");
        }
        for key in ["nodeName", "serviceAccount", "serviceAccountName"] {
            object["spec"].as_object_mut().unwrap().remove(key);
        }
    }
    if kind == "ReplicaSet"
        && object["metadata"]["generation"] == object["status"]["observedGeneration"]
    {
        // In how many steps it got there depends on how far behind the real controller's cache was.
        object["metadata"]["generation"] = json!("seen");
        object["status"]["observedGeneration"] = json!("seen");
    }
    if kind == "PersistentVolumeClaim" {
        object["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("finalizers");
    }
}

/// Blurs times, UIDs and random names; puts lists without an order into one.
fn blur(object: &mut Value) {
    if object["kind"] == "Pod" && object["metadata"]["generateName"].is_string() {
        let stem = object["metadata"]["generateName"]
            .as_str()
            .unwrap()
            .to_owned();
        object["metadata"]["name"] = format!("{stem}?").into();
    }
    // Of these the API server knows fields that it sets itself, or none of the content.
    let is_special = ["ControllerRevision", "DaemonSet", "Job"];
    let is_special = is_special.iter().any(|kind| object["kind"] == *kind);
    let fields = object["metadata"]["managedFields"].as_array_mut();
    if let Some(fields) = fields {
        for entry in fields.iter_mut().filter(|_| is_special) {
            entry.as_object_mut().unwrap().remove("fieldsV1");
        }
        fields.sort_by_cached_key(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            (text("manager"), text("operation"), text("subresource"))
        });
    }
    let conditions = object
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut);
    if let Some(conditions) = conditions {
        conditions.sort_by_cached_key(|condition| condition["type"].to_string());
        // Which set it names depends on whether the real controller saw the change between two.
        let named = conditions
            .iter_mut()
            .filter(|one| one["type"] == "Progressing");
        named.for_each(|condition| condition["message"] = json!("PROGRESS"));
    }
    blur_texts(object);
}

fn blur_texts(value: &mut Value) {
    match value {
        Value::String(text) => {
            if text.parse::<jiff::Timestamp>().is_ok() {
                "TIME".clone_into(text);
            } else if is_uid(text) {
                "UID".clone_into(text);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(blur_texts),
        Value::Object(fields) => {
            let old = std::mem::take(fields);
            for (key, mut value) in old {
                blur_texts(&mut value);
                let key = match key.strip_prefix("k:{\"uid\":\"") {
                    Some(_) => "k:{\"uid\":\"UID\"}".to_owned(),
                    None => key,
                };
                fields.insert(key, value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_uid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
}

/// What an Event of a controller says; `None` for those of nodes and scheduler, and for trouble
/// that real controllers have with their own haste.
fn event(event: &Value) -> Option<String> {
    let about = event["involvedObject"]["kind"].as_str()?;
    let reason = event["reason"].as_str()?;
    let mut message = event["message"].as_str()?.to_owned();
    if ["Scheduled", "FailedScheduling", "FailedUpdateStatus"].contains(&reason) {
        return None;
    }
    for start in ["Created pod: ", "Deleted pod: "] {
        if message.contains(start) {
            start.clone_into(&mut message);
        }
    }
    if reason == "ScalingReplicaSet" {
        message = message.replace("(combined from similar events): ", "");
        message = message
            .split(" from ")
            .next()
            .unwrap_or_default()
            .to_owned();
    }
    // The hashes of sets that are gone already.
    let words = message.split(' ').map(|word| {
        let hash = word.strip_prefix("web-").unwrap_or_default();
        let hash = hash.trim_end_matches('-');
        let is_hash = hash.len() > 5 && hash.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_hash { "web-#?" } else { word }
    });
    let message = words.collect::<Vec<_>>().join(" ");
    let source = event["source"]["component"].as_str()?;
    if source == "kubelet" {
        // The stand-in of the real control plane tells none.
        return None;
    }
    let kind = event["type"].as_str()?;
    Some(format!("{source} {kind} {about} {reason}: {message}"))
}
