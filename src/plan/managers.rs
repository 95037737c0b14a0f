//! Who owns which fields of a live object, as `metadata.managedFields` tells it.

use serde_json::{Map, Value, json};

use crate::object::{Digest, Object, Workload, mark};

/// Managers of Kubernetes itself and of scalers: what they write is no drift.
const CONTROLLERS: [&str; 9] = [
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "cloud-controller-manager",
    "horizontal-pod-autoscaler",
    "cluster-autoscaler",
    "keda-operator",
    "vpa-updater",
    "vpa-admission-controller",
];

/// Tools that keep objects in line with another source; their fields are taken only where
/// `spec.takeFrom` names them.
const TOOLS: [&str; 8] = [
    "helm",
    "Helm",
    "argocd-controller",
    "argocd-application-controller",
    "kustomize-controller",
    "helm-controller",
    "kapp",
    "fleetagent",
];

/// The field of a pod template that `kubectl rollout restart` owns.
pub(super) const RESTART: [&str; 5] = [
    "f:spec",
    "f:template",
    "f:metadata",
    "f:annotations",
    "f:kubectl.kubernetes.io/restartedAt",
];

/// The fields of a spec that people own beside us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edits(Value);

impl Edits {
    /// Says whether there are none but those at the pointers `left`.
    #[must_use]
    pub fn are_only(&self, left: &[String]) -> bool {
        is_hollow(&split(&self.0, &spared(left)).0)
    }
}

/// Reads the owners of one live object.
#[derive(Clone, Copy, Debug)]
pub struct Managers<'a>(&'a Object);

impl<'a> Managers<'a> {
    /// Reads the owners of `live`.
    #[must_use]
    pub fn of(live: &'a Object) -> Self {
        Self(live)
    }

    pub(super) fn entries(self) -> impl Iterator<Item = &'a Value> {
        let entries = self
            .0
            .at("/metadata/managedFields")
            .and_then(Value::as_array);
        entries.into_iter().flatten()
    }

    /// Returns the digest of our own entry, which moves when someone takes a field from us;
    /// `None` where there is none.
    #[must_use]
    pub fn own(self) -> Option<Digest> {
        self.entries()
            .find(|entry| is_own(entry))
            .map(|entry| Digest::of(&entry["fieldsV1"]))
    }

    /// Says whether our own entry has the field at these `managedFields` keys.
    #[must_use]
    pub fn own_has(self, path: &[&str]) -> bool {
        let own = self.entries().find(|entry| is_own(entry));
        let start = own.map(|entry| &entry["fieldsV1"]);
        path.iter()
            .fold(start, |here, key| here?.get(*key))
            .is_some()
    }

    /// Returns the person, or the tool listed in `taken`, who owns fields of the spec beside us. A
    /// restart by hand is no edit, nor are fields at the pointers `left`, which are left to others.
    #[must_use]
    pub fn spec_editor(self, left: &[String], taken: &[String]) -> Option<&'a str> {
        let people = self.entries().filter(|entry| may_take(entry, taken));
        let mut editors = people.filter(|entry| {
            let (edits, _) = split(&entry["fieldsV1"], &spared(left));
            edits.get("f:spec").is_some_and(|spec| !is_hollow(spec))
        });
        editors.next().map(manager)
    }

    /// Returns what people own in the spec, as a set of fields.
    #[must_use]
    pub fn edits(self) -> Edits {
        let mut edits = json!({});
        for entry in self.entries().filter(|entry| is_person(entry)) {
            let (fields, _) = split(&entry["fieldsV1"], &spared(&[]));
            if let Some(spec) = fields.get("f:spec") {
                merge(&mut edits, &json!({"f:spec": spec}));
            }
        }
        Edits(edits)
    }

    /// Says whether an applier owns fields outside of `metadata` together with tidegate: both apply
    /// the same value. What names the item of a list does not count.
    #[must_use]
    pub fn shares_with(self, applier: &str) -> bool {
        let Some(own) = self.entries().find(|entry| is_own(entry)) else {
            return false;
        };
        let (own, _) = split(&own["fieldsV1"], &spared(&[]));
        let mut theirs = self.entries().filter(|entry| {
            manager(entry) == applier && entry["operation"] == "Apply" && is_main(entry)
        });
        theirs.any(|entry| overlaps(&own, &entry["fieldsV1"], &[]))
    }

    /// Returns managers of other tools that own fields outside of `metadata` and `status` and are
    /// not listed in `taken`.
    #[must_use]
    pub fn tools(self, taken: &[String]) -> Vec<&'a str> {
        let own_something = |entry: &&Value| {
            let (fields, _) = split(&entry["fieldsV1"], &spared(&[]));
            !is_hollow(&fields)
        };
        self.entries()
            .filter(|entry| TOOLS.contains(&manager(entry)) && is_main(entry))
            .filter(own_something)
            .map(manager)
            .filter(|manager| !taken.iter().any(|name| name == manager))
            .collect()
    }

    /// Returns the appliers other than tidegate that would lose fields if the object became
    /// `after`: two appliers want different values.
    #[must_use]
    pub fn losers(self, after: &Object, taken: &[String]) -> Vec<String> {
        let fields = |object: Managers<'_>, name: &str| {
            let mut entries = object.entries().filter(|entry| is_main(entry));
            let found = entries.find(|e| manager(e) == name && e["operation"] == "Apply");
            found.map_or(Value::Null, |entry| entry["fieldsV1"].clone())
        };
        self.entries()
            .filter(|entry| entry["operation"] == "Apply" && is_main(entry) && !is_ours(entry))
            .map(manager)
            .filter(|name| !taken.iter().any(|taken| taken == name))
            .filter(|name| fields(self, name) != fields(Managers::of(after), name))
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Returns the `managedFields` in which all that a rolling update is set to belongs to
    /// tidegate, so that an apply without it takes it away: the API server's defaults belong to
    /// nobody, and an apply alone leaves them. `None` where nothing has to change.
    #[must_use]
    pub fn with_rolling_update(self) -> Option<Value> {
        let view = Workload(self.0);
        let live = view.written_strategy().get("rollingUpdate")?.as_object()?;
        let strategy = format!("f:{}", view.strategy_field());
        let mut fields: Vec<String> = live.keys().map(|key| format!("f:{key}")).collect();
        fields.retain(|field| !self.own_has(&["f:spec", &strategy, "f:rollingUpdate", field]));
        if fields.is_empty() {
            return None;
        }
        let mut entries: Vec<Value> = self.entries().cloned().collect();
        let own = entries.iter_mut().find(|entry| is_own(entry))?;
        let missing: Map<String, Value> =
            fields.into_iter().map(|field| (field, json!({}))).collect();
        merge(
            &mut own["fieldsV1"],
            &json!({"f:spec": {strategy: {"f:rollingUpdate": missing}}}),
        );
        Some(Value::Array(entries))
    }

    /// Returns the `managedFields` in which what people own outside of `metadata` and `status`
    /// belongs to tidegate, so that the next apply removes what Git does not name. `None` where
    /// nobody owns anything. No value changes by it.
    ///
    /// What is at the pointers `left` stays with whoever owns it.
    #[must_use]
    pub fn absorbed(self, left: &[String], taken: &[String]) -> Option<Value> {
        let spared = spared(left);
        let mut gathered = json!({});
        let mut rest = Vec::new();
        let mut own = None;
        for entry in self.entries() {
            if is_own(entry) {
                own = Some(entry.clone());
            } else if may_take(entry, taken) {
                let (fields, left) = split(&entry["fieldsV1"], &spared);
                merge(&mut gathered, &fields);
                if !is_hollow(&left) {
                    let mut entry = entry.clone();
                    entry["fieldsV1"] = left;
                    rest.push(entry);
                }
            } else {
                rest.push(entry.clone());
            }
        }
        if is_hollow(&gathered) {
            return None;
        }
        let mut own = own.unwrap_or_else(|| {
            json!({
                "manager": mark::MANAGER, "operation": "Apply", "fieldsType": "FieldsV1",
                "apiVersion": self.0.api_version(), "fieldsV1": {},
            })
        });
        merge(&mut own["fieldsV1"], &gathered);
        rest.insert(0, own);
        Some(Value::Array(rest))
    }
}

pub(super) fn manager(entry: &Value) -> &str {
    entry["manager"].as_str().unwrap_or_default()
}

fn is_main(entry: &Value) -> bool {
    entry
        .get("subresource")
        .and_then(Value::as_str)
        .unwrap_or_default()
        != "status"
}

pub(super) fn is_own(entry: &Value) -> bool {
    manager(entry) == mark::MANAGER && entry["operation"] == "Apply" && is_main(entry)
}

fn is_ours(entry: &Value) -> bool {
    manager(entry).starts_with(mark::MANAGER)
}

/// People, `kubectl` in its many names, and what was there before the first apply.
fn is_person(entry: &Value) -> bool {
    let name = manager(entry);
    entry["operation"] == "Update"
        && is_main(entry)
        && !is_ours(entry)
        && !CONTROLLERS.contains(&name)
        && !TOOLS.contains(&name)
}

/// Everybody who is neither tidegate nor a controller: people, appliers, other tools.
pub(super) fn is_other(entry: &Value) -> bool {
    is_main(entry) && !is_ours(entry) && !CONTROLLERS.contains(&manager(entry))
}

/// Says whether two sets have a field in common, save what is named in `identity`.
fn overlaps(one: &Value, other: &Value, identity: &[String]) -> bool {
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else {
        return false;
    };
    let common = one
        .iter()
        .filter(|(key, _)| *key != "." && !identity.contains(key))
        .filter_map(|(key, below)| Some((key, below, other.get(key)?)));
    let mut common = common.map(|(key, below, theirs)| {
        let is_leaf = |fields: &Value| fields.as_object().is_none_or(Map::is_empty);
        is_leaf(below) || is_leaf(theirs) || overlaps(below, theirs, &identity_of(key))
    });
    common.any(|is_common| is_common)
}

/// The fields that name an item of a list, by its key: `k:{"name":"web"}`.
fn identity_of(key: &str) -> Vec<String> {
    let names = key.strip_prefix("k:").map(serde_json::from_str::<Value>);
    let Some(Ok(Value::Object(names))) = names else {
        return Vec::new();
    };
    names.keys().map(|name| format!("f:{name}")).collect()
}

/// Says whether its fields may be taken: a person's, or those of a manager that is listed.
fn may_take(entry: &Value, taken: &[String]) -> bool {
    is_person(entry) || (is_main(entry) && taken.iter().any(|name| name == manager(entry)))
}

/// Fields that nobody takes from anybody, with those at the pointers `left`.
fn spared(left: &[String]) -> Vec<Vec<String>> {
    let fixed: [&[&str]; 3] = [&["f:metadata"], &["f:status"], &RESTART];
    let fixed = fixed.map(|path| path.iter().map(ToString::to_string).collect());
    let left = left.iter().map(|pointer| {
        let keys = pointer.split('/').skip(1);
        keys.map(|key| format!("f:{key}")).collect()
    });
    fixed.into_iter().chain(left).collect()
}

/// Splits a set of fields into what may be taken and what is spared.
pub(super) fn split(fields: &Value, spared: &[Vec<String>]) -> (Value, Value) {
    let Value::Object(map) = fields else {
        return (fields.clone(), json!({}));
    };
    let (mut taken, mut left) = (Map::new(), Map::new());
    for (key, below) in map {
        let deeper: Vec<Vec<String>> = spared
            .iter()
            .filter(|path| path.first() == Some(key))
            .map(|path| path[1..].to_vec())
            .collect();
        if deeper.iter().any(Vec::is_empty) {
            left.insert(key.clone(), below.clone());
        } else if deeper.is_empty() {
            taken.insert(key.clone(), below.clone());
        } else {
            let (some, rest) = split(below, &deeper);
            if !is_hollow(&some) {
                taken.insert(key.clone(), some);
            }
            if !is_hollow(&rest) {
                left.insert(key.clone(), rest);
            }
        }
    }
    (Value::Object(taken), Value::Object(left))
}

/// Says whether a set of fields names nothing: `.` alone stands for a map itself.
pub(super) fn is_hollow(fields: &Value) -> bool {
    match fields {
        Value::Object(map) => map.keys().all(|key| key == "."),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    }
}

fn merge(into: &mut Value, from: &Value) {
    let (Value::Object(into), Value::Object(from)) = (into, from) else {
        return;
    };
    for (key, below) in from {
        merge(into.entry(key.clone()).or_insert_with(|| json!({})), below);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::plan) fn live(entries: impl Into<Value>) -> Object {
        let entries = entries.into();
        Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "managedFields": entries},
        }))
        .unwrap()
    }

    pub(in crate::plan) fn entry(
        manager: &str,
        operation: &str,
        fields: impl Into<Value>,
    ) -> Value {
        let fields = fields.into();
        json!({
            "manager": manager, "operation": operation, "apiVersion": "apps/v1",
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    }

    #[test]
    fn what_set_env_added_becomes_ours_and_nothing_else_moves() {
        let env = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"web\"}": {"f:env": {".": {}, "k:{\"name\":\"X\"}": {".": {}}}}
        }}}}});
        let object = live(json!([
            entry("tidegate", "Apply", json!({"f:spec": {"f:replicas": {}}})),
            entry("kubectl-set", "Update", env.clone()),
            entry(
                "kube-controller-manager",
                "Update",
                json!({"f:metadata": {"f:annotations": {}}})
            ),
        ]));
        let managers = Managers::of(&object);
        assert_eq!(managers.spec_editor(&[], &[]), Some("kubectl-set"));
        let absorbed = managers.absorbed(&[], &[]).unwrap();
        assert_eq!(absorbed.as_array().unwrap().len(), 2);
        assert_eq!(absorbed[0]["manager"], "tidegate");
        assert_eq!(
            absorbed[0]["fieldsV1"]["f:spec"]["f:template"],
            env["f:spec"]["f:template"]
        );
        assert!(absorbed[0]["fieldsV1"]["f:spec"]["f:replicas"].is_object());
    }

    #[test]
    fn a_restart_by_hand_is_nobodys_edit() {
        let restart = json!({"f:spec": {"f:template": {"f:metadata": {"f:annotations": {
            ".": {}, "f:kubectl.kubernetes.io/restartedAt": {}
        }}}}});
        let object = live(json!([entry("kubectl-rollout", "Update", restart)]));
        assert_eq!(Managers::of(&object).spec_editor(&[], &[]), None);
        assert_eq!(Managers::of(&object).absorbed(&[], &[]), None);
    }

    #[test]
    fn replicas_stay_with_a_scaler_where_git_does_not_name_them() {
        let object = live(json!([entry(
            "kubectl",
            "Update",
            json!({"f:spec": {"f:replicas": {}}})
        )]));
        let managers = Managers::of(&object);
        let left = ["/spec/replicas".to_owned()];
        assert_eq!(managers.absorbed(&left, &[]), None);
        assert_eq!(managers.spec_editor(&left, &[]), None);
        assert!(managers.edits().are_only(&left));
        assert!(managers.absorbed(&[], &[]).is_some());
        assert_eq!(managers.spec_editor(&[], &[]), Some("kubectl"));
        assert!(!managers.edits().are_only(&[]));
    }

    #[test]
    fn another_applier_that_would_lose_a_field_is_named() {
        let theirs = json!({"f:spec": {"f:minReadySeconds": {}, "f:paused": {}}});
        let before = live(json!([entry("flux", "Apply", theirs)]));
        let after = live(json!([entry(
            "flux",
            "Apply",
            json!({"f:spec": {"f:paused": {}}})
        )]));
        let managers = Managers::of(&before);
        assert_eq!(managers.losers(&after, &[]), ["flux"]);
        assert!(managers.losers(&after, &["flux".to_owned()]).is_empty());
        assert!(managers.losers(&before, &[]).is_empty());
    }

    #[test]
    fn other_tools_are_named_unless_their_fields_may_be_taken() {
        let object = live(json!([entry(
            "helm",
            "Update",
            json!({"f:spec": {"f:replicas": {}}})
        )]));
        let managers = Managers::of(&object);
        assert_eq!(managers.tools(&[]), ["helm"]);
        assert!(managers.tools(&["helm".to_owned()]).is_empty());
        assert!(managers.absorbed(&[], &["helm".to_owned()]).is_some());
    }
}
