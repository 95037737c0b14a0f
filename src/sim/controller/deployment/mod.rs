//! The deployment controller: its arithmetic decides, this reads and writes.

mod revision;
mod status;

use std::sync::Arc;

use serde_json::{Value, json};

use super::adoption;
use super::desk::{Desk, Key, Outcome, controlled_by, count, number};
use super::pod::{Pod, created, replicas};
use super::template::{self, HASH};
use crate::object::{Amount, Object, Strategy};
use crate::sim::arithmetic::deployment::{self, Change, Set, Wish};
use crate::sim::arithmetic::limits::Limits;
use crate::sim::kind::Kind;
use crate::sim::refusal::Refusal;

const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// Brings one Deployment a step further (`syncDeployment`).
pub(super) fn sync(desk: &mut Desk<'_>, key: &Key) -> Outcome {
    let Some(live) = desk.get(key) else {
        return Ok(None);
    };
    let sets = sets(desk, &live)?;
    let new = current(&live, &sets);
    if live.is_terminating() {
        return status::count_only(desk, &live, &sets, new);
    }
    let live = status::note_pause(desk, &live)?;
    let is_paused = is_paused(&live);
    if let Some(new) = new
        && revision::hand_on(desk, &live, &sets, new)?
        && !is_paused
    {
        // The real controller runs into a conflict with its own write here, and comes again.
        return Ok(None);
    }
    let wish = wish(&live);
    let sizes: Vec<Set> = sets.iter().map(|set| size(set)).collect();
    let old_pods_run = new_pods_must_wait(desk, wish, &sets, new);
    let changes = deployment::sync(wish, &sizes, new, old_pods_run);
    let is_scaling = is_paused || deployment::is_scaling_event(wish, &sizes);
    for change in &changes {
        perform(desk, key, &sets, *change)?;
    }
    let Some(live) = desk.get(key) else {
        return Ok(None);
    };
    let sets = self::sets(desk, &live)?;
    let new = current(&live, &sets);
    if is_paused || changes.is_empty() && !is_scaling && status::is_complete(&live) {
        revision::forget_old(desk, &live, &sets, new)?;
    }
    let live = match new {
        Some(new) => revision::note(desk, &live, &sets[new])?,
        None => live,
    };
    if is_scaling {
        status::count_only(desk, &live, &sets, new)
    } else {
        status::judge(desk, &live, &sets, new)
    }
}

/// Returns the ReplicaSets of a Deployment in order of creation, orphans adopted.
fn sets(desk: &mut Desk<'_>, live: &Object) -> Result<Vec<Arc<Object>>, Refusal> {
    let mut sets = adoption::claim(desk, live, &Kind::REPLICA_SET)?;
    sets.sort_by_cached_key(|set| {
        let name = set.text("/metadata/name").unwrap_or_default();
        (created(set), name.to_owned())
    });
    Ok(sets)
}

/// Returns the oldest set of the current template.
fn current(live: &Object, sets: &[Arc<Object>]) -> Option<usize> {
    let template = live.at("/spec/template")?;
    let mut templates = sets.iter().map(|set| set.at("/spec/template"));
    templates.position(|other| other.is_some_and(|other| template::is_same(other, template)))
}

fn is_paused(live: &Object) -> bool {
    live.at("/spec/paused") == Some(&Value::Bool(true))
}

fn wish(live: &Object) -> Wish {
    Wish {
        replicas: replicas(live),
        strategy: strategy(live),
        is_paused: is_paused(live),
        reported: count(live, "/status/replicas").unwrap_or_default(),
    }
}

fn strategy(live: &Object) -> Strategy {
    if live.text("/spec/strategy/type") == Some("Recreate") {
        return Strategy::Recreate;
    }
    let amount = |key: &str| {
        let value = live.at(&format!("/spec/strategy/rollingUpdate/{key}"));
        let amount = value
            .cloned()
            .and_then(|value| Amount::try_from(value).ok());
        amount.unwrap_or(Amount::Count(0))
    };
    Strategy::RollingUpdate {
        max_surge: amount("maxSurge"),
        max_unavailable: amount("maxUnavailable"),
    }
}

/// Reads a ReplicaSet as the arithmetic takes it.
fn size(set: &Object) -> Set {
    let mark = |key: &str| set.annotation(key)?.parse().ok();
    let reported = |key: &str| count(set, &format!("/status/{key}")).unwrap_or_default();
    Set {
        replicas: replicas(set),
        desired: mark(DESIRED),
        max: mark(MAX),
        present: reported("replicas"),
        ready: reported("readyReplicas"),
        available: reported("availableReplicas"),
    }
}

/// Says whether a pod of another set has not ended, where the strategy is to wait for that.
fn new_pods_must_wait(
    desk: &Desk<'_>,
    wish: Wish,
    sets: &[Arc<Object>],
    new: Option<usize>,
) -> bool {
    let others = sets.iter().enumerate().filter(|(at, _)| Some(*at) != new);
    wish.strategy == Strategy::Recreate
        && others
            .flat_map(|(_, set)| desk.controlled(set, &Kind::POD))
            .any(|pod| !Pod(&pod).has_ended())
}

fn perform(
    desk: &mut Desk<'_>,
    key: &Key,
    sets: &[Arc<Object>],
    change: Change,
) -> Result<(), Refusal> {
    let Some(live) = desk.get(key) else {
        return Ok(());
    };
    match change {
        Change::Create(replicas) => create(desk, &live, sets, replicas),
        Change::Resize { set, replicas } => resize(desk, &live, &sets[set], replicas),
    }
}

/// Writes for which replicas and surge a set has its size.
fn mark(live: &Object, set: &mut Value) {
    let wish = wish(live);
    let surge = Limits::of(wish.strategy, wish.replicas).surge;
    let annotations = &mut set["metadata"]["annotations"];
    annotations[DESIRED] = wish.replicas.to_string().into();
    annotations[MAX] = (wish.replicas + surge).to_string().into();
}

/// `scaleReplicaSet`.
fn resize(desk: &mut Desk<'_>, live: &Object, set: &Object, replicas: u32) -> Result<(), Refusal> {
    let Some(set) = desk.get(&Key::of(set)) else {
        return Ok(());
    };
    let before = self::replicas(&set);
    desk.update(&set, |set| {
        set["spec"]["replicas"] = replicas.into();
        mark(live, set);
    })?;
    let direction = match before.cmp(&replicas) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Less => "up",
        std::cmp::Ordering::Greater => "down",
    };
    let name = set.text("/metadata/name").unwrap_or_default();
    let message = format!("Scaled {direction} replica set {name} from {before} to {replicas}");
    desk.tell(live, "ScalingReplicaSet", &message);
    Ok(())
}

/// Makes the set of the current template (the second half of `getNewReplicaSet`).
fn create(
    desk: &mut Desk<'_>,
    live: &Object,
    sets: &[Arc<Object>],
    replicas: u32,
) -> Result<(), Refusal> {
    let set = new_set(live, sets, replicas);
    let name = set["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    match desk.create(set) {
        Ok(_) => {}
        Err(refusal) if refusal.reason == "AlreadyExists" => {
            // Another template has the same hash, or somebody took the name.
            desk.update_status(live, |live| {
                let collisions = live["status"]["collisionCount"]
                    .as_i64()
                    .unwrap_or_default();
                live["status"]["collisionCount"] = (collisions + 1).into();
            })?;
            return Err(refusal);
        }
        Err(refusal) => {
            status::note_refusal(desk, live, &name, &refusal)?;
            return Err(refusal);
        }
    }
    if replicas > 0 {
        let message = format!("Scaled up replica set {name} from 0 to {replicas}");
        desk.tell(live, "ScalingReplicaSet", &message);
    }
    status::note_new_set(desk, live, &name)
}

fn new_set(live: &Object, sets: &[Arc<Object>], replicas: u32) -> Value {
    let mut template = live.at("/spec/template").cloned().unwrap_or_default();
    let collisions = live.at("/status/collisionCount").and_then(Value::as_i64);
    let hash = template::hash(&template, collisions);
    template["metadata"]["labels"][HASH] = hash.as_str().into();
    let mut selector = live.at("/spec/selector").cloned().unwrap_or_default();
    selector["matchLabels"][HASH] = hash.as_str().into();
    let name = live.text("/metadata/name").unwrap_or_default();
    let mut set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{name}-{hash}"),
            "namespace": live.namespace(),
            "labels": template["metadata"]["labels"],
            "annotations": {},
            "ownerReferences": [controlled_by(live)],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": number(live, "/spec/minReadySeconds"),
            "selector": selector,
            "template": template,
        },
    });
    revision::copy_annotations(live, &mut set);
    revision::number_newest(sets, None, &mut set);
    mark(live, &mut set);
    set
}
