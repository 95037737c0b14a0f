//! What the API server fills in (`pkg/apis/*/v1/defaults.go`, `pkg/registry/*/strategy.go`), as far
//! as the agent or `kubectl` see it.

mod custom;
mod founding;
mod omitted;
mod pod;
mod quantity;
mod service;
mod workload;

pub use founding::{found, renew};
pub use quantity::canonical;

use serde_json::{Map, Value, json};

use super::kind::Resource;

/// Fills in the defaults of a document in its kept version and leaves out what Kubernetes would
/// not write down.
pub fn fill(resource: &Resource, object: &mut Value) {
    if resource.is_custom {
        custom::fill(&resource.kept().schema, object);
        return;
    }
    match resource.kind.name.as_ref() {
        "Pod" => pod::fill_pod(object),
        "Deployment" => workload::deployment(object),
        "ReplicaSet" | "ReplicationController" => workload::replica_set(object),
        "StatefulSet" => workload::stateful_set(object),
        "DaemonSet" => workload::daemon_set(object),
        "Job" => workload::job(object),
        "CronJob" => workload::cron_job(object),
        "PodTemplate" => pod::fill_template(&mut object["template"]),
        "Service" => service::fill(object),
        "Secret" => secret(object),
        "Namespace" => namespace(object),
        "PersistentVolumeClaim" => claim(&mut object["spec"]),
        "HorizontalPodAutoscaler" => autoscaler(&mut object["spec"]),
        "CustomResourceDefinition" => custom::fill_definition(object),
        "LimitRange" => limits(&mut object["spec"]),
        "NetworkPolicy" => network_policy(&mut object["spec"]),
        "ResourceQuota" => quantity::all(&mut object["spec"]["hard"]),
        _ => {}
    }
    omitted::leave_out(&resource.kept().schema, object);
}

/// Sets `key` where it is missing.
fn default(map: &mut Map<String, Value>, key: &str, value: Value) {
    map.entry(key).or_insert(value);
}

/// Calls `edit` with each object of the list at `key`.
fn each(map: &mut Map<String, Value>, key: &str, edit: impl FnMut(&mut Map<String, Value>)) {
    let items = map.get_mut(key).and_then(Value::as_array_mut);
    let objects = items.into_iter().flatten().filter_map(Value::as_object_mut);
    objects.for_each(edit);
}

/// `stringData` is only a way of writing `data`.
fn secret(object: &mut Value) {
    use base64::Engine as _;
    let Some(object) = object.as_object_mut() else {
        return;
    };
    default(object, "type", json!("Opaque"));
    if let Some(Value::Object(texts)) = object.remove("stringData") {
        let data = object.entry("data").or_insert_with(|| json!({}));
        for (key, text) in texts {
            let text = text.as_str().unwrap_or_default();
            data[key] = json!(base64::engine::general_purpose::STANDARD.encode(text));
        }
    }
}

fn namespace(object: &mut Value) {
    let name = object.pointer("/metadata/name").cloned();
    if let Some(name) = name {
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
    }
}

/// The spec of a PersistentVolumeClaim or of a claim template.
fn claim(spec: &mut Value) {
    if let Some(spec) = spec.as_object_mut() {
        default(spec, "volumeMode", json!("Filesystem"));
        if let Some(resources) = spec.get_mut("resources") {
            quantity::of_resources(resources);
        }
    }
}

/// What a container may have is what it gets, and that is what it asks for
/// (`SetDefaults_LimitRangeItem`).
fn limits(spec: &mut Value) {
    let Some(spec) = spec.as_object_mut() else {
        return;
    };
    each(spec, "limits", |item| {
        if item.get("type") != Some(&json!("Container")) {
            return;
        }
        for (key, from) in [
            ("default", "max"),
            ("defaultRequest", "default"),
            ("defaultRequest", "min"),
        ] {
            let Some(Value::Object(from)) = item.get(from).cloned() else {
                continue;
            };
            let own = item.entry(key).or_insert_with(|| json!({}));
            if let Some(own) = own.as_object_mut() {
                for (resource, amount) in from {
                    default(own, &resource, amount);
                }
            }
        }
    });
}

fn network_policy(spec: &mut Value) {
    let Some(spec) = spec.as_object_mut() else {
        return;
    };
    let egress = spec.get("egress").and_then(Value::as_array);
    let types = if egress.is_some_and(|egress| !egress.is_empty()) {
        json!(["Ingress", "Egress"])
    } else {
        json!(["Ingress"])
    };
    default(spec, "policyTypes", types);
}

fn autoscaler(spec: &mut Value) {
    if let Some(spec) = spec.as_object_mut() {
        default(spec, "minReplicas", json!(1));
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        default(spec, "metrics", json!([metric]));
    }
}
