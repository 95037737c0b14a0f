//! How a workload replaces its pods.

use serde_json::{Value, json};

use super::Amount;

/// How a workload replaces its pods: `spec.strategy` of a Deployment, `spec.updateStrategy` of a
/// StatefulSet or a DaemonSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// `Recreate` of a Deployment: all old pods go before new ones come.
    Recreate,
    /// `RollingUpdate` of a Deployment with its two limits as written or defaulted by the API
    /// server.
    RollingUpdate {
        /// `maxSurge`; 25 % by default.
        max_surge: Amount,
        /// `maxUnavailable`; 25 % by default.
        max_unavailable: Amount,
    },
    /// `RollingUpdate` of a StatefulSet: pods whose place among the replicas, counted from 0, is
    /// below this `partition` stay as they are; 0 by default.
    Partition(u32),
    /// `RollingUpdate` of a DaemonSet with its two limits, counted in nodes.
    Nodes {
        /// `maxSurge`; 0 by default.
        max_surge: Amount,
        /// `maxUnavailable`; 1 by default.
        max_unavailable: Amount,
    },
    /// `OnDelete` of a StatefulSet or a DaemonSet: a pod is replaced when somebody deletes it.
    OnDelete,
}

impl Strategy {
    /// Reads what is written for a workload of this kind, with the defaults of the API.
    #[must_use]
    pub fn read(kind: &str, written: &Value) -> Self {
        let limits = &written["rollingUpdate"];
        let amount = |limit: &str, by_default| {
            let written = Amount::try_from(limits[limit].clone()).ok();
            written.unwrap_or(by_default)
        };
        match (kind, written["type"].as_str()) {
            ("Deployment", Some("Recreate")) => Self::Recreate,
            ("Deployment", _) => Self::RollingUpdate {
                max_surge: amount("maxSurge", Amount::Percent(25)),
                max_unavailable: amount("maxUnavailable", Amount::Percent(25)),
            },
            (_, Some("OnDelete")) => Self::OnDelete,
            ("DaemonSet", _) => Self::Nodes {
                max_surge: amount("maxSurge", Amount::Count(0)),
                max_unavailable: amount("maxUnavailable", Amount::Count(1)),
            },
            (_, _) => {
                let partition = limits["partition"].as_u64().unwrap_or_default();
                Self::Partition(u32::try_from(partition).unwrap_or(u32::MAX))
            }
        }
    }

    /// Writes it as it stands in a manifest.
    #[must_use]
    pub fn to_json(self) -> Value {
        match self {
            Self::Recreate => json!({"type": "Recreate"}),
            Self::RollingUpdate {
                max_surge,
                max_unavailable,
            }
            | Self::Nodes {
                max_surge,
                max_unavailable,
            } => json!({
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": max_surge, "maxUnavailable": max_unavailable},
            }),
            Self::Partition(partition) => json!({
                "type": "RollingUpdate",
                "rollingUpdate": {"partition": partition},
            }),
            Self::OnDelete => json!({"type": "OnDelete"}),
        }
    }

    /// Says whether a DaemonSet brings the new pod of a node before the old one goes.
    #[must_use]
    pub fn surges_nodes(self) -> bool {
        match self {
            Self::Nodes { max_surge, .. } => !max_surge.is_zero(),
            Self::Recreate | Self::RollingUpdate { .. } | Self::Partition(_) | Self::OnDelete => {
                false
            }
        }
    }

    /// Says whether a DaemonSet does so because no node may be without a pod: that only Kubernetes
    /// itself can do.
    #[must_use]
    pub fn keeps_all_nodes(self) -> bool {
        match self {
            Self::Nodes {
                max_unavailable, ..
            } => self.surges_nodes() && max_unavailable.is_zero(),
            Self::Recreate | Self::RollingUpdate { .. } | Self::Partition(_) | Self::OnDelete => {
                false
            }
        }
    }

    /// Returns how many of so many pods are of the newest template once a rollout has ended.
    #[must_use]
    pub fn reach(self, replicas: u32) -> u32 {
        match self {
            Self::Recreate | Self::RollingUpdate { .. } | Self::Nodes { .. } | Self::OnDelete => {
                replicas
            }
            Self::Partition(partition) => replicas.saturating_sub(partition),
        }
    }
}
