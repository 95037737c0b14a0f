//! Server-side apply to the store.

use std::sync::Arc;

use serde_json::{Value, json};

use super::write::{Actor, Part, restrict, text};
use super::{Store, ownership};
use crate::object::Object;
use crate::sim::fields::{self, Applied, ApplyFault, Claims, Operation};
use crate::sim::kind::{Kind, Resource};
use crate::sim::refusal::Refusal;
use crate::sim::time::seconds;

impl Store {
    /// Applies a configuration, creating the object where it is missing and `may_create`. Returns
    /// it and whether it is new.
    ///
    /// # Errors
    /// 409 with one cause a field where others own what would change and it is not forced; else as
    /// [`Store::create`] and [`Store::update`].
    pub fn apply(
        &mut self,
        actor: &Actor,
        config: &Value,
        is_forced: bool,
    ) -> Result<(Arc<Object>, bool), Refusal> {
        let kind = Kind::named(text(config, "/apiVersion"), text(config, "/kind"));
        let resource = self.resource(&kind)?;
        match self.live(&resource, config) {
            Ok(live) => {
                let object = self.apply_to(actor, &resource, &live, (config, is_forced))?;
                Ok((object, false))
            }
            Err(refusal) if actor.part != Part::Main => Err(refusal),
            Err(_) => {
                let object = self.apply_new(actor, &resource, config)?;
                Ok((object, true))
            }
        }
    }

    fn apply_new(
        &mut self,
        actor: &Actor,
        resource: &Resource,
        config: &Value,
    ) -> Result<Arc<Object>, Refusal> {
        if !text(config, "/metadata/uid").is_empty() {
            let subject = self.subject(&resource.kind, text(config, "/metadata/name"));
            let why = "uid mismatch: the provided object specified uid, and no existing object was \
                       found";
            return Err(Refusal::conflict(&subject, why));
        }
        let nothing = json!({"metadata": {}});
        let applied = self.merged(actor, resource, &nothing, (config, true))?;
        let mut object = applied.object;
        self.normalise(resource, &mut object);
        applied.claims.write(&mut object);
        self.insert(actor, resource, object)
    }

    fn apply_to(
        &mut self,
        actor: &Actor,
        resource: &Resource,
        live: &Arc<Object>,
        (config, is_forced): (&Value, bool),
    ) -> Result<Arc<Object>, Refusal> {
        let version = text(config, "/metadata/resourceVersion");
        if !version.is_empty() && Some(version) != live.resource_version() {
            let subject = self.subject(&resource.kind, text(config, "/metadata/name"));
            return Err(Refusal::stale(&subject));
        }
        let applied = self.merged(actor, resource, live.value(), (config, is_forced))?;
        let mut object = applied.object;
        self.normalise(resource, &mut object);
        restrict(resource, actor.part, live.value(), &mut object);
        applied.claims.write(&mut object);
        keep_time(live, &mut object);
        self.replace(actor, resource, live, object)
    }

    fn merged(
        &self,
        actor: &Actor,
        resource: &Resource,
        live: &Value,
        (config, is_forced): (&Value, bool),
    ) -> Result<Applied, Refusal> {
        let schema = &resource.kept().schema;
        let claim = ownership::claim(resource, actor, Operation::Apply, self.now());
        let mut live = live.clone();
        let is_new = live.pointer("/metadata/uid").is_none();
        if !is_new && Claims::of(&live).is_empty() {
            let seen = ownership::seen_by(resource, Part::Main, &live);
            let now = seconds(self.now());
            fields::before_first_apply(schema, &seen, &claim.api_version, &now).write(&mut live);
        }
        let reset: &[&[&str]] = match actor.part {
            Part::Main | Part::Scale if resource.has_status => &[&["status"]],
            Part::Main | Part::Scale => &[],
            Part::Status => &[&["spec"]],
        };
        let mut config = config.clone();
        if let Some(metadata) = config["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        fields::apply(schema, &live, &config, claim, (reset, is_forced))
            .map_err(|fault| self.refused(resource, &config, &fault))
    }

    fn refused(&self, resource: &Resource, config: &Value, fault: &ApplyFault) -> Refusal {
        let name = text(config, "/metadata/name");
        match fault {
            ApplyFault::Malformed(place) => {
                let namespace = text(config, "/metadata/namespace");
                Refusal::malformed_apply(
                    (namespace, name),
                    (text(config, "/apiVersion"), &resource.kind.name),
                    place,
                )
            }
            ApplyFault::Conflicts(conflicts) => {
                let causes = conflicts.iter();
                let causes = causes.map(|conflict| {
                    json!({
                        "reason": "FieldManagerConflict",
                        "message": format!("conflict with {}", conflict.manager),
                        "field": conflict.field,
                    })
                });
                let causes: Vec<Value> = causes.collect();
                Refusal::apply_conflict(fault.to_string(), &causes)
            }
        }
    }
}

/// An apply that changes nothing but the time of its own entry changes nothing
/// (`apiserver/pkg/endpoints/handlers/fieldmanager/equality.go`).
fn keep_time(live: &Object, object: &mut Value) {
    let untimed = |entries: Option<&Value>| {
        let mut entries = entries.cloned().unwrap_or_default();
        for entry in entries.as_array_mut().into_iter().flatten() {
            if let Some(entry) = entry.as_object_mut() {
                entry.remove("time");
            }
        }
        entries
    };
    let was = live.at("/metadata/managedFields");
    if untimed(was) == untimed(object.pointer("/metadata/managedFields"))
        && without_entries(live.value()) == without_entries(object)
        && let Some(was) = was
    {
        object["metadata"]["managedFields"] = was.clone();
    }
}

fn without_entries(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for key in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(key);
        }
    }
    object
}
