//! From the live cache to what the rollout machine sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::cluster::Live;
use crate::health::Pod;
use crate::object::{Digest, Object, ObjectId, Workload};
use crate::plan::{Managers, Wanted};
use crate::rollout::{self, Counts, Kind, Seen, Set};

use super::revisions;

/// Returns what stands between a workload of a kind and its pods, with the pods: API version and
/// kind.
#[must_use]
pub fn followers(kind: &str) -> [(&'static str, &'static str); 2] {
    let between = if kind == "Deployment" {
        "ReplicaSet"
    } else {
        "ControllerRevision"
    };
    [("apps/v1", between), ("v1", "Pod")]
}

/// Reads one workload with its pods.
///
/// Fields that `wanted` leaves to others are no edits; those of managers in `taken` may be taken.
/// Without `wanted` nobody is told to have taken a field.
#[must_use]
pub fn observe(
    live: &Live,
    id: &ObjectId,
    (wanted, taken): (Option<&Wanted>, &[String]),
    now: Timestamp,
) -> Seen {
    let found = live.get(id).filter(|object| !object.is_terminating());
    let read = |object: Arc<Object>| {
        let managers = Managers::of(&object);
        let left = wanted.map_or(&[][..], |wanted| &wanted.withdrawn);
        let spec_editor = managers.spec_editor(left, taken).map(ToOwned::to_owned);
        let editor = wanted.and_then(|wanted| managers.editor(&wanted.object));
        let mut seen = read(live, &object, spec_editor, editor);
        if seen.kind == Kind::DaemonSet {
            let lost: u32 = seen.sets.iter().map(|set| set.lost(now)).sum();
            seen.replicas = seen.replicas.saturating_sub(lost);
        }
        seen
    };
    Seen {
        now,
        live: found.map(read),
    }
}

fn read(
    live: &Live,
    object: &Object,
    spec_editor: Option<String>,
    editor: Option<String>,
) -> rollout::Live {
    let view = Workload(object);
    let full = view.template_digest();
    let (kind, sets) = match object.kind() {
        "StatefulSet" => (stateful(object), revisions::sets(live, object)),
        "DaemonSet" => (Kind::DaemonSet, revisions::sets(live, object)),
        _ => (Kind::Deployment, replica_sets(live, object, &full)),
    };
    let spots = match kind {
        Kind::DaemonSet => revisions::spots(live, object),
        Kind::Deployment | Kind::StatefulSet { .. } => BTreeMap::new(),
    };
    rollout::Live {
        kind,
        uid: object.uid().unwrap_or_default().to_owned(),
        generation: object.generation(),
        observed_generation: view.observed_generation(),
        replicas: view.replicas(),
        min_ready_seconds: view.min_ready_seconds(),
        progress_deadline_seconds: view.progress_deadline_seconds(),
        strategy: view.strategy(),
        is_paused: view.is_paused(),
        template: view.restart_blind_digest(),
        restart: full,
        content: view.template().clone(),
        spec_editor,
        editor,
        counts: counts(object),
        sets,
        spots,
    }
}

fn stateful(object: &Object) -> Kind {
    let view = Workload(object);
    let revision = |field: &str| object.text(&format!("/status/{field}"));
    Kind::StatefulSet {
        first: view.first_ordinal(),
        is_ordered: !view.is_parallel(),
        is_whole: revision("currentRevision") == revision("updateRevision"),
    }
}

fn replica_sets(live: &Live, object: &Object, current: &Digest) -> Vec<Set> {
    let owned = live.owned_by(object.uid().unwrap_or_default()).into_iter();
    let sets = owned.filter(|owned| owned.kind() == "ReplicaSet");
    sets.map(|set| read_set(live, &set, current)).collect()
}

fn counts(object: &Object) -> Counts {
    let view = Workload(object);
    let [replicas, updated, available] = if object.kind() == "DaemonSet" {
        [
            "currentNumberScheduled",
            "updatedNumberScheduled",
            "numberAvailable",
        ]
    } else {
        ["replicas", "updatedReplicas", "availableReplicas"]
    };
    Counts {
        replicas: view.counted(replicas),
        updated: view.counted(updated),
        available: view.counted(available),
    }
}

fn read_set(live: &Live, set: &Arc<Object>, current: &Digest) -> Set {
    let view = Workload(set);
    let pods = live.owned_by(set.uid().unwrap_or_default());
    let is_pod = |object: &&Arc<Object>| object.kind() == "Pod";
    Set {
        template: view.restart_blind_digest(),
        is_current: view.template_digest() == *current,
        is_base: false,
        replicas: view.replicas(),
        pods: pods
            .iter()
            .filter(is_pod)
            .map(|pod| Pod::read(pod))
            .collect(),
        refused: refused(set),
    }
}

/// The condition `ReplicaFailure` of a ReplicaSet whose pods a quota or admission refuses.
fn refused(set: &Object) -> Option<(Timestamp, String)> {
    let failure = set
        .condition("ReplicaFailure")
        .filter(|failure| failure["status"] == "True")?;
    let since = failure["lastTransitionTime"].as_str()?.parse().ok()?;
    Some((
        since,
        failure["message"].as_str().unwrap_or_default().to_owned(),
    ))
}
