//! What the schema of a definition says of single values: bounds, patterns, lists without doubles
//! (`kube-openapi/pkg/validation`, `apiextensions-apiserver/pkg/apiserver/schema/listtype`).

use regex::Regex;
use serde_json::{Value, json};

use super::Causes;
use crate::sim::refusal::Cause;

/// Checks a value below `path` against an OpenAPI schema.
pub(super) fn check(schema: &Value, value: &Value, path: &str, causes: &mut Causes) {
    listed(schema, value, path, causes);
    match value {
        Value::String(text) => {
            text_fits(schema, text, path, causes);
            format_fits(schema, text, path, causes);
        }
        Value::Number(_) => number_fits(schema, value, path, causes),
        Value::Array(items) => {
            length_fits(schema, items.len(), path, causes);
            for (at, item) in items.iter().enumerate() {
                check(&schema["items"], item, &format!("{path}[{at}]"), causes);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let own = &schema["properties"][key];
                let schema = if own.is_object() {
                    own
                } else {
                    &schema["additionalProperties"]
                };
                check(schema, value, &join(path, key), causes);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Finds items that stand twice in lists that are sets or maps.
pub(super) fn doubles(schema: &Value, value: &Value, path: &str, causes: &mut Causes) {
    match value {
        Value::Array(items) => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            let identity = |item: &Value| match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => Some(item.clone()),
                Some("map") => {
                    let keys = keys.into_iter().flatten().filter_map(Value::as_str);
                    let pairs = keys.map(|key| (key.to_owned(), item[key].clone()));
                    Some(Value::Object(pairs.collect()))
                }
                Some(_) | None => None,
            };
            let mut seen: Vec<Value> = Vec::new();
            for (at, item) in items.iter().enumerate() {
                let path = format!("{path}[{at}]");
                if let Some(identity) = identity(item) {
                    if seen.contains(&identity) {
                        causes.push(Cause::duplicate(&path, &identity));
                    }
                    seen.push(identity);
                }
                doubles(&schema["items"], item, &path, causes);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                doubles(&schema["properties"][key], value, &join(path, key), causes);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn listed(schema: &Value, value: &Value, path: &str, causes: &mut Causes) {
    let Some(words) = schema["enum"].as_array() else {
        return;
    };
    if !value.is_null() && !words.contains(value) {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        causes.push(Cause::unsupported(path, value, &words));
    }
}

fn text_fits(schema: &Value, text: &str, path: &str, causes: &mut Causes) {
    let length = text.chars().count();
    if let Some(most) = count(schema, "maxLength")
        && length > most
    {
        causes.push(Cause::too_long(path, most));
    }
    if let Some(least) = count(schema, "minLength")
        && length < least
    {
        let detail = format!("{path} in body should be at least {least} chars long");
        causes.push(Cause::invalid(path, &json!(text), &detail));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text))
    {
        let detail = format!("{path} in body should match '{pattern}'");
        causes.push(Cause::invalid(path, &json!(text), &detail));
    }
}

/// Times are those of RFC 3339 (`strfmt.DateTime`).
fn format_fits(schema: &Value, text: &str, path: &str, causes: &mut Causes) {
    if schema["format"] != "date-time" || text.parse::<jiff::Timestamp>().is_ok() {
        return;
    }
    causes.push(Cause {
        reason: "FieldValueTypeInvalid",
        field: path.to_owned(),
        message: format!(
            "Invalid value: {text:?}: {path} in body must be of type date-time: {text:?}"
        ),
    });
}

fn number_fits(schema: &Value, value: &Value, path: &str, causes: &mut Causes) {
    let Some(number) = value.as_f64() else {
        return;
    };
    let mut wrong = |bound: &Value, words: &str, or_equal: &str| {
        let detail = format!("{path} in body should be {words} than {or_equal}{bound}");
        causes.push(Cause::invalid(path, value, &detail));
    };
    for (key, exclusive, words) in [
        ("minimum", "exclusiveMinimum", "greater"),
        ("maximum", "exclusiveMaximum", "less"),
    ] {
        let Some(bound) = schema[key].as_f64() else {
            continue;
        };
        let is_exclusive = schema[exclusive] == true;
        let is_beyond = if key == "minimum" {
            number < bound
        } else {
            number > bound
        };
        let is_at = is_exclusive && (number - bound).abs() < f64::EPSILON;
        if is_beyond || is_at {
            let or_equal = if is_exclusive { "" } else { "or equal to " };
            wrong(&schema[key], words, or_equal);
        }
    }
}

fn length_fits(schema: &Value, length: usize, path: &str, causes: &mut Causes) {
    if let Some(most) = count(schema, "maxItems")
        && length > most
    {
        causes.push(Cause::too_many(path, length, most));
    }
    if let Some(least) = count(schema, "minItems")
        && length < least
    {
        let detail = format!("{path} in body should have at least {least} items");
        causes.push(Cause::invalid(path, &json!(length), &detail));
    }
}

fn count(schema: &Value, key: &str) -> Option<usize> {
    schema[key].as_u64().and_then(|most| most.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(schema: &Value, value: &Value) -> Vec<String> {
        let mut causes = Vec::new();
        check(schema, value, "", &mut causes);
        doubles(schema, value, "", &mut causes);
        let causes = causes.iter();
        causes
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect()
    }

    #[test]
    fn bounds_and_patterns_hold() {
        let schema = json!({"properties": {
            "sails": {"maximum": 9, "minimum": 1},
            "name": {"pattern": "^[a-z]+$", "maxLength": 3},
            "color": {"enum": ["red", "blue"]}}});
        assert_eq!(
            told(&schema, &json!({"sails": 9, "name": "abc", "color": "red"})),
            Vec::<String>::new()
        );
        assert_eq!(
            told(
                &schema,
                &json!({"sails": 10, "name": "Abcd", "color": "green"})
            ),
            [
                "color: Unsupported value: \"green\": supported values: \"red\", \"blue\"",
                "name: Too long: may not be more than 3 bytes",
                "name: Invalid value: \"Abcd\": name in body should match '^[a-z]+$'",
                "sails: Invalid value: 10: sails in body should be less than or equal to 9",
            ]
        );
    }

    #[test]
    fn a_time_is_one_of_rfc_3339() {
        let schema = json!({"properties": {"when": {"format": "date-time"}}});
        assert_eq!(
            told(&schema, &json!({"when": "2026-11-21T10:42:30Z"})),
            [""; 0]
        );
        assert_eq!(
            told(&schema, &json!({"when": "yesterday"})),
            [
                "when: Invalid value: \"yesterday\": when in body must be of type date-time: \
                 \"yesterday\""
            ]
        );
    }

    #[test]
    fn what_is_a_set_or_a_map_has_nothing_twice() {
        let schema = json!({"properties": {
            "names": {"x-kubernetes-list-type": "set", "maxItems": 2},
            "crew": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}}});
        let value =
            json!({"names": ["x", "x", "y"], "crew": [{"name": "a", "age": 1}, {"name": "a"}]});
        assert_eq!(
            told(&schema, &value),
            [
                "names: Too many: 3: must have at most 2 items",
                "crew[1]: Duplicate value: {\"name\":\"a\"}",
                "names[1]: Duplicate value: \"x\"",
            ]
        );
    }
}
