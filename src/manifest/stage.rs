//! The order in which objects are applied.

use crate::object::ObjectId;

/// A stage of a pass, in the order of applying; deletes go the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Custom resource definitions and namespaces: waited for.
    Definitions,
    /// Storage, ingress, runtime, priority and other classes.
    Classes,
    /// Rights and limits that must exist before pods move: RBAC, accounts, quotas, budgets,
    /// network policies.
    Rights,
    /// Configuration, volumes, Services, and every kind that is not named elsewhere.
    Settings,
    /// Workloads, in batches; bare pods and cron jobs with them.
    Workloads,
    /// What points at workloads: scalers, Ingresses, routes, aggregated APIs.
    Entrances,
    /// Webhook configurations, which may block everything else.
    Webhooks,
}

/// Returns the stage of an object by its kind.
#[must_use]
pub fn stage(id: &ObjectId) -> Stage {
    match (id.group.as_str(), id.kind.as_str()) {
        ("apiextensions.k8s.io", "CustomResourceDefinition") | ("", "Namespace") => {
            Stage::Definitions
        }
        ("admissionregistration.k8s.io", _) => Stage::Webhooks,
        ("rbac.authorization.k8s.io", _)
        | ("", "ServiceAccount" | "ResourceQuota" | "LimitRange")
        | ("policy", "PodDisruptionBudget")
        | ("networking.k8s.io", "NetworkPolicy") => Stage::Rights,
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job" | "CronJob")
        | ("", "Pod" | "ReplicationController") => Stage::Workloads,
        ("autoscaling", "HorizontalPodAutoscaler")
        | ("networking.k8s.io", "Ingress")
        | ("apiregistration.k8s.io", "APIService")
        | ("keda.sh", "ScaledObject" | "ScaledJob") => Stage::Entrances,
        ("gateway.networking.k8s.io", kind) if kind.ends_with("Route") => Stage::Entrances,
        (group, kind) if group.ends_with(".k8s.io") && kind.ends_with("Class") => Stage::Classes,
        _ => Stage::Settings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_come_after_what_they_need() {
        let order = [
            "apiextensions.k8s.io/CustomResourceDefinition//a.b",
            "storage.k8s.io/StorageClass//fast",
            "rbac.authorization.k8s.io/Role/shop/r",
            "/ConfigMap/shop/c",
            "apps/Deployment/shop/web",
            "networking.k8s.io/Ingress/shop/web",
            "admissionregistration.k8s.io/ValidatingWebhookConfiguration//v",
        ];
        let stages: Vec<Stage> = order
            .iter()
            .map(|key| stage(&key.parse().unwrap()))
            .collect();
        assert!(
            stages.windows(2).all(|pair| pair[0] < pair[1]),
            "{stages:?}"
        );
        assert_eq!(
            stage(&"example.com/Widget/shop/w".parse().unwrap()),
            Stage::Settings
        );
        assert_eq!(
            stage(
                &"gateway.networking.k8s.io/HTTPRoute/shop/w"
                    .parse()
                    .unwrap()
            ),
            Stage::Entrances
        );
    }
}
