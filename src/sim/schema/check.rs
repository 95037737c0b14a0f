//! Fields that a schema does not name, and values of another type than it says.

use serde_json::Value;

use super::{Scalar, Schema};

/// A field that the schema does not name, as `spec.template.spec.containers[0].imag`.
pub type Unknown = String;

/// Returns the fields of `value` that the schema does not name.
#[must_use]
pub fn unknown_fields(schema: &Schema, value: &Value) -> Vec<Unknown> {
    let mut found = Vec::new();
    walk(schema, value, "", &mut found);
    found
}

fn walk(schema: &Schema, value: &Value, path: &str, found: &mut Vec<Unknown>) {
    match (schema, value) {
        (Schema::Struct(object), Value::Object(map)) => {
            for (key, value) in map {
                let path = join(path, key);
                match object.fields.get(key) {
                    Some(schema) => walk(schema, value, &path, found),
                    None if object.is_open => {}
                    None => found.push(path),
                }
            }
        }
        (Schema::Map { of, .. }, Value::Object(map)) => {
            for (key, value) in map {
                walk(of, value, &join(path, key), found);
            }
        }
        (Schema::List(list), Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                walk(&list.of, item, &format!("{path}[{at}]"), found);
            }
        }
        _ => {}
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Takes away the fields that the schema does not name, and `null`s.
pub fn prune(schema: &Schema, value: &mut Value) {
    match (schema, value) {
        (Schema::Struct(object), Value::Object(map)) => {
            map.retain(|key, value| {
                let is_kept = object.is_open || object.fields.contains_key(key);
                is_kept && !value.is_null()
            });
            for (key, value) in map {
                if let Some(schema) = object.fields.get(key) {
                    prune(schema, value);
                }
            }
        }
        (Schema::Map { of, .. }, Value::Object(map)) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(|value| prune(of, value));
        }
        (Schema::List(list), Value::Array(items)) => {
            items.iter_mut().for_each(|item| prune(&list.of, item));
        }
        _ => {}
    }
}

/// Returns the first value that is of another type than the schema says: its path, what is
/// expected and what is there, in Go's words.
#[must_use]
pub fn check_types(schema: &Schema, value: &Value) -> Option<(String, &'static str, &'static str)> {
    mistyped(schema, value, "")
}

fn mistyped(
    schema: &Schema,
    value: &Value,
    path: &str,
) -> Option<(String, &'static str, &'static str)> {
    if value.is_null() {
        return None;
    }
    let wrong = |expected| Some((path.to_owned(), expected, kind_of(value)));
    match (schema, value) {
        (Schema::Untyped, _)
        | (Schema::Scalar(Scalar::Text), Value::String(_))
        | (Schema::Scalar(Scalar::Bool), Value::Bool(_))
        | (Schema::Scalar(Scalar::Number), Value::Number(_))
        | (Schema::Scalar(Scalar::NumberOrText), Value::Number(_) | Value::String(_)) => None,
        (Schema::Scalar(Scalar::Integer), Value::Number(number)) => {
            let is_whole = number.is_i64()
                || number.is_u64()
                || number.as_f64().is_some_and(|number| number.fract() == 0.0);
            if is_whole { None } else { wrong("integer") }
        }
        (Schema::Struct(object), Value::Object(map)) => map.iter().find_map(|(key, value)| {
            let schema = object.fields.get(key)?;
            mistyped(schema, value, &join(path, key))
        }),
        (Schema::Map { of, .. }, Value::Object(map)) => map
            .iter()
            .find_map(|(key, value)| mistyped(of, value, &join(path, key))),
        (Schema::List(list), Value::Array(items)) => items
            .iter()
            .enumerate()
            .find_map(|(at, item)| mistyped(&list.of, item, &format!("{path}[{at}]"))),
        (Schema::Scalar(Scalar::Text), _) => wrong("string"),
        (Schema::Scalar(Scalar::Bool), _) => wrong("boolean"),
        (Schema::Scalar(Scalar::Integer), _) => wrong("integer"),
        (Schema::Scalar(Scalar::Number), _) => wrong("number"),
        (Schema::Scalar(Scalar::NumberOrText), _) => wrong("integer or string"),
        (Schema::Struct(_) | Schema::Map { .. }, _) => wrong("object"),
        (Schema::List(_), _) => wrong("array"),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment() -> std::sync::Arc<Schema> {
        Schema::of_definition("io.k8s.api.apps.v1.Deployment")
    }

    #[test]
    fn an_unknown_field_is_named_with_its_place() {
        let value = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "a", "imag": "x"},
        ]}}, "replica": 3}, "metadata": {"labels": {"any": "thing"}}});
        let found = unknown_fields(&deployment(), &value);
        assert_eq!(
            found,
            ["spec.replica", "spec.template.spec.containers[0].imag"]
        );
    }

    #[test]
    fn a_text_where_a_number_belongs_is_found() {
        let value = json!({"spec": {"replicas": "three"}});
        let (path, expected, is) = check_types(&deployment(), &value).expect("wrong");
        assert_eq!(
            (path.as_str(), expected, is),
            ("spec.replicas", "integer", "string")
        );
        let fine = json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": "25%"}}}});
        assert_eq!(check_types(&deployment(), &fine), None);
    }

    #[test]
    fn pruning_leaves_what_is_named() {
        let mut value = json!({"spec": {"replicas": null, "paused": true, "x": 1}});
        prune(&deployment(), &mut value);
        assert_eq!(value, json!({"spec": {"paused": true}}));
    }
}
