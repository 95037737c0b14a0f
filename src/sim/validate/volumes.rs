//! Volumes of a pod, and where its variables come from (`pkg/apis/core/validation/validation.go`).

use serde_json::{Value, json};

use super::Causes;
use crate::sim::naming::wrong_label;
use crate::sim::refusal::Cause;

/// What a volume may be of, in the order in which the API server looks.
const SOURCES: [&str; 18] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "flocker",
    "downwardAPI",
    "fc",
    "azureFile",
    "configMap",
];

/// Checks the volumes of a pod.
pub(super) fn check(volumes: &[Value], path: &str, causes: &mut Causes) {
    let mut names: Vec<&str> = Vec::new();
    for (at, volume) in volumes.iter().enumerate() {
        let path = format!("{path}.volumes[{at}]");
        let mut given = SOURCES.iter().filter(|key| volume.get(**key).is_some());
        given.next();
        for more in given {
            let detail = "may not specify more than 1 volume type";
            causes.push(Cause::forbidden(format!("{path}.{more}"), detail));
        }
        let name = volume["name"].as_str().unwrap_or_default();
        let field = format!("{path}.name");
        if name.is_empty() {
            causes.push(Cause::required(field, ""));
        } else if let Some(detail) = wrong_label(name) {
            causes.push(Cause::invalid(field, &json!(name), &detail));
        } else if names.contains(&name) {
            causes.push(Cause::duplicate(field, &json!(name)));
        }
        names.push(name);
    }
}

/// Checks where a variable comes from, where it has no value of its own.
pub(super) fn variable(variable: &Value, path: &str, causes: &mut Causes) {
    let Some(from) = variable.get("valueFrom").filter(|from| from.is_object()) else {
        return;
    };
    let known = [
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fileKeyRef",
    ];
    let given = known.iter().filter(|key| from.get(**key).is_some()).count();
    let field = format!("{path}.valueFrom");
    let mut refuse = |detail: &str| causes.push(Cause::invalid(&field, &json!(""), detail));
    let has_value = variable["value"]
        .as_str()
        .is_some_and(|value| !value.is_empty());
    match given {
        0 => refuse(
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, \
             `secretKeyRef` or `fileKeyRef`",
        ),
        _ if has_value => refuse("may not be specified when `value` is not empty"),
        1 => {}
        _ => refuse("may not have more than one field specified at a time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_has_one_source_and_a_name_of_its_own() {
        let mut causes = Vec::new();
        let volumes = [
            json!({"name": "v", "emptyDir": {}}),
            json!({"name": "v", "configMap": {"name": "c"}, "secret": {"secretName": "s"}}),
            json!({"name": "w"}),
        ];
        check(&volumes, "spec", &mut causes);
        let told: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
        assert_eq!(told, ["spec.volumes[1].configMap", "spec.volumes[1].name"]);
    }

    #[test]
    fn a_variable_comes_from_one_place() {
        let told = |from: Value, value: &str| {
            let mut causes = Vec::new();
            let one = json!({"name": "A", "value": value, "valueFrom": from});
            variable(&one, "env[0]", &mut causes);
            causes.len()
        };
        let (field, map) = (json!({"fieldPath": "metadata.name"}), json!({"key": "k"}));
        assert_eq!(told(json!({"fieldRef": field}), ""), 0);
        assert_eq!(told(json!({}), ""), 1);
        assert_eq!(
            told(json!({"fieldRef": field, "configMapKeyRef": map}), ""),
            1
        );
        assert_eq!(told(json!({"fieldRef": field}), "x"), 1);
    }
}
