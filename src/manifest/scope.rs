//! What a `GitSync` may apply.

use std::collections::BTreeSet;

use crate::object::{KindName, ObjectId, closest, mark};

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindScope {
    /// In a namespace.
    Namespaced,
    /// In none.
    Cluster,
}

/// Tells the scope of a kind by `apiVersion` and `kind`, as the cluster's discovery knows it.
pub type Kinds<'a> = &'a dyn Fn(&str, &str) -> Option<KindScope>;

/// What a `GitSync` may apply. The lists widen what is allowed without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Namespace of objects that name none; always allowed.
    pub target_namespace: String,
    /// Kinds besides the application kinds.
    pub allowed_kinds: Vec<KindName>,
    /// Namespaces besides the target namespace.
    pub allowed_namespaces: Vec<String>,
    /// Whether objects without a namespace may be applied; their kinds must be allowed too.
    pub cluster_scoped: bool,
    /// The agent's own objects: never applied.
    pub own: BTreeSet<ObjectId>,
}

/// Kinds of which applications are made, by group. Nothing here grants rights, runs on nodes
/// outside the scheduler or changes other namespaces.
const APPLICATION_KINDS: [(&str, &[&str]); 11] = [
    (
        "",
        &[
            "ConfigMap",
            "Endpoints",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    (
        "apps",
        &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
    ),
    ("autoscaling", &["HorizontalPodAutoscaler"]),
    ("batch", &["CronJob", "Job"]),
    ("cert-manager.io", &["Certificate"]),
    ("discovery.k8s.io", &["EndpointSlice"]),
    (
        "gateway.networking.k8s.io",
        &["GRPCRoute", "HTTPRoute", "TCPRoute", "TLSRoute", "UDPRoute"],
    ),
    (
        "keda.sh",
        &["ScaledJob", "ScaledObject", "TriggerAuthentication"],
    ),
    (
        "monitoring.coreos.com",
        &["PodMonitor", "PrometheusRule", "ServiceMonitor"],
    ),
    ("networking.k8s.io", &["Ingress", "NetworkPolicy"]),
    ("policy", &["PodDisruptionBudget"]),
];

/// Kinds that are part of the schema but not rolled yet, and would be half applied.
const LATER: [(&str, &str); 1] = [("batch", "Job")];

impl Scope {
    /// Says why objects of the kind may not be applied; `scope` is `None` where nobody knows it.
    pub(super) fn refuses_kind(&self, id: &ObjectId, scope: Option<KindScope>) -> Option<String> {
        let (group, kind) = (id.group.as_str(), id.kind.as_str());
        if LATER.contains(&(group, kind)) {
            return Some(format!(
                "a {kind} is not supported yet: keep it out of this path"
            ));
        }
        let needs_clusters = scope == Some(KindScope::Cluster) && !self.cluster_scoped;
        if !is_application(group, kind) && !self.allowed_kinds.iter().any(|name| name.matches(id)) {
            let name = KindName::of(id);
            let also = if needs_clusters {
                ", and set spec.allow.clusterScoped"
            } else {
                ""
            };
            let hint = if scope.is_none() {
                meant_kind(kind)
            } else {
                String::new()
            };
            return Some(format!(
                "kind {kind} is not allowed here: add `{name}` to spec.allow.kinds{also}, if it is meant{hint}"
            ));
        }
        needs_clusters.then(|| {
            format!(
                "kind {kind} belongs to no namespace: set spec.allow.clusterScoped, if it is meant"
            )
        })
    }

    /// Says why objects may not be applied to the namespace.
    pub(super) fn refuses_namespace(&self, namespace: &str) -> Option<String> {
        let allowed = namespace == self.target_namespace
            || self
                .allowed_namespaces
                .iter()
                .any(|allowed| allowed == namespace);
        (!allowed).then(|| {
            format!("namespace `{namespace}` is not allowed here: add it to spec.allow.namespaces, if it is meant")
        })
    }

    /// Says why the object may not be applied: the agent keeps it for itself.
    pub(super) fn refuses_own(&self, id: &ObjectId) -> Option<String> {
        let is_record = matches!(
            (id.group.as_str(), id.kind.as_str()),
            ("", "ConfigMap") | ("coordination.k8s.io", "Lease")
        ) && mark::is_record_name(&id.name);
        if self.own.contains(id) {
            Some(format!(
                "{id} belongs to the agent itself: install it by other means"
            ))
        } else if is_record {
            Some(format!(
                "{id} has a name that the agent keeps for its records: rename it"
            ))
        } else {
            None
        }
    }
}

fn is_application(group: &str, kind: &str) -> bool {
    APPLICATION_KINDS
        .iter()
        .any(|(have, kinds)| *have == group && kinds.contains(&kind))
}

/// Names the application kind that a kind which nobody knows may stand for, with its group.
fn meant_kind(kind: &str) -> String {
    let all = || {
        APPLICATION_KINDS
            .iter()
            .flat_map(|(group, kinds)| kinds.iter().map(move |kind| (*group, *kind)))
    };
    let Some(meant) = closest(kind, all().map(|(_, kind)| kind)) else {
        return String::new();
    };
    match all().find(|(_, kind)| *kind == meant) {
        Some((group, _)) if !group.is_empty() => format!("; did you mean `{meant}` of `{group}`?"),
        _ => format!("; did you mean `{meant}` of `v1`?"),
    }
}
