//! Deletion: preconditions, finalizers, grace and what becomes of dependents.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Place, Store};
use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::refusal::{Refusal, Subject};
use crate::sim::time::{later, seconds};

/// The grace of a pod that names none, seconds (`corev1.DefaultTerminationGracePeriodSeconds`).
const GRACE: i64 = 30;

/// How an object is deleted (`metav1.DeleteOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// The UID that it must have.
    pub uid: Option<String>,
    /// The resourceVersion that it must have.
    pub resource_version: Option<String>,
    /// Seconds that a pod gets to end; `None` for what its spec says.
    pub grace_seconds: Option<i64>,
    /// What becomes of its dependents; `None` for the kind's default, `Background`.
    pub propagation: Option<Propagation>,
    /// Whether nothing is to happen.
    pub is_dry_run: bool,
}

/// What becomes of the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They stay, without that owner.
    Orphan,
    /// The garbage collector deletes them afterwards.
    Background,
    /// They go first.
    Foreground,
}

impl Propagation {
    /// Returns the finalizer that asks the garbage collector for it.
    #[must_use]
    pub const fn finalizer(self) -> Option<&'static str> {
        match self {
            Self::Orphan => Some("orphan"),
            Self::Background => None,
            Self::Foreground => Some("foregroundDeletion"),
        }
    }
}

impl Store {
    /// Deletes an object, or begins to: a pod on a node stays for its grace with a
    /// `deletionTimestamp`, finalizers hold it. Returns its last state.
    ///
    /// `Foreground` and `Orphan` put the finalizers `foregroundDeletion` and `orphan` on it, which
    /// the garbage collector takes away again; a namespace keeps `spec.finalizers` until the
    /// namespace controller has emptied it.
    ///
    /// # Errors
    /// 404 where it is not there, 409 where a precondition does not hold.
    pub fn delete(
        &mut self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        deletion: &Deletion,
    ) -> Result<Arc<Object>, Refusal> {
        let subject = self.subject(kind, name);
        let live = self
            .get(kind, namespace, name)
            .cloned()
            .ok_or_else(|| Refusal::not_found(&subject))?;
        require(&subject, &live, deletion)?;
        if deletion.is_dry_run {
            return Ok(live);
        }
        let place = (namespace.to_owned(), name.to_owned());
        let marked = self.marked(kind, &live, deletion);
        let object = Object::new(marked).unwrap_or_else(|| live.as_ref().clone());
        if self.may_end(&object) {
            return Ok(self.end(kind, &place));
        }
        if object == *live {
            return Ok(live);
        }
        Ok(self.commit(kind, &place, Some(object)))
    }

    /// Returns the object with the signs of its deletion.
    fn marked(&self, kind: &Kind, live: &Object, deletion: &Deletion) -> Value {
        let mut object = live.value().clone();
        let grace = grace(kind, live, deletion);
        let was = live.at("/metadata/deletionGracePeriodSeconds");
        let is_shorter = was.and_then(Value::as_i64).is_none_or(|was| grace < was);
        if !live.is_terminating() || is_shorter {
            let wait = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
            let metadata = &mut object["metadata"];
            if !live.is_terminating() || grace > 0 {
                metadata["deletionTimestamp"] = json!(seconds(later(self.now(), wait)));
            }
            metadata["deletionGracePeriodSeconds"] = json!(grace);
            let counted = live.at("/metadata/generation").and_then(Value::as_i64);
            if let Some(generation) = counted.filter(|_| !live.is_terminating()) {
                metadata["generation"] = json!(generation + 1);
            }
        }
        if *kind == Kind::NAMESPACE {
            object["status"]["phase"] = json!("Terminating");
        }
        let wanted = deletion.propagation.and_then(Propagation::finalizer);
        set_finalizers(&mut object, deletion.propagation.is_some(), wanted);
        object
    }

    /// Says whether nothing holds a marked object any more.
    pub(super) fn may_end(&self, object: &Object) -> bool {
        let none = |pointer: &str| {
            let list = object.at(pointer).and_then(Value::as_array);
            list.is_none_or(Vec::is_empty)
        };
        let is_namespace = object.kind() == "Namespace" && object.api_version() == "v1";
        let grace = object.at("/metadata/deletionGracePeriodSeconds");
        let is_over = grace.and_then(Value::as_i64).unwrap_or_default() == 0;
        none("/metadata/finalizers") && is_over && (!is_namespace || none("/spec/finalizers"))
    }

    /// Takes an object away.
    pub(super) fn end(&mut self, kind: &Kind, place: &Place) -> Arc<Object> {
        let gone = self.commit(kind, place, None);
        if *kind == Kind::CUSTOM_RESOURCE_DEFINITION {
            self.end_all_of(gone.value());
        }
        gone
    }

    /// Takes away the kind of a deleted definition with all its objects.
    fn end_all_of(&mut self, definition: &Value) {
        let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str);
        let group = text("/spec/group").unwrap_or_default();
        let name = text("/spec/names/kind").unwrap_or_default();
        let kind = Kind::named(&format!("{group}/v"), name);
        let places: Vec<Place> = self
            .shelves
            .get(&kind)
            .into_iter()
            .flat_map(|shelf| shelf.keys().cloned())
            .collect();
        for place in places {
            self.commit(&kind, &place, None);
        }
        self.registry.forget(definition);
    }
}

fn require(subject: &Subject, live: &Object, deletion: &Deletion) -> Result<(), Refusal> {
    // Here it is the kind that is named, not the resource (`registry/rest/delete.go`).
    let subject = &Subject {
        plural: subject.kind.clone(),
        ..subject.clone()
    };
    let is = live.uid().unwrap_or_default();
    if let Some(uid) = deletion.uid.as_deref().filter(|uid| *uid != is) {
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({is}). The \
             object might have been deleted and then recreated"
        );
        return Err(Refusal::conflict(subject, &why));
    }
    let is = live.resource_version().unwrap_or_default();
    let wanted = deletion.resource_version.as_deref();
    if let Some(version) = wanted.filter(|version| *version != is) {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the \
             ResourceVersion in record ({is}). The object might have been modified"
        );
        return Err(Refusal::conflict(subject, &why));
    }
    Ok(())
}

/// Returns the seconds that an object gets: only pods that are on a node and have not ended get any
/// (`registry/core/pod/strategy.go`, `CheckGracefulDelete`).
fn grace(kind: &Kind, live: &Object, deletion: &Deletion) -> i64 {
    let phase = live.text("/status/phase").unwrap_or_default();
    let has_node = live
        .text("/spec/nodeName")
        .is_some_and(|node| !node.is_empty());
    if *kind != Kind::POD || !has_node || matches!(phase, "Failed" | "Succeeded") {
        return 0;
    }
    let own = live.at("/spec/terminationGracePeriodSeconds");
    let own = own.and_then(Value::as_i64).unwrap_or(GRACE);
    deletion.grace_seconds.unwrap_or(own).max(0)
}

/// Puts the finalizer of the propagation on the object and takes the other one away.
fn set_finalizers(object: &mut Value, is_said: bool, wanted: Option<&str>) {
    if !is_said {
        return;
    }
    let listed = object.pointer("/metadata/finalizers");
    let mut finalizers: Vec<Value> = listed
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    finalizers.retain(|name| *name != "orphan" && *name != "foregroundDeletion");
    finalizers.extend(wanted.map(|name| json!(name)));
    if let Some(metadata) = object["metadata"].as_object_mut() {
        if finalizers.is_empty() {
            metadata.remove("finalizers");
        } else {
            metadata.insert("finalizers".to_owned(), Value::Array(finalizers));
        }
    }
}
