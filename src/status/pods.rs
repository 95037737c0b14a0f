//! The pods of one workload as they are drawn: a slot for each that it is to have.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::health::{Judgement, Pod, Verdict};
use crate::object::{Digest, later};
use crate::rollout::{self, Checkpoint, Set};

use super::workload::Workload;

/// How long a pod may be on its way to Ready before that is worth a word.
const PATIENCE: Duration = Duration::from_secs(30);
/// Why a container waits while all is well.
const USUAL: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// What is in one of the places that a workload is to fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Slot {
    /// A pod of the target's revision that is Ready.
    Ready,
    /// A pod of the target's revision that is not Ready yet.
    Starting,
    /// A pod of the target's revision that speaks against it.
    Failing,
    /// A pod of another revision; while going back one that was never replaced.
    Old,
    /// A pod that came back while going back, Ready.
    Back,
    /// No pod.
    Empty,
}

/// How many pods there are of each sort, surplus pods too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Of the target's revision, Ready.
    pub ready: u32,
    /// Of the target's revision, not Ready yet.
    pub starting: u32,
    /// Of the target's revision, failing.
    pub failing: u32,
    /// Of other revisions.
    pub old: u32,
}

/// The pods of one workload.
pub(super) struct Census {
    pub(super) slots: Vec<Slot>,
    pub(super) tally: Tally,
    /// What keeps a pod of the target from becoming Ready, as the cluster says it.
    pub(super) trouble: Option<String>,
}

/// Counts what is seen; `kept` tells which template is the target's and how pods are judged. At rest
/// it is the one `written` last, to which other appliers may have added.
pub(super) fn seen(
    kept: &Checkpoint,
    written: Option<&Digest>,
    live: &rollout::Live,
    now: Timestamp,
) -> Census {
    let written = written.filter(|_| kept.is_over());
    let (target, others) = sides(written.unwrap_or(&kept.write.template), live);
    let pods = |sets: &[&Set]| -> Vec<(Slot, Timestamp)> {
        let pods = sets.iter().flat_map(|set| set.present());
        pods.filter_map(|pod| Some((slot(kept, pod, now)?, pod.created)))
            .collect()
    };
    let (mine, theirs) = (pods(&target), pods(&others));
    let is_back = kept.is_going_back() || kept.phase == rollout::Phase::RolledBack;
    Census {
        slots: if is_back {
            going_back(kept, &mine, &theirs)
        } else {
            going_on(kept.replicas, &mine, theirs.len())
        },
        tally: Tally {
            ready: count(&mine, Slot::Ready),
            starting: count(&mine, Slot::Starting),
            failing: count(&mine, Slot::Failing),
            old: number(theirs.len()),
        },
        trouble: trouble(&target, now),
    }
}

/// Counts what the ledger alone tells, where pods cannot be seen.
pub(super) fn recorded(workload: &Workload) -> Census {
    let ready = workload.healthy.min(workload.desired);
    let starting = workload.updated.min(workload.desired) - ready.min(workload.updated);
    let old = workload.desired - ready - starting;
    let parts = [
        (Slot::Ready, ready),
        (Slot::Starting, starting),
        (Slot::Old, old),
    ];
    Census {
        slots: parts
            .into_iter()
            .flat_map(|(slot, count)| std::iter::repeat_n(slot, count as usize))
            .collect(),
        tally: Tally {
            ready,
            starting,
            failing: 0,
            old,
        },
        trouble: None,
    }
}

/// The ReplicaSets of the target's template, and all others.
fn sides<'a>(target: &Digest, live: &'a rollout::Live) -> (Vec<&'a Set>, Vec<&'a Set>) {
    let is_written = live.template == *target;
    live.sets.iter().partition(|set| {
        if is_written {
            // A restart makes another set of a template that is called the same.
            set.is_current
        } else {
            set.template == *target
        }
    })
}

/// What a pod is; `None` where it does not count.
fn slot(kept: &Checkpoint, pod: &Pod, now: Timestamp) -> Option<Slot> {
    let forgiven = kept.judge.forgiven.get(&pod.uid);
    let by = Judgement {
        now,
        since: kept.judge.since,
        forgiven_restarts: forgiven.copied().unwrap_or_default(),
        min_ready: Duration::ZERO,
        deadline: None,
    };
    let named = kept.failure.as_ref().and_then(|it| it.cause.pod.as_deref());
    match pod.judge(&by) {
        Verdict::Healthy => Some(Slot::Ready),
        Verdict::Waiting(_) if named == Some(pod.name.as_str()) => Some(Slot::Failing),
        Verdict::Waiting(_) => Some(Slot::Starting),
        Verdict::Failed(_) => Some(Slot::Failing),
        Verdict::Ignored => None,
    }
}

/// New pods fill from the left, old ones stand at the right; between them some may be missing.
fn going_on(replicas: u32, mine: &[(Slot, Timestamp)], others: usize) -> Vec<Slot> {
    let mut new: Vec<Slot> = mine.iter().map(|(slot, _)| *slot).collect();
    new.sort();
    let all = replicas as usize;
    let place = |index: usize| {
        let otherwise = if all - index <= others {
            Slot::Old
        } else {
            Slot::Empty
        };
        new.get(index).copied().unwrap_or(otherwise)
    };
    (0..all).map(place).collect()
}

/// Pods that stayed, pods that came back, then what has not left yet.
fn going_back(
    kept: &Checkpoint,
    mine: &[(Slot, Timestamp)],
    theirs: &[(Slot, Timestamp)],
) -> Vec<Slot> {
    let place = |(slot, created): &(Slot, Timestamp)| match slot {
        Slot::Ready if *created < kept.started => (0, Slot::Old),
        Slot::Ready => (1, Slot::Back),
        Slot::Starting | Slot::Failing | Slot::Old | Slot::Back | Slot::Empty => (2, *slot),
    };
    let left = theirs.iter().map(|(slot, _)| (3, *slot));
    let mut places: Vec<(u8, Slot)> = mine.iter().map(place).chain(left).collect();
    places.sort();
    let mut slots: Vec<Slot> = places.into_iter().map(|(_, slot)| slot).collect();
    slots.resize(kept.replicas as usize, Slot::Empty);
    slots
}

/// The first thing that keeps a pod of these sets from becoming Ready.
fn trouble(sets: &[&Set], now: Timestamp) -> Option<String> {
    let refused = sets.iter().find_map(|set| set.refused.as_ref());
    let refused = refused.map(|(_, words)| format!("pods are refused: {words}"));
    refused.or_else(|| {
        let pods = || sets.iter().flat_map(|set| set.present());
        let mut late = pods().filter(|pod| now >= later(pod.created, PATIENCE));
        pods().find_map(waits).or_else(|| late.find_map(lingers))
    })
}

/// A pod that nothing speaks against, and that is not Ready all the same.
fn lingers(pod: &Pod) -> Option<String> {
    let words = format!(
        "pod {}: not Ready yet, created at {:.0}; see its readiness probe and its log",
        pod.name, pod.created
    );
    pod.ready_since.is_none().then_some(words)
}

fn waits(pod: &Pod) -> Option<String> {
    if pod.ready_since.is_some() {
        return None;
    }
    if let Some((_, words)) = &pod.unschedulable {
        return Some(format!("pod {}: Unschedulable: {words}", pod.name));
    }
    let mut waiting = pod.waiting.iter();
    let (container, reason, words) =
        waiting.find(|(_, reason, _)| !USUAL.contains(&reason.as_str()))?;
    let head = format!("pod {}, container {container}: {reason}", pod.name);
    Some(if words.is_empty() {
        head
    } else {
        format!("{head}: {words}")
    })
}

fn count(pods: &[(Slot, Timestamp)], wanted: Slot) -> u32 {
    number(pods.iter().filter(|(slot, _)| *slot == wanted).count())
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pods(slots: &[Slot]) -> Vec<(Slot, Timestamp)> {
        slots.iter().map(|slot| (*slot, at(5))).collect()
    }

    #[test]
    fn new_pods_fill_from_the_left_and_what_is_missing_shows_between() {
        let mine = pods(&[Slot::Starting, Slot::Ready, Slot::Failing]);
        let slots = going_on(6, &mine, 2);
        assert_eq!(
            slots,
            [
                Slot::Ready,
                Slot::Starting,
                Slot::Failing,
                Slot::Empty,
                Slot::Old,
                Slot::Old
            ]
        );
    }

    #[test]
    fn a_pod_that_is_not_ready_for_long_is_named_though_nothing_speaks_against_it() {
        let running = serde_json::json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web-1", "uid": "u", "creationTimestamp": at(0).to_string()},
            "status": {"phase": "Running", "containerStatuses": [
                {"name": "web", "restartCount": 0, "state": {"running": {}}, "ready": false}]},
        });
        let set = Set {
            template: crate::object::Digest::of(&serde_json::json!(1)),
            is_current: true,
            is_base: false,
            replicas: 1,
            pods: vec![Pod::read(&crate::object::Object::new(running).unwrap())],
            refused: None,
        };
        assert_eq!(trouble(&[&set], at(29)), None);
        let told = trouble(&[&set], at(30)).unwrap();
        assert!(
            told.starts_with("pod web-1: not Ready yet, created at 1970"),
            "{told}"
        );
    }

    #[test]
    fn surplus_pods_take_no_place() {
        let mine = pods(&[Slot::Ready; 2]);
        assert_eq!(
            going_on(3, &mine, 3),
            [Slot::Ready, Slot::Ready, Slot::Old],
            "five pods, three places"
        );
    }
}
