//! What every controller works at: the store, written to as `kube-controller-manager`, and Events.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::events::Events;
use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::refusal::Refusal;
use crate::sim::store::{Actor, Deletion, Part, Propagation, Store};

/// When a sync wants to be made again without any change coming; `Err` where a write was refused.
pub(super) type Outcome = Result<Option<Timestamp>, Refusal>;

/// The field manager of all controllers.
const MANAGER: &str = "kube-controller-manager";

/// One object, by kind, namespace (empty where it has none) and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn of(object: &Object) -> Self {
        Self {
            kind: Kind::named(object.api_version(), object.kind()),
            namespace: object.namespace().unwrap_or_default().to_owned(),
            name: object.text("/metadata/name").unwrap_or_default().to_owned(),
        }
    }
}

/// The store and the Events, in the hands of one controller.
pub(super) struct Desk<'a> {
    pub(super) store: &'a mut Store,
    pub(super) events: &'a mut Events,
    /// Objects that a controller may adopt.
    pub(super) orphans: &'a BTreeSet<Key>,
    /// The controller's name in Events, as `deployment-controller`.
    pub(super) component: &'static str,
}

impl Desk<'_> {
    pub(super) fn now(&self) -> Timestamp {
        self.store.now()
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Object>> {
        let found = self.store.get(&key.kind, &key.namespace, &key.name);
        found.cloned()
    }

    /// Returns the objects of a kind that name this one as their controller.
    pub(super) fn controlled(&self, owner: &Object, kind: &Kind) -> Vec<Arc<Object>> {
        let Some(uid) = owner.uid() else {
            return Vec::new();
        };
        let dependents = self.store.dependents(uid);
        dependents
            .filter(|object| controller(object).is_some_and(|owner| owner["uid"] == uid))
            .filter(|object| Kind::named(object.api_version(), object.kind()) == *kind)
            .cloned()
            .collect()
    }

    /// Returns the objects of a kind in the namespace that have no controller.
    pub(super) fn orphans(&self, namespace: &str, kind: &Kind) -> Vec<Arc<Object>> {
        let all = self.orphans.iter();
        all.filter(|key| key.kind == *kind && key.namespace == namespace)
            .filter_map(|key| self.get(key))
            .collect()
    }

    pub(super) fn create(&mut self, object: Value) -> Result<Arc<Object>, Refusal> {
        self.store.create(&Actor::new(MANAGER), object)
    }

    /// Changes all but the status; the object must be the live one.
    pub(super) fn update(
        &mut self,
        object: &Object,
        edit: impl FnOnce(&mut Value),
    ) -> Result<Arc<Object>, Refusal> {
        self.write(Part::Main, object, edit)
    }

    /// Changes the status and what metadata goes with it; the object must be the live one.
    pub(super) fn update_status(
        &mut self,
        object: &Object,
        edit: impl FnOnce(&mut Value),
    ) -> Result<Arc<Object>, Refusal> {
        self.write(Part::Status, object, edit)
    }

    fn write(
        &mut self,
        part: Part,
        object: &Object,
        edit: impl FnOnce(&mut Value),
    ) -> Result<Arc<Object>, Refusal> {
        let mut value = object.value().clone();
        edit(&mut value);
        // As the real ones do not write what is so already.
        match self.get(&Key::of(object)) {
            Some(live) if value == *object.value() => Ok(live),
            Some(_) | None => self.store.update(&Actor::new(MANAGER).on(part), value),
        }
    }

    /// Deletes just this object, in the background; one that is gone already is fine.
    pub(super) fn delete(&mut self, object: &Object) -> Result<(), Refusal> {
        self.delete_by(object, Propagation::Background)
    }

    pub(super) fn delete_by(&mut self, object: &Object, how: Propagation) -> Result<(), Refusal> {
        let key = Key::of(object);
        let deletion = Deletion {
            uid: object.uid().map(ToOwned::to_owned),
            propagation: Some(how),
            ..Deletion::default()
        };
        let deleted = self
            .store
            .delete(&key.kind, &key.namespace, &key.name, &deletion);
        match deleted {
            Err(refusal) if refusal.code != 404 => Err(refusal),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Tells of something normal as an Event.
    pub(super) fn tell(&mut self, about: &Object, reason: &str, message: &str) {
        self.events.tell(
            self.store,
            self.component,
            about,
            ("Normal", reason, message),
        );
    }

    /// Tells of something wrong as an Event.
    pub(super) fn warn(&mut self, about: &Object, reason: &str, message: &str) {
        self.events.tell(
            self.store,
            self.component,
            about,
            ("Warning", reason, message),
        );
    }
}

/// Returns the owner that controls an object.
pub(super) fn controller(object: &Object) -> Option<&Value> {
    let owners = object.at("/metadata/ownerReferences")?.as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

/// Returns what makes `owner` the controller of another object (`NewControllerRef`).
pub(super) fn controlled_by(owner: &Object) -> Value {
    json!({
        "apiVersion": owner.api_version(),
        "kind": owner.kind(),
        "name": owner.text("/metadata/name"),
        "uid": owner.uid(),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Returns a count in an object, `None` where it is not written.
pub(super) fn count(object: &Object, pointer: &str) -> Option<u32> {
    let number = object.at(pointer)?.as_u64()?;
    u32::try_from(number).ok()
}

/// Returns a number in an object, 0 where it is not written.
pub(super) fn number(object: &Object, pointer: &str) -> i64 {
    let value = object.at(pointer).and_then(Value::as_i64);
    value.unwrap_or_default()
}

/// Sets a number in a status; as the real types leave out zeros, 0 removes it.
pub(super) fn put_count(status: &mut Value, key: &str, count: u32) {
    if count > 0 {
        status[key] = count.into();
    } else if let Some(status) = status.as_object_mut() {
        status.remove(key);
    }
}
