//! What every object must have and may not have.

use serde_json::Value;

use super::api;
use crate::{
    object::{hint, is_rolled, mark},
    revision::Position,
    yaml::Node,
};

/// Fields of `metadata` that a cluster writes.
const WRITTEN_BY_CLUSTER: [&str; 8] = [
    "uid",
    "resourceVersion",
    "managedFields",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
];

/// Collects what is wrong with one document.
pub(super) struct Check<'a> {
    node: &'a Node,
    faults: Vec<(Position, String)>,
}

/// Returns what is wrong with the document; an object without faults has `apiVersion`, `kind`,
/// and a valid name.
pub(super) fn faults(node: &Node) -> Vec<(Position, String)> {
    let mut check = Check {
        node,
        faults: Vec::new(),
    };
    if !node.is_map() {
        check.fault(
            &[],
            format!("the document is {}, not an object", node.noun()),
        );
    } else if node.at(&["sops"]).is_some() {
        let message = "the document is encrypted by SOPS, which is not supported: its ciphertext \
                       would be applied as it is";
        check.fault(&["sops"], message);
    } else {
        check.kind();
        check.name();
        check.left_by_a_cluster();
        for place in ["labels", "annotations"] {
            check.texts(place);
        }
        check.marks();
    }
    check.faults
}

impl Check<'_> {
    fn fault(&mut self, path: &[&str], message: impl Into<String>) {
        self.faults
            .push((self.node.position_of(path), message.into()));
    }

    /// Returns the text at a path; a missing or empty one, or no text, is a fault.
    fn required(&mut self, path: &[&str]) -> Option<String> {
        let name = path.join(".");
        let (fault, text) = match self.node.at(path) {
            None => (format!("{name} is missing: add it"), None),
            Some(node) => match node.text() {
                Some("") => (format!("{name} is empty: write it"), None),
                Some(text) => (String::new(), Some(text.to_owned())),
                None if node.is_null() => (format!("{name} is empty: write it"), None),
                None => (
                    format!(
                        "{name} is {}, not a string: write it in quotes",
                        node.noun()
                    ),
                    None,
                ),
            },
        };
        if text.is_none() {
            self.fault(path, fault);
        }
        text
    }

    fn kind(&mut self) {
        let api_version = self.required(&["apiVersion"]);
        let kind = self.required(&["kind"]);
        let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric());
        if let Some(text) = api_version.as_deref().filter(|text| !is_api_version(text)) {
            self.fault(
                &["apiVersion"],
                format!(
                    "`{text}` is no API version such as apps/v1{}",
                    leftover(text)
                ),
            );
        }
        if let Some(text) = kind.as_deref().filter(|text| !is_word(text)) {
            self.fault(
                &["kind"],
                format!("`{text}` is no kind such as Deployment{}", leftover(text)),
            );
        }
        if let Some(message) = api_version
            .zip(kind)
            .and_then(|(api, kind)| api::removed(&api, &kind))
        {
            self.fault(&["apiVersion"], message);
        }
    }

    fn name(&mut self) {
        let path = ["metadata", "name"];
        if let Some(metadata) = self.node.at(&["metadata"]).filter(|node| !node.is_map()) {
            let message = format!("metadata is {}, not a map", metadata.noun());
            return self.fault(&["metadata"], message);
        }
        if self.node.at(&["metadata", "generateName"]).is_some() {
            let message = "generateName makes another object at every apply: write metadata.name";
            return self.fault(&["metadata", "generateName"], message);
        }
        let Some(name) = self.required(&path) else {
            return;
        };
        let text = |key: &str| {
            self.node
                .at(&[key])
                .and_then(Node::text)
                .unwrap_or_default()
        };
        if let Some(rule) = broken_rule(&name, text("apiVersion"), text("kind")) {
            self.fault(
                &path,
                format!("`{name}` is no valid name: {rule}{}", leftover(&name)),
            );
        }
        if let Some(namespace) = self
            .node
            .at(&["metadata", "namespace"])
            .filter(|node| !node.is_null())
        {
            match namespace.text() {
                Some(text) if text.is_empty() || is_label(text) => {}
                Some(text) => {
                    let message =
                        format!("`{text}` is no valid namespace: {LABEL}{}", leftover(text));
                    self.fault(&["metadata", "namespace"], message);
                }
                None => {
                    let message = format!(
                        "metadata.namespace is {}, not a string: write it in quotes",
                        namespace.noun()
                    );
                    self.fault(&["metadata", "namespace"], message);
                }
            }
        }
    }

    /// Fields that come along when an object is copied out of a cluster.
    fn left_by_a_cluster(&mut self) {
        for field in WRITTEN_BY_CLUSTER {
            let path = ["metadata", field];
            if self.node.at(&path).is_some_and(|node| !node.is_null()) {
                self.fault(
                    &path,
                    format!("metadata.{field} is written by the cluster: remove it"),
                );
            }
        }
        let is_empty = |node: &Node| node.is_null() || node.is_map() && node.entries().is_empty();
        if self
            .node
            .at(&["status"])
            .is_some_and(|node| !is_empty(node))
        {
            self.fault(&["status"], "status is written by the cluster: remove it");
        }
        let owners = ["metadata", "ownerReferences"];
        if self
            .node
            .at(&owners)
            .and_then(Node::items)
            .is_some_and(|items| !items.is_empty())
        {
            let message = "metadata.ownerReferences names the UID of another object, which no \
                           other cluster knows: remove it";
            self.fault(&owners, message);
        }
    }

    /// Labels and annotations are maps of strings.
    fn texts(&mut self, place: &str) {
        let Some(map) = self
            .node
            .at(&["metadata", place])
            .filter(|node| !node.is_null())
        else {
            return;
        };
        if !map.is_map() {
            let message = format!("metadata.{place} is {}, not a map", map.noun());
            return self.fault(&["metadata", place], message);
        }
        for (key, value) in map.entries() {
            if value.text().is_none() {
                let message = format!(
                    "`{}` is {}, not a string: write it in quotes",
                    key.text,
                    value.noun()
                );
                self.faults.push((key.position, message));
            }
        }
    }

    /// Our own labels and annotations.
    fn marks(&mut self) {
        let kind = self
            .node
            .at(&["kind"])
            .and_then(Node::text)
            .unwrap_or_default();
        for place in ["labels", "annotations"] {
            let Some(map) = self.node.at(&["metadata", place]) else {
                continue;
            };
            let ours = map
                .entries()
                .iter()
                .filter(|(key, _)| key.text.starts_with(mark::PREFIX));
            for (key, value) in ours {
                if let Some(message) = mark_fault(&key.text, value.text(), place, kind) {
                    self.faults.push((key.position, message));
                }
            }
        }
    }
}

/// Says what is wrong with one of our keys; what a policy says is read by `policy`.
fn mark_fault(key: &str, value: Option<&str>, place: &str, kind: &str) -> Option<String> {
    let is_policy = key
        .strip_prefix(mark::ROLLOUT)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if [mark::GITSYNC, mark::OWNER, mark::COMMIT, mark::SOURCE_PATH].contains(&key) {
        Some(format!("`{key}` is written by tidegate: remove it"))
    } else if mark::request::ALL.contains(&key) {
        Some(format!(
            "`{key}` is a request to the agent and no part of a manifest: remove it"
        ))
    } else if !is_policy && key != mark::PRUNE {
        let hint = hint(key, [mark::PRUNE, mark::ROLLOUT]);
        Some(format!("`{key}` is unknown to tidegate{hint}"))
    } else if place == "labels" {
        Some(format!(
            "`{key}` is an annotation, not a label: move it to metadata.annotations"
        ))
    } else if key == mark::PRUNE && value.is_some_and(|value| value != "Disabled") {
        Some(format!(
            "`{key}` can only be `Disabled`: write that or remove it"
        ))
    } else if is_policy && !is_rolled(kind) {
        Some(format!(
            "`{key}` has no effect on a {kind}: only a Deployment, a StatefulSet or a DaemonSet is \
             rolled; remove it"
        ))
    } else {
        None
    }
}

const LABEL: &str = "it must be at most 63 lower-case letters, digits and `-`, and start and end with \
                     a letter or digit";
const SUBDOMAIN: &str = "it must be at most 253 lower-case letters, digits, `-` and `.`, and each part \
                         must start and end with a letter or digit";

/// Says which rule of Kubernetes for names of the kind is broken.
fn broken_rule(name: &str, api_version: &str, kind: &str) -> Option<&'static str> {
    let (group, _) = api_version.split_once('/').unwrap_or_default();
    match (group, kind) {
        ("rbac.authorization.k8s.io", _) => {
            (matches!(name, "." | "..") || name.contains(['/', '%']))
                .then_some("it must not be `.` or `..`, nor hold `/` or `%`")
        }
        ("", "Service") => (!is_label(name) || name.starts_with(|c: char| c.is_ascii_digit())).then_some(
            "it must be at most 63 lower-case letters, digits and `-`, start with a letter and end \
             with a letter or digit",
        ),
        ("", "Namespace") => (!is_label(name)).then_some(LABEL),
        _ => (!is_subdomain(name)).then_some(SUBDOMAIN),
    }
}

/// Says whether it is `version` or `group/version`: the version a DNS label that starts with a
/// letter, the group a DNS subdomain, as of a custom resource definition.
fn is_api_version(text: &str) -> bool {
    let (group, version) = match text.split_once('/') {
        Some((group, version)) => (Some(group), version),
        None => (None, text),
    };
    group.is_none_or(is_subdomain)
        && is_label(version)
        && version.starts_with(|c: char| c.is_ascii_lowercase())
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

fn is_part(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    is_end(text.chars().next())
        && is_end(text.chars().next_back())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Says that a word looks like a variable that nobody filled in.
fn leftover(word: &str) -> &'static str {
    if word.contains("${") || word.contains("{{") || word.contains("$(") {
        "; it looks like a variable that nobody filled in"
    } else {
        ""
    }
}

/// Removes what `kubectl create --dry-run` leaves: an empty status, a null creation time.
pub(super) fn tidied(mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in WRITTEN_BY_CLUSTER {
                metadata.remove(field);
            }
        }
    }
    value
}
