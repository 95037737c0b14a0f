//! Whose turn it is among the workloads of a commit.

use std::sync::Arc;

use crate::ledger::Course;
use crate::object::ObjectId;
use crate::plan::turns::{Unfinished, has_turns, waits_for};
use crate::plan::{Set, Standing};

use super::app::App;

impl App {
    /// Says whether a workload that could begin waits for another one. What goes back, or repairs
    /// what somebody changed, waits for none.
    pub(super) fn waits_its_turn(
        &mut self,
        id: &ObjectId,
        ids: &[ObjectId],
        set: &Arc<Set>,
    ) -> bool {
        if !has_turns(set) || self.goes_back(id) || self.is_repair(id, set) {
            return false;
        }
        let others = self.unfinished(ids, set);
        waits_for(set, id, &others).is_some()
    }

    fn goes_back(&self, id: &ObjectId) -> bool {
        let aim = self.book.ledger.aim.as_ref();
        aim.is_some_and(|aim| aim.course != Course::Forward || aim.returns.workloads.contains(id))
    }

    fn unfinished(&mut self, ids: &[ObjectId], set: &Set) -> Unfinished {
        let mut found = Unfinished::default();
        for id in ids {
            let rolls = self.is_rolling(id) && !self.is_held_back(id);
            if rolls {
                found.rolling.insert(id.clone());
            }
            let is_due = match self.standing(id, set) {
                Standing::Missing
                | Standing::Changed
                | Standing::Unowned
                | Standing::Shared
                | Standing::Terminating => true,
                Standing::InSync | Standing::Drifted => false,
            };
            if rolls || is_due {
                found.pending.insert(id.clone());
            }
        }
        found
    }
}
