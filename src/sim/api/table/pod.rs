//! Pods (`printPod`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Column, age, list, name};
use crate::object::Object;

pub(super) const COLUMNS: &[Column] = &[
    Column("Name", "string", 0),
    Column("Ready", "string", 0),
    Column("Status", "string", 0),
    Column("Restarts", "string", 0),
    Column("Age", "string", 0),
    Column("IP", "string", 1),
    Column("Node", "string", 1),
    Column("Nominated Node", "string", 1),
    Column("Readiness Gates", "string", 1),
];

pub(super) fn row(pod: &Object, now: Timestamp) -> Vec<Value> {
    let text = |pointer: &str| match pod.text(pointer) {
        Some(text) if !text.is_empty() => json!(text),
        _ => json!("<none>"),
    };
    let statuses = list(pod, "/status/containerStatuses");
    let ready = statuses
        .iter()
        .filter(|status| status["ready"] == true)
        .count();
    let total = list(pod, "/spec/containers").len();
    vec![
        name(pod),
        json!(format!("{ready}/{total}")),
        json!(status(pod)),
        json!(restarts(statuses, now)),
        age(pod, now),
        text("/status/podIP"),
        text("/spec/nodeName"),
        text("/status/nominatedNodeName"),
        json!("<none>"),
    ]
}

fn restarts(statuses: &[Value], now: Timestamp) -> String {
    let count: i64 = statuses
        .iter()
        .filter_map(|status| status["restartCount"].as_i64())
        .sum();
    let last = statuses
        .iter()
        .filter_map(|status| status.pointer("/lastState/terminated/finishedAt")?.as_str())
        .max();
    match last {
        Some(last) if count > 0 => {
            format!("{count} ({} ago)", super::age::since(Some(last), now))
        }
        _ => count.to_string(),
    }
}

/// Returns the one word for how a pod is.
fn status(pod: &Object) -> String {
    let phase = pod.text("/status/phase").unwrap_or_default();
    let said = pod
        .text("/status/reason")
        .filter(|reason| !reason.is_empty());
    let mut reason = said.unwrap_or(phase).to_owned();
    if let Some(starting) = starting(pod) {
        reason = starting;
    } else {
        let mut is_running = false;
        for status in list(pod, "/status/containerStatuses").iter().rev() {
            let word = |pointer: &str| {
                let word = status.pointer(pointer).and_then(Value::as_str);
                word.filter(|word| !word.is_empty())
            };
            if let Some(word) = word("/state/waiting/reason") {
                word.clone_into(&mut reason);
            } else if let Some(word) = word("/state/terminated/reason") {
                word.clone_into(&mut reason);
            } else if let Some(ended) = status.pointer("/state/terminated") {
                reason = exit(ended);
            } else if status["ready"] == true && status.pointer("/state/running").is_some() {
                is_running = true;
            }
        }
        if reason == "Completed" && is_running {
            reason = if is_ready(pod) { "Running" } else { "NotReady" }.to_owned();
        }
    }
    match (pod.is_terminating(), phase) {
        (true, _) if said == Some("NodeLost") => "Unknown".to_owned(),
        (true, "Succeeded" | "Failed") | (false, _) => reason,
        (true, _) => "Terminating".to_owned(),
    }
}

fn exit(ended: &Value) -> String {
    match ended["signal"].as_i64() {
        Some(signal) if signal != 0 => format!("Signal:{signal}"),
        _ => format!(
            "ExitCode:{}",
            ended["exitCode"].as_i64().unwrap_or_default()
        ),
    }
}

fn is_ready(pod: &Object) -> bool {
    list(pod, "/status/conditions")
        .iter()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Returns how far the init containers are while they are not done.
fn starting(pod: &Object) -> Option<String> {
    let statuses = list(pod, "/status/initContainerStatuses");
    let total = list(pod, "/spec/initContainers").len();
    for (at, status) in statuses.iter().enumerate() {
        let ended = status.pointer("/state/terminated");
        if ended.is_some_and(|ended| ended["exitCode"] == 0) {
            continue;
        }
        if let Some(ended) = ended {
            let reason = ended["reason"].as_str().filter(|reason| !reason.is_empty());
            return Some(match reason {
                Some(reason) => format!("Init:{reason}"),
                None => format!("Init:{}", exit(ended)),
            });
        }
        let waiting = status
            .pointer("/state/waiting/reason")
            .and_then(Value::as_str);
        return Some(match waiting {
            Some(reason) if !reason.is_empty() && reason != "PodInitializing" => {
                format!("Init:{reason}")
            }
            _ => format!("Init:{at}/{total}"),
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(status: &Value) -> Object {
        Object::new(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "a"}]}, "status": status}),
        )
        .expect("a pod")
    }

    #[test]
    fn a_pod_is_told_in_one_word() {
        let waiting = json!({"phase": "Running", "containerStatuses": [
            {"ready": false, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]});
        assert_eq!(status(&pod(&waiting)), "CrashLoopBackOff");
        let init =
            json!({"phase": "Pending", "initContainerStatuses": [{"state": {"running": {}}}]});
        assert_eq!(status(&pod(&init)), "Init:0/0");
        assert_eq!(status(&pod(&json!({"phase": "Pending"}))), "Pending");
        let mut ending = pod(&json!({"phase": "Running"}));
        ending.set(
            &["metadata", "deletionTimestamp"],
            json!("2026-01-01T00:00:00Z"),
        );
        assert_eq!(status(&ending), "Terminating");
    }
}
