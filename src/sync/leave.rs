//! What people and the clock let a rollout do: approvals, promotions, windows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::clock;
use crate::ledger::{Held, Returns, Tip, Wait, promotion};
use crate::object::{ObjectId, Workload};
use crate::plan::Set;
use crate::policy::closed_until;
use crate::rollout::{Decision, Goal, Leave, Reason, Schedule};

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
        let is_free = self.is_repair(id, set) || self.is_restart_alone(id, set);
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
        let Some(commit) = ledger.forward() else {
            return false;
        };
        let waiting = ledger.waiting().map(|(id, _)| id);
        let mut rolled = ledger.rollouts.keys().chain(waiting);
        rolled.any(|id| {
            let next = ledger.promotable(id);
            let is_named = |batch| promotion(commit, id, batch) == token;
            next.is_some() && (is_named(next) || is_named(None))
        })
    }

    /// What people and the clock do not let a tip begin: nothing of it is written before they do.
    /// `None` where it may begin; else when a window opens, where the clock says it.
    pub(super) fn await_leave(
        &mut self,
        tip: &Tip,
        set: &Set,
        (held, returns): (&Held, &Returns),
        now: Timestamp,
    ) -> Option<Option<Timestamp>> {
        let mut waits = BTreeMap::new();
        let has_begun =
            self.book.ledger.forward() == Some(&tip.revision.id) && tip.waits.is_empty();
        for id in set.keys().filter(|id| id.is_workload()) {
            let is_free = has_begun || held.contains_key(id) || returns.workloads.contains(id);
            if let Some(wait) = self.missing_leave(tip, (id, set), now).filter(|_| !is_free) {
                waits.insert(id.clone(), wait);
            }
        }
        let known = self.book.ledger.tip.as_ref().map(|tip| &tip.waits);
        let kinds = |waits: &BTreeMap<ObjectId, Wait>| -> Vec<(ObjectId, bool)> {
            let kind = |(id, wait): (&ObjectId, &Wait)| (id.clone(), wait.until.is_none());
            waits.iter().map(kind).collect()
        };
        if !waits.is_empty() && known.map(kinds) != Some(kinds(&waits)) {
            let names: Vec<String> = waits.keys().map(ObjectId::short).collect();
            let note = format!(
                "{} has not begun: {} need an approval or an open window",
                tip.revision.id.short(),
                names.join(", ")
            );
            self.announce(None, "GateReached", note, false);
        }
        let opens = waits.values().filter_map(|wait| wait.until).max();
        let is_over = waits.is_empty();
        if let Some(tip) = &mut self.book.ledger.tip {
            tip.waits = waits;
        }
        (!is_over).then_some(opens)
    }

    /// What keeps one workload of a tip from beginning.
    fn missing_leave(
        &self,
        tip: &Tip,
        (id, set): (&ObjectId, &Set),
        now: Timestamp,
    ) -> Option<Wait> {
        let wanted = &set[id];
        let ledger = &self.book.ledger;
        let commit = &tip.revision.id;
        let policy = &wanted.policy.as_ref()?.policy;
        if !policy.asks_for_leave() {
            return None;
        }
        let probe = self.probes.get(&(id.clone(), wanted.hash.clone()));
        let runs = ledger.rolling(id).map(|kept| &kept.write.template);
        let entry = ledger.inventory.get(id);
        let runs = runs.or_else(|| entry?.template.as_ref());
        let wants = probe.map(|probe| Workload(&probe.object).restart_blind_digest());
        let is_promoted = ledger.promoted(commit, id) > 0;
        let live = self.seen(id, set).live;
        let reach = live.zip(probe).map(|(live, probe)| {
            let after = Workload(&probe.object).strategy();
            let written = Workload(&wanted.object).written_replicas();
            let replicas = written.unwrap_or(live.replicas);
            // A lower partition lets pods be new by itself.
            let grows = after.reach(replicas) > live.strategy.reach(replicas);
            (after, replicas, grows)
        });
        let grows = reach.is_some_and(|(_, _, grows)| grows) && ledger.rolling(id).is_none();
        let is_same = runs.is_some() && (wants.is_none() || runs == wants.as_ref());
        if is_promoted || is_same && !grows {
            return None;
        }
        let needs_approval = reach.is_some_and(|(strategy, replicas, _)| {
            Schedule::begins_by_approval(policy, strategy, replicas)
        });
        let lacks_approval = needs_approval && ledger.approved(commit, id) == 0;
        let until = closed_until(&policy.windows, now).filter(|_| !lacks_approval);
        let known = tip.waits.get(id);
        (lacks_approval || until.is_some()).then(|| Wait {
            commit: commit.clone(),
            batch: 1,
            since: known.map_or(now, |known| known.since),
            until,
        })
    }
}
