//! Defaults of pods and pod templates (`pkg/apis/core/v1/defaults.go`).

use serde_json::{Map, Value, json};

use super::{default, each, quantity};

/// Sources of a volume whose files have a mode.
const WITH_MODE: &[&str] = &["secret", "configMap", "downwardAPI", "projected"];
const PROBES: &[&str] = &["livenessProbe", "readinessProbe", "startupProbe"];
const CONTAINERS: &[&str] = &["initContainers", "containers"];

/// A pod: what a template gets, and what only a pod gets.
pub(super) fn fill_pod(pod: &mut Value) {
    fill_template(pod);
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    default(spec, "enableServiceLinks", json!(true));
    for list in CONTAINERS {
        each(spec, list, |container| {
            if let Some(resources) = container.get_mut("resources") {
                request_limits(resources);
            }
        });
    }
}

/// Requests that are not said are the limits.
fn request_limits(resources: &mut Value) {
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else {
        return;
    };
    for (name, limit) in limits {
        if resources.pointer(&format!("/requests/{name}")).is_none() {
            resources["requests"][name] = limit;
        }
    }
}

/// A template: `metadata` and `spec`.
pub(super) fn fill_template(template: &mut Value) {
    if let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) {
        fill_spec(spec);
    }
}

fn fill_spec(spec: &mut Map<String, Value>) {
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "restartPolicy", json!("Always"));
    default(spec, "securityContext", json!({}));
    default(spec, "terminationGracePeriodSeconds", json!(30));
    default(spec, "schedulerName", json!("default-scheduler"));
    // The old name is written down beside the new one.
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        spec.insert("serviceAccount".to_owned(), account);
    }
    let shares_host = spec.get("hostNetwork") == Some(&json!(true));
    for list in CONTAINERS {
        each(spec, list, |container| {
            fill_container(container, shares_host);
        });
    }
    each(spec, "ephemeralContainers", |container| {
        fill_container(container, false);
    });
    each(spec, "volumes", fill_volume);
}

fn fill_container(container: &mut Map<String, Value>, shares_host: bool) {
    let image = container.get("image").and_then(Value::as_str);
    let policy = if is_latest(image.unwrap_or_default()) {
        "Always"
    } else {
        "IfNotPresent"
    };
    default(container, "imagePullPolicy", json!(policy));
    default(container, "resources", json!({}));
    default(
        container,
        "terminationMessagePath",
        json!("/dev/termination-log"),
    );
    default(container, "terminationMessagePolicy", json!("File"));
    if let Some(resources) = container.get_mut("resources") {
        quantity::of_resources(resources);
    }
    each(container, "ports", |port| {
        default(port, "protocol", json!("TCP"));
        if let Some(number) = port.get("containerPort").cloned().filter(|_| shares_host) {
            default(port, "hostPort", number);
        }
    });
    for probe in PROBES {
        if let Some(Value::Object(probe)) = container.get_mut(*probe) {
            fill_probe(probe);
        }
    }
    each(container, "env", fill_variable);
    if let Some(Value::Object(lifecycle)) = container.get_mut("lifecycle") {
        for action in lifecycle.values_mut().filter_map(Value::as_object_mut) {
            fill_http(action);
        }
    }
}

fn fill_variable(variable: &mut Map<String, Value>) {
    let reference = variable
        .get_mut("valueFrom")
        .and_then(|from| from.get_mut("fieldRef"))
        .and_then(Value::as_object_mut);
    if let Some(reference) = reference {
        default(reference, "apiVersion", json!("v1"));
    }
}

fn fill_probe(probe: &mut Map<String, Value>) {
    default(probe, "timeoutSeconds", json!(1));
    default(probe, "periodSeconds", json!(10));
    default(probe, "successThreshold", json!(1));
    default(probe, "failureThreshold", json!(3));
    fill_http(probe);
    if let Some(Value::Object(grpc)) = probe.get_mut("grpc") {
        default(grpc, "service", json!(""));
    }
}

fn fill_http(action: &mut Map<String, Value>) {
    if let Some(Value::Object(get)) = action.get_mut("httpGet") {
        default(get, "path", json!("/"));
        default(get, "scheme", json!("HTTP"));
    }
}

fn fill_volume(volume: &mut Map<String, Value>) {
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for source in WITH_MODE {
        if let Some(Value::Object(source)) = volume.get_mut(*source) {
            default(source, "defaultMode", json!(0o644));
        }
    }
    if let Some(Value::Object(path)) = volume.get_mut("hostPath") {
        default(path, "type", json!(""));
    }
}

/// Says whether an image has the tag `latest`, by name or by having neither tag nor digest.
fn is_latest(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or_default();
    if last.contains('@') {
        return false;
    }
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_gets_what_the_api_server_fills_in() {
        let mut pod = json!({"spec": {"containers": [{"name": "a", "image": "x:1",
            "ports": [{"containerPort": 80}], "readinessProbe": {"httpGet": {"port": 80}},
            "resources": {"limits": {"cpu": 1}}}], "volumes": [{"name": "v"}]}});
        fill_pod(&mut pod);
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["imagePullPolicy"], "IfNotPresent");
        assert_eq!(container["ports"][0]["protocol"], "TCP");
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/");
        assert_eq!(container["resources"]["requests"]["cpu"], "1");
        assert_eq!(pod["spec"]["volumes"][0]["emptyDir"], json!({}));
        assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], 30);
    }

    #[test]
    fn only_the_tag_latest_is_always_pulled() {
        for image in ["nginx", "registry:5000/nginx", "nginx:latest"] {
            assert!(is_latest(image), "{image}");
        }
        for image in ["nginx:1", "registry:5000/nginx:1", "nginx@sha256:00"] {
            assert!(!is_latest(image), "{image}");
        }
    }
}
