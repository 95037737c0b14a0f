//! Creating and changing objects (`apiserver/pkg/registry/generic/registry/store.go`).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::guard::guard;
use super::{Store, ownership};
use crate::object::Object;
use crate::sim::kind::{Kind, Resource};
use crate::sim::refusal::{Cause, Refusal, Subject};
use crate::sim::schema::prune;
use crate::sim::time::seconds;
use crate::sim::{defaults, validate};

/// How often a generated name is tried (`generic/registry/store.go`).
const NAME_ATTEMPTS: usize = 8;
/// Letters behind a `generateName`.
const LETTERS: usize = 5;

/// Metadata that a write cannot change.
const FIXED: &[&str] = &[
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
];

/// Which part of an object a write may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All but `status` (and `status` too, for kinds without that sub-resource).
    Main,
    /// `status`, labels, annotations, finalizers and owners.
    Status,
    /// Replicas, through the sub-resource `scale`.
    Scale,
}

impl Part {
    /// Returns the sub-resource as `managedFields` name it.
    #[must_use]
    pub const fn subresource(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Scale => "scale",
        }
    }
}

/// Who writes, and what: this is what `managedFields` will tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The field manager, as `kube-controller-manager`.
    pub manager: String,
    /// The part that is written.
    pub part: Part,
    /// Whether nothing is to be kept.
    pub is_dry_run: bool,
}

impl Actor {
    /// Returns an actor that writes the main part.
    #[must_use]
    pub fn new(manager: &str) -> Self {
        Self {
            manager: manager.to_owned(),
            part: Part::Main,
            is_dry_run: false,
        }
    }

    /// Returns the same actor writing another part.
    #[must_use]
    pub fn on(&self, part: Part) -> Self {
        Self {
            part,
            ..self.clone()
        }
    }

    /// Returns the same actor, whose writes are only tried if `is_dry_run`.
    #[must_use]
    pub fn rehearsing(&self, is_dry_run: bool) -> Self {
        Self {
            is_dry_run,
            ..self.clone()
        }
    }
}

impl Store {
    /// Creates an object: fills in defaults and metadata (`generateName` included), validates.
    ///
    /// # Errors
    /// 409 where the name is taken, 403 where the namespace is terminating or a quota is used up,
    /// 404 where there is none, 422 where fields are wrong.
    pub fn create(&mut self, actor: &Actor, mut object: Value) -> Result<Arc<Object>, Refusal> {
        let kind = kind_of(&object);
        let resource = self.resource(&kind)?;
        self.normalise(&resource, &mut object);
        ownership::record(&resource, actor, &json!({}), &mut object, self.now());
        self.insert(actor, &resource, object)
    }

    /// Makes `object`, whose defaults and ownership are settled, a new object.
    pub(super) fn insert(
        &mut self,
        actor: &Actor,
        resource: &Resource,
        mut object: Value,
    ) -> Result<Arc<Object>, Refusal> {
        let kind = resource.kind.clone();
        let (namespace, name) = self.name(resource, &mut object)?;
        let subject = self.subject(&kind, &name);
        if resource.is_namespaced {
            self.admit(&subject, &namespace)?;
        }
        if self.get(&kind, &namespace, &name).is_some() {
            return Err(Refusal::already_exists(&subject));
        }
        self.found(resource, &mut object);
        defaults::found(self, &kind, &mut object);
        refuse(&subject, &validate::new(resource, &object))?;
        self.admit_by_quota(resource, &subject, &namespace)?;
        let Some(object) = Object::new(object) else {
            return Err(Refusal::bad_request("the object has no kind or name"));
        };
        if actor.is_dry_run {
            return Ok(Arc::new(object));
        }
        if kind == Kind::CUSTOM_RESOURCE_DEFINITION {
            self.registry.define(object.value());
        }
        Ok(self.commit(&kind, &(namespace, name), Some(object)))
    }

    /// Replaces the actor's part of an object; the rest stays as it is. A `resourceVersion` in
    /// `object` must be the live one. Nothing changes, no revision either, where nothing differs.
    /// A change of the spec raises the generation; the last finalizer taken from an object that is
    /// being deleted ends it.
    ///
    /// # Errors
    /// 404, 409, 422 as the real server.
    pub fn update(&mut self, actor: &Actor, mut object: Value) -> Result<Arc<Object>, Refusal> {
        let kind = kind_of(&object);
        let resource = self.resource(&kind)?;
        let live = self.live(&resource, &object)?;
        let subject = self.subject(&kind, live.text("/metadata/name").unwrap_or_default());
        guard(&resource, &subject, (&live, &object))?;
        self.normalise(&resource, &mut object);
        restrict(&resource, actor.part, live.value(), &mut object);
        ownership::record(&resource, actor, live.value(), &mut object, self.now());
        self.replace(actor, &resource, &live, object)
    }

    /// Lays `object`, whose defaults and ownership are settled, in the place of `live`.
    pub(super) fn replace(
        &mut self,
        actor: &Actor,
        resource: &Resource,
        live: &Arc<Object>,
        mut object: Value,
    ) -> Result<Arc<Object>, Refusal> {
        let kind = &resource.kind;
        let name = live.text("/metadata/name").unwrap_or_default();
        let namespace = live.namespace().unwrap_or_default();
        defaults::renew(kind, live.value(), &mut object);
        if actor.part != Part::Status {
            count(resource, live.value(), &mut object);
        }
        let version = live.at("/metadata/resourceVersion");
        object["metadata"]["resourceVersion"] = version.cloned().unwrap_or_default();
        if &object == live.value() {
            return Ok(Arc::clone(live));
        }
        let subject = self.subject(kind, name);
        refuse(
            &subject,
            &validate::change(resource, live.value(), &object, actor.part),
        )?;
        let Some(object) = Object::new(object) else {
            return Err(Refusal::bad_request("the object has no kind or name"));
        };
        if actor.is_dry_run {
            return Ok(Arc::new(object));
        }
        if *kind == Kind::CUSTOM_RESOURCE_DEFINITION {
            self.registry.define(object.value());
        }
        let place = (namespace.to_owned(), name.to_owned());
        let kept = self.commit(kind, &place, Some(object));
        if kept.is_terminating() && self.may_end(&kept) {
            return Ok(self.end(kind, &place));
        }
        Ok(kept)
    }

    /// Reads an object, lets `edit` change it and writes the actor's part.
    ///
    /// # Errors
    /// As [`Store::update`].
    pub fn change(
        &mut self,
        actor: &Actor,
        (kind, namespace, name): (&Kind, &str, &str),
        edit: impl FnOnce(&mut Value),
    ) -> Result<Arc<Object>, Refusal> {
        let object = self
            .get(kind, namespace, name)
            .ok_or_else(|| Refusal::not_found(&self.subject(kind, name)))?;
        let mut value = object.value().clone();
        edit(&mut value);
        self.update(actor, value)
    }

    /// Returns the live object that `object` is a new state of.
    pub(super) fn live(&self, resource: &Resource, object: &Value) -> Result<Arc<Object>, Refusal> {
        let name = text(object, "/metadata/name");
        let namespace = if resource.is_namespaced {
            text(object, "/metadata/namespace")
        } else {
            ""
        };
        self.get(&resource.kind, namespace, name)
            .cloned()
            .ok_or_else(|| Refusal::not_found(&self.subject(&resource.kind, name)))
    }

    /// Brings a document into the form in which it is kept: what the schema names, defaults.
    pub(super) fn normalise(&self, resource: &Resource, object: &mut Value) {
        let kept = resource.kept();
        object["apiVersion"] = json!(resource.api_version(&kept.name));
        prune(&kept.schema, object);
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        if !resource.is_namespaced
            && let Some(metadata) = object["metadata"].as_object_mut()
        {
            metadata.remove("namespace");
        }
        defaults::fill(resource, object);
    }

    /// Returns namespace and name of a new object, a name made up where it asks for that.
    fn name(
        &mut self,
        resource: &Resource,
        object: &mut Value,
    ) -> Result<(String, String), Refusal> {
        let namespace = text(object, "/metadata/namespace").to_owned();
        let name = text(object, "/metadata/name").to_owned();
        let stem = text(object, "/metadata/generateName").to_owned();
        if !name.is_empty() {
            return Ok((namespace, name));
        }
        if stem.is_empty() {
            let subject = self.subject(&resource.kind, "");
            let cause = Cause::required("metadata.name", "name or generateName is required");
            return Err(Refusal::invalid(&subject, &[cause]));
        }
        let mut made = String::new();
        for _ in 0..NAME_ATTEMPTS {
            made = format!("{stem}{}", self.seed.letters(LETTERS));
            if self.get(&resource.kind, &namespace, &made).is_none() {
                break;
            }
        }
        object["metadata"]["name"] = json!(made);
        Ok((namespace, made))
    }

    /// Gives a new object what only the server gives.
    fn found(&mut self, resource: &Resource, object: &mut Value) {
        let now = seconds(self.now());
        let uid = self.seed.uid();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for key in FIXED {
                metadata.remove(*key);
            }
            metadata.remove("resourceVersion");
            metadata.insert("uid".to_owned(), json!(uid));
            metadata.insert("creationTimestamp".to_owned(), json!(now));
            if resource.counts_spec {
                metadata.insert("generation".to_owned(), json!(1));
            }
        }
        if resource.has_status
            && let Some(object) = object.as_object_mut()
        {
            object.remove("status");
        }
    }
}

/// Returns the text at a pointer, empty where there is none.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn kind_of(object: &Value) -> Kind {
    Kind::named(text(object, "/apiVersion"), text(object, "/kind"))
}

fn refuse(subject: &Subject, causes: &[Cause]) -> Result<(), Refusal> {
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(subject, causes))
    }
}

/// Takes from `live` all that this part may not change.
pub(super) fn restrict(resource: &Resource, part: Part, live: &Value, object: &mut Value) {
    let status = live.get("status").cloned();
    match part {
        Part::Main | Part::Scale => {
            if resource.has_status {
                put(object, "status", status);
            }
        }
        Part::Status => {
            let status = object.get("status").cloned();
            let metadata = object.get("metadata").cloned();
            *object = live.clone();
            put(object, "status", status);
            put(object, "metadata", metadata);
            if resource.is_custom {
                put(object, "metadata", live.get("metadata").cloned());
            }
            if resource.kind == Kind::DEPLOYMENT {
                // `registry/apps/deployment/strategy.go`
                let labels = live.pointer("/metadata/labels").cloned();
                put(&mut object["metadata"], "labels", labels);
            }
        }
    }
    for key in FIXED {
        let was = live.pointer(&format!("/metadata/{key}")).cloned();
        put(&mut object["metadata"], key, was);
    }
}

fn put(object: &mut Value, key: &str, value: Option<Value>) {
    if let Some(map) = object.as_object_mut() {
        match value {
            Some(value) => map.insert(key.to_owned(), value),
            None => map.remove(key),
        };
    }
}

/// Raises the generation where what it counts has changed.
fn count(resource: &Resource, live: &Value, object: &mut Value) {
    if !resource.counts_spec {
        return;
    }
    let annotations = |of: &Value| of.pointer("/metadata/annotations").cloned();
    let is_other = counted(resource, live) != counted(resource, object)
        || resource.counts_annotations && annotations(live) != annotations(object);
    if is_other {
        let was = live.pointer("/metadata/generation").and_then(Value::as_i64);
        object["metadata"]["generation"] = json!(was.unwrap_or_default() + 1);
    }
}

/// Returns what the generation counts: all but metadata and status.
fn counted<'a>(resource: &Resource, object: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let all = object.as_object().into_iter().flat_map(Map::iter);
    all.filter(|(key, _)| *key != "metadata" && (*key != "status" || !resource.has_status))
        .collect()
}
