//! Which workload of a commit waits for which other one.

use std::collections::{BTreeMap, BTreeSet};

use crate::object::{ObjectId, hint};
use crate::policy::Policy;
use crate::revision::Fault;

use super::{Set, Wanted};

/// Workloads that have not ended, when the turn of another one is asked for.
#[derive(Clone, Debug, Default)]
pub struct Unfinished {
    /// Those whose rollout has not begun or not ended.
    pub pending: BTreeSet<ObjectId>,
    /// Those of them that are being rolled.
    pub rolling: BTreeSet<ObjectId>,
}

impl Unfinished {
    /// Takes down how one stands: whether it is being rolled, and whether it is still to be.
    pub fn note(&mut self, id: &ObjectId, rolls: bool, is_due: bool) {
        for (ids, holds) in [
            (&mut self.pending, rolls || is_due),
            (&mut self.rolling, rolls),
        ] {
            if holds {
                ids.insert(id.clone());
            } else {
                ids.remove(id);
            }
        }
    }
}

/// Returns a workload that has to end before this one begins: one of a lower wave, one that it
/// depends on, or one of its group that is being rolled.
#[must_use]
pub fn waits_for<'a>(set: &Set, id: &ObjectId, others: &'a Unfinished) -> Option<&'a ObjectId> {
    let own = policy(set, id)?;
    let others_of = |ids: &'a BTreeSet<ObjectId>| ids.iter().filter(move |other| *other != id);
    let wave = |other: &ObjectId| policy(set, other).map_or(0, |policy| policy.wave);
    let is_first = |other: &&ObjectId| {
        wave(other) < own.wave || own.depends_on.iter().any(|name| is_named(id, name, other))
    };
    let is_near = |other: &&ObjectId| {
        let group = policy(set, other).and_then(|policy| policy.group.as_ref());
        group.is_some() && group == own.group.as_ref()
    };
    let first = others_of(&others.pending).find(is_first);
    first.or_else(|| others_of(&others.rolling).find(is_near))
}

/// Says whether any workload of a set may have to wait for another one.
#[must_use]
pub fn has_turns(set: &Set) -> bool {
    let mut policies = set.keys().filter_map(|id| policy(set, id));
    policies.any(|it| it.wave != 0 || it.group.is_some() || !it.depends_on.is_empty())
}

/// Finds what can never have its turn: dependencies that are not there, that go round in a circle,
/// or that are of a later wave.
#[must_use]
pub fn faults(set: &Set) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut edges: BTreeMap<&ObjectId, Vec<&ObjectId>> = BTreeMap::new();
    for (id, wanted) in set {
        let Some(own) = policy(set, id) else { continue };
        for name in &own.depends_on {
            let found = set.keys().find(|other| is_named(id, name, other));
            let Some(found) = found else {
                faults.push(fault(wanted, name, &unknown(set, id, name)));
                continue;
            };
            let wave = policy(set, found).map_or(0, |policy| policy.wave);
            if wave > own.wave {
                let words = format!("is of wave {wave}, after its own wave {}", own.wave);
                faults.push(fault(wanted, name, &words));
            }
            edges.entry(id).or_default().push(found);
        }
    }
    for (id, wanted) in set {
        if reaches(&edges, id, id) {
            let names = policy(set, id).map_or(&[][..], |policy| &policy.depends_on);
            let words = "waits for it in turn, so neither would ever begin";
            faults.push(fault(wanted, &names.join(", "), words));
        }
    }
    faults
}

fn policy<'a>(set: &'a Set, id: &ObjectId) -> Option<&'a Policy> {
    Some(&set.get(id)?.policy.as_ref()?.policy)
}

/// Says whether a workload beside `id` is the one that it names as `Kind/name`.
fn is_named(id: &ObjectId, name: &str, other: &ObjectId) -> bool {
    other.is_workload() && other.namespace == id.namespace && other.short() == name
}

fn unknown(set: &Set, id: &ObjectId, name: &str) -> String {
    let beside = set.keys();
    let beside: Vec<String> = beside
        .filter(|other| other.is_workload() && other.namespace == id.namespace)
        .map(ObjectId::short)
        .collect();
    let hint = hint(name, beside.iter().map(String::as_str));
    format!("is no workload of this commit in its namespace{hint}")
}

fn fault(wanted: &Wanted, name: &str, words: &str) -> Fault {
    Fault {
        place: wanted.place.clone(),
        message: format!("{}: dependsOn: {name} {words}", wanted.object.id().short()),
    }
}

/// Says whether a way leads from one workload to another.
fn reaches(edges: &BTreeMap<&ObjectId, Vec<&ObjectId>>, from: &ObjectId, to: &ObjectId) -> bool {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&ObjectId> = edges.get(from).into_iter().flatten().copied().collect();
    while let Some(next) = open.pop() {
        if next == to {
            return true;
        }
        if seen.insert(next) {
            open.extend(edges.get(next).into_iter().flatten().copied());
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::stage;
    use crate::object::{Digest, Object};
    use crate::policy::Resolved;
    use crate::revision::{Place, Position, Revision};

    /// Workloads by `Kind/name`, each with its policy.
    fn set(workloads: &[(&str, Policy)]) -> Set {
        let revision = Revision {
            id: "a".repeat(40).parse().unwrap(),
            subject: String::new(),
            author: String::new(),
            time: jiff::Timestamp::UNIX_EPOCH,
        };
        let wanted = |(name, policy): &(&str, Policy)| {
            let (kind, name) = name.split_once('/').unwrap();
            let object = Object::new(json!({"apiVersion": "apps/v1", "kind": kind,
                "metadata": {"name": name, "namespace": "shop"}}));
            let object = object.unwrap();
            let id = object.id();
            let wanted = Wanted {
                hash: Digest::of(object.value()),
                object,
                revision: revision.clone(),
                place: Place::new("a.yaml", Position { line: 1, column: 1 }),
                stage: stage(&id),
                policy: Some(Resolved {
                    policy: policy.clone(),
                    origins: BTreeMap::new(),
                    notes: Vec::new(),
                }),
                withdrawn: Vec::new(),
            };
            (id, wanted)
        };
        workloads.iter().map(wanted).collect()
    }

    fn id(name: &str) -> ObjectId {
        let (kind, name) = name.split_once('/').unwrap();
        format!("apps/{kind}/shop/{name}").parse().unwrap()
    }

    fn of_wave(wave: i32) -> Policy {
        Policy {
            wave,
            ..Policy::default()
        }
    }

    fn after(name: &str) -> Policy {
        Policy {
            depends_on: vec![name.to_owned()],
            ..Policy::default()
        }
    }

    fn unfinished(pending: &[&str], rolling: &[&str]) -> Unfinished {
        let ids = |names: &[&str]| names.iter().map(|name| id(name)).collect();
        Unfinished {
            pending: ids(pending),
            rolling: ids(rolling),
        }
    }

    #[test]
    fn lower_waves_and_dependencies_come_first() {
        let set = set(&[
            ("StatefulSet/db", Policy::default()),
            ("Deployment/api", after("StatefulSet/db")),
            ("Deployment/web", of_wave(1)),
        ]);
        assert!(has_turns(&set));
        assert!(faults(&set).is_empty());
        let all = ["StatefulSet/db", "Deployment/api", "Deployment/web"];
        let waits = |name: &str, pending: &[&str]| {
            let others = unfinished(pending, &[]);
            waits_for(&set, &id(name), &others).map(ObjectId::short)
        };
        assert_eq!(waits("StatefulSet/db", &all), None);
        assert_eq!(
            waits("Deployment/api", &all).as_deref(),
            Some("StatefulSet/db")
        );
        assert_eq!(
            waits("Deployment/web", &all).as_deref(),
            Some("Deployment/api")
        );
        assert_eq!(waits("Deployment/api", &all[1..]), None);
        assert_eq!(waits("Deployment/web", &all[2..]), None);
    }

    #[test]
    fn of_a_group_one_is_rolled_at_a_time() {
        let grouped = || Policy {
            group: Some("db".to_owned()),
            ..Policy::default()
        };
        let set = set(&[("StatefulSet/a", grouped()), ("StatefulSet/b", grouped())]);
        let both = ["StatefulSet/a", "StatefulSet/b"];
        let a = id("StatefulSet/a");
        assert_eq!(waits_for(&set, &a, &unfinished(&both, &[])), None);
        let busy = unfinished(&both, &both[1..]);
        assert_eq!(waits_for(&set, &a, &busy), Some(&id("StatefulSet/b")));
    }

    #[test]
    fn what_could_never_begin_is_a_fault() {
        let set = set(&[
            ("Deployment/a", after("Deployment/b")),
            ("Deployment/b", after("Deployment/a")),
            ("Deployment/c", after("Deployment/ab")),
            ("Deployment/d", after("Deployment/late")),
            ("Deployment/late", of_wave(2)),
        ]);
        let told: Vec<String> = faults(&set).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a.yaml:1:1: Deployment/c: dependsOn: Deployment/ab is no workload of this commit in its namespace; did you mean `Deployment/a`?",
                "a.yaml:1:1: Deployment/d: dependsOn: Deployment/late is of wave 2, after its own wave 0",
                "a.yaml:1:1: Deployment/a: dependsOn: Deployment/b waits for it in turn, so neither would ever begin",
                "a.yaml:1:1: Deployment/b: dependsOn: Deployment/a waits for it in turn, so neither would ever begin",
            ]
        );
    }
}
