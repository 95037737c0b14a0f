//! What one workload is to become.

use std::time::Duration;

use serde_json::Value;

use crate::object::{Digest, FREEZE_DEADLINE, Strategy};
use crate::policy::{OnFailure, Policy};
use crate::revision::CommitId;

use super::Leave;

/// What Git wants of one workload, after the API server has defaulted it.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// The commit that it comes from.
    pub commit: CommitId,
    /// Digest of the pod template.
    pub template: Digest,
    /// The pod template itself.
    pub content: Value,
    /// Digest of the whole manifest.
    pub manifest: Digest,
    /// `spec.replicas` as written; `None` where it is left to a scaler.
    pub replicas: Option<u32>,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i64,
    /// `spec.progressDeadlineSeconds`.
    pub progress_deadline_seconds: i64,
    /// `spec.strategy`.
    pub strategy: Strategy,
    /// `spec.paused`.
    pub is_paused: bool,
    /// How it is rolled.
    pub policy: Policy,
    /// Digest of all that a failure is judged by beside the template: policy, ConfigMaps and
    /// Secrets in use, and how often a person asked to try again. Another value means: judge what
    /// runs afresh.
    pub judged_by: Digest,
    /// Whether this template succeeded here before and another one was rolled since: a rollback.
    pub is_return: bool,
    /// What people and the clock let it do.
    pub leave: Leave,
}

/// Whether the commit as a whole lets this workload go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// Batches may open.
    Go,
    /// No batch opens and no clock runs; what is written is kept, a rollback goes on.
    Hold,
}

impl Goal {
    /// Returns Git's `minReadySeconds` as a duration.
    #[must_use]
    pub fn min_ready(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.min_ready_seconds).unwrap_or_default())
    }

    /// Returns how long a batch may go without progress; `None` is no limit.
    #[must_use]
    pub fn progress_deadline(&self) -> Option<Duration> {
        let native = (self.progress_deadline_seconds < FREEZE_DEADLINE)
            .then(|| u64::try_from(self.progress_deadline_seconds).unwrap_or_default());
        self.policy
            .progress_deadline
            .or(native.map(Duration::from_secs))
    }

    /// Returns how many failed pods are put up with of so many: those of `maxFailureRatio`, all
    /// where failures are to be passed over.
    #[must_use]
    pub fn tolerated(&self, replicas: u32) -> u32 {
        if self.policy.on_failure == OnFailure::Continue {
            return u32::MAX;
        }
        let pods = f64::from(self.strategy.reach(replicas));
        // A ratio of 0.3 of 10 pods is 3, whatever a binary fraction makes of it.
        let most = (pods * self.policy.max_failure_ratio + 1e-9).floor();
        (0..=replicas)
            .rev()
            .find(|count| f64::from(*count) <= most)
            .unwrap_or_default()
    }

    /// Returns how long one pod may take to become healthy.
    #[must_use]
    pub fn healthy_deadline(&self) -> Duration {
        let default = || {
            let usual = Duration::from_mins(5);
            let bounded = self
                .progress_deadline()
                .map_or(usual, |deadline| deadline.min(usual));
            bounded.max(self.min_ready() + Duration::from_mins(1))
        };
        self.policy.healthy_deadline.unwrap_or_else(default)
    }
}
