//! The quota controller: how much of a quota is used, as far as it counts objects
//! (`pkg/controller/resourcequota`).

use serde_json::{Map, Value, json};

use super::Task;
use super::desk::{Desk, Key, Outcome};
use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::store::{Change, Store};

/// Counts for one quota.
pub(super) fn sync(desk: &mut Desk<'_>, key: &Key) -> Outcome {
    let Some(live) = desk.get(key).filter(|live| !live.is_terminating()) else {
        return Ok(None);
    };
    let hard = live.at("/spec/hard").cloned().unwrap_or_else(|| json!({}));
    let names = hard.as_object().into_iter().flat_map(Map::keys);
    let used: Map<String, Value> = names
        .filter_map(|name| {
            let used = desk.store.used(name, &key.namespace)?;
            Some((name.clone(), json!(used.to_string())))
        })
        .collect();
    let status = json!({"hard": hard, "used": used});
    if live.at("/status") != Some(&status) {
        desk.update_status(&live, |live| live["status"] = status)?;
    }
    Ok(None)
}

/// The quotas that count what has come, gone or ended.
pub(super) fn after(store: &Store, change: &Change) -> Vec<Task> {
    let object: &Object = change.now.as_ref();
    let is_counted = change.was.is_none() || change.is_gone || change.kind == Kind::POD;
    let Some(namespace) = object.namespace().filter(|_| is_counted) else {
        return Vec::new();
    };
    let quotas = store.list(&Kind::RESOURCE_QUOTA, Some(namespace));
    quotas.map(|quota| Task::Sync(Key::of(quota))).collect()
}
