//! What is seen of one workload at one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::health::Pod;
use crate::object::{Digest, FREEZE_MIN_READY, Strategy, later};

use super::lever::Levers;

/// Patience with a pod that is being deleted and does not go.
const LOST: Duration = Duration::from_mins(1);

/// One observation of a workload with its pods.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub now: Timestamp,
    /// The workload; `None` where there is none.
    pub live: Option<Live>,
}

/// The live workload.
#[derive(Clone, Debug)]
pub struct Live {
    /// What only its kind has.
    pub kind: Kind,
    /// UID.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `spec.replicas`; of a DaemonSet the nodes that are to run a pod, but for those that are lost
    /// ([`Set::lost`]).
    pub replicas: u32,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i64,
    /// `spec.progressDeadlineSeconds`.
    pub progress_deadline_seconds: i64,
    /// How it replaces its pods.
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
    /// Its pods by template: ReplicaSets, or what stands for them.
    pub sets: Vec<Set>,
    /// Where the pods of a DaemonSet run, by UID; empty of every other kind.
    pub spots: BTreeMap<String, Spot>,
}

/// Where a pod runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// Its node; empty while it has none.
    pub node: String,
    /// The zone of the node (`topology.kubernetes.io/zone`); empty where nobody says.
    pub zone: String,
    /// Whether the node carries the label `tidegate.dev/canary`: it goes first.
    pub is_canary: bool,
}

/// What a workload has that others of another kind have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet {
        /// `spec.ordinals.start`.
        first: u32,
        /// Whether pods wait for each other: `podManagementPolicy` is `OrderedReady`.
        is_ordered: bool,
        /// Whether its controller calls the newest revision the one that all pods have:
        /// `status.currentRevision` is `status.updateRevision`.
        is_whole: bool,
    },
    /// A DaemonSet; its replicas are the nodes that are to run a pod.
    DaemonSet,
}

/// What the controller reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `status.replicas`.
    pub replicas: u32,
    /// `status.updatedReplicas`.
    pub updated: u32,
    /// `status.availableReplicas`.
    pub available: u32,
}

/// The pods of one template: a ReplicaSet, or a revision of a StatefulSet.
#[derive(Clone, Debug)]
pub struct Set {
    /// Digest of its template, as [`Live::template`].
    pub template: Digest,
    /// Whether its template equals the workload's in every field.
    pub is_current: bool,
    /// Whether a pod below the partition of a StatefulSet is made from it when it is lost:
    /// `status.currentRevision`.
    pub is_base: bool,
    /// Pods that it asks for: `spec.replicas` of a ReplicaSet, those of a revision that are there.
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

    /// Returns the set of the live template.
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

    /// Says whether the controller has seen the last write and all pods are there that `allowed`
    /// lets be new: it will not make the current set larger, and that has just the pods it asks
    /// for. Old pods that are missing never block.
    #[must_use]
    pub fn is_settled(&self, allowed: u32) -> bool {
        let settled = |set: &Set| match (self.kind, self.strategy) {
            (Kind::Deployment, _) => set.is_settled() && set.replicas >= self.room(),
            (Kind::StatefulSet { first, .. }, Strategy::Partition(partition)) => {
                let mut places = partition..self.replicas;
                places.all(|place| set.has_at(first.saturating_add(place)))
            }
            (Kind::StatefulSet { .. } | Kind::DaemonSet, _) => count(set.present()) >= allowed,
        };
        self.is_observed() && (allowed == 0 || self.current().is_some_and(settled))
    }

    /// Pods that the controller lets the current set have: what the others leave of all replicas
    /// and the surge (`NewRSNewReplicas`).
    fn room(&self) -> u32 {
        let others = self.sets.iter().filter(|set| !set.is_current);
        let others: u32 = others.map(|set| set.replicas).sum();
        let all = self.replicas.saturating_add(self.levers().surge);
        all.saturating_sub(others).min(self.replicas)
    }

    /// Says whether the controller calls the rollout complete: that of a Deployment as
    /// `DeploymentComplete` says, that of a DaemonSet likewise, that of a StatefulSet once all pods that `strategy` lets be new
    /// are, and no pod is of a revision that it has left.
    #[must_use]
    pub fn is_complete(&self, strategy: Strategy) -> bool {
        let reach = strategy.reach(self.replicas);
        let updated = match self.kind {
            Kind::Deployment => self.counts.updated == self.replicas,
            // A node that was lost may still be counted by its controller.
            Kind::DaemonSet => {
                let counts = [self.counts.updated, self.counts.available];
                return self.is_observed() && counts.iter().all(|count| *count >= self.replicas);
            }
            Kind::StatefulSet { is_whole, .. } => {
                let has_left = |set: &Set| !set.is_current && !set.is_base && set.replicas > 0;
                self.counts.updated >= reach
                    && (is_whole || reach < self.replicas || strategy == Strategy::OnDelete)
                    && !self.sets.iter().any(has_left)
            }
        };
        self.is_observed()
            && updated
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

    /// Returns how many pods are on nodes that are lost: they are being deleted, have not been Ready
    /// for a minute, and only their node could let them go.
    #[must_use]
    pub fn lost(&self, now: Timestamp) -> u32 {
        let is_lost = |pod: &&Pod| {
            let since = pod.unready_since.filter(|_| pod.is_terminating);
            since.is_some_and(|since| now >= later(since, LOST))
        };
        count(self.pods.iter().filter(is_lost))
    }

    fn is_settled(&self) -> bool {
        count(self.present()) == self.replicas
    }

    /// Says whether a pod of a StatefulSet with this number in its name is there.
    fn has_at(&self, ordinal: u32) -> bool {
        let mut pods = self.present();
        pods.any(|pod| ordinal_of(&pod.name) == Some(ordinal))
    }
}

/// Returns the number in the name of a pod of a StatefulSet.
pub(super) fn ordinal_of(name: &str) -> Option<u32> {
    name.rsplit_once('-')?.1.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_does_not_go_for_a_minute_is_lost_with_its_node() {
        let now: Timestamp = "2026-11-22T06:00:00Z".parse().unwrap();
        let pod = |is_terminating, unready: Option<&str>| Pod {
            name: "log-1".to_owned(),
            uid: "u".to_owned(),
            created: Timestamp::UNIX_EPOCH,
            is_terminating,
            ready_since: None,
            unready_since: unready.map(|since| since.parse().unwrap()),
            scheduled_since: None,
            unschedulable: None,
            restarts: 0,
            waiting: Vec::new(),
            gone: None,
        };
        let long_ago = Some("2026-11-22T05:59:00Z");
        let set = |pod| Set {
            template: Digest::of(&Value::Null),
            is_current: false,
            is_base: false,
            replicas: 0,
            pods: vec![pod],
            refused: None,
        };
        assert_eq!(set(pod(true, long_ago)).lost(now), 1);
        assert_eq!(set(pod(false, long_ago)).lost(now), 0, "it may go yet");
        let just_now = Some("2026-11-22T05:59:30Z");
        assert_eq!(set(pod(true, just_now)).lost(now), 0);
        assert_eq!(set(pod(true, None)).lost(now), 0, "it still serves");
    }
}
