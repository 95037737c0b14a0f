//! What a commit takes back. It waits for nobody's health, is never failed for what stands in its
//! way, and is never gone back on.

use std::collections::BTreeSet;

use crate::ledger::{Held, Outcome, Returns, Tip};
use crate::object::{ObjectId, Workload};
use crate::plan::{Set, used};
use crate::revision::CommitId;

use super::app::App;

/// Commits that are looked at for configuration that has been here.
const NEWEST: usize = 5;

/// The workloads whose templates a set changes against what runs, or is on its way.
#[derive(Default)]
struct Turns {
    /// To a template that has succeeded here.
    back: Vec<ObjectId>,
    /// Whether any goes to another one.
    is_forward: bool,
}

impl App {
    /// What a set brings back; `whole` is the commit with the same content as a whole, where there
    /// is one. A commit that is judged once more brings back what it brought back before.
    pub(super) async fn returns(
        &mut self,
        commit: &CommitId,
        set: &Set,
        held: &Held,
        whole: Option<&CommitId>,
    ) -> Returns {
        let turns = self.turns(set, held);
        let aim = self.book.ledger.aim.as_ref();
        let known = aim.filter(|aim| aim.revision.id == *commit);
        let mut returns = known.map(|aim| aim.returns.clone()).unwrap_or_default();
        let mut is_whole = whole.is_some() || !turns.back.is_empty() && !turns.is_forward;
        for id in turns.back {
            let is_known = self.is_configured_as_before(&id, set, whole).await;
            is_whole &= is_known;
            if is_known {
                returns.workloads.insert(id);
            }
        }
        returns.is_whole |= is_whole;
        returns
    }

    /// Says whether one commit has had a workload's template together with all the configuration
    /// that a set gives to it: what has run apart from each other has not run.
    async fn is_configured_as_before(
        &mut self,
        id: &ObjectId,
        set: &Set,
        whole: Option<&CommitId>,
    ) -> bool {
        let used = set.get(id).map(used).unwrap_or_default();
        if used.is_empty() {
            return true;
        }
        let content = |set: &Set| {
            let wanted = set.get(id)?;
            Some(Workload(&wanted.object).content_digest())
        };
        let hash = |set: &Set, id: &ObjectId| set.get(id).map(|wanted| wanted.hash.clone());
        let commits = self.known_good(id);
        for commit in whole.into_iter().chain(&commits) {
            if let Ok(known) = self.set(commit).await
                && content(&known) == content(set)
                && used.iter().all(|id| hash(&known, id) == hash(set, id))
            {
                return true;
            }
        }
        false
    }

    /// Commits that have been here as a whole: those that a workload succeeded with, and the newest.
    fn known_good(&self, workload: &ObjectId) -> BTreeSet<CommitId> {
        let ledger = &self.book.ledger;
        let entry = ledger.inventory.get(workload).into_iter();
        let goods = entry.flat_map(|entry| entry.goods.iter().map(|good| &good.commit));
        let records = ledger.history.iter();
        let newest = records.filter(|record| record.outcome == Outcome::Succeeded);
        let newest = newest.map(|record| &record.revision.id).take(NEWEST);
        goods.take(NEWEST).chain(newest).cloned().collect()
    }

    /// Says whether a tip brings a workload back that is being rolled out, or has it no more: Git no
    /// longer wants what is on its way.
    pub(super) fn takes_back(&self, tip: &Tip) -> bool {
        let Some(set) = self.sets.get(&tip.revision.id) else {
            // It cannot be read: what the commit before it takes back stays so.
            return tip.refused.as_ref().is_some_and(|known| known.takes_back);
        };
        let back = self.turns(set, &Held::new()).back;
        let mut rolling = self.book.ledger.rollouts.iter();
        rolling.any(|(id, kept)| {
            !kept.is_over() && !kept.is_repair && (back.contains(id) || !set.contains_key(id))
        })
    }

    fn turns(&self, set: &Set, held: &Held) -> Turns {
        let mut turns = Turns::default();
        let moves = |id: &ObjectId| id.is_workload() && !held.contains_key(id);
        for (id, wanted) in set.iter().filter(|(id, _)| moves(id)) {
            let ledger = &self.book.ledger;
            let entry = ledger.inventory.get(id);
            let Some(probe) = self.probes.get(&(id.clone(), wanted.hash.clone())) else {
                let is_written =
                    entry.is_some_and(|entry| entry.hash.as_ref() == Some(&wanted.hash));
                turns.is_forward |= !is_written;
                continue;
            };
            let view = Workload(&probe.object);
            let rolling = ledger.rolling(id).map(|kept| &kept.write.template);
            let runs = rolling.or(entry.and_then(|entry| entry.template.as_ref()));
            if runs == Some(&view.restart_blind_digest()) {
                continue;
            }
            let content = view.content_digest();
            if runs.is_some() && entry.is_some_and(|entry| entry.has_succeeded(&content)) {
                turns.back.push(id.clone());
            } else {
                turns.is_forward = true;
            }
        }
        turns
    }
}
