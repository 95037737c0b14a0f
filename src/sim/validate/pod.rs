//! Pods and pod templates (`pkg/apis/core/validation/validation.go`).

use serde_json::{Map, Value, json};

use super::{Causes, scheduling, volumes};
use crate::sim::naming::wrong_label;
use crate::sim::refusal::Cause;

pub(super) fn check(spec: &Value, path: &str, causes: &mut Causes) {
    let list = |key: &str| spec[key].as_array().map_or(&[][..], Vec::as_slice);
    volumes::check(list("volumes"), path, causes);
    let volumes: Vec<&str> = list("volumes")
        .iter()
        .filter_map(|volume| volume["name"].as_str())
        .collect();
    if list("containers").is_empty() {
        causes.push(Cause::required(format!("{path}.containers"), ""));
    }
    let mut names: Vec<&str> = Vec::new();
    for key in ["containers", "initContainers"] {
        for (at, container) in list(key).iter().enumerate() {
            let path = format!("{path}.{key}[{at}]");
            let name = container["name"].as_str().unwrap_or_default();
            if names.contains(&name) {
                causes.push(Cause::duplicate(format!("{path}.name"), &json!(name)));
            }
            names.push(name);
            check_container(container, &path, &volumes, causes);
            if key == "initContainers" {
                let policies = ["Always", "Never", "OnFailure"];
                check_word(container, "restartPolicy", &policies, &path, causes);
            }
            if spec["hostNetwork"] == true {
                check_host_ports(container, &path, causes);
            }
        }
    }
    let policies = ["Always", "OnFailure", "Never"];
    check_word(spec, "restartPolicy", &policies, path, causes);
    scheduling::check(spec, path, causes);
}

fn check_word(of: &Value, key: &str, words: &[&str], path: &str, causes: &mut Causes) {
    let value = &of[key];
    if !value.is_null() && !words.iter().any(|word| value == word) {
        causes.push(Cause::unsupported(format!("{path}.{key}"), value, words));
    }
}

fn check_container(container: &Value, path: &str, volumes: &[&str], causes: &mut Causes) {
    let name = container["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        causes.push(Cause::required(format!("{path}.name"), ""));
    } else if let Some(detail) = wrong_label(name) {
        causes.push(Cause::invalid(
            format!("{path}.name"),
            &json!(name),
            &detail,
        ));
    }
    let image = container["image"].as_str().unwrap_or_default();
    if image.is_empty() {
        causes.push(Cause::required(format!("{path}.image"), ""));
    } else if image.trim() != image {
        let detail = "must not have leading or trailing whitespace";
        causes.push(Cause::invalid(
            format!("{path}.image"),
            &json!(image),
            detail,
        ));
    }
    let policies = ["Always", "IfNotPresent", "Never"];
    check_word(container, "imagePullPolicy", &policies, path, causes);
    let list = |key: &str| container[key].as_array().map_or(&[][..], Vec::as_slice);
    for (at, port) in list("ports").iter().enumerate() {
        let path = format!("{path}.ports[{at}].containerPort");
        check_port(&port["containerPort"], &path, causes);
    }
    for (at, mount) in list("volumeMounts").iter().enumerate() {
        let name = mount["name"].as_str().unwrap_or_default();
        if !volumes.contains(&name) {
            let field = format!("{path}.volumeMounts[{at}].name");
            causes.push(Cause {
                reason: "FieldValueNotFound",
                field,
                message: format!("Not found: {name:?}"),
            });
        }
    }
    for (at, variable) in list("env").iter().enumerate() {
        if variable["name"].as_str().unwrap_or_default().is_empty() {
            causes.push(Cause::required(format!("{path}.env[{at}].name"), ""));
        }
        volumes::variable(variable, &format!("{path}.env[{at}]"), causes);
    }
    let user = &container["securityContext"]["runAsUser"];
    if user
        .as_i64()
        .is_some_and(|user| !(0..=i64::from(i32::MAX)).contains(&user))
    {
        let field = format!("{path}.securityContext.runAsUser");
        let detail = "must be between 0 and 2147483647, inclusive";
        causes.push(Cause::invalid(field, user, detail));
    }
    check_probes(container, path, causes);
    check_resources(
        &container["resources"],
        &format!("{path}.resources"),
        causes,
    );
}

/// On the host's network a port is that of the host.
fn check_host_ports(container: &Value, path: &str, causes: &mut Causes) {
    let ports = container["ports"].as_array().into_iter().flatten();
    for (at, port) in ports.enumerate() {
        let other = &port["hostPort"];
        if !other.is_null() && *other != port["containerPort"] {
            let detail = "must match `containerPort` when `hostNetwork` is true";
            let field = format!("{path}.ports[{at}].hostPort");
            causes.push(Cause::invalid(field, other, detail));
        }
    }
}

/// Fields of a probe that count something.
const PROBE_NUMBERS: [&str; 5] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
];

fn check_probes(container: &Value, path: &str, causes: &mut Causes) {
    let actions = ["exec", "httpGet", "tcpSocket", "grpc"];
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = &container[key];
        if probe.is_null() {
            continue;
        }
        let mut said = actions.iter().filter(|key| probe.get(**key).is_some());
        let first = said.next();
        for more in said {
            let detail = "may not specify more than 1 handler type";
            causes.push(Cause::forbidden(format!("{path}.{key}.{more}"), detail));
        }
        if first.is_none() {
            let detail = "must specify a handler type";
            causes.push(Cause::required(format!("{path}.{key}"), detail));
        }
        for number in PROBE_NUMBERS {
            let value = &probe[number];
            if value.as_i64().is_some_and(|value| value < 0) {
                let detail = "must be greater than or equal to 0";
                causes.push(Cause::invalid(
                    format!("{path}.{key}.{number}"),
                    value,
                    detail,
                ));
            }
        }
        if key != "readinessProbe" && probe["successThreshold"].as_i64().unwrap_or(1) != 1 {
            let field = format!("{path}.{key}.successThreshold");
            causes.push(Cause::invalid(
                field,
                &probe["successThreshold"],
                "must be 1",
            ));
        }
    }
}

/// Requests may not exceed limits; both must be quantities.
fn check_resources(resources: &Value, path: &str, causes: &mut Causes) {
    let empty = Map::new();
    let limits = resources["limits"].as_object().unwrap_or(&empty);
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let (Some(limit), Some(request)) = (limits.get(name), amount(request)) else {
            continue;
        };
        if amount(limit).is_some_and(|most| request > most) {
            let value = &resources["requests"][name];
            let limit = limit.as_str().unwrap_or_default();
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            causes.push(Cause::invalid(format!("{path}.requests"), value, &detail));
        }
    }
}

/// Reads a quantity roughly, to compare two of them.
fn amount(quantity: &Value) -> Option<f64> {
    let text = quantity.as_str()?;
    let split = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let factor = match suffix {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

/// Checks the number of a port.
pub(super) fn check_port(port: &Value, path: &str, causes: &mut Causes) {
    match port.as_i64() {
        None => causes.push(Cause::required(path, "")),
        Some(1..=65_535) => {}
        Some(_) => {
            let detail = "must be between 1 and 65535, inclusive";
            causes.push(Cause::invalid(path, port, detail));
        }
    }
}

/// Of a pod that exists only a few fields may change.
pub(super) fn change(was: &Value, now: &Value, causes: &mut Causes) {
    let fixed = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            for container in spec[list].as_array_mut().into_iter().flatten() {
                if let Some(container) = container.as_object_mut() {
                    container.remove("image");
                    container.remove("resources");
                }
            }
            if spec[list].is_null()
                && let Some(spec) = spec.as_object_mut()
            {
                spec.remove(list);
            }
        }
        for key in [
            "activeDeadlineSeconds",
            "tolerations",
            "terminationGracePeriodSeconds",
            "schedulingGates",
        ] {
            if let Some(spec) = spec.as_object_mut() {
                spec.remove(key);
            }
        }
        spec
    };
    if fixed(was) != fixed(now) {
        causes.push(Cause::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,\
             `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only \
             additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to \
             be set to 1 if it was previously negative)",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(spec: &Value) -> Vec<String> {
        let mut causes = Vec::new();
        check(spec, "spec", &mut causes);
        let texts = causes.iter();
        texts
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect()
    }

    #[test]
    fn a_pod_without_containers_image_or_volume_is_refused() {
        assert_eq!(causes(&json!({})), ["spec.containers: Required value"]);
        let spec = json!({"containers": [{"name": "a", "volumeMounts": [{"name": "v"}]}]});
        let expected = [
            "spec.containers[0].image: Required value",
            "spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
        ];
        assert_eq!(causes(&spec), expected);
    }

    #[test]
    fn a_port_on_the_host_s_network_is_that_of_the_host() {
        let spec = |host: u16| {
            json!({"hostNetwork": true, "containers": [
                {"name": "a", "image": "x", "ports": [{"containerPort": 80, "hostPort": host}]}]})
        };
        assert_eq!(causes(&spec(80)), [""; 0]);
        let expected = "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match \
                        `containerPort` when `hostNetwork` is true";
        assert_eq!(causes(&spec(81)), [expected]);
    }

    #[test]
    fn requests_above_limits_are_refused() {
        let spec = json!({"containers": [{"name": "a", "image": "x", "resources": {
            "requests": {"memory": "2Gi"}, "limits": {"memory": "512Mi"}}}]});
        let expected = "spec.containers[0].resources.requests: Invalid value: \"2Gi\": must be less \
                        than or equal to memory limit of 512Mi";
        assert_eq!(causes(&spec), [expected]);
    }
}
