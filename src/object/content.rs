//! The content of an object as JSON, with the few paths that every kind has.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ObjectId;

/// One Kubernetes object as JSON; `apiVersion`, `kind` and `metadata.name` are there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(Value);

impl Object {
    /// Returns `value` as an object, or `None` where `apiVersion`, `kind` or `metadata.name` is
    /// missing or empty.
    #[must_use]
    pub fn new(value: Value) -> Option<Self> {
        let text = |pointer| {
            value
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let named = ["/apiVersion", "/kind", "/metadata/name"]
            .iter()
            .all(|p| !text(p).is_empty());
        named.then_some(Self(value))
    }

    /// Returns its identity.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        let api_version = self.api_version();
        ObjectId {
            group: api_version
                .split_once('/')
                .map_or("", |(group, _)| group)
                .to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().map(ToOwned::to_owned),
            name: self.text("/metadata/name").unwrap_or_default().to_owned(),
        }
    }

    /// Returns `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion").unwrap_or_default()
    }

    /// Returns `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind").unwrap_or_default()
    }

    /// Returns the namespace, `None` where it is missing or empty.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.text("/metadata/namespace")
            .filter(|namespace| !namespace.is_empty())
    }

    /// Returns the value at a JSON pointer.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// Returns the string at a JSON pointer.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer)?.as_str()
    }

    /// Returns the value of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.at("/metadata/annotations")?.get(key)?.as_str()
    }

    /// Returns the value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.at("/metadata/labels")?.get(key)?.as_str()
    }

    /// Returns the condition of a type from `status.conditions`.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&Value> {
        let conditions = self.at("/status/conditions")?.as_array()?;
        conditions
            .iter()
            .find(|condition| condition["type"] == kind)
    }

    /// Returns the UID that the API server gave; `None` for a manifest.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        self.text("/metadata/uid")
    }

    /// Returns the resource version; `None` for a manifest.
    #[must_use]
    pub fn resource_version(&self) -> Option<&str> {
        self.text("/metadata/resourceVersion")
    }

    /// Returns the generation; 0 for a manifest and for kinds that have none.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.at("/metadata/generation")
            .and_then(Value::as_i64)
            .unwrap_or_default()
    }

    /// Says whether deletion has begun.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.at("/metadata/deletionTimestamp")
            .is_some_and(|at| !at.is_null())
    }

    /// Returns the whole JSON value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// Returns the whole JSON value for changes; `apiVersion`, `kind` and name must stay.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.0
    }

    /// Sets the value at a path of object keys, making the maps on the way.
    pub fn set(&mut self, path: &[&str], value: Value) {
        let mut here = &mut self.0;
        for key in path {
            if !here.is_object() {
                *here = Value::Object(Map::new());
            }
            here = &mut here[*key];
        }
        *here = value;
    }

    /// Removes the value at a path of object keys and returns it.
    pub fn remove(&mut self, path: &[&str]) -> Option<Value> {
        let (last, parents) = path.split_last()?;
        let mut here = &mut self.0;
        for key in parents {
            here = here.get_mut(*key)?;
        }
        here.as_object_mut()?.remove(*last)
    }

    /// Sets an annotation.
    pub fn annotate(&mut self, key: &str, value: &str) {
        self.set(&["metadata", "annotations", key], json!(value));
    }

    /// Sets a label.
    pub fn mark(&mut self, key: &str, value: &str) {
        self.set(&["metadata", "labels", key], json!(value));
    }
}
