//! What the API server refuses (`pkg/apis/*/validation`), as far as it commonly happens.

mod custom;
mod metadata;
mod pod;
mod scheduling;
mod values;
mod volumes;
mod workload;

use serde_json::{Value, json};

use super::kind::{Kind, Resource};
use super::refusal::Cause;
use super::store::Part;

/// What a rule that looks at one document adds to.
type Causes = Vec<Cause>;

const IMMUTABLE: &str = "field is immutable";

/// Returns what is wrong with a new object.
pub(super) fn new(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    metadata::check(resource, object, &mut causes);
    content(resource, object, &mut causes);
    causes
}

/// Returns what is wrong with a new state of an object.
pub(super) fn change(resource: &Resource, was: &Value, now: &Value, part: Part) -> Vec<Cause> {
    let mut causes = Vec::new();
    metadata::check_changed(was, now, &mut causes);
    match part {
        Part::Status => return causes,
        Part::Main | Part::Scale => {}
    }
    if resource.kind == Kind::DAEMON_SET {
        immutable(was, now, "spec.selector", &mut causes);
    }
    content(resource, now, &mut causes);
    let mut fixed = |path: &str| immutable(was, now, path, &mut causes);
    match resource.kind.name.as_ref() {
        "Deployment" | "ReplicaSet" => fixed("spec.selector"),
        "Job" => {
            fixed("spec.completions");
            fixed("spec.selector");
            fixed("spec.template");
        }
        "RoleBinding" | "ClusterRoleBinding" => role_reference(was, now, &mut causes),
        "StatefulSet" => workload::stateful_set_change(was, now, &mut causes),
        "Pod" => pod::change(was, now, &mut causes),
        "ControllerRevision" => fixed("data"),
        "ConfigMap" => frozen(was, now, &mut causes),
        "Secret" => {
            fixed("type");
            frozen(was, now, &mut causes);
        }
        "Service" if now["spec"]["type"] != "ExternalName" => {
            service_address(was, now, &mut causes);
        }
        "PersistentVolumeClaim" => claim(was, now, &mut causes),
        _ => {}
    }
    causes
}

fn content(resource: &Resource, object: &Value, causes: &mut Causes) {
    if resource.is_custom {
        custom::check(resource.kept(), object, causes);
        return;
    }
    match resource.kind.name.as_ref() {
        "Deployment" => workload::deployment(object, causes),
        "ReplicaSet" => workload::replica_set(object, causes),
        "StatefulSet" => workload::stateful_set(object, causes),
        "DaemonSet" => workload::daemon_set(object, causes),
        "Job" => workload::job(object, causes),
        "CronJob" => workload::cron_job(object, causes),
        "Pod" => pod::check(&object["spec"], "spec", causes),
        "Service" => service(object, causes),
        "ConfigMap" => config_map(object, causes),
        "HorizontalPodAutoscaler" => autoscaler(object, causes),
        "PodDisruptionBudget" => budget(object, causes),
        "CustomResourceDefinition" => custom::definition(object, causes),
        _ => {}
    }
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    object.pointer(&format!("/{}", path.replace('.', "/")))
}

fn immutable(was: &Value, now: &Value, path: &str, causes: &mut Causes) {
    let (was, now) = (at(was, path), at(now, path));
    if was != now {
        causes.push(Cause::invalid(path, now.unwrap_or(&Value::Null), IMMUTABLE));
    }
}

fn non_negative(object: &Value, path: &str, causes: &mut Causes) {
    if let Some(value) = at(object, path)
        && value.as_i64().is_some_and(|number| number < 0)
    {
        let detail = "must be greater than or equal to 0";
        causes.push(Cause::invalid(path, value, detail));
    }
}

fn frozen(was: &Value, now: &Value, causes: &mut Causes) {
    if was["immutable"] != true {
        return;
    }
    for key in ["immutable", "data", "binaryData"] {
        if was.get(key) != now.get(key) {
            let detail = "field is immutable when `immutable` is set";
            causes.push(Cause::forbidden(key, detail));
        }
    }
}

fn role_reference(was: &Value, now: &Value, causes: &mut Causes) {
    if was["roleRef"] != now["roleRef"] {
        let detail = "cannot change roleRef";
        causes.push(Cause::invalid("roleRef", &now["roleRef"], detail));
    }
}

fn service_address(was: &Value, now: &Value, causes: &mut Causes) {
    let before = was.pointer("/spec/clusterIP").and_then(Value::as_str);
    let after = now.pointer("/spec/clusterIP").cloned().unwrap_or_default();
    if before.is_some_and(|before| !before.is_empty() && after != before) {
        let list = json!([after]);
        causes.push(Cause::invalid(
            "spec.clusterIPs[0]",
            &list,
            "may not change once set",
        ));
    }
}

fn claim(was: &Value, now: &Value, causes: &mut Causes) {
    let without_size = |claim: &Value| {
        let mut spec = claim["spec"].clone();
        if let Some(spec) = spec.as_object_mut() {
            spec.remove("resources");
            spec.remove("volumeName");
        }
        spec
    };
    if without_size(was) != without_size(now) {
        causes.push(Cause::forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and \
             volumeAttributesClassName for bound claims",
        ));
    }
}

fn service(service: &Value, causes: &mut Causes) {
    let spec = &service["spec"];
    let kind = spec["type"].as_str().unwrap_or_default();
    let known = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !known.contains(&kind) {
        causes.push(Cause::unsupported("spec.type", &spec["type"], &known));
    }
    let ports = spec["ports"].as_array().map_or(&[][..], Vec::as_slice);
    if ports.is_empty() && kind != "ExternalName" && spec["clusterIP"] != "None" {
        causes.push(Cause::required("spec.ports", ""));
    }
    for (at, port) in ports.iter().enumerate() {
        let path = format!("spec.ports[{at}]");
        if ports.len() > 1 && port["name"].as_str().unwrap_or_default().is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        }
        pod::check_port(&port["port"], &format!("{path}.port"), causes);
        let same =
            |other: &&Value| other["port"] == port["port"] && other["protocol"] == port["protocol"];
        if ports[..at].iter().any(|other| same(&other)) {
            let twice = json!({"protocol": port["protocol"], "port": port["port"]});
            causes.push(Cause::duplicate(path, &twice));
        }
    }
}

/// A budget counts those that have to be there, or those that may be missing.
fn budget(object: &Value, causes: &mut Causes) {
    let spec = &object["spec"];
    if spec["minAvailable"].is_null() || spec["maxUnavailable"].is_null() {
        return;
    }
    // As the type of the server itself is written.
    let value = format!(
        "{{\"MinAvailable\":{},\"Selector\":{},\"MaxUnavailable\":{},\
         \"UnhealthyPodEvictionPolicy\":{}}}",
        spec["minAvailable"],
        spec["selector"],
        spec["maxUnavailable"],
        spec["unhealthyPodEvictionPolicy"],
    );
    causes.push(Cause {
        reason: "FieldValueInvalid",
        field: "spec".to_owned(),
        message: format!(
            "Invalid value: {value}: minAvailable and maxUnavailable cannot be both set"
        ),
    });
}

fn config_map(map: &Value, causes: &mut Causes) {
    for key in map["data"]
        .as_object()
        .into_iter()
        .flat_map(|data| data.keys())
    {
        let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if key.is_empty() || !key.chars().all(is_fine) {
            let detail = "a valid config key must consist of alphanumeric characters, '-', '_' or \
                          '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for \
                          validation is '[-._a-zA-Z0-9]+')";
            causes.push(Cause::invalid(format!("data[{key}]"), &json!(key), detail));
        }
    }
}

fn autoscaler(scaler: &Value, causes: &mut Causes) {
    let spec = &scaler["spec"];
    let (most, least) = (spec["maxReplicas"].as_i64(), spec["minReplicas"].as_i64());
    match most {
        None | Some(i64::MIN..=0) => {
            let value = json!(most.unwrap_or_default());
            causes.push(Cause::invalid(
                "spec.maxReplicas",
                &value,
                "must be greater than 0",
            ));
        }
        Some(most) if least.is_some_and(|least| most < least) => {
            let detail = "must be greater than or equal to `minReplicas`";
            causes.push(Cause::invalid("spec.maxReplicas", &json!(most), detail));
        }
        Some(_) => {}
    }
}
