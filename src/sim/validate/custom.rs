//! Custom resources, against the schema of their definition
//! (`apiextensions-apiserver/pkg/apiserver/validation`).

use serde_json::{Value, json};

use super::{Causes, values};
use crate::sim::kind::Version;
use crate::sim::refusal::Cause;
use crate::sim::schema::{Schema, check_types};

/// Rules in the Common Expression Language are not followed here; only that they were not, where
/// something else is wrong, is told.
pub(super) fn check(version: &Version, object: &Value, causes: &mut Causes) {
    let schema = &version.schema;
    required(schema, object, "", causes);
    if let Some((path, expected, is)) = check_types(schema, object) {
        let expected = expected.replace(" or ", ",");
        let detail = format!("{path} in body must be of type {expected}: {is:?}");
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            field: path,
            message: format!("Invalid value: {is:?}: {detail}"),
        });
    }
    let Some(schema) = &version.custom_schema else {
        return;
    };
    values::check(schema, object, "", causes);
    if !causes.is_empty() && has_rules(schema) {
        let detail = "some validation rules were not checked because the object was invalid; \
                      correct the existing errors to complete validation";
        causes.push(Cause::invalid("<nil>", &Value::Null, detail));
    }
    values::doubles(schema, object, "", causes);
}

fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            map.contains_key("x-kubernetes-validations") || map.values().any(has_rules)
        }
        Value::Array(items) => items.iter().any(has_rules),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn required(schema: &Schema, value: &Value, path: &str, causes: &mut Causes) {
    let join = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match (schema, value) {
        (Schema::Struct(object), Value::Object(map)) => {
            for name in object
                .required
                .iter()
                .filter(|name| !map.contains_key(*name))
            {
                causes.push(Cause::required(join(name), ""));
            }
            for (key, value) in map.iter().filter(|(key, _)| *key != "metadata") {
                required(schema.field(key), value, &join(key), causes);
            }
        }
        (Schema::Map { of, .. }, Value::Object(map)) => {
            for (key, value) in map {
                required(of, value, &join(key), causes);
            }
        }
        (Schema::List(list), Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                required(&list.of, item, &format!("{path}[{at}]"), causes);
            }
        }
        _ => {}
    }
}

/// The name of a definition is that of its resource.
pub(super) fn definition(object: &Value, causes: &mut Causes) {
    let spec = &object["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = format!(
        "{}.{}",
        text(&spec["names"]["plural"]),
        text(&spec["group"])
    );
    if object["metadata"]["name"] != json!(name) {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid(
            "metadata.name",
            &object["metadata"]["name"],
            detail,
        ));
    }
    let versions = spec["versions"].as_array().map_or(&[][..], Vec::as_slice);
    let kept = versions.iter().filter(|version| version["storage"] == true);
    if kept.count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &spec["versions"], detail));
    }
    for (at, version) in versions.iter().enumerate() {
        if version.pointer("/schema/openAPIV3Schema").is_none() {
            let field = format!("spec.versions[{at}].schema.openAPIV3Schema");
            causes.push(Cause::required(field, "schemas are required"));
        }
    }
}
