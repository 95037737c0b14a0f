//! Defaults of workloads (`pkg/apis/apps/v1/defaults.go`, `pkg/apis/batch/v1/defaults.go`).

use serde_json::{Map, Value, json};

use super::pod::fill_template;
use super::{claim, default, each};

fn spec(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let spec = object.get_mut("spec").and_then(Value::as_object_mut)?;
    if let Some(template) = spec.get_mut("template") {
        fill_template(template);
    }
    Some(spec)
}

/// Returns the object at `key`, made where it is missing.
fn within<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    map.entry(key).or_insert_with(|| json!({})).as_object_mut()
}

pub(super) fn deployment(object: &mut Value) {
    let Some(spec) = spec(object) else {
        return;
    };
    default(spec, "replicas", json!(1));
    default(spec, "revisionHistoryLimit", json!(10));
    default(spec, "progressDeadlineSeconds", json!(600));
    if let Some(strategy) = within(spec, "strategy") {
        default(strategy, "type", json!("RollingUpdate"));
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = within(strategy, "rollingUpdate")
        {
            default(rolling, "maxSurge", json!("25%"));
            default(rolling, "maxUnavailable", json!("25%"));
        }
    }
}

pub(super) fn replica_set(object: &mut Value) {
    if let Some(spec) = spec(object) {
        default(spec, "replicas", json!(1));
    }
}

pub(super) fn stateful_set(object: &mut Value) {
    let Some(spec) = spec(object) else {
        return;
    };
    default(spec, "replicas", json!(1));
    default(spec, "revisionHistoryLimit", json!(10));
    default(spec, "podManagementPolicy", json!("OrderedReady"));
    if let Some(policy) = within(spec, "persistentVolumeClaimRetentionPolicy") {
        default(policy, "whenDeleted", json!("Retain"));
        default(policy, "whenScaled", json!("Retain"));
    }
    if let Some(strategy) = within(spec, "updateStrategy") {
        if !strategy.contains_key("type") {
            strategy.insert("type".to_owned(), json!("RollingUpdate"));
            within(strategy, "rollingUpdate");
        }
        if let Some(Value::Object(rolling)) = strategy.get_mut("rollingUpdate") {
            default(rolling, "partition", json!(0));
            // Behind a feature gate that is off (`MaxUnavailableStatefulSet`).
            rolling.remove("maxUnavailable");
        }
    }
    each(spec, "volumeClaimTemplates", |template| {
        template.insert("apiVersion".to_owned(), json!("v1"));
        template.insert("kind".to_owned(), json!("PersistentVolumeClaim"));
        if let Some(spec) = template.get_mut("spec") {
            claim(spec);
        }
        template.insert("status".to_owned(), json!({"phase": "Pending"}));
    });
}

pub(super) fn daemon_set(object: &mut Value) {
    let Some(spec) = spec(object) else {
        return;
    };
    default(spec, "revisionHistoryLimit", json!(10));
    if let Some(strategy) = within(spec, "updateStrategy") {
        default(strategy, "type", json!("RollingUpdate"));
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = within(strategy, "rollingUpdate")
        {
            default(rolling, "maxSurge", json!(0));
            default(rolling, "maxUnavailable", json!(1));
        }
    }
}

pub(super) fn job(object: &mut Value) {
    let Some(spec) = spec(object) else {
        return;
    };
    job_spec(spec);
    let labels = spec
        .get("template")
        .and_then(|template| template.pointer("/metadata/labels"))
        .cloned();
    let own = object["metadata"].get("labels");
    if own.is_none_or(|own| own.as_object().is_none_or(Map::is_empty))
        && let Some(labels) = labels
    {
        object["metadata"]["labels"] = labels;
    }
}

fn job_spec(spec: &mut Map<String, Value>) {
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions".to_owned(), json!(1));
    }
    default(spec, "parallelism", json!(1));
    default(spec, "backoffLimit", json!(6));
    default(spec, "completionMode", json!("NonIndexed"));
    default(spec, "suspend", json!(false));
    default(spec, "manualSelector", json!(false));
    let replacement = if spec.contains_key("podFailurePolicy") {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    default(spec, "podReplacementPolicy", json!(replacement));
}

pub(super) fn cron_job(object: &mut Value) {
    let Some(spec) = spec(object) else {
        return;
    };
    default(spec, "concurrencyPolicy", json!("Allow"));
    default(spec, "suspend", json!(false));
    default(spec, "successfulJobsHistoryLimit", json!(3));
    default(spec, "failedJobsHistoryLimit", json!(1));
    let template = spec
        .get_mut("jobTemplate")
        .and_then(|template| template.pointer_mut("/spec/template"));
    if let Some(template) = template {
        fill_template(template);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_gets_its_strategy() {
        let mut object = json!({"spec": {}});
        deployment(&mut object);
        let expected = json!({"replicas": 1, "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600, "strategy": {"type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}});
        assert_eq!(object["spec"], expected);
        let mut object = json!({"spec": {"strategy": {"type": "Recreate"}}});
        deployment(&mut object);
        assert_eq!(object["spec"]["strategy"], json!({"type": "Recreate"}));
    }

    #[test]
    fn a_stateful_set_loses_what_a_feature_gate_hides() {
        let mut object = json!({"spec": {"updateStrategy": {"type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 2}}}});
        stateful_set(&mut object);
        let rolling = &object["spec"]["updateStrategy"]["rollingUpdate"];
        assert_eq!(*rolling, json!({"partition": 0}));
    }

    #[test]
    fn a_job_of_one_completes_once() {
        let mut object =
            json!({"metadata": {}, "spec": {"template": {"metadata": {"labels": {"a": "b"}}}}});
        job(&mut object);
        assert_eq!(object["spec"]["completions"], 1);
        assert_eq!(object["metadata"]["labels"], json!({"a": "b"}));
    }
}
