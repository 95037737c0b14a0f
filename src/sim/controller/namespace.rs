//! The namespace controller: a namespace that is being deleted is emptied, then let go
//! (`pkg/controller/namespace/deletion`); and the account that every namespace has
//! (`pkg/controller/serviceaccount`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::desk::{Desk, Key, Outcome};
use crate::object::Object;
use crate::sim::kind::Kind;

const ACCOUNT: &str = "default";

/// Brings one namespace a step further.
pub(super) fn sync(desk: &mut Desk<'_>, key: &Key) -> Outcome {
    let Some(live) = desk.get(key) else {
        return Ok(None);
    };
    if !live.is_terminating() {
        let kind = &Kind::SERVICE_ACCOUNT;
        if desk.store.get(kind, &key.name, ACCOUNT).is_none() {
            desk.create(json!({
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": ACCOUNT, "namespace": key.name},
            }))?;
        }
        return Ok(None);
    }
    let content = content(desk, &key.name);
    if content.is_empty() {
        desk.update(&live, |live| {
            if let Some(spec) = live["spec"].as_object_mut() {
                spec.insert("finalizers".to_owned(), Value::Array(Vec::new()));
            }
        })?;
        return Ok(None);
    }
    let going = content.iter().filter(|object| !object.is_terminating());
    for object in going {
        desk.delete(object)?;
    }
    Ok(None)
}

/// Everything in a namespace.
fn content(desk: &Desk<'_>, namespace: &str) -> Vec<Arc<Object>> {
    let resources = desk.store.registry().all();
    let kept = resources.filter(|resource| resource.is_namespaced && !resource.only_answers);
    kept.flat_map(|resource| desk.store.list(&resource.kind, Some(namespace)))
        .cloned()
        .collect()
}
