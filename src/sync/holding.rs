//! Quarantine: what goes into it, and what it keeps of a new commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::health::Class;
use crate::object::{Digest, Object, ObjectId};
use crate::plan::Set;
use crate::revision::CommitId;
use crate::rollback::{Candidate, Culprit, Pair};
use crate::rollout::Checkpoint;

use super::app::App;

/// Culprits that are remembered.
const CULPRITS: usize = 50;

impl App {
    /// The pairs of workload and template that speak against a commit; capacity speaks against
    /// none.
    pub(super) fn pairs(&self, set: &Set, rollouts: &[(ObjectId, Checkpoint)]) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for (id, kept) in rollouts {
            let capacity = kept
                .failure
                .as_ref()
                .is_some_and(|failure| failure.cause.class == Class::Capacity);
            let Some(wanted) = set.get(id).filter(|_| !capacity) else {
                continue;
            };
            let Some(probe) = self.probes.get(&(id.clone(), wanted.hash.clone())) else {
                continue;
            };
            let failed = self.candidate(set, id, probe);
            let good = kept.engagement.as_ref().and_then(|engagement| {
                let mut object = wanted.object.clone();
                object.set(&["spec", "template"], engagement.template.clone());
                Some(Candidate::of(
                    id.clone(),
                    &Object::new(object.value().clone())?,
                    failed.uses.clone(),
                ))
            });
            pairs.push(Pair::new(failed, good.as_ref()));
        }
        pairs
    }

    pub(super) async fn quarantine(
        &mut self,
        commit: &CommitId,
        set: &Arc<Set>,
        pairs: Vec<Pair>,
        why: &str,
    ) {
        let good = self.book.ledger.last_good.clone();
        let before = match good {
            Some(good) => self.set(&good.id).await.ok(),
            None => None,
        };
        let changed = changed(before.as_deref(), set);
        let culprit = Culprit {
            commit: commit.clone(),
            why: why.to_owned(),
            at: crate::clock::now(),
            pairs,
            changed,
        };
        self.book.ledger.quarantine.add(culprit);
        self.book.ledger.quarantine.shorten(CULPRITS);
        self.announce(
            None,
            "QuarantinedRevision",
            format!("{}: {why}", commit.short()),
            true,
        );
    }

    /// The objects of a set that quarantine keeps as they were: what the failed commit changed and
    /// this one leaves identical.
    pub(super) fn held(&mut self, set: &Set) -> BTreeMap<ObjectId, Option<CommitId>> {
        let mut held = BTreeMap::new();
        let workloads: Vec<ObjectId> = set
            .keys()
            .filter(|id| id.is_deployment())
            .cloned()
            .collect();
        for id in workloads {
            let key = (id.clone(), set[&id].hash.clone());
            let Some(probe) = self.probes.get(&key) else {
                continue;
            };
            let candidate = self.candidate(set, &id, probe);
            let Some(culprit) = self.book.ledger.quarantine.holds(&candidate) else {
                continue;
            };
            let identical = culprit
                .changed
                .iter()
                .filter(|(id, hash)| set.get(*id).map(|wanted| &wanted.hash) == hash.as_ref());
            let mut objects: Vec<ObjectId> = identical.map(|(id, _)| id.clone()).collect();
            objects.push(id);
            for object in objects {
                let entry = self.book.ledger.inventory.get(&object);
                held.insert(object, entry.map(|entry| entry.written.clone()));
            }
        }
        held
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
