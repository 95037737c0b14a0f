//! What Kubernetes does not write down: empty lists and maps, and fields whose Go type has no way
//! to be absent while they hold their zero value (`omitempty`).

use serde_json::{Map, Value};

use crate::sim::schema::Schema;

/// Fields that are no pointers in Go and so are left out at zero.
#[rustfmt::skip]
const ZERO_IS_ABSENT: &[&str] = &[
    "minReadySeconds", "initialDelaySeconds", "hostNetwork", "hostPID", "hostIPC", "paused", "tty", "stdin",
    "stdinOnce", "readOnly", "hostPort", "publishNotReadyAddresses", "subPath", "nodeName", "hostname",
    "subdomain", "serviceAccountName", "priorityClassName", "count", "observedGeneration", "nodePort",
];

/// Leaves those out of a document.
pub(super) fn leave_out(schema: &Schema, value: &mut Value) {
    match (schema, value) {
        (Schema::Struct(object), Value::Object(map)) => {
            map.retain(|key, value| {
                let schema = schema.field(key);
                if object.fields.contains_key(key) {
                    leave_out(schema, value);
                }
                !is_absent(schema, key, value)
            });
        }
        (Schema::List(list), Value::Array(items)) => {
            items.iter_mut().for_each(|item| leave_out(&list.of, item));
        }
        _ => {}
    }
}

fn is_absent(schema: &Schema, key: &str, value: &Value) -> bool {
    let is_empty = match (schema, value) {
        (Schema::List(_), Value::Array(items)) => items.is_empty(),
        (Schema::Map { .. }, Value::Object(map)) => map.is_empty(),
        _ => false,
    };
    // An empty `matchLabels` and its kin are absent too; an empty selector itself is not.
    is_empty || ZERO_IS_ABSENT.contains(&key) && is_zero(value) || key == "value" && value == ""
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is_set) => !is_set,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => Map::is_empty(map),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_lists_and_zeros_are_not_written_down() {
        let schema = Schema::of_definition("io.k8s.api.apps.v1.Deployment");
        let mut value = json!({"metadata": {"labels": {}}, "spec": {"minReadySeconds": 0,
            "replicas": 0, "template": {"spec": {"securityContext": {}, "containers": [
                {"name": "a", "args": [], "resources": {}, "env": [{"name": "E", "value": ""}]},
            ], "volumes": [{"name": "v", "emptyDir": {}}]}}}});
        leave_out(&schema, &mut value);
        let expected = json!({"metadata": {}, "spec": {
            "replicas": 0, "template": {"spec": {"securityContext": {}, "containers": [
                {"name": "a", "resources": {}, "env": [{"name": "E"}]},
            ], "volumes": [{"name": "v", "emptyDir": {}}]}}}});
        assert_eq!(value, expected);
    }
}
