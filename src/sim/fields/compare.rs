//! Which fields two states of an object differ in, and which a configuration names.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::{Fields, Step};
use crate::sim::schema::{List, Order, Schema};

/// How two states differ, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Fields that only the second has, objects and items on the way among them.
    pub added: Fields,
    /// Fields that both have, with another value.
    pub modified: Fields,
    /// Fields that only the first has.
    pub removed: Fields,
}

impl Comparison {
    /// Returns the fields that the second state has of its own.
    #[must_use]
    pub fn written(&self) -> Fields {
        self.modified.union(&self.added)
    }
}

/// Compares two states of one object.
#[must_use]
pub fn compare(schema: &Schema, was: &Value, now: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    differences(
        schema,
        Some(was),
        Some(now),
        &mut Vec::new(),
        &mut comparison,
    );
    comparison
}

fn differences(
    schema: &Schema,
    was: Option<&Value>,
    now: Option<&Value>,
    path: &mut Vec<Step>,
    into: &mut Comparison,
) {
    if was == now {
        return;
    }
    let is_leaf = is_leaf(schema, was) && is_leaf(schema, now);
    if !is_leaf {
        let (ours, theirs) = (parts(schema, was), parts(schema, now));
        let mut steps: Vec<&Step> = ours.keys().chain(theirs.keys()).collect();
        steps.sort_unstable();
        steps.dedup();
        for step in steps {
            path.push(step.clone());
            let (was, now) = (ours.get(step).copied(), theirs.get(step).copied());
            differences(inner(schema, step), was, now, path, into);
            path.pop();
        }
    }
    let set = match (was, now) {
        (None, Some(_)) => &mut into.added,
        (Some(_), None) => &mut into.removed,
        (Some(_), Some(_)) if is_leaf => &mut into.modified,
        (Some(_) | None, _) => return,
    };
    path.iter()
        .cloned()
        .fold(set, |set, step| set.enter(step))
        .insert();
}

/// Says whether a value is owned as a whole; an empty object or list is, a missing value may be.
fn is_leaf(schema: &Schema, value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty() || is_atomic(schema),
        Some(Value::Array(items)) => items.is_empty() || is_atomic(schema),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => true,
    }
}

/// Says whether values of this schema have one owner as a whole.
pub(super) fn is_atomic(schema: &Schema) -> bool {
    match schema {
        Schema::Scalar(_) => true,
        Schema::Struct(object) => object.is_atomic,
        Schema::Map { is_atomic, .. } => *is_atomic,
        Schema::List(list) => list.order == Order::Atomic,
        Schema::Untyped => false,
    }
}

/// Returns the schema behind a step.
pub(super) fn inner<'a>(schema: &'a Schema, step: &Step) -> &'a Schema {
    match (schema, step) {
        (Schema::List(list), _) => &list.of,
        (_, Step::Field(name)) => schema.field(name),
        (_, Step::Key(_) | Step::Value(_) | Step::Index(_)) => &Schema::Untyped,
    }
}

fn parts<'a>(schema: &Schema, value: Option<&'a Value>) -> BTreeMap<Step, &'a Value> {
    match (schema, value) {
        (Schema::List(list), Some(Value::Array(items))) => items
            .iter()
            .filter_map(|item| Some((Step::to_item(list, item)?, item)))
            .collect(),
        (_, Some(Value::Object(map))) => map
            .iter()
            .map(|(key, value)| (Step::Field(key.clone()), value))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// Returns the fields that a configuration names.
#[must_use]
pub fn fields_of(schema: &Schema, value: &Value) -> Fields {
    let mut fields = Fields::default();
    name_fields(schema, value, &mut fields);
    fields
}

fn name_fields(schema: &Schema, value: &Value, into: &mut Fields) {
    match (schema, value) {
        _ if is_atomic(schema) => into.insert(),
        (Schema::List(list), Value::Array(items)) => name_items(list, items, into),
        (_, Value::Object(map)) => name_keys(schema, map, into),
        (Schema::List(_), _) | (_, Value::Null) => {}
        (_, Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            into.insert();
        }
    }
}

fn name_items(list: &List, items: &[Value], into: &mut Fields) {
    for item in items {
        if let Some(step) = Step::to_item(list, item) {
            let below = into.enter(step);
            name_fields(&list.of, item, below);
            below.insert();
        }
    }
}

fn name_keys(schema: &Schema, map: &Map<String, Value>, into: &mut Fields) {
    for (key, value) in map {
        let below = into.enter(Step::Field(key.clone()));
        name_fields(schema.field(key), value, below);
        let is_empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        if is_empty || !schema.names(key) {
            below.insert();
        }
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
    fn a_new_object_adds_the_maps_on_the_way_too() {
        let now = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"replicas": 3}});
        let paths = compare(&deployment(), &json!({}), &now).added.paths();
        let expected = [
            ".metadata",
            ".metadata.labels",
            ".metadata.labels.app",
            ".spec",
            ".spec.replicas",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn items_are_compared_by_key_and_atomic_lists_whole() {
        let state = |image: &str, args: &[&str]| {
            json!({"spec": {"template": {"spec": {"containers": [
                {"name": "a", "image": "x"}, {"name": "b", "image": image, "args": args},
            ]}}}})
        };
        let comparison = compare(&deployment(), &state("1", &["p"]), &state("2", &["q"]));
        let b = ".spec.template.spec.containers[name=\"b\"]";
        assert_eq!(
            comparison.modified.paths(),
            [format!("{b}.args"), format!("{b}.image")]
        );
        assert!(comparison.added.is_empty() && comparison.removed.is_empty());
    }

    #[test]
    fn a_configuration_names_leaves_and_items_but_no_structs() {
        let value = json!({"spec": {"selector": {"matchLabels": {"app": "web"}},
            "template": {"spec": {"containers": [{"name": "a"}]}}}});
        let paths = fields_of(&deployment(), &value).paths();
        let expected = [
            ".spec.selector",
            ".spec.template.spec.containers[name=\"a\"]",
            ".spec.template.spec.containers[name=\"a\"].name",
        ];
        assert_eq!(paths, expected);
    }
}
