//! Reads a mapping field by field, keeping every fault instead of the first.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::fault::{Cause, FieldFault};
use crate::object::closest;

/// The faults of one document while it is read.
#[derive(Debug, Default)]
pub(super) struct Faults(RefCell<Vec<FieldFault>>);

impl Faults {
    pub(super) fn add(&self, field: &str, cause: impl Into<Cause>) {
        self.0.borrow_mut().push(FieldFault {
            field: field.to_owned(),
            cause: cause.into(),
        });
    }

    pub(super) fn into_inner(self) -> Vec<FieldFault> {
        self.0.into_inner()
    }
}

/// One mapping of a document. Each field is asked for by name; [`Fields::close`] then tells which
/// fields nobody asked for. A field that is null counts as missing, as in Kubernetes.
#[must_use]
pub(super) struct Fields<'v> {
    path: String,
    map: Option<&'v Map<String, Value>>,
    known: Vec<&'static str>,
    /// Those of them that are documented and refused.
    later: Vec<&'static str>,
    faults: &'v Faults,
}

impl<'v> Fields<'v> {
    /// Opens the mapping at `path` (empty for the document itself); `None` is an empty one.
    pub(super) fn open(path: String, value: Option<&'v Value>, faults: &'v Faults) -> Self {
        let map = value.and_then(Value::as_object);
        if let (Some(value), None) = (value, map) {
            faults.add(
                &path,
                format!("is {}; must be a mapping of fields", nature(value)),
            );
        }
        Self {
            path,
            map,
            known: Vec::new(),
            later: Vec::new(),
            faults,
        }
    }

    /// Returns the field as it is written.
    pub(super) fn raw(&mut self, field: &'static str) -> Option<&'v Value> {
        if !self.known.contains(&field) {
            self.known.push(field);
        }
        self.map?.get(field).filter(|value| !value.is_null())
    }

    /// Returns the mapping below the field; an empty one where it is missing.
    pub(super) fn inner(&mut self, field: &'static str) -> Self {
        let value = self.raw(field);
        Self::open(self.path_of(field), value, self.faults)
    }

    /// Returns the mapping below the field; `None` where it is missing.
    pub(super) fn present(&mut self, field: &'static str) -> Option<Self> {
        self.raw(field)
            .map(|value| Self::open(self.path_of(field), Some(value), self.faults))
    }

    /// Returns the field by `read`; `None` where it is missing or wrong.
    pub(super) fn optional<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&Value) -> Result<T, Cause>,
    ) -> Option<T> {
        let value = self.raw(field)?;
        read(value)
            .map_err(|cause| self.faults.add(&self.path_of(field), cause))
            .ok()
    }

    /// Returns the field by `read`, and where it is missing a fault.
    pub(super) fn required<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&Value) -> Result<T, Cause>,
    ) -> Option<T> {
        if self.raw(field).is_none() {
            self.fault(field, "is missing; it must be given");
        }
        self.optional(field, read)
    }

    /// Returns each entry of the list by `read`; an empty list where it is missing.
    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        read: impl Fn(&Value) -> Result<T, Cause>,
    ) -> Vec<T> {
        let entries = self.entries(field);
        let path = self.path_of(field);
        let entry = |(at, value)| {
            read(value)
                .map_err(|cause| self.faults.add(&format!("{path}[{at}]"), cause))
                .ok()
        };
        entries.iter().enumerate().filter_map(entry).collect()
    }

    /// Returns each entry of the list as a mapping; an empty list where it is missing.
    pub(super) fn inners(&mut self, field: &'static str) -> Vec<Self> {
        let path = self.path_of(field);
        let open = |(at, value)| Self::open(format!("{path}[{at}]"), Some(value), self.faults);
        self.entries(field).iter().enumerate().map(open).collect()
    }

    fn entries(&mut self, field: &'static str) -> &'v [Value] {
        match self.raw(field) {
            None => &[],
            Some(Value::Array(entries)) => entries,
            Some(value) => {
                self.fault(field, format!("is {}; must be a list", nature(value)));
                &[]
            }
        }
    }

    /// Refuses a field that the documentation has and this version does not, unless it says what
    /// holds anyway.
    pub(super) fn not_yet(&mut self, field: &'static str, default: &Value) {
        self.later.push(field);
        if self.raw(field).is_some_and(|value| value != default) {
            self.fault(field, "is not supported yet; leave it out");
        }
    }

    /// Adds a fault of one field.
    pub(super) fn fault(&self, field: &str, cause: impl Into<Cause>) {
        self.faults.add(&self.path_of(field), cause);
    }

    /// Adds a fault for each field that was not asked for.
    pub(super) fn close(self) {
        let mut taken = self.known.clone();
        taken.retain(|field| !self.later.contains(field));
        for field in self.map.into_iter().flat_map(Map::keys) {
            if self.known.contains(&field.as_str()) {
                continue;
            }
            self.fault(
                field,
                match closest(field, self.known.iter().copied()) {
                    Some(meant) => format!("is no known field; did you mean `{meant}`?"),
                    None => format!("is no known field; known here: {}", taken.join(", ")),
                },
            );
        }
    }

    fn path_of(&self, field: &str) -> String {
        if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.path)
        }
    }
}

/// Says what a value is, without repeating it.
pub(super) fn nature(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
