//! What Kubernetes' own schemas say about merging, which the generated Rust types leave out.
//!
//! Source: the tags `+listType`, `+listMapKey`, `+mapType`, `patchStrategy` and `patchMergeKey` of
//! `k8s.io/api` 1.36 and their form in its `api/openapi-spec/swagger.json`. A list that is not named
//! here is atomic and replaced.

use serde_json::{Value, json};

/// How one field is merged.
pub(super) enum Mark {
    /// A list whose items are told apart by these keys; the first is that of strategic patches.
    Keyed(&'static [&'static str]),
    /// The same, but strategic patches replace it.
    KeyedForApply(&'static [&'static str]),
    /// The same, and a strategic patch may clear what it does not name in an item.
    KeyedRetaining(&'static [&'static str]),
    /// One value when applied, merged by this key by strategic patches.
    AtomicMergedBy(&'static str),
    /// A list of different values.
    Set,
    /// The same, and strategic patches add to it.
    MergedSet,
    /// A map that has one owner as a whole.
    Atomic,
    /// An object of which a strategic patch may clear what it does not name.
    RetainKeys,
    /// An object that is merged though its type is atomic.
    Granular,
}

impl Mark {
    /// Returns the extensions of the field's schema.
    pub(super) fn extensions(&self) -> Value {
        match self {
            Self::Keyed(keys) => json!({
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": keys,
                "x-kubernetes-patch-merge-key": keys[0],
                "x-kubernetes-patch-strategy": "merge",
            }),
            Self::KeyedForApply(keys) => json!({
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": keys,
            }),
            Self::KeyedRetaining(keys) => json!({
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": keys,
                "x-kubernetes-patch-merge-key": keys[0],
                "x-kubernetes-patch-strategy": "merge,retainKeys",
            }),
            Self::AtomicMergedBy(key) => json!({
                "x-kubernetes-list-type": "atomic",
                "x-kubernetes-patch-merge-key": key,
                "x-kubernetes-patch-strategy": "merge",
            }),
            Self::Set => json!({"x-kubernetes-list-type": "set"}),
            Self::MergedSet => json!({
                "x-kubernetes-list-type": "set",
                "x-kubernetes-patch-strategy": "merge",
            }),
            Self::Atomic => json!({"x-kubernetes-map-type": "atomic"}),
            Self::RetainKeys => json!({"x-kubernetes-patch-strategy": "retainKeys"}),
            Self::Granular => json!({"x-kubernetes-map-type": "granular"}),
        }
    }
}

use Mark::{
    Atomic, AtomicMergedBy, Granular, Keyed, KeyedForApply, KeyedRetaining, MergedSet, RetainKeys,
    Set,
};

/// Type (its name behind `io.k8s.api.`, or whole), field, mark.
#[rustfmt::skip]
pub(super) const FIELDS: &[(&str, &str, Mark)] = &[
    ("admissionregistration.v1.MutatingWebhook", "matchConditions", Keyed(&["name"])),
    ("admissionregistration.v1.MutatingWebhookConfiguration", "webhooks", Keyed(&["name"])),
    ("admissionregistration.v1.ValidatingWebhook", "matchConditions", Keyed(&["name"])),
    ("admissionregistration.v1.ValidatingWebhookConfiguration", "webhooks", Keyed(&["name"])),
    ("apps.v1.DaemonSetStatus", "conditions", Keyed(&["type"])),
    ("apps.v1.DeploymentSpec", "strategy", RetainKeys),
    ("apps.v1.DeploymentStatus", "conditions", Keyed(&["type"])),
    ("apps.v1.ReplicaSetStatus", "conditions", Keyed(&["type"])),
    ("apps.v1.StatefulSetStatus", "conditions", Keyed(&["type"])),
    ("autoscaling.v2.HorizontalPodAutoscalerStatus", "conditions", Keyed(&["type"])),
    ("batch.v1.JobStatus", "conditions", AtomicMergedBy("type")),
    ("batch.v1.PodFailurePolicyOnExitCodesRequirement", "values", Set),
    ("batch.v1.UncountedTerminatedPods", "failed", Set),
    ("batch.v1.UncountedTerminatedPods", "succeeded", Set),
    ("core.v1.Container", "env", Keyed(&["name"])),
    ("core.v1.Container", "ports", Keyed(&["containerPort", "protocol"])),
    ("core.v1.Container", "volumeDevices", Keyed(&["devicePath"])),
    ("core.v1.Container", "volumeMounts", Keyed(&["mountPath"])),
    ("core.v1.ContainerStatus", "allocatedResourcesStatus", Keyed(&["name"])),
    ("core.v1.ContainerStatus", "volumeMounts", Keyed(&["mountPath"])),
    ("core.v1.EphemeralContainer", "env", Keyed(&["name"])),
    ("core.v1.EphemeralContainer", "ports", Keyed(&["containerPort", "protocol"])),
    ("core.v1.EphemeralContainer", "volumeDevices", Keyed(&["devicePath"])),
    ("core.v1.EphemeralContainer", "volumeMounts", Keyed(&["mountPath"])),
    ("core.v1.NamespaceStatus", "conditions", Keyed(&["type"])),
    ("core.v1.NodeSpec", "podCIDRs", MergedSet),
    ("core.v1.NodeStatus", "addresses", Keyed(&["type"])),
    ("core.v1.NodeStatus", "conditions", Keyed(&["type"])),
    ("core.v1.PersistentVolumeClaimStatus", "allocatedResourceStatuses", Granular),
    ("core.v1.PersistentVolumeClaimStatus", "conditions", Keyed(&["type"])),
    ("core.v1.PersistentVolumeSpec", "claimRef", Granular),
    ("core.v1.PodSpec", "containers", Keyed(&["name"])),
    ("core.v1.PodSpec", "ephemeralContainers", Keyed(&["name"])),
    ("core.v1.PodSpec", "hostAliases", Keyed(&["ip"])),
    ("core.v1.PodSpec", "imagePullSecrets", Keyed(&["name"])),
    ("core.v1.PodSpec", "initContainers", Keyed(&["name"])),
    ("core.v1.PodSpec", "nodeSelector", Atomic),
    ("core.v1.PodSpec", "resourceClaims", KeyedRetaining(&["name"])),
    ("core.v1.PodSpec", "schedulingGates", Keyed(&["name"])),
    ("core.v1.PodSpec", "topologySpreadConstraints", Keyed(&["topologyKey", "whenUnsatisfiable"])),
    ("core.v1.PodSpec", "volumes", KeyedRetaining(&["name"])),
    ("core.v1.PodStatus", "conditions", Keyed(&["type"])),
    ("core.v1.PodStatus", "hostIPs", AtomicMergedBy("ip")),
    ("core.v1.PodStatus", "podIPs", Keyed(&["ip"])),
    ("core.v1.PodStatus", "resourceClaimStatuses", KeyedRetaining(&["name"])),
    ("core.v1.ReplicationControllerSpec", "selector", Atomic),
    ("core.v1.ReplicationControllerStatus", "conditions", Keyed(&["type"])),
    ("core.v1.ResourceRequirements", "claims", KeyedForApply(&["name"])),
    ("core.v1.ResourceStatus", "resources", KeyedForApply(&["resourceID"])),
    ("core.v1.ServiceAccount", "secrets", Keyed(&["name"])),
    ("core.v1.ServiceSpec", "ports", Keyed(&["port", "protocol"])),
    ("core.v1.ServiceSpec", "selector", Atomic),
    ("core.v1.ServiceStatus", "conditions", Keyed(&["type"])),
    ("discovery.v1.Endpoint", "addresses", Set),
    ("policy.v1.PodDisruptionBudgetStatus", "conditions", Keyed(&["type"])),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus", "conditions",
     KeyedForApply(&["type"])),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "finalizers", MergedSet),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "ownerReferences", Keyed(&["uid"])),
];

/// Types that have one owner as a whole (`+structType=atomic`).
#[rustfmt::skip]
pub(super) const ATOMIC_TYPES: &[&str] = &[
    "core.v1.ConfigMapKeySelector", "core.v1.EndpointAddress", "core.v1.EndpointPort", "core.v1.LocalObjectReference",
    "core.v1.NodeSelector", "core.v1.NodeSelectorTerm", "core.v1.ObjectFieldSelector", "core.v1.ObjectReference",
    "core.v1.ResourceFieldSelector", "core.v1.ScopeSelector", "core.v1.SecretKeySelector", "core.v1.SecretReference",
    "core.v1.TopologySelectorTerm", "core.v1.TypedLocalObjectReference", "discovery.v1.EndpointPort",
    "networking.v1.ServiceBackendPort", "rbac.v1.RoleRef", "rbac.v1.Subject",
    "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector", "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
];

/// Returns the whole name of a type of the tables.
pub(super) fn whole(name: &str) -> String {
    if name.starts_with("io.k8s.") {
        name.to_owned()
    } else {
        format!("io.k8s.api.{name}")
    }
}
