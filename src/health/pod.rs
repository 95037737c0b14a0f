//! What a pod of the new revision says about it.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::{Object, later};

/// Restarts of containers, counted since the judgement began, that make a pod failed.
const RESTARTS: u32 = 2;
/// Patience with an image that the registry refuses.
const IMAGE_REFUSED: Duration = Duration::from_secs(20);
/// Patience with an image that cannot be had for another reason.
const IMAGE_UNREACHABLE: Duration = Duration::from_mins(2);
/// Patience with a container that cannot be made; a missing Secret may be on its way.
const CONTAINER_REFUSED: Duration = Duration::from_secs(15);
/// Patience with a pod that no node takes; an autoscaler may add one.
const UNSCHEDULABLE: Duration = Duration::from_mins(5);

/// Texts with which registries refuse an image for good.
const REFUSALS: [&str; 7] = [
    "401",
    "403",
    "404",
    "manifest unknown",
    "not found",
    "unauthorized",
    "denied",
];

/// Whom a failure speaks against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// The new revision: it may go back by itself and is quarantined.
    Revision,
    /// The cluster's room: it pauses and never goes back by itself.
    Capacity,
}

impl Class {
    /// Says whether a failure speaks against the new revision: only then it may go back by itself
    /// and is quarantined.
    #[must_use]
    pub fn is_against_revision(self) -> bool {
        match self {
            Self::Revision => true,
            Self::Capacity => false,
        }
    }
}

/// Why a pod or a rollout failed, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Whom it speaks against.
    pub class: Class,
    /// The pod; `None` where no single pod is at fault.
    pub pod: Option<String>,
    /// The container; `None` where the whole pod is at fault.
    pub container: Option<String>,
    /// A CamelCase word such as `CrashLoopBackOff` or `ProgressDeadlineExceeded`.
    pub reason: String,
    /// One sentence, as the cluster said it where it did.
    pub message: String,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pod) = &self.pod {
            write!(f, "pod {pod}")?;
            if let Some(container) = &self.container {
                write!(f, ", container {container}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.reason)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

/// By what a pod is judged.
#[derive(Clone, Copy, Debug)]
pub struct Judgement {
    /// The time of the judgement.
    pub now: Timestamp,
    /// Clocks and restarts before this moment do not count.
    pub since: Timestamp,
    /// Restarts that the pod already had then.
    pub forgiven_restarts: u32,
    /// Readiness that long counts as healthy (Git's `minReadySeconds`).
    pub min_ready: Duration,
    /// Time from creation within which a pod must be healthy; `None` is no limit.
    pub deadline: Option<Duration>,
}

/// What a pod of the new revision is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ready for at least `minReadySeconds`.
    Healthy,
    /// Not yet; the time tells when to look again at the latest.
    Waiting(Option<Timestamp>),
    /// It speaks against the revision or the room in the cluster.
    Failed(Cause),
    /// Evicted, preempted, lost with its node or being deleted: it says nothing and is replaced.
    Ignored,
}

/// A pod as far as a rollout looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// Whether its deletion has begun.
    pub is_terminating: bool,
    /// Since when its condition Ready is true; `None` where it is not.
    pub ready_since: Option<Timestamp>,
    /// Since when its condition Ready is false, where it says so.
    pub unready_since: Option<Timestamp>,
    /// Since when it has a node; `None` while it has none.
    pub scheduled_since: Option<Timestamp>,
    /// Since when the scheduler calls it unschedulable, with its words.
    pub unschedulable: Option<(Timestamp, String)>,
    /// Restarts of all its containers.
    pub restarts: u32,
    /// Containers that wait: name, reason, message.
    pub waiting: Vec<(String, String, String)>,
    /// Why the cluster took it away (`Evicted`, `NodeLost`, …) or why it ended.
    pub gone: Option<String>,
}

impl Pod {
    /// Reads a pod; missing parts read as a pod that has just been created at the epoch.
    #[must_use]
    pub fn read(object: &Object) -> Self {
        let ready = object.condition("Ready");
        let scheduled = object.condition("PodScheduled");
        let status = |pointer| {
            object
                .at(pointer)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        let containers: Vec<&Value> = status("/status/initContainerStatuses")
            .chain(status("/status/containerStatuses"))
            .collect();
        let failed = object.text("/status/phase") == Some("Failed");
        let lost = ready.is_some_and(|c| c["reason"] == "NodeLost");
        let reason = object.text("/status/reason").filter(|_| failed || lost);
        Self {
            name: object.text("/metadata/name").unwrap_or_default().to_owned(),
            uid: object.uid().unwrap_or_default().to_owned(),
            created: time(object.at("/metadata/creationTimestamp")).unwrap_or_default(),
            is_terminating: object.is_terminating(),
            ready_since: ready.filter(|c| c["status"] == "True").map(since),
            unready_since: ready.filter(|c| c["status"] != "True").map(since),
            scheduled_since: scheduled.filter(|c| c["status"] == "True").map(since),
            unschedulable: scheduled
                .filter(|c| c["status"] == "False" && c["reason"] == "Unschedulable")
                .map(|c| (since(c), text(&c["message"]))),
            restarts: containers.iter().map(|c| count(&c["restartCount"])).sum(),
            waiting: containers.iter().filter_map(|c| waiting(c)).collect(),
            gone: reason
                .map(ToOwned::to_owned)
                .or_else(|| lost.then(|| "NodeLost".to_owned())),
        }
    }

    /// Judges a pod of the new revision by the table of signals in the design of the engine.
    #[must_use]
    pub fn judge(&self, by: &Judgement) -> Verdict {
        if self.is_terminating || self.gone.is_some() {
            return Verdict::Ignored;
        }
        if let Some(cause) = self.crash(by) {
            return Verdict::Failed(cause);
        }
        if let Some(ready) = self.ready_since {
            let healthy = later(ready, by.min_ready);
            return if by.now >= healthy {
                Verdict::Healthy
            } else {
                Verdict::Waiting(Some(healthy))
            };
        }
        if let Some((since, message)) = &self.unschedulable {
            let until = later((*since).max(by.since), UNSCHEDULABLE);
            return self.until(by.now, Some(until), || {
                self.fault("Unschedulable", message, Class::Capacity)
            });
        }
        let stuck = self
            .waiting
            .iter()
            .find_map(|waiting| self.stuck(by, waiting));
        let late = by.deadline.map(|deadline| {
            let start = self
                .scheduled_since
                .unwrap_or(self.created)
                .max(self.created);
            later(start.max(by.since), deadline)
        });
        match (stuck, late) {
            (Some((until, cause)), late) if late.is_none_or(|late| until <= late) => {
                self.until(by.now, Some(until), || cause)
            }
            (_, late) => self.until(by.now, late, || {
                let message = format!("not healthy within {}", words(by.deadline));
                self.fault("HealthyDeadlineExceeded", &message, Class::Revision)
            }),
        }
    }

    fn until(
        &self,
        now: Timestamp,
        end: Option<Timestamp>,
        cause: impl FnOnce() -> Cause,
    ) -> Verdict {
        match end {
            Some(end) if now >= end => Verdict::Failed(cause()),
            end => Verdict::Waiting(end),
        }
    }

    fn crash(&self, by: &Judgement) -> Option<Cause> {
        let fresh = self.restarts.saturating_sub(by.forgiven_restarts);
        let looping = self
            .waiting
            .iter()
            .find(|(_, reason, _)| reason == "CrashLoopBackOff");
        if let Some((container, reason, message)) =
            looping.filter(|_| fresh > 0 || by.forgiven_restarts == 0)
        {
            return Some(self.of(container, reason, message));
        }
        (fresh >= RESTARTS).then(|| {
            let message = format!("{fresh} restarts since it is watched");
            self.fault("Restarting", &message, Class::Revision)
        })
    }

    /// When a waiting container makes the pod failed, and what to say then.
    fn stuck(
        &self,
        by: &Judgement,
        waiting: &(String, String, String),
    ) -> Option<(Timestamp, Cause)> {
        let (container, reason, message) = waiting;
        let patience = match reason.as_str() {
            "ErrImagePull" | "ImagePullBackOff" => {
                let lower = message.to_ascii_lowercase();
                let refused = REFUSALS.iter().any(|refusal| lower.contains(refusal));
                if refused {
                    IMAGE_REFUSED
                } else {
                    IMAGE_UNREACHABLE
                }
            }
            "InvalidImageName"
            | "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError" => CONTAINER_REFUSED,
            _ => return None,
        };
        let start = self
            .unready_since
            .unwrap_or(self.created)
            .max(self.created)
            .max(by.since);
        Some((later(start, patience), self.of(container, reason, message)))
    }

    fn of(&self, container: &str, reason: &str, message: &str) -> Cause {
        Cause {
            container: Some(container.to_owned()),
            ..self.fault(reason, message, Class::Revision)
        }
    }

    fn fault(&self, reason: &str, message: &str, class: Class) -> Cause {
        Cause {
            class,
            pod: Some(self.name.clone()),
            container: None,
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }
}

fn words(deadline: Option<Duration>) -> String {
    format!("{} s", deadline.unwrap_or_default().as_secs())
}

fn since(condition: &Value) -> Timestamp {
    time(condition.get("lastTransitionTime")).unwrap_or_default()
}

fn time(value: Option<&Value>) -> Option<Timestamp> {
    value?.as_str()?.parse().ok()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value) -> u32 {
    value
        .as_u64()
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or_default()
}

fn waiting(container: &Value) -> Option<(String, String, String)> {
    let state = container.pointer("/state/waiting")?;
    Some((
        text(&container["name"]),
        text(&state["reason"]),
        text(&state["message"]),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const START: i64 = 1_700_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(START + second).unwrap()
    }

    fn by(now: i64) -> Judgement {
        Judgement {
            now: at(now),
            since: at(0),
            forgiven_restarts: 0,
            min_ready: Duration::from_secs(5),
            deadline: Some(Duration::from_mins(1)),
        }
    }

    fn pod(status: &Value) -> Pod {
        let object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web-1", "uid": "u1", "creationTimestamp": at(0).to_string()},
            "status": status,
        });
        Pod::read(&Object::new(object).unwrap())
    }

    fn waiting_for(reason: &str, message: &str) -> Pod {
        pod(&json!({"containerStatuses": [
            {"name": "web", "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}}
        ]}))
    }

    fn reason_at(pod: &Pod, now: i64) -> Option<String> {
        match pod.judge(&by(now)) {
            Verdict::Failed(cause) => Some(cause.reason),
            Verdict::Healthy | Verdict::Waiting(_) | Verdict::Ignored => None,
        }
    }

    #[test]
    fn a_pod_is_healthy_after_min_ready_seconds_of_readiness() {
        let ready = pod(&json!({"conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": at(10).to_string()}
        ]}));
        assert_eq!(ready.judge(&by(14)), Verdict::Waiting(Some(at(15))));
        assert_eq!(ready.judge(&by(15)), Verdict::Healthy);
    }

    #[test]
    fn each_waiting_reason_has_its_own_patience() {
        let table = [
            ("ImagePullBackOff", "manifest unknown", 20),
            ("ErrImagePull", "unexpected status 401 Unauthorized", 20),
            ("CreateContainerConfigError", "secret \"x\" missing", 15),
            ("InvalidImageName", "", 15),
        ];
        for (reason, message, patience) in table {
            let pod = waiting_for(reason, message);
            assert_eq!(reason_at(&pod, patience - 1), None, "{reason}");
            assert_eq!(reason_at(&pod, patience).as_deref(), Some(reason));
        }
        let slow = waiting_for("ErrImagePull", "i/o timeout");
        assert_eq!(reason_at(&slow, 59), None);
        assert_eq!(
            reason_at(&slow, 60).as_deref(),
            Some("HealthyDeadlineExceeded")
        );
    }

    #[test]
    fn a_crash_loop_fails_at_once_and_restarts_before_the_judgement_are_forgiven() {
        let looping = pod(&json!({"containerStatuses": [
            {"name": "web", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
        ]}));
        assert_eq!(reason_at(&looping, 1).as_deref(), Some("CrashLoopBackOff"));
        let forgiven = Judgement {
            forgiven_restarts: 3,
            ..by(1)
        };
        assert!(matches!(looping.judge(&forgiven), Verdict::Waiting(_)));
    }

    #[test]
    fn an_unschedulable_pod_is_a_matter_of_capacity_and_its_deadline_does_not_run() {
        let unschedulable = pod(&json!({"conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available", "lastTransitionTime": at(0).to_string(),
        }]}));
        assert_eq!(
            unschedulable.judge(&by(299)),
            Verdict::Waiting(Some(at(300)))
        );
        let Verdict::Failed(cause) = unschedulable.judge(&by(300)) else {
            panic!("must fail")
        };
        assert_eq!(cause.class, Class::Capacity);
    }

    #[test]
    fn an_evicted_or_terminating_pod_says_nothing() {
        let evicted = pod(&json!({"phase": "Failed", "reason": "Evicted"}));
        assert_eq!(evicted.judge(&by(1000)), Verdict::Ignored);
    }
}
