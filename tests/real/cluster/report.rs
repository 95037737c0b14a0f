//! What a kubelet says of a pod: its status, whole, with the times at which conditions changed.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidegate::clock;

/// The running account of one pod; each method returns the patch of its status.
pub(super) struct Report {
    uid: String,
    pod: String,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    address: Ipv4Addr,
    started: Timestamp,
    conditions: BTreeMap<&'static str, Condition>,
}

struct Condition {
    holds: bool,
    since: Timestamp,
    reason: Option<&'static str>,
    message: Option<&'static str>,
}

/// Where the first container is; all others just run.
struct First {
    phase: &'static str,
    ready: bool,
    restarts: u32,
    state: Value,
    last_state: Value,
}

impl Report {
    /// Begins the account of a pod that gets this address.
    pub(super) fn of(pod: &Pod, address: Ipv4Addr) -> Self {
        let spec = pod.spec.clone().unwrap_or_default();
        Self {
            uid: pod.uid().unwrap_or_default(),
            pod: format!("{}_{}", pod.name_any(), pod.namespace().unwrap_or_default()),
            containers: spec.containers,
            init_containers: spec.init_containers.unwrap_or_default(),
            address,
            started: clock::now(),
            conditions: BTreeMap::new(),
        }
    }

    /// No node takes the pod.
    pub(super) fn unschedulable(&mut self) -> Value {
        let refused = self.condition("PodScheduled", false);
        refused.reason = Some("Unschedulable");
        refused.message = Some("0/5 nodes are available: 5 Insufficient cpu.");
        json!({
            "metadata": {"uid": self.uid},
            "status": {"phase": "Pending", "conditions": self.conditions()},
        })
    }

    /// All containers run.
    pub(super) fn running(&mut self, ready: bool) -> Value {
        let started = Time(self.started);
        self.status(First {
            phase: "Running",
            ready,
            restarts: 0,
            state: json!({"running": {"startedAt": started}}),
            last_state: json!({}),
        })
    }

    /// The first container cannot be started.
    pub(super) fn waiting(&mut self, reason: &str, message: &str) -> Value {
        self.status(First {
            phase: "Pending",
            ready: false,
            restarts: 0,
            state: json!({"waiting": {"reason": reason, "message": message}}),
            last_state: json!({}),
        })
    }

    /// The first container has ended with an error and been started again this many times.
    pub(super) fn crash_loop(&mut self, restarts: u32) -> Value {
        let message = format!("back-off restarting failed container in pod {}", self.pod);
        let last_state = self.terminated(1);
        self.status(First {
            phase: "Running",
            ready: false,
            restarts,
            state: json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}}),
            last_state,
        })
    }

    /// The first container has ended for good, as the pod of a Job does.
    pub(super) fn finished(&mut self, exit_code: u8) -> Value {
        let state = self.terminated(exit_code);
        self.status(First {
            phase: if exit_code == 0 {
                "Succeeded"
            } else {
                "Failed"
            },
            ready: false,
            restarts: 0,
            state,
            last_state: json!({}),
        })
    }

    /// Returns the image of the first container.
    pub(super) fn image(&self) -> String {
        self.containers
            .first()
            .and_then(|container| container.image.clone())
            .unwrap_or_default()
    }

    fn status(&mut self, first: First) -> Value {
        for condition in ["PodScheduled", "PodReadyToStartContainers", "Initialized"] {
            self.condition(condition, true);
        }
        for condition in ["ContainersReady", "Ready"] {
            let changed = self.condition(condition, first.ready);
            changed.reason = (!first.ready).then_some("ContainersNotReady");
        }
        let phase = first.phase;
        let mut containers: Vec<Value> = self.containers.iter().map(|c| self.runs(c)).collect();
        if let Some(status) = containers.first_mut() {
            status["ready"] = first.ready.into();
            status["started"] = first.state.get("running").is_some().into();
            status["restartCount"] = first.restarts.into();
            status["state"] = first.state;
            status["lastState"] = first.last_state;
        }
        json!({
            "metadata": {"uid": self.uid},
            "status": {
                "phase": phase,
                "conditions": self.conditions(),
                "startTime": Time(self.started),
                "hostIP": "127.0.0.1",
                "podIP": self.address,
                "podIPs": [{"ip": self.address}],
                "initContainerStatuses":
                    self.init_containers.iter().map(|c| self.initialised(c)).collect::<Vec<_>>(),
                "containerStatuses": containers,
            },
        })
    }

    /// Notes a condition; its time moves only when it changes.
    fn condition(&mut self, name: &'static str, holds: bool) -> &mut Condition {
        let now = clock::now();
        let condition = self.conditions.entry(name).or_insert(Condition {
            holds,
            since: now,
            reason: None,
            message: None,
        });
        if condition.holds != holds {
            condition.holds = holds;
            condition.since = now;
        }
        condition
    }

    fn conditions(&self) -> Value {
        self.conditions
            .iter()
            .map(|(name, condition)| {
                json!({
                    "type": name,
                    "status": if condition.holds { "True" } else { "False" },
                    "lastTransitionTime": Time(condition.since),
                    "reason": condition.reason,
                    "message": condition.message,
                })
            })
            .collect()
    }

    fn runs(&self, container: &Container) -> Value {
        let image = container.image.as_deref().unwrap_or_default();
        let hash = |text: String| hex::encode(Sha256::digest(text));
        json!({
            "name": container.name,
            "image": image,
            "imageID": format!("{image}@sha256:{}", hash(image.to_owned())),
            "containerID": format!("stand-in://{}", hash(format!("{}/{}", self.uid, container.name))),
            "ready": true,
            "started": true,
            "restartCount": 0,
            "state": {"running": {"startedAt": Time(self.started)}},
            "lastState": {},
        })
    }

    /// An init container is done, or runs on where it is a sidecar.
    fn initialised(&self, container: &Container) -> Value {
        let mut status = self.runs(container);
        if container.restart_policy.as_deref() != Some("Always") {
            status["started"] = false.into();
            status["state"] = self.terminated(0);
        }
        status
    }

    fn terminated(&self, exit_code: u8) -> Value {
        json!({"terminated": {
            "exitCode": exit_code,
            "reason": if exit_code == 0 { "Completed" } else { "Error" },
            "startedAt": Time(self.started),
            "finishedAt": Time(clock::now()),
        }})
    }
}
