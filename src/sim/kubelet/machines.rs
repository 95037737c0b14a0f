//! The nodes: their objects, and what is written to them when one is lost or found.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::store::{Actor, Part, Store};
use crate::sim::time::seconds;

/// What the node lifecycle controller calls itself.
const LIFECYCLE: &str = "kube-controller-manager";
const KUBELET: &str = "kubelet";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// Registers a node, the `number`th of all: one of three zones, with room for everything.
pub(super) fn register(store: &mut Store, name: &str, number: usize) {
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "topology.kubernetes.io/zone": format!("zone-{}", number % 3),
            },
        },
        "spec": {},
    });
    // A node that is there already is fine.
    if store.create(&Actor::new(KUBELET), node).is_err() {
        return;
    }
    let now = store.now();
    let room = json!({"cpu": "1000", "memory": "4Ti", "pods": "10000"});
    let address = format!("10.0.0.{}", number + 1);
    write(store, name, Part::Status, |node| {
        node["status"] = json!({
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name},
            ],
            "allocatable": room,
            "capacity": room,
            "conditions": [ready(now)],
            "nodeInfo": {
                "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "stand-in://1.0",
                "kernelVersion": "0.0.0", "kubeProxyVersion": "", "kubeletVersion": "v1.36.2",
                "machineID": "", "operatingSystem": "linux", "osImage": "simulated",
                "systemUUID": "",
            },
        });
    });
    taint(store, name, false);
}

fn write(store: &mut Store, name: &str, part: Part, edit: impl FnOnce(&mut Value)) {
    let actor = match part {
        Part::Main | Part::Scale => Actor::new(LIFECYCLE),
        Part::Status => Actor::new(KUBELET).on(Part::Status),
    };
    // A node that somebody has deleted has nothing to be written to.
    let _gone = store.change(&actor, (&Kind::NODE, "", name), edit);
}

fn ready(now: Timestamp) -> Value {
    json!({
        "type": "Ready", "status": "True", "reason": "KubeletReady",
        "message": "the stand-in is ready",
        "lastHeartbeatTime": seconds(now), "lastTransitionTime": seconds(now),
    })
}

fn silent(now: Timestamp) -> Value {
    json!({
        "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
        "lastHeartbeatTime": seconds(now), "lastTransitionTime": seconds(now),
    })
}

/// Says that a node answers no more, or again.
pub(super) fn answer(store: &mut Store, name: &str, is_lost: bool) {
    let now = store.now();
    let told = if is_lost { silent(now) } else { ready(now) };
    write(store, name, Part::Status, |node| {
        let conditions = node.pointer_mut("/status/conditions");
        if let Some(conditions) = conditions.and_then(Value::as_array_mut) {
            conditions.retain(|condition| condition["type"] != "Ready");
            conditions.push(told);
        }
    });
    taint(store, name, is_lost);
}

/// Sets the taints that keep pods away from a node that does not answer, and takes away the one
/// that every new node gets.
fn taint(store: &mut Store, name: &str, is_lost: bool) {
    let now = seconds(store.now());
    write(store, name, Part::Main, |node| {
        let taints = &mut node["spec"]["taints"];
        let mut kept = taints.as_array().cloned().unwrap_or_default();
        kept.retain(|taint| {
            taint["key"] != UNREACHABLE && taint["key"] != "node.kubernetes.io/not-ready"
        });
        if is_lost {
            for effect in ["NoSchedule", "NoExecute"] {
                kept.push(json!({"key": UNREACHABLE, "effect": effect, "timeAdded": now}));
            }
        }
        if let Some(spec) = node["spec"].as_object_mut() {
            if kept.is_empty() {
                spec.remove("taints");
            } else {
                spec.insert("taints".to_owned(), Value::Array(kept));
            }
        }
    });
}

/// How long a pod stays on a node that does not answer, in seconds; `None` for ever. Admission
/// gives pods five minutes unless they say otherwise (`DefaultTolerationSeconds`).
pub(super) fn patience(pod: &Object) -> Option<u64> {
    let tolerations = pod.at("/spec/tolerations").and_then(Value::as_array);
    let mut tolerations = tolerations.into_iter().flatten();
    let own = tolerations.find(|toleration| {
        let effect = toleration["effect"].as_str().unwrap_or_default();
        let key = toleration["key"].as_str().unwrap_or_default();
        matches!(effect, "" | "NoExecute") && matches!(key, "" | UNREACHABLE)
    });
    match own {
        Some(toleration) => toleration["tolerationSeconds"].as_u64(),
        None => Some(300),
    }
}
