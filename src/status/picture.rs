//! One `GitSync` as it is drawn while it is watched: what the ledger records, and the live pods.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ledger::{Course, Ledger, Outcome};
use crate::object::ObjectId;
use crate::revision::{CommitId, Revision};
use crate::rollout::Seen;

use super::condition::{Reason, state};
use super::next::commands;
use super::strip::{Strip, span};
use super::workload::{Workload, rollouts};

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
    /// How long it takes so far, or took; empty where it has not begun.
    pub took: String,
    /// Its workloads, in the order of their names.
    pub strips: Vec<Strip>,
    /// Commands that help now.
    pub next: Vec<String>,
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
        Strip::read((id, kept), entry, seen.get(id), now)
    });
    let branch = ledger.spec.pointer("/spec/source/ref/branch");
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
        from: subject.as_ref().and_then(|subject| before(ledger, subject)),
        back_to: back_to(ledger),
        took: record.map_or_else(String::new, |record| {
            span(record.started, record.ended.unwrap_or(now))
        }),
        strips: strips.collect(),
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

/// The newest commit before this one that succeeded.
fn before(ledger: &Ledger, subject: &Revision) -> Option<CommitId> {
    let mut older = ledger
        .history
        .iter()
        .skip_while(|record| record.revision.id != subject.id)
        .skip(1);
    let good = ledger.last_good.as_ref().map(|good| &good.id);
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
