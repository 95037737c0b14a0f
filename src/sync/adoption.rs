//! Objects that were there before their first write, and those that another `GitSync` took.

use serde_json::{Value, json};

use crate::cluster::{Cluster, Refusal};
use crate::ledger::Trouble;
use crate::object::{Object, ObjectId, mark};
use crate::plan::{Managers, Set, Standing, Wanted};

use super::BookFault;
use super::app::App;
use super::probing::{ProbeFault, Wrong};

impl App {
    /// Looks at objects that were never written, where that was not done with the whole commit;
    /// those that may not be written are told and left out. Says whether all may.
    pub(super) async fn examine_new(
        &mut self,
        ids: &mut Vec<ObjectId>,
        set: &Set,
    ) -> Result<bool, BookFault> {
        let mut left_out = Vec::new();
        for id in ids.iter() {
            let entry = self.book.ledger.inventory.get(id);
            if entry.is_some_and(|entry| entry.uid.is_some())
                && self.standing(id, set) != Standing::Shared
            {
                continue;
            }
            match self.probe(id, &set[id]).await {
                Ok(_) => {}
                Err(ProbeFault::Cluster(refusal)) => return Err(refusal.into()),
                // It could not be tried out with the whole commit; now it speaks against it.
                Err(ProbeFault::Commit(wrong)) => {
                    self.deny(id, &set[id], &wrong.fault.to_string());
                    left_out.push(id.clone());
                }
                Err(fault) => {
                    self.tell_fault(fault);
                    left_out.push(id.clone());
                }
            }
        }
        ids.retain(|id| !left_out.contains(id));
        Ok(left_out.is_empty())
    }

    /// Notes why an object cannot be written.
    pub(super) fn tell_fault(&mut self, fault: ProbeFault) {
        match fault {
            ProbeFault::Commit(Wrong { fault, .. }) | ProbeFault::Owned(fault) => {
                self.trouble(Trouble::ApplyFailed, fault.to_string());
            }
            ProbeFault::Shared(fault, _) => {
                self.trouble(Trouble::SharedResource, fault.to_string());
            }
            ProbeFault::Cluster(refusal) => self.trouble(Trouble::ApplyFailed, refusal.to_string()),
        }
    }

    /// What people own in an object that was there before us becomes ours, so that the apply
    /// removes what Git does not name; bound to the version that was looked at.
    pub(super) fn adoption(&self, id: &ObjectId, wanted: &Wanted) -> Option<Value> {
        let probe = self.probes.get(&(id.clone(), wanted.hash.clone()))?;
        let stranger = probe.stranger.as_ref()?;
        let entry = self.book.ledger.inventory.get(id);
        if entry.is_some_and(|entry| entry.uid.is_some()) {
            return None;
        }
        let take = &self.sync.take_from;
        let fields = Managers::of(stranger).absorbed(&wanted.withdrawn, take)?;
        Some(takeover(stranger, &fields))
    }
}

/// Returns the patch that gives an object these managers, bound to the version that was looked at.
pub(super) fn takeover(object: &Object, fields: &Value) -> Value {
    let version = object.resource_version().unwrap_or_default();
    json!({"metadata": {"resourceVersion": version, "managedFields": fields}})
}

/// Takes over what people own in an object that is about to be written for the first time.
pub(super) async fn adopt(
    cluster: &Cluster,
    object: &Object,
    patch: &Value,
) -> Result<Object, Refusal> {
    let (api_version, id) = (object.api_version(), object.id());
    cluster.merge(api_version, &id, patch, mark::MANAGER).await
}
