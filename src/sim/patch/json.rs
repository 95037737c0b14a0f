//! JSON patches (RFC 6902).

use serde_json::Value;

/// Performs the operations of a patch one after the other.
///
/// # Errors
/// Where an operation cannot be performed, in the words of the real server's library
/// (`gopkg.in/evanphx/json-patch`).
pub(crate) fn patch(document: &mut Value, operations: &Value) -> Result<(), String> {
    let Some(operations) = operations.as_array() else {
        return Err("json: cannot unmarshal object into Go value of type jsonpatch.Patch".into());
    };
    operations.iter().try_for_each(|one| perform(document, one))
}

fn perform(document: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |key: &str| {
        operation
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let path = text("path");
    let value = || operation.get("value").cloned().unwrap_or_default();
    match text("op") {
        "add" => add(document, path, value()),
        "remove" => remove(document, path, "remove").map(drop),
        "replace" => {
            let place = document.pointer_mut(path).ok_or_else(|| {
                format!(
                    "replace operation does not apply: doc is missing key: {path}: missing value"
                )
            })?;
            *place = value();
            Ok(())
        }
        "move" => {
            let taken = remove(document, text("from"), "move")?;
            add(document, path, taken)
        }
        "copy" => {
            let from = text("from");
            let copied = document.pointer(from).cloned().ok_or_else(|| {
                format!("copy operation does not apply: doc is missing from path: {from}")
            })?;
            add(document, path, copied)
        }
        "test" if document.pointer(path).cloned().unwrap_or_default() == value() => Ok(()),
        "test" => Err(format!("testing value {path} failed: test failed")),
        other => Err(format!("Unexpected kind: {other}")),
    }
}

/// Returns what a pointer's last step stands in, and that step.
fn parent<'a>(document: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, key) = path.rsplit_once('/')?;
    let key = key.replace("~1", "/").replace("~0", "~");
    Some((document.pointer_mut(parent)?, key))
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *document = value;
        return Ok(());
    }
    let missing =
        || format!("add operation does not apply: doc is missing path: {path}: missing value");
    match parent(document, path).ok_or_else(missing)? {
        (Value::Object(map), key) => {
            map.insert(key, value);
            Ok(())
        }
        (Value::Array(items), key) if key == "-" => {
            items.push(value);
            Ok(())
        }
        (Value::Array(items), key) => {
            let at = key.parse::<usize>().ok().filter(|at| *at <= items.len());
            items.insert(at.ok_or_else(missing)?, value);
            Ok(())
        }
        _ => Err(missing()),
    }
}

fn remove(document: &mut Value, path: &str, name: &str) -> Result<Value, String> {
    let missing =
        || format!("{name} operation does not apply: doc is missing path: {path}: missing value");
    match parent(document, path).ok_or_else(missing)? {
        (Value::Object(map), key) => map.remove(&key).ok_or_else(missing),
        (Value::Array(items), key) => {
            let at = key.parse::<usize>().ok().filter(|at| *at < items.len());
            Ok(items.remove(at.ok_or_else(missing)?))
        }
        _ => Err(missing()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_are_performed_in_their_order() {
        let mut document = json!({"a": [1, 2], "b": {"x/y": 1}});
        let operations = json!([
            {"op": "test", "path": "/a/0", "value": 1},
            {"op": "add", "path": "/a/1", "value": 9},
            {"op": "add", "path": "/a/-", "value": 3},
            {"op": "remove", "path": "/b/x~1y"},
            {"op": "replace", "path": "/b", "value": 7},
            {"op": "copy", "from": "/b", "path": "/c"},
            {"op": "move", "from": "/b", "path": "/d"},
        ]);
        assert_eq!(patch(&mut document, &operations), Ok(()));
        assert_eq!(document, json!({"a": [1, 9, 2, 3], "c": 7, "d": 7}));
    }

    #[test]
    fn what_is_not_there_cannot_be_removed() {
        let mut document = json!({"a": 1});
        let operations = json!([{"op": "remove", "path": "/b"}]);
        let fault = patch(&mut document, &operations).expect_err("missing");
        assert!(
            fault.starts_with("remove operation does not apply"),
            "{fault}"
        );
    }
}
