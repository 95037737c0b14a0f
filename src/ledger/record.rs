//! The records of one `GitSync`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::{Digest, ObjectId};
use crate::plan::Inventory;
use crate::revision::{CommitId, Revision};
use crate::rollback::Quarantine;
use crate::rollout::Checkpoint;

use super::{Aim, Good, Tip, Wait};

/// Version of the layout; a ledger of another version is refused.
pub const SCHEMA: u32 = 1;

/// Everything that is recorded of one `GitSync`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The installation that owns it (`--instance`).
    pub instance: String,
    /// Raised by each holder that takes it over; a write of an older epoch loses.
    pub epoch: u64,
    /// The process that holds it.
    pub holder: String,
    /// Namespace of that agent, where its Lease is.
    #[serde(default)]
    pub agent_namespace: String,
    /// Copy of the `GitSync` document as it was last read.
    pub spec: Value,
    /// Newest commit of the branch that was seen.
    pub tip: Option<Tip>,
    /// What the cluster is to be.
    pub aim: Option<Aim>,
    /// What a failure leads back to.
    pub last_good: Option<Good>,
    /// Rollouts that have not ended, and those that ended under the present aim.
    pub rollouts: BTreeMap<ObjectId, Checkpoint>,
    /// Workloads of the aim whose turn comes when others have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queued: Vec<ObjectId>,
    /// Workloads of the aim with a batch that a person or a window has to let open.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waits: BTreeMap<ObjectId, Wait>,
    /// What failed and must not come again by itself.
    pub quarantine: Quarantine,
    /// What became of commits that change the path, newest first.
    pub history: Vec<Deployed>,
    /// Commits seen that do not change the path, newest first, a bounded number.
    pub untouched: Vec<CommitId>,
    /// Requests that were served: annotation → value.
    pub served: BTreeMap<String, String>,
    /// A person's pause.
    pub pause: Option<Pause>,
    /// Approvals that were given: `<sha>/prune/<digest>`, `<sha>/rewrite`, `<sha>/rollout`,
    /// `<sha>/<workload>/<batch>`.
    pub approvals: BTreeSet<String>,
    /// Batches that are to open without delay: `<sha>/<workload>/<batch>`, or `full` for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub promotions: BTreeSet<String>,
    /// How often a person asked to try a commit again.
    pub retries: BTreeMap<CommitId, u32>,
    /// The newest restart of each workload that a person asked for; its stamp stays in the pod
    /// template, else the next write would restart the pods again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub restarts: BTreeMap<ObjectId, Restart>,
    /// The mark of `tidegate release`: nothing is written until it is taken back.
    pub released: Option<Released>,
    /// Deletes that wait for an approval.
    pub held_prune: Option<HeldPrune>,
    /// What keeps the agent from following the tip, the newest first, one of a kind.
    pub problems: Vec<Problem>,
    /// When the newest commit was fetched; a fetch that brings none leaves it.
    pub fetched_at: Option<Timestamp>,
    /// Objects whose drift was seen and not corrected, with who and when.
    pub drifted: BTreeMap<ObjectId, String>,
    /// The objects; in the shards when stored.
    #[serde(skip)]
    pub inventory: Inventory,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployed {
    /// The commit.
    pub revision: Revision,
    /// Its outcome so far.
    pub outcome: Outcome,
    /// When it began to be brought about.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Batches closed and batches planned, over all its workloads.
    pub batches: (u32, u32),
    /// Images of the workloads that it changed: `name tag`.
    pub images: Vec<String>,
    /// The commit whose content it brought back.
    pub rollback_to: Option<CommitId>,
    /// Digest of the whole rendered set.
    pub rendered: Option<Digest>,
    /// Why, for people; faults one a line.
    pub message: String,
}

/// The outcome of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Seen, not begun: a pause or a refused rewrite is in the way.
    Pending,
    /// On its way.
    InProgress,
    /// Everything is as it says.
    Succeeded,
    /// Everything is as it says, save failed pods that `onFailure: Continue` passed over; nothing
    /// goes back to it.
    CompletedWithFailures,
    /// It could not be read, checked or dry-run; nothing was written.
    Rejected,
    /// It failed and is held as it is.
    Failed,
    /// It failed and the cluster went back.
    RolledBack,
    /// A person aborted it and the cluster went back.
    Aborted,
    /// A newer commit took over before it ended.
    Superseded,
    /// What quarantine holds of it stays as it was; the rest was done.
    Held,
}

/// A person's pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// A restart on request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// When it was asked for; the stamp.
    pub at: Timestamp,
    /// Who asked.
    pub by: String,
    /// Digest of the template that was written before; to roll on from it is no way back.
    pub from: Option<Digest>,
}

/// The mark of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Whether all that was engaged got its last good template.
    #[serde(default, rename = "isBack")]
    pub is_back: bool,
}

/// Deletes beyond the budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPrune {
    /// The commit that asks for them.
    pub commit: CommitId,
    /// Digest of the set.
    pub digest: Digest,
    /// The objects.
    pub objects: Vec<ObjectId>,
    /// Why they wait.
    pub why: String,
}

/// A kind of problem; of each kind there is one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// The repository cannot be reached or read.
    GitUnreachable,
    /// The repository refuses the credentials, or is not who it says.
    AuthenticationFailed,
    /// The path is not in the repository.
    PathMissing,
    /// The tip cannot be read, checked or dry-run.
    Rejected,
    /// The branch was rewritten; a person has to approve.
    HistoryRewritten,
    /// Other tools own fields of objects that the tip names.
    FieldConflict,
    /// Another `GitSync` owns objects that the tip names.
    SharedResource,
    /// The API server refuses a write.
    ApplyFailed,
    /// What is applied cannot be watched.
    WatchFailed,
    /// Objects that are to be deleted are kept by finalizers, or may not be deleted.
    PruneStuck,
    /// Others change back what is corrected.
    DriftFight,
    /// A new template waits, since its manifest is paused.
    PausedInGit,
    /// A rollout failed and is held.
    RolloutFailed,
    /// Going back does not succeed.
    RollbackFailed,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What keeps the agent from following the tip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its kind.
    pub reason: Trouble,
    /// What, where, why and what to do.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}

impl Ledger {
    /// Opens the ledger of a `GitSync` that has none.
    #[must_use]
    pub fn new(instance: &str, holder: &str, spec: Value) -> Self {
        Self {
            schema: SCHEMA,
            instance: instance.to_owned(),
            epoch: 1,
            holder: holder.to_owned(),
            agent_namespace: String::new(),
            spec,
            tip: None,
            aim: None,
            last_good: None,
            rollouts: BTreeMap::new(),
            queued: Vec::new(),
            waits: BTreeMap::new(),
            quarantine: Quarantine::default(),
            history: Vec::new(),
            untouched: Vec::new(),
            served: BTreeMap::new(),
            pause: None,
            approvals: BTreeSet::new(),
            promotions: BTreeSet::new(),
            retries: BTreeMap::new(),
            restarts: BTreeMap::new(),
            released: None,
            held_prune: None,
            problems: Vec::new(),
            fetched_at: None,
            drifted: BTreeMap::new(),
            inventory: Inventory::new(),
        }
    }

    /// Returns the record of a commit.
    #[must_use]
    pub fn deployed(&self, commit: &CommitId) -> Option<&Deployed> {
        self.history
            .iter()
            .find(|deployed| deployed.revision.id == *commit)
    }

    /// Returns the record of a commit for changes.
    pub fn deployed_mut(&mut self, commit: &CommitId) -> Option<&mut Deployed> {
        self.history
            .iter_mut()
            .find(|deployed| deployed.revision.id == *commit)
    }

    /// Returns the problem of a kind, where there is one.
    #[must_use]
    pub fn problem(&self, kind: Trouble) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.reason == kind)
    }

    /// Returns why Git cannot be reached, where it cannot.
    #[must_use]
    pub fn unreachable(&self) -> Option<&Problem> {
        self.problem(Trouble::AuthenticationFailed)
            .or_else(|| self.problem(Trouble::GitUnreachable))
    }

    /// Puts a problem first, in the place of an older one of its kind.
    pub fn trouble(&mut self, problem: Problem) {
        self.clear(problem.reason);
        self.problems.insert(0, problem);
    }

    /// Forgets the problem of a kind.
    pub fn clear(&mut self, kind: Trouble) {
        self.problems.retain(|problem| problem.reason != kind);
    }

    /// Says whether levers of ours are on any workload.
    #[must_use]
    pub fn is_engaged(&self) -> bool {
        self.rollouts.values().any(Checkpoint::is_engaged)
    }
}

impl Outcome {
    /// Says whether nothing more will happen to the commit by itself.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::InProgress | Self::Failed => false,
            Self::Succeeded
            | Self::CompletedWithFailures
            | Self::Rejected
            | Self::RolledBack
            | Self::Aborted
            | Self::Superseded
            | Self::Held => true,
        }
    }
}
