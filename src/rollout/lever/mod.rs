//! The fields that say how many pods may be new; one file a kind.

use crate::object::Strategy;

pub mod deployment;

/// How many pods may be new: extra ones and ones that old pods make room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levers {
    /// Extra pods: maxSurge of a Deployment, 0 of every other kind.
    pub surge: u32,
    /// Pods that may be unavailable: maxUnavailable of a Deployment.
    pub unavailable: u32,
}

impl Levers {
    /// Returns levers that take old pods away before new ones come.
    #[must_use]
    pub fn stop_first(unavailable: u32) -> Self {
        Self {
            surge: 0,
            unavailable,
        }
    }

    /// Returns the number of pods that may be new.
    #[must_use]
    pub fn target(self) -> u32 {
        self.surge.saturating_add(self.unavailable)
    }

    /// Resolves a strategy at so many replicas: what its controller does by itself. `Recreate` takes
    /// all pods at once, a StatefulSet all from its partition on, a DaemonSet those of all nodes,
    /// `OnDelete` none.
    #[must_use]
    pub fn of(strategy: Strategy, replicas: u32) -> Self {
        match strategy {
            Strategy::Recreate => Self::stop_first(replicas),
            Strategy::RollingUpdate {
                max_surge,
                max_unavailable,
            } => Self::resolve(max_surge, max_unavailable, replicas),
            Strategy::Partition(_) | Strategy::Nodes { .. } => {
                Self::stop_first(strategy.reach(replicas))
            }
            Strategy::OnDelete => Self::stop_first(0),
        }
    }
}
