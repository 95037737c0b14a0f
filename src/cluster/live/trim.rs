//! What is kept of an object in memory.

use serde_json::{Map, Value};

use crate::object::Object;

const POD_META: [&str; 8] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "labels",
    "ownerReferences",
    "creationTimestamp",
    "deletionTimestamp",
];
const REPLICA_SET_SPEC: [&str; 4] = ["replicas", "template", "minReadySeconds", "selector"];

/// Cuts what nobody reads: pods keep identity, labels, owners, node, container names and status;
/// ReplicaSets and ControllerRevisions lose managed fields, nodes all but their labels. All else
/// stays whole, since drift is read from managed fields.
pub(super) fn trim(mut object: Object) -> Object {
    match (object.api_version(), object.kind()) {
        ("v1", "Pod") => {
            keep(object.value_mut().get_mut("metadata"), &POD_META);
            let spec = object.value_mut().get_mut("spec");
            trim_pod_spec(spec);
            object
        }
        ("apps/v1", "ReplicaSet") => {
            object.remove(&["metadata", "managedFields"]);
            keep(object.value_mut().get_mut("spec"), &REPLICA_SET_SPEC);
            object
        }
        ("v1", "Node") => {
            keep(object.value_mut().get_mut("metadata"), &POD_META);
            object.remove(&["spec"]);
            object.remove(&["status"]);
            object
        }
        ("apps/v1", "ControllerRevision") => {
            object.remove(&["metadata", "managedFields"]);
            object
        }
        _ => object,
    }
}

fn trim_pod_spec(spec: Option<&mut Value>) {
    let Some(spec) = spec else { return };
    keep(
        Some(&mut *spec),
        &["nodeName", "containers", "initContainers"],
    );
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            keep(Some(container), &["name", "restartPolicy"]);
        }
    }
}

fn keep(map: Option<&mut Value>, keys: &[&str]) {
    if let Some(map) = map.and_then(Value::as_object_mut) {
        let kept: Map<String, Value> = std::mem::take(map);
        map.extend(
            kept.into_iter()
                .filter(|(key, _)| keys.contains(&key.as_str())),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_keeps_what_health_is_judged_by() {
        let pod = Object::new(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "u", "managedFields": [{}],
                "annotations": {"a": "b"}, "labels": {"app": "web"}},
            "spec": {"nodeName": "n1", "volumes": [{}],
                "containers": [{"name": "web", "env": [{"name": "TOKEN", "value": "canary"}]}],
                "initContainers": [{"name": "proxy", "restartPolicy": "Always", "image": "i"}]},
            "status": {"phase": "Running"}}));
        let kept = trim(pod.unwrap());
        assert_eq!(
            kept.value(),
            &json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "web-1", "namespace": "shop", "uid": "u",
                    "labels": {"app": "web"}},
                "spec": {"nodeName": "n1", "containers": [{"name": "web"}],
                    "initContainers": [{"name": "proxy", "restartPolicy": "Always"}]},
                "status": {"phase": "Running"}})
        );
    }

    #[test]
    fn a_replica_set_loses_managed_fields_and_a_deployment_keeps_them() {
        let of = |kind: &str| {
            let value = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web",
                "annotations": {"deployment.kubernetes.io/revision": "3"}, "managedFields": [{}]},
                "spec": {"replicas": 2, "template": {"spec": {}}}});
            trim(Object::new(value).unwrap())
        };
        let set = of("ReplicaSet");
        assert_eq!(set.at("/metadata/managedFields"), None);
        assert!(
            set.annotation("deployment.kubernetes.io/revision")
                .is_some()
        );
        assert!(set.at("/spec/template").is_some());
        assert!(of("Deployment").at("/metadata/managedFields").is_some());
    }
}
