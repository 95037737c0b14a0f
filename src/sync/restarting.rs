//! Restarts on request: the pod template gets a stamp, so that the workload rolls in batches like
//! any other change of its template.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock;
use crate::ledger::Restart;
use crate::manifest::desired_hash;
use crate::object::{Digest, Object, ObjectId, Workload, mark};
use crate::plan::{Set, Wanted};

use super::app::App;

/// Where the stamp is.
const STAMP: [&str; 5] = [
    "spec",
    "template",
    "metadata",
    "annotations",
    mark::RESTARTED,
];

/// A restart as it is asked for.
#[derive(Deserialize)]
struct Asked {
    by: Option<String>,
    at: Option<Timestamp>,
    /// `Kind/name` of each workload.
    workloads: Vec<String>,
}

/// Returns the hash of a manifest as Git has it, without the stamp.
pub(super) fn unstamped(wanted: &Wanted) -> Digest {
    let mut object = wanted.object.clone();
    if object.remove(&STAMP).is_none() {
        return wanted.hash.clone();
    }
    let annotations = object.at("/spec/template/metadata/annotations");
    let is_empty = |map: &Value| map.as_object().is_some_and(serde_json::Map::is_empty);
    if annotations.is_some_and(is_empty) {
        object.remove(&STAMP[..4]);
    }
    desired_hash(&object)
}

impl App {
    /// Serves a request; what is being rolled out gets new pods anyway.
    pub(super) fn restart(&mut self, value: &str) -> String {
        let asked: Asked = match serde_json::from_str(value) {
            Ok(asked) => asked,
            Err(cause) => return format!("`{value}` is no restart: {cause}"),
        };
        let mut answers = Vec::new();
        for name in &asked.workloads {
            let inventory = &self.book.ledger.inventory;
            let known = inventory
                .iter()
                .find(|(id, _)| id.is_workload() && id.short().eq_ignore_ascii_case(name));
            let Some((id, entry)) = known.map(|(id, entry)| (id.clone(), entry.clone())) else {
                answers.push(format!("{name} is none of the workloads"));
                continue;
            };
            if self.is_rolling(&id) {
                answers.push(format!("{name} is being rolled out already"));
                continue;
            }
            if self.book.ledger.is_held(&id) {
                answers.push(format!("{name} is held by quarantine and stays as it is"));
                continue;
            }
            let restart = Restart {
                at: asked.at.unwrap_or_else(clock::now),
                by: asked.by.clone().unwrap_or_else(|| "a person".to_owned()),
                from: entry.template,
            };
            answers.push(format!("{name} is restarted in batches for {}", restart.by));
            self.book.ledger.restarts.insert(id, restart);
        }
        self.stamp_again();
        answers.join("; ")
    }

    /// Lays the stamps of all restarts over a set.
    pub(super) fn stamped(&self, mut set: Set) -> Set {
        for (id, restart) in &self.book.ledger.restarts {
            let Some(wanted) = set.get_mut(id) else {
                continue;
            };
            let object = &mut wanted.object;
            // An empty list of annotations is written as null.
            let annotations = object.at("/spec/template/metadata/annotations");
            if annotations.is_some_and(Value::is_null) {
                object.remove(&STAMP[..4]);
            }
            object.set(&STAMP, json!(restart.at.to_string()));
            wanted.hash = desired_hash(object);
        }
        set
    }

    /// Lays them over the sets that are in memory.
    fn stamp_again(&mut self) {
        self.composed = None;
        let sets = std::mem::take(&mut self.sets);
        for (commit, set) in sets {
            let stamped = self.stamped(Set::clone(&set));
            self.sets.insert(commit, Arc::new(stamped));
        }
    }

    /// Says whether the pods of a workload are only being restarted: what it runs has succeeded.
    pub(super) fn is_restarting(&self, id: &ObjectId) -> bool {
        let live = self.shared.live.get(id);
        live.is_some_and(|live| self.is_mere_restart(id, &Workload(&live).content_digest()))
    }

    /// Says whether all that a person's restart asks for is new pods: what is wanted is what ran
    /// before, but for the stamp.
    pub(super) fn is_restart_alone(&self, id: &ObjectId, set: &Set) -> bool {
        let ledger = &self.book.ledger;
        if !ledger.restarts.contains_key(id) {
            return false;
        }
        let Some(probe) = self.probes.get(&(id.clone(), set[id].hash.clone())) else {
            return false;
        };
        let live = self.shared.live.get(id);
        let Some(mut before) = live.map(|live| Object::clone(&live)) else {
            return false;
        };
        let rolled = ledger.rolling(id).and_then(|kept| kept.engagement.as_ref());
        if let Some(engagement) = rolled {
            before.set(&["spec", "template"], engagement.template.clone());
        }
        let content = |object: &Object| Workload(object).content_digest();
        content(&before) == content(&probe.object)
    }

    /// Says whether a template that failed differs from one that succeeded in its stamp alone:
    /// that does not speak against its commit.
    pub(super) fn is_mere_restart(&self, id: &ObjectId, content: &Digest) -> bool {
        let ledger = &self.book.ledger;
        let entry = ledger.inventory.get(id);
        ledger.restarts.contains_key(id) && entry.is_some_and(|entry| entry.has_succeeded(content))
    }
}
