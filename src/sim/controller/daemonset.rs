//! The DaemonSet controller.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::desk::{Desk, Key, Outcome, number, put_count};
use super::nodes::{Welcome, welcome};
use super::pod::{Pod, from_template, next_available};
use super::{adoption, creation, revisions};
use crate::object::{Amount, Object};
use crate::sim::arithmetic::daemonset::{self, Change, Member, Node, State, Update};
use crate::sim::kind::Kind;
use crate::sim::refusal::Refusal;

/// The field that names the node of a pod that has none yet.
const NODE_TERMS: &str =
    "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";

/// Taints that every pod of a DaemonSet puts up with (`AddOrUpdateDaemonPodTolerations`).
const TOLERATED: &[(&str, &str)] = &[
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// A node with what it would do with a pod.
struct Place {
    node: Arc<Object>,
    welcome: Welcome,
}

/// Brings one DaemonSet a step further (`syncDaemonSet`).
pub(super) fn sync(desk: &mut Desk<'_>, key: &Key) -> Outcome {
    let Some(live) = desk.get(key) else {
        return Ok(None);
    };
    if live.is_terminating() {
        return Ok(None);
    }
    let all = revisions::all(desk, &live)?;
    let current = revisions::current(desk, &live, &all, revisions::HASH)?;
    let hash = current
        .label(revisions::HASH)
        .unwrap_or_default()
        .to_owned();
    let places = places(desk, &live);
    let pods = adoption::claim(desk, &live, &Kind::POD)?;
    let done = adjust(desk, &live, &hash, (&places, &pods));
    let pods = desk.controlled(&live, &Kind::POD);
    report(desk, &live, &hash, (&places, &pods))?;
    done?;
    let all = revisions::all(desk, &live)?;
    revisions::forget_old(desk, &live, &all, |revision| {
        let of = revision.label(revisions::HASH);
        let is_used = |pod: &Arc<Object>| pod.label(revisions::HASH) == of;
        of == Some(hash.as_str()) || pods.iter().any(is_used)
    })?;
    let min_ready = number(&live, "/spec/minReadySeconds");
    let pods = pods.iter().map(|pod| Pod(pod));
    Ok(next_available(pods, min_ready, desk.now().as_second()))
}

fn places(desk: &Desk<'_>, live: &Object) -> Vec<Place> {
    let template = live.at("/spec/template").cloned().unwrap_or_default();
    let spec = tolerant(template)["spec"].take();
    let nodes = desk.store.list(&Kind::NODE, None);
    let place = |node: &Arc<Object>| Place {
        node: Arc::clone(node),
        welcome: welcome(node, &spec),
    };
    nodes.map(place).collect()
}

/// A template whose pods put up with what pods of a DaemonSet do.
fn tolerant(mut template: Value) -> Value {
    let spec = &mut template["spec"];
    let on_host = spec["hostNetwork"] == true;
    let tolerations = &mut spec["tolerations"];
    if !tolerations.is_array() {
        *tolerations = json!([]);
    }
    let network = ("node.kubernetes.io/network-unavailable", "NoSchedule");
    let more = on_host.then_some(&network);
    if let Some(tolerations) = tolerations.as_array_mut() {
        for (key, effect) in TOLERATED.iter().chain(more) {
            let toleration = json!({"key": key, "operator": "Exists", "effect": effect});
            if !tolerations.contains(&toleration) {
                tolerations.push(toleration);
            }
        }
    }
    template
}

/// The node of a pod: the one that it has, or the one that it is made for.
fn node_of(pod: &Object) -> Option<&str> {
    let named = || {
        let terms = pod.at(NODE_TERMS)?.as_array()?;
        let mut fields = terms
            .iter()
            .filter_map(|term| term["matchFields"].as_array());
        let field = fields
            .next()?
            .iter()
            .find(|field| field["key"] == "metadata.name")?;
        field["values"][0].as_str()
    };
    Pod(pod).node().or_else(named)
}

fn by_node(pods: &[Arc<Object>]) -> BTreeMap<&str, Vec<&Arc<Object>>> {
    let mut by_node: BTreeMap<&str, Vec<&Arc<Object>>> = BTreeMap::new();
    for pod in pods {
        if let Some(node) = node_of(pod) {
            by_node.entry(node).or_default().push(pod);
        }
    }
    by_node
}

fn adjust(
    desk: &mut Desk<'_>,
    live: &Object,
    hash: &str,
    (places, pods): (&[Place], &[Arc<Object>]),
) -> Result<(), Refusal> {
    let now = desk.now().as_second();
    let min_ready = number(live, "/spec/minReadySeconds");
    let by_node = by_node(pods);
    let node = |place: &'_ Place| {
        let name = place
            .node
            .text("/metadata/name")
            .unwrap_or_default()
            .to_owned();
        (name, place.welcome)
    };
    let named: Vec<(String, Welcome)> = places.iter().map(node).collect();
    let nodes: Vec<Node<'_>> = named
        .iter()
        .map(|(name, welcome)| Node {
            name,
            should_run: welcome.may_start,
            may_stay: welcome.may_stay,
            pods: by_node
                .get(name.as_str())
                .into_iter()
                .flatten()
                .map(|pod| member(pod, hash, (min_ready, now)))
                .collect(),
        })
        .collect();
    let wanted = nodes.iter().filter(|node| node.should_run).count();
    for change in daemonset::sync(update(live, wanted), &nodes) {
        match change {
            Change::Create(node) => {
                let pod = new_pod(live, hash, node);
                creation::create_pod(desk, live, pod)?;
            }
            Change::Delete(name) => {
                let is_it = |pod: &&Arc<Object>| Pod(pod).name() == name;
                if let Some(pod) = pods.iter().find(is_it) {
                    creation::delete_pod(desk, live, pod)?;
                }
            }
        }
    }
    Ok(())
}

fn member<'a>(pod: &'a Object, hash: &str, (min_ready, now): (i64, i64)) -> Member<'a> {
    let read = Pod(pod);
    Member {
        name: read.name(),
        is_new: pod.label(revisions::HASH) == Some(hash),
        state: match read.ready() {
            _ if read.has_ended() => State::Ended,
            Some(_) if read.is_available(min_ready, now) => State::Available,
            Some(_) => State::Ready,
            None => State::Unready,
        },
        is_terminating: pod.is_terminating(),
        created: read.created(),
    }
}

/// Resolves the strategy for so many nodes: both limits are rounded up, and where both come to
/// nothing one pod may be unavailable (`updatedDesiredNodeCounts`).
fn update(live: &Object, nodes: usize) -> Update {
    if live.text("/spec/updateStrategy/type") == Some("OnDelete") {
        return Update::OnDelete;
    }
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    let amount = |key: &str| {
        let value = live.at(&format!("/spec/updateStrategy/rollingUpdate/{key}"));
        let amount = value
            .cloned()
            .and_then(|value| Amount::try_from(value).ok());
        amount.map_or(0, |amount| amount.rounded_up(nodes))
    };
    let surge = amount("maxSurge");
    let unavailable = match amount("maxUnavailable") {
        0 if surge == 0 => 1,
        unavailable => unavailable,
    };
    Update::Rolling {
        surge: surge as usize,
        unavailable: unavailable as usize,
    }
}

/// A pod for a node that does not choose another one.
fn new_pod(live: &Object, hash: &str, node: &str) -> Value {
    let template = live.at("/spec/template").cloned().unwrap_or_default();
    let mut pod = from_template(live, &tolerant(template));
    let labels = &mut pod["metadata"]["labels"];
    labels[revisions::HASH] = hash.into();
    let generation = live.annotation("deprecated.daemonset.template.generation");
    if let Some(generation) = generation {
        labels["pod-template-generation"] = generation.into();
    }
    let field = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    let required = &mut pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    match required.as_array_mut() {
        Some(terms) => {
            for term in terms {
                term["matchFields"] = json!([field]);
            }
        }
        None => *required = json!([{"matchFields": [field]}]),
    }
    pod
}

/// Writes the status where it has changed (`updateDaemonSetStatus`).
fn report(
    desk: &mut Desk<'_>,
    live: &Object,
    hash: &str,
    (places, pods): (&[Place], &[Arc<Object>]),
) -> Result<(), Refusal> {
    let now = desk.now().as_second();
    let min_ready = number(live, "/spec/minReadySeconds");
    let by_node = by_node(pods);
    let oldest = |place: &Place| {
        let pods = by_node.get(place.node.text("/metadata/name").unwrap_or_default())?;
        pods.iter()
            .min_by_key(|pod| (Pod(pod).created(), Pod(pod).name()))
            .copied()
    };
    let (wanted, other): (Vec<&Place>, Vec<&Place>) =
        places.iter().partition(|place| place.welcome.may_start);
    let present: Vec<Pod<'_>> = wanted
        .iter()
        .filter_map(|place| oldest(place))
        .map(|pod| Pod(pod))
        .collect();
    let misplaced = other.iter().filter(|place| oldest(place).is_some()).count();
    let count = |holds: &dyn Fn(&Pod<'_>) -> bool| present.iter().filter(|pod| holds(pod)).count();
    let ready = count(&|pod| pod.ready().is_some());
    let available = count(&|pod| pod.is_available(min_ready, now));
    let updated = count(&|pod| pod.0.label(revisions::HASH) == Some(hash));
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut new = live.value().clone();
    let status = &mut new["status"];
    if !status.is_object() {
        *status = json!({});
    }
    status["observedGeneration"] = live.generation().into();
    status["desiredNumberScheduled"] = wanted.len().into();
    status["currentNumberScheduled"] = present.len().into();
    status["numberMisscheduled"] = misplaced.into();
    status["numberReady"] = ready.into();
    put_count(status, "updatedNumberScheduled", narrow(updated));
    put_count(status, "numberAvailable", narrow(available));
    put_count(
        status,
        "numberUnavailable",
        narrow(wanted.len() - available),
    );
    desk.update_status(live, |live| *live = new)?;
    Ok(())
}
