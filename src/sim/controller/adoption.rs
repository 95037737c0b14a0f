//! Which objects belong to a controller's object: it adopts orphans that its selector selects and
//! lets go what it selects no more (`ControllerRefManager`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::desk::{Desk, controlled_by};
use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::refusal::Refusal;
use crate::sim::selector::Labels;

/// Says whether an object is one that `owner` selects by its labels. A selector that asks for
/// nothing selects nothing: controllers take it for a mistake.
pub(super) fn selects(owner: &Object, object: &Object) -> bool {
    let Some(selector) = owner.at("/spec/selector").map(Labels::of) else {
        return false;
    };
    let labels = object.at("/metadata/labels").and_then(Value::as_object);
    !selector.is_empty() && selector.fit(labels)
}

/// Returns the objects of a kind that belong to `owner`.
pub(super) fn claim(
    desk: &mut Desk<'_>,
    owner: &Object,
    kind: &Kind,
) -> Result<Vec<Arc<Object>>, Refusal> {
    let owned = desk.controlled(owner, kind);
    if owner.is_terminating() {
        return Ok(owned);
    }
    let mut claimed = Vec::with_capacity(owned.len());
    for object in owned {
        if selects(owner, &object) {
            claimed.push(object);
        } else if !object.is_terminating() {
            release(desk, owner, &object)?;
        }
    }
    for orphan in desk.orphans(owner.namespace().unwrap_or_default(), kind) {
        if selects(owner, &orphan) && !orphan.is_terminating() {
            claimed.push(adopt(desk, owner, &orphan)?);
        }
    }
    Ok(claimed)
}

fn adopt(desk: &mut Desk<'_>, owner: &Object, orphan: &Object) -> Result<Arc<Object>, Refusal> {
    desk.update(orphan, |object| {
        let owners = &mut object["metadata"]["ownerReferences"];
        if !owners.is_array() {
            *owners = json!([]);
        }
        if let Some(owners) = owners.as_array_mut() {
            owners.push(controlled_by(owner));
        }
    })
}

fn release(desk: &mut Desk<'_>, owner: &Object, object: &Object) -> Result<(), Refusal> {
    desk.update(object, |object| {
        without_owners(object, |uid| Some(uid) == owner.uid());
    })?;
    Ok(())
}

/// Takes owners away by their UIDs.
pub(super) fn without_owners(object: &mut Value, is_one: impl Fn(&str) -> bool) {
    let Some(metadata) = object["metadata"].as_object_mut() else {
        return;
    };
    let owners = metadata.get_mut("ownerReferences");
    if let Some(owners) = owners.and_then(Value::as_array_mut) {
        owners.retain(|owner| !owner["uid"].as_str().is_some_and(&is_one));
        if owners.is_empty() {
            metadata.remove("ownerReferences");
        }
    }
}
