//! What a rollout must remember beyond a restart. The batch is also in the live object; the rest is
//! only here.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::health::Cause;
use crate::object::{
    Amount, Digest, FREEZE_DEADLINE, FREEZE_MIN_READY, Object, Strategy, Workload,
};
use crate::revision::CommitId;

use super::Goal;
use super::lever::Levers;

/// The record of one workload's rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// UID of the workload; empty until it is created.
    pub uid: String,
    /// Where the rollout is.
    pub phase: Phase,
    /// The batch that is open, counted from 1; 0 where the workload is not rolled in batches.
    pub batch: u32,
    /// How many batches there are.
    pub batches: u32,
    /// Cumulative target of the open batch.
    pub target: u32,
    /// Replicas by which the levers were computed.
    pub replicas: u32,
    /// The last write, recorded before it is made.
    pub write: Write,
    /// What [`Goal::judged_by`](super::Goal::judged_by) was.
    pub judged_by: Digest,
    /// When the workload left the state that people gave it; `None` where it did not.
    pub engagement: Option<Engagement>,
    /// When the rollout began.
    pub started: Timestamp,
    /// When the open slice or the phase began, or was last seen whole: the progress deadline runs
    /// from here.
    pub opened: Timestamp,
    /// Since when all that the batch needs is healthy.
    pub healthy_since: Option<Timestamp>,
    /// How pods are judged.
    pub judge: Judge,
    /// Whether a [`Stance::Hold`](super::Stance::Hold) stopped the clocks.
    pub is_held: bool,
    /// Why it failed; stays while it is held or goes back.
    pub failure: Option<Failure>,
    /// Proof of each batch that was closed.
    pub evidence: Vec<Evidence>,
    /// Pods of the largest batch that was opened.
    pub largest: u32,
    /// Failed pods that were put up with when its newest batch was closed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Whether it brings back the template that Git's last rollout had brought, over one of
    /// somebody else's: no person's pause and no held commit keeps it from its batches.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_repair: bool,
}

/// Where a rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// A batch is open.
    Progressing,
    /// All pods are new and are watched, levers in place.
    Monitoring,
    /// The levers are given back; the last old pods leave.
    Finalizing,
    /// Applied as it is: first installs, `Recreate`, `strategy: Native`, no replicas.
    Native,
    /// All pods are new and the workload is as Git says.
    Succeeded,
    /// A batch failed; the pods stay as they are.
    Failed,
    /// Going back to a template that succeeded before.
    RollingBack,
    /// The pods are back.
    RolledBack,
    /// Going back does not succeed; it goes on if the pods recover.
    RollbackFailed,
}

/// One absolute write of a workload: repeating it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    /// The commit whose manifest is written.
    pub commit: CommitId,
    /// Digest of that manifest.
    pub manifest: Digest,
    /// Digest of its pod template.
    pub template: Digest,
    /// What is laid over it.
    pub overlay: Overlay,
    /// Generation of the live object that it was decided on, 0 for a creation; once it was seen in
    /// place, the generation then.
    pub base: i64,
    /// Digest of the template with restarts by hand, once seen.
    pub restart: Option<Digest>,
}

/// What a write lays over Git's manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overlay {
    /// Nothing.
    Plain,
    /// The freeze and both levers.
    Frozen {
        /// maxSurge.
        surge: Amount,
        /// maxUnavailable.
        unavailable: Amount,
    },
    /// Both levers with Git's own times, so that the controller goes to the end by itself.
    Native {
        /// maxSurge.
        surge: Amount,
        /// maxUnavailable.
        unavailable: Amount,
    },
    /// The partition of a StatefulSet.
    Partition(u32),
    /// Nothing in the object: so many pods may be new, and the agent deletes those that they
    /// replace.
    Deletes(u32),
}

/// What a release needs to give the workload back without Git.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Engagement {
    /// Since when.
    pub since: Timestamp,
    /// `minReadySeconds` of the last good state.
    pub min_ready_seconds: i64,
    /// `progressDeadlineSeconds` of the last good state.
    pub progress_deadline_seconds: i64,
    /// The strategy of the last good state as it stood in the cluster.
    pub strategy: Value,
    /// Its pod template.
    pub template: Value,
}

/// Since when and by what pods are judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judge {
    /// Clocks before this moment do not count.
    pub since: Timestamp,
    /// Restarts that pods had then, by UID.
    pub forgiven: BTreeMap<String, u32>,
    /// Pods seen Ready, by UID, with the time that their condition bore.
    pub ready: BTreeMap<String, Timestamp>,
    /// How often pods lost readiness, by UID.
    pub flaps: BTreeMap<String, u32>,
    /// Pods that failed and are to be deleted, since they are judged afresh: name and UID.
    pub condemned: BTreeMap<String, String>,
}

/// Why a rollout failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The cause.
    pub cause: Cause,
    /// When.
    pub at: Timestamp,
    /// In which batch; 0 outside of batches.
    pub batch: u32,
}

/// Proof that a batch was healthy when it was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The batch.
    pub batch: u32,
    /// Its cumulative target.
    pub target: u32,
    /// Generation of the workload.
    pub generation: i64,
    /// Digest of its template.
    pub template: Digest,
    /// UIDs of the pods that were counted; kept for the newest proof only.
    pub pods: Vec<String>,
    /// Since when all were healthy.
    pub from: Timestamp,
    /// When it was closed.
    pub to: Timestamp,
}

impl Checkpoint {
    /// Starts a record at `now`: Git's manifest as it is, for a workload that does not exist yet.
    pub(super) fn new(goal: &Goal, replicas: u32, now: Timestamp) -> Self {
        Self {
            uid: String::new(),
            phase: Phase::Native,
            batch: 0,
            batches: 0,
            target: replicas,
            replicas,
            write: Write {
                commit: goal.commit.clone(),
                manifest: goal.manifest.clone(),
                template: goal.template.clone(),
                overlay: Overlay::Plain,
                base: 0,
                restart: None,
            },
            judged_by: goal.judged_by.clone(),
            engagement: None,
            started: now,
            opened: now,
            healthy_since: None,
            judge: Judge::new(now, BTreeMap::new()),
            is_held: false,
            failure: None,
            evidence: Vec::new(),
            largest: 0,
            failures: 0,
            is_repair: false,
        }
    }

    /// Says whether the rollout has ended for good.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::RolledBack)
    }

    /// Returns the last batch that was closed, 0 where none was.
    #[must_use]
    pub fn closed(&self) -> u32 {
        let proofs = self.evidence.iter();
        let own = proofs.filter(|proof| proof.template == self.write.template);
        own.map(|proof| proof.batch).max().unwrap_or_default()
    }

    /// Says whether levers or a freeze of ours are on the workload, or may be until a write that
    /// takes them off is seen.
    #[must_use]
    pub fn is_engaged(&self) -> bool {
        !self.is_over() && (self.write.overlay != Overlay::Plain || self.engagement.is_some())
    }

    /// Says whether it is on its way back to an earlier template.
    #[must_use]
    pub fn is_going_back(&self) -> bool {
        matches!(self.phase, Phase::RollingBack | Phase::RollbackFailed)
    }
}

impl Judge {
    /// Starts judging at `since`; nothing from before counts but the restarts given.
    #[must_use]
    pub fn new(since: Timestamp, forgiven: BTreeMap<String, u32>) -> Self {
        Self {
            since,
            forgiven,
            ready: BTreeMap::new(),
            flaps: BTreeMap::new(),
            condemned: BTreeMap::new(),
        }
    }
}

/// Nothing is stored of what there is none of.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The levers in words, as they stand in the object.
impl fmt::Display for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("Git's own strategy"),
            Self::Frozen { surge, unavailable } | Self::Native { surge, unavailable } => {
                write!(f, "{surge} surge, {unavailable} unavailable")
            }
            Self::Partition(partition) => write!(f, "partition {partition}"),
            Self::Deletes(_) => f.write_str("by deletes"),
        }
    }
}

impl Overlay {
    /// Returns the strategy that holds the levers; `None` leaves Git's own.
    #[must_use]
    pub fn strategy(self) -> Option<Strategy> {
        match self {
            Self::Plain => None,
            Self::Partition(partition) => Some(Strategy::Partition(partition)),
            Self::Deletes(_) => Some(Strategy::OnDelete),
            Self::Frozen { surge, unavailable } | Self::Native { surge, unavailable } => {
                Some(Strategy::RollingUpdate {
                    max_surge: surge,
                    max_unavailable: unavailable,
                })
            }
        }
    }

    /// Says whether the freeze is part of it.
    #[must_use]
    pub fn is_frozen(self) -> bool {
        match self {
            Self::Frozen { .. } => true,
            Self::Plain | Self::Native { .. } | Self::Partition(_) | Self::Deletes(_) => false,
        }
    }

    /// Lays the levers over a manifest.
    pub fn lay(self, object: &mut Object) {
        let Some(strategy) = self.strategy() else {
            return;
        };
        if self.is_frozen() {
            object.set(&["spec", "minReadySeconds"], FREEZE_MIN_READY.into());
            object.set(&["spec", "progressDeadlineSeconds"], FREEZE_DEADLINE.into());
        }
        let field = Workload(object).strategy_field();
        if let Self::Partition(partition) = self {
            // Git's maxUnavailable stays.
            object.set(&["spec", field, "type"], "RollingUpdate".into());
            let path = ["spec", field, "rollingUpdate", "partition"];
            object.set(&path, partition.into());
        } else {
            object.set(&["spec", field], strategy.to_json());
        }
    }

    /// Returns how many of so many pods it lets be new.
    #[must_use]
    pub fn allowed(self, replicas: u32) -> u32 {
        match (self, self.strategy()) {
            (Self::Plain | Self::Native { .. }, _) | (_, None) => replicas,
            (_, Some(strategy)) => self.levers(strategy, replicas).target().min(replicas),
        }
    }

    /// Returns the levers while this strategy stands, resolved at so many replicas: where the agent
    /// deletes pods the record alone has them.
    #[must_use]
    pub fn levers(self, strategy: Strategy, replicas: u32) -> Levers {
        match self {
            Self::Deletes(pods) => Levers::stop_first(pods),
            Self::Plain | Self::Frozen { .. } | Self::Native { .. } | Self::Partition(_) => {
                Levers::of(strategy, replicas)
            }
        }
    }

    /// Returns what lets so many of so many pods be new where a new one takes the place of an old
    /// one; `None` for a Deployment, which may have extra pods.
    pub(super) fn in_place(strategy: Strategy, pods: u32, replicas: u32) -> Option<Self> {
        match strategy {
            Strategy::Recreate | Strategy::RollingUpdate { .. } => None,
            Strategy::Partition(_) => Some(Self::Partition(replicas.saturating_sub(pods))),
            Strategy::Nodes { .. } | Strategy::OnDelete => Some(Self::Deletes(pods.min(replicas))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workload(kind: &str, spec: &Value) -> Object {
        Object::new(json!({
            "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec,
        }))
        .unwrap()
    }

    #[test]
    fn a_partition_leaves_the_rest_of_the_strategy_as_git_has_it() {
        let own = json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}});
        let mut object = workload("StatefulSet", &own);
        Overlay::Partition(7).lay(&mut object);
        let laid = json!({"type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 2, "partition": 7}});
        assert_eq!(object.at("/spec/updateStrategy"), Some(&laid));
        assert_eq!(Overlay::Partition(7).allowed(10), 3);
    }

    #[test]
    fn where_the_agent_deletes_the_controller_does_not() {
        let own = json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}});
        let mut object = workload("DaemonSet", &own);
        Overlay::Deletes(3).lay(&mut object);
        let laid = json!({"type": "OnDelete"});
        assert_eq!(object.at("/spec/updateStrategy"), Some(&laid));
        assert_eq!(Overlay::Deletes(3).allowed(10), 3);
    }
}
