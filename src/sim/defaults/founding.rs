//! What only a new object gets from the API server, and what a changed one keeps.

use serde_json::{Value, json};

use super::{custom, service};
use crate::sim::kind::Kind;
use crate::sim::store::Store;
use crate::sim::time::seconds;

/// The generation of a DaemonSet's template, as an annotation
/// (`pkg/apis/apps/v1/conversion.go`).
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
/// Seconds that a pod stays on a node that is not ready (admission `DefaultTolerationSeconds`).
const TOLERATION: u32 = 300;

/// Gives a new object what the API server allots and what its controllers begin with.
pub fn found(store: &Store, kind: &Kind, object: &mut Value) {
    match kind.name.as_ref() {
        "Pod" if kind.group.is_empty() => pod(object),
        "Service" if kind.group.is_empty() => service::found(store, object),
        "Namespace" if kind.group.is_empty() => {
            object["spec"]["finalizers"] = json!(["kubernetes"]);
            object["status"] = json!({"phase": "Active"});
        }
        "PersistentVolumeClaim" | "PersistentVolume" => {
            object["status"] = json!({"phase": "Pending"});
        }
        "Job" if kind.group == "batch" => job(object),
        "DaemonSet" if kind.group == "apps" => {
            object["metadata"]["annotations"][TEMPLATE_GENERATION] = json!("1");
        }
        "CustomResourceDefinition" => custom::establish(object, &seconds(store.now())),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "Node" | "CronJob" => {
            object["status"] = json!({});
        }
        _ => {}
    }
}

/// Keeps what the API server allotted where the new state does not say it.
pub fn renew(kind: &Kind, live: &Value, object: &mut Value) {
    match kind.name.as_ref() {
        "Service" if kind.group.is_empty() => service::renew(live, object),
        "Namespace" if kind.group.is_empty() => {
            if let Some(finalizers) = live.pointer("/spec/finalizers")
                && object.pointer("/spec/finalizers").is_none()
                && object.pointer("/metadata/deletionTimestamp").is_none()
            {
                object["spec"]["finalizers"] = finalizers.clone();
            }
        }
        "Job" if kind.group == "batch" => {
            let keep = ["/spec/selector", "/spec/template"];
            for pointer in keep {
                keep_missing(live, object, pointer);
            }
        }
        "DaemonSet" if kind.group == "apps" => template_generation(live, object),
        _ => {}
    }
}

fn keep_missing(live: &Value, object: &mut Value, pointer: &str) {
    let Some(was) = live.pointer(pointer) else {
        return;
    };
    match (object.pointer_mut(pointer), was) {
        (Some(Value::Object(_)), Value::Object(was)) => {
            for key in was.keys().cloned().collect::<Vec<_>>() {
                keep_missing(live, object, &format!("{pointer}/{}", escaped(&key)));
            }
        }
        (Some(_), _) => {}
        (None, was) => {
            let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
            let key = key.replace("~1", "/").replace("~0", "~");
            if let Some(Value::Object(parent)) = object.pointer_mut(parent) {
                parent.insert(key, was.clone());
            }
        }
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn template_generation(live: &Value, object: &mut Value) {
    let annotations = live.pointer("/metadata/annotations");
    let was = annotations
        .and_then(|all| all.get(TEMPLATE_GENERATION)?.as_str()?.parse::<u64>().ok())
        .unwrap_or(1);
    let is_other = live.pointer("/spec/template") != object.pointer("/spec/template");
    let now = was + u64::from(is_other);
    object["metadata"]["annotations"][TEMPLATE_GENERATION] = json!(now.to_string());
}

fn pod(pod: &mut Value) {
    let class = quality(pod);
    pod["status"] = json!({"phase": "Pending", "qosClass": class});
    let spec = &mut pod["spec"];
    if spec["serviceAccountName"].is_null() {
        // Admission of ServiceAccounts; the token volume of a real cluster is left out.
        spec["serviceAccountName"] = json!("default");
        spec["serviceAccount"] = json!("default");
    }
    if spec["priority"].is_null() && spec["priorityClassName"].is_null() {
        spec["priority"] = json!(0);
        spec["preemptionPolicy"] = json!("PreemptLowerPriority");
    }
    let listed = spec["tolerations"].as_array().cloned();
    let mut tolerations = listed.unwrap_or_default();
    for key in ["not-ready", "unreachable"] {
        let key = format!("node.kubernetes.io/{key}");
        let tolerates = |toleration: &Value| {
            let effect = toleration["effect"].as_str().unwrap_or_default();
            let own = toleration["key"].as_str().unwrap_or_default();
            (own == key || own.is_empty()) && (effect.is_empty() || effect == "NoExecute")
        };
        if !tolerations.iter().any(tolerates) {
            tolerations.push(
                json!({"key": key, "operator": "Exists", "effect": "NoExecute",
                                    "tolerationSeconds": TOLERATION}),
            );
        }
    }
    spec["tolerations"] = Value::Array(tolerations);
}

/// Returns the quality-of-service class (`pkg/apis/core/v1/helper/qos/qos.go`).
fn quality(pod: &Value) -> &'static str {
    let containers = ["/spec/initContainers", "/spec/containers"]
        .iter()
        .filter_map(|list| pod.pointer(list)?.as_array())
        .flatten();
    let (mut any, mut guaranteed) = (false, true);
    for container in containers {
        for name in ["cpu", "memory"] {
            let of = |kind: &str| container.pointer(&format!("/resources/{kind}/{name}"));
            any |= of("limits").is_some() || of("requests").is_some();
            guaranteed &= of("limits").is_some() && of("limits") == of("requests");
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// A Job selects its pods by its UID (`registry/batch/job/strategy.go`).
fn job(job: &mut Value) {
    job["status"] = json!({});
    if job.pointer("/spec/manualSelector") == Some(&json!(true)) {
        return;
    }
    let (uid, name) = (
        job["metadata"]["uid"].clone(),
        job["metadata"]["name"].clone(),
    );
    let labels = &mut job["spec"]["template"]["metadata"]["labels"];
    labels["batch.kubernetes.io/controller-uid"] = uid.clone();
    labels["batch.kubernetes.io/job-name"] = name.clone();
    labels["controller-uid"] = uid.clone();
    labels["job-name"] = name;
    job["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    // One without labels has those of its pods (`SetDefaults_Job`).
    if job["metadata"]["labels"].is_null() {
        job["metadata"]["labels"] = job["spec"]["template"]["metadata"]["labels"].clone();
    }
}
