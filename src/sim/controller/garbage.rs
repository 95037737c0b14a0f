//! The garbage collector: what nobody owns any more goes, and owners that are being deleted wait
//! for their dependents or let them go (`pkg/controller/garbagecollector`).

use std::sync::Arc;

use serde_json::Value;

use super::adoption::without_owners;
use super::desk::{Desk, Key, Outcome};
use crate::object::Object;
use crate::sim::refusal::Refusal;
use crate::sim::store::Propagation;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Looks at one object: as an owner that is being deleted, and as a dependent.
pub(super) fn sync(desk: &mut Desk<'_>, key: &Key) -> Outcome {
    let Some(object) = desk.get(key) else {
        return Ok(None);
    };
    if object.is_terminating() {
        if has_finalizer(&object, ORPHAN) {
            orphan(desk, &object)?;
        } else if has_finalizer(&object, FOREGROUND) {
            await_dependents(desk, &object)?;
        }
        return Ok(None);
    }
    attempt(desk, &object)?;
    Ok(None)
}

/// Says whether an object is any business of the collector's.
pub(super) fn concerns(object: &Object) -> bool {
    owners(object).next().is_some()
        || object.is_terminating()
            && (has_finalizer(object, ORPHAN) || has_finalizer(object, FOREGROUND))
}

fn has_finalizer(object: &Object, name: &str) -> bool {
    let finalizers = object.at("/metadata/finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|finalizers| finalizers.iter().any(|one| one == name))
}

fn owners(object: &Object) -> impl Iterator<Item = &Value> {
    let owners = object
        .at("/metadata/ownerReferences")
        .and_then(Value::as_array);
    owners.into_iter().flatten()
}

fn drop_finalizer(desk: &mut Desk<'_>, object: &Object, name: &str) -> Result<(), Refusal> {
    desk.update(object, |object| {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            let finalizers = metadata.get_mut("finalizers").and_then(Value::as_array_mut);
            if let Some(finalizers) = finalizers {
                finalizers.retain(|one| one != name);
            }
        }
    })?;
    Ok(())
}

/// Takes a deleted owner from its dependents, then lets it go.
fn orphan(desk: &mut Desk<'_>, owner: &Object) -> Result<(), Refusal> {
    let uid = owner.uid().unwrap_or_default();
    let dependents: Vec<Arc<Object>> = desk.store.dependents(uid).cloned().collect();
    for dependent in dependents {
        desk.update(&dependent, |dependent| {
            without_owners(dependent, |one| one == uid);
        })?;
    }
    drop_finalizer(desk, owner, ORPHAN)
}

/// Lets an owner go once nothing blocks it; else its dependents go first.
fn await_dependents(desk: &mut Desk<'_>, owner: &Object) -> Result<(), Refusal> {
    let uid = owner.uid().unwrap_or_default();
    let dependents: Vec<Arc<Object>> = desk.store.dependents(uid).cloned().collect();
    let blocks = |dependent: &Arc<Object>| {
        let mut owners = owners(dependent).filter(|owner| owner["uid"] == uid);
        owners.any(|owner| owner["blockOwnerDeletion"] == true)
    };
    if !dependents.iter().any(blocks) {
        return drop_finalizer(desk, owner, FOREGROUND);
    }
    for dependent in dependents.iter().filter(|one| !one.is_terminating()) {
        attempt(desk, dependent)?;
    }
    Ok(())
}

/// How an owner of an object stands.
#[derive(PartialEq, Eq)]
enum Owner {
    /// It is there.
    Solid,
    /// It waits for its dependents.
    Waiting,
    /// It is no more.
    Absent,
}

fn standing(desk: &Desk<'_>, owner: &Value) -> Owner {
    let uid = owner["uid"].as_str().unwrap_or_default();
    match desk.store.by_uid(uid) {
        None => Owner::Absent,
        Some(live) if live.is_terminating() && has_finalizer(live, FOREGROUND) => Owner::Waiting,
        Some(_) => Owner::Solid,
    }
}

/// Deletes an object that no owner keeps (`attemptToDeleteItem`).
fn attempt(desk: &mut Desk<'_>, object: &Object) -> Result<(), Refusal> {
    let standings: Vec<(Owner, &Value)> = owners(object)
        .map(|owner| (standing(desk, owner), owner))
        .collect();
    if standings.is_empty() {
        return Ok(());
    }
    let is_kept = standings.iter().any(|(owner, _)| *owner == Owner::Solid);
    let is_awaited = standings.iter().any(|(owner, _)| *owner == Owner::Waiting);
    if is_kept {
        let lost = standings
            .into_iter()
            .filter(|(owner, _)| *owner != Owner::Solid);
        let lost: Vec<&str> = lost
            .filter_map(|(_, owner)| owner["uid"].as_str())
            .collect();
        if !lost.is_empty() {
            desk.update(object, |object| {
                without_owners(object, |uid| lost.contains(&uid));
            })?;
        }
        return Ok(());
    }
    let has_dependents = desk
        .store
        .dependents(object.uid().unwrap_or_default())
        .next()
        .is_some();
    let how = if has_finalizer(object, ORPHAN) {
        Propagation::Orphan
    } else if is_awaited && has_dependents || has_finalizer(object, FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    desk.delete_by(object, how)
}
