//! What an object has before anybody has written to it: the parts of the Go types that are never
//! left out (`k8s.io/api`, fields without `omitempty`). The real server compares a new object with
//! such a blank one to see who owns what, so that nobody owns these parts themselves.

use serde_json::{Value, json};

use crate::sim::kind::Kind;

/// Returns a blank object of a kind; of a custom resource nothing is there.
pub(super) fn blank(kind: &Kind) -> Value {
    let template = json!({"metadata": {}, "spec": {"containers": null}});
    match (kind.group.as_ref(), kind.name.as_ref()) {
        ("apps", "Deployment") => json!({
            "spec": {"strategy": {}, "template": template},
            "status": {},
        }),
        ("apps", "ReplicaSet") => json!({
            "spec": {"template": template},
            "status": {"replicas": 0},
        }),
        ("apps", "StatefulSet") => json!({
            "spec": {"template": template, "updateStrategy": {}},
            "status": {"replicas": 0, "availableReplicas": 0},
        }),
        ("apps", "DaemonSet") => json!({
            "spec": {"template": template, "updateStrategy": {}},
            "status": {
                "currentNumberScheduled": 0, "desiredNumberScheduled": 0,
                "numberMisscheduled": 0, "numberReady": 0,
            },
        }),
        ("batch", "Job") => json!({"spec": {"template": template}, "status": {}}),
        ("batch", "CronJob") => json!({
            "spec": {"jobTemplate": {"metadata": {}, "spec": {"template": template}}},
            "status": {},
        }),
        ("", "Pod") => json!({"spec": {"containers": null}, "status": {}}),
        ("", "Service") => json!({"spec": {}, "status": {"loadBalancer": {}}}),
        ("", "PersistentVolumeClaim") => json!({"spec": {"resources": {}}, "status": {}}),
        ("", "Event") => json!({"involvedObject": {}, "source": {}}),
        ("autoscaling", "HorizontalPodAutoscaler") => {
            json!({"spec": {"scaleTargetRef": {}}, "status": {}})
        }
        ("networking.k8s.io", "NetworkPolicy") => json!({"spec": {"podSelector": {}}}),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            json!({"spec": {"names": {}}, "status": {}})
        }
        ("", "Namespace" | "Node" | "ResourceQuota" | "LimitRange" | "PersistentVolume")
        | ("policy", "PodDisruptionBudget")
        | ("networking.k8s.io", "Ingress")
        | ("coordination.k8s.io", "Lease") => json!({"spec": {}, "status": {}}),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_resource_has_nothing_of_its_own() {
        assert_eq!(blank(&Kind::named("example.com/v1", "Widget")), json!({}));
        assert_eq!(blank(&Kind::POD)["spec"], json!({"containers": null}));
    }
}
