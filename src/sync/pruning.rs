//! Deletes: last of all, within the budget, bound to the UID that was recorded.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::cluster::Deletion;
use crate::ledger::{Course, HeldPrune, Trouble};
use crate::object::{Object, ObjectId, later, mark};
use crate::plan::{Budget, Prune, Set, State, prune};

use super::BookFault;
use super::app::App;
use super::pursuit::TOLD;

/// How soon an object whose deletion has begun is looked at again.
const LOOK: Duration = Duration::from_secs(2);
/// How long a commit waits for its deletes at most: they were asked for, and what finalizers stand
/// for says nothing of its pods.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two looks once it has taken too long.
const SELDOM: Duration = Duration::from_secs(30);

/// How far the deletes are.
pub(super) enum Pruning {
    /// Nothing is left to delete, or a person has to approve first.
    Done,
    /// Some objects are not gone yet; when to look again.
    Waiting(Timestamp),
    /// Their finalizers have kept some for too long: nothing waits for them any more, but they are
    /// told, and looked at again.
    Stuck(Timestamp),
}

impl App {
    /// Deletes what the aim does not have.
    pub(super) async fn prune(&mut self, set: &Arc<Set>) -> Result<Pruning, BookFault> {
        let gone: Vec<ObjectId> = self
            .book
            .ledger
            .inventory
            .iter()
            .filter(|(id, entry)| !set.contains_key(*id) && entry.state == State::Intended)
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.settle_intention(&id).await?;
        }
        if let Some(wake) = self.hand_over(set, crate::clock::now()).await? {
            return Ok(Pruning::Waiting(wake));
        }
        let plan = self.prune_plan(set);
        if plan.deletes.is_empty() {
            self.book.ledger.held_prune = None;
            self.clear(Trouble::PruneStuck);
            return Ok(Pruning::Done);
        }
        if !self.sync.prune.enabled {
            return Ok(Pruning::Done);
        }
        let created = self.created_by_failed(&plan.deletes);
        let deletes = if created.is_empty() {
            if self.is_over_budget(&plan) {
                return Ok(Pruning::Done);
            }
            self.book.ledger.held_prune = None;
            plan.deletes
        } else {
            created
        };
        for id in &deletes {
            if let Some(entry) = self.book.ledger.inventory.get_mut(id) {
                entry.state = State::Deleting;
            }
        }
        self.book.save().await?;
        let mut left = Vec::new();
        for id in &deletes {
            match self.delete(id).await {
                Ok(kept) => left.extend(kept),
                Err(BookFault::Refused(refusal)) if refusal.is_for_good() => {
                    left.push(refusal.to_string());
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(self.time_prune(&left, crate::clock::now()))
    }

    /// Starts or checks the clock of objects whose deletion has begun.
    fn time_prune(&mut self, left: &[String], now: Timestamp) -> Pruning {
        if left.is_empty() {
            self.clear(Trouble::PruneStuck);
            return Pruning::Done;
        }
        if self
            .book
            .ledger
            .aim
            .as_ref()
            .is_some_and(|aim| !aim.is_done)
        {
            let told = left.iter().take(TOLD).cloned().collect();
            let since = self.open_stage("Prune", told, now);
            let known = self.book.ledger.problem(Trouble::PruneStuck).is_some();
            if !known && now < later(since, self.sync.health_timeout.min(PATIENCE)) {
                return Pruning::Waiting(later(now, LOOK));
            }
        }
        let more = match left.len().saturating_sub(TOLD) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let message = format!(
            "{}{more}; what is to be deleted is still there, and is tried again",
            left[..left.len().min(TOLD)].join("; ")
        );
        self.trouble(Trouble::PruneStuck, message);
        Pruning::Stuck(later(now, SELDOM))
    }

    pub(super) fn prune_plan(&self, set: &Set) -> Prune {
        let config = &self.sync.prune;
        let budget = Budget {
            max_objects: config.max_objects,
            max_percent: config.max_percent,
        };
        let protected = |id: &ObjectId| config.protected_kinds.iter().any(|kind| kind.matches(id));
        prune(&self.book.ledger.inventory, set, budget, &protected)
    }

    /// Those of the deletes that the commit created which is gone back on: they need no approval,
    /// and wait for none.
    fn created_by_failed(&self, deletes: &[ObjectId]) -> Vec<ObjectId> {
        let ledger = &self.book.ledger;
        let Some(Course::Back { from, .. }) = ledger.aim.as_ref().map(|aim| &aim.course) else {
            return Vec::new();
        };
        let culprit = ledger.quarantine.culprit(from);
        let is_created = |id: &&ObjectId| {
            let hash = culprit.and_then(|culprit| culprit.changed.get(*id));
            hash.is_some_and(Option::is_some)
        };
        deletes.iter().filter(is_created).cloned().collect()
    }

    /// Holds the deletes that a person has to approve.
    fn is_over_budget(&mut self, plan: &Prune) -> bool {
        let Some(aim) = self.book.ledger.aim.clone() else {
            return true;
        };
        let Some(why) = &plan.over_budget else {
            return false;
        };
        let approval = format!("{}/prune/{}", aim.revision.id, plan.digest);
        if self.book.ledger.approvals.contains(&approval) {
            return false;
        }
        let held = HeldPrune {
            commit: aim.revision.id,
            digest: plan.digest.clone(),
            objects: plan.deletes.clone(),
            why: why.clone(),
        };
        if self.book.ledger.held_prune.as_ref() != Some(&held) {
            let note = format!("{why}; `tidegate approve {}` lets them go", self.label());
            self.announce(None, "PruneHeld", note, true);
            self.book.ledger.held_prune = Some(held);
        }
        true
    }

    /// An object that was only intended: it is ours if it came to be, else it is forgotten.
    async fn settle_intention(&mut self, id: &ObjectId) -> Result<(), BookFault> {
        let Some(entry) = self.book.ledger.inventory.get(id).cloned() else {
            return Ok(());
        };
        let found = self.shared.cluster.get(&entry.api_version, id).await?;
        let ours = found.filter(|object| {
            object.annotation(mark::OWNER) == Some(self.owner.annotation(id).as_str())
        });
        match ours {
            Some(object) => {
                if let Some(entry) = self.book.ledger.inventory.get_mut(id) {
                    entry.uid = object.uid().map(ToOwned::to_owned);
                    entry.state = State::Applied;
                }
            }
            None => {
                self.book.ledger.inventory.remove(id);
            }
        }
        Ok(())
    }

    /// Deletes one object; returns what keeps it where it is not gone for certain.
    async fn delete(&mut self, id: &ObjectId) -> Result<Option<String>, BookFault> {
        let Some(entry) = self.book.ledger.inventory.get(id).cloned() else {
            return Ok(None);
        };
        let found = self.shared.cluster.get(&entry.api_version, id).await?;
        let Some(object) = found.filter(|object| object.uid() == entry.uid.as_deref()) else {
            self.leave(id, "is gone");
            return Ok(None);
        };
        if object.annotation(mark::OWNER) != Some(self.owner.annotation(id).as_str()) {
            self.leave(id, "is owned by someone else now and stays");
            return Ok(None);
        }
        if object.annotation(mark::PRUNE) == Some("Disabled") {
            self.leave(id, "is marked tidegate.dev/prune: Disabled and stays");
            return Ok(None);
        }
        let kept = kept_by(&object);
        if object.is_terminating() {
            return Ok(Some(format!("{id} is being deleted{kept}")));
        }
        let uid = entry.uid.unwrap_or_default();
        let version = object.resource_version();
        let done = self
            .shared
            .cluster
            .delete(&entry.api_version, id, &uid, version)
            .await?;
        let (note, left) = match done {
            Deletion::Gone | Deletion::AnotherUid => {
                self.leave(id, "is gone");
                (format!("{id} is deleted"), None)
            }
            Deletion::Begun(_) => {
                let note = format!("{id} is being deleted{kept}");
                (note.clone(), Some(note))
            }
        };
        self.announce(None, "ObjectPruned", note, false);
        Ok(left)
    }

    /// An object leaves the inventory.
    pub(super) fn leave(&mut self, id: &ObjectId, why: &str) {
        tracing::info!(gitsync = %self.label(), object = %id, why, "object left the inventory");
        self.book.ledger.inventory.remove(id);
        self.book.ledger.rollouts.remove(id);
        self.marks.remove(id);
    }
}

/// Words about the finalizers that keep an object once its deletion has begun; may be empty.
fn kept_by(object: &Object) -> String {
    let all = object.at("/metadata/finalizers").and_then(Value::as_array);
    let names: Vec<&str> = all
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!(" and kept by its finalizers {}", names.join(", "))
}
