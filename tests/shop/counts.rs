//! How many pods a Deployment has at one moment, told apart by their templates.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use tidegate::sim::kubelet;

/// The pods of one Deployment at one moment; those being deleted are not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<String, Tally>);

/// The pods of one template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tally {
    tag: String,
    pods: usize,
    ready: usize,
}

impl Counts {
    /// Counts the pods that are not being deleted.
    pub(super) fn of<'a>(pods: impl Iterator<Item = &'a Pod>) -> Self {
        let mut counts = Self::default();
        for pod in pods.filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
            let hash = pod.labels().get("pod-template-hash");
            let tally = counts
                .0
                .entry(hash.cloned().unwrap_or_default())
                .or_default();
            tally.tag = tag(pod).to_owned();
            tally.pods += 1;
            tally.ready += usize::from(is_ready(pod));
        }
        counts
    }

    /// Returns the number of pods.
    pub(crate) fn total(&self) -> usize {
        self.0.values().map(|tally| tally.pods).sum()
    }

    /// Returns the number of Ready pods.
    pub(crate) fn ready(&self) -> usize {
        self.0.values().map(|tally| tally.ready).sum()
    }

    /// Returns the number of pods whose first container's image has this tag.
    pub(crate) fn with_tag(&self, tag: &str) -> usize {
        let tagged = self.0.values().filter(|tally| tally.tag == tag);
        tagged.map(|tally| tally.pods).sum()
    }

    /// Returns the number of Ready pods with this tag.
    pub(crate) fn ready_with(&self, tag: &str) -> usize {
        let tagged = self.0.values().filter(|tally| tally.tag == tag);
        tagged.map(|tally| tally.ready).sum()
    }

    /// Returns the number of pods with any other tag.
    pub(crate) fn without_tag(&self, tag: &str) -> usize {
        self.total() - self.with_tag(tag)
    }

    /// Returns the `pod-template-hash` of each template that has pods.
    pub(crate) fn templates(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Returns the number of pods of one template, by its `pod-template-hash`.
    pub(crate) fn of_template(&self, hash: &str) -> usize {
        self.0.get(hash).map_or(0, |tally| tally.pods)
    }
}

/// `10 of 1.2 (10 ready), 2 of 1.3 (0 ready)`
impl Display for Counts {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (number, tally) in self.0.values().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            let Tally { tag, pods, ready } = tally;
            write!(out, "{comma}{pods} of {tag} ({ready} ready)")?;
        }
        Ok(())
    }
}

/// The image tag of a pod's first container.
pub(super) fn tag(pod: &Pod) -> &str {
    let containers = pod.spec.as_ref().map(|spec| &spec.containers);
    let first = containers.and_then(|containers| containers.first());
    let image = first.and_then(|container| container.image.as_deref());
    kubelet::tag(image.unwrap_or_default())
}

pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
