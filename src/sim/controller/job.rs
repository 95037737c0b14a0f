//! The Job controller, and the end of Jobs whose time to live is over.

use std::sync::Arc;

use serde_json::{Value, json};

use super::condition::Conditions;
use super::desk::{Desk, Key, Outcome, controller, count, put_count};
use super::pod::{Pod, from_template, moment, second};
use super::{adoption, creation};
use crate::object::Object;
use crate::sim::arithmetic::job::{self, Step, Tally, Wish};
use crate::sim::kind::Kind;
use crate::sim::refusal::Refusal;
use crate::sim::store::Propagation;
use crate::sim::time::seconds;

/// Keeps a pod until it was counted.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// Tells the Job of a pod.
const NAME: &str = "batch.kubernetes.io/job-name";
/// Tells the index of a pod.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Brings one Job a step further (`syncJob`).
pub(super) fn sync(desk: &mut Desk<'_>, key: &Key) -> Outcome {
    let live = desk.get(key);
    let uid = live.as_ref().and_then(|live| live.uid());
    for pod in strays(desk, key, uid) {
        untrack(desk, &pod)?;
    }
    let Some(live) = live else {
        return Ok(None);
    };
    let pods = adoption::claim(desk, &live, &Kind::POD)?;
    if let Some(ended) = ended(&live) {
        count_pods(desk, &pods)?;
        return expire(desk, &live, ended);
    }
    if live.is_terminating() {
        count_pods(desk, &pods)?;
        return Ok(None);
    }
    let live = start(desk, &live)?;
    let wish = wish(&live);
    let tally = tally(&live, &pods);
    let now = desk.now().as_second();
    let step = job::sync(wish, tally, now);
    let mut wake = wish.deadline.map(moment);
    match step {
        Step::Fail { .. } => end_pods(desk, &live, &pods)?,
        Step::Complete => {}
        Step::Create(missing) => {
            let due = next_attempt(&live, &pods);
            if due > now {
                wake = Some(wake.map_or(moment(due), |wake| wake.min(moment(due))));
            } else {
                create(desk, &live, &pods, missing)?;
            }
        }
        Step::Delete(surplus) => {
            let active = pods.iter().filter(|pod| Pod(pod).is_active());
            for pod in active.rev().take(surplus as usize) {
                creation::delete_pod(desk, &live, pod)?;
            }
        }
    }
    let pods = desk.controlled(&live, &Kind::POD);
    report(desk, &live, &pods, step)?;
    count_pods(desk, &pods)?;
    Ok(wake)
}

/// Pods of a Job of this name that is gone: nobody counts them any more (`syncOrphanPod`).
fn strays(desk: &Desk<'_>, key: &Key, uid: Option<&str>) -> Vec<Arc<Object>> {
    let pods = desk.store.list(&Kind::POD, Some(&key.namespace));
    let is_stray = |pod: &&Arc<Object>| {
        let is_left = match controller(pod) {
            Some(owner) => {
                owner["kind"] == "Job" && owner["name"] == *key.name && owner["uid"].as_str() != uid
            }
            // It was orphaned.
            None => uid.is_none() && pod.label(NAME) == Some(&key.name),
        };
        is_left && is_tracked(pod)
    };
    pods.filter(is_stray).cloned().collect()
}

fn wish(live: &Object) -> Wish {
    let started = live.text("/status/startTime").and_then(second);
    let within = live
        .at("/spec/activeDeadlineSeconds")
        .and_then(Value::as_i64);
    Wish {
        parallelism: count(live, "/spec/parallelism").unwrap_or(1),
        completions: count(live, "/spec/completions"),
        back_off_limit: count(live, "/spec/backoffLimit").unwrap_or(6),
        is_suspended: live.at("/spec/suspend") == Some(&Value::Bool(true)),
        deadline: started
            .zip(within)
            .map(|(started, within)| started + within),
    }
}

/// Whether a pod has ended and was not counted yet.
fn is_news(pod: &Object) -> bool {
    Pod(pod).has_ended() && is_tracked(pod)
}

fn is_tracked(pod: &Object) -> bool {
    finalizers(pod).any(|one| one == TRACKING)
}

fn finalizers(object: &Object) -> impl Iterator<Item = &Value> {
    let finalizers = object.at("/metadata/finalizers").and_then(Value::as_array);
    finalizers.into_iter().flatten()
}

fn tally(live: &Object, pods: &[Arc<Object>]) -> Tally {
    let of = |holds: fn(Pod<'_>) -> bool| {
        let pods = pods.iter().filter(|pod| holds(Pod(pod)));
        u32::try_from(pods.count()).unwrap_or(u32::MAX)
    };
    let counted = |key: &str| count(live, &format!("/status/{key}")).unwrap_or_default();
    Tally {
        active: of(|pod| pod.is_active()),
        succeeded: counted("succeeded") + of(|pod| is_news(pod.0) && pod.has_succeeded()),
        failed: counted("failed") + of(|pod| is_news(pod.0) && pod.has_failed()),
    }
}

/// When the Job ended, where it has.
fn ended(live: &Object) -> Option<i64> {
    let over = ["Complete", "Failed"].into_iter();
    over.filter_map(|kind| live.condition(kind))
        .find(|condition| condition["status"] == "True")
        .and_then(|condition| condition["lastTransitionTime"].as_str())
        .and_then(second)
}

/// Deletes a Job whose `ttlSecondsAfterFinished` are over, or says when they will be.
fn expire(desk: &mut Desk<'_>, live: &Object, ended: i64) -> Outcome {
    let Some(ttl) = live
        .at("/spec/ttlSecondsAfterFinished")
        .and_then(Value::as_i64)
    else {
        return Ok(None);
    };
    if ended + ttl > desk.now().as_second() {
        return Ok(Some(moment(ended + ttl)));
    }
    if !live.is_terminating() {
        desk.delete_by(live, Propagation::Foreground)?;
    }
    Ok(None)
}

/// Notes when it started, at first or after it was suspended.
fn start(desk: &mut Desk<'_>, live: &Arc<Object>) -> Result<Arc<Object>, Refusal> {
    let now = seconds(desk.now());
    let is_suspended = wish(live).is_suspended;
    let told = live
        .condition("Suspended")
        .map(|now| now["status"] == "True");
    let (status, reason, message) = match (is_suspended, told) {
        (true, None | Some(false)) => ("True", "JobSuspended", "Job suspended"),
        (false, Some(true)) => ("False", "JobResumed", "Job resumed"),
        (false, None) if live.text("/status/startTime").is_none() => {
            return desk.update_status(live, |live| live["status"]["startTime"] = now.into());
        }
        (true, Some(true)) | (false, None | Some(false)) => return Ok(Arc::clone(live)),
    };
    let live = desk.update_status(live, |live| {
        let mut conditions = Conditions::of_job(live, &now);
        conditions.set("Suspended", (status, reason, message));
        conditions.write(live);
        if is_suspended {
            if let Some(status) = live["status"].as_object_mut() {
                status.remove("startTime");
            }
        } else {
            live["status"]["startTime"] = now.as_str().into();
        }
    })?;
    desk.tell(
        &live,
        if is_suspended { "Suspended" } else { "Resumed" },
        message,
    );
    Ok(live)
}

/// When the next pod may be made, in seconds, by the failures since the last success that are still
/// to be seen.
fn next_attempt(live: &Object, pods: &[Arc<Object>]) -> i64 {
    let ended = |holds: fn(Pod<'_>) -> bool| {
        let pods = pods.iter().filter(move |pod| holds(Pod(pod)));
        pods.filter_map(|pod| end_of(pod))
    };
    let success = ended(|pod| pod.has_succeeded()).max().unwrap_or(i64::MIN);
    let failures: Vec<i64> = ended(|pod| pod.has_failed())
        .filter(|at| *at > success)
        .collect();
    let known = count(live, "/status/failed").unwrap_or_default();
    let seen = u32::try_from(failures.len()).unwrap_or(u32::MAX);
    let in_a_row = if success == i64::MIN {
        seen.max(known)
    } else {
        seen
    };
    failures
        .into_iter()
        .max()
        .map_or(0, |last| job::next_attempt(in_a_row, last))
}

fn end_of(pod: &Object) -> Option<i64> {
    let end = pod.text("/status/containerStatuses/0/state/terminated/finishedAt");
    end.and_then(second)
}

fn create(
    desk: &mut Desk<'_>,
    live: &Object,
    pods: &[Arc<Object>],
    missing: u32,
) -> Result<(), Refusal> {
    let template = live.at("/spec/template").cloned().unwrap_or_default();
    let mut pod = from_template(live, &template);
    let finalizers = &mut pod["metadata"]["finalizers"];
    if !finalizers.is_array() {
        *finalizers = json!([]);
    }
    if let Some(finalizers) = finalizers.as_array_mut() {
        finalizers.push(TRACKING.into());
    }
    if live.text("/spec/completionMode") != Some("Indexed") {
        return (0..missing).try_for_each(|_| creation::create_pod(desk, live, pod.clone()));
    }
    let completions = count(live, "/spec/completions").unwrap_or_default();
    let is_taken = |index: &u32| {
        let index = index.to_string();
        let mut pods = pods
            .iter()
            .filter(|pod| Pod(pod).is_active() || Pod(pod).has_succeeded());
        pods.any(|pod| pod.annotation(INDEX) == Some(&index))
    };
    let free: Vec<u32> = (0..completions).filter(|index| !is_taken(index)).collect();
    let name = live.text("/metadata/name").unwrap_or_default();
    for index in free.into_iter().take(missing as usize) {
        let mut pod = pod.clone();
        pod["metadata"]["annotations"][INDEX] = index.to_string().into();
        pod["metadata"]["labels"][INDEX] = index.to_string().into();
        pod["metadata"]["generateName"] = format!("{name}-{index}-").into();
        pod["spec"]["hostname"] = format!("{name}-{index}").into();
        creation::create_pod(desk, live, pod)?;
    }
    Ok(())
}

fn end_pods(desk: &mut Desk<'_>, live: &Object, pods: &[Arc<Object>]) -> Result<(), Refusal> {
    let mut active = pods.iter().filter(|pod| Pod(pod).is_active());
    active.try_for_each(|pod| creation::delete_pod(desk, live, pod))
}

/// Lets pods go that have ended, once the status counts them, and those that are being deleted.
fn count_pods(desk: &mut Desk<'_>, pods: &[Arc<Object>]) -> Result<(), Refusal> {
    for pod in pods {
        if is_tracked(pod) && (Pod(pod).has_ended() || pod.is_terminating()) {
            untrack(desk, pod)?;
        }
    }
    Ok(())
}

/// Lets a pod go.
fn untrack(desk: &mut Desk<'_>, pod: &Object) -> Result<(), Refusal> {
    desk.update(pod, |pod| {
        let finalizers = pod.pointer_mut("/metadata/finalizers");
        if let Some(finalizers) = finalizers.and_then(Value::as_array_mut) {
            finalizers.retain(|one| one != TRACKING);
        }
    })?;
    Ok(())
}

/// Writes counts, and the conditions of the end; with them goes an Event.
fn report(
    desk: &mut Desk<'_>,
    live: &Object,
    pods: &[Arc<Object>],
    step: Step,
) -> Result<(), Refusal> {
    let tally = tally(live, pods);
    let ready = pods
        .iter()
        .filter(|pod| Pod(pod).is_active() && Pod(pod).ready().is_some());
    let going = pods.iter().filter(|pod| Pod(pod).is_terminating()).count();
    let now = seconds(desk.now());
    let mut new = live.value().clone();
    let status = &mut new["status"];
    put_count(status, "active", tally.active);
    put_count(status, "succeeded", tally.succeeded);
    put_count(status, "failed", tally.failed);
    status["ready"] = ready.count().into();
    status["terminating"] = going.into();
    status["uncountedTerminatedPods"] = json!({});
    let end = End::of(step, tally.active == 0 && going == 0);
    if let Some(end) = &end {
        end.write(&mut new, &now);
    }
    desk.update_status(live, |live| *live = new)?;
    if let Some(end) = end {
        end.tell(desk, live);
    }
    Ok(())
}

/// How a Job ends: whether well, and reason and message of its conditions.
struct End {
    is_good: bool,
    /// Whether its last pod is gone; until then only its goal is told.
    is_over: bool,
    reason: &'static str,
    message: &'static str,
}

impl End {
    fn of(step: Step, is_over: bool) -> Option<Self> {
        let (is_good, reason, message) = match step {
            Step::Fail { reason, message } => (false, reason, message),
            Step::Complete => {
                let message = "Reached expected number of succeeded pods";
                (true, "CompletionsReached", message)
            }
            Step::Create(_) | Step::Delete(_) => return None,
        };
        Some(Self {
            is_good,
            is_over,
            reason,
            message,
        })
    }

    fn write(&self, job: &mut Value, now: &str) {
        let (goal, end) = if self.is_good {
            ("SuccessCriteriaMet", "Complete")
        } else {
            ("FailureTarget", "Failed")
        };
        let mut conditions = Conditions::of_job(job, now);
        conditions.set(goal, ("True", self.reason, self.message));
        if self.is_over {
            conditions.set(end, ("True", self.reason, self.message));
        }
        conditions.write(job);
        if self.is_over && self.is_good {
            job["status"]["completionTime"] = now.into();
        }
    }

    fn tell(&self, desk: &mut Desk<'_>, live: &Object) {
        if !self.is_over {
            return;
        }
        if self.is_good {
            desk.tell(live, "Completed", "Job completed");
        } else {
            desk.warn(live, self.reason, self.message);
        }
    }
}
