//! Quarantine: what goes into it, and what it keeps of a new commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock;
use crate::ledger::Held;
use crate::object::{Digest, Object, ObjectId};
use crate::plan::{Set, Wanted, used, uses};
use crate::revision::CommitId;
use crate::rollback::{Candidate, Culprit, Pair, Past};

use super::BookFault;
use super::app::App;
use super::fate::Blame;
use super::probing::ProbeFault;

/// Culprits that are remembered.
const CULPRITS: usize = 50;

impl App {
    /// The pairs of workload and template that speak against a commit; capacity speaks against
    /// none.
    pub(super) async fn pairs(
        &mut self,
        set: &Set,
        workloads: &[ObjectId],
    ) -> Result<Vec<Pair>, BookFault> {
        let mut pairs = Vec::new();
        for id in workloads.iter().filter(|id| id.is_workload()) {
            let kept = self.book.ledger.rollouts.get(id).cloned();
            let failure = kept.as_ref().and_then(|kept| kept.failure.as_ref());
            let is_against =
                failure.is_none_or(|failure| failure.cause.class.is_against_revision());
            let Some(wanted) = set.get(id).filter(|_| is_against) else {
                continue;
            };
            let Some(failed) = self.candidate(set, id).await? else {
                continue;
            };
            if self.is_mere_restart(id, &failed.template) {
                continue;
            }
            let good = kept
                .and_then(|kept| kept.engagement)
                .and_then(|engagement| {
                    let mut object = wanted.object.clone();
                    object.set(&["spec", "template"], engagement.template);
                    let object = Object::new(object.value().clone())?;
                    Some(Candidate::of(id.clone(), &object, failed.uses.clone()))
                });
            pairs.push(Pair::new(failed, good.as_ref()));
        }
        Ok(pairs)
    }

    /// What a set would run on a workload; `None` where the API server would not have it.
    async fn candidate(
        &mut self,
        set: &Set,
        id: &ObjectId,
    ) -> Result<Option<Candidate>, BookFault> {
        match self.probe(id, &set[id]).await {
            Ok(probe) => Ok(Some(Candidate::of(
                id.clone(),
                &probe.object,
                uses(set, id),
            ))),
            Err(ProbeFault::Cluster(refusal)) => Err(refusal.into()),
            Err(ProbeFault::Commit(_) | ProbeFault::Owned(_) | ProbeFault::Shared(..)) => Ok(None),
        }
    }

    /// The set of the last good revision, where there is one and it can be read.
    pub(super) async fn good_set(&mut self) -> Option<Arc<Set>> {
        let good = self.book.ledger.last_good.clone()?;
        self.set_of(&good).await.ok()
    }

    /// Says whether a newer commit than this wrote an object: bringing it back is what people want
    /// of it, whatever failed beside it.
    fn has_moved_since(&self, id: &ObjectId, culprit: &CommitId) -> bool {
        let ledger = &self.book.ledger;
        let place = |commit: &CommitId| {
            let mut history = ledger.history.iter();
            history.position(|record| record.revision.id == *commit)
        };
        let written = ledger.inventory.get(id).map(|entry| &entry.written);
        let newer = written.and_then(place).zip(place(culprit));
        newer.is_some_and(|(written, culprit)| written < culprit)
    }

    /// Says whether a workload that is held is on its way to something else than what is wanted of
    /// it: Git has neither, so it goes back to what was good.
    fn rolls_another(&self, id: &ObjectId, wanted: &Wanted) -> bool {
        let Some(kept) = self.book.ledger.rolling(id).filter(|kept| !kept.is_repair) else {
            return false;
        };
        let template = self.wanted_template(id, wanted);
        template.is_some_and(|template| template != kept.write.template)
    }

    /// The culprit that holds a candidate; `before` is what Git had of the workload before.
    fn held_by(&self, candidate: &Candidate, before: Option<&Wanted>) -> Option<Culprit> {
        let ledger = &self.book.ledger;
        let entry = ledger.inventory.get(&candidate.workload);
        let past = Past {
            before: before.map(|before| &before.hash),
            has_succeeded: entry.is_some_and(|entry| entry.has_succeeded(&candidate.template)),
        };
        ledger.quarantine.holds(candidate, past).cloned()
    }

    /// The set that Git had before this one, where it can be read.
    async fn set_before(&mut self, set: &Set) -> Option<Arc<Set>> {
        let commit = set.values().next()?.commit();
        let mut history = self.book.ledger.history.iter();
        let before = history.find(|deployed| deployed.revision.id != *commit)?;
        let before = before.revision.id.clone();
        self.set(&before).await.ok()
    }

    /// The objects that a set changes against the last good one.
    pub(super) async fn changed_by(&mut self, set: &Set) -> BTreeMap<ObjectId, Option<Digest>> {
        let before = self.good_set().await;
        changed(before.as_deref(), set)
    }

    pub(super) async fn quarantine(&mut self, commit: &CommitId, set: &Arc<Set>, blame: &Blame) {
        let culprit = Culprit {
            commit: commit.clone(),
            why: blame.why.clone(),
            at: clock::now(),
            pairs: blame.pairs.clone(),
            objects: blame.objects.clone(),
            changed: self.changed_by(set).await,
        };
        self.book.ledger.quarantine.add(culprit);
        self.book.ledger.quarantine.shorten(CULPRITS);
        let note = format!("{}: {}", commit.short(), blame.why);
        self.announce(None, "QuarantinedRevision", note, true);
    }

    /// The objects of a set that quarantine keeps as they were: what the failed commit changed and
    /// this one leaves identical.
    pub(super) async fn held(&mut self, set: &Set) -> Result<Held, BookFault> {
        let mut held = Held::new();
        if self.book.ledger.quarantine.culprits().is_empty() {
            return Ok(held);
        }
        let good = self.good_set().await;
        let before = self.set_before(set).await;
        for (id, wanted) in set {
            let quarantine = &self.book.ledger.quarantine;
            // What the last good revision has was not at fault, whatever became of a write of it.
            let known = good.as_ref().and_then(|good| good.get(id));
            let is_good = known.is_some_and(|known| known.hash == wanted.hash);
            let mut culprit = quarantine.holds_object(id, &wanted.hash).cloned();
            culprit = culprit.filter(|_| !is_good);
            if culprit.is_none() && quarantine.knows(id) {
                let candidate = self.candidate(set, id).await?;
                let before = before.as_ref().and_then(|before| before.get(id));
                culprit = candidate.and_then(|candidate| self.held_by(&candidate, before));
            }
            let Some(culprit) = culprit else { continue };
            let hash = |id: &ObjectId| set.get(id).map(|wanted| &wanted.hash);
            let changed = culprit.changed.iter();
            let identical = changed.filter(|(id, failed)| hash(id) == failed.as_ref());
            // The configuration that it failed with stays with it.
            let used = used(wanted);
            let beside = identical.map(|(id, _)| id).filter(|beside| {
                used.contains(beside) || !self.has_moved_since(beside, &culprit.commit)
            });
            let good = good.as_deref().filter(|_| self.rolls_another(id, wanted));
            for object in beside.chain([id]) {
                let entry = self.book.ledger.inventory.get(object);
                let good = good.and_then(|good| good.get(object)).map(Wanted::commit);
                let stays = good.or(entry.map(|entry| &entry.written));
                held.insert(object.clone(), stays.cloned());
            }
        }
        Ok(held)
    }
}

/// The objects that differ between two sets, with their hash in the second.
fn changed(before: Option<&Set>, after: &Set) -> BTreeMap<ObjectId, Option<Digest>> {
    let old = |id: &ObjectId| {
        before
            .and_then(|set| set.get(id))
            .map(|wanted| &wanted.hash)
    };
    let mut changed: BTreeMap<ObjectId, Option<Digest>> = after
        .iter()
        .filter(|(id, wanted)| old(id) != Some(&wanted.hash))
        .map(|(id, wanted)| (id.clone(), Some(wanted.hash.clone())))
        .collect();
    let removed = before
        .into_iter()
        .flat_map(Set::keys)
        .filter(|id| !after.contains_key(*id));
    changed.extend(removed.map(|id| (id.clone(), None)));
    changed
}
