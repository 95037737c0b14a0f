//! The status of a Deployment: counts, and the conditions `Available`, `Progressing` and
//! `ReplicaFailure`.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::condition::Conditions;
use super::super::desk::{Desk, Outcome, count, put_count};
use super::super::pod::{moment, second};
use super::{is_paused, size, wish};
use crate::object::Object;
use crate::sim::arithmetic::deployment::Set;
use crate::sim::arithmetic::progress::{Progress, Totals};
use crate::sim::refusal::Refusal;
use crate::sim::time::seconds;

const AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
/// A deadline that is none (`HasProgressDeadline`).
const NO_DEADLINE: i64 = i32::MAX as i64;

/// Returns `progressDeadlineSeconds`, `None` where there is no deadline.
fn deadline(live: &Object) -> Option<i64> {
    let seconds = live.at("/spec/progressDeadlineSeconds")?.as_i64()?;
    (seconds != NO_DEADLINE).then_some(seconds)
}

fn reported(live: &Object) -> Totals {
    let reported = |key: &str| count(live, &format!("/status/{key}")).unwrap_or_default();
    Totals {
        replicas: reported("replicas"),
        updated: reported("updatedReplicas"),
        ready: reported("readyReplicas"),
        available: reported("availableReplicas"),
        unavailable: reported("unavailableReplicas"),
    }
}

/// Says whether the status, as it stands, tells of a rollout that is complete.
pub(super) fn is_complete(live: &Object) -> bool {
    let observed = live
        .at("/status/observedGeneration")
        .and_then(Value::as_i64);
    observed.unwrap_or_default() >= live.generation()
        && reported(live).is_complete(wish(live).replicas)
}

/// `checkPausedConditions`: tells in `Progressing` that it was paused or resumed.
pub(super) fn note_pause(desk: &mut Desk<'_>, live: &Arc<Object>) -> Result<Arc<Object>, Refusal> {
    let reason = live.condition("Progressing").map(|now| &now["reason"]);
    let was_paused = reason.is_some_and(|reason| reason == PAUSED);
    let (reason, message) = match (is_paused(live), was_paused) {
        _ if deadline(live).is_none() || reason.is_some_and(|reason| reason == TIMED_OUT) => {
            return Ok(Arc::clone(live));
        }
        (true, false) => (PAUSED, "Deployment is paused"),
        (false, true) => ("DeploymentResumed", "Deployment is resumed"),
        (true, true) | (false, false) => return Ok(Arc::clone(live)),
    };
    note_progress(desk, live, ("Unknown", reason, message))
}

fn note_progress(
    desk: &mut Desk<'_>,
    live: &Object,
    told: (&str, &str, &str),
) -> Result<Arc<Object>, Refusal> {
    let now = seconds(desk.now());
    desk.update_status(live, |live| {
        let mut conditions = Conditions::of_deployment(live, &now);
        conditions.set("Progressing", told);
        conditions.write(live);
    })
}

/// Tells that a set was made.
pub(super) fn note_new_set(desk: &mut Desk<'_>, live: &Object, name: &str) -> Result<(), Refusal> {
    if deadline(live).is_some() {
        let message = format!("Created new replica set {name:?}");
        note_progress(desk, live, ("True", "NewReplicaSetCreated", &message))?;
    }
    Ok(())
}

/// Tells that a set could not be made.
pub(super) fn note_refusal(
    desk: &mut Desk<'_>,
    live: &Object,
    name: &str,
    refusal: &Refusal,
) -> Result<(), Refusal> {
    let reason = "ReplicaSetCreateError";
    let message = format!("Failed to create new replica set {name:?}: {refusal}");
    if deadline(live).is_some() {
        note_progress(desk, live, ("False", reason, &message))?;
    }
    desk.warn(live, reason, &message);
    Ok(())
}

/// Writes the counts and whether enough is available (`syncDeploymentStatus`).
pub(super) fn count_only(
    desk: &mut Desk<'_>,
    live: &Object,
    sets: &[Arc<Object>],
    new: Option<usize>,
) -> Outcome {
    let (status, _) = counted(desk, live, sets, new);
    write(desk, live, status)?;
    Ok(None)
}

/// Writes counts and conditions (`syncRolloutStatus`); returns when the deadline passes.
pub(super) fn judge(
    desk: &mut Desk<'_>,
    live: &Object,
    sets: &[Arc<Object>],
    new: Option<usize>,
) -> Outcome {
    let now = desk.now();
    let (mut status, totals) = counted(desk, live, sets, new);
    let name = new.and_then(|new| sets[new].text("/metadata/name"));
    let mut conditions = Conditions::of_deployment(&status, &seconds(now));
    judge_progress(&mut conditions, live, &totals, (name, now));
    let failures = new.into_iter().chain(0..sets.len());
    let failure = failures
        .filter_map(|at| sets[at].condition("ReplicaFailure"))
        .next();
    match failure {
        Some(failure) => conditions.take_over(failure),
        None => conditions.remove("ReplicaFailure"),
    }
    conditions.write(&mut status);
    let live = write(desk, live, status)?;
    Ok(due(&live, &totals))
}

fn judge_progress(
    conditions: &mut Conditions,
    live: &Object,
    totals: &Totals,
    (set, now): (Option<&str>, Timestamp),
) {
    let found = format!("Found new replica set {:?}", set.unwrap_or_default());
    if deadline(live).is_none() {
        conditions.remove("Progressing");
        return;
    }
    if conditions.get("Progressing").is_none() && set.is_some() {
        conditions.set("Progressing", ("True", "FoundNewReplicaSet", &found));
    }
    let reason = conditions
        .get("Progressing")
        .map(|now| now["reason"].clone());
    let was_complete = reason.as_ref().is_some_and(|reason| reason == AVAILABLE);
    if totals.replicas == totals.updated && was_complete {
        return;
    }
    let is_late = reason.is_some_and(|reason| reason == TIMED_OUT)
        || !was_complete && ends(conditions.get("Progressing"), live).is_some_and(|end| end < now);
    let subject = match set {
        Some(set) => format!("ReplicaSet {set:?}"),
        None => format!(
            "Deployment {:?}",
            live.text("/metadata/name").unwrap_or_default()
        ),
    };
    match Progress::of(&reported(live), totals, wish(live).replicas, is_late) {
        Progress::Complete => {
            let message = format!("{subject} has successfully progressed.");
            conditions.set("Progressing", ("True", AVAILABLE, &message));
        }
        Progress::Moving => {
            let message = format!("{subject} is progressing.");
            conditions.renew("Progressing", ("True", "ReplicaSetUpdated", &message));
        }
        Progress::TimedOut => {
            let message = format!("{subject} has timed out progressing.");
            conditions.set("Progressing", ("False", TIMED_OUT, &message));
        }
        Progress::Waiting => {}
    }
}

/// When the deadline of the last progress passes.
fn ends(progressing: Option<&Value>, live: &Object) -> Option<Timestamp> {
    let last = progressing?["lastUpdateTime"].as_str().and_then(second)?;
    Some(moment(last.saturating_add(deadline(live)?)))
}

/// When to look again whether it is stuck (`requeueStuckDeployment`).
fn due(live: &Object, totals: &Totals) -> Option<Timestamp> {
    let progressing = live.condition("Progressing")?;
    let is_over = totals.is_complete(wish(live).replicas) || progressing["reason"] == TIMED_OUT;
    let end = ends(Some(progressing), live)?;
    (!is_over).then(|| moment(end.as_second() + 1))
}

/// Returns the object with its counts and `Available` as they are now (`calculateStatus`).
fn counted(
    desk: &Desk<'_>,
    live: &Object,
    sets: &[Arc<Object>],
    new: Option<usize>,
) -> (Value, Totals) {
    let sizes: Vec<Set> = sets.iter().map(|set| size(set)).collect();
    let totals = Totals::of(&sizes, new);
    let mut object = live.value().clone();
    let status = &mut object["status"];
    if !status.is_object() {
        *status = json!({});
    }
    status["observedGeneration"] = live.generation().into();
    put_count(status, "replicas", totals.replicas);
    put_count(status, "updatedReplicas", totals.updated);
    put_count(status, "readyReplicas", totals.ready);
    put_count(status, "availableReplicas", totals.available);
    put_count(status, "unavailableReplicas", totals.unavailable);
    let going = sets
        .iter()
        .map(|set| count(set, "/status/terminatingReplicas"));
    status["terminatingReplicas"] = going.map(Option::unwrap_or_default).sum::<u32>().into();
    let mut conditions = Conditions::of_deployment(&object, &seconds(desk.now()));
    let told = if totals.has_minimum(wish(live)) {
        (
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    conditions.set("Available", told);
    conditions.write(&mut object);
    (object, totals)
}

fn write(desk: &mut Desk<'_>, live: &Object, new: Value) -> Result<Arc<Object>, Refusal> {
    desk.update_status(live, |live| *live = new)
}
