//! `managedFields` of what is written.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::blank::blank;
use super::write::{Actor, Part};
use crate::sim::fields::{Claim, Claims, Fields, Operation};
use crate::sim::kind::Resource;
use crate::sim::time::seconds;

/// Returns the entry that an actor's write belongs to.
pub(super) fn claim(
    resource: &Resource,
    actor: &Actor,
    operation: Operation,
    now: Timestamp,
) -> Claim {
    Claim {
        manager: actor.manager.clone(),
        operation,
        subresource: actor.part.subresource().to_owned(),
        api_version: resource.api_version(&resource.kept().name),
        // What comes through a Scale is told without a time (`fieldmanager/scalehandler.go`).
        time: match actor.part {
            Part::Main | Part::Status => seconds(now),
            Part::Scale => String::new(),
        },
        fields: Fields::default(),
    }
}

/// Writes into `object` who owns its fields now that `actor` has changed it from `was`. An empty
/// `managedFields` in `object` clears them, as it does on the real server.
pub(super) fn record(
    resource: &Resource,
    actor: &Actor,
    was: &Value,
    object: &mut Value,
    now: Timestamp,
) {
    let is_new = was.pointer("/metadata/uid").is_none();
    let given = object.pointer("/metadata/managedFields");
    let is_cleared = given.is_some_and(clears);
    let was_cleared = !is_new && Claims::of(was).is_empty();
    if !is_new && is_cleared {
        Claims::default().write(object);
        return;
    }
    let mut claims = match given {
        Some(_) => Claims::of(object),
        None => Claims::of(was),
    };
    if was_cleared && claims.is_empty() {
        // Objects without entries get none by updates (`internal/skipnonapplied.go`).
        return;
    }
    if is_new {
        claims = Claims::default();
    }
    let schema = &resource.kept().schema;
    let before = before(resource, actor.part, was);
    let after = seen_by(resource, actor.part, object);
    let entry = claim(resource, actor, Operation::Update, now);
    claims.record(entry.clone(), schema, &before, &after);
    if actor.part == Part::Scale && scales_to_zero(resource, object) {
        // A Scale does not write down zero replicas, so that nobody owns them.
        claims.put(entry);
    }
    claims.write(object);
}

fn scales_to_zero(resource: &Resource, object: &Value) -> bool {
    let paths = resource.scale.as_ref();
    paths.is_some_and(|paths| object.pointer(&paths.wanted) == Some(&0.into()))
}

/// Returns what a write is compared with: what was there, or what is never left out.
fn before(resource: &Resource, part: Part, was: &Value) -> Value {
    let blank = blank(&resource.kind);
    if was.pointer("/metadata/uid").is_none() {
        return seen_by(resource, part, &blank);
    }
    let mut before = seen_by(resource, part, was);
    if part == Part::Status
        && before.get("status").is_none()
        && let Some(status) = blank.get("status")
    {
        before["status"] = status.clone();
    }
    before
}

/// A list with one empty entry, or none, asks to forget all owners (`managedfields.go`).
fn clears(given: &Value) -> bool {
    let is_blank = |entry: &Value| entry.as_object().is_none_or(Map::is_empty);
    given
        .as_array()
        .is_some_and(|entries| entries.iter().all(is_blank))
}

/// Returns what a write of that part can own: not the status through the object, and nothing but
/// the status and metadata through `status`.
pub(super) fn seen_by(resource: &Resource, part: Part, object: &Value) -> Value {
    let mut seen = object.clone();
    if let Some(map) = seen.as_object_mut() {
        match part {
            Part::Main | Part::Scale if resource.has_status => {
                map.remove("status");
            }
            Part::Main | Part::Scale => {}
            Part::Status => map.retain(|key, _| key == "status" || key == "metadata"),
        }
    }
    seen
}
