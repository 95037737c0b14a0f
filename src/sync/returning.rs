//! What a commit takes back. It waits for nobody's health, is never failed for what stands in its
//! way, and is never gone back on.

use crate::ledger::{Aim, Tip};
use crate::object::{ObjectId, Workload};
use crate::plan::Set;

use super::app::App;

/// The workloads whose templates a set changes against what runs, or is on its way.
#[derive(Default)]
struct Turns {
    /// To a template that has succeeded here.
    back: Vec<ObjectId>,
    /// Whether any goes to another one.
    is_forward: bool,
}

impl App {
    /// Says whether the aim brings back what has succeeded before.
    pub(super) fn is_return(&self, aim: &Aim) -> bool {
        let record = self.book.ledger.deployed(&aim.revision.id);
        aim.is_return || record.is_some_and(|record| record.rollback_to.is_some())
    }

    /// Says whether every workload whose template a set changes goes back to one that has
    /// succeeded, at least one of them; other objects may be new.
    pub(super) fn comes_back(&self, set: &Set) -> bool {
        let turns = self.turns(set);
        !turns.back.is_empty() && !turns.is_forward
    }

    /// Says whether a tip brings a workload back that is being rolled out, or has it no more: Git no
    /// longer wants what is on its way.
    pub(super) fn takes_back(&self, tip: &Tip) -> bool {
        let Some(set) = self.sets.get(&tip.revision.id) else {
            // It cannot be read: what the commit before it takes back stays so.
            return tip.refused.as_ref().is_some_and(|known| known.takes_back);
        };
        let back = self.turns(set).back;
        let mut rolling = self.book.ledger.rollouts.iter();
        rolling.any(|(id, kept)| {
            !kept.is_over() && !kept.is_repair && (back.contains(id) || !set.contains_key(id))
        })
    }

    fn turns(&self, set: &Set) -> Turns {
        let mut turns = Turns::default();
        for (id, wanted) in set.iter().filter(|(id, _)| id.is_workload()) {
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
