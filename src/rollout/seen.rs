//! What is seen of one workload at one moment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::health::Pod;
use crate::object::{Digest, FREEZE_MIN_READY, Strategy};

use super::lever::deployment::Levers;

/// One observation of a Deployment with its ReplicaSets and pods.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub now: Timestamp,
    /// The Deployment; `None` where there is none.
    pub live: Option<Live>,
}

/// The live Deployment.
#[derive(Clone, Debug)]
pub struct Live {
    /// UID.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i64,
    /// `spec.progressDeadlineSeconds`.
    pub progress_deadline_seconds: i64,
    /// `spec.strategy`.
    pub strategy: Strategy,
    /// `spec.paused`.
    pub is_paused: bool,
    /// Digest of the template as goals are compared: without what `kubectl rollout restart` sets.
    pub template: Digest,
    /// Digest of the template with it.
    pub restart: Digest,
    /// The template itself.
    pub content: Value,
    /// Manager that owns fields of the spec beside ours, other than a controller or a scaler.
    pub spec_editor: Option<String>,
    /// Manager of the newest change that was not ours, with verb and time, for people.
    pub editor: Option<String>,
    /// Its status.
    pub counts: Counts,
    /// Its ReplicaSets.
    pub sets: Vec<Set>,
}

/// What the deployment controller reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `status.replicas`.
    pub replicas: u32,
    /// `status.updatedReplicas`.
    pub updated: u32,
    /// `status.availableReplicas`.
    pub available: u32,
}

/// One ReplicaSet with its pods.
#[derive(Clone, Debug)]
pub struct Set {
    /// Digest of its template, as [`Live::template`].
    pub template: Digest,
    /// Whether its template equals the Deployment's in every field.
    pub is_current: bool,
    /// `spec.replicas`.
    pub replicas: u32,
    /// Its pods, those being deleted too.
    pub pods: Vec<Pod>,
    /// Since when its pods are refused (quota, admission), with the words.
    pub refused: Option<(Timestamp, String)>,
}

impl Live {
    /// Says whether the freeze is on.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.min_ready_seconds == FREEZE_MIN_READY
    }

    /// Returns the levers in force, resolved at today's replicas.
    #[must_use]
    pub fn levers(&self) -> Levers {
        Levers::of(self.strategy, self.replicas)
    }

    /// Returns the ReplicaSet of the live template.
    #[must_use]
    pub fn current(&self) -> Option<&Set> {
        self.sets.iter().find(|set| set.is_current)
    }

    /// Returns the pods that the sets with this template ask for.
    #[must_use]
    pub fn pods_with(&self, template: &Digest) -> u32 {
        self.sets
            .iter()
            .filter(|set| set.template == *template)
            .map(|set| set.replicas)
            .sum()
    }

    /// Returns the pods that all other sets ask for.
    #[must_use]
    pub fn pods_without(&self, template: &Digest) -> u32 {
        self.sets
            .iter()
            .filter(|set| set.template != *template)
            .map(|set| set.replicas)
            .sum()
    }

    /// Returns the pods of all other sets that are Ready.
    #[must_use]
    pub fn ready_without(&self, template: &Digest) -> u32 {
        let others = self.sets.iter().filter(|set| set.template != *template);
        others.map(Set::ready).sum()
    }

    /// Says whether the controller has seen the last write.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.observed_generation >= self.generation
    }

    /// Says whether the controller has seen the last write, will not make the current set larger,
    /// and that has just the pods it asks for. Old pods that are missing never block.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let settled = |set: &Set| set.is_settled() && set.replicas >= self.room();
        self.is_observed() && self.current().is_some_and(settled)
    }

    /// Pods that the controller lets the current set have: what the others leave of all replicas
    /// and the surge (`NewRSNewReplicas`).
    fn room(&self) -> u32 {
        let others = self.sets.iter().filter(|set| !set.is_current);
        let others: u32 = others.map(|set| set.replicas).sum();
        let all = self.replicas.saturating_add(self.levers().surge);
        all.saturating_sub(others).min(self.replicas)
    }

    /// Says whether the controller calls the rollout complete (`DeploymentComplete`).
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_observed()
            && self.counts.updated == self.replicas
            && self.counts.replicas == self.replicas
            && self.counts.available == self.replicas
    }
}

impl Set {
    /// Returns the pods that are not being deleted nor gone.
    pub fn present(&self) -> impl Iterator<Item = &Pod> {
        self.pods
            .iter()
            .filter(|pod| !pod.is_terminating && pod.gone.is_none())
    }

    /// Returns how many pods are Ready.
    #[must_use]
    pub fn ready(&self) -> u32 {
        count(self.present().filter(|pod| pod.ready_since.is_some()))
    }

    fn is_settled(&self) -> bool {
        count(self.present()) == self.replicas
    }
}

/// Restarts that the pods of some sets have by now, by UID; pods without any are left out.
pub(super) fn restarts<'a>(sets: impl Iterator<Item = &'a Set>) -> BTreeMap<String, u32> {
    sets.flat_map(Set::present)
        .filter(|pod| pod.restarts > 0)
        .map(|pod| (pod.uid.clone(), pod.restarts))
        .collect()
}

fn count<'a>(pods: impl Iterator<Item = &'a Pod>) -> u32 {
    u32::try_from(pods.count()).unwrap_or(u32::MAX)
}
