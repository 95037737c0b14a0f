//! Conditions in a status, with the rules by which the real controllers change them.

use serde_json::{Value, json};

/// The conditions of an object, at one moment.
pub(super) struct Conditions {
    all: Vec<Value>,
    now: String,
    /// The field that tells when one was last looked at, for kinds that have it.
    looked_at: Option<&'static str>,
}

impl Conditions {
    /// Reads them off an object; those of a Deployment also tell when they were last updated.
    pub(super) fn of_deployment(object: &Value, now: &str) -> Self {
        Self {
            looked_at: Some("lastUpdateTime"),
            ..Self::of(object, now)
        }
    }

    /// Reads them off an object; those of a Job also tell when they were last probed.
    pub(super) fn of_job(object: &Value, now: &str) -> Self {
        Self {
            looked_at: Some("lastProbeTime"),
            ..Self::of(object, now)
        }
    }

    /// Reads them off an object.
    pub(super) fn of(object: &Value, now: &str) -> Self {
        let all = object
            .pointer("/status/conditions")
            .and_then(Value::as_array);
        Self {
            all: all.cloned().unwrap_or_default(),
            now: now.to_owned(),
            looked_at: None,
        }
    }

    pub(super) fn get(&self, kind: &str) -> Option<&Value> {
        self.all.iter().find(|condition| condition["type"] == kind)
    }

    pub(super) fn remove(&mut self, kind: &str) {
        self.all.retain(|condition| condition["type"] != kind);
    }

    /// Says status, reason and message. One that has status and reason already stays as it is, its
    /// message included; its transition time stays with its status (`SetDeploymentCondition`).
    pub(super) fn set(&mut self, kind: &str, told: (&str, &str, &str)) {
        let same = |now: &Value| now["status"] == told.0 && now["reason"] == told.1;
        if !self.get(kind).is_some_and(same) {
            self.renew(kind, told);
        }
    }

    /// The same, and tells that it was updated now also where it says nothing new.
    pub(super) fn renew(&mut self, kind: &str, (status, reason, message): (&str, &str, &str)) {
        let before = self.get(kind).filter(|before| before["status"] == status);
        let since = before.map(|before| before["lastTransitionTime"].clone());
        let mut condition = json!({
            "type": kind,
            "status": status,
            "lastTransitionTime": since.unwrap_or_else(|| self.now.as_str().into()),
            "reason": reason,
            "message": message,
        });
        if let Some(key) = self.looked_at {
            condition[key] = self.now.as_str().into();
        }
        self.remove(kind);
        self.all.push(condition);
    }

    /// Takes over the condition of another object (`ReplicaSetToDeploymentCondition`).
    pub(super) fn take_over(&mut self, other: &Value) {
        let kind = other["type"].as_str().unwrap_or_default().to_owned();
        let same =
            |now: &Value| now["status"] == other["status"] && now["reason"] == other["reason"];
        if self.get(&kind).is_some_and(same) {
            return;
        }
        let mut condition = other.clone();
        condition["lastUpdateTime"] = other["lastTransitionTime"].clone();
        self.remove(&kind);
        self.all.push(condition);
    }

    /// Writes them into an object.
    pub(super) fn write(self, object: &mut Value) {
        if self.all.is_empty() {
            if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
                status.remove("conditions");
            }
        } else {
            object["status"]["conditions"] = Value::Array(self.all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u32, conditions: &Value) -> Conditions {
        let object = json!({"status": {"conditions": conditions}});
        Conditions::of_deployment(&object, &format!("2026-01-01T00:00:0{second}Z"))
    }

    fn written(conditions: Conditions) -> Value {
        let mut object = json!({"status": {}});
        conditions.write(&mut object);
        object["status"]["conditions"].clone()
    }

    #[test]
    fn the_time_of_a_transition_stays_with_the_status() {
        let mut first = at(1, &json!([]));
        first.set("Progressing", ("True", "A", "a"));
        let mut second = at(2, &written(first));
        second.set("Progressing", ("True", "B", "b"));
        let told = written(second);
        assert_eq!(told[0]["lastTransitionTime"], "2026-01-01T00:00:01Z");
        assert_eq!(told[0]["lastUpdateTime"], "2026-01-01T00:00:02Z");
        assert_eq!(told[0]["message"], "b");
    }

    #[test]
    fn what_says_nothing_new_is_left_alone_unless_it_is_renewed() {
        let mut first = at(1, &json!([]));
        first.set("Progressing", ("True", "A", "a"));
        let first = written(first);
        let mut same = at(2, &first);
        same.set("Progressing", ("True", "A", "other"));
        assert_eq!(written(same), first);
        let mut renewed = at(2, &first);
        renewed.renew("Progressing", ("True", "A", "a"));
        assert_eq!(
            written(renewed)[0]["lastUpdateTime"],
            "2026-01-01T00:00:02Z"
        );
    }

    #[test]
    fn no_conditions_are_no_field() {
        let mut gone = at(1, &json!([{"type": "Progressing", "status": "True"}]));
        gone.remove("Progressing");
        assert_eq!(written(gone), Value::Null);
    }
}
