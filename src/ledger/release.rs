//! What a release leaves of the records once its mark is taken away.

use jiff::Timestamp;

use crate::object::ObjectId;

use super::{Course, Ledger, Outcome};

impl Ledger {
    /// Takes the mark of a release away. The workloads that it gave back have no levers any more:
    /// rollouts that went on natively are watched to their end, those that went back are no longer
    /// under way, and a failed commit whose pods went back is left for the last good revision.
    pub fn take_up(&mut self, now: Timestamp) {
        let Some(mark) = self.released.take() else {
            return;
        };
        let is_return = mark.is_back || self.goes_back();
        let engaged = self
            .rollouts
            .iter()
            .filter(|(_, kept)| kept.engagement.is_some());
        let (back, onward): (Vec<_>, Vec<_>) =
            engaged.partition(|(_, kept)| is_return || kept.goes_back_when_released());
        let ids = |part: Vec<(&ObjectId, _)>| part.into_iter().map(|(id, _)| id.clone()).collect();
        let (back, onward): (Vec<ObjectId>, Vec<ObjectId>) = (ids(back), ids(onward));
        for id in &onward {
            if let Some(kept) = self.rollouts.get_mut(id) {
                kept.release(now);
            }
        }
        self.rollouts.retain(|id, _| !back.contains(id));
        // What was last written is not there any more; that is nobody's drift.
        for id in back.iter().chain(&onward) {
            if let Some(entry) = self.inventory.get_mut(id) {
                entry.hash = None;
            }
        }
        if !back.is_empty() {
            self.leave_failed_commit();
        }
    }

    /// Says whether the aim goes back and has not arrived.
    #[must_use]
    pub fn goes_back(&self) -> bool {
        self.aim
            .as_ref()
            .is_some_and(|aim| aim.course != Course::Forward && !aim.is_done)
    }

    /// A commit that had failed is left for the last good revision, where there is one.
    fn leave_failed_commit(&mut self) {
        let (Some(aim), Some(good)) = (self.aim.clone(), self.last_good.clone()) else {
            return;
        };
        let failed = self
            .deployed(&aim.revision.id)
            .is_some_and(|record| record.outcome == Outcome::Failed);
        if aim.course == Course::Forward && failed && good.id != aim.revision.id {
            if let Some(record) = self.deployed_mut(&aim.revision.id) {
                record.rollback_to = Some(good.id.clone());
            }
            self.aim = Some(aim.back_to(good, Outcome::RolledBack, aim.started));
            self.problem = None;
        }
    }
}
