//! From a tree to what is wanted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    KindScope, Kinds, Scope, check, deployment,
    documents::{Document, Documents, documents},
    path,
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

/// What the files of a commit hold, read but not yet judged.
pub struct Opened {
    documents: Documents,
    /// The kinds that custom resource definitions of the commit bring, by group and kind.
    defined: BTreeMap<(String, String), KindScope>,
}

/// Reads the files of a commit. Needs [`super::STACK`] bytes of stack.
#[must_use]
pub fn open(tree: &Tree) -> Opened {
    let documents = documents(tree);
    Opened {
        defined: defined_kinds(&documents.objects),
        documents,
    }
}

impl Opened {
    /// Returns the kinds whose scope only the cluster can tell, as `apiVersion` and `kind`: those of
    /// all objects without a fault, but for what the commit defines itself.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<(String, String)> {
        let sound = self.documents.objects.iter();
        let sound = sound.filter(|document| document.faults.is_empty());
        let kind = |document: &Document| {
            let text = |key| Some(document.node.at(&[key])?.text()?.to_owned());
            Some((text("apiVersion")?, text("kind")?))
        };
        sound
            .filter_map(kind)
            .filter(|(api_version, kind)| self.defined(api_version, kind).is_none())
            .collect()
    }

    /// Returns what can be read, each document with where it starts.
    pub fn documents(&self) -> impl Iterator<Item = (Place, Value)> {
        self.documents.objects.iter().map(|document| {
            let place = Place::new(&document.path, document.node.position);
            (place, check::tidied(document.node.value()))
        })
    }

    fn defined(&self, api_version: &str, kind: &str) -> Option<KindScope> {
        let key = (group_of(api_version).to_owned(), kind.to_owned());
        self.defined.get(&key).copied()
    }

    /// Says what the commit wants. An empty set is no error here.
    ///
    /// # Errors
    ///
    /// Returns every fault of every file, sorted by place.
    pub fn judge(self, scope: &Scope, kinds: Kinds<'_>) -> Result<Desired, Vec<Fault>> {
        let (desired, faults) = self.sift(scope, kinds);
        if faults.is_empty() {
            Ok(desired)
        } else {
            Err(faults)
        }
    }

    /// Says what the sound part of the commit wants, and returns every fault of every file, sorted
    /// by place. Where there is a fault, nothing may be applied.
    #[must_use]
    pub fn sift(mut self, scope: &Scope, kinds: Kinds<'_>) -> (Desired, Vec<Fault>) {
        let documents = std::mem::take(&mut self.documents);
        let scope_of = |api_version: &str, kind: &str| {
            self.defined(api_version, kind)
                .or_else(|| kinds(api_version, kind))
        };
        let mut faults = documents.faults;
        let mut desired = Desired {
            objects: Vec::new(),
            policies: documents.policies,
            notes: documents.notes,
        };
        for document in documents.objects {
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
        (desired, faults)
    }

    /// Returns where the document that starts at `place` has a field, as the API server writes its
    /// path, or the deepest part of the path that is there.
    #[must_use]
    pub fn position_of(&self, place: &Place, field: &str) -> Position {
        let mut documents = self.documents.objects.iter();
        let document = documents
            .find(|found| found.path == place.path && found.node.position == place.position);
        document.map_or(place.position, |found| path::position(&found.node, field))
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

fn defined_kinds(documents: &[Document]) -> BTreeMap<(String, String), KindScope> {
    let definition = |document: &Document| {
        let text = |path: &[&str]| document.node.at(path).and_then(Node::text);
        if text(&["kind"])? != "CustomResourceDefinition" {
            return None;
        }
        let scope = match text(&["spec", "scope"])? {
            "Cluster" => KindScope::Cluster,
            _ => KindScope::Namespaced,
        };
        let (group, kind) = (text(&["spec", "group"])?, text(&["spec", "names", "kind"])?);
        Some(((group.to_owned(), kind.to_owned()), scope))
    };
    documents.iter().filter_map(definition).collect()
}

fn located(
    document: Document,
    scope: &Scope,
    kinds: Kinds<'_>,
    notes: &mut Vec<String>,
) -> Result<Located, Vec<Fault>> {
    let Document {
        path,
        node,
        faults: mut found,
    } = document;
    let object = Object::new(check::tidied(node.value()));
    if let (true, Some(mut object)) = (found.is_empty(), object) {
        let known = kinds(object.api_version(), object.kind());
        let place = Place::new(&path, node.position);
        if known.is_none() {
            notes.push(format!(
                "{place}: the cluster does not know {} {} yet; it is taken to live in a namespace",
                object.api_version(),
                object.kind()
            ));
        }
        found = placement(&node, &mut object, scope, known);
        if object.id().is_workload() {
            found.extend(deployment::faults(&node));
        }
        if found.is_empty() {
            notes.extend(unrolled(&object.id()).map(|note| format!("{place}: {note}")));
            return Ok(Located {
                object,
                place,
                annotations: own_annotations(&node),
            });
        }
    }
    Err(found
        .into_iter()
        .map(|(at, message)| Fault::new(&path, at, message))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::revision::File;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        Tree {
            root: String::new(),
            files: files.iter().map(file).collect(),
            unread: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn scope() -> Scope {
        Scope {
            target_namespace: "shop".to_owned(),
            ..Scope::default()
        }
    }

    fn read_all(files: &[(&str, &str)], scope: &Scope) -> Result<Desired, Vec<String>> {
        let kinds = |api_version: &str, kind: &str| match (api_version, kind) {
            ("v1", "Namespace") => Some(KindScope::Cluster),
            (_, "CustomResourceDefinition") => Some(KindScope::Cluster),
            (_, "Widget" | "Gadget") => None,
            _ => Some(KindScope::Namespaced),
        };
        opened(&tree(files))
            .judge(scope, &kinds)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    /// Opens on a stack that is large enough.
    fn opened(tree: &Tree) -> Opened {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(crate::yaml::STACK);
            let thread = thread.spawn_scoped(scope, || open(tree));
            thread.unwrap().join().unwrap()
        })
    }

    fn keys(desired: &Desired) -> Vec<String> {
        desired
            .objects
            .iter()
            .map(|located| located.object.id().key())
            .collect()
    }

    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

    #[test]
    fn objects_without_a_namespace_go_to_the_target_namespace() {
        let elsewhere = MAP.replace("name: a", "name: a, namespace: stage");
        let scope = Scope {
            allowed_namespaces: vec!["stage".to_owned()],
            ..scope()
        };
        let desired = read_all(&[("b.yaml", &elsewhere), ("a.yml", MAP)], &scope).unwrap();
        assert_eq!(keys(&desired), ["/ConfigMap/shop/a", "/ConfigMap/stage/a"]);
        assert_eq!(desired.objects[0].place.to_string(), "a.yml:1:1");
    }

    #[test]
    fn lists_are_taken_apart_and_their_items_inherit_the_kind() {
        let list = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n";
        let nested = "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {\"name\": \"c\"}}]}]}";
        let desired = read_all(&[("a.yaml", list), ("b.json", nested)], &scope()).unwrap();
        assert_eq!(
            keys(&desired),
            ["/ConfigMap/shop/a", "/ConfigMap/shop/b", "/Secret/shop/c"]
        );
        assert_eq!(desired.objects[1].place.to_string(), "a.yaml:5:3");
    }

    #[test]
    fn a_definition_of_the_same_commit_tells_where_its_kind_lives() {
        let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\nspec: {group: example.com, scope: Cluster, names: {kind: Widget}}\n";
        let widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n";
        let gadget = widget.replace("Widget", "Gadget");
        let allowed = [
            "apiextensions.k8s.io/CustomResourceDefinition",
            "example.com/Widget",
            "example.com/Gadget",
        ];
        let scope = Scope {
            allowed_kinds: allowed.map(|kind| kind.parse().unwrap()).to_vec(),
            cluster_scoped: true,
            ..scope()
        };
        let files = [
            ("a.yaml", widget),
            ("b.yaml", definition),
            ("c.yaml", &gadget),
        ];
        let desired = read_all(&files, &scope).unwrap();
        assert_eq!(
            keys(&desired),
            [
                "apiextensions.k8s.io/CustomResourceDefinition//widgets.example.com",
                "example.com/Gadget/shop/w",
                "example.com/Widget//w",
            ]
        );
        assert_eq!(
            desired.notes,
            [
                "c.yaml:1:1: the cluster does not know example.com/v1 Gadget yet; it is taken to live in a namespace"
            ]
        );
    }

    #[test]
    fn the_cluster_is_asked_for_the_kinds_of_sound_objects_that_the_commit_does_not_define() {
        let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\nspec: {group: example.com, scope: Cluster, names: {kind: Widget}}\n";
        let widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n";
        let nameless = "apiVersion: v1\nkind: Secret\nmetadata: {}\n";
        let files = [
            ("a.yaml", MAP),
            ("b.yaml", definition),
            ("c.yaml", widget),
            ("d.yaml", nameless),
        ];
        let asked = |api_version: &str, kind: &str| (api_version.to_owned(), kind.to_owned());
        assert_eq!(
            opened(&tree(&files)).kinds(),
            [
                asked("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
                asked("v1", "ConfigMap"),
            ]
            .into()
        );
    }

    #[test]
    fn a_commit_of_too_many_objects_is_refused_once_and_read_no_further() {
        let list = format!(
            "apiVersion: v1\nkind: ConfigMapList\nitems:\n{}",
            "- {metadata: {name: a}}\n".repeat(20_001)
        );
        let faults = opened(&tree(&[("a.yaml", &list), ("b.yaml", "[")]))
            .documents
            .faults;
        assert_eq!(
            faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["a.yaml:1:1: the commit holds more than 20000 objects: split it into several paths"]
        );
    }

    #[test]
    fn what_kubectl_create_leaves_is_tidied_away() {
        let text = format!(
            "{}status: {{}}\n",
            MAP.replace("name: a", "name: a, creationTimestamp: null")
        );
        let desired = read_all(&[("a.yaml", &text)], &scope()).unwrap();
        let tidy = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "shop"},
        });
        assert_eq!(desired.objects[0].object.value(), &tidy);
    }

    #[test]
    fn values_that_look_like_templates_are_left_alone() {
        let text = format!("{MAP}data:\n  a: \"{{{{ x }}}} ${{HOME}}\"\n  b: |\n    {{{{ y }}}}\n");
        let desired = read_all(&[("a.yaml", &text)], &scope()).unwrap();
        assert_eq!(
            desired.objects[0].object.text("/data/a"),
            Some("{{ x }} ${HOME}")
        );
    }

    #[test]
    fn only_files_that_kubectl_reads_are_read_and_hidden_ones_are_told() {
        let files = [
            (".github/ci.yaml", "on: push\n"),
            (".hidden.yaml", "x\n"),
            ("README.md", "# x\n"),
            ("a.yaml", MAP),
            ("empty.yaml", "---\n# nothing\n"),
        ];
        let desired = read_all(&files, &scope()).unwrap();
        assert_eq!(desired.objects.len(), 1);
        assert_eq!(
            desired.notes,
            [
                ".github/ci.yaml: in a hidden directory, so it is not read",
                ".hidden.yaml: hidden, so it is not read",
            ]
        );
        assert_eq!(read_all(&[], &scope()), Ok(Desired::default()));
    }

    #[test]
    fn a_bare_pod_is_applied_and_told() {
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n";
        let desired = read_all(&[("p.yaml", pod)], &scope()).unwrap();
        assert_eq!(
            desired.notes,
            ["p.yaml:1:1: Pod/shop/p is applied as it is, not in batches: a Deployment would be"]
        );
    }

    #[test]
    fn the_hash_ignores_the_commit_and_the_path_and_nothing_else() {
        let desired = read_all(&[("a.yaml", MAP)], &scope()).unwrap();
        let plain = &desired.objects[0].object;
        let mut applied = plain.clone();
        applied.annotate(mark::COMMIT, "abc");
        applied.annotate(mark::SOURCE_PATH, "a.yaml");
        assert_eq!(desired_hash(&applied), desired_hash(plain));
        applied.annotate("team", "shop");
        assert_ne!(desired_hash(&applied), desired_hash(plain));
    }

    #[test]
    fn the_same_files_in_another_order_give_the_same_faults_once() {
        let bad = MAP.replace("name: a", "name: A");
        let one = read_all(&[("a.yaml", &bad), ("b.yaml", &bad)], &scope()).unwrap_err();
        let other = read_all(&[("b.yaml", &bad), ("a.yaml", &bad)], &scope()).unwrap_err();
        assert_eq!(one, other);
        assert_eq!(one.iter().collect::<BTreeSet<_>>().len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn no_file_makes_it_panic(
            head in "(apiVersion: (v1|apps/v1)\nkind: (List|Deployment|ConfigMap)\n)?",
            text in "((metadata|items|spec|name|status|labels|annotations|a|tidegate.dev/rollout)?[-: {}\\[\\],\"\n]{0,4}){0,20}",
            name in "(a|\\.tidegate)\\.(yaml|json)",
        ) {
            let _ = read_all(&[(&name, &format!("{head}{text}"))], &scope());
        }
    }
}
