//! Strategic merge patches (`apimachinery/pkg/util/strategicpatch`).

use serde_json::{Map, Value};

use crate::sim::schema::{List, ListPatch, Schema};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_VALUES: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Says which item of a patch lacks the field that its list is merged by (`mergepatch.ErrNoMergeKey`).
pub(crate) fn keyless(schema: &Schema, change: &Value) -> Option<String> {
    match (schema, change) {
        (Schema::List(list), Value::Array(items)) => {
            let is_replaced = items.iter().any(|item| item[DIRECTIVE] == "replace");
            let key = match &list.patch {
                ListPatch::MergeBy(key) if !is_replaced => key,
                ListPatch::MergeBy(_) | ListPatch::Merge | ListPatch::Replace => return None,
            };
            let lacking = items.iter().find(|item| item.get(key).is_none());
            let told = lacking.map(|item| {
                let item = in_go(item);
                format!("map: {item} does not contain declared merge key: {key}")
            });
            told.or_else(|| items.iter().find_map(|item| keyless(&list.of, item)))
        }
        (schema, Value::Object(map)) => {
            let fields = map.iter().filter(|(key, _)| !key.starts_with('$'));
            let mut fields = fields.map(|(key, value)| keyless(schema.field(key), value));
            fields.find_map(|told| told)
        }
        _ => None,
    }
}

/// A value as Go prints it.
fn in_go(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let fields = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", in_go(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(in_go).collect();
            format!("[{}]", items.join(" "))
        }
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Lays a patch over a document as its schema says: lists with a merge key are merged by it.
pub(crate) fn patch(schema: &Schema, document: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *document = change.clone();
        return;
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    if let Some(map) = document.as_object_mut() {
        patch_object(schema, map, change);
    }
}

fn patch_object(schema: &Schema, map: &mut Map<String, Value>, change: &Map<String, Value>) {
    match change.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => {
            *map = cleaned(change);
            return;
        }
        Some("delete") => {
            map.clear();
            return;
        }
        Some(_) | None => {}
    }
    if let Some(Value::Array(kept)) = change.get(RETAIN_KEYS) {
        map.retain(|key, _| kept.iter().any(|kept| kept == key));
    }
    for (key, value) in change.iter().filter(|(key, _)| !key.starts_with('$')) {
        patch_field(schema.field(key), map, key, value);
    }
    for (directive, values) in change {
        if let Some(key) = directive.strip_prefix(DELETE_VALUES) {
            delete_values(map, key, values);
        }
    }
    for (directive, order) in change {
        if let Some(key) = directive.strip_prefix(ORDER) {
            arrange(schema.field(key), map, key, order);
        }
    }
}

fn patch_field(schema: &Schema, map: &mut Map<String, Value>, key: &str, value: &Value) {
    match (schema, value) {
        (_, Value::Null) => {
            map.remove(key);
        }
        (Schema::List(list), Value::Array(items)) => {
            let live = map.entry(key).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(live) = live {
                patch_list(list, live, items);
            } else {
                *live = value.clone();
            }
        }
        (schema, value) => {
            let live = map.entry(key).or_insert(Value::Null);
            patch(schema, live, value);
        }
    }
}

fn patch_list(list: &List, live: &mut Vec<Value>, items: &[Value]) {
    let is_replaced = items
        .iter()
        .any(|item| item.get(DIRECTIVE).and_then(Value::as_str) == Some("replace"));
    match &list.patch {
        _ if is_replaced => {
            *live = items
                .iter()
                .filter(|item| item.get(DIRECTIVE).is_none())
                .cloned()
                .collect();
        }
        ListPatch::Replace => *live = items.to_vec(),
        ListPatch::Merge => {
            let was = live.clone();
            for item in items {
                if !live.contains(item) {
                    live.push(item.clone());
                }
            }
            settle(live, &was, items, |item| item);
        }
        ListPatch::MergeBy(key) => {
            let was = live.clone();
            for item in items {
                merge_item(list, live, (key, item));
            }
            settle(live, &was, items, |item| &item[key]);
        }
    }
}

/// Brings what the patch names into its order, before everything else but what stood before it
/// (`normalizeElementOrder`).
fn settle(live: &mut Vec<Value>, was: &[Value], items: &[Value], key: impl Fn(&Value) -> &Value) {
    let place = |of: &[Value], item: &Value| of.iter().position(|one| key(one) == key(item));
    let (mut named, rest): (Vec<Value>, Vec<Value>) = std::mem::take(live)
        .into_iter()
        .partition(|item| place(items, item).is_some());
    named.sort_by_key(|item| place(items, item));
    let (mut named, mut rest) = (named.into_iter().peekable(), rest.into_iter().peekable());
    while let (Some(next), Some(other)) = (named.peek(), rest.peek()) {
        let stood_before = place(was, next).is_some_and(|at| place(was, other) < Some(at));
        live.extend(if stood_before {
            rest.next()
        } else {
            named.next()
        });
    }
    live.extend(named);
    live.extend(rest);
}

fn merge_item(list: &List, live: &mut Vec<Value>, (key, item): (&str, &Value)) {
    let is_same = |other: &Value| other.get(key) == item.get(key);
    if item.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
        live.retain(|other| !is_same(other));
        return;
    }
    if let Some(found) = live.iter_mut().find(|other| is_same(other)) {
        patch(&list.of, found, item);
    } else {
        let mut new = Value::Object(Map::new());
        patch(&list.of, &mut new, item);
        live.push(new);
    }
}

fn delete_values(map: &mut Map<String, Value>, key: &str, values: &Value) {
    if let (Some(Value::Array(live)), Value::Array(values)) = (map.get_mut(key), values) {
        live.retain(|item| !values.contains(item));
    }
}

/// Brings the items that the patch names into its order; the others keep their places before the
/// named item that follows them.
fn arrange(schema: &Schema, map: &mut Map<String, Value>, key: &str, order: &Value) {
    let (Schema::List(list), Some(Value::Array(live)), Value::Array(order)) =
        (schema, map.get_mut(key), order)
    else {
        return;
    };
    let rank = |item: &Value| {
        order.iter().position(|wanted| match &list.patch {
            ListPatch::MergeBy(key) => wanted.get(key) == item.get(key),
            ListPatch::Merge | ListPatch::Replace => wanted == item,
        })
    };
    let mut named: Vec<Value> = live
        .iter()
        .filter(|item| rank(item).is_some())
        .cloned()
        .collect();
    named.sort_by_key(|item| rank(item));
    let mut named = named.into_iter();
    for item in live {
        if rank(item).is_some()
            && let Some(next) = named.next()
        {
            *item = next;
        }
    }
}

fn cleaned(change: &Map<String, Value>) -> Map<String, Value> {
    let fields = change.iter().filter(|(key, _)| !key.starts_with('$'));
    fields
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(mut document: Value, change: &Value) -> Value {
        let schema = Schema::of_definition("io.k8s.api.apps.v1.DeploymentSpec");
        patch(&schema, &mut document, change);
        document
    }

    fn with_containers(containers: &Value) -> Value {
        json!({"template": {"spec": {"containers": containers}}})
    }

    #[test]
    fn containers_are_merged_by_name_as_set_image_wants() {
        let live =
            with_containers(&json!([{"name": "a", "image": "x:1"}, {"name": "b", "image": "y"}]));
        let change = json!({"template": {"spec": {
            "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
            "containers": [{"name": "a", "image": "x:2"}]}}});
        let expected =
            with_containers(&json!([{"name": "a", "image": "x:2"}, {"name": "b", "image": "y"}]));
        assert_eq!(patched(live, &change), expected);
    }

    #[test]
    fn directives_delete_and_retain() {
        let live = with_containers(&json!([{"name": "a"}, {"name": "b"}]));
        let change = with_containers(&json!([{"name": "a", "$patch": "delete"}]));
        assert_eq!(
            patched(live, &change),
            with_containers(&json!([{"name": "b"}]))
        );
        let live = json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}});
        let change = json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}});
        assert_eq!(
            patched(live, &change),
            json!({"strategy": {"type": "Recreate"}})
        );
    }

    #[test]
    fn an_item_without_the_key_of_its_list_is_told() {
        let schema = Schema::of_definition("io.k8s.api.apps.v1.DeploymentSpec");
        let told = |containers: Value| keyless(&schema, &with_containers(&containers));
        assert_eq!(
            told(json!([{"image": "nokey"}])).as_deref(),
            Some("map: map[image:nokey] does not contain declared merge key: name")
        );
        assert_eq!(told(json!([{"name": "a", "args": ["x"]}])), None);
        assert_eq!(told(json!([{"$patch": "replace"}, {"name": "a"}])), None);
    }

    #[test]
    fn lists_without_a_key_are_replaced() {
        let live = with_containers(&json!([{"name": "a", "args": ["x", "y"]}]));
        let change = with_containers(&json!([{"name": "a", "args": ["z"]}]));
        assert_eq!(patched(live, &change), change);
    }
}
