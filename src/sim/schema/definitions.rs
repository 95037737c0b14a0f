//! Kubernetes' own types as OpenAPI schemas: generated from `k8s-openapi`, with what it leaves out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use k8s_openapi::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions;
use k8s_openapi::apimachinery::pkg::apis::meta;
use k8s_openapi::schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Value, json};

use super::marks::{ATOMIC_TYPES, FIELDS, whole};

/// Every type by its name, as `io.k8s.api.apps.v1.Deployment`.
static DEFINITIONS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let mut generator = SchemaSettings::openapi3().into_generator();
    workloads(&mut generator);
    surroundings(&mut generator);
    policies(&mut generator);
    let mut definitions: BTreeMap<String, Value> =
        generator.take_definitions(true).into_iter().collect();
    for definition in definitions.values_mut() {
        wrap_references(definition);
        free_metadata(definition);
    }
    add_marks(&mut definitions);
    definitions
});

macro_rules! generate {
    ($generator:ident: $($kind:ty),* $(,)?) => {
        $(let _reference = $generator.subschema_for::<$kind>();)*
    };
}

fn workloads(generator: &mut SchemaGenerator) {
    generate!(generator:
        api::apps::v1::ControllerRevision, api::apps::v1::DaemonSet, api::apps::v1::Deployment,
        api::apps::v1::ReplicaSet, api::apps::v1::StatefulSet, api::batch::v1::CronJob,
        api::batch::v1::Job, api::core::v1::Pod, api::core::v1::PodTemplate,
        api::core::v1::ReplicationController, api::autoscaling::v1::Scale,
        api::autoscaling::v2::HorizontalPodAutoscaler, api::policy::v1::Eviction,
        api::policy::v1::PodDisruptionBudget, api::core::v1::Binding,
    );
}

fn surroundings(generator: &mut SchemaGenerator) {
    generate!(generator:
        api::core::v1::ConfigMap, api::core::v1::Endpoints, api::core::v1::Event,
        api::core::v1::LimitRange, api::core::v1::Namespace, api::core::v1::Node,
        api::core::v1::PersistentVolume, api::core::v1::PersistentVolumeClaim,
        api::core::v1::ResourceQuota, api::core::v1::Secret, api::core::v1::Service,
        api::core::v1::ServiceAccount, api::coordination::v1::Lease,
        api::discovery::v1::EndpointSlice, api::events::v1::Event,
        api::networking::v1::Ingress, api::networking::v1::IngressClass,
        api::networking::v1::NetworkPolicy, api::scheduling::v1::PriorityClass,
        api::storage::v1::StorageClass,
    );
}

fn policies(generator: &mut SchemaGenerator) {
    generate!(generator:
        api::admissionregistration::v1::MutatingWebhookConfiguration,
        api::admissionregistration::v1::ValidatingWebhookConfiguration,
        api::authentication::v1::SelfSubjectReview, api::authentication::v1::TokenReview,
        api::authorization::v1::LocalSubjectAccessReview,
        api::authorization::v1::SelfSubjectAccessReview,
        api::authorization::v1::SelfSubjectRulesReview, api::authorization::v1::SubjectAccessReview,
        api::rbac::v1::ClusterRole, api::rbac::v1::ClusterRoleBinding, api::rbac::v1::Role,
        api::rbac::v1::RoleBinding, apiextensions::v1::CustomResourceDefinition,
        meta::v1::DeleteOptions, meta::v1::ObjectMeta, meta::v1::Status,
    );
}

/// Returns the schema of a type, references in it as `#/components/schemas/<name>`.
#[must_use]
pub fn definition(name: &str) -> Option<&'static Value> {
    DEFINITIONS.get(name)
}

/// Returns the names of all types that `roots` are made of, themselves among them.
#[must_use]
pub fn names_of<'a>(roots: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = roots.into_iter().map(ToOwned::to_owned).collect();
    while let Some(name) = open.pop() {
        let Some(definition) = definition(&name) else {
            continue;
        };
        if found.insert(name) {
            references(definition, &mut open);
        }
    }
    found
}

pub(super) fn references(schema: &Value, into: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            if let Some((_, name)) = map
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.rsplit_once('/'))
            {
                into.push(name.to_owned());
            }
            map.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// OpenAPI 3.0 ignores what stands beside `$ref`, so that goes below `allOf`, as Kubernetes does.
fn wrap_references(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(wrap_references);
            let has_company = map.len() > 1;
            if has_company && map.get("$ref").is_some_and(Value::is_string) {
                let reference = map.remove("$ref");
                map.insert("allOf".to_owned(), json!([{"$ref": reference}]));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(wrap_references),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Kubernetes' own schemas do not demand the metadata of an object.
fn free_metadata(definition: &mut Value) {
    if let Some(required) = definition.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != "metadata");
        if required.is_empty()
            && let Some(definition) = definition.as_object_mut()
        {
            definition.remove("required");
        }
    }
}

fn add_marks(definitions: &mut BTreeMap<String, Value>) {
    for (of, field, mark) in FIELDS {
        let field = definitions
            .get_mut(&whole(of))
            .and_then(|definition| definition.pointer_mut(&format!("/properties/{field}")))
            .and_then(Value::as_object_mut);
        if let (Some(field), Value::Object(marks)) = (field, mark.extensions()) {
            field.extend(marks);
        }
    }
    for of in ATOMIC_TYPES {
        if let Some(definition) = definitions.get_mut(&whole(of)) {
            definition["x-kubernetes-map-type"] = json!("atomic");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_stands_on_a_field_that_exists() {
        for (of, field, _) in FIELDS {
            let definition = definition(&whole(of)).unwrap_or_else(|| panic!("{of} is unknown"));
            let is_there = definition["properties"].get(field).is_some();
            // Newer than the version that the types are generated from.
            let is_newer = *field == "allocatedResourcesStatus" || of.ends_with("ResourceStatus");
            assert!(is_there || is_newer, "{of} has no field {field}");
        }
        for of in ATOMIC_TYPES {
            assert!(definition(&whole(of)).is_some(), "{of} is unknown");
        }
    }

    #[test]
    fn a_deployment_is_made_of_pods_and_containers() {
        let names = names_of(["io.k8s.api.apps.v1.Deployment"]);
        assert!(names.contains("io.k8s.api.core.v1.Container"));
        assert!(!names.contains("io.k8s.api.core.v1.Service"));
    }

    #[test]
    fn a_described_reference_stands_below_all_of() {
        let spec =
            &definition("io.k8s.api.apps.v1.Deployment").expect("there")["properties"]["spec"];
        assert!(spec["description"].is_string(), "{spec}");
        assert!(spec["allOf"][0]["$ref"].is_string(), "{spec}");
    }
}
