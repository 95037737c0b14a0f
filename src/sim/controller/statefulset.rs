//! The StatefulSet controller.

use std::sync::Arc;

use serde_json::{Value, json};

use super::desk::{Desk, Key, Outcome, count, number, put_count};
use super::pod::{Pod, from_template, next_available, replicas};
use super::{adoption, revisions};
use crate::object::Object;
use crate::sim::arithmetic::statefulset::{self, Change, Member, Revision, State, Update, Wish};
use crate::sim::kind::Kind;
use crate::sim::refusal::Refusal;

/// The label of a ControllerRevision of a StatefulSet.
const REVISION_HASH: &str = "controller.kubernetes.io/hash";

/// The templates that pods have, by the names of their revisions.
struct Templates {
    current: Arc<Object>,
    update: Arc<Object>,
}

impl Templates {
    /// Which template a pod was made from.
    fn of(&self, pod: &Object) -> Revision {
        let name = pod.label(revisions::HASH);
        if name == self.update.text("/metadata/name") {
            Revision::Update
        } else if name == self.current.text("/metadata/name") {
            Revision::Current
        } else {
            Revision::Other
        }
    }

    fn revision(&self, revision: Revision) -> &Object {
        match revision {
            Revision::Current => &self.current,
            Revision::Update | Revision::Other => &self.update,
        }
    }
}

/// Brings one StatefulSet a step further (`UpdateStatefulSet`).
pub(super) fn sync(desk: &mut Desk<'_>, key: &Key) -> Outcome {
    let Some(live) = desk.get(key) else {
        return Ok(None);
    };
    let all = revisions::all(desk, &live)?;
    let update = revisions::current(desk, &live, &all, REVISION_HASH)?;
    let current = all
        .iter()
        .find(|revision| revision.text("/metadata/name") == live.text("/status/currentRevision"));
    let templates = Templates {
        current: Arc::clone(current.unwrap_or(&update)),
        update,
    };
    let pods = adoption::claim(desk, &live, &Kind::POD)?;
    let now = desk.now().as_second();
    let min_ready = number(&live, "/spec/minReadySeconds");
    let done = if live.is_terminating() {
        Ok(())
    } else {
        let members = members(&live, &pods, &templates, (min_ready, now));
        let mut changes = statefulset::sync(wish(&live), &members).into_iter();
        changes.try_for_each(|change| perform(desk, &live, &templates, change))
    };
    let pods = desk.controlled(&live, &Kind::POD);
    report(desk, &live, &pods, &templates)?;
    done?;
    let all = revisions::all(desk, &live)?;
    revisions::forget_old(desk, &live, &all, |revision| {
        let name = revision.text("/metadata/name");
        let is_used = |pod: &Arc<Object>| pod.label(revisions::HASH) == name;
        [&templates.current, &templates.update]
            .iter()
            .any(|live| live.text("/metadata/name") == name)
            || pods.iter().any(is_used)
    })?;
    let pods = pods.iter().map(|pod| Pod(pod));
    Ok(next_available(pods, min_ready, now))
}

fn wish(live: &Object) -> Wish {
    let update = match live.text("/spec/updateStrategy/type") {
        Some("OnDelete") => Update::OnDelete,
        Some(_) | None => Update::Down(
            live.at("/spec/updateStrategy/rollingUpdate")
                .map(|_| count(live, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0)),
        ),
    };
    Wish {
        replicas: replicas(live),
        start: count(live, "/spec/ordinals/start").unwrap_or_default(),
        is_parallel: live.text("/spec/podManagementPolicy") == Some("Parallel"),
        update,
        current: count(live, "/status/currentReplicas").unwrap_or_default(),
    }
}

/// The number in the name of a pod, where the rest of it is that of the set.
fn ordinal(live: &Object, pod: &Object) -> Option<u32> {
    let name = pod.text("/metadata/name")?;
    let set = live.text("/metadata/name")?;
    name.strip_prefix(set)?.strip_prefix('-')?.parse().ok()
}

fn members(
    live: &Object,
    pods: &[Arc<Object>],
    templates: &Templates,
    (min_ready, now): (i64, i64),
) -> Vec<Member> {
    let member = |pod: &Arc<Object>| {
        let read = Pod(pod);
        let state = match read.ready() {
            _ if read.has_ended() => State::Ended,
            Some(_) if read.is_available(min_ready, now) => State::Available,
            Some(_) => State::Ready,
            None => State::Unready,
        };
        Some(Member {
            ordinal: ordinal(live, pod)?,
            revision: templates.of(pod),
            state,
            is_terminating: pod.is_terminating(),
        })
    };
    pods.iter().filter_map(member).collect()
}

fn perform(
    desk: &mut Desk<'_>,
    live: &Object,
    templates: &Templates,
    change: Change,
) -> Result<(), Refusal> {
    let set = live.text("/metadata/name").unwrap_or_default().to_owned();
    match change {
        Change::Create { ordinal, revision } => {
            claim_volumes(desk, live, ordinal)?;
            let pod = new_pod(live, templates.revision(revision), ordinal);
            let created = desk.create(pod).map(drop);
            tell(desk, live, "Create", (&set, ordinal), created)
        }
        Change::Delete { ordinal } => {
            let name = format!("{set}-{ordinal}");
            let namespace = live.namespace().unwrap_or_default();
            let Some(pod) = desk.store.get(&Kind::POD, namespace, &name).cloned() else {
                return Ok(());
            };
            let deleted = desk.delete(&pod);
            tell(desk, live, "Delete", (&set, ordinal), deleted)
        }
    }
}

/// `recordPodEvent`.
fn tell(
    desk: &mut Desk<'_>,
    live: &Object,
    verb: &str,
    (set, ordinal): (&str, u32),
    done: Result<(), Refusal>,
) -> Result<(), Refusal> {
    let what = format!("{verb} Pod {set}-{ordinal} in StatefulSet {set}");
    match &done {
        Ok(()) => desk.tell(
            live,
            &format!("Successful{verb}"),
            &format!("{what} successful"),
        ),
        Err(refusal) => {
            let message = format!("{what} failed error: {refusal}");
            desk.warn(live, &format!("Failed{verb}"), &message);
        }
    }
    done
}

/// `newVersionedStatefulSetPod`.
fn new_pod(live: &Object, revision: &Object, ordinal: u32) -> Value {
    let set = live.text("/metadata/name").unwrap_or_default();
    let name = format!("{set}-{ordinal}");
    let mut pod = from_template(live, &revisions::template(revision));
    pod["metadata"]["name"] = name.as_str().into();
    let labels = &mut pod["metadata"]["labels"];
    labels["statefulset.kubernetes.io/pod-name"] = name.as_str().into();
    labels["apps.kubernetes.io/pod-index"] = ordinal.to_string().into();
    labels[revisions::HASH] = revision.text("/metadata/name").into();
    pod["spec"]["hostname"] = name.into();
    if let Some(service) = live.text("/spec/serviceName") {
        pod["spec"]["subdomain"] = service.into();
    }
    let templates = live
        .at("/spec/volumeClaimTemplates")
        .and_then(Value::as_array);
    for claim in templates.into_iter().flatten() {
        let volume = claim["metadata"]["name"].as_str().unwrap_or_default();
        let claim = format!("{volume}-{set}-{ordinal}");
        let volumes = &mut pod["spec"]["volumes"];
        if !volumes.is_array() {
            *volumes = json!([]);
        }
        if let Some(volumes) = volumes.as_array_mut() {
            volumes.retain(|one| one["name"] != volume);
            volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}}));
        }
    }
    pod
}

/// Makes the volume claims of a pod that are not there.
fn claim_volumes(desk: &mut Desk<'_>, live: &Object, ordinal: u32) -> Result<(), Refusal> {
    let set = live.text("/metadata/name").unwrap_or_default();
    let namespace = live.namespace().unwrap_or_default();
    let templates = live
        .at("/spec/volumeClaimTemplates")
        .and_then(Value::as_array);
    for template in templates.into_iter().flatten() {
        let volume = template["metadata"]["name"].as_str().unwrap_or_default();
        let name = format!("{volume}-{set}-{ordinal}");
        let kind = &Kind::PERSISTENT_VOLUME_CLAIM;
        if desk.store.get(kind, namespace, &name).is_some() {
            continue;
        }
        let mut labels = template["metadata"]["labels"].clone();
        let selected = live
            .at("/spec/selector/matchLabels")
            .and_then(Value::as_object);
        for (key, value) in selected.into_iter().flatten() {
            labels[key] = value.clone();
        }
        desk.create(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": template["spec"],
        }))?;
        let message =
            format!("Create Claim {name} Pod {set}-{ordinal} in StatefulSet {set} success");
        desk.tell(live, "SuccessfulCreate", &message);
    }
    Ok(())
}

/// Writes the status where it has changed; when all pods are new and Ready, the update's revision
/// becomes the current one (`completeRollingUpdate`).
fn report(
    desk: &mut Desk<'_>,
    live: &Object,
    pods: &[Arc<Object>],
    templates: &Templates,
) -> Result<(), Refusal> {
    let now = desk.now().as_second();
    let min_ready = number(live, "/spec/minReadySeconds");
    let count = |holds: &dyn Fn(&Object) -> bool| {
        let pods = pods.iter().filter(|pod| holds(pod)).count();
        u32::try_from(pods).unwrap_or(u32::MAX)
    };
    let is_of = |name: Option<&str>, pod: &Object| {
        !pod.is_terminating() && pod.label(revisions::HASH) == name
    };
    let (mut current, update) = (
        templates.current.text("/metadata/name"),
        templates.update.text("/metadata/name"),
    );
    let total = count(&|_| true);
    let ready = count(&|pod| Pod(pod).ready().is_some());
    let updated = count(&|pod| is_of(update, pod));
    let mut kept = count(&|pod| is_of(current, pod));
    let rolls = live.text("/spec/updateStrategy/type") != Some("OnDelete");
    if rolls && [updated, ready, total] == [replicas(live); 3] {
        (kept, current) = (updated, update);
    }
    let mut new = live.value().clone();
    let status = &mut new["status"];
    if !status.is_object() {
        *status = json!({});
    }
    status["observedGeneration"] = live.generation().into();
    status["replicas"] = total.into();
    put_count(status, "readyReplicas", ready);
    status["availableReplicas"] = count(&|pod| Pod(pod).is_available(min_ready, now)).into();
    put_count(status, "currentReplicas", kept);
    put_count(status, "updatedReplicas", updated);
    status["currentRevision"] = current.into();
    status["updateRevision"] = update.into();
    let collisions = status["collisionCount"].as_i64().unwrap_or_default();
    status["collisionCount"] = collisions.into();
    desk.update_status(live, |live| *live = new)?;
    Ok(())
}
