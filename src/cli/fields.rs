//! Field names and types of files, without a cluster: by the types that this program carries, which
//! are those of the simulated one.

use std::sync::LazyLock;

use serde_json::Value;

use crate::manifest;
use crate::revision::{Fault, Tree};
use crate::sim::kind::{Kind, Registry, Version};
use crate::sim::schema::{first_mistake, misfits};

/// The version of Kubernetes that these types are of (`k8s-openapi` in `Cargo.toml`).
pub(super) const KUBERNETES: &str = "1.33";

/// What was found of fields and types.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// What the API server of that version would refuse.
    pub(super) faults: Vec<Fault>,
    /// What could not be judged.
    pub(super) notes: Vec<String>,
}

/// Checks all documents that can be read. To be called [`on_deep_stack`](crate::sync::on_deep_stack).
pub(super) fn fields(tree: &Tree) -> Fields {
    let opened = manifest::open(tree);
    let mut found = Fields::default();
    for (place, document) in opened.documents() {
        let text = |key: &str| document[key].as_str().unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let Some(version) = version(api_version, kind) else {
            found.notes.push(format!(
                "{place}: fields of {api_version} {kind} are not checked: these types do not have it"
            ));
            continue;
        };
        let faults = of_one(&version, &document);
        let of = format!("{kind} of Kubernetes {KUBERNETES}");
        found.faults.extend(faults.into_iter().map(|(path, words)| {
            let at = opened.position_of(&place, &path);
            let words = if path.is_empty() {
                format!("as {of}: {words}")
            } else {
                format!("{path}: {words} (as {of})")
            };
            Fault::new(&place.path, at, words)
        }));
    }
    found
}

/// The type of a kind, where this program has it.
fn version(api_version: &str, kind: &str) -> Option<Version> {
    static KINDS: LazyLock<Registry> = LazyLock::new(Registry::new);
    let resource = KINDS.get(&Kind::named(api_version, kind))?;
    let version = api_version.rsplit('/').next()?;
    resource.version(version).cloned()
}

/// What does not fit, each with its path; else what its values cannot mean.
fn of_one(version: &Version, document: &Value) -> Vec<(String, String)> {
    let found = misfits(&version.schema, document);
    if !found.is_empty() {
        let found = found.into_iter();
        return found.map(|one| (one.path, one.words)).collect();
    }
    let definition = version.definition.as_deref();
    let mistake = definition.and_then(|definition| first_mistake(definition, document));
    mistake
        .map(|words| (String::new(), words))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::File;

    fn found(text: &str) -> (Vec<String>, Vec<String>) {
        let tree = Tree {
            root: String::new(),
            files: vec![File {
                path: "a.yaml".to_owned(),
                bytes: text.as_bytes().to_vec(),
            }],
            unread: Vec::new(),
            notes: Vec::new(),
        };
        let found = fields(&tree);
        let faults = found.faults.iter().map(ToString::to_string).collect();
        (faults, found.notes)
    }

    #[test]
    fn a_typo_is_told_where_it_stands() {
        let (faults, notes) = found(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  port: 80\n  a.b: c\n\
             ---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  port:\n  - 80\n",
        );
        assert_eq!(
            faults,
            [
                "a.yaml:5:3: data[port]: it has to be a text, and is a number: quote it if a text \
                 is meant (as ConfigMap of Kubernetes 1.33)",
                "a.yaml:12:3: spec.port: there is no field `port` here; did you mean `ports`? (as \
                 Service of Kubernetes 1.33)",
            ]
        );
        assert_eq!(notes, [""; 0]);
    }

    #[test]
    fn a_quantity_that_is_none_is_told() {
        let (faults, _) = found(
            "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\n\
             spec: {hard: {pods: many}}\n",
        );
        assert!(faults[0].contains("quantities must match"), "{faults:?}");
    }

    #[test]
    fn a_kind_without_types_is_named() {
        let (faults, notes) = found("apiVersion: a.b/v1\nkind: Boat\nmetadata: {name: a}\n");
        assert_eq!(faults, [""; 0]);
        assert_eq!(
            notes,
            ["a.yaml:1:1: fields of a.b/v1 Boat are not checked: these types do not have it"]
        );
    }
}
