//! Workloads that are new: they are not rolled, so many are created together.

use std::sync::Arc;

use crate::object::ObjectId;
use crate::plan::Set;
use crate::rollout::{Action, Stance, step};

use super::BookFault;
use super::app::App;

/// New workloads whose health is awaited at once.
const TOGETHER: usize = 64;

impl App {
    /// Creates the workloads of a stage that are not there, with one record for all of them. What
    /// cannot be created is left to the pace of the others, which tells why.
    pub(super) async fn found(
        &mut self,
        ids: &[ObjectId],
        set: &Arc<Set>,
    ) -> Result<(), BookFault> {
        if self.is_stopped() || self.has_fresh_failure(set) {
            return Ok(());
        }
        let under_way = ids.iter().filter(|id| self.is_rolling(id)).count();
        let mut new = Vec::new();
        for id in ids {
            if under_way + new.len() >= TOGETHER {
                break;
            }
            let is_new = self.shared.live.get(id).is_none() && !self.is_rolling(id);
            if is_new && self.begins_new(id, set).await? {
                new.push(id.clone());
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        match self.apply_all(&new, set).await {
            Err(BookFault::Refused(refusal)) if !refusal.is_transient() => Ok(()),
            done => done.map(drop),
        }
    }

    /// Decides to create a workload; what is recorded of it is stored by the caller.
    async fn begins_new(&mut self, id: &ObjectId, set: &Arc<Set>) -> Result<bool, BookFault> {
        let Some(goal) = self.goal(id, set).await? else {
            return Ok(false);
        };
        let seen = self.seen(id, set);
        let kept = self.book.ledger.rollouts.get(id);
        let decision = step(&goal, Stance::Go, &seen, kept);
        let Some(checkpoint) = decision.checkpoint else {
            return Ok(false);
        };
        if seen.live.is_some() || decision.action != Action::Write {
            return Ok(false);
        }
        self.tell(id, &goal, &decision.notes);
        self.book.ledger.rollouts.insert(id.clone(), checkpoint);
        Ok(true)
    }
}
