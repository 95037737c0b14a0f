//! What kinds of objects the simulated API server has.

mod builtin;
mod registry;

pub use registry::{Registry, Resource, ScalePaths, Version};

use std::borrow::Cow;
use std::fmt;

/// A group and a kind, its version apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// API group; empty for the core API.
    pub group: Cow<'static, str>,
    /// Kind in CamelCase.
    pub name: Cow<'static, str>,
}

impl Kind {
    /// `Pod`.
    pub const POD: Self = Self::of("", "Pod");
    /// `Node`.
    pub const NODE: Self = Self::of("", "Node");
    /// `Namespace`.
    pub const NAMESPACE: Self = Self::of("", "Namespace");
    /// `ConfigMap`.
    pub const CONFIG_MAP: Self = Self::of("", "ConfigMap");
    /// `Service`.
    pub const SERVICE: Self = Self::of("", "Service");
    /// `ServiceAccount`.
    pub const SERVICE_ACCOUNT: Self = Self::of("", "ServiceAccount");
    /// `PersistentVolumeClaim`.
    pub const PERSISTENT_VOLUME_CLAIM: Self = Self::of("", "PersistentVolumeClaim");
    /// `ResourceQuota`.
    pub const RESOURCE_QUOTA: Self = Self::of("", "ResourceQuota");
    /// `Event`, kept as the core API has it; `events.k8s.io` is another view of the same objects.
    pub const EVENT: Self = Self::of("", "Event");
    /// `Deployment`.
    pub const DEPLOYMENT: Self = Self::of("apps", "Deployment");
    /// `ReplicaSet`.
    pub const REPLICA_SET: Self = Self::of("apps", "ReplicaSet");
    /// `StatefulSet`.
    pub const STATEFUL_SET: Self = Self::of("apps", "StatefulSet");
    /// `DaemonSet`.
    pub const DAEMON_SET: Self = Self::of("apps", "DaemonSet");
    /// `ControllerRevision`.
    pub const CONTROLLER_REVISION: Self = Self::of("apps", "ControllerRevision");
    /// `Job`.
    pub const JOB: Self = Self::of("batch", "Job");
    /// `PodDisruptionBudget`.
    pub const POD_DISRUPTION_BUDGET: Self = Self::of("policy", "PodDisruptionBudget");
    /// `EndpointSlice`.
    pub const ENDPOINT_SLICE: Self = Self::of("discovery.k8s.io", "EndpointSlice");
    /// `CustomResourceDefinition`.
    pub const CUSTOM_RESOURCE_DEFINITION: Self =
        Self::of("apiextensions.k8s.io", "CustomResourceDefinition");

    /// Returns the kind `name` of `group`.
    #[must_use]
    pub const fn of(group: &'static str, name: &'static str) -> Self {
        Self {
            group: Cow::Borrowed(group),
            name: Cow::Borrowed(name),
        }
    }

    /// Returns the kind that `apiVersion` and `kind` of a document name.
    #[must_use]
    pub fn named(api_version: &str, kind: &str) -> Self {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        Self {
            group: group.to_owned().into(),
            name: kind.to_owned().into(),
        }
    }
}

/// `Deployment.apps`, `Pod`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}.{}", self.name, self.group)
        }
    }
}
