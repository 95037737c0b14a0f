//! Names, namespaces, labels, finalizers (`apimachinery/pkg/api/validation`).

use serde_json::{Value, json};

use super::Causes;
use crate::sim::kind::Resource;
use crate::sim::naming::{wrong_label, wrong_qualified, wrong_subdomain, wrong_value};
use crate::sim::refusal::Cause;

/// Finalizers that need no prefix (`helper.IsStandardFinalizerName`).
const FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Kinds whose names are labels of DNS; those of RBAC may be anything.
const NAMED_BY_LABEL: &[&str] = &["Namespace", "Service"];

pub(super) fn check(resource: &Resource, object: &Value, causes: &mut Causes) {
    let name = object.pointer("/metadata/name");
    let name = name.and_then(Value::as_str).unwrap_or_default();
    let is_free = resource.kind.group == "rbac.authorization.k8s.io";
    if NAMED_BY_LABEL.contains(&resource.kind.name.as_ref()) {
        if let Some(detail) = wrong_label(name) {
            causes.push(Cause::invalid("metadata.name", &json!(name), &detail));
        }
    } else if !is_free && let Some(detail) = wrong_subdomain(name) {
        causes.push(Cause::invalid("metadata.name", &json!(name), &detail));
    }
    check_labels(object, "metadata", causes);
    check_annotations(object, causes);
    check_finalizer_names(object, causes);
    check_owners(object, causes);
}

/// Checks the keys of annotations, which may be written in any case.
fn check_annotations(object: &Value, causes: &mut Causes) {
    let annotations = object.pointer("/metadata/annotations");
    for key in annotations
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|annotations| annotations.keys())
    {
        // Their prefixes may be written in any case.
        for detail in wrong_qualified(&key.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &json!(key), &detail));
        }
    }
}

/// Checks that owners are named whole and that one of them at most controls.
fn check_owners(object: &Value, causes: &mut Causes) {
    let owners = object.pointer("/metadata/ownerReferences");
    let owners = owners.and_then(Value::as_array);
    let owners = owners.map_or(&[][..], Vec::as_slice);
    for owner in owners {
        let needed = [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ];
        for (key, detail) in needed {
            if owner[key].as_str().unwrap_or_default().is_empty() {
                let field = format!("metadata.ownerReferences.{key}");
                causes.push(Cause::invalid(field, &json!(""), detail));
            }
        }
    }
    let mut masters = owners.iter().filter(|owner| owner["controller"] == true);
    if let (Some(one), Some(other)) = (masters.next(), masters.next()) {
        let text = |owner: &Value, key: &str| owner[key].as_str().unwrap_or_default().to_owned();
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for \
             {}/{} and {}/{}",
            text(one, "kind"),
            text(one, "name"),
            text(other, "kind"),
            text(other, "name"),
        );
        causes.push(Cause::invalid(
            "metadata.ownerReferences",
            &json!(owners),
            &detail,
        ));
    }
}

/// Checks labels below `path`, a path of keys.
pub(super) fn check_labels(object: &Value, path: &str, causes: &mut Causes) {
    let pointer = format!("/{}/labels", path.replace('.', "/"));
    let labels = object.pointer(&pointer).and_then(Value::as_object);
    for (key, value) in labels.into_iter().flatten() {
        let field = format!("{path}.labels");
        for detail in wrong_qualified(key) {
            causes.push(Cause::invalid(field.clone(), &json!(key), &detail));
        }
        let text = value.as_str().unwrap_or_default();
        if let Some(detail) = wrong_value(text) {
            causes.push(Cause::invalid(field, value, &detail));
        }
    }
}

/// Checks the names of finalizers: those of others than Kubernetes have a prefix.
fn check_finalizer_names(object: &Value, causes: &mut Causes) {
    let names = object.pointer("/metadata/finalizers");
    let names = names.and_then(Value::as_array).into_iter().flatten();
    for (at, name) in names.enumerate() {
        let name = name.as_str().unwrap_or_default();
        let wrong = wrong_qualified(name);
        let field = format!("metadata.finalizers[{at}]");
        if wrong.is_empty() && !name.contains('/') && !FINALIZERS.contains(&name) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid(&field, &json!(name), detail));
        }
        for detail in wrong {
            causes.push(Cause::invalid(&field, &json!(name), &detail));
        }
    }
}

/// Checks the metadata of an object that was there (`ValidateObjectMetaAccessorUpdate`).
pub(super) fn check_changed(was: &Value, now: &Value, causes: &mut Causes) {
    check_labels(now, "metadata", causes);
    check_annotations(now, causes);
    check_finalizer_names(now, causes);
    check_finalizers(was, now, causes);
}

/// Nothing new may hold an object that is being deleted.
fn check_finalizers(was: &Value, now: &Value, causes: &mut Causes) {
    if was.pointer("/metadata/deletionTimestamp").is_none() {
        return;
    }
    let list = |object: &Value| {
        let list = object.pointer("/metadata/finalizers");
        list.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let before = list(was);
    let mut new = list(now);
    new.retain(|name| !before.contains(name));
    if !new.is_empty() {
        let names: Vec<&str> = new.iter().filter_map(Value::as_str).collect();
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers \
             []string{{{}}}",
            names
                .iter()
                .map(|name| format!("{name:?}"))
                .collect::<Vec<_>>()
                .join(", ")
        );
        causes.push(Cause::forbidden("metadata.finalizers", &detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_kubernetes_refuses_are_refused() {
        let mut causes = Vec::new();
        let object = json!({"metadata": {"labels": {"app": "web app", "fine/a": "B_1"}}});
        check_labels(&object, "metadata", &mut causes);
        assert_eq!(causes.len(), 1);
        assert!(
            causes[0]
                .message
                .starts_with("Invalid value: \"web app\": a valid label")
        );
    }

    #[test]
    fn keys_and_finalizers_are_qualified_names() {
        let told = |metadata: Value| {
            let mut causes = Vec::new();
            let object = json!({"metadata": metadata});
            check_annotations(&object, &mut causes);
            check_finalizer_names(&object, &mut causes);
            causes
        };
        assert_eq!(
            told(json!({"annotations": {"A.b/C": ""}, "finalizers": ["orphan"]})),
            []
        );
        for metadata in [
            json!({"annotations": {"bad key": ""}}),
            json!({"annotations": {"a/b/c": ""}}),
            json!({"finalizers": ["foo"]}),
            json!({"finalizers": ["a/b c"]}),
        ] {
            assert_eq!(told(metadata.clone()).len(), 1, "{metadata}");
        }
    }
}
