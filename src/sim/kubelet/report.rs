//! What a kubelet says of a pod: its status, whole, with the times at which conditions changed.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::conduct::Look;
use crate::sim::time::seconds;

/// The running account of one pod; each method returns a merge patch of it.
#[derive(Clone, Debug)]
pub struct Report {
    uid: String,
    /// Name and namespace, as messages have it.
    pod: String,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    address: Ipv4Addr,
    started: Timestamp,
    conditions: BTreeMap<&'static str, Condition>,
}

#[derive(Clone, Debug)]
struct Container {
    name: String,
    image: String,
    is_sidecar: bool,
}

#[derive(Clone, Debug)]
struct Condition {
    holds: bool,
    since: Timestamp,
    reason: Option<&'static str>,
    message: Option<String>,
}

/// Where the first container is; all others just run.
struct First {
    phase: &'static str,
    is_ready: bool,
    restarts: u32,
    state: Value,
    last_state: Value,
}

impl Report {
    /// Begins the account of a pod, as the API has it, that gets this address.
    #[must_use]
    pub fn of(pod: &Value, address: Ipv4Addr, now: Timestamp) -> Self {
        let text = |path: &str| {
            pod.pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        Self {
            uid: text("/metadata/uid").to_owned(),
            pod: format!("{}_{}", text("/metadata/name"), text("/metadata/namespace")),
            containers: Container::all(pod.pointer("/spec/containers")),
            init_containers: Container::all(pod.pointer("/spec/initContainers")),
            address,
            started: now,
            conditions: BTreeMap::new(),
        }
    }

    /// None of the nodes takes the pod, and why.
    pub fn unschedulable(&mut self, why: String, now: Timestamp) -> Value {
        let refused = self.condition("PodScheduled", false, now);
        refused.reason = Some("Unschedulable");
        refused.message = Some(why);
        json!({
            "metadata": {"uid": self.uid},
            "status": {"phase": "Pending", "conditions": self.conditions()},
        })
    }

    /// The containers look like this.
    pub fn says(&mut self, look: &Look, now: Timestamp) -> Value {
        let running = json!({"running": {"startedAt": seconds(self.started)}});
        let (phase, is_ready, restarts, state, last_state) = match look {
            Look::Running { is_ready } => ("Running", *is_ready, 0, running, json!({})),
            Look::Waiting { reason, message } => {
                let waiting = json!({"waiting": {"reason": reason, "message": message}});
                ("Pending", false, 0, waiting, json!({}))
            }
            Look::CrashLoop { restarts } => {
                let message = format!("back-off restarting failed container in pod {}", self.pod);
                let waiting =
                    json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
                let ended = self.terminated(1, now);
                ("Running", false, *restarts, waiting, ended)
            }
            Look::Ended { exit_code } => {
                let phase = match exit_code {
                    0 => "Succeeded",
                    _ => "Failed",
                };
                let ended = self.terminated(*exit_code, now);
                (phase, false, 0, ended, json!({}))
            }
        };
        let first = First {
            phase,
            is_ready,
            restarts,
            state,
            last_state,
        };
        self.status(first, now)
    }

    fn status(&mut self, first: First, now: Timestamp) -> Value {
        for condition in ["PodScheduled", "PodReadyToStartContainers", "Initialized"] {
            self.condition(condition, true, now);
        }
        for condition in ["ContainersReady", "Ready"] {
            let changed = self.condition(condition, first.is_ready, now);
            changed.reason = (!first.is_ready).then_some("ContainersNotReady");
        }
        let mut containers: Vec<Value> = self.containers.iter().map(|c| self.runs(c)).collect();
        if let Some(status) = containers.first_mut() {
            status["ready"] = first.is_ready.into();
            status["started"] = first.state.get("running").is_some().into();
            status["restartCount"] = first.restarts.into();
            status["state"] = first.state;
            status["lastState"] = first.last_state;
        }
        let inits = self.init_containers.iter();
        let inits: Vec<Value> = inits.map(|c| self.initialised(c, now)).collect();
        json!({
            "metadata": {"uid": self.uid},
            "status": {
                "phase": first.phase,
                "conditions": self.conditions(),
                "startTime": seconds(self.started),
                "hostIP": "127.0.0.1",
                "podIP": self.address,
                "podIPs": [{"ip": self.address}],
                "initContainerStatuses": inits,
                "containerStatuses": containers,
            },
        })
    }

    /// Notes a condition; its time moves only when it changes.
    fn condition(&mut self, name: &'static str, holds: bool, now: Timestamp) -> &mut Condition {
        let condition = self.conditions.entry(name).or_insert(Condition {
            holds,
            since: now,
            reason: None,
            message: None,
        });
        if condition.holds != holds {
            condition.holds = holds;
            condition.since = now;
            condition.reason = None;
            condition.message = None;
        }
        condition
    }

    fn conditions(&self) -> Value {
        let conditions = self.conditions.iter().map(|(name, condition)| {
            let status = if condition.holds { "True" } else { "False" };
            let mut told = json!({
                "type": name,
                "status": status,
                "lastTransitionTime": seconds(condition.since),
            });
            if let Some(reason) = condition.reason {
                told["reason"] = reason.into();
            }
            if let Some(message) = &condition.message {
                told["message"] = message.as_str().into();
            }
            told
        });
        conditions.collect()
    }

    fn runs(&self, container: &Container) -> Value {
        let Container { name, image, .. } = container;
        let hash = |text: String| hex::encode(Sha256::digest(text));
        json!({
            "name": name,
            "image": image,
            "imageID": format!("{image}@sha256:{}", hash(image.clone())),
            "containerID": format!("stand-in://{}", hash(format!("{}/{name}", self.uid))),
            "ready": true,
            "started": true,
            "restartCount": 0,
            "state": {"running": {"startedAt": seconds(self.started)}},
            "lastState": {},
        })
    }

    /// An init container is done, or runs on where it is a sidecar.
    fn initialised(&self, container: &Container, now: Timestamp) -> Value {
        let mut status = self.runs(container);
        if !container.is_sidecar {
            status["started"] = false.into();
            status["state"] = self.terminated(0, now);
        }
        status
    }

    fn terminated(&self, exit_code: u8, now: Timestamp) -> Value {
        json!({"terminated": {
            "exitCode": exit_code,
            "reason": if exit_code == 0 { "Completed" } else { "Error" },
            "startedAt": seconds(self.started),
            "finishedAt": seconds(now),
        }})
    }
}

impl Container {
    fn all(containers: Option<&Value>) -> Vec<Self> {
        let containers = containers.and_then(Value::as_array).into_iter().flatten();
        let text = |container: &Value, key| container[key].as_str().unwrap_or_default().to_owned();
        let read = |container: &Value| Self {
            name: text(container, "name"),
            image: text(container, "image"),
            is_sidecar: container["restartPolicy"] == "Always",
        };
        containers.map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn report() -> Report {
        let pod = json!({
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "u1"},
            "spec": {
                "containers": [{"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"}],
                "initContainers": [
                    {"name": "once", "image": "once:1"},
                    {"name": "mesh", "image": "mesh:1", "restartPolicy": "Always"},
                ],
            },
        });
        Report::of(&pod, Ipv4Addr::new(10, 0, 0, 1), at(0))
    }

    fn ready(patch: &Value) -> (&str, &str) {
        let conditions = patch["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|c| c["type"] == "Ready").unwrap();
        let text = |key: &str| ready[key].as_str().unwrap();
        (text("status"), text("lastTransitionTime"))
    }

    #[test]
    fn the_time_of_a_condition_moves_only_when_it_changes() {
        let mut report = report();
        let is_ready = |is_ready| Look::Running { is_ready };
        let first = report.says(&is_ready(true), at(1));
        assert_eq!(ready(&first), ("True", "1970-01-01T00:00:01Z"));
        let same = report.says(&is_ready(true), at(2));
        assert_eq!(ready(&same), ("True", "1970-01-01T00:00:01Z"));
        let lost = report.says(&is_ready(false), at(3));
        assert_eq!(ready(&lost), ("False", "1970-01-01T00:00:03Z"));
    }

    #[test]
    fn only_the_first_container_has_a_say() {
        let crash = report().says(&Look::CrashLoop { restarts: 3 }, at(1));
        let statuses = &crash["status"]["containerStatuses"];
        assert_eq!(statuses[0]["restartCount"], 3);
        assert_eq!(
            statuses[0]["state"]["waiting"]["reason"],
            "CrashLoopBackOff"
        );
        assert_eq!(statuses[0]["lastState"]["terminated"]["exitCode"], 1);
        assert_eq!(statuses[1]["ready"], true);
        assert_eq!(crash["status"]["phase"], "Running");
    }

    #[test]
    fn init_containers_are_done_unless_they_are_sidecars() {
        let running = report().says(&Look::Running { is_ready: true }, at(1));
        let statuses = &running["status"]["initContainerStatuses"];
        assert_eq!(statuses[0]["state"]["terminated"]["exitCode"], 0);
        assert!(statuses[1]["state"]["running"].is_object());
    }

    #[test]
    fn a_pod_without_a_node_says_how_many_refused_it() {
        let message = "0/5 nodes are available: 5 Insufficient cpu.";
        let patch = report().unschedulable(message.to_owned(), at(1));
        let condition = &patch["status"]["conditions"][0];
        assert_eq!(condition["message"], message);
        assert_eq!(patch["status"]["phase"], "Pending");
    }
}
