//! Workloads (`pkg/apis/apps/validation/validation.go`, `pkg/apis/batch/validation`).

use serde_json::{Value, json};

use super::{Causes, non_negative, pod};
use crate::sim::refusal::Cause;
use crate::sim::selector::Labels;

/// Fields of a StatefulSet's spec that may change.
const FREE: &[&str] = &[
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// What all of them have: replicas, a selector that fits the template, a pod that restarts.
fn common(object: &Value, kind: &str, causes: &mut Causes) {
    non_negative(object, "spec.replicas", causes);
    non_negative(object, "spec.minReadySeconds", causes);
    non_negative(object, "spec.revisionHistoryLimit", causes);
    let spec = &object["spec"];
    let labels = &spec["template"]["metadata"]["labels"];
    let selector = &spec["selector"];
    if selector.is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else if Labels::of(selector).is_empty() {
        let detail = format!("empty selector is invalid for {kind}");
        causes.push(Cause::invalid("spec.selector", selector, &detail));
    }
    if selector.is_null() || !Labels::of(selector).fit(labels.as_object()) {
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid(
            "spec.template.metadata.labels",
            labels,
            detail,
        ));
    }
    super::metadata::check_labels(object, "spec.template.metadata", causes);
    pod::check(&spec["template"]["spec"], "spec.template.spec", causes);
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if policy != "Always" && !policy.is_null() {
        let field = "spec.template.spec.restartPolicy";
        causes.push(Cause::unsupported(field, policy, &["Always"]));
    }
    if !spec["template"]["spec"]["activeDeadlineSeconds"].is_null() {
        // A Deployment's pods are those of ReplicaSets.
        let holder = match kind {
            "daemonset" => "DaemonSet",
            "statefulset" => "StatefulSet",
            _ => "ReplicaSet",
        };
        let detail = format!("activeDeadlineSeconds in {holder} is not Supported");
        let field = "spec.template.spec.activeDeadlineSeconds";
        causes.push(Cause::forbidden(field, &detail));
    }
}

pub(super) fn deployment(object: &Value, causes: &mut Causes) {
    common(object, "deployment", causes);
    let spec = &object["spec"];
    let strategy = &spec["strategy"];
    match strategy["type"].as_str() {
        Some("Recreate") if !strategy["rollingUpdate"].is_null() => causes.push(Cause::forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        )),
        Some("Recreate") => {}
        Some("RollingUpdate") => rolling(&strategy["rollingUpdate"], causes),
        Some(_) | None => {
            let known = ["Recreate", "RollingUpdate"];
            let limits = &strategy["rollingUpdate"];
            // As the type of the server itself is written.
            let value = format!(
                "{{\"Type\":{},\"RollingUpdate\":{limits}}}",
                strategy["type"]
            );
            let mut cause = Cause::unsupported("spec.strategy", &Value::Null, &known);
            cause.message = cause.message.replacen("null", &value, 1);
            causes.push(cause);
        }
    }
    non_negative(object, "spec.progressDeadlineSeconds", causes);
    let ready = spec["minReadySeconds"].as_i64().unwrap_or_default();
    let deadline = &spec["progressDeadlineSeconds"];
    if deadline.as_i64().is_some_and(|deadline| deadline <= ready) {
        let detail = "must be greater than minReadySeconds";
        causes.push(Cause::invalid(
            "spec.progressDeadlineSeconds",
            deadline,
            detail,
        ));
    }
}

fn rolling(rolling: &Value, causes: &mut Causes) {
    const PATH: &str = "spec.strategy.rollingUpdate";
    let amounts = [("maxUnavailable", true), ("maxSurge", false)];
    let mut zeros = 0;
    for (key, is_capped) in amounts {
        let value = &rolling[key];
        let field = format!("{PATH}.{key}");
        match amount(value) {
            Err(detail) => causes.push(Cause::invalid(field, value, detail)),
            Ok(Amount::Percent(percent)) if percent > 100 && is_capped => {
                causes.push(Cause::invalid(
                    field,
                    value,
                    "must not be greater than 100%",
                ));
            }
            Ok(Amount::Percent(number) | Amount::Count(number)) => {
                zeros += u32::from(number == 0);
            }
        }
    }
    if zeros == 2 {
        let detail = "may not be 0 when `maxSurge` is 0";
        let value = &rolling["maxUnavailable"];
        causes.push(Cause::invalid(
            format!("{PATH}.maxUnavailable"),
            value,
            detail,
        ));
    }
}

enum Amount {
    Count(u64),
    Percent(u64),
}

fn amount(value: &Value) -> Result<Amount, &'static str> {
    const NEGATIVE: &str = "must be greater than or equal to 0";
    const TEXT: &str = "a valid percent string must be a numeric string followed by an ending '%' \
        (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
    match value {
        Value::Null => Ok(Amount::Count(0)),
        Value::String(text) => text
            .strip_suffix('%')
            .and_then(|number| number.parse().ok())
            .map(Amount::Percent)
            .ok_or(TEXT),
        value => value.as_u64().map(Amount::Count).ok_or(NEGATIVE),
    }
}

pub(super) fn replica_set(object: &Value, causes: &mut Causes) {
    common(object, "replicaset", causes);
}

pub(super) fn daemon_set(object: &Value, causes: &mut Causes) {
    common(object, "daemonset", causes);
}

pub(super) fn stateful_set(object: &Value, causes: &mut Causes) {
    let mut claimed = object.clone();
    let claims = object["spec"]["volumeClaimTemplates"].as_array();
    let names: Vec<Value> = claims
        .into_iter()
        .flatten()
        .map(|claim| json!({"name": claim["metadata"]["name"]}))
        .collect();
    // The controller mounts the claims as volumes of their names.
    if let Some(volumes) = claimed["spec"]["template"]["spec"]["volumes"].as_array_mut() {
        volumes.extend(names);
    } else if !names.is_empty() {
        claimed["spec"]["template"]["spec"]["volumes"] = Value::Array(names);
    }
    common(&claimed, "statefulset", causes);
    non_negative(object, "spec.ordinals.start", causes);
    non_negative(
        object,
        "spec.updateStrategy.rollingUpdate.partition",
        causes,
    );
    let policy = &object["spec"]["podManagementPolicy"];
    if policy != "OrderedReady" && policy != "Parallel" {
        let detail = "must be 'OrderedReady' or 'Parallel'";
        causes.push(Cause::invalid("spec.podManagementPolicy", policy, detail));
    }
}

pub(super) fn stateful_set_change(was: &Value, now: &Value, causes: &mut Causes) {
    let fixed = |object: &Value| {
        let mut spec = object["spec"].as_object().cloned().unwrap_or_default();
        spec.retain(|key, _| !FREE.contains(&key.as_str()));
        spec
    };
    if fixed(was) != fixed(now) {
        causes.push(Cause::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
             'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
             'minReadySeconds' are forbidden",
        ));
    }
}

pub(super) fn job(object: &Value, causes: &mut Causes) {
    for key in [
        "parallelism",
        "completions",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ] {
        non_negative(object, &format!("spec.{key}"), causes);
    }
    finite(&object["spec"]["template"], "spec.template", causes);
}

pub(super) fn cron_job(object: &Value, causes: &mut Causes) {
    let spec = &object["spec"];
    if spec["schedule"].as_str().unwrap_or_default().is_empty() {
        causes.push(Cause::required("spec.schedule", ""));
    }
    let template = &spec["jobTemplate"]["spec"]["template"];
    finite(template, "spec.jobTemplate.spec.template", causes);
}

/// The pods of a Job do not restart for ever.
fn finite(template: &Value, path: &str, causes: &mut Causes) {
    pod::check(&template["spec"], &format!("{path}.spec"), causes);
    let policy = &template["spec"]["restartPolicy"];
    if policy == "Always" {
        let field = format!("{path}.spec.restartPolicy");
        let message = "Required value: valid values: \"OnFailure\", \"Never\"".to_owned();
        causes.push(Cause {
            reason: "FieldValueRequired",
            field,
            message,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> Value {
        json!({"spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": {"app": "web"}},
                         "spec": {"containers": [{"name": "a", "image": "x"}]}}}})
    }

    fn causes(object: &Value) -> Vec<String> {
        let mut causes = Vec::new();
        deployment(object, &mut causes);
        let texts = causes.iter();
        texts
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect()
    }

    #[test]
    fn a_fine_deployment_has_nothing_wrong() {
        assert_eq!(causes(&web()), Vec::<String>::new());
    }

    #[test]
    fn surge_and_unavailable_may_not_both_be_zero() {
        let mut object = web();
        object["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = json!(0);
        let expected = "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 \
                        when `maxSurge` is 0";
        assert_eq!(causes(&object), [expected]);
    }

    #[test]
    fn the_deadline_exceeds_the_time_to_be_available() {
        let mut object = web();
        object["spec"]["minReadySeconds"] = json!(600);
        object["spec"]["progressDeadlineSeconds"] = json!(600);
        let expected = "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than \
                        minReadySeconds";
        assert_eq!(causes(&object), [expected]);
    }

    #[test]
    fn a_selector_that_misses_the_template_is_refused() {
        let mut object = web();
        object["spec"]["selector"]["matchLabels"]["app"] = json!("api");
        let expected = "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` \
                        does not match template `labels`";
        assert_eq!(causes(&object), [expected]);
    }
}
