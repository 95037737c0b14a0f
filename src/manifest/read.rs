//! From a tree to what is wanted.

use std::collections::BTreeMap;

use super::{
    KindScope, Kinds, Scope, check, deployment,
    documents::{Document, Documents, documents},
};
use crate::{
    object::{Digest, Object, ObjectId, hint, mark},
    policy::PolicyFile,
    revision::{Fault, Located, Place, Position, Tree},
    yaml::Node,
};

/// What a commit wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// Its objects, sorted by identity; each is there once.
    pub objects: Vec<Located>,
    /// Its policy files.
    pub policies: Vec<PolicyFile>,
    /// What does not stop the commit but people should know.
    pub notes: Vec<String>,
}

/// Reads the files of a commit. An empty set is no error here.
///
/// # Errors
///
/// Returns every fault of every file, sorted by place.
pub fn read(tree: &Tree, scope: &Scope, kinds: Kinds<'_>) -> Result<Desired, Vec<Fault>> {
    let Documents {
        objects,
        policies,
        notes,
        mut faults,
    } = documents(tree);
    let defined = defined_kinds(&objects);
    let scope_of = |api_version: &str, kind: &str| {
        let group = group_of(api_version);
        defined
            .get(&(group, kind))
            .copied()
            .or_else(|| kinds(api_version, kind))
    };
    let mut desired = Desired {
        objects: Vec::new(),
        policies,
        notes,
    };
    for document in &objects {
        match located(document, scope, &scope_of, &mut desired.notes) {
            Ok(object) => desired.objects.push(object),
            Err(found) => faults.extend(found),
        }
    }
    faults.extend(twice(&mut desired.objects));
    if faults.is_empty() {
        faults.extend(unmatched(&desired));
    }
    faults.sort();
    faults.dedup();
    if faults.is_empty() {
        Ok(desired)
    } else {
        Err(faults)
    }
}

/// Returns the digest of what Git wants of an object: without the commit and the path that
/// tidegate writes on it.
#[must_use]
pub fn desired_hash(object: &Object) -> Digest {
    let mut bare = object.clone();
    for key in [mark::COMMIT, mark::SOURCE_PATH] {
        bare.remove(&["metadata", "annotations", key]);
    }
    let annotations = bare.at("/metadata/annotations");
    if annotations
        .and_then(|map| map.as_object())
        .is_some_and(serde_json::Map::is_empty)
    {
        bare.remove(&["metadata", "annotations"]);
    }
    Digest::of(bare.value())
}

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Returns the kinds that custom resource definitions of the commit bring, by group and kind.
fn defined_kinds<'a>(documents: &'a [Document<'_>]) -> BTreeMap<(&'a str, &'a str), KindScope> {
    let definition = |document: &'a Document<'_>| {
        let text = |path: &[&str]| document.node.at(path).and_then(Node::text);
        if text(&["kind"])? != "CustomResourceDefinition" {
            return None;
        }
        let scope = match text(&["spec", "scope"])? {
            "Cluster" => KindScope::Cluster,
            _ => KindScope::Namespaced,
        };
        Some((
            (text(&["spec", "group"])?, text(&["spec", "names", "kind"])?),
            scope,
        ))
    };
    documents.iter().filter_map(definition).collect()
}

fn located(
    document: &Document<'_>,
    scope: &Scope,
    kinds: Kinds<'_>,
    notes: &mut Vec<String>,
) -> Result<Located, Vec<Fault>> {
    let Document { path, node } = document;
    let mut found = check::faults(node);
    let object = Object::new(check::tidied(node.value()));
    if let (true, Some(mut object)) = (found.is_empty(), object) {
        let known = kinds(object.api_version(), object.kind());
        let place = Place::new(path, node.position);
        if known.is_none() {
            notes.push(format!(
                "{place}: the cluster does not know {} {} yet; it is taken to live in a namespace",
                object.api_version(),
                object.kind()
            ));
        }
        found = placement(node, &mut object, scope, known);
        if object.id().is_deployment() {
            found.extend(deployment::faults(node));
        }
        if found.is_empty() {
            notes.extend(unrolled(&object.id()).map(|note| format!("{place}: {note}")));
            return Ok(Located {
                object,
                place,
                annotations: own_annotations(node),
            });
        }
    }
    Err(found
        .into_iter()
        .map(|(at, message)| Fault::new(path, at, message))
        .collect())
}

/// Fills in the namespace and says what the scope forbids.
fn placement(
    node: &Node,
    object: &mut Object,
    scope: &Scope,
    known: Option<KindScope>,
) -> Vec<(Position, String)> {
    let namespace_at = node.position_of(&["metadata", "namespace"]);
    let mut found = Vec::new();
    match (
        known.unwrap_or(KindScope::Namespaced),
        object.namespace().map(ToOwned::to_owned),
    ) {
        (KindScope::Namespaced, None) => {
            object.set(
                &["metadata", "namespace"],
                scope.target_namespace.clone().into(),
            );
        }
        (KindScope::Namespaced, Some(namespace)) => {
            found.extend(
                scope
                    .refuses_namespace(&namespace)
                    .map(|message| (namespace_at, message)),
            );
        }
        (KindScope::Cluster, None) => {
            object.remove(&["metadata", "namespace"]);
        }
        (KindScope::Cluster, Some(_)) => {
            let message = format!(
                "a {} belongs to no namespace: remove metadata.namespace",
                object.kind()
            );
            found.push((namespace_at, message));
        }
    }
    let id = object.id();
    let kind_at = node.position_of(&["kind"]);
    found.extend(
        scope
            .refuses_kind(&id, known)
            .map(|message| (kind_at, message)),
    );
    let name_at = node.position_of(&["metadata", "name"]);
    found.extend(scope.refuses_own(&id).map(|message| (name_at, message)));
    found
}

fn own_annotations(node: &Node) -> BTreeMap<String, Position> {
    let annotations = node.at(&["metadata", "annotations"]);
    let entries = annotations.map(Node::entries).unwrap_or_default();
    let ours = entries
        .iter()
        .filter(|(key, _)| key.text.starts_with(mark::PREFIX));
    ours.map(|(key, _)| (key.text.clone(), key.position))
        .collect()
}

fn unrolled(id: &ObjectId) -> Option<String> {
    let is_bare = matches!(
        (id.group.as_str(), id.kind.as_str()),
        ("", "Pod" | "ReplicationController") | ("apps", "ReplicaSet")
    );
    is_bare.then(|| format!("{id} is applied as it is, not in batches: a Deployment would be"))
}

/// Sorts the objects and names each that is there twice, at its later place.
fn twice(objects: &mut [Located]) -> Vec<Fault> {
    objects.sort_by_cached_key(|located| (located.object.id(), located.place.clone()));
    let same = |pair: &&[Located]| pair[0].object.id() == pair[1].object.id();
    let fault = |pair: &[Located]| Fault {
        place: pair[1].place.clone(),
        message: format!(
            "{} is already at {}: keep one of them",
            pair[1].object.id(),
            pair[0].place
        ),
    };
    objects.windows(2).filter(same).map(fault).collect()
}

/// Names entries of policy files that mean no workload: a typo must not silently mean "no policy".
fn unmatched(desired: &Desired) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in &desired.policies {
        let below: Vec<ObjectId> = desired
            .objects
            .iter()
            .filter(|located| file.covers(&located.place.path))
            .map(|located| located.object.id())
            .collect();
        for (kind, name, place) in file.workloads() {
            let names = || {
                below
                    .iter()
                    .filter(|id| id.kind == kind)
                    .map(|id| id.name.as_str())
            };
            if !names().any(|have| have == name) {
                let hint = hint(name, names());
                let message =
                    format!("there is no {kind} `{name}` in this directory or below{hint}");
                faults.push(Fault {
                    place: place.clone(),
                    message,
                });
            }
        }
    }
    faults
}
