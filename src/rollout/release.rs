//! Giving a workload back: what takes the levers off without Git and without the machine.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::object::{Object, Workload};

use super::{Checkpoint, Judge, Overlay, Phase};

/// Returns the JSON merge patch that gives an engaged workload back to Kubernetes, bound to the
/// resource version of `live`; `None` where nothing of ours is on it, or where another object has
/// its name now.
///
/// A healthy rollout goes on natively: only the times and the strategy are put back. With `back`,
/// and where it failed, is held or goes back already, the last good template is put back too.
#[must_use]
pub fn release(kept: &Checkpoint, live: &Object, back: bool) -> Option<Value> {
    let before = kept.engagement.as_ref()?;
    let has_levers = kept.is_engaged() || Workload(live).is_frozen();
    if !has_levers || live.uid() != Some(kept.uid.as_str()) {
        return None;
    }
    let field = Workload(live).strategy_field();
    let mut wanted = json!({
        "minReadySeconds": before.min_ready_seconds,
        "progressDeadlineSeconds": before.progress_deadline_seconds,
        field: before.strategy,
    });
    if back || kept.goes_back_when_released() {
        wanted["template"] = before.template.clone();
    }
    let mut there = json!({
        "minReadySeconds": Workload(live).min_ready_seconds(),
        "progressDeadlineSeconds": Workload(live).progress_deadline_seconds(),
        field: Workload(live).written_strategy(),
    });
    if wanted.get("template").is_some() {
        there["template"] = Workload(live).template().clone();
    }
    let spec = difference(&there, &wanted)?;
    let version = live.resource_version();
    Some(json!({"metadata": {"resourceVersion": version}, "spec": spec}))
}

impl Checkpoint {
    /// Says whether a release puts the last good template back, although nobody asks for that: it
    /// failed, is held or goes back already.
    #[must_use]
    pub fn goes_back_when_released(&self) -> bool {
        self.is_held || self.failure.is_some() || self.is_going_back()
    }

    /// Turns into the record of a rollout that was released and goes on natively: its health is
    /// still watched, from `now`.
    pub fn release(&mut self, now: Timestamp) {
        self.phase = Phase::Native;
        self.write.overlay = Overlay::Plain;
        self.engagement = None;
        (self.batch, self.batches) = (0, 0);
        self.opened = now;
        self.healthy_since = None;
        self.judge = Judge::new(now, BTreeMap::new());
    }
}

/// Returns the merge patch (RFC 7386) that makes `wanted` of `live`: keys that only live has are
/// set to null, lists are replaced whole. `None` where both are equal; null is as good as absent.
fn difference(live: &Value, wanted: &Value) -> Option<Value> {
    let (Value::Object(live), Value::Object(wanted)) = (live, wanted) else {
        return (live != wanted).then(|| wanted.clone());
    };
    let mut patch = Map::new();
    for (key, value) in live {
        if !value.is_null() && wanted.get(key).is_none_or(Value::is_null) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    for (key, value) in wanted.iter().filter(|(_, value)| !value.is_null()) {
        let there = live.get(key).unwrap_or(&Value::Null);
        if let Some(change) = difference(there, value) {
            patch.insert(key.clone(), change);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Cause, Class};
    use crate::object::{Amount, Digest, FREEZE_DEADLINE, FREEZE_MIN_READY};
    use crate::rollout::{Engagement, Failure, Write};

    fn template(image: &str, env: Option<&str>) -> Value {
        let mut template = json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": image}]},
        });
        if let Some(env) = env {
            template["metadata"]["annotations"] = json!({"env": env});
            template["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": env}]);
        }
        template
    }

    fn frozen() -> Object {
        Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
            "spec": {
                "replicas": 10,
                "minReadySeconds": FREEZE_MIN_READY, "progressDeadlineSeconds": FREEZE_DEADLINE,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "10%", "maxUnavailable": "0%"}},
                "template": template("web:2", Some("new")),
            },
        }))
        .unwrap()
    }

    fn checkpoint(strategy: Value) -> Checkpoint {
        let digest = Digest::of(&json!("x"));
        let percent = Amount::Percent;
        Checkpoint {
            uid: "u1".to_owned(),
            phase: Phase::Progressing,
            batch: 1,
            batches: 3,
            target: 1,
            replicas: 10,
            write: Write {
                commit: "b".repeat(40).parse().unwrap(),
                manifest: digest.clone(),
                template: digest.clone(),
                overlay: Overlay::Frozen {
                    surge: percent(10),
                    unavailable: percent(0),
                },
                base: 1,
                restart: None,
            },
            judged_by: digest,
            engagement: Some(Engagement {
                since: Timestamp::UNIX_EPOCH,
                min_ready_seconds: 0,
                progress_deadline_seconds: 600,
                strategy,
                template: template("web:1", None),
            }),
            started: Timestamp::UNIX_EPOCH,
            opened: Timestamp::UNIX_EPOCH,
            healthy_since: None,
            judge: Judge::new(Timestamp::UNIX_EPOCH, BTreeMap::new()),
            is_held: false,
            failure: None,
            evidence: Vec::new(),
            largest: 1,
            failures: 0,
            is_repair: false,
        }
    }

    fn own_strategy() -> Value {
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
    }

    /// What the API server makes of a merge patch.
    fn merged(live: &Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else {
            return patch.clone();
        };
        let mut result = live.as_object().cloned().unwrap_or_default();
        for (key, value) in patch {
            if value.is_null() {
                result.remove(key);
            } else {
                let there = result.get(key).cloned().unwrap_or(Value::Null);
                result.insert(key.clone(), merged(&there, value));
            }
        }
        Value::Object(result)
    }

    #[test]
    fn a_healthy_rollout_goes_on_with_its_own_times_and_strategy() {
        let live = frozen();
        let patch = release(&checkpoint(own_strategy()), &live, false).unwrap();
        assert_eq!(
            patch,
            json!({
                "metadata": {"resourceVersion": "7"},
                "spec": {
                    "minReadySeconds": 0, "progressDeadlineSeconds": 600,
                    "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                },
            })
        );
    }

    #[test]
    fn a_failed_held_or_returned_one_gets_exactly_the_last_good_template() {
        let mut failed = checkpoint(own_strategy());
        failed.phase = Phase::Failed;
        failed.failure = Some(Failure {
            cause: Cause {
                class: Class::Revision,
                pod: None,
                container: None,
                reason: "CrashLoopBackOff".to_owned(),
                message: String::new(),
            },
            at: Timestamp::UNIX_EPOCH,
            batch: 1,
        });
        let mut held = checkpoint(own_strategy());
        held.is_held = true;
        let mut returning = checkpoint(own_strategy());
        returning.phase = Phase::RollingBack;
        for (kept, back) in [
            (failed, false),
            (held, false),
            (returning, false),
            (checkpoint(own_strategy()), true),
        ] {
            let live = frozen();
            let patch = release(&kept, &live, back).unwrap();
            let after = merged(live.value(), &patch);
            assert_eq!(after["spec"]["template"], template("web:1", None));
            assert_eq!(after["spec"]["strategy"], own_strategy());
        }
    }

    #[test]
    fn a_strategy_of_another_type_leaves_no_limits_behind() {
        let live = frozen();
        let patch = release(&checkpoint(json!({"type": "Recreate"})), &live, false).unwrap();
        assert_eq!(
            patch["spec"]["strategy"],
            json!({"type": "Recreate", "rollingUpdate": null})
        );
    }

    #[test]
    fn nothing_is_written_where_nothing_of_ours_is() {
        let live = frozen();
        let mut other = checkpoint(own_strategy());
        other.uid = "u2".to_owned();
        assert_eq!(
            release(&other, &live, true),
            None,
            "another object of that name"
        );
        let mut over = checkpoint(own_strategy());
        over.phase = Phase::Succeeded;
        over.engagement = None;
        assert_eq!(release(&over, &live, true), None, "it has ended");
        let mut intended = live.clone();
        intended.set(&["spec", "minReadySeconds"], json!(0));
        intended.set(&["spec", "progressDeadlineSeconds"], json!(600));
        intended.set(&["spec", "strategy"], own_strategy());
        let kept = checkpoint(own_strategy());
        assert_eq!(
            release(&kept, &intended, false),
            None,
            "the write never came"
        );
    }

    #[test]
    fn a_freeze_that_the_record_no_longer_has_comes_off() {
        let mut finalizing = checkpoint(own_strategy());
        finalizing.phase = Phase::Finalizing;
        finalizing.write.overlay = Overlay::Plain;
        let patch = release(&finalizing, &frozen(), false).unwrap();
        assert_eq!(patch["spec"]["minReadySeconds"], json!(0));
        assert_eq!(patch["spec"].get("template"), None);
    }
}
