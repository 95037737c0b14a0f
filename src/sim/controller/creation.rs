//! Pods made and deleted by ReplicaSets, DaemonSets and Jobs, and the Events that tell of it
//! (`RealPodControl`).

use serde_json::Value;

use super::desk::Desk;
use crate::object::Object;
use crate::sim::refusal::Refusal;

/// Makes a pod for `owner`.
pub(super) fn create_pod(desk: &mut Desk<'_>, owner: &Object, pod: Value) -> Result<(), Refusal> {
    match desk.create(pod) {
        Ok(pod) => {
            let name = pod.text("/metadata/name").unwrap_or_default();
            desk.tell(owner, "SuccessfulCreate", &format!("Created pod: {name}"));
            Ok(())
        }
        Err(refusal) => {
            desk.warn(owner, "FailedCreate", &format!("Error creating: {refusal}"));
            Err(refusal)
        }
    }
}

/// Deletes a pod of `owner`.
pub(super) fn delete_pod(desk: &mut Desk<'_>, owner: &Object, pod: &Object) -> Result<(), Refusal> {
    let name = pod.text("/metadata/name").unwrap_or_default();
    match desk.delete(pod) {
        Ok(()) => {
            desk.tell(owner, "SuccessfulDelete", &format!("Deleted pod: {name}"));
            Ok(())
        }
        Err(refusal) => {
            desk.warn(owner, "FailedDelete", &format!("Error deleting: {refusal}"));
            Err(refusal)
        }
    }
}
