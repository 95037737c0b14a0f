//! What people and the clock let a rollout do: approvals, promotions, windows.

use serde::Deserialize;

use crate::clock;
use crate::ledger::{Course, Wait, promotion};
use crate::object::ObjectId;
use crate::plan::Set;
use crate::policy::closed_until;
use crate::rollout::{Decision, Goal, Leave, Reason};

use super::app::App;

/// A promotion as it is written.
#[derive(Deserialize)]
struct Asked {
    by: Option<String>,
    promote: Vec<String>,
}

impl App {
    /// What people and the clock let the rollout of a workload do. What a person asks for, or what
    /// takes back a change by hand, waits for neither.
    pub(super) fn leave_of(&mut self, id: &ObjectId, set: &Set) -> Leave {
        let is_free = self.is_repair(id, set) || self.is_restarting(id);
        let (ledger, commit) = (&self.book.ledger, set[id].commit());
        let policy = set[id].policy.as_ref();
        let windows = policy.map_or(&[][..], |resolved| &resolved.policy.windows);
        let leave = Leave {
            approved: ledger.approved(commit, id),
            promoted: ledger.promoted(commit, id),
            closed_until: closed_until(windows, clock::now()),
        };
        if is_free { leave.full() } else { leave }
    }

    /// Takes down which batch waits for a person or a window, and tells it once.
    pub(super) fn note_wait(&mut self, id: &ObjectId, goal: &Goal, decision: &Decision) {
        let Some(batch) = decision.waits else {
            self.book.ledger.waits.remove(id);
            return;
        };
        let known = self.book.ledger.waits.get(id);
        let known = known.filter(|known| known.commit == goal.commit && known.batch == batch);
        let until = goal
            .leave
            .closed_until
            .filter(|_| decision.reason == Reason::WindowClosed);
        let is_news = known.is_none_or(|known| known.until.is_none() != until.is_none());
        let wait = Wait {
            commit: goal.commit.clone(),
            batch,
            since: known.map_or_else(clock::now, |known| known.since),
            until,
        };
        if is_news {
            let what = match wait.until {
                Some(until) => format!("a window opens at {until}"),
                None => "a person approves it: tidegate approve".to_owned(),
            };
            let note = format!("{}: batch {batch} waits until {what}", goal.commit.short());
            self.announce(Some(id), "GateReached", note, false);
        }
        self.book.ledger.waits.insert(id.clone(), wait);
    }

    /// Notes which batches are to open without delay; what names no batch that comes next is
    /// refused.
    pub(super) fn promote(&mut self, value: &str) -> String {
        let asked: Asked = serde_json::from_str(value).unwrap_or_else(|_| Asked {
            by: None,
            promote: vec![value.trim().to_owned()],
        });
        let mut answers = Vec::new();
        for token in asked.promote {
            if self.is_promotable(&token) {
                answers.push(format!("{token} is promoted"));
                self.book.ledger.promotions.insert(token);
                continue;
            }
            let note = format!(
                "`{token}` names no batch that comes next; `tidegate status` shows where it is"
            );
            self.announce(None, "RequestRefused", note.clone(), true);
            answers.push(note);
        }
        let by = asked.by.map_or_else(String::new, |by| format!(", by {by}"));
        answers.join("; ") + &by
    }

    /// Says whether a token names the next batch, or all that are left, of something that goes
    /// forward.
    fn is_promotable(&self, token: &str) -> bool {
        let ledger = &self.book.ledger;
        let aim = ledger
            .aim
            .as_ref()
            .filter(|aim| aim.course == Course::Forward);
        let Some(commit) = aim.map(|aim| &aim.revision.id) else {
            return false;
        };
        let mut rolled = ledger.rollouts.keys().chain(ledger.waits.keys());
        rolled.any(|id| {
            let next = ledger.promotable(id);
            let is_named = |batch| promotion(commit, id, batch) == token;
            next.is_some() && (is_named(next) || is_named(None))
        })
    }
}
