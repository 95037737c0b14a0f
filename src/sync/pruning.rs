//! Deletes: last of all, within the budget, bound to the UID that was recorded.

use std::sync::Arc;

use jiff::Timestamp;

use crate::cluster::Deletion;
use crate::ledger::{Course, HeldPrune};
use crate::object::{ObjectId, later, mark};
use crate::plan::{Budget, Prune, Set, State, prune};

use super::BookFault;
use super::app::App;

/// How soon an object whose deletion has begun is looked at again.
const LOOK: std::time::Duration = std::time::Duration::from_secs(2);

impl App {
    /// Deletes what the aim does not have; `Some`: some are not gone yet.
    pub(super) async fn prune(&mut self, set: &Arc<Set>) -> Result<Option<Timestamp>, BookFault> {
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
            return Ok(Some(wake));
        }
        let plan = self.prune_plan(set);
        if plan.deletes.is_empty() {
            self.book.ledger.held_prune = None;
            return Ok(None);
        }
        if !self.sync.prune.enabled || self.is_over_budget(&plan) {
            return Ok(None);
        }
        self.book.ledger.held_prune = None;
        for id in &plan.deletes {
            if let Some(entry) = self.book.ledger.inventory.get_mut(id) {
                entry.state = State::Deleting;
            }
        }
        self.book.save().await?;
        let mut is_waiting = false;
        for id in &plan.deletes {
            is_waiting |= !self.delete(id).await?;
        }
        Ok(is_waiting.then(|| later(crate::clock::now(), LOOK)))
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

    /// Holds the deletes that a person has to approve. What a commit created that is gone back on
    /// needs no approval.
    fn is_over_budget(&mut self, plan: &Prune) -> bool {
        let Some(aim) = self.book.ledger.aim.clone() else {
            return true;
        };
        if let Course::Back { from, .. } = &aim.course {
            let culprits = self.book.ledger.quarantine.culprits();
            let culprit = culprits.iter().find(|culprit| culprit.commit == *from);
            let created = |id| culprit.is_some_and(|culprit| culprit.changed.contains_key(id));
            if plan.deletes.iter().all(created) {
                return false;
            }
        }
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

    /// Deletes one object; says whether it is gone for certain.
    async fn delete(&mut self, id: &ObjectId) -> Result<bool, BookFault> {
        let Some(entry) = self.book.ledger.inventory.get(id).cloned() else {
            return Ok(true);
        };
        let found = self.shared.cluster.get(&entry.api_version, id).await?;
        let Some(object) = found.filter(|object| object.uid() == entry.uid.as_deref()) else {
            self.leave(id, "is gone");
            return Ok(true);
        };
        if object.annotation(mark::OWNER) != Some(self.owner.annotation(id).as_str()) {
            self.leave(id, "is owned by someone else now and stays");
            return Ok(true);
        }
        if object.annotation(mark::PRUNE) == Some("Disabled") {
            self.leave(id, "is marked tidegate.dev/prune: Disabled and stays");
            return Ok(true);
        }
        if object.is_terminating() {
            return Ok(false);
        }
        let uid = entry.uid.unwrap_or_default();
        let version = object.resource_version();
        let done = self
            .shared
            .cluster
            .delete(&entry.api_version, id, &uid, version)
            .await?;
        self.announce(None, "ObjectPruned", format!("{id} is deleted"), false);
        match done {
            Deletion::Gone | Deletion::AnotherUid => {
                self.leave(id, "is gone");
                Ok(true)
            }
            Deletion::Begun => Ok(false),
        }
    }

    /// An object leaves the inventory.
    pub(super) fn leave(&mut self, id: &ObjectId, why: &str) {
        tracing::info!(gitsync = %self.label(), object = %id, why, "object left the inventory");
        self.book.ledger.inventory.remove(id);
        self.book.ledger.rollouts.remove(id);
        self.marks.remove(id);
    }
}
