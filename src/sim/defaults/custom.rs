//! Defaults of custom resources and of the definitions that make them.

use serde_json::{Map, Value, json};

use super::default;
use crate::sim::schema::Schema;

/// Fills in what the schema of a custom resource gives as `default`.
pub(super) fn fill(schema: &Schema, value: &mut Value) {
    match (schema, value) {
        (Schema::Struct(object), Value::Object(map)) => {
            for (key, value) in &object.defaults {
                default(map, key, value.clone());
            }
            for (key, value) in map {
                fill(schema.field(key), value);
            }
        }
        (Schema::Map { of, .. }, Value::Object(map)) => {
            map.values_mut().for_each(|value| fill(of, value));
        }
        (Schema::List(list), Value::Array(items)) => {
            items.iter_mut().for_each(|item| fill(&list.of, item));
        }
        _ => {}
    }
}

/// Fills in what a definition leaves to the API server
/// (`apiextensions-apiserver/pkg/apis/apiextensions/v1/defaults.go`).
pub(super) fn fill_definition(definition: &mut Value) {
    let Some(spec) = definition.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    default(spec, "conversion", json!({"strategy": "None"}));
    if let Some(Value::Object(names)) = spec.get_mut("names") {
        let kind = names
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (singular, list) = (kind.to_lowercase(), format!("{kind}List"));
        default(names, "singular", json!(singular));
        default(names, "listKind", json!(list));
    }
}

/// Says of a definition that its kind is served, as the API server does a moment later.
pub(super) fn establish(definition: &mut Value, now: &str) {
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason,
               "message": message})
    };
    let versions = definition.pointer("/spec/versions");
    let kept: Vec<Value> = versions
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    let names = definition.pointer("/spec/names").cloned();
    definition["status"] = json!({
        "acceptedNames": names.unwrap_or_else(|| Value::Object(Map::new())),
        "storedVersions": kept,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted",
                      "the initial names have been accepted"),
        ],
    });
}
