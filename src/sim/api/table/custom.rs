//! Custom resources: the columns that their definition asks for
//! (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age, name};
use crate::object::Object;

/// Returns columns and rows; the age alone where the definition asks for nothing.
pub(super) fn table(
    asked: &[Value],
    objects: &[&Object],
    now: Timestamp,
) -> (Vec<Value>, Vec<Vec<Value>>) {
    let column = |name: &str, kind: &str, format: &str| json!({"name": name, "type": kind, "format": format, "description": "", "priority": 0});
    let mut columns = vec![column("Name", "string", "name")];
    if asked.is_empty() {
        columns.push(column("Age", "date", ""));
    }
    for one in asked {
        let mut column = column(
            one["name"].as_str().unwrap_or_default(),
            one["type"].as_str().unwrap_or("string"),
            one["format"].as_str().unwrap_or_default(),
        );
        column["priority"] = json!(one["priority"].as_i64().unwrap_or_default());
        columns.push(column);
    }
    let rows = objects.iter().map(|object| {
        let mut cells = vec![name(object)];
        if asked.is_empty() {
            cells.push(age(object, now));
        }
        cells.extend(asked.iter().map(|column| cell(column, object, now)));
        cells
    });
    (columns, rows.collect())
}

fn cell(column: &Value, object: &Object, now: Timestamp) -> Value {
    let path = column["jsonPath"].as_str().unwrap_or_default();
    let Some(value) = find(object.value(), path) else {
        return Value::Null;
    };
    match column["type"].as_str() {
        Some("date") => json!(super::age::since(value.as_str(), now)),
        Some("integer" | "number" | "boolean") => value.clone(),
        Some(_) | None => match value {
            Value::String(text) => json!(text),
            other => json!(other.to_string()),
        },
    }
}

/// Finds what a simple path names: fields, places in lists, and items by one of their fields
/// (`.status.conditions[?(@.type=="Ready")].status`).
fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut here = value;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[?(@.") {
            let (test, after) = after.split_once(")]")?;
            let (key, wanted) = test.split_once("==")?;
            let wanted = wanted.trim().trim_matches(['"', '\'']);
            let items = here.as_array()?;
            here = items.iter().find(|item| item[key.trim()] == wanted)?;
            rest = after;
        } else if let Some(after) = rest.strip_prefix('[') {
            let (key, after) = after.split_once(']')?;
            here = match key.parse::<usize>() {
                Ok(at) => here.get(at)?,
                Err(_) => here.get(key.trim_matches(['"', '\'']))?,
            };
            rest = after;
        } else {
            let after = rest.trim_start_matches('.');
            let end = field_end(after);
            let key = after[..end].replace("\\.", ".");
            here = here.get(key.as_str())?;
            rest = &after[end..];
        }
    }
    Some(here)
}

/// Returns where a field's name ends: at a dot or bracket that is not escaped.
fn field_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '\\' => is_escaped = true,
            '.' | '[' if !is_escaped => return at,
            _ => is_escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_columns_are_followed() {
        let value = json!({"metadata": {"annotations": {"a.b/c": "x"}}, "status": {"conditions": [
            {"type": "Other"}, {"type": "Ready", "status": "True"}]}, "l": [1, 2]});
        let ready = ".status.conditions[?(@.type==\"Ready\")].status";
        assert_eq!(find(&value, ready), Some(&json!("True")));
        assert_eq!(find(&value, ".l[1]"), Some(&json!(2)));
        assert_eq!(
            find(&value, ".metadata.annotations.a\\.b/c"),
            Some(&json!("x"))
        );
        assert_eq!(find(&value, ".spec.x"), None);
    }
}
