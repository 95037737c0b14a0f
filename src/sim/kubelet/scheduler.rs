//! The scheduler: a pod goes to the next in turn of the nodes that take it.

use serde_json::{Value, json};

use crate::object::Object;
use crate::sim::controller::{Events, nodes};
use crate::sim::kind::Kind;
use crate::sim::store::Store;

/// What the scheduler calls itself in Events.
const NAME: &str = "default-scheduler";

/// Gives pods their nodes.
pub(super) struct Scheduler {
    nodes: Vec<String>,
    turn: u64,
}

impl Scheduler {
    /// Returns a scheduler that begins with the node that `turn` says.
    pub(super) fn new(turn: u64, nodes: &[String]) -> Self {
        Self {
            nodes: nodes.to_vec(),
            turn,
        }
    }

    /// Returns the names of all nodes.
    pub(super) fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// Chooses a node for a pod; `None` where none takes it.
    pub(super) fn choose(&mut self, store: &Store, pod: &Object) -> Option<String> {
        let spec = pod.at("/spec")?;
        let takes = |name: &&String| {
            let node = store.get(&Kind::NODE, "", name);
            node.is_some_and(|node| !is_closed(node, spec) && nodes::welcome(node, spec).may_start)
        };
        let fitting: Vec<&String> = self.nodes.iter().filter(takes).collect();
        let count = u64::try_from(fitting.len())
            .ok()
            .filter(|count| *count > 0)?;
        let at = usize::try_from(self.turn % count).ok()?;
        self.turn += 1;
        Some(fitting[at].clone())
    }

    /// Why no node takes a pod, in the scheduler's words: closed nodes apart, there is no room.
    pub(super) fn why_none(&self, store: &Store, pod: &Object) -> String {
        let spec = pod.at("/spec").unwrap_or(&Value::Null);
        let nodes = self.nodes.iter();
        let nodes: Vec<_> = nodes
            .filter_map(|name| store.get(&Kind::NODE, "", name))
            .collect();
        let all = nodes.len();
        let closed = nodes.iter().filter(|node| is_closed(node, spec)).count();
        let full = all - closed;
        let closed = (closed > 0).then(|| format!("{closed} node(s) were unschedulable"));
        let full = (full > 0).then(|| format!("{full} Insufficient cpu"));
        let reasons: Vec<String> = full.into_iter().chain(closed).collect();
        if reasons.is_empty() {
            return "no nodes available to schedule pods".to_owned();
        }
        format!("0/{all} nodes are available: {}.", reasons.join(", "))
    }
}

/// Says whether a node is cordoned and a pod does not tolerate that.
fn is_closed(node: &Object, spec: &Value) -> bool {
    node.at("/spec/unschedulable") == Some(&Value::Bool(true)) && !tolerates_cordon(spec)
}

fn tolerates_cordon(spec: &Value) -> bool {
    let cordon = json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
    nodes::tolerates(spec, &cordon)
}

/// Puts a pod on a node.
pub(super) fn bind(store: &mut Store, events: &mut Events, pod: &Object, node: &str) {
    let name = pod.text("/metadata/name").unwrap_or_default();
    let namespace = pod.namespace().unwrap_or_default();
    // A pod that is gone meanwhile needs no node.
    if store.bind((namespace, name), node).is_ok() {
        let message = format!("Successfully assigned {namespace}/{name} to {node}");
        events.tell(store, NAME, pod, ("Normal", "Scheduled", &message));
    }
}

/// Tells that no node takes a pod.
pub(super) fn refuse(store: &mut Store, events: &mut Events, pod: &Object, message: &str) {
    events.tell(store, NAME, pod, ("Warning", "FailedScheduling", message));
}
