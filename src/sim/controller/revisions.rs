//! ControllerRevisions: the templates that a StatefulSet or a DaemonSet had (`pkg/controller/history`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::adoption;
use super::desk::{Desk, controlled_by, count, number};
use super::template::hash;
use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::refusal::Refusal;

/// The label that tells the hash of a revision, and the revision of a pod.
pub(super) const HASH: &str = "controller-revision-hash";

/// Returns the revisions of `owner`, the oldest first.
pub(super) fn all(desk: &mut Desk<'_>, owner: &Object) -> Result<Vec<Arc<Object>>, Refusal> {
    let mut revisions = adoption::claim(desk, owner, &Kind::CONTROLLER_REVISION)?;
    revisions.sort_by_key(|revision| number(revision, "/revision"));
    Ok(revisions)
}

/// Returns the template that a revision holds.
pub(super) fn template(revision: &Object) -> Value {
    let mut template = revision
        .at("/data/spec/template")
        .cloned()
        .unwrap_or_default();
    if let Some(template) = template.as_object_mut() {
        template.remove("$patch");
    }
    template
}

/// Returns the revision of the owner's template: the newest there is, an older one that becomes the
/// newest, or a new one. `label` is where a new one tells its hash.
pub(super) fn current(
    desk: &mut Desk<'_>,
    owner: &Object,
    revisions: &[Arc<Object>],
    label: &str,
) -> Result<Arc<Object>, Refusal> {
    let wanted = patch(owner);
    let next = 1 + revisions.last().map_or(0, |last| number(last, "/revision"));
    let mut equal = revisions.iter().rev();
    match equal.find(|revision| revision.at("/data") == Some(&wanted)) {
        Some(found) if number(found, "/revision") + 1 == next => Ok(Arc::clone(found)),
        Some(found) => desk.update(found, |revision| revision["revision"] = next.into()),
        None => {
            let revision = new(owner, &wanted, next, label);
            let created = desk.create(revision);
            if let Err(refusal) = &created
                && refusal.reason == "AlreadyExists"
            {
                desk.update_status(owner, |owner| {
                    let collisions = owner["status"]["collisionCount"].as_i64();
                    let collisions = collisions.unwrap_or_default() + 1;
                    owner["status"]["collisionCount"] = collisions.into();
                })?;
            }
            created
        }
    }
}

/// What restores the template, as the real one stores it.
fn patch(owner: &Object) -> Value {
    let mut template = owner.at("/spec/template").cloned().unwrap_or_default();
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}

fn new(owner: &Object, data: &Value, revision: i64, label: &str) -> Value {
    let collisions = owner.at("/status/collisionCount").and_then(Value::as_i64);
    let hash = hash(data, collisions);
    let name = owner.text("/metadata/name").unwrap_or_default();
    let labels = owner.at("/spec/template/metadata/labels");
    let mut labels = labels.cloned().unwrap_or_default();
    labels[label] = hash.as_str().into();
    let mut metadata = json!({
        "name": format!("{name}-{hash}"),
        "namespace": owner.namespace(),
        "labels": labels,
        "ownerReferences": [controlled_by(owner)],
    });
    if let Some(annotations) = owner.at("/metadata/annotations") {
        metadata["annotations"] = annotations.clone();
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": data,
        "revision": revision,
    })
}

/// Deletes the oldest revisions beyond `revisionHistoryLimit` that `is_live` says nobody needs.
pub(super) fn forget_old(
    desk: &mut Desk<'_>,
    owner: &Object,
    revisions: &[Arc<Object>],
    is_live: impl Fn(&Object) -> bool,
) -> Result<(), Refusal> {
    let kept = count(owner, "/spec/revisionHistoryLimit").unwrap_or(10) as usize;
    let old: Vec<&Arc<Object>> = revisions.iter().filter(|one| !is_live(one)).collect();
    let beyond = old.len().saturating_sub(kept);
    old.into_iter()
        .take(beyond)
        .try_for_each(|revision| desk.delete(revision))
}
