//! One `GitSync` as it is drawn while it is watched: what the ledger records, and the live pods.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ledger::{Course, Ledger, Outcome};
use crate::object::ObjectId;
use crate::revision::{CommitId, Revision};
use crate::rollout::{Checkpoint, Seen};

use super::next::commands;
use super::state::{Reason, state};
use super::strip::{Strip, span};
use super::workload::{Workload, rollouts, waits_for};

/// One `GitSync` at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// `namespace/name`.
    pub app: String,
    /// The moment.
    pub now: Timestamp,
    /// Branch.
    pub branch: String,
    /// Its state in one word.
    pub state: Reason,
    /// The same in a sentence.
    pub message: String,
    /// The commit whose fate is shown: the newest one that touches the path.
    pub subject: Option<Revision>,
    /// What became of it so far; `None` while it has no record.
    pub outcome: Option<Outcome>,
    /// The commit that ran before it.
    pub from: Option<CommitId>,
    /// Where the cluster goes back to, or went.
    pub back_to: Option<CommitId>,
    /// What the workloads on their way are rolled for.
    pub errand: Errand,
    /// How long it takes so far, or took; empty where it has not begun.
    pub took: String,
    /// Pods of all workloads that are Ready, and all that are to be; `None` where nobody looked.
    pub pods: Option<(u32, u32)>,
    /// Its workloads, in the order of their names.
    pub strips: Vec<Strip>,
    /// Workloads whose turn comes when others have ended.
    pub queued: Vec<ObjectId>,
    /// Commands that help now.
    pub next: Vec<String>,
}

/// What workloads are rolled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// A commit.
    Commit,
    /// A restart that a person asked for; the commit is there already.
    Restart,
    /// Git's template comes back over one of somebody else's.
    Repair,
}

/// Returns the commit that people who watch want to see the fate of: the newest one of the branch,
/// unless it leaves the path as it is.
#[must_use]
pub fn subject(ledger: &Ledger) -> Option<&Revision> {
    let tip = ledger.tip.as_ref().map(|tip| &tip.revision);
    let tip = tip.filter(|tip| !ledger.untouched.contains(&tip.id));
    let recorded = |id: &CommitId| Some(&ledger.deployed(id)?.revision);
    tip.or_else(|| {
        let aim = ledger.aim.as_ref()?;
        match &aim.course {
            Course::Forward => Some(&aim.revision),
            Course::Back { from, .. } => recorded(from).or(Some(&aim.revision)),
        }
    })
}

/// Draws a ledger with what is seen of its workloads; where pods of one are not seen, what the
/// ledger tells of them stands in.
#[must_use]
pub fn picture(
    app: &str,
    ledger: &Ledger,
    seen: &BTreeMap<ObjectId, Seen>,
    now: Timestamp,
) -> Picture {
    let (state, message) = state(ledger);
    let subject = subject(ledger).cloned();
    let record = subject
        .as_ref()
        .and_then(|subject| ledger.deployed(&subject.id));
    let read = |(id, kept)| Workload::read(id, kept, ledger.inventory.get(id));
    let workloads: Vec<Workload> = rollouts(ledger).map(read).collect();
    let strips = rollouts(ledger).map(|(id, kept)| {
        let entry = ledger.inventory.get(id);
        let strip = Strip::read((id, kept), entry, seen.get(id), now);
        match ledger.waits.get(id) {
            Some(wait) => Strip {
                next: Some(waits_for(wait)),
                ..strip
            },
            None => strip,
        }
    });
    let branch = ledger.spec.pointer("/spec/source/ref/branch");
    let errand = errand(ledger);
    let took = match (errand, &record) {
        (Errand::Commit, Some(record)) => span(record.started, record.ended.unwrap_or(now)),
        (Errand::Commit, None) => String::new(),
        (Errand::Restart | Errand::Repair, _) => {
            let started = moving(ledger).map(|(_, kept)| kept.started).min();
            started.map_or_else(String::new, |started| span(started, now))
        }
    };
    let from = subject.as_ref().and_then(|subject| before(ledger, subject));
    Picture {
        app: app.to_owned(),
        now,
        branch: branch
            .and_then(|branch| branch.as_str())
            .unwrap_or_default()
            .to_owned(),
        state,
        message,
        outcome: record.map(|record| record.outcome),
        // Nothing else comes to run by a restart.
        from: from.filter(|_| errand == Errand::Commit),
        back_to: back_to(ledger),
        errand,
        took,
        pods: None,
        strips: strips.collect(),
        queued: ledger.queued.clone(),
        next: commands(ledger, app, &workloads),
        subject,
    }
}

impl Picture {
    /// Says whether pods of any workload on its way could not be seen.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.strips
            .iter()
            .any(|strip| !strip.are_pods_seen && !strip.is_over())
    }

    /// Returns pods of the target's revision that are Ready, and all that are to be, over all
    /// workloads.
    #[must_use]
    pub fn ready(&self) -> (u32, u32) {
        let sum = |count: fn(&Strip) -> u32| self.strips.iter().map(count).sum();
        (sum(|strip| strip.tally.ready), sum(|strip| strip.desired))
    }
}

/// What has not ended of the workloads that are rolled.
fn moving(ledger: &Ledger) -> impl Iterator<Item = (&ObjectId, &Checkpoint)> {
    rollouts(ledger).filter(|(_, kept)| !kept.is_over())
}

/// What the workloads on their way are rolled for: under an aim that is done no commit is.
fn errand(ledger: &Ledger) -> Errand {
    let is_done = ledger.aim.as_ref().is_some_and(|aim| aim.is_done);
    if !is_done || moving(ledger).next().is_none() {
        return Errand::Commit;
    }
    let is_asked =
        |(id, kept): (&ObjectId, &Checkpoint)| !kept.is_repair && ledger.restarts.contains_key(id);
    if moving(ledger).any(is_asked) {
        Errand::Restart
    } else if moving(ledger).all(|(_, kept)| kept.is_repair) {
        Errand::Repair
    } else {
        Errand::Commit
    }
}

/// The newest commit before this one that succeeded.
fn before(ledger: &Ledger, subject: &Revision) -> Option<CommitId> {
    let mut older = ledger
        .history
        .iter()
        .skip_while(|record| record.revision.id != subject.id)
        .skip(1);
    let good = ledger.last_good.as_ref().map(|good| &good.revision.id);
    good.filter(|good| **good != subject.id)
        .cloned()
        .or_else(|| {
            let succeeded = older.find(|record| record.outcome == Outcome::Succeeded);
            succeeded.map(|record| record.revision.id.clone())
        })
}

fn back_to(ledger: &Ledger) -> Option<CommitId> {
    let aim = ledger.aim.as_ref()?;
    match aim.course {
        Course::Forward => None,
        Course::Back { .. } => Some(aim.revision.id.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A rollout of 9f3c2e1 over 41aa0d7, in batch 2 of 3, begun at 10:41:02.
    const ROLLING: &str = include_str!("../../tests/fixtures/ledger.json");

    fn shown(is_done: bool, is_repair: bool, is_asked: bool) -> Picture {
        let mut json: Value = serde_json::from_str(ROLLING).unwrap();
        json["aim"]["isDone"] = is_done.into();
        json["rollouts"]["apps/Deployment/shop/web"]["isRepair"] = is_repair.into();
        if is_asked {
            json["restarts"] = json!({"apps/Deployment/shop/web":
                {"at": "2026-11-21T10:40:00Z", "by": "ada", "from": null}});
        }
        let ledger: Ledger = serde_json::from_value(json).unwrap();
        let now = "2026-11-21T10:42:30Z".parse().unwrap();
        picture("shop/web", &ledger, &BTreeMap::new(), now)
    }

    #[test]
    fn what_rolls_under_an_aim_that_is_done_is_a_restart_or_a_repair() {
        assert_eq!(shown(false, false, true).errand, Errand::Commit);
        let restart = shown(true, false, true);
        assert_eq!((restart.errand, restart.from), (Errand::Restart, None));
        assert_eq!(shown(true, true, true).errand, Errand::Repair);
        assert_eq!(shown(true, false, false).errand, Errand::Commit);
    }
}
