//! What differs between two objects, field by field, for people.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::object::{Object, mark};

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Path such as `spec.template.spec.containers[web].image`.
    pub path: String,
    /// The value before; `None` where the field comes.
    pub from: Option<Value>,
    /// The value after; `None` where the field goes.
    pub to: Option<Value>,
}

/// Annotations that change without the object: ours, and the count of a DaemonSet's templates.
const ASIDE: [&str; 5] = [
    mark::COMMIT,
    mark::SOURCE_PATH,
    mark::OWNER,
    mark::CHANGE_CAUSE,
    "deprecated.daemonset.template.generation",
];

/// What stands for a value of a Secret.
const NOT_SHOWN: &str = "(not shown)";

/// Returns the fields in which `after` differs from `before`, images first, then by path. What
/// only the API server writes (status, UID, versions, owners of fields) is left out; of a Secret
/// the keys are told and no value.
#[must_use]
pub fn diff(before: &Object, after: &Object) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", &shown(before), &shown(after), &mut changes);
    if before.api_version() == "v1" && before.kind() == "Secret" {
        changes.iter_mut().for_each(conceal);
    }
    changes.sort_by_key(|change| (!change.path.ends_with(".image"), change.path.clone()));
    changes
}

/// Hides what may hold a value of a Secret; an annotation may be a copy of the whole manifest.
fn conceal(change: &mut FieldChange) {
    let is_plain = matches!(change.path.as_str(), "type" | "immutable")
        || change.path.starts_with("metadata.labels");
    if is_plain {
        return;
    }
    for value in [&mut change.from, &mut change.to].into_iter().flatten() {
        *value = NOT_SHOWN.into();
    }
}

/// What people wrote of an object.
fn shown(object: &Object) -> Value {
    let mut value = object.value().clone();
    if let Some(map) = value.as_object_mut() {
        map.remove("status");
    }
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.retain(|key, _| key == "labels" || key == "annotations");
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| {
                !ASIDE.contains(&key.as_str()) && !key.starts_with("deployment.kubernetes.io/")
            });
        }
        if let Some(labels) = meta.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove(mark::GITSYNC);
        }
    }
    value
}

fn compare(path: &str, before: &Value, after: &Value, changes: &mut Vec<FieldChange>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let path = join(path, key);
                one(&path, old.get(key), new.get(key), changes);
            }
        }
        (Value::Array(old), Value::Array(new)) if is_named(old) && is_named(new) => {
            let names: BTreeSet<&str> = old.iter().chain(new).map(name).collect();
            for wanted in names {
                let find =
                    |list: &'_ [Value]| list.iter().find(|item| name(item) == wanted).cloned();
                one(
                    &format!("{path}[{wanted}]"),
                    find(old).as_ref(),
                    find(new).as_ref(),
                    changes,
                );
            }
        }
        (old, new) if old == new => {}
        (old, new) => changes.push(FieldChange {
            path: path.to_owned(),
            from: Some(old.clone()),
            to: Some(new.clone()),
        }),
    }
}

fn one(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    match (old, new) {
        (Some(old), Some(new)) => compare(path, old, new, changes),
        (None, None) => {}
        (old, new) => changes.push(FieldChange {
            path: path.to_owned(),
            from: old.cloned(),
            to: new.cloned(),
        }),
    }
}

/// A key with a dot or a slash is quoted, so that the path can be read.
fn join(path: &str, key: &str) -> String {
    let key = if key.contains(['.', '/']) {
        format!("\"{key}\"")
    } else {
        key.to_owned()
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

fn is_named(list: &[Value]) -> bool {
    let names: BTreeSet<&str> = list.iter().map(name).collect();
    names.len() == list.len() && !names.contains("")
}

fn name(item: &Value) -> &str {
    item.get("name").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn web(image: &str, replicas: u32) -> Object {
        Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "uid": image, "annotations": {mark::COMMIT: image}},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [
                {"name": "sidecar", "image": "log:1"}, {"name": "web", "image": image},
            ]}}},
            "status": {"replicas": 3},
        }))
        .unwrap()
    }

    #[test]
    fn images_come_first_and_what_the_server_writes_is_left_out() {
        let changes = diff(&web("web:1", 2), &web("web:2", 3));
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(
            paths,
            ["spec.template.spec.containers[web].image", "spec.replicas"]
        );
        assert_eq!(changes[0].to, Some(json!("web:2")));
        assert!(diff(&web("web:1", 2), &web("web:1", 2)).is_empty());
    }

    #[test]
    fn of_a_secret_no_value_is_shown() {
        let secret = |value: &str, label: &str| {
            let copy = format!("{{\"data\":{{\"key\":\"{value}\"}}}}");
            Object::new(json!({
                "apiVersion": "v1", "kind": "Secret", "data": {"key": value},
                "metadata": {"name": "token", "labels": {"app": label}, "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": copy,
                }},
            }))
            .unwrap()
        };
        let changes = diff(&secret("Y2FuYXJ5", "a"), &secret("b3RoZXI=", "b"));
        let told = serde_json::to_string(&changes).unwrap();
        assert!(
            !told.contains("Y2FuYXJ5") && !told.contains("b3RoZXI="),
            "{told}"
        );
        assert!(told.contains(r#""data.key""#), "{told}");
        assert!(
            told.contains(r#""metadata.labels.app","from":"a""#),
            "{told}"
        );
        let bare = Object::new(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"},
        }));
        let whole = diff(&bare.unwrap(), &secret("Y2FuYXJ5", "a"));
        let told = serde_json::to_string(&whole).unwrap();
        assert!(!told.contains("Y2FuYXJ5"), "{told}");
    }

    #[test]
    fn a_field_that_comes_or_goes_has_one_side_only() {
        let map = |data: Value| {
            Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}))
                .unwrap()
        };
        let changes = diff(&map(json!({"a.b": "1"})), &map(json!({"c": "2"})));
        assert_eq!(
            changes[0],
            FieldChange {
                path: "data.\"a.b\"".into(),
                from: Some(json!("1")),
                to: None
            }
        );
        assert_eq!(
            changes[1],
            FieldChange {
                path: "data.c".into(),
                from: None,
                to: Some(json!("2"))
            }
        );
    }
}
