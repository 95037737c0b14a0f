//! Batches that a person or a window has to let open, and what people have let.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::object::ObjectId;
use crate::revision::CommitId;
use crate::rollout::Phase;

use super::{Course, Ledger};

/// The last word of a promotion that lets all batches open.
const FULL: &str = "full";

/// A batch that could open, would a person or a window let it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The commit that is rolled.
    pub commit: CommitId,
    /// The batch, counted from 1.
    pub batch: u32,
    /// Since when.
    pub since: Timestamp,
    /// When the next window opens; `None`: a person has to approve the batch.
    pub until: Option<Timestamp>,
}

impl Wait {
    /// Returns what a person approves: the rollout of the commit where nothing of it has begun,
    /// else the batch.
    #[must_use]
    pub fn approval(&self, id: &ObjectId) -> String {
        if self.batch <= 1 {
            format!("{}/rollout", self.commit)
        } else {
            promotion(&self.commit, id, Some(self.batch))
        }
    }
}

/// Returns what lets a batch, or all that are left, open as soon as the pods before are healthy.
#[must_use]
pub fn promotion(commit: &CommitId, id: &ObjectId, batch: Option<u32>) -> String {
    match batch {
        Some(batch) => format!("{commit}/{id}/{batch}"),
        None => format!("{commit}/{id}/{FULL}"),
    }
}

impl Ledger {
    /// Returns the batches that wait, of what goes forward now and of a tip that has not begun.
    pub fn waiting(&self) -> impl Iterator<Item = (&ObjectId, &Wait)> {
        let aim = self.aim.as_ref();
        let aim = aim.filter(|aim| aim.course == Course::Forward && self.released.is_none());
        let id = aim.map(|aim| &aim.revision.id);
        let is_current = move |(_, wait): &(&ObjectId, &Wait)| Some(&wait.commit) == id;
        let of_aim = self.waits.iter().filter(is_current);
        self.before_tip().chain(of_aim)
    }

    /// Returns what the tip waits for before anything of it begins.
    pub fn before_tip(&self) -> impl Iterator<Item = (&ObjectId, &Wait)> {
        let is_ours = self.released.is_none();
        let tip = self.tip.iter();
        let tip = tip.filter(move |tip| !tip.is_judged && is_ours);
        tip.flat_map(|tip| &tip.waits)
    }

    /// Says whether anything is on its way that waits for no person and no window.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        let mut rollouts = self.rollouts.iter();
        rollouts.any(|(id, kept)| !kept.is_over() && !self.waits.contains_key(id))
    }

    /// Returns the last batch of a workload's rollout that a person approved; 0 where none.
    #[must_use]
    pub fn approved(&self, commit: &CommitId, id: &ObjectId) -> u32 {
        let whole = u32::from(self.approvals.contains(&format!("{commit}/rollout")));
        whole.max(last(&self.approvals, commit, id))
    }

    /// Returns the last batch of a workload's rollout that a person promoted; 0 where none.
    #[must_use]
    pub fn promoted(&self, commit: &CommitId, id: &ObjectId) -> u32 {
        last(&self.promotions, commit, id)
    }

    /// Returns the commit that can be promoted: the tip where that waits to begin, else what goes
    /// forward.
    #[must_use]
    pub fn forward(&self) -> Option<&CommitId> {
        if let Some((_, wait)) = self.before_tip().next() {
            return Some(&wait.commit);
        }
        let aim = self.aim.as_ref()?;
        (aim.course == Course::Forward).then_some(&aim.revision.id)
    }

    /// Returns the batch that would open next of what can be promoted: a rollout that goes forward
    /// in batches and has one left, or one that waits to begin.
    #[must_use]
    pub fn promotable(&self, id: &ObjectId) -> Option<u32> {
        let mut waiting = self.waiting();
        if let Some((_, wait)) = waiting.find(|(waits, _)| *waits == id) {
            return Some(wait.batch);
        }
        let kept = self.rolling(id)?;
        let is_open = kept.phase == Phase::Progressing && kept.batch < kept.batches;
        is_open.then_some(kept.batch + 1)
    }
}

/// The greatest batch that is named for a workload.
fn last<'a>(given: impl IntoIterator<Item = &'a String>, commit: &CommitId, id: &ObjectId) -> u32 {
    let prefix = format!("{commit}/{id}/");
    let batches = given
        .into_iter()
        .filter_map(|token| match token.strip_prefix(&prefix)? {
            FULL => Some(u32::MAX),
            batch => batch.parse().ok(),
        });
    batches.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_was_let_counts_for_its_commit_and_workload_only() {
        let mut ledger = Ledger::new("", "", Value::Null);
        let commit: CommitId = "a".repeat(40).parse().unwrap();
        let other: CommitId = "b".repeat(40).parse().unwrap();
        let id: ObjectId = "apps/Deployment/shop/web".parse().unwrap();
        let wait = |batch| Wait {
            commit: commit.clone(),
            batch,
            since: Timestamp::UNIX_EPOCH,
            until: None,
        };
        ledger.approvals.insert(wait(1).approval(&id));
        assert_eq!(ledger.approved(&commit, &id), 1);
        ledger.approvals.insert(wait(3).approval(&id));
        assert_eq!(ledger.approved(&commit, &id), 3);
        assert_eq!(ledger.approved(&other, &id), 0);
        assert_eq!(ledger.promoted(&commit, &id), 0);
        ledger.promotions.insert(promotion(&commit, &id, Some(2)));
        assert_eq!(ledger.promoted(&commit, &id), 2);
        ledger.promotions.insert(promotion(&commit, &id, None));
        assert_eq!(ledger.promoted(&commit, &id), u32::MAX);
        assert_eq!(
            ledger.promoted(&commit, &"apps/Deployment/shop/api".parse().unwrap()),
            0
        );
    }
}
