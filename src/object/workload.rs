//! Typed views of the workloads that are rolled in batches.

use serde_json::Value;

use super::{Digest, Object, Strategy, mark};

/// `minReadySeconds` that keeps new pods from ever becoming Available: the freeze that holds a
/// rollout at its target. One below [`FREEZE_DEADLINE`], since the API demands a deadline above it.
pub const FREEZE_MIN_READY: i64 = 2_147_483_646;
/// `progressDeadlineSeconds` that means "no deadline" to the deployment controller.
pub const FREEZE_DEADLINE: i64 = 2_147_483_647;

/// Reads a Deployment, a StatefulSet or a DaemonSet, live or as a manifest, with the defaults of the
/// API.
#[derive(Clone, Copy, Debug)]
pub struct Workload<'a>(pub &'a Object);

impl<'a> Workload<'a> {
    /// Returns `spec.replicas` as written; `None` where it is left to a scaler.
    #[must_use]
    pub fn written_replicas(self) -> Option<u32> {
        u32::try_from(self.0.at("/spec/replicas")?.as_i64()?).ok()
    }

    /// Returns `spec.replicas`, 1 by default; of a DaemonSet the nodes that are to run a pod, as
    /// its controller says: `status.desiredNumberScheduled`.
    #[must_use]
    pub fn replicas(self) -> u32 {
        if self.0.kind() == "DaemonSet" {
            return self.counted("desiredNumberScheduled");
        }
        self.written_replicas().unwrap_or(1)
    }

    /// Returns a count of the status; 0 where it is not there.
    #[must_use]
    pub fn counted(self, field: &str) -> u32 {
        let count = self.0.at(&format!("/status/{field}"));
        let count = count.and_then(Value::as_u64).unwrap_or_default();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Returns `spec.minReadySeconds`, 0 by default.
    #[must_use]
    pub fn min_ready_seconds(self) -> i64 {
        self.0
            .at("/spec/minReadySeconds")
            .and_then(Value::as_i64)
            .unwrap_or_default()
    }

    /// Returns `spec.progressDeadlineSeconds`, 600 by default.
    #[must_use]
    pub fn progress_deadline_seconds(self) -> i64 {
        self.0
            .at("/spec/progressDeadlineSeconds")
            .and_then(Value::as_i64)
            .unwrap_or(600)
    }

    /// Says whether `spec.paused` is true.
    #[must_use]
    pub fn is_paused(self) -> bool {
        self.0
            .at("/spec/paused")
            .and_then(Value::as_bool)
            .unwrap_or_default()
    }

    /// Returns the field of the spec that holds the strategy.
    #[must_use]
    pub fn strategy_field(self) -> &'static str {
        if self.0.kind() == "Deployment" {
            "strategy"
        } else {
            "updateStrategy"
        }
    }

    /// Returns the strategy as it stands; null where nothing is written.
    #[must_use]
    pub fn written_strategy(self) -> &'a Value {
        let pointer = format!("/spec/{}", self.strategy_field());
        self.0.at(&pointer).unwrap_or(&Value::Null)
    }

    /// Returns the strategy with the API's defaults: 25 % and 25 %, or partition 0.
    #[must_use]
    pub fn strategy(self) -> Strategy {
        Strategy::read(self.0.kind(), self.written_strategy())
    }

    /// Returns the number in the name of the first pod of a StatefulSet: `spec.ordinals.start`, 0
    /// by default.
    #[must_use]
    pub fn first_ordinal(self) -> u32 {
        let start = self.0.at("/spec/ordinals/start").and_then(Value::as_u64);
        start.map_or(0, |start| u32::try_from(start).unwrap_or(u32::MAX))
    }

    /// Says whether pods of a StatefulSet come and go without waiting for each other:
    /// `podManagementPolicy: Parallel`.
    #[must_use]
    pub fn is_parallel(self) -> bool {
        self.0.text("/spec/podManagementPolicy") == Some("Parallel")
    }

    /// Says whether the freeze of a rollout is on it.
    #[must_use]
    pub fn is_frozen(self) -> bool {
        self.min_ready_seconds() == FREEZE_MIN_READY
    }

    /// Returns the pod template; null where it is missing.
    #[must_use]
    pub fn template(self) -> &'a Value {
        self.0.at("/spec/template").unwrap_or(&Value::Null)
    }

    /// Returns the digest of the pod template.
    #[must_use]
    pub fn template_digest(self) -> Digest {
        Digest::of(&bare_template(self.template()))
    }

    /// Returns the digest of the pod template without what `kubectl rollout restart` sets.
    #[must_use]
    pub fn restart_blind_digest(self) -> Digest {
        self.digest_without(&[mark::RESTARTED_AT])
    }

    /// Returns the digest of the pod template as Git has it: without any restart, those that the
    /// agent makes on request too. By it templates that succeeded or failed are known again.
    #[must_use]
    pub fn content_digest(self) -> Digest {
        self.digest_without(&[mark::RESTARTED_AT, mark::RESTARTED])
    }

    fn digest_without(self, left_out: &[&str]) -> Digest {
        let mut template = bare_template(self.template());
        if let Some(annotations) = annotations_mut(&mut template) {
            annotations.retain(|key, _| !left_out.contains(&key.as_str()));
            if annotations.is_empty() {
                template["metadata"]
                    .as_object_mut()
                    .map(|meta| meta.remove("annotations"));
            }
        }
        Digest::of(&template)
    }

    /// Returns the images of all containers, init containers first, as `(container, image)`.
    #[must_use]
    pub fn images(self) -> Vec<(String, String)> {
        let list = |pointer| {
            self.0
                .at(pointer)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        list("/spec/template/spec/initContainers")
            .chain(list("/spec/template/spec/containers"))
            .map(|container| {
                let text = |key: &str| container[key].as_str().unwrap_or_default().to_owned();
                (text("name"), text("image"))
            })
            .collect()
    }

    /// Returns how many of its pods are Ready; 0 where nothing is known.
    #[must_use]
    pub fn ready_replicas(self) -> u32 {
        self.counted(if self.0.kind() == "DaemonSet" {
            "numberReady"
        } else {
            "readyReplicas"
        })
    }

    /// Returns `status.observedGeneration`.
    #[must_use]
    pub fn observed_generation(self) -> i64 {
        self.0
            .at("/status/observedGeneration")
            .and_then(Value::as_i64)
            .unwrap_or_default()
    }
}

/// A template as a ReplicaSet and a Deployment share it: without the hash label that the
/// controller adds, and without the null `creationTimestamp` that older API servers write.
fn bare_template(template: &Value) -> Value {
    let mut bare = template.clone();
    if let Some(meta) = bare.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("creationTimestamp");
        if let Some(labels) = meta.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove("pod-template-hash");
        }
    }
    bare
}

fn annotations_mut(template: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    template
        .get_mut("metadata")?
        .get_mut("annotations")?
        .as_object_mut()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A Deployment whose pod template has these annotations.
    fn deployment(annotations: &Value) -> Object {
        let mut object = Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"metadata": {"labels": {"app": "web"}}}},
        }))
        .unwrap();
        if !annotations.is_null() {
            let path = ["spec", "template", "metadata", "annotations"];
            object.set(&path, annotations.clone());
        }
        object
    }

    #[test]
    fn a_restart_on_request_is_another_template_with_the_same_content() {
        let plain = deployment(&Value::Null);
        let stamped = deployment(&json!({mark::RESTARTED: "2026-11-21T10:00:00Z"}));
        let (plain, stamped) = (Workload(&plain), Workload(&stamped));
        assert_ne!(plain.restart_blind_digest(), stamped.restart_blind_digest());
        assert_eq!(plain.content_digest(), stamped.content_digest());
        assert_eq!(plain.content_digest(), plain.restart_blind_digest());
    }

    #[test]
    fn a_restart_by_kubectl_is_no_other_template() {
        let plain = deployment(&json!({"a": "b"}));
        let restarted = deployment(&json!({"a": "b", mark::RESTARTED_AT: "now"}));
        let (plain, restarted) = (Workload(&plain), Workload(&restarted));
        assert_ne!(plain.template_digest(), restarted.template_digest());
        assert_eq!(
            plain.restart_blind_digest(),
            restarted.restart_blind_digest()
        );
        assert_eq!(plain.content_digest(), restarted.content_digest());
    }
}
