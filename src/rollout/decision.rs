//! What a step decides.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Checkpoint;

/// The next move of one rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The checkpoint from now on; `None` where the one that there is, if any, stays.
    pub checkpoint: Option<Checkpoint>,
    /// Whether the checkpoint must be stored before the action is done.
    pub must_store: bool,
    /// What to do now.
    pub action: Action,
    /// When to look again if nothing else happens first.
    pub wake: Option<Timestamp>,
    /// What the rollout is doing.
    pub reason: Reason,
    /// What just happened, for people.
    pub notes: Vec<Note>,
    /// The batch that waits for a person ([`Reason::AwaitingApproval`]) or a window
    /// ([`Reason::WindowClosed`]).
    pub waits: Option<u32>,
}

/// The one thing to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Wait,
    /// The write that the checkpoint records.
    Write,
    /// Move what people own in the spec to tidegate; no pod moves by it.
    Absorb,
    /// Delete these pods, name and UID.
    Delete(Vec<(String, String)>),
}

/// What happened, in one sentence, under one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The word.
    pub reason: Reason,
    /// The sentence.
    pub text: String,
}

/// The vocabulary of rollouts, shared by log, Event, condition and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// The workload is as Git says.
    InSync,
    /// The first batch opens.
    RolloutStarted,
    /// A further batch opens.
    BatchStarted,
    /// A further slice of a batch opens.
    SliceStarted,
    /// Pods of the batch are not healthy yet.
    WaitingHealthy,
    /// The batch is healthy and is watched for the soak time.
    Soaking,
    /// The batch was healthy long enough.
    BatchHealthy,
    /// All pods are new and are watched.
    Monitoring,
    /// The levers are given back.
    Finalizing,
    /// The rollout succeeded.
    RolloutCompleted,
    /// A newer template takes over.
    RolloutSuperseded,
    /// The rollout failed.
    RolloutFailed,
    /// A batch opens once a person approves it.
    AwaitingApproval,
    /// A batch opens once a window does.
    WindowClosed,
    /// Held: by a person, by another workload of the commit, by quarantine.
    Held,
    /// Held: `spec.paused` is true in Git.
    PausedInGit,
    /// Pods go back.
    RollingBack,
    /// The pods are back.
    RolledBack,
    /// Going back does not succeed.
    RollbackFailed,
    /// Someone restarted the workload by hand; the batch is watched anew.
    Restarted,
    /// Someone changed the workload by hand.
    DriftDetected,
    /// What someone changed by hand is taken back.
    DriftCorrected,
    /// The number of replicas changed under the rollout.
    Rescaled,
    /// Levers were found without a record.
    Adopted,
    /// What failed is judged afresh.
    JudgedAfresh,
    /// Applied as it is; Kubernetes goes on by itself.
    Applied,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Reason {
    /// Says whether an Event of this reason is a warning.
    #[must_use]
    pub fn is_warning(self) -> bool {
        matches!(
            self,
            Self::RolloutFailed | Self::RollbackFailed | Self::DriftDetected | Self::Adopted
        )
    }
}

impl Decision {
    /// Waits without a checkpoint.
    pub(super) fn idle(reason: Reason) -> Self {
        Self {
            checkpoint: None,
            must_store: false,
            action: Action::Wait,
            wake: None,
            reason,
            notes: Vec::new(),
            waits: None,
        }
    }

    /// Waits with a checkpoint, until `wake` at the latest.
    pub(super) fn wait(checkpoint: Checkpoint, reason: Reason, wake: Option<Timestamp>) -> Self {
        Self {
            checkpoint: Some(checkpoint),
            wake,
            ..Self::idle(reason)
        }
    }

    /// Stores the checkpoint, then makes the write that it records.
    pub(super) fn write(checkpoint: Checkpoint, reason: Reason) -> Self {
        Self {
            checkpoint: Some(checkpoint),
            must_store: true,
            action: Action::Write,
            ..Self::idle(reason)
        }
    }

    /// The same, and these pods go, name and UID.
    pub(super) fn deleting(mut self, pods: Vec<(String, String)>) -> Self {
        if !pods.is_empty() {
            self.action = Action::Delete(pods);
        }
        self
    }

    /// The same, and the checkpoint is to be stored.
    pub(super) fn stored(mut self) -> Self {
        self.must_store = true;
        self
    }

    /// The same, with something to tell before the rest.
    pub(super) fn told_first(mut self, reason: Reason, text: String) -> Self {
        self.notes.insert(0, Note { reason, text });
        self
    }

    /// The same, with something to tell.
    pub(super) fn told(mut self, reason: Reason, text: impl Into<String>) -> Self {
        self.notes.push(Note {
            reason,
            text: text.into(),
        });
        self
    }
}
