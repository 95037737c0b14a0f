//! Who changed a live object: the manager that is to be named for drift.

use serde_json::Value;

use crate::object::{Digest, Object};

use super::Managers;
use super::managers::{RESTART, is_hollow, is_other, is_own, manager, split};

impl<'a> Managers<'a> {
    /// Returns the manager, verb and time of the change by someone who is neither tidegate nor a
    /// controller; people, appliers and tools alike: the newest that took a field of `wanted` from
    /// tidegate, else the newest at all. A change by a subresource may have no time.
    #[must_use]
    pub fn editor(self, wanted: &Object) -> Option<String> {
        let newest = self.culprit(wanted)?;
        let mut words = format!(
            "`{}` ({}",
            manager(newest),
            newest["operation"].as_str().unwrap_or_default()
        );
        if let Some(subresource) = newest["subresource"].as_str().filter(|it| !it.is_empty()) {
            words.push_str(&format!(" of {subresource}"));
        }
        if let Some(time) = newest["time"].as_str() {
            words.push_str(&format!(" at {time}"));
        }
        words.push(')');
        Some(words)
    }

    /// Returns the manager of that change alone.
    #[must_use]
    pub fn editor_name(self, wanted: &Object) -> Option<&'a str> {
        self.culprit(wanted).map(manager)
    }

    /// The fields of our own entry; null where there is none.
    fn ours(self) -> &'a Value {
        let own = self.entries().find(|entry| is_own(entry));
        own.map_or(&Value::Null, |entry| &entry["fieldsV1"])
    }

    fn culprit(self, wanted: &Object) -> Option<&'a Value> {
        let ours = self.ours();
        let others = self.entries().filter(|entry| is_other(entry));
        let thieves = others.filter(|entry| took(&entry["fieldsV1"], ours, wanted.value()));
        let latest = thieves.max_by_key(|entry| entry["time"].as_str().unwrap_or("~").to_owned());
        latest.or_else(|| self.newest())
    }

    fn newest(self) -> Option<&'a Value> {
        let others = self.entries().filter(|entry| is_other(entry));
        others.max_by_key(|entry| {
            // Who once restarted the workload is not who changed it since.
            let (edits, _) = split(&entry["fieldsV1"], &[RESTART.map(str::to_owned).to_vec()]);
            let time = entry["time"].as_str().unwrap_or_default();
            (!is_hollow(&edits), time)
        })
    }

    /// Says whether an applier has taken fields of `wanted` from tidegate; else it only adds fields
    /// of its own.
    #[must_use]
    pub fn has_taken(self, applier: &str, wanted: &Object) -> bool {
        let ours = self.ours();
        let mut theirs = self.entries().filter(|entry| manager(entry) == applier);
        theirs.any(|entry| took(&entry["fieldsV1"], ours, wanted.value()))
    }

    /// Returns the manager of that change where it was an apply: another source of the same object.
    /// Those listed in `taken` are none.
    #[must_use]
    pub fn applier(self, taken: &[String]) -> Option<&'a str> {
        self.apply(taken).map(manager)
    }

    /// Returns the digest of what that applier has; another one once it applied something else.
    #[must_use]
    pub fn applied(self, taken: &[String]) -> Option<Digest> {
        self.apply(taken).map(Digest::of)
    }

    fn apply(self, taken: &[String]) -> Option<&'a Value> {
        let newest = self
            .newest()
            .filter(|entry| entry["operation"] == "Apply")?;
        let name = manager(newest);
        (!taken.iter().any(|taken| taken == name)).then_some(newest)
    }
}

/// Says whether a set has a field that `wanted` names and our own set has not.
fn took(theirs: &Value, ours: &Value, wanted: &Value) -> bool {
    let Value::Object(fields) = theirs else {
        return false;
    };
    let mut named = fields.iter().filter(|(key, _)| *key != ".");
    named.any(|(key, below)| {
        let kept = ours.get(key).unwrap_or(&Value::Null);
        let Some(wanted) = wanted_at(wanted, key) else {
            return false;
        };
        if is_hollow(below) {
            kept.is_null()
        } else {
            took(below, kept, wanted)
        }
    })
}

/// The value at a key of a set of fields: `f:image`, `k:{"name":"web"}`.
fn wanted_at<'a>(wanted: &'a Value, key: &str) -> Option<&'a Value> {
    if let Some(name) = key.strip_prefix("f:") {
        return wanted.get(name);
    }
    let names: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
    let names = names.as_object()?;
    let items = wanted.as_array()?;
    items.iter().find(|item| {
        let mut names = names.iter();
        names.all(|(name, value)| item.get(name) == Some(value))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::managers::tests::{entry, live};

    /// What Git wants of it.
    fn web() -> Object {
        Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [
                {"name": "web", "image": "web:1"},
            ]}}},
        }))
        .unwrap()
    }

    #[test]
    fn who_took_a_field_is_blamed_before_who_wrote_later() {
        let image = |name: &str| {
            let container = json!({".": {}, format!("f:{name}"): {}});
            json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"web\"}": container,
            }}}}})
        };
        let mut early = entry("kubectl-set", "Update", image("image"));
        early["time"] = json!("2025-01-01T00:00:00Z");
        let restart = json!({"f:spec": {"f:template": {"f:metadata": {"f:annotations": {
            ".": {}, "f:kubectl.kubernetes.io/restartedAt": {},
        }}}}});
        let restart = entry("kubectl-rollout", "Update", restart);
        let adds = entry("argo", "Apply", image("tty"));
        let named = |entries: Value| {
            let object = live(entries);
            let managers = Managers::of(&object);
            let name = managers.editor_name(&web()).map(ToOwned::to_owned);
            (name, managers.has_taken("argo", &web()))
        };
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(
            named(json!([early, restart, adds])),
            (name("kubectl-set"), false)
        );
        let mut untimed = entry("kubectl", "Update", json!({"f:spec": {"f:paused": {}}}));
        untimed["time"] = Value::Null;
        assert_eq!(named(json!([restart, untimed])).0, name("kubectl"));
        assert_eq!(named(json!([restart])).0, name("kubectl-rollout"));
        let takes = entry("argo", "Apply", image("image"));
        assert_eq!(named(json!([takes, restart])), (name("argo"), true));
        let own = entry("tidegate", "Apply", image("image"));
        assert!(!named(json!([takes, own])).1, "both apply it");
    }

    #[test]
    fn an_editor_is_told_with_what_is_known_of_the_change() {
        let replicas = json!({"f:spec": {"f:replicas": {}}});
        let timed = entry("kubectl-edit", "Update", replicas.clone());
        let told = |entries: Value| Managers::of(&live(entries)).editor(&web()).unwrap();
        assert_eq!(
            told(json!([timed])),
            "`kubectl-edit` (Update at 2026-01-01T00:00:00Z)"
        );
        let scaled = json!({
            "manager": "kubectl", "operation": "Update", "subresource": "scale",
            "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": replicas,
        });
        assert_eq!(told(json!([scaled])), "`kubectl` (Update of scale)");
    }
}
