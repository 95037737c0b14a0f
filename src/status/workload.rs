//! One workload on its way.

use serde::Serialize;

use crate::health::Cause;
use crate::ledger::{Ledger, Wait};
use crate::object::ObjectId;
use crate::plan::Entry;
use crate::revision::CommitId;
use crate::rollout::{Checkpoint, Phase};

/// One workload of a rollout, as far as the ledger tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Kind.
    pub kind: String,
    /// Namespace; `None` where it has none.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Where its rollout is.
    pub state: Phase,
    /// Whether no batch opens for now.
    pub held: bool,
    /// The open batch, counted from 1; 0 where it is not rolled in batches.
    pub batch: u32,
    /// Number of batches.
    pub batches: u32,
    /// Pods that it is to have.
    pub desired: u32,
    /// Pods that may be of the target's revision by what was last written.
    pub updated: u32,
    /// Pods of the target's revision that were proven healthy.
    pub healthy: u32,
    /// Commit of the last template that succeeded.
    pub from: Option<CommitId>,
    /// Commit that it goes to.
    pub to: CommitId,
    /// Why it failed.
    pub failure: Option<Cause>,
    /// What it is doing, in a few words.
    pub message: String,
}

/// The rollouts that are ours to tell of: none while released, since what the ledger has of them
/// grows old then.
pub(super) fn rollouts(ledger: &Ledger) -> impl Iterator<Item = (&ObjectId, &Checkpoint)> {
    let is_ours = ledger.released.is_none();
    ledger.rollouts.iter().filter(move |_| is_ours)
}

impl Workload {
    /// Reads a checkpoint, and the inventory's entry of the same workload.
    pub(super) fn read(id: &ObjectId, kept: &Checkpoint, entry: Option<&Entry>) -> Self {
        let updated = kept.write.overlay.allowed(kept.replicas);
        Self {
            kind: id.kind.clone(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
            state: kept.phase,
            held: kept.is_held,
            batch: kept.batch,
            batches: kept.batches,
            desired: kept.replicas,
            updated,
            healthy: healthy(kept, updated),
            from: entry.and_then(|entry| Some(entry.goods.first()?.commit.clone())),
            to: kept.write.commit.clone(),
            failure: kept.failure.as_ref().map(|failure| failure.cause.clone()),
            message: message(kept, updated),
        }
    }
}

impl Workload {
    /// The same, with the batch that waits for a person or a window.
    #[must_use]
    pub(super) fn waiting(self, wait: Option<&Wait>) -> Self {
        match wait {
            Some(wait) => Self {
                message: waits_for(wait),
                ..self
            },
            None => self,
        }
    }
}

/// What a batch waits for, in a few words.
pub(super) fn waits_for(wait: &Wait) -> String {
    match wait.until {
        Some(until) => format!("batch {} opens in the window at {until}", wait.batch),
        None => format!("batch {} waits for an approval", wait.batch),
    }
}

/// Pods with proof: of the open batch once all of it is healthy, else of the last one that closed.
fn healthy(kept: &Checkpoint, updated: u32) -> u32 {
    let all = matches!(
        kept.phase,
        Phase::Succeeded | Phase::RolledBack | Phase::Monitoring | Phase::Finalizing
    );
    if all || kept.healthy_since.is_some() {
        return updated;
    }
    let proof = kept
        .evidence
        .last()
        .filter(|proof| proof.template == kept.write.template);
    proof.map_or(0, |proof| {
        u32::try_from(proof.pods.len()).unwrap_or(u32::MAX)
    })
}

fn message(kept: &Checkpoint, updated: u32) -> String {
    let doing = match kept.phase {
        Phase::Progressing if kept.healthy_since.is_some() => "soaking".to_owned(),
        Phase::Progressing if kept.batch == 0 => "rolling out".to_owned(),
        Phase::Progressing => format!("waits for {updated} healthy new pods"),
        Phase::Monitoring => "all pods are new; watched before the levers go".to_owned(),
        Phase::Finalizing => "the last old pods leave".to_owned(),
        Phase::Native => "Kubernetes rolls it at its own pace".to_owned(),
        Phase::Succeeded => "done".to_owned(),
        Phase::Failed => "failed, held as it is".to_owned(),
        Phase::RollingBack => "going back".to_owned(),
        Phase::RolledBack => "back".to_owned(),
        Phase::RollbackFailed => "going back does not succeed".to_owned(),
    };
    if kept.is_held && kept.phase != Phase::Failed && !kept.is_over() {
        format!("held; {doing}")
    } else {
        doing
    }
}
