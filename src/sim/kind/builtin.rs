//! The kinds of the simulated API server that need no CustomResourceDefinition.
//!
//! Source: the discovery documents of Kubernetes 1.36 (`api/discovery`), less what nobody who
//! watches a rollout asks for.

use super::{Kind, Resource, ScalePaths, Version};
use crate::sim::schema::Schema;

/// What a kind has besides objects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Has {
    /// The sub-resource `status`.
    Status,
    /// The sub-resource `scale`.
    Scale,
    /// A generation that counts changes of the spec.
    Generation,
    /// A generation that counts changes of the spec and of annotations (`apps/deployment/strategy.go`).
    AnnotatedGeneration,
    /// A place in `kubectl get all`.
    All,
    /// A place among the extensions of the API.
    Extension,
    /// Only answers to `create`; nothing is kept.
    AnswersOnly,
    /// `update` without a resourceVersion is refused.
    StrictUpdate,
}

struct Row(
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [Has],
);

use Has::{
    All, AnnotatedGeneration, AnswersOnly, Extension, Generation, Scale, Status, StrictUpdate,
};

/// Group and version, kind, plural, scope (`N`amespaced or `C`luster), short names, what it has.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row("v1", "ConfigMap", "configmaps", "N", &["cm"], &[]),
    Row("v1", "Endpoints", "endpoints", "N", &["ep"], &[]),
    Row("v1", "Event", "events", "N", &["ev"], &[]),
    Row("v1", "LimitRange", "limitranges", "N", &["limits"], &[]),
    Row("v1", "Namespace", "namespaces", "C", &["ns"], &[Status]),
    Row("v1", "Node", "nodes", "C", &["no"], &[Status]),
    Row("v1", "PersistentVolume", "persistentvolumes", "C", &["pv"], &[Status]),
    Row("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "N", &["pvc"], &[Status]),
    Row("v1", "Pod", "pods", "N", &["po"], &[Status, Generation, All]),
    Row("v1", "PodTemplate", "podtemplates", "N", &[], &[Generation]),
    Row("v1", "ReplicationController", "replicationcontrollers", "N", &["rc"], &[Status, Scale, Generation, All]),
    Row("v1", "ResourceQuota", "resourcequotas", "N", &["quota"], &[Status]),
    Row("v1", "Secret", "secrets", "N", &[], &[]),
    Row("v1", "Service", "services", "N", &["svc"], &[Status, All]),
    Row("v1", "ServiceAccount", "serviceaccounts", "N", &["sa"], &[]),
    Row("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "C", &[],
        &[Generation, Extension]),
    Row("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "C", &[],
        &[Generation, Extension]),
    Row("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", "C", &["crd", "crds"],
        &[Status, Generation, Extension, StrictUpdate]),
    Row("apps/v1", "ControllerRevision", "controllerrevisions", "N", &[], &[]),
    Row("apps/v1", "DaemonSet", "daemonsets", "N", &["ds"], &[Status, Generation, All]),
    Row("apps/v1", "Deployment", "deployments", "N", &["deploy"], &[Status, Scale, AnnotatedGeneration, All]),
    Row("apps/v1", "ReplicaSet", "replicasets", "N", &["rs"], &[Status, Scale, Generation, All]),
    Row("apps/v1", "StatefulSet", "statefulsets", "N", &["sts"], &[Status, Scale, Generation, All]),
    Row("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", "C", &[], &[AnswersOnly]),
    Row("authentication.k8s.io/v1", "TokenReview", "tokenreviews", "C", &[], &[AnswersOnly]),
    Row("authorization.k8s.io/v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", "N", &[], &[AnswersOnly]),
    Row("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", "C", &[], &[AnswersOnly]),
    Row("authorization.k8s.io/v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", "C", &[], &[AnswersOnly]),
    Row("authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews", "C", &[], &[AnswersOnly]),
    Row("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "N", &["hpa"], &[Status, All]),
    Row("batch/v1", "CronJob", "cronjobs", "N", &["cj"], &[Status, Generation, All]),
    Row("batch/v1", "Job", "jobs", "N", &[], &[Status, Generation, All]),
    Row("coordination.k8s.io/v1", "Lease", "leases", "N", &[], &[StrictUpdate]),
    Row("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", "N", &[], &[Generation]),
    Row("events.k8s.io/v1", "Event", "events", "N", &["ev"], &[]),
    Row("networking.k8s.io/v1", "Ingress", "ingresses", "N", &["ing"], &[Status, Generation]),
    Row("networking.k8s.io/v1", "IngressClass", "ingressclasses", "C", &[], &[Generation]),
    Row("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", "N", &["netpol"], &[Generation]),
    Row("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "N", &["pdb"], &[Status, Generation]),
    Row("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", "C", &[], &[]),
    Row("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", "C", &[], &[]),
    Row("rbac.authorization.k8s.io/v1", "Role", "roles", "N", &[], &[]),
    Row("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", "N", &[], &[]),
    Row("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", "C", &["pc"], &[]),
    Row("storage.k8s.io/v1", "StorageClass", "storageclasses", "C", &["sc"], &[]),
];

/// Returns all of them.
pub(super) fn all() -> impl Iterator<Item = Resource> {
    ROWS.iter().map(resource)
}

fn resource(row: &Row) -> Resource {
    let Row(api_version, kind, plural, scope, short, has) = row;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let has = |what: Has| has.contains(&what);
    let definition = definition(group, version, kind);
    let categories = [(All, "all"), (Extension, "api-extensions")];
    let names = categories.iter().filter(|(what, _)| has(*what));
    Resource {
        kind: Kind::of(group, kind),
        plural: (*plural).to_owned(),
        singular: kind.to_lowercase(),
        short: short.iter().map(|name| (*name).to_owned()).collect(),
        categories: names.map(|(_, name)| (*name).to_owned()).collect(),
        is_namespaced: *scope == "N",
        has_status: has(Status),
        scale: has(Scale).then(ScalePaths::builtin),
        counts_spec: has(Generation) || has(AnnotatedGeneration),
        counts_annotations: has(AnnotatedGeneration),
        only_answers: has(AnswersOnly),
        needs_version_to_update: has(StrictUpdate),
        is_custom: false,
        versions: vec![Version {
            name: version.to_owned(),
            schema: Schema::of_definition(&definition),
            definition: Some(definition),
            custom_schema: None,
            columns: Vec::new(),
            selectable: Vec::new(),
            has_status: has(Status),
        }],
    }
}

/// Returns the name of the kind's definition.
fn definition(group: &str, version: &str, kind: &str) -> String {
    if group == "apiextensions.k8s.io" {
        return format!("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{version}.{kind}");
    }
    let package = match group.split('.').next() {
        None | Some("") => "core",
        Some(first) => first,
    };
    format!("io.k8s.api.{package}.{version}.{kind}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::schema::definition as schema;

    #[test]
    fn every_kind_has_a_definition() {
        for resource in all() {
            let name = resource.versions[0]
                .definition
                .as_deref()
                .expect("built in");
            assert!(schema(name).is_some(), "{name} is unknown");
        }
    }
}
