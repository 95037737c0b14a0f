//! What the ReplicaSet controller does with its pods: how many it makes or deletes, which go
//! first, and which count as available (`pkg/controller/replicaset`, `ActivePodsWithRanks` in
//! `pkg/controller` of Kubernetes 1.36.2).

use std::cmp::{Ordering, Reverse};

/// The most pods that one sync makes or deletes.
pub const BURST: usize = 500;

/// What one sync does to the number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// So many are made.
    Make(usize),
    /// So many are deleted; 0 where all is right.
    Delete(usize),
}

/// Decides by the number of active pods (neither ended nor being deleted) and of those wanted.
#[must_use]
pub fn adjustment(active: usize, wanted: usize) -> Adjustment {
    match active.cmp(&wanted) {
        Ordering::Less => Adjustment::Make((wanted - active).min(BURST)),
        Ordering::Equal | Ordering::Greater => Adjustment::Delete((active - wanted).min(BURST)),
    }
}

/// Says whether a pod that is Ready since `ready` is available at `now`; all in seconds
/// (`IsPodAvailable`).
#[must_use]
pub fn is_available(ready: i64, min_ready_seconds: i64, now: i64) -> bool {
    min_ready_seconds == 0 || now - ready >= min_ready_seconds
}

/// How far a pod has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not all containers have started.
    Pending,
    /// Its node does not answer.
    Unknown,
    /// At least one container runs.
    Running,
}

/// An active pod that may be the one to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<Uid> {
    /// Which it is; the last tie-breaker.
    pub uid: Uid,
    /// Whether it has a node.
    pub is_assigned: bool,
    /// How far it has come.
    pub phase: Phase,
    /// Since when it is Ready, in seconds; `None` where it is not.
    pub ready: Option<i64>,
    /// `controller.kubernetes.io/pod-deletion-cost`; 0 by default.
    pub cost: i32,
    /// Active pods of the same owner's sets on its node, itself included.
    pub neighbours: usize,
    /// The highest restart count of its containers.
    pub restarts: u32,
    /// When it was made, in seconds.
    pub created: i64,
}

/// Returns those of the candidates that go at `now`, first to last.
///
/// Ages count by their logarithm, so that pods of about the same age go in no order that anyone
/// could foresee. Where the logarithms of two times are equal the original goes by UID at once;
/// here restarts come first, which keeps the order total.
#[must_use]
pub fn victims<Uid: Ord>(
    mut candidates: Vec<Candidate<Uid>>,
    count: usize,
    now: i64,
) -> Vec<Candidate<Uid>> {
    if count < candidates.len() {
        candidates.sort_by(|left, right| precedence(left, right, now));
        candidates.truncate(count);
    }
    candidates
}

fn precedence<Uid: Ord>(left: &Candidate<Uid>, right: &Candidate<Uid>, now: i64) -> Ordering {
    let standing = |pod: &Candidate<Uid>| {
        let is_ready = pod.ready.is_some();
        let crowd = Reverse(pod.neighbours);
        (pod.is_assigned, pod.phase, is_ready, pod.cost, crowd)
    };
    let age = |pod: &Candidate<Uid>| {
        let ready = pod.ready.map_or(0, |ready| magnitude(now - ready));
        (ready, Reverse(pod.restarts), magnitude(now - pod.created))
    };
    standing(left)
        .cmp(&standing(right))
        .then_with(|| age(left).cmp(&age(right)))
        .then_with(|| left.uid.cmp(&right.uid))
}

/// The whole part of the binary logarithm of an age in nanoseconds; -1 where there is none.
fn magnitude(seconds: i64) -> i64 {
    let nanoseconds = seconds.saturating_mul(1_000_000_000);
    nanoseconds.checked_ilog2().map_or(-1, i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 100_000;

    fn pod(uid: &str) -> Candidate<&str> {
        Candidate {
            uid,
            is_assigned: true,
            phase: Phase::Running,
            ready: Some(NOW - 1000),
            cost: 0,
            neighbours: 1,
            restarts: 0,
            created: NOW - 1000,
        }
    }

    fn first(pods: Vec<Candidate<&'static str>>) -> &'static str {
        victims(pods, 1, NOW)[0].uid
    }

    #[test]
    fn a_sync_makes_or_deletes_at_most_a_burst() {
        assert_eq!(adjustment(2, 5), Adjustment::Make(3));
        assert_eq!(adjustment(0, 2000), Adjustment::Make(BURST));
        assert_eq!(adjustment(5, 2), Adjustment::Delete(3));
        assert_eq!(adjustment(5, 5), Adjustment::Delete(0));
    }

    #[test]
    fn a_pod_is_available_once_it_was_ready_for_min_ready_seconds() {
        assert!(is_available(NOW, 0, NOW));
        assert!(!is_available(NOW - 4, 5, NOW));
        assert!(is_available(NOW - 5, 5, NOW));
    }

    #[test]
    fn pods_without_a_node_go_first_then_pending_then_unready_ones() {
        let homeless = Candidate {
            is_assigned: false,
            ..pod("d")
        };
        let pending = Candidate {
            phase: Phase::Pending,
            ready: None,
            ..pod("c")
        };
        let unready = Candidate {
            ready: None,
            ..pod("b")
        };
        let pods = vec![pod("a"), unready, pending, homeless];
        let order: Vec<&str> = victims(pods, 3, NOW).iter().map(|pod| pod.uid).collect();
        assert_eq!(order, ["d", "c", "b"]);
    }

    #[test]
    fn a_low_cost_goes_before_a_crowded_node_and_that_before_youth() {
        let young = Candidate {
            ready: Some(NOW - 3),
            ..pod("young")
        };
        let crowded = Candidate {
            neighbours: 2,
            ..pod("crowded")
        };
        let cheap = Candidate {
            cost: -1,
            ..pod("cheap")
        };
        assert_eq!(first(vec![pod("a"), young.clone()]), "young");
        assert_eq!(first(vec![young, crowded.clone()]), "crowded");
        assert_eq!(first(vec![crowded, cheap]), "cheap");
    }

    #[test]
    fn pods_of_about_the_same_age_go_by_restarts_and_uid() {
        let restarted = Candidate {
            restarts: 2,
            ready: Some(NOW - 999),
            ..pod("z")
        };
        assert_eq!(first(vec![pod("b"), restarted, pod("a")]), "z");
        assert_eq!(first(vec![pod("b"), pod("a")]), "a");
    }
}
