//! JSON merge patches (RFC 7386).

use serde_json::{Map, Value};

/// Lays a patch over a document: `null` takes away, objects are merged, all else replaces.
pub(crate) fn patch(document: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *document = change.clone();
        return;
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    let Some(map) = document.as_object_mut() else {
        return;
    };
    for (key, value) in change {
        if value.is_null() {
            map.remove(key);
        } else {
            patch(map.entry(key).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_takes_away_and_lists_are_replaced() {
        let mut document = json!({"a": {"b": 1, "c": 2}, "l": [1, 2]});
        patch(
            &mut document,
            &json!({"a": {"b": null, "d": {"e": null}}, "l": [3]}),
        );
        assert_eq!(document, json!({"a": {"c": 2, "d": {}}, "l": [3]}));
    }
}
