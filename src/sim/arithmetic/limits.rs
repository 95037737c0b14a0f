//! How maxSurge and maxUnavailable become numbers of pods.

use crate::object::Strategy;

/// Numbers of pods that a rolling update may be away from its replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Pods above the replicas.
    pub surge: u32,
    /// Pods below the replicas that need not be available; at most the replicas.
    pub unavailable: u32,
}

impl Limits {
    /// Resolves a strategy for so many replicas: a surge is rounded up, unavailability down, and
    /// where both come to 0 one pod may be unavailable (`ResolveFenceposts`, `MaxUnavailable` in
    /// `pkg/controller/deployment/util`). `Recreate` has no limits.
    #[must_use]
    pub fn of(strategy: Strategy, replicas: u32) -> Self {
        let Strategy::RollingUpdate {
            max_surge,
            max_unavailable,
        } = strategy
        else {
            return Self::default();
        };
        let surge = max_surge.rounded_up(replicas);
        let mut unavailable = max_unavailable.rounded_down(replicas);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self {
            surge,
            unavailable: unavailable.min(replicas),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Amount;

    fn of(surge: &str, unavailable: &str, replicas: u32) -> (u32, u32) {
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        let strategy = Strategy::RollingUpdate {
            max_surge: amount(surge),
            max_unavailable: amount(unavailable),
        };
        let limits = Limits::of(strategy, replicas);
        (limits.surge, limits.unavailable)
    }

    #[test]
    fn a_surge_is_rounded_up_and_unavailability_down() {
        assert_eq!(of("25%", "25%", 3), (1, 0));
        assert_eq!(of("25%", "25%", 10), (3, 2));
        assert_eq!(of("0", "25%", 4), (0, 1));
        assert_eq!(of("150%", "1", 2), (3, 1));
    }

    #[test]
    fn one_pod_may_be_unavailable_where_both_come_to_nothing() {
        assert_eq!(of("0", "25%", 3), (0, 1));
        assert_eq!(of("0", "0", 0), (0, 0));
        assert_eq!(of("0", "7", 5), (0, 5));
    }
}
