//! Laying a configuration over a live object, and taking fields out of one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::compare::{inner, is_atomic};
use super::set::{Fields, Step};
use crate::sim::schema::{List, Schema};

/// Returns `live` with everything that `config` says laid over it.
///
/// # Errors
/// Where a keyed list of `config` has two items of the same key: path and key.
pub fn merge(schema: &Schema, live: &Value, config: &Value) -> Result<Value, String> {
    lay_over(schema, Some(live), config, "")
}

fn lay_over(
    schema: &Schema,
    live: Option<&Value>,
    config: &Value,
    path: &str,
) -> Result<Value, String> {
    if is_atomic(schema) {
        return Ok(config.clone());
    }
    match (schema, config) {
        (Schema::List(list), Value::Array(items)) => {
            let live = live
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            merge_items(list, live, items, path).map(Value::Array)
        }
        (_, Value::Object(map)) => {
            let mut merged = match live {
                Some(Value::Object(live)) => live.clone(),
                _ => Map::new(),
            };
            for (key, value) in map {
                let live = merged.get(key);
                let path = format!("{path}.{key}");
                let value = lay_over(schema.field(key), live, value, &path)?;
                merged.insert(key.clone(), value);
            }
            Ok(Value::Object(merged))
        }
        (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))
        | (_, Value::Array(_)) => Ok(config.clone()),
    }
}

/// Items that both have come in the order of `config`; items that only `live` has stay before the
/// one that they stood before.
fn merge_items(
    list: &List,
    live: &[Value],
    config: &[Value],
    path: &str,
) -> Result<Vec<Value>, String> {
    let steps = |items: &[Value]| -> Vec<Option<Step>> {
        items.iter().map(|item| Step::to_item(list, item)).collect()
    };
    let (ours, theirs) = (steps(live), steps(config));
    let mut wanted: BTreeMap<&Step, &Value> = BTreeMap::new();
    for (step, item) in theirs.iter().zip(config) {
        let Some(step) = step else {
            return Err(format!(
                "{path}: element: associative list with keys has an element that omits key field"
            ));
        };
        if wanted.insert(step, item).is_some() {
            return Err(format!("{path}: duplicate entries for key {step}"));
        }
    }
    let mut was: BTreeMap<&Step, &Value> = BTreeMap::new();
    for (step, item) in ours.iter().zip(live) {
        if let Some(step) = step {
            was.entry(step).or_insert(item);
        }
    }
    let mut merged = Vec::new();
    let mut done: BTreeSet<&Step> = BTreeSet::new();
    let mut rest = theirs.iter().flatten();
    let mut take = |until: Option<&Step>, merged: &mut Vec<Value>| -> Result<(), String> {
        while until.is_none_or(|until| !done.contains(until)) {
            let Some(step) = rest.next() else {
                break;
            };
            let live = was.get(step).copied();
            merged.push(lay_over(
                &list.of,
                live,
                wanted[step],
                &format!("{path}{step}"),
            )?);
            done.insert(step);
        }
        Ok(())
    };
    for (step, item) in ours.iter().zip(live) {
        match step {
            Some(step) if wanted.contains_key(step) => take(Some(step), &mut merged)?,
            Some(_) | None => merged.push(item.clone()),
        }
    }
    take(None, &mut merged)?;
    Ok(merged)
}

/// Returns `value` without the fields of `fields`; what becomes empty stays as an empty object or
/// list.
#[must_use]
pub fn remove(schema: &Schema, value: &Value, fields: &Fields) -> Value {
    if is_atomic(schema) {
        return value.clone();
    }
    match (schema, value) {
        (Schema::List(list), Value::Array(items)) => {
            let kept = items.iter().filter_map(|item| {
                let below = Step::to_item(list, item).and_then(|step| fields.at(&step));
                kept(&list.of, item, below)
            });
            Value::Array(kept.collect())
        }
        (_, Value::Object(map)) => {
            let kept = map.iter().filter_map(|(key, value)| {
                let step = Step::Field(key.clone());
                let value = kept(inner(schema, &step), value, fields.at(&step))?;
                Some((key.clone(), value))
            });
            Value::Object(kept.collect())
        }
        _ => value.clone(),
    }
}

fn kept(schema: &Schema, value: &Value, fields: Option<&Fields>) -> Option<Value> {
    match fields {
        Some(fields) if fields.is_member() => None,
        Some(fields) if !fields.is_empty() => Some(remove(schema, value, fields)),
        Some(_) | None => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod_spec() -> std::sync::Arc<Schema> {
        Schema::of_definition("io.k8s.api.core.v1.PodSpec")
    }

    fn containers(names: &[&str]) -> Value {
        let items: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        json!({"containers": items})
    }

    #[test]
    fn items_of_the_configuration_keep_its_order_among_those_of_others() {
        let merged = |live: &[&str], config: &[&str]| {
            merge(&pod_spec(), &containers(live), &containers(config)).expect("no duplicates")
        };
        assert_eq!(
            merged(&["a", "x", "b"], &["b", "a"]),
            containers(&["b", "a", "x"])
        );
        assert_eq!(
            merged(&["x", "a"], &["a", "b"]),
            containers(&["x", "a", "b"])
        );
        assert_eq!(merged(&[], &["a"]), containers(&["a"]));
    }

    #[test]
    fn two_items_of_one_key_are_refused() {
        let fault = merge(&pod_spec(), &json!({}), &containers(&["a", "a"]));
        let text = ".containers: duplicate entries for key [name=\"a\"]";
        assert_eq!(fault, Err(text.to_owned()));
    }

    #[test]
    fn what_is_taken_out_leaves_the_rest_of_its_item() {
        let value = json!({"containers": [{"name": "a", "image": "x"}, {"name": "b"}]});
        let mut fields = Fields::default();
        let list = fields.enter(Step::Field("containers".to_owned()));
        list.enter(Step::Key("{\"name\":\"a\"}".to_owned()))
            .insert_at(&["image"]);
        list.enter(Step::Key("{\"name\":\"b\"}".to_owned()))
            .insert();
        assert_eq!(remove(&pod_spec(), &value, &fields), containers(&["a"]));
    }
}
