//! Pods and their nodes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Store;
use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::refusal::Refusal;
use crate::sim::time::seconds;

impl Store {
    /// Puts a pod on a node, as the scheduler does through the sub-resource `binding`: nobody owns
    /// that field afterwards. The pod gets the node's labels of region and zone, as admission gives
    /// them (`PodTopologyLabels`).
    ///
    /// # Errors
    /// 404 where the pod is not there.
    pub fn bind(
        &mut self,
        (namespace, name): (&str, &str),
        node: &str,
    ) -> Result<Arc<Object>, Refusal> {
        let Some(pod) = self.get(&Kind::POD, namespace, name) else {
            return Err(Refusal::not_found(&self.subject(&Kind::POD, name)));
        };
        let mut pod = pod.as_ref().clone();
        pod.set(&["spec", "nodeName"], json!(node));
        for label in [
            "topology.kubernetes.io/region",
            "topology.kubernetes.io/zone",
        ] {
            let home = self.get(&Kind::NODE, "", node);
            if let Some(value) = home.and_then(|node| node.label(label)) {
                pod.set(&["metadata", "labels", label], json!(value));
            }
        }
        let now = seconds(self.now());
        let condition = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null,
                               "lastTransitionTime": now});
        let conditions = pod.at("/status/conditions").and_then(Value::as_array);
        let mut conditions = conditions.cloned().unwrap_or_default();
        conditions.retain(|condition| condition["type"] != "PodScheduled");
        conditions.push(condition);
        pod.set(&["status", "conditions"], Value::Array(conditions));
        let place = (namespace.to_owned(), name.to_owned());
        Ok(self.commit(&Kind::POD, &place, Some(pod)))
    }
}
