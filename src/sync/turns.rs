//! Whose turn it is among the workloads of a commit.

use crate::ledger::Course;
use crate::object::ObjectId;
use crate::plan::turns::{Unfinished, has_turns, waits_for};
use crate::plan::{Set, Standing};

use super::app::App;

impl App {
    /// Which workloads have not ended; `None` where nobody waits for another one.
    pub(super) fn unfinished(&mut self, ids: &[ObjectId], set: &Set) -> Option<Unfinished> {
        let mut found = has_turns(set).then(Unfinished::default);
        for id in ids {
            self.note_turn(&mut found, id, set);
        }
        found
    }

    /// Takes down how a workload stands now.
    pub(super) fn note_turn(&mut self, others: &mut Option<Unfinished>, id: &ObjectId, set: &Set) {
        let Some(others) = others else { return };
        let rolls = self.is_rolling(id) && !self.is_held_back(id);
        let is_due = match self.standing(id, set) {
            Standing::Missing
            | Standing::Changed
            | Standing::Unowned
            | Standing::Shared
            | Standing::Terminating => true,
            Standing::InSync | Standing::Drifted => false,
        };
        others.note(id, rolls, is_due);
    }

    /// Says whether a workload that could begin waits for another one. What goes back, or repairs
    /// what somebody changed, waits for none.
    pub(super) fn waits_its_turn(
        &mut self,
        id: &ObjectId,
        others: Option<&Unfinished>,
        set: &Set,
    ) -> bool {
        let Some(others) = others else { return false };
        waits_for(set, id, others).is_some() && !self.goes_back(id) && !self.is_repair(id, set)
    }

    fn goes_back(&self, id: &ObjectId) -> bool {
        let aim = self.book.ledger.aim.as_ref();
        aim.is_some_and(|aim| aim.course != Course::Forward || aim.returns.workloads.contains(id))
    }
}
