//! What a kind's objects look like: as far as merging, ownership of fields, strict validation and
//! `explain` need it.

mod check;
mod definitions;
mod marks;
mod misfit;
mod mistake;

pub use check::{Unknown, check_types, prune, unknown_fields};
pub use definitions::{definition, names_of};
pub use misfit::{Misfit, misfits};
pub use mistake::first_mistake;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde_json::Value;

/// The shape of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Schema {
    /// A string, number or bool.
    Scalar(Scalar),
    /// An object with named fields.
    Struct(Struct),
    /// An object with keys of its own choosing.
    Map {
        /// What each key holds.
        of: Arc<Self>,
        /// Whether it has one owner as a whole (`x-kubernetes-map-type: atomic`).
        is_atomic: bool,
    },
    /// A list.
    List(List),
    /// Anything: objects are merged by key, lists are one value.
    Untyped,
}

/// What a scalar may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Bool,
    /// A number or a text, as quantities, ports and percentages are.
    NumberOrText,
}

/// An object with named fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Struct {
    /// Its fields.
    pub fields: BTreeMap<String, Arc<Schema>>,
    /// Whether fields that are not named are kept (`x-kubernetes-preserve-unknown-fields`).
    pub is_open: bool,
    /// Whether it has one owner as a whole.
    pub is_atomic: bool,
    /// Whether a strategic merge patch may clear what it does not name (`retainKeys`).
    pub retains_keys: bool,
    /// Values that the API server fills in, by field; only custom resources have them.
    pub defaults: BTreeMap<String, Value>,
    /// Fields that must be there; checked for custom resources.
    pub required: Vec<String>,
}

/// A list.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// What its items are.
    pub of: Arc<Schema>,
    /// How its items are told apart.
    pub order: Order,
    /// How a strategic merge patch changes it.
    pub patch: ListPatch,
}

/// How the items of a list are told apart when it is applied (`x-kubernetes-list-type`).
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// The list is one value.
    Atomic,
    /// By their value.
    Set,
    /// By these fields, each with the value that it has where it is missing.
    Keyed(Vec<(String, Option<Value>)>),
}

/// How a strategic merge patch changes a list (`x-kubernetes-patch-strategy`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListPatch {
    /// It is replaced.
    Replace,
    /// Values are added.
    Merge,
    /// Items with the same value of this field are merged.
    MergeBy(String),
}

impl Schema {
    /// Returns the schema of what stands at `key`.
    #[must_use]
    pub fn field(&self, key: &str) -> &Self {
        match self {
            Self::Struct(object) => object.fields.get(key).map_or(&Self::Untyped, |of| of),
            Self::Map { of, .. } => of,
            Self::Scalar(_) | Self::List(_) | Self::Untyped => &Self::Untyped,
        }
    }

    /// Says whether `key` is a field that the schema names.
    #[must_use]
    pub fn names(&self, key: &str) -> bool {
        match self {
            Self::Struct(object) => object.fields.contains_key(key),
            Self::Map { .. } | Self::Scalar(_) | Self::List(_) | Self::Untyped => false,
        }
    }

    /// Returns the schema of one of Kubernetes' own types, as `io.k8s.api.apps.v1.Deployment`.
    ///
    /// # Panics
    /// Never: names come from the table of kinds, which a test holds against the definitions.
    #[must_use]
    pub fn of_definition(name: &str) -> Arc<Self> {
        static READ: LazyLock<Mutex<HashMap<String, Arc<Schema>>>> = LazyLock::new(Mutex::default);
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        resolve(name, &mut read, &mut Vec::new())
    }

    /// Reads the schema that a CustomResourceDefinition gives, with the fields that every object
    /// has.
    #[must_use]
    pub fn of_custom(schema: &Value) -> Arc<Self> {
        let mut read = read(schema, &mut |_| Arc::new(Self::Untyped));
        if read == Self::Untyped {
            read = Self::Struct(Struct {
                is_open: true,
                ..Struct::default()
            });
        }
        if let Self::Struct(object) = &mut read {
            let meta = Self::of_definition(OBJECT_META);
            let text = Arc::new(Self::Scalar(Scalar::Text));
            object.fields.insert("metadata".to_owned(), meta);
            object
                .fields
                .insert("apiVersion".to_owned(), Arc::clone(&text));
            object.fields.insert("kind".to_owned(), text);
        }
        Arc::new(read)
    }
}

/// The definition of `metadata`.
pub const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

fn resolve(
    name: &str,
    known: &mut HashMap<String, Arc<Schema>>,
    open: &mut Vec<String>,
) -> Arc<Schema> {
    if let Some(schema) = known.get(name) {
        return Arc::clone(schema);
    }
    // Schemas that contain themselves (those of CustomResourceDefinitions) are left open there.
    let is_inside_itself = open.iter().any(|outer| outer == name);
    let Some(definition) = definition(name).filter(|_| !is_inside_itself) else {
        return Arc::new(Schema::Untyped);
    };
    if name.ends_with(".RawExtension") {
        return Arc::new(Schema::Map {
            of: Arc::new(Schema::Untyped),
            is_atomic: true,
        });
    }
    if definition.get("properties").is_none() && definition.get("type") == Some(&"object".into()) {
        // A type with a form of its own, as `FieldsV1`.
        return Arc::new(Schema::Untyped);
    }
    open.push(name.to_owned());
    let schema = Arc::new(read(definition, &mut |name| resolve(name, known, open)));
    open.pop();
    known.insert(name.to_owned(), Arc::clone(&schema));
    schema
}

/// Reads a JSON schema; `named` answers what a reference means.
fn read(schema: &Value, named: &mut dyn FnMut(&str) -> Arc<Schema>) -> Schema {
    if let Some(reference) = reference(schema) {
        let target = named(reference);
        return retaining(target.as_ref().clone(), schema);
    }
    if is_set(schema, "x-kubernetes-int-or-string") {
        return Schema::Scalar(Scalar::NumberOrText);
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => Schema::Scalar(Scalar::Text),
        Some("integer") => Schema::Scalar(Scalar::Integer),
        Some("number") => Schema::Scalar(Scalar::Number),
        Some("boolean") => Schema::Scalar(Scalar::Bool),
        Some("array") => Schema::List(list(schema, named)),
        Some("object") => retaining(object(schema, named), schema),
        _ => Schema::Untyped,
    }
}

/// Returns the definition that a schema refers to, also where a description stands beside it.
#[must_use]
pub fn reference(schema: &Value) -> Option<&str> {
    let bare = schema.get("$ref");
    let beside = || schema.get("allOf")?.get(0)?.get("$ref");
    bare.or_else(beside)?
        .as_str()?
        .rsplit_once('/')
        .map(|(_, name)| name)
}

fn is_set(schema: &Value, mark: &str) -> bool {
    schema.get(mark).and_then(Value::as_bool).unwrap_or(false)
}

fn mark<'a>(schema: &'a Value, name: &str) -> Option<&'a str> {
    schema.get(name)?.as_str()
}

/// Takes over what a field says about the type that it refers to.
fn retaining(mut schema: Schema, field: &Value) -> Schema {
    let retains = mark(field, "x-kubernetes-patch-strategy").unwrap_or_default();
    let atomic = mark(field, "x-kubernetes-map-type").map(|kind| kind == "atomic");
    match &mut schema {
        Schema::Struct(object) => {
            object.retains_keys |= retains.contains("retainKeys");
            object.is_atomic = atomic.unwrap_or(object.is_atomic);
        }
        Schema::Map { is_atomic, .. } => *is_atomic = atomic.unwrap_or(*is_atomic),
        Schema::Scalar(_) | Schema::List(_) | Schema::Untyped => {}
    }
    schema
}

fn list(schema: &Value, named: &mut dyn FnMut(&str) -> Arc<Schema>) -> List {
    let item = schema.get("items").unwrap_or(&Value::Null);
    let mut of = read(item, named);
    let strategy = mark(schema, "x-kubernetes-patch-strategy").unwrap_or_default();
    if let Schema::Struct(object) = &mut of {
        object.retains_keys |= strategy.contains("retainKeys");
    }
    let keys = schema.get("x-kubernetes-list-map-keys");
    let order = match mark(schema, "x-kubernetes-list-type") {
        Some("set") => Order::Set,
        Some("map") => Order::Keyed(
            keys.and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|key| (key.to_owned(), default_of_key(key, item, &of)))
                .collect(),
        ),
        _ => Order::Atomic,
    };
    let patch = match mark(schema, "x-kubernetes-patch-merge-key") {
        Some(key) => ListPatch::MergeBy(key.to_owned()),
        None if strategy.contains("merge") => ListPatch::Merge,
        None => ListPatch::Replace,
    };
    List {
        of: Arc::new(of),
        order,
        patch,
    }
}

/// Ports are told apart by their protocol too, which is TCP where it is not said
/// (`default` in Kubernetes' own schema).
fn default_of_key(key: &str, item: &Value, of: &Schema) -> Option<Value> {
    let said = item.pointer(&format!("/properties/{key}/default")).cloned();
    let known = said.or_else(|| (key == "protocol" && of.names(key)).then(|| "TCP".into()));
    // Keys of Kubernetes' own types are no pointers in Go, so that what is missing is zero.
    let zero = || match of.field(key) {
        Schema::Scalar(Scalar::Text) => Some("".into()),
        Schema::Scalar(Scalar::Integer) => Some(0.into()),
        _ => None,
    };
    known.or_else(|| reference(item).and_then(|_| zero()))
}

fn object(schema: &Value, named: &mut dyn FnMut(&str) -> Arc<Schema>) -> Schema {
    let is_atomic = mark(schema, "x-kubernetes-map-type") == Some("atomic");
    let is_open = is_set(schema, "x-kubernetes-preserve-unknown-fields");
    let properties = schema.get("properties").and_then(Value::as_object);
    let of = schema.get("additionalProperties");
    match (properties, of) {
        (Some(properties), _) => {
            let mut object = Struct {
                is_open,
                is_atomic,
                ..Struct::default()
            };
            for (name, field) in properties {
                object
                    .fields
                    .insert(name.clone(), Arc::new(read(field, named)));
                if let Some(default) = field.get("default") {
                    object.defaults.insert(name.clone(), default.clone());
                }
            }
            let required = schema.get("required").and_then(Value::as_array);
            let names = required.into_iter().flatten().filter_map(Value::as_str);
            object.required = names.map(ToOwned::to_owned).collect();
            if is_set(schema, "x-kubernetes-embedded-resource") {
                object.is_open = true;
            }
            Schema::Struct(object)
        }
        (None, Some(of)) if of.is_object() => Schema::Map {
            of: Arc::new(read(of, named)),
            is_atomic,
        },
        (None, _) if is_open || of.is_some() => Schema::Untyped,
        (None, _) => Schema::Struct(Struct {
            is_atomic,
            ..Struct::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &[&str]) -> Schema {
        let root = Schema::of_definition("io.k8s.api.apps.v1.Deployment");
        let mut here = root.as_ref();
        for key in path {
            here = match here {
                Schema::List(list) => list.of.field(key),
                other => other.field(key),
            };
        }
        here.clone()
    }

    fn order(path: &[&str]) -> Order {
        let Schema::List(list) = at(path) else {
            panic!("{path:?} is no list");
        };
        list.order
    }

    const POD: [&str; 3] = ["spec", "template", "spec"];

    fn within_pod(path: &[&'static str]) -> Vec<&'static str> {
        POD.iter().chain(path).copied().collect()
    }

    #[test]
    fn containers_are_told_apart_by_name_and_ports_by_number_and_protocol() {
        let by_name = Order::Keyed(vec![("name".to_owned(), Some("".into()))]);
        assert_eq!(order(&within_pod(&["containers"])), by_name);
        let by_port = Order::Keyed(vec![
            ("containerPort".to_owned(), Some(0.into())),
            ("protocol".to_owned(), Some("TCP".into())),
        ]);
        assert_eq!(order(&within_pod(&["containers", "ports"])), by_port);
        assert_eq!(order(&within_pod(&["containers", "args"])), Order::Atomic);
        assert_eq!(order(&["metadata", "finalizers"]), Order::Set);
    }

    #[test]
    fn selectors_are_atomic_and_the_strategy_retains_keys() {
        let Schema::Struct(selector) = at(&["spec", "selector"]) else {
            panic!("a selector is an object");
        };
        assert!(selector.is_atomic);
        let Schema::Struct(strategy) = at(&["spec", "strategy"]) else {
            panic!("a strategy is an object");
        };
        assert!(strategy.retains_keys && !strategy.is_atomic);
    }

    #[test]
    fn a_custom_resource_has_the_metadata_of_every_object() {
        let schema = serde_json::json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}},
        }});
        let read = Schema::of_custom(&schema);
        assert!(read.field("metadata").names("finalizers"));
        assert_eq!(
            *read.field("spec").field("size"),
            Schema::Scalar(Scalar::Integer)
        );
    }
}
