//! Values that are fine alone and wrong together, or wrong for one workload.

use std::time::Duration;

use serde_json::Value;

use super::{
    Batches, Mode, OnFailure, Order, Provenance, Step,
    statement::{Said, Statement},
};
use crate::{
    object::{Amount, Strategy, Workload},
    revision::{Fault, Located, Place},
};

/// Finds values of one source that cannot hold together whatever the workload is: where no replicas
/// are known, the last step has to be all pods in percent.
pub(super) fn general_contradictions(said: &Statement) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(batches) = &said.batches
        && let Batches::Steps(steps) = &batches.value
        && let Some(message) = short_steps(steps, None)
    {
        faults.push(at(&batches.place, message));
    }
    let healthy = said.healthy_deadline.as_ref();
    let progress = said.progress_deadline.as_ref();
    faults.extend(long_deadline(
        healthy,
        progress.map(|progress| progress.value),
    ));
    faults
}

/// Finds values that cannot hold together, or not for this workload.
pub(super) fn contradictions(said: &Statement, workload: &Located) -> Vec<Fault> {
    let mut faults = if stops_first(workload) {
        Vec::new()
    } else {
        surges(said)
    };
    if let Some(Said {
        value: Batches::Steps(steps),
        place,
        origin,
    }) = &said.batches
    {
        let replicas = Workload(&workload.object).written_replicas();
        if let Some(message) = short_steps(steps, replicas) {
            faults.push(at(place, message));
        } else if matches!(origin, Provenance::Annotation(_))
            && let Some(message) = falling_step(steps, replicas)
        {
            faults.push(at(place, format!("steps: {message}")));
        }
    }
    faults.extend(deadlines(said, workload));
    faults
}

/// Says whether a new pod of the workload takes the place of an old one: no extra pods are made.
pub(super) fn stops_first(workload: &Located) -> bool {
    workload.object.kind() != "Deployment"
}

fn at(place: &Place, message: String) -> Fault {
    Fault {
        place: place.clone(),
        message,
    }
}

/// Surge-first, forward or back, without room for a pod.
fn surges(said: &Statement) -> Vec<Fault> {
    let mut faults = Vec::new();
    let order = said.order.as_ref().map(|order| order.value);
    if let Some(surge) = said
        .max_surge
        .as_ref()
        .filter(|surge| surge.value.is_zero())
        && order != Some(Order::StopFirst)
    {
        let message = "maxSurge: 0 leaves surge-first no room for new pods: write `order: \
                       StopFirst`, or a maxSurge of at least 1";
        faults.push(at(&surge.place, message.to_owned()));
    }
    let back = said.rollback_order.as_ref().map(|order| order.value);
    if let Some(surge) = said
        .rollback_max_surge
        .as_ref()
        .filter(|surge| surge.value.is_zero())
        && back != Some(Order::StopFirst)
    {
        let message = "rollback.maxSurge: 0 leaves surge-first no room for new pods: write \
                       `order: StopFirst` there, or a maxSurge of at least 1";
        faults.push(at(&surge.place, message.to_owned()));
    }
    faults
}

/// Says what is wrong where the last step is a count other than all pods.
fn short_steps(steps: &[Step], replicas: Option<u32>) -> Option<String> {
    match &steps.last()?.target {
        Amount::Count(last) if replicas != Some(*last) => Some(format!(
            "steps: ends with `{last}`: the last step must be `100%`"
        )),
        Amount::Count(_) | Amount::Percent(_) => None,
    }
}

/// Says which step, of mixed units, is below the one before at the replicas that are written.
fn falling_step(steps: &[Step], replicas: Option<u32>) -> Option<String> {
    let replicas = replicas.filter(|replicas| *replicas > 0)?;
    let pods = |step: &Step| step.target.rounded_up(replicas).min(replicas);
    let pair = steps
        .windows(2)
        .find(|pair| pods(&pair[1]) < pods(&pair[0]))?;
    let (before, after) = (pods(&pair[0]), pods(&pair[1]));
    Some(format!(
        "`{}` after `{}` falls from {before} to {after} of {replicas} pods: steps are cumulative",
        pair[1].target, pair[0].target
    ))
}

/// Of the written values minReadySeconds < healthyDeadline < progressDeadline.
fn deadlines(said: &Statement, workload: &Located) -> Vec<Fault> {
    let seconds = |pointer| workload.object.at(pointer).and_then(Value::as_u64);
    let mut faults = Vec::new();
    let ready = seconds("/spec/minReadySeconds").map(Duration::from_secs);
    let own = seconds("/spec/progressDeadlineSeconds").map(Duration::from_secs);
    let healthy = said.healthy_deadline.as_ref();
    let progress = said.progress_deadline.as_ref();
    let limit = progress.map(|progress| progress.value).or(own);
    if let (Some(healthy), Some(ready)) = (healthy, ready)
        && healthy.value <= ready
    {
        let message = format!(
            "healthyDeadline {:?} must be longer than minReadySeconds {ready:?}",
            healthy.value
        );
        faults.push(at(&healthy.place, message));
    }
    faults.extend(long_deadline(healthy, limit));
    if let (Some(progress), Some(ready)) = (progress, ready)
        && progress.value <= ready
    {
        let message = format!(
            "progressDeadline {:?} must be longer than minReadySeconds {ready:?}",
            progress.value
        );
        faults.push(at(&progress.place, message));
    }
    faults
}

/// A pod's deadline that is not within the `limit` of its batch.
fn long_deadline(healthy: Option<&Said<Duration>>, limit: Option<Duration>) -> Option<Fault> {
    let (healthy, limit) = healthy.zip(limit)?;
    (healthy.value >= limit).then(|| {
        let message = format!(
            "healthyDeadline {:?} must be shorter than the progress deadline {limit:?}",
            healthy.value
        );
        at(&healthy.place, message)
    })
}

/// Says what of a policy has no effect on the workload.
pub(super) fn notes(said: &Statement, workload: &Located) -> Vec<String> {
    let id = workload.object.id();
    let deployment = Workload(&workload.object);
    let mut notes = Vec::new();
    let is_native = said
        .strategy
        .as_ref()
        .is_some_and(|mode| mode.value == Mode::Native);
    if let Some(batches) = &said.batches {
        let at = &batches.origin;
        if is_native {
            notes.push(format!("{id}: strategy Native leaves the pace to Kubernetes: the batches of {at} are not used"));
        } else if deployment.strategy() == Strategy::Recreate {
            notes.push(format!("{id}: its strategy is Recreate, which cannot be cut into batches: those of {at} are not used"));
        } else if deployment.strategy().keeps_all_nodes() {
            notes.push(format!("{id}: its maxUnavailable is 0, which only Kubernetes itself can keep: the batches of {at} are not used"));
        }
        if let Batches::Steps(steps) = &batches.value
            && let Some(message) = falling_step(steps, deployment.written_replicas())
        {
            notes.push(format!("{id}: {message}; that step moves nothing"));
        }
    }
    if stops_first(workload) {
        let unused = unused(said, workload.object.kind());
        notes.extend(unused.map(|what| format!("{id}: {what}")));
        return notes;
    }
    let stops_first = said
        .order
        .as_ref()
        .is_some_and(|order| order.value == Order::StopFirst);
    if let Some(surge) = said
        .max_surge
        .as_ref()
        .filter(|surge| stops_first && !surge.value.is_zero())
    {
        notes.push(format!(
            "{id}: order StopFirst makes no extra pods: the maxSurge of {} is not used",
            surge.origin
        ));
    }
    notes
}

/// What of a policy a workload of a kind that makes no extra pods has no use for.
fn unused(said: &Statement, kind: &str) -> impl Iterator<Item = String> {
    let order = said.order.as_ref();
    let order = order.filter(|order| order.value == Order::SurgeFirst);
    let order = order.map(|order| {
        format!(
            "a {kind} goes by order StopFirst, always: the SurgeFirst of {} is not used",
            order.origin
        )
    });
    let surge = said.max_surge.as_ref().map(|surge| {
        format!(
            "a {kind} makes no extra pods: the maxSurge of {} is not used",
            surge.origin
        )
    });
    let continues = said.on_failure.as_ref();
    let continues = continues.filter(|said| said.value == OnFailure::Continue);
    let continues = continues.map(|said| ("onFailure: Continue", &said.origin));
    let ratio = said.max_failure_ratio.as_ref();
    let ratio = ratio.filter(|said| said.value > 0.0);
    let ratio = ratio.map(|said| ("maxFailureRatio", &said.origin));
    let tolerates = continues.or(ratio).filter(|_| kind == "StatefulSet");
    let tolerates = tolerates.map(|(what, origin)| {
        format!(
            "the controller of a {kind} waits for each pod before it goes on, so a failed one ends \
             the rollout all the same: the {what} of {origin} is not used"
        )
    });
    order.into_iter().chain(surge).chain(tolerates)
}
