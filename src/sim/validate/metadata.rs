//! Names, namespaces, labels, finalizers (`apimachinery/pkg/api/validation`).

use serde_json::{Value, json};

use super::Causes;
use crate::sim::kind::Resource;
use crate::sim::refusal::Cause;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
    'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters \
    or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', \
    regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric \
    characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
    'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const LABEL_KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and \
    must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or \
    '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

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
        let name = key.rsplit_once('/').map_or(key.as_str(), |(_, name)| name);
        if !is_word(name) {
            causes.push(Cause::invalid(
                "metadata.annotations",
                &json!(key),
                LABEL_KEY,
            ));
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
        let name = key.rsplit_once('/').map_or(key.as_str(), |(_, name)| name);
        if !is_word(name) {
            causes.push(Cause::invalid(field.clone(), &json!(key), LABEL_KEY));
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            causes.push(Cause::invalid(
                field,
                value,
                "must be no more than 63 bytes",
            ));
        } else if !text.is_empty() && !is_word(text) {
            causes.push(Cause::invalid(field, value, LABEL_VALUE));
        }
    }
}

/// Nothing new may hold an object that is being deleted.
pub(super) fn check_finalizers(was: &Value, now: &Value, causes: &mut Causes) {
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

/// Letters, digits, `-_.`, the ends letters or digits.
fn is_word(text: &str) -> bool {
    let is_end = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    is_end(text.chars().next()) && is_end(text.chars().next_back()) && text.chars().all(is_fine)
}

/// Returns what is wrong with a text as a DNS label.
pub(super) fn wrong_label(text: &str) -> Option<String> {
    if text.len() > 63 {
        return Some("must be no more than 63 bytes".to_owned());
    }
    (!is_label(text)).then(|| LABEL.to_owned())
}

fn wrong_subdomain(text: &str) -> Option<String> {
    if text.len() > 253 {
        return Some("must be no more than 253 characters".to_owned());
    }
    (!text.split('.').all(is_label)).then(|| SUBDOMAIN.to_owned())
}

fn is_label(text: &str) -> bool {
    let is_low = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let ends = [text.chars().next(), text.chars().next_back()];
    ends.iter().all(|end| end.is_some_and(is_low))
        && text.chars().all(|letter| is_low(letter) || letter == '-')
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
    fn names_are_labels_or_subdomains() {
        assert_eq!(wrong_label("web"), None);
        assert!(wrong_label("web.a").is_some());
        assert_eq!(wrong_subdomain("web.a"), None);
        assert!(wrong_subdomain("Web").is_some());
    }
}
