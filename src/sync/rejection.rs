//! A tip that may not be followed: what is told of it, and when it is judged again.

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Course, Outcome, RefusedTip, Tip, Trouble};
use crate::object::later;
use crate::revision::CommitId;

use super::BookFault;
use super::app::App;
use super::handover::Contest;
use super::judging::Examined;

/// How soon a tip that the cluster refuses is judged again; twice as late each time, save where
/// others only have to let go of an object.
const AGAIN: Duration = Duration::from_secs(15);
/// The longest time between two judgements.
const AT_LAST: Duration = Duration::from_mins(5);

/// Why a commit may not be brought about.
pub(super) struct Refused {
    pub(super) reason: Trouble,
    pub(super) message: String,
    /// The cluster refuses it as it stands, not its files: a right, a field of a live object, a
    /// kind that is not served may come or go.
    pub(super) by_cluster: bool,
    /// The objects of other `GitSync`s in its way.
    pub(super) contests: Vec<Contest>,
}

/// When a tip that the cluster refuses is judged again. A restart begins anew.
#[derive(Default)]
pub(super) struct Patience {
    last: Option<(CommitId, Timestamp, Duration)>,
}

impl Patience {
    /// A tip was refused; returns when it is judged again.
    fn look_again(&mut self, tip: &CommitId, is_contested: bool, now: Timestamp) -> Timestamp {
        let known = self.last.take().filter(|(known, ..)| known == tip);
        let wait = match known {
            Some((_, _, wait)) if !is_contested => (wait * 2).min(AT_LAST),
            Some(_) | None => AGAIN,
        };
        self.last = Some((tip.clone(), now, wait));
        later(now, wait)
    }

    /// When a tip is due; `None`: at once.
    fn due(&self, tip: &CommitId) -> Option<Timestamp> {
        let (known, at, wait) = self.last.as_ref()?;
        (known == tip).then(|| later(*at, *wait))
    }
}

impl App {
    /// The tip is not followed; returns when it is judged again, where that may help.
    pub(super) fn reject(
        &mut self,
        tip: &Tip,
        refused: &Refused,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.tell_refused(tip, refused, now);
        let is_contested = !refused.contests.is_empty();
        let patience = &mut self.patience;
        refused
            .by_cluster
            .then(|| patience.look_again(&tip.revision.id, is_contested, now))
    }

    fn tell_refused(&mut self, tip: &Tip, refused: &Refused, now: Timestamp) {
        let takes_back = self.takes_back(tip);
        let by_cluster = refused.by_cluster;
        self.end(&tip.revision.id, Outcome::Rejected, &refused.message, now);
        let mut text = format!("{}: {}", tip.revision.id.short(), refused.message);
        if takes_back
            && self.is_under_way()
            && let Some(aim) = &self.book.ledger.aim
        {
            text = format!(
                "{text}\nit takes back what is being rolled out: no further batch of {} opens",
                aim.revision.id.short()
            );
        }
        self.trouble(refused.reason, text);
        self.judged();
        if let Some(tip) = &mut self.book.ledger.tip {
            let says_more = by_cluster || takes_back;
            tip.refused = says_more.then_some(RefusedTip {
                by_cluster,
                takes_back,
            });
        }
    }

    /// Says whether something is on its way that a new commit would end.
    fn is_under_way(&self) -> bool {
        let aim = self.book.ledger.aim.as_ref();
        aim.is_some_and(|aim| aim.course == Course::Forward && !aim.is_done)
    }

    /// A tip that the cluster refuses is judged again from time to time, since what stood in its
    /// way may have gone. Until then its outcome stands. Returns when to look next.
    pub(super) async fn judge_again(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, BookFault> {
        let Some(tip) = self.refused_tip() else {
            return Ok(None);
        };
        let due = self.patience.due(&tip.revision.id);
        if let Some(due) = due.filter(|due| *due > now) {
            return Ok(Some(due));
        }
        match self.examine(&tip).await? {
            Examined::Accepted { set, held } => Ok(self.admit(&tip, &set, held, now).await),
            Examined::Refused(refused) => {
                let owners = refused.contests.iter();
                let owners = owners.filter_map(|contest| self.neighbour(&contest.rival));
                self.shared.claims.wake(owners);
                Ok(self.reject(&tip, &refused, now))
            }
            Examined::Unknown => Ok(Some(later(now, AGAIN))),
        }
    }

    /// The tip, where the cluster refuses it as it stands.
    pub(super) fn refused_tip(&self) -> Option<Tip> {
        let ledger = &self.book.ledger;
        let tip = ledger.tip.as_ref()?;
        let by_cluster = tip.refused.as_ref().is_some_and(|known| known.by_cluster);
        let stands = tip.is_judged && by_cluster && ledger.pause.is_none();
        stands.then(|| tip.clone())
    }

    /// Says whether Git takes back what is on its way and the cluster does not let it.
    pub(super) fn is_taken_back(&self) -> bool {
        let tip = self.book.ledger.tip.as_ref();
        let refused = tip.and_then(|tip| tip.refused.as_ref());
        self.is_under_way() && refused.is_some_and(|refused| refused.takes_back)
    }
}
