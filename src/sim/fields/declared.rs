//! Whether a configuration is what its schema declares: what server-side apply refuses, in its own
//! words (`typed/validate.go`, `typed/helpers.go` of structured-merge-diff).

use std::collections::BTreeSet;

use serde_json::Value;

use super::set::Step;
use crate::sim::schema::{List, Order, Scalar, Schema};

/// Returns what is wrong with a configuration, each fault as `.path: words`.
#[must_use]
pub fn faults_of(schema: &Schema, config: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    look(schema, config, "", &mut faults);
    faults
}

fn look(schema: &Schema, value: &Value, path: &str, faults: &mut Vec<String>) {
    match (schema, value) {
        (_, Value::Null) | (Schema::Untyped, _) => {}
        (Schema::Struct(object), Value::Object(map)) => {
            for (key, value) in map {
                if let Some(schema) = object.fields.get(key) {
                    look(schema, value, &format!("{path}.{key}"), faults);
                }
            }
            // The real one stops at the first that it meets.
            let unknown = map.keys().find(|key| !object.fields.contains_key(*key));
            if let Some(key) = unknown.filter(|_| !object.is_open) {
                faults.push(format!("{path}.{key}: field not declared in schema"));
            }
        }
        (Schema::Map { of, .. }, Value::Object(map)) => {
            for (key, value) in map {
                look(of, value, &format!("{path}.{key}"), faults);
            }
        }
        (Schema::List(list), Value::Array(items)) => look_at_items(list, items, path, faults),
        (Schema::Scalar(scalar), value) => {
            if let Some(words) = mistyped(*scalar, value) {
                faults.push(format!("{path}: {words}"));
            }
        }
        (Schema::Struct(_) | Schema::Map { .. }, value) => {
            faults.push(format!("{path}: expected map, got &{{{}}}", plain(value)));
        }
        (Schema::List(_), value) => {
            faults.push(format!("{path}: expected list, got &{{{}}}", plain(value)));
        }
    }
}

fn look_at_items(list: &List, items: &[Value], path: &str, faults: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (at, item) in items.iter().enumerate() {
        let step = match &list.order {
            Order::Atomic => Step::Index(at),
            Order::Set => Step::Value(item.to_string()),
            Order::Keyed(keys) => {
                let Some(step) = Step::to_item(list, item) else {
                    let names: Vec<String> =
                        keys.iter().map(|(key, _)| format!("{key:?}")).collect();
                    faults.push(format!(
                        "{path}: element {at}: associative list with keys has an element that \
                         omits all key fields [{}] (and doesn't have default values for any key \
                         fields)",
                        names.join(" ")
                    ));
                    return;
                };
                step
            }
        };
        let below = format!("{path}{step}");
        if !seen.insert(step.clone()) {
            faults.push(format!("{path}: duplicate entries for key {step}"));
        }
        look(&list.of, item, &below, faults);
    }
}

fn mistyped(scalar: Scalar, value: &Value) -> Option<String> {
    let is_scalar = !value.is_object() && !value.is_array();
    match scalar {
        Scalar::Text if !value.is_string() => Some(format!(
            "expected string, got &value.valueUnstructured{{Value:{}}}",
            plain(value)
        )),
        Scalar::Integer | Scalar::Number if !value.is_number() => Some(format!(
            "expected numeric (int or float), got {}",
            go_type(value)
        )),
        Scalar::Bool if !value.is_boolean() => {
            Some(format!("expected boolean, got &{{{}}}", plain(value)))
        }
        Scalar::NumberOrText if !is_scalar => {
            Some(format!("expected any scalar, got &{{{}}}", plain(value)))
        }
        Scalar::Text | Scalar::Integer | Scalar::Number | Scalar::Bool | Scalar::NumberOrText => {
            None
        }
    }
}

/// Returns the name of the Go type of a decoded value.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Writes a value as Go's `%v` does.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(is_set) => is_set.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let entries = map.iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("{key}:{}", plain(value)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(spec: &Value) -> Vec<String> {
        let schema = Schema::of_definition("io.k8s.api.core.v1.PodSpec");
        faults_of(&schema, spec)
    }

    #[test]
    fn a_field_that_is_not_declared_is_named_by_the_key_of_its_item() {
        let spec = json!({"containers": [{"name": "a", "imag": "x"}], "nodeNam": "n"});
        let expected = [
            ".containers[name=\"a\"].imag: field not declared in schema",
            ".nodeNam: field not declared in schema",
        ];
        assert_eq!(faults(&spec), expected);
    }

    #[test]
    fn types_are_told_in_the_words_of_go() {
        let spec = json!({"containers": {"name": "a"}, "hostNetwork": "yes", "nodeName": 1,
                          "priority": "high"});
        let expected = [
            ".containers: expected list, got &{map[name:a]}",
            ".hostNetwork: expected boolean, got &{yes}",
            ".nodeName: expected string, got &value.valueUnstructured{Value:1}",
            ".priority: expected numeric (int or float), got string",
        ];
        assert_eq!(faults(&spec), expected);
    }

    #[test]
    fn two_items_of_one_key_are_refused() {
        let spec = json!({"containers": [{"name": "a"}, {"name": "a"}]});
        let expected = [".containers: duplicate entries for key [name=\"a\"]"];
        assert_eq!(faults(&spec), expected);
    }
}
