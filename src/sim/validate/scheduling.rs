//! Where the pods of a spec may run, and as whom (`pkg/apis/core/validation/validation.go`).

use serde_json::{Value, json};

use super::Causes;
use crate::sim::naming::{wrong_qualified, wrong_subdomain, wrong_value};
use crate::sim::refusal::Cause;

pub(super) fn check(spec: &Value, path: &str, causes: &mut Causes) {
    let known = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    let policy = &spec["dnsPolicy"];
    if !policy.is_null() && !known.iter().any(|word| policy == word) {
        let field = format!("{path}.dnsPolicy");
        causes.push(Cause::unsupported(field, policy, &known));
    }
    for (key, value) in spec["nodeSelector"].as_object().into_iter().flatten() {
        let field = format!("{path}.nodeSelector");
        for detail in wrong_qualified(key) {
            causes.push(Cause::invalid(field.clone(), &json!(key), &detail));
        }
        if let Some(detail) = value.as_str().and_then(wrong_value) {
            causes.push(Cause::invalid(field, value, &detail));
        }
    }
    let account = spec["serviceAccountName"].as_str().unwrap_or_default();
    if !account.is_empty()
        && let Some(detail) = wrong_subdomain(account)
    {
        let field = format!("{path}.serviceAccountName");
        causes.push(Cause::invalid(field, &json!(account), &detail));
    }
    let list = |key: &str| spec[key].as_array().map_or(&[][..], Vec::as_slice);
    for (at, toleration) in list("tolerations").iter().enumerate() {
        tolerated(toleration, &format!("{path}.tolerations[{at}]"), causes);
    }
    for (at, constraint) in list("topologySpreadConstraints").iter().enumerate() {
        let path = format!("{path}.topologySpreadConstraints[{at}]");
        spread(constraint, &path, causes);
    }
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

fn tolerated(toleration: &Value, path: &str, causes: &mut Causes) {
    let (key, operator) = (text(toleration, "key"), text(toleration, "operator"));
    if !key.is_empty() {
        for detail in wrong_qualified(key) {
            causes.push(Cause::invalid(format!("{path}.key"), &json!(key), &detail));
        }
    } else if operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values \
                      and all keys\"";
        let field = format!("{path}.operator");
        causes.push(Cause::invalid(field, &json!(operator), detail));
    }
    let effect = text(toleration, "effect");
    if !toleration["tolerationSeconds"].is_null() && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        let field = format!("{path}.effect");
        causes.push(Cause::invalid(field, &json!(effect), detail));
    }
    match operator {
        "" | "Equal" => {
            if let Some(detail) = wrong_value(text(toleration, "value")) {
                let field = format!("{path}.operator");
                causes.push(Cause::invalid(field, &toleration["value"], &detail));
            }
        }
        "Exists" => {}
        _ => {
            let field = format!("{path}.operator");
            let known = ["Equal", "Exists"];
            causes.push(Cause::unsupported(field, &json!(operator), &known));
        }
    }
    let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if !effect.is_empty() && !known.contains(&effect) {
        let field = format!("{path}.effect");
        causes.push(Cause::unsupported(field, &json!(effect), &known));
    }
}

fn spread(constraint: &Value, path: &str, causes: &mut Causes) {
    let skew = &constraint["maxSkew"];
    if skew.as_i64().unwrap_or_default() <= 0 {
        let detail = "must be greater than zero";
        let skew = json!(skew.as_i64().unwrap_or_default());
        causes.push(Cause::invalid(format!("{path}.maxSkew"), &skew, detail));
    }
    let key = text(constraint, "topologyKey");
    if key.is_empty() {
        let field = format!("{path}.topologyKey");
        causes.push(Cause::required(field, "can not be empty"));
    } else {
        for detail in wrong_qualified(key) {
            let field = format!("{path}.topologyKey");
            causes.push(Cause::invalid(field, &json!(key), &detail));
        }
    }
    let (known, action) = (
        ["DoNotSchedule", "ScheduleAnyway"],
        text(constraint, "whenUnsatisfiable"),
    );
    if !known.contains(&action) {
        let field = format!("{path}.whenUnsatisfiable");
        causes.push(Cause::unsupported(field, &json!(action), &known));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(spec: &Value) -> Vec<String> {
        let mut causes = Vec::new();
        check(spec, "spec", &mut causes);
        causes.into_iter().map(|cause| cause.field).collect()
    }

    #[test]
    fn what_no_node_can_be_chosen_by_is_refused() {
        let spec = json!({
            "dnsPolicy": "X", "nodeSelector": {"a b": "c"}, "serviceAccountName": "Bad Name",
            "tolerations": [{"operator": "Foo"}],
            "topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "x"}],
        });
        let spread = "spec.topologySpreadConstraints[0]";
        assert_eq!(
            fields(&spec),
            [
                "spec.dnsPolicy".to_owned(),
                "spec.nodeSelector".to_owned(),
                "spec.serviceAccountName".to_owned(),
                "spec.tolerations[0].operator".to_owned(),
                "spec.tolerations[0].operator".to_owned(),
                format!("{spread}.maxSkew"),
                format!("{spread}.topologyKey"),
                format!("{spread}.whenUnsatisfiable"),
            ]
        );
    }

    #[test]
    fn what_pods_commonly_say_is_taken() {
        let spec = json!({
            "dnsPolicy": "ClusterFirst", "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [
                {"key": "a.b/c", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3},
                {"operator": "Exists"}, {"key": "x", "value": "y"},
            ],
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
                 "whenUnsatisfiable": "ScheduleAnyway"}],
        });
        assert_eq!(fields(&spec), [""; 0]);
    }
}
