//! The ReplicaSet controller.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::condition::Conditions;
use super::desk::{Desk, Key, Outcome, controller, number, put_count};
use super::pod::{Pod, from_template, next_available, replicas};
use super::{adoption, creation};
use crate::object::Object;
use crate::sim::arithmetic::replicaset::{Adjustment, Candidate, adjustment, victims};
use crate::sim::kind::Kind;
use crate::sim::refusal::Refusal;
use crate::sim::time::seconds;

/// Brings one ReplicaSet a step further (`syncReplicaSet`).
pub(super) fn sync(desk: &mut Desk<'_>, key: &Key) -> Outcome {
    let Some(live) = desk.get(key) else {
        return Ok(None);
    };
    let pods = adoption::claim(desk, &live, &Kind::POD)?;
    let adjusted = if live.is_terminating() {
        Ok(())
    } else {
        adjust(desk, &live, &pods)
    };
    let pods = desk.controlled(&live, &Kind::POD);
    report(desk, &live, &pods, &adjusted)?;
    adjusted?;
    let min_ready = number(&live, "/spec/minReadySeconds");
    let now = desk.now().as_second();
    let active = pods
        .iter()
        .map(|pod| Pod(pod))
        .filter(|pod| pod.is_active());
    Ok(next_available(active, min_ready, now))
}

/// Makes or deletes pods (`manageReplicas`).
fn adjust(desk: &mut Desk<'_>, live: &Object, pods: &[Arc<Object>]) -> Result<(), Refusal> {
    let active: Vec<&Arc<Object>> = pods.iter().filter(|pod| Pod(pod).is_active()).collect();
    match adjustment(active.len(), replicas(live) as usize) {
        Adjustment::Make(count) => {
            let template = live.at("/spec/template").cloned().unwrap_or_default();
            let pod = from_template(live, &template);
            (0..count).try_for_each(|_| creation::create_pod(desk, live, pod.clone()))
        }
        Adjustment::Delete(0) => Ok(()),
        Adjustment::Delete(count) => {
            let now = desk.now().as_second();
            let candidates = candidates(desk, live, &active);
            victims(candidates, count, now)
                .into_iter()
                .filter_map(|doomed| active.iter().find(|pod| pod.uid() == Some(doomed.uid)))
                .try_for_each(|pod| creation::delete_pod(desk, live, pod))
        }
    }
}

fn candidates<'a>(
    desk: &Desk<'_>,
    live: &Object,
    active: &[&'a Arc<Object>],
) -> Vec<Candidate<&'a str>> {
    let on_node = pods_on_nodes(desk, live);
    let candidate = |pod: &&'a Arc<Object>| {
        let read = Pod(pod);
        let node = read.node();
        Candidate {
            uid: pod.uid().unwrap_or_default(),
            is_assigned: node.is_some(),
            phase: read.phase(),
            ready: read.ready(),
            cost: read.deletion_cost(),
            neighbours: on_node.get(node.unwrap_or_default()).copied().unwrap_or(0),
            restarts: read.restarts(),
            created: read.created(),
        }
    };
    active.iter().map(candidate).collect()
}

/// Counts active pods by node, of all sets with the same owner (`getIndirectlyRelatedPods`).
fn pods_on_nodes(desk: &Desk<'_>, live: &Object) -> BTreeMap<String, usize> {
    let owner = controller(live).and_then(|owner| owner["uid"].as_str());
    let related: Vec<Arc<Object>> = match owner {
        Some(owner) => desk.store.dependents(owner).cloned().collect(),
        None => Vec::new(),
    };
    let own = [live];
    let sets: Vec<&Object> = if related.is_empty() {
        own.to_vec()
    } else {
        related.iter().map(AsRef::as_ref).collect()
    };
    let mut counts = BTreeMap::new();
    for set in sets {
        for pod in desk.controlled(set, &Kind::POD) {
            if Pod(&pod).is_active() {
                let node = Pod(&pod).node().unwrap_or_default().to_owned();
                *counts.entry(node).or_default() += 1;
            }
        }
    }
    counts
}

/// Writes the status where it has changed (`calculateStatus`, `updateReplicaSetStatus`).
fn report(
    desk: &mut Desk<'_>,
    live: &Object,
    pods: &[Arc<Object>],
    adjusted: &Result<(), Refusal>,
) -> Result<(), Refusal> {
    let now = desk.now();
    let min_ready = number(live, "/spec/minReadySeconds");
    let active: Vec<Pod<'_>> = pods
        .iter()
        .map(|pod| Pod(pod))
        .filter(|pod| pod.is_active())
        .collect();
    let count = |holds: &dyn Fn(&Pod<'_>) -> bool| tally(active.iter().filter(|pod| holds(pod)));
    let is_labelled = |pod: &Pod<'_>| is_fully_labelled(live, pod.0);
    let missing = replicas(live) as usize > active.len();
    let mut new = live.value().clone();
    let status = &mut new["status"];
    if !status.is_object() {
        *status = json!({});
    }
    status["observedGeneration"] = live.generation().into();
    status["replicas"] = tally(active.iter()).into();
    put_count(status, "fullyLabeledReplicas", count(&is_labelled));
    put_count(status, "readyReplicas", count(&|pod| pod.ready().is_some()));
    let is_available = |pod: &Pod<'_>| pod.is_available(min_ready, now.as_second());
    put_count(status, "availableReplicas", count(&is_available));
    let going = pods.iter().filter(|pod| Pod(pod).is_terminating());
    status["terminatingReplicas"] = tally(going).into();
    let mut conditions = Conditions::of(&new, &seconds(now));
    match adjusted {
        Err(refusal) if conditions.get("ReplicaFailure").is_none() => {
            let reason = if missing {
                "FailedCreate"
            } else {
                "FailedDelete"
            };
            conditions.set("ReplicaFailure", ("True", reason, &refusal.to_string()));
        }
        Err(_) => {}
        Ok(()) => conditions.remove("ReplicaFailure"),
    }
    conditions.write(&mut new);
    desk.update_status(live, |live| *live = new)?;
    Ok(())
}

fn tally(pods: impl Iterator) -> u32 {
    u32::try_from(pods.count()).unwrap_or(u32::MAX)
}

/// Says whether a pod has all labels of the template.
fn is_fully_labelled(live: &Object, pod: &Object) -> bool {
    let labels = live.at("/spec/template/metadata/labels");
    let mut labels = labels.and_then(Value::as_object).into_iter().flatten();
    labels.all(|(key, value)| pod.label(key) == value.as_str())
}
