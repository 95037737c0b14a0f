//! Gives the levers of a `GitSync` back to Kubernetes. Needs neither Git nor a running agent.
//!
//! First the mark, with a higher epoch, so that an agent that runs stops writing; then one patch
//! for each workload that is engaged.

use serde_json::{Value, json};

use crate::clock;
use crate::cluster::{Cause, Cluster, NewRecord, Records, Refusal};
use crate::ledger::{self, Ledger, LedgerFault};
use crate::object::{Object, ObjectId, mark};
use crate::rollout::{self, Checkpoint};

/// How often a write that someone else came before is tried.
const TRIES: usize = 10;
/// Label that is set and taken away to move a resource version.
const RELEASING: &str = "tidegate.dev/releasing";

/// Which way a release goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Healthy rollouts go on natively; what failed, is held or goes back gets its last good
    /// template.
    Onward,
    /// All get their last good template.
    Back,
    /// Takes the mark away: the agent goes on.
    Undo,
}

/// What a release did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// Whether the ledger was marked, or with [`How::Undo`] unmarked; false where it was so
    /// already.
    pub is_news: bool,
    /// The workloads that were given back, and whether with their last good template.
    pub workloads: Vec<(ObjectId, bool)>,
}

/// Why a release did not come to its end. Repeating it is safe.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseFault {
    /// There is no such ledger.
    #[error("there is no ledger `tidegate-{name}` in namespace {namespace}")]
    NoLedger {
        /// Namespace of the `GitSync`.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
    /// The API server refused or was not reached.
    #[error("the release stopped half-way, repeat it: {0}")]
    Refused(#[from] Refusal),
    /// Workloads that could not be given back; the others were.
    #[error("not all workloads could be given back, repeat it: {}", told(.0))]
    Workloads(Vec<Refusal>),
}

fn told(refusals: &[Refusal]) -> String {
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

/// Releases the workloads of a `GitSync`, or undoes that.
///
/// # Errors
/// Where the ledger cannot be read or stored, and where workloads cannot be patched; every one is
/// tried. What was done stays done, and repeating the release ends it.
pub async fn release(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    by: &str,
    how: How,
) -> Result<Released, ReleaseFault> {
    let (ledger, is_news) = mark(cluster, (namespace, name), by, how).await?;
    let mut released = Released {
        is_news,
        workloads: Vec::new(),
    };
    if how == How::Undo {
        return Ok(released);
    }
    let is_back = ledger.released.as_ref().is_some_and(|mark| mark.is_back);
    let back = is_back || ledger.goes_back();
    let mut refusals = Vec::new();
    for (id, kept) in &ledger.rollouts {
        match give_back(cluster, id, kept, back).await {
            Ok(Some(with_template)) => released.workloads.push((id.clone(), with_template)),
            Ok(None) => {}
            Err(refusal) => refusals.push(refusal),
        }
    }
    if refusals.is_empty() {
        Ok(released)
    } else {
        Err(ReleaseFault::Workloads(refusals))
    }
}

fn no_ledger(namespace: &str, name: &str) -> ReleaseFault {
    ReleaseFault::NoLedger {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// Marks the ledger by compare-and-swap and returns it as it was stored.
async fn mark(
    cluster: &Cluster,
    (namespace, name): (&str, &str),
    by: &str,
    how: How,
) -> Result<(Ledger, bool), ReleaseFault> {
    let records = Records::new(cluster, "");
    let mut tries = 0;
    loop {
        // What is engaged stands in the head: a shard that is missing keeps nobody from a release.
        let head = records.read_head(namespace, name).await?;
        let head = head.ok_or_else(|| no_ledger(namespace, name))?;
        let content = Records::content(&head).unwrap_or_default();
        let mut ledger = ledger::decode_head(content)?;
        let was_back = ledger.released.as_ref().map(|mark| mark.is_back);
        let is_back = match how {
            How::Undo => None,
            How::Onward => Some(was_back.unwrap_or_default()),
            How::Back => Some(true),
        };
        if was_back == is_back {
            return Ok((ledger, false));
        }
        let Some(is_back) = is_back else {
            return undo(cluster, (namespace, name)).await;
        };
        let (by, at) = (by.to_owned(), clock::now());
        ledger.released = Some(ledger::Released { by, at, is_back });
        ledger.epoch += 1;
        let marked = ledger::encode_head(&ledger, content)?;
        let version = head.resource_version().unwrap_or_default();
        match records
            .replace_head(namespace, name, &marked, version)
            .await
        {
            Ok(()) => return Ok((ledger, true)),
            Err(refusal) if refusal.cause == Cause::Conflict && tries < TRIES => tries += 1,
            Err(refusal) => return Err(refusal.into()),
        }
    }
}

/// Takes the mark away; what was given back is taken up anew.
async fn undo(
    cluster: &Cluster,
    (namespace, name): (&str, &str),
) -> Result<(Ledger, bool), ReleaseFault> {
    let mut tries = 0;
    loop {
        let reader = Records::new(cluster, "");
        let stored = reader.load(namespace, name).await?;
        let stored = stored.ok_or_else(|| no_ledger(namespace, name))?;
        let mut ledger = ledger::decode(&stored.head, &stored.shards)?;
        ledger.take_up(clock::now());
        ledger.epoch += 1;
        let text = ledger::encode(&ledger);
        let record = NewRecord {
            head: &text.head,
            shards: &text.shards,
        };
        let records = Records::new(cluster, &ledger.instance);
        let version = Some(stored.resource_version.as_str());
        match records.save(namespace, name, record, version).await {
            Ok(_) => return Ok((ledger, true)),
            Err(refusal) if refusal.cause == Cause::Conflict && tries < TRIES => tries += 1,
            Err(refusal) => return Err(refusal.into()),
        }
    }
}

/// Patches one workload; says whether with its template, or `None` where nothing of ours was on it.
async fn give_back(
    cluster: &Cluster,
    id: &ObjectId,
    kept: &Checkpoint,
    back: bool,
) -> Result<Option<bool>, Refusal> {
    let mut tries = 0;
    loop {
        let Some(live) = cluster.get("apps/v1", id).await? else {
            return Ok(None);
        };
        let done = match rollout::release(kept, &live, back) {
            Some(patch) => patched(cluster, id, &patch).await.map(|()| {
                let with_template = patch.pointer("/spec/template").is_some();
                Some(with_template)
            }),
            None if kept.is_engaged() => ward_off(cluster, id, &live).await.map(|()| None),
            None => return Ok(None),
        };
        match done {
            Err(refusal) if refusal.cause == Cause::Conflict && tries < TRIES => tries += 1,
            done => return done,
        }
    }
}

/// Moves the resource version of a workload whose recorded write may still be on its way, so that
/// it no longer fits. The label is gone again at once; labels, unlike annotations, stay off the
/// ReplicaSets.
async fn ward_off(cluster: &Cluster, id: &ObjectId, live: &Object) -> Result<(), Refusal> {
    let version = live.resource_version();
    let set = json!({"metadata": {"resourceVersion": version, "labels": {RELEASING: "now"}}});
    patched(cluster, id, &set).await?;
    patched(
        cluster,
        id,
        &json!({"metadata": {"labels": {RELEASING: null}}}),
    )
    .await
}

async fn patched(cluster: &Cluster, id: &ObjectId, patch: &Value) -> Result<(), Refusal> {
    let written = cluster
        .merge("apps/v1", id, patch, mark::RELEASE_MANAGER)
        .await;
    written.map(|_| ())
}
