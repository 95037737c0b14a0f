//! The pods of a StatefulSet by the revision that they were made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Live;
use crate::health::Pod;
use crate::object::{Digest, Object, Workload};
use crate::rollout::Set;

/// Label of a pod with the name of its revision.
const REVISION: &str = "controller-revision-hash";

/// Returns the revisions of a StatefulSet with their pods.
pub(super) fn sets(live: &Live, workload: &Object) -> Vec<Set> {
    let owned = live.owned_by(workload.uid().unwrap_or_default());
    let (revisions, pods): (Vec<_>, Vec<_>) = owned
        .into_iter()
        .filter(|object| matches!(object.kind(), "ControllerRevision" | "Pod"))
        .partition(|object| object.kind() == "ControllerRevision");
    let revisions: BTreeMap<&str, &Arc<Object>> = revisions
        .iter()
        .filter_map(|revision| Some((revision.text("/metadata/name")?, revision)))
        .collect();
    let of_pods = pods.iter().filter_map(|pod| pod.label(REVISION));
    let names: BTreeSet<&str> = revisions.keys().copied().chain(of_pods).collect();
    let of = |name: &str| -> Vec<Pod> {
        let mine = pods.iter().filter(|pod| pod.label(REVISION) == Some(name));
        mine.map(|pod| Pod::read(pod)).collect()
    };
    let sets = names.into_iter().map(|name| {
        let revision = revisions.get(name).copied();
        read(workload, name, revision, of(name))
    });
    sets.collect()
}

/// Reads one revision. The newest is the live template, whatever an older API server has written
/// into its record.
fn read(workload: &Object, name: &str, revision: Option<&Arc<Object>>, pods: Vec<Pod>) -> Set {
    let view = Workload(workload);
    let is_observed = view.observed_generation() >= workload.generation();
    let is_current = is_observed && workload.text("/status/updateRevision") == Some(name);
    let set = Set {
        template: if is_current {
            view.restart_blind_digest()
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
    let recorded = revision.and_then(|revision| {
        let mut template = revision.at("/data/spec/template")?.clone();
        template.as_object_mut()?.remove("$patch");
        let mut object = Object::clone(revision);
        object.set(&["spec"], json!({"template": template}));
        Some(Workload(&object).restart_blind_digest())
    });
    recorded.unwrap_or_else(|| Digest::of(&Value::Null))
}
