//! The pods of the new revision, counted and judged.

use std::time::Duration;

use jiff::Timestamp;

use crate::health::{Cause, Class, Judgement, Verdict};
use crate::object::later;

use super::{Checkpoint, Goal, Judge, Live, Set};

/// How often a pod may lose readiness before its batch closes.
const FLAPS: u32 = 2;
/// Patience with a quota or an admission plugin that refuses pods.
const REFUSED: Duration = Duration::from_secs(30);

/// What the pods of one ReplicaSet come to.
#[derive(Clone, Debug)]
pub(super) struct Checkup {
    /// Pods that are in place.
    pub(super) present: u32,
    /// Pods that are healthy.
    pub(super) healthy: u32,
    /// UIDs of the healthy pods.
    pub(super) pods: Vec<String>,
    /// Why the revision failed.
    pub(super) failed: Option<Cause>,
    /// Name and UID of each failed pod.
    pub(super) failed_pods: Vec<(String, String)>,
    /// Failed pods that the policy puts up with; 0 where more have failed than that.
    pub(super) tolerated: u32,
    /// When to look again at the latest.
    pub(super) wake: Option<Timestamp>,
    /// Whether readiness was lost since the last look.
    pub(super) has_flapped: bool,
    /// When the youngest of the healthy pods became healthy.
    newest: Option<Timestamp>,
}

/// Judges the pods of the live template; flaps and readiness are kept in the checkpoint.
pub(super) fn examine(goal: &Goal, live: &Live, now: Timestamp, kept: &mut Checkpoint) -> Checkup {
    let mut found = Checkup {
        present: 0,
        healthy: 0,
        pods: Vec::new(),
        failed: None,
        failed_pods: Vec::new(),
        tolerated: 0,
        wake: None,
        has_flapped: false,
        newest: None,
    };
    let Some(set) = live.current() else {
        found.late(goal, now, kept);
        return found;
    };
    let mut waits_for_room = false;
    for pod in set.present() {
        found.present += 1;
        waits_for_room |= pod.unschedulable.is_some();
        if let Some(cause) = flap(pod, &mut kept.judge, &mut found.has_flapped) {
            found.fail(pod, cause);
            continue;
        }
        let by = Judgement {
            now,
            since: kept.judge.since,
            forgiven_restarts: kept
                .judge
                .forgiven
                .get(&pod.uid)
                .copied()
                .unwrap_or_default(),
            min_ready: goal.min_ready(),
            deadline: Some(goal.healthy_deadline()),
        };
        match pod.judge(&by) {
            Verdict::Healthy => {
                found.healthy += 1;
                found.pods.push(pod.uid.clone());
                let healthy = pod.ready_since.map(|ready| later(ready, goal.min_ready()));
                found.newest = found.newest.max(healthy);
            }
            Verdict::Waiting(until) => found.wake = earlier(found.wake, until),
            Verdict::Failed(cause) => found.fail(pod, cause),
            Verdict::Ignored => {}
        }
    }
    // On the way back every pod counts.
    if !kept.is_going_back() {
        found.tolerate(goal.tolerated(live.replicas));
    }
    found.refused(set, now, kept);
    if !waits_for_room {
        found.late(goal, now, kept);
    }
    found
}

impl Checkup {
    /// Since when all counted pods are healthy together, one that took the place of another between
    /// two looks included.
    pub(super) fn whole_since(&self, kept: &Checkpoint, now: Timestamp) -> Timestamp {
        let since = kept.healthy_since.filter(|_| !self.has_flapped);
        since.map_or(now, |since| since.max(self.newest.unwrap_or(since)))
    }

    fn fail(&mut self, pod: &crate::health::Pod, cause: Cause) {
        self.failed_pods.push((pod.name.clone(), pod.uid.clone()));
        let worse = self
            .failed
            .as_ref()
            .is_none_or(|known| known.class == Class::Capacity);
        if worse {
            self.failed = Some(cause);
        }
    }

    /// Puts up with failed pods, as long as there are no more than so many. Want of room is no
    /// failure of the pods.
    fn tolerate(&mut self, most: u32) {
        let count = u32::try_from(self.failed_pods.len()).unwrap_or(u32::MAX);
        let is_theirs = |cause: &Cause| cause.class == Class::Revision;
        if count <= most && self.failed.as_ref().is_some_and(is_theirs) {
            self.failed = None;
            self.tolerated = count;
        }
    }

    /// Pods that need no more waiting for: healthy, or failed and put up with.
    pub(super) fn settled(&self) -> u32 {
        self.healthy + self.tolerated
    }

    /// Fails where the ReplicaSet has been refused its pods for long.
    fn refused(&mut self, set: &Set, now: Timestamp, kept: &Checkpoint) {
        let Some((since, message)) = &set.refused else {
            return;
        };
        let end = later((*since).max(kept.judge.since), REFUSED);
        if now >= end {
            self.failed
                .get_or_insert_with(|| rollout_cause("FailedCreate", message));
        } else {
            self.wake = earlier(self.wake, Some(end));
        }
    }

    /// Fails where the batch is incomplete and no pod became healthy for long.
    fn late(&mut self, goal: &Goal, now: Timestamp, kept: &Checkpoint) {
        if self.settled() >= kept.target && self.settled() == self.present {
            return;
        }
        let Some(deadline) = goal.progress_deadline() else {
            return;
        };
        let start = if kept.healthy_since.is_some() {
            // It was whole until this look.
            now
        } else {
            kept.opened
                .max(kept.judge.since)
                .max(self.newest.unwrap_or(kept.opened))
        };
        let end = later(start, deadline);
        if now >= end {
            let message = format!(
                "{} of {} new pods are healthy, none became so for {} s",
                self.healthy,
                kept.target,
                deadline.as_secs()
            );
            self.failed
                .get_or_insert_with(|| rollout_cause("ProgressDeadlineExceeded", &message));
        } else {
            self.wake = earlier(self.wake, Some(end));
        }
    }
}

/// Notes readiness and its loss; the second loss speaks against the pod.
fn flap(pod: &crate::health::Pod, judge: &mut Judge, flapped: &mut bool) -> Option<Cause> {
    let known = judge.ready.get(&pod.uid).copied();
    match pod.ready_since {
        Some(since) => {
            // A newer time than the recorded one: it was not Ready in between.
            if known.is_some_and(|known| known < since) {
                *judge.flaps.entry(pod.uid.clone()).or_default() += 1;
                *flapped = true;
            }
            judge.ready.insert(pod.uid.clone(), since);
        }
        None if known.is_some() => {
            judge.ready.remove(&pod.uid);
            *judge.flaps.entry(pod.uid.clone()).or_default() += 1;
            *flapped = true;
        }
        None => {}
    }
    let flaps = judge.flaps.get(&pod.uid).copied().unwrap_or_default();
    (flaps >= FLAPS).then(|| Cause {
        class: Class::Revision,
        pod: Some(pod.name.clone()),
        container: None,
        reason: "ReadinessFlapping".to_owned(),
        message: format!("lost readiness {flaps} times before its batch was closed"),
    })
}

/// A cause that no single pod is at fault for.
pub(super) fn rollout_cause(reason: &str, message: &str) -> Cause {
    Cause {
        class: Class::Revision,
        pod: None,
        container: None,
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

/// Returns the earlier of two times, where `None` is never.
pub(super) fn earlier(one: Option<Timestamp>, two: Option<Timestamp>) -> Option<Timestamp> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    }
}
