//! The pods of a StatefulSet or a DaemonSet by the revision that they were made from, and where they
//! run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Live;
use crate::health::Pod;
use crate::object::{Digest, Object, ObjectId, Workload, mark};
use crate::rollout::{Set, Spot};

/// Label of a pod that names its revision: by its name where a StatefulSet made it, by the hash that
/// is the revision's own label where a DaemonSet did.
const REVISION: &str = "controller-revision-hash";
/// Label of a node, and since Kubernetes 1.35 of its pods.
const ZONE: &str = "topology.kubernetes.io/zone";

/// Returns the revisions of a workload with their pods.
pub(super) fn sets(live: &Live, workload: &Object) -> Vec<Set> {
    let revisions = owned(live, workload, "ControllerRevision");
    let pods = owned(live, workload, "Pod");
    let revisions: BTreeMap<&str, &Arc<Object>> = revisions
        .iter()
        .filter_map(|revision| Some((told_by_pods(workload, revision)?, revision)))
        .collect();
    let newest = newest(workload, &revisions);
    let of_pods = pods.iter().filter_map(|pod| pod.label(REVISION));
    let names: BTreeSet<&str> = revisions.keys().copied().chain(of_pods).collect();
    let read = |name: &str| {
        let mine = pods.iter().filter(|pod| pod.label(REVISION) == Some(name));
        let pods = mine.map(|pod| Pod::read(pod)).collect();
        let is_current = newest == Some(name);
        read(
            workload,
            name,
            (revisions.get(name).copied(), is_current),
            pods,
        )
    };
    names.into_iter().map(read).collect()
}

/// Returns where the pods of a workload run, by UID. Nodes that may not be read say nothing; the
/// zone is on the pod as well.
pub(super) fn spots(live: &Live, workload: &Object) -> BTreeMap<String, Spot> {
    let read = |pod: &Arc<Object>| {
        let name = pod.text("/spec/nodeName").unwrap_or_default().to_owned();
        let node = live.get(&ObjectId {
            group: String::new(),
            kind: "Node".to_owned(),
            namespace: None,
            name: name.clone(),
        });
        let of_node = |label: &str| Some(node.as_ref()?.label(label)?.to_owned());
        let zone = of_node(ZONE).or_else(|| pod.label(ZONE).map(ToOwned::to_owned));
        let spot = Spot {
            node: name,
            zone: zone.unwrap_or_default(),
            is_canary: of_node(mark::CANARY).is_some_and(|value| value != "false"),
        };
        Some((pod.uid()?.to_owned(), spot))
    };
    owned(live, workload, "Pod")
        .iter()
        .filter_map(read)
        .collect()
}

fn owned(live: &Live, workload: &Object, kind: &str) -> Vec<Arc<Object>> {
    let mut owned = live.owned_by(workload.uid().unwrap_or_default());
    owned.retain(|object| object.kind() == kind);
    owned
}

/// What pods that were made from a revision carry as their label.
fn told_by_pods<'a>(workload: &Object, revision: &'a Object) -> Option<&'a str> {
    if workload.kind() == "StatefulSet" {
        revision.text("/metadata/name")
    } else {
        revision.label(REVISION)
    }
}

/// The revision of the live template, once the controller has seen that. A DaemonSet does not name
/// it, and its record may come later than the news that it was made: the newest that is known
/// counts only where it is of that template (`Match` of its controller).
fn newest<'a>(
    workload: &'a Object,
    revisions: &BTreeMap<&'a str, &Arc<Object>>,
) -> Option<&'a str> {
    if Workload(workload).observed_generation() < workload.generation() {
        return None;
    }
    if workload.kind() == "StatefulSet" {
        return workload.text("/status/updateRevision");
    }
    let number = |revision: &Object| revision.at("/revision").and_then(Value::as_i64);
    let newest = revisions
        .iter()
        .max_by_key(|(_, revision)| number(revision));
    let live = Workload(workload).template_digest();
    let is_live = |revision: &Object| {
        let recorded = recorded(revision);
        recorded.is_some_and(|recorded| Workload(&recorded).template_digest() == live)
    };
    let newest = newest.filter(|(_, revision)| is_live(revision));
    newest.map(|(name, _)| *name)
}

/// Reads one revision; the newest is the live template.
fn read(
    workload: &Object,
    name: &str,
    (revision, is_current): (Option<&Arc<Object>>, bool),
    pods: Vec<Pod>,
) -> Set {
    let set = Set {
        template: if is_current {
            Workload(workload).restart_blind_digest()
        } else {
            template(revision)
        },
        is_current,
        is_base: workload.text("/status/currentRevision") == Some(name),
        replicas: 0,
        pods,
        refused: None,
    };
    let replicas = u32::try_from(set.present().count()).unwrap_or(u32::MAX);
    Set { replicas, ..set }
}

/// Digest of the template in a revision's record; one of its own where there is none.
fn template(revision: Option<&Arc<Object>>) -> Digest {
    let recorded = revision.and_then(|revision| recorded(revision));
    recorded.map_or_else(
        || Digest::of(&Value::Null),
        |recorded| Workload(&recorded).restart_blind_digest(),
    )
}

/// A revision as the object whose template it records.
fn recorded(revision: &Object) -> Option<Object> {
    let mut template = revision.at("/data/spec/template")?.clone();
    template.as_object_mut()?.remove("$patch");
    let mut object = revision.clone();
    object.set(&["spec"], json!({"template": template}));
    Some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(tag: &str) -> Value {
        json!({"metadata": {"labels": {"app": "log"}},
               "spec": {"containers": [{"name": "log", "image": format!("log:{tag}")}]}})
    }

    fn workload(kind: &str, tag: &str, status: &Value) -> Object {
        Object::new(json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": "log", "namespace": "shop", "uid": "u", "generation": 2},
            "spec": {"template": template(tag)}, "status": status,
        }))
        .unwrap()
    }

    fn revision(number: i64, tag: &str) -> Arc<Object> {
        let mut recorded = template(tag);
        recorded["$patch"] = json!("replace");
        let hash = format!("h{number}");
        let object = Object::new(json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision",
            "metadata": {"name": format!("log-{hash}"), "namespace": "shop",
                "labels": {"controller-revision-hash": hash}},
            "revision": number, "data": {"spec": {"template": recorded}},
        }));
        Arc::new(object.unwrap())
    }

    /// What of these revisions is that of the live template.
    fn current(workload: &Object, revisions: &[Arc<Object>]) -> Option<String> {
        let told = |revision| told_by_pods(workload, revision);
        let known = revisions.iter().filter_map(|it| Some((told(it)?, it)));
        newest(workload, &known.collect()).map(ToOwned::to_owned)
    }

    #[test]
    fn a_revision_that_is_not_known_yet_is_no_older_one() {
        let seen = json!({"observedGeneration": 2});
        let live = workload("DaemonSet", "2", &seen);
        let before = [revision(1, "1")];
        assert_eq!(current(&live, &before), None);
        let both = [revision(1, "1"), revision(2, "2")];
        assert_eq!(current(&live, &both).as_deref(), Some("h2"));
        let back = [revision(3, "1"), revision(2, "2")];
        let live = workload("DaemonSet", "1", &seen);
        assert_eq!(current(&live, &back).as_deref(), Some("h3"));
        let unseen = workload("DaemonSet", "1", &json!({"observedGeneration": 1}));
        assert_eq!(current(&unseen, &back), None);
    }

    #[test]
    fn a_stateful_set_names_its_revision() {
        let named = json!({"observedGeneration": 2, "updateRevision": "log-h2"});
        let live = workload("StatefulSet", "2", &named);
        let both = [revision(1, "1"), revision(2, "2")];
        assert_eq!(current(&live, &both).as_deref(), Some("log-h2"));
    }
}
