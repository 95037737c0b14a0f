//! Which way the cluster goes, and what rolls on it.

use crate::object::ObjectId;
use crate::revision::CommitId;
use crate::rollout::Checkpoint;

use super::{Aim, Course, Ledger, Outcome};

impl Ledger {
    /// Returns the rollout of a workload, where one is under way.
    #[must_use]
    pub fn rolling(&self, id: &ObjectId) -> Option<&Checkpoint> {
        self.rollouts.get(id).filter(|kept| !kept.is_over())
    }

    /// Returns the aim where it failed and is held as it is.
    #[must_use]
    pub fn failed_aim(&self) -> Option<&Aim> {
        let aim = self.aim.as_ref()?;
        let record = self.deployed(&aim.revision.id)?;
        let is_failed = aim.course == Course::Forward && record.outcome == Outcome::Failed;
        is_failed.then_some(aim)
    }

    /// Returns the aim where it can be aborted: it goes forward, or failed and is held.
    #[must_use]
    pub fn abortable(&self) -> Option<&Aim> {
        let aim = self.aim.as_ref()?;
        let goes = aim.course == Course::Forward && !aim.is_done;
        (goes || self.failed_aim().is_some()).then_some(aim)
    }

    /// Says whether quarantine keeps an object of the aim as another commit had it.
    #[must_use]
    pub fn is_held(&self, id: &ObjectId) -> bool {
        let aim = self.aim.as_ref();
        aim.is_some_and(|aim| aim.course == Course::Forward && aim.held.contains_key(id))
    }

    /// Says whether the cluster goes back from this commit, or went.
    #[must_use]
    pub fn has_left(&self, commit: &CommitId) -> bool {
        self.aim.as_ref().is_some_and(|aim| match &aim.course {
            Course::Forward => false,
            Course::Back { from, .. } => from == commit,
        })
    }

    /// Says whether the aim goes back and has not arrived.
    #[must_use]
    pub fn goes_back(&self) -> bool {
        self.aim
            .as_ref()
            .is_some_and(|aim| aim.course != Course::Forward && !aim.is_done)
    }
}
