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

/// Where `kubectl apply` keeps its last configuration.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

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
            let why = format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was \
                 found",
                text(config, "/metadata/uid")
            );
            return Err(Refusal::conflict(&subject, &why));
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
        renew_last_applied(actor, live, config, &mut object);
        self.normalise(resource, &mut object);
        restrict(resource, actor.part, live.value(), &mut object);
        applied.claims.write(&mut object);
        keep_time(actor, live, &mut object);
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

/// What `kubectl apply` wrote down of the last configuration follows a server-side apply of `kubectl`
/// (`managedfields/internal/lastappliedupdater.go`).
fn renew_last_applied(actor: &Actor, live: &Object, config: &Value, object: &mut Value) {
    let has_one = live
        .at("/metadata/annotations")
        .is_some_and(|annotations| annotations.get(LAST_APPLIED).is_some());
    if !has_one || actor.manager != "kubectl" || actor.part != Part::Main {
        return;
    }
    let mut config = config.clone();
    let annotations = config.pointer_mut("/metadata/annotations");
    if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    object["metadata"]["annotations"][LAST_APPLIED] = format!("{config}\n").into();
}

/// An apply that changes nothing but who owns what tells no time, and one that changes only the time
/// of its own entry changes nothing (`fieldmanager/managedfieldsupdater.go`).
fn keep_time(actor: &Actor, live: &Object, object: &mut Value) {
    if without_entries(live.value()) != without_entries(object) {
        return;
    }
    let was = Claims::of(live.value());
    let mut claims = Claims::of(object);
    claims.keep_times(&was, &actor.manager);
    claims.write(object);
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
