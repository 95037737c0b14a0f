//! The objects that a commit wants, as they are to be written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::manifest::{Desired, Stage, desired_hash, stage};
use crate::object::{Digest, Object, ObjectId, Workload, mark};
use crate::policy::{self, Baseline, Resolved};
use crate::revision::{CommitId, Fault, Place, Revision};
use crate::rollout::Overlay;

use super::Entry;

/// The `GitSync` that objects belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The installation.
    pub instance: String,
    /// Namespace of the `GitSync`.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// One object as a commit wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The manifest with our label and owner; without commit, path and change cause.
    pub object: Object,
    /// Its digest.
    pub hash: Digest,
    /// The commit.
    pub revision: Revision,
    /// Where its document starts.
    pub place: Place,
    /// When its turn is.
    pub stage: Stage,
    /// How it is rolled; workloads only.
    pub policy: Option<Resolved>,
    /// Pointers of fields that are left to others and keep their live value.
    pub withdrawn: Vec<String>,
}

/// All objects that a commit wants.
pub type Set = BTreeMap<ObjectId, Wanted>;

impl Owner {
    /// Returns the value of the label that all objects of the `GitSync` carry.
    #[must_use]
    pub fn label(&self) -> String {
        let text = format!("{}/{}/{}", self.instance, self.namespace, self.name);
        Digest::of(&Value::String(text)).as_str()[..32].to_owned()
    }

    /// Returns the other `GitSync` that an owner annotation names, as `instance/namespace/name`;
    /// `None` where it is this one, or where the annotation was copied from another object.
    #[must_use]
    pub fn rival<'a>(&self, id: &ObjectId, annotation: &'a str) -> Option<&'a str> {
        let rival = annotation.strip_suffix(&format!(":{}", id.key()))?;
        (annotation != self.annotation(id)).then_some(rival)
    }

    /// Returns the owner annotation of one object; a copy under another name does not match it.
    #[must_use]
    pub fn annotation(&self, id: &ObjectId) -> String {
        format!(
            "{}/{}/{}:{}",
            self.instance,
            self.namespace,
            self.name,
            id.key()
        )
    }
}

/// Turns what was read of a commit into what is to be written, but for workloads with a faulty
/// policy; returns all faults of all policies with it.
///
/// `withdrawals` are fields that are left to others. Where an autoscaler of the commit targets a
/// workload its replicas are withdrawn too.
#[must_use]
pub fn wanted(
    desired: &Desired,
    revision: &Revision,
    owner: &Owner,
    baseline: &Baseline,
    withdrawals: &dyn Fn(&ObjectId) -> Vec<String>,
) -> (Set, Vec<Fault>) {
    let scaled = scaled(desired);
    let mut faults = Vec::new();
    let mut set = Set::new();
    for located in &desired.objects {
        let id = located.object.id();
        let resolved = id
            .is_workload()
            .then(|| policy::resolve(located, &desired.policies, baseline));
        let policy = match resolved.transpose() {
            Ok(policy) => policy,
            Err(more) => {
                faults.extend(more);
                continue;
            }
        };
        let mut object = located.object.clone();
        object.fold_string_data();
        let mut withdrawn = withdrawals(&id);
        if scaled.contains(&id) {
            withdrawn.push("/spec/replicas".to_owned());
        }
        for pointer in &withdrawn {
            let path: Vec<&str> = pointer.split('/').skip(1).collect();
            object.remove(&path);
        }
        let is_scaled = id.is_workload() && id.kind != "DaemonSet";
        if is_scaled && object.at("/spec/replicas").is_none() {
            withdrawn.push("/spec/replicas".to_owned());
        }
        withdrawn.sort();
        withdrawn.dedup();
        object.mark(mark::GITSYNC, &owner.label());
        object.annotate(mark::OWNER, &owner.annotation(&id));
        let wanted = Wanted {
            hash: desired_hash(&object),
            object,
            revision: revision.clone(),
            place: located.place.clone(),
            stage: stage(&id),
            policy,
            withdrawn,
        };
        set.insert(id, wanted);
    }
    (set, faults)
}

/// The workloads that an autoscaler of the commit targets.
fn scaled(desired: &Desired) -> BTreeSet<ObjectId> {
    desired
        .objects
        .iter()
        .filter_map(|located| scale_target(&located.object))
        .collect()
}

/// Returns the workload that a `HorizontalPodAutoscaler` or a KEDA `ScaledObject` scales.
#[must_use]
pub fn scale_target(scaler: &Object) -> Option<ObjectId> {
    let is_scaler = matches!(scaler.kind(), "HorizontalPodAutoscaler" | "ScaledObject");
    let target = scaler.at("/spec/scaleTargetRef").filter(|_| is_scaler)?;
    let text = |key: &str| target.get(key).and_then(Value::as_str);
    let api_version = text("apiVersion").unwrap_or("apps/v1");
    Some(ObjectId {
        group: api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
            .to_owned(),
        kind: text("kind").unwrap_or("Deployment").to_owned(),
        namespace: scaler.namespace().map(ToOwned::to_owned),
        name: text("name")?.to_owned(),
    })
}

impl Wanted {
    /// Returns the object as it is applied: with the commit, the path and the change cause that
    /// the inventory records, and an overlay.
    #[must_use]
    pub fn dressed(&self, entry: &Entry, overlay: Overlay) -> Object {
        let mut object = self.object.clone();
        object.annotate(mark::COMMIT, entry.commit.as_str());
        object.annotate(mark::SOURCE_PATH, &entry.path);
        if let Some(cause) = &entry.change_cause
            && object.annotation(mark::CHANGE_CAUSE).is_none()
        {
            object.annotate(mark::CHANGE_CAUSE, cause);
        }
        overlay.lay(&mut object);
        object
    }

    /// Says whether Git keeps the object from being pruned.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.object.annotation(mark::PRUNE) == Some("Disabled")
    }

    /// Returns the commit.
    #[must_use]
    pub fn commit(&self) -> &CommitId {
        &self.revision.id
    }
}

/// Returns the digest of all that a failure of a workload is judged by beside its template: its
/// policy and the ConfigMaps and Secrets of the set that the template uses.
#[must_use]
pub fn uses(set: &Set, workload: &ObjectId) -> Digest {
    let Some(wanted) = set.get(workload) else {
        return Digest::of(&Value::Null);
    };
    let hash = |id: &ObjectId| {
        set.get(id)
            .map_or(Value::Null, |wanted| wanted.hash.to_string().into())
    };
    let hashes: Vec<Value> = used(wanted).iter().map(hash).collect();
    let policy = wanted.policy.as_ref().map(|resolved| &resolved.policy);
    let policy = serde_json::to_value(policy).unwrap_or_default();
    Digest::of(&Value::Array(vec![policy, Value::Array(hashes)]))
}

/// Returns the ConfigMaps and Secrets that a workload uses, in the set or not.
#[must_use]
pub fn used(workload: &Wanted) -> Vec<ObjectId> {
    let named = used_by(Workload(&workload.object).template());
    let id = |(kind, name): (&str, String)| ObjectId {
        group: String::new(),
        kind: kind.to_owned(),
        namespace: workload.object.namespace().map(ToOwned::to_owned),
        name,
    };
    named.into_iter().map(id).collect()
}

/// The ConfigMaps and Secrets that a pod template names, as `(kind, name)`.
fn used_by(template: &Value) -> BTreeSet<(&'static str, String)> {
    let mut used = BTreeSet::new();
    gather(template, &mut used);
    used
}

/// Where a pod spec names configuration: key of the reference, key of the name, kind.
const REFERENCES: [(&str, &str, &str); 7] = [
    ("configMapKeyRef", "name", "ConfigMap"),
    ("configMapRef", "name", "ConfigMap"),
    ("configMap", "name", "ConfigMap"),
    ("secretKeyRef", "name", "Secret"),
    ("secretRef", "name", "Secret"),
    ("secret", "secretName", "Secret"),
    ("secret", "name", "Secret"),
];

fn gather(value: &Value, used: &mut BTreeSet<(&'static str, String)>) {
    match value {
        Value::Object(map) => {
            for (reference, key, kind) in REFERENCES {
                let name = map.get(reference).and_then(|found| found.get(key));
                if let Some(name) = name.and_then(Value::as_str) {
                    used.insert((kind, name.to_owned()));
                }
            }
            map.values().for_each(|below| gather(below, used));
        }
        Value::Array(items) => items.iter().for_each(|below| gather(below, used)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
