//! The stand-in for the scheduler: a DaemonSet's pod goes where its affinity says, any other to the
//! next node in turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::Pod;

/// Gives pods their nodes.
pub(super) struct Scheduler {
    nodes: Vec<String>,
    next: AtomicUsize,
}

impl Scheduler {
    pub(super) fn new(nodes: Vec<String>) -> Self {
        Self {
            nodes,
            next: AtomicUsize::new(0),
        }
    }

    /// Returns the node for a pod that has none.
    pub(super) fn choose(&self, pod: &Pod) -> String {
        demanded(pod).unwrap_or_else(|| {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            self.nodes[turn % self.nodes.len()].clone()
        })
    }
}

/// The DaemonSet controller names the node by a field selector in a required affinity.
fn demanded(pod: &Pod) -> Option<String> {
    let affinity = pod.spec.as_ref()?.affinity.as_ref()?;
    let required = affinity
        .node_affinity
        .as_ref()?
        .required_during_scheduling_ignored_during_execution
        .as_ref()?;
    required
        .node_selector_terms
        .iter()
        .flat_map(|term| term.match_fields.iter().flatten())
        .find(|field| field.key == "metadata.name")
        .and_then(|field| field.values.as_ref()?.first().cloned())
}
