//! Optimistic locking: who writes names the object and the state that it means.

use serde_json::Value;

use super::write::text;
use crate::object::Object;
use crate::sim::kind::Resource;
use crate::sim::refusal::{Refusal, Subject};

/// Refuses a writer that thinks of another object or of an older state.
pub(super) fn guard(
    resource: &Resource,
    subject: &Subject,
    (live, object): (&Object, &Value),
) -> Result<(), Refusal> {
    let uid = text(object, "/metadata/uid");
    let is = live.uid().unwrap_or_default();
    if !uid.is_empty() && uid != is {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object \
             meta: {is}",
            key(resource, live)
        );
        return Err(Refusal::conflict(subject, &why));
    }
    let version = text(object, "/metadata/resourceVersion");
    if !version.is_empty() && version.parse::<u64>().is_err() {
        let message = format!("strconv.ParseUint: parsing {version:?}: invalid syntax");
        return Err(Refusal::unnamed(500, &message));
    }
    let is_stale = !version.is_empty() && Some(version) != live.resource_version();
    if is_stale {
        return Err(Refusal::stale(subject));
    }
    Ok(())
}

/// Returns where a real server would keep an object in etcd.
fn key(resource: &Resource, object: &Object) -> String {
    let mut key = "/registry".to_owned();
    let group = resource.kind.group.as_ref();
    let group = if resource.is_custom { group } else { "" };
    let namespace = object.namespace().unwrap_or_default();
    let name = object.text("/metadata/name").unwrap_or_default();
    for part in [group, &resource.plural, namespace, name] {
        if !part.is_empty() {
            key.push('/');
            key.push_str(part);
        }
    }
    key
}
