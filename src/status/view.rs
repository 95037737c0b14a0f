//! Everything that is shown of one `GitSync`; its JSON is what `tidegate status -o json` prints.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::ledger::{Deployed, Ledger, Outcome, Pause, Problem, Released};
use crate::object::{ObjectId, later};
use crate::revision::{CommitId, Revision};

use super::condition::{Condition, Truth, conditions};
use super::next::{Approval, approvals, commands};
use super::state::{Reason, state};
use super::workload::{Workload, rollouts};

/// One `GitSync`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Short forms for columns.
    pub summary: Summary,
    /// The agent that leads; `None` where its Lease was not read or may not be.
    pub leader: Option<Leader>,
    /// What is followed, and the newest commit that was seen.
    pub source: Seen,
    /// What runs as a whole: the target once it is reached, before that what was reached last.
    pub applied: Option<Revision>,
    /// What the cluster is to be.
    pub target: Option<Revision>,
    /// What a failure leads back to: the newest revision that succeeded as a whole, or a revert to
    /// one that a newer commit came upon.
    pub last_good: Option<Revision>,
    /// Commits that are held, oldest first.
    pub quarantined: Vec<Held>,
    /// What is under way; `None` where nothing is.
    pub rollout: Option<Rolling>,
    /// A person's pause.
    pub pause: Option<Pause>,
    /// The mark of a release.
    pub released: Option<Released>,
    /// What keeps the agent from following the tip.
    pub problems: Vec<Problem>,
    /// What waits for an approval.
    pub approvals: Vec<Approval>,
    /// The objects in numbers.
    pub inventory: Objects,
    /// What became of commits, newest first.
    pub history: Vec<Deployed>,
    /// Conditions as a `GitSync` resource has them.
    pub conditions: Vec<Condition>,
    /// Commands that help now.
    pub next: Vec<String>,
}

/// Short forms for columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Status of the condition Ready.
    pub ready: Truth,
    /// Its reason.
    pub state: Reason,
    /// `branch@commit` of the target, of the tip where there is none.
    pub revision: String,
    /// `batch/batches` of the workload that is furthest behind.
    pub batch: Option<String>,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// One sentence.
    pub message: String,
}

/// The agent that leads, as its Lease says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leader {
    /// Its name; `None` where the last one gave the Lease back.
    pub holder: Option<String>,
    /// When it last renewed the Lease, by its own clock.
    pub renewed_at: Option<Timestamp>,
    /// Whether nobody holds it, or gave no sign of life for a minute.
    pub is_silent: bool,
}

/// Time after which an agent without a sign of life is told as gone: four times as long as its
/// Lease lasts, since another may take over meanwhile.
const SILENT: Duration = Duration::from_secs(60);

impl Leader {
    /// Judges a Lease at `now`.
    #[must_use]
    pub fn new(holder: Option<String>, renewed_at: Option<Timestamp>, now: Timestamp) -> Self {
        let is_fresh = renewed_at.is_some_and(|at| now < later(at, SILENT));
        Self {
            is_silent: holder.is_none() || !is_fresh,
            holder,
            renewed_at,
        }
    }
}

/// What is followed, and the newest commit that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// URL of the repository.
    pub url: String,
    /// Branch.
    pub branch: String,
    /// Path.
    pub path: String,
    /// The newest commit.
    pub revision: Option<CommitId>,
    /// Its author.
    pub author: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// When the newest commit was fetched; a fetch that brings none leaves it.
    pub fetched_at: Option<Timestamp>,
}

/// A commit that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The commit.
    pub commit: CommitId,
    /// Why.
    pub why: String,
    /// When it failed.
    pub at: Timestamp,
    /// The workloads that failed.
    pub workloads: Vec<ObjectId>,
}

/// What is under way.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rolling {
    /// The target.
    pub revision: CommitId,
    /// Since when.
    pub started_at: Timestamp,
    /// The workloads, in the order of their names.
    pub workloads: Vec<Workload>,
}

/// The objects in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Objects {
    /// All.
    pub objects: usize,
    /// Those that differ from what was last written, uncorrected.
    pub drifted: usize,
    /// Workloads on their way.
    pub rolling: usize,
    /// Deletes that wait for an approval.
    pub held: usize,
}

/// Projects a ledger.
#[must_use]
pub fn view(namespace: &str, name: &str, ledger: &Ledger) -> View {
    let rollout = rolling(ledger);
    let workloads = rollout
        .as_ref()
        .map_or(&[][..], |rollout| &rollout.workloads);
    let next = commands(ledger, &format!("{namespace}/{name}"), workloads);
    let aim = ledger.aim.as_ref();
    let reached = aim
        .filter(|aim| aim.is_done)
        .map(|aim| aim.revision.clone());
    let under_way = rollouts(ledger).filter(|(_, kept)| !kept.is_over());
    View {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        summary: summary(ledger, workloads),
        leader: None,
        source: source(ledger),
        applied: reached.or_else(|| stood(ledger).cloned()),
        target: aim.map(|aim| aim.revision.clone()),
        last_good: ledger.last_good.as_ref().map(|good| good.revision.clone()),
        quarantined: ledger
            .quarantine
            .culprits()
            .iter()
            .map(Held::read)
            .collect(),
        pause: ledger.pause.clone(),
        released: ledger.released.clone(),
        problems: ledger.problems.clone(),
        approvals: approvals(ledger),
        inventory: Objects {
            objects: ledger.inventory.len(),
            drifted: ledger.drifted.len(),
            rolling: under_way.count(),
            held: ledger
                .held_prune
                .as_ref()
                .map_or(0, |held| held.objects.len()),
        },
        history: ledger.history.clone(),
        conditions: conditions(ledger),
        next,
        rollout,
    }
}

impl Held {
    fn read(culprit: &crate::rollback::Culprit) -> Self {
        let failed = culprit
            .pairs
            .iter()
            .map(|pair| pair.failed.workload.clone());
        Self {
            commit: culprit.commit.clone(),
            why: culprit.why.clone(),
            at: culprit.at,
            workloads: failed.collect(),
        }
    }
}

/// The newest revision that was reached. A revert leads back to what it brings although a newer
/// commit came before its pods were back.
fn stood(ledger: &Ledger) -> Option<&Revision> {
    let good = &ledger.last_good.as_ref()?.revision;
    let was_reached =
        |record: &&Deployed| matches!(record.outcome, Outcome::Succeeded | Outcome::Held);
    let is_there = ledger
        .deployed(&good.id)
        .is_none_or(|record| was_reached(&record));
    if is_there {
        return Some(good);
    }
    let reached = ledger.history.iter().find(was_reached);
    reached.map(|record| &record.revision)
}

fn rolling(ledger: &Ledger) -> Option<Rolling> {
    let aim = ledger.aim.as_ref()?;
    let is_over = aim.is_done && rollouts(ledger).all(|(_, kept)| kept.is_over());
    if is_over || ledger.released.is_some() {
        return None;
    }
    let read = |(id, kept)| {
        let workload = Workload::read(id, kept, ledger.inventory.get(id));
        workload.waiting(ledger.waits.get(id))
    };
    Some(Rolling {
        revision: aim.revision.id.clone(),
        started_at: aim.started,
        workloads: rollouts(ledger).map(read).collect(),
    })
}

fn summary(ledger: &Ledger, workloads: &[Workload]) -> Summary {
    let (state, message) = state(ledger);
    let aim = ledger.aim.as_ref().map(|aim| &aim.revision);
    let shown = aim.or(ledger.tip.as_ref().map(|tip| &tip.revision));
    let branch = text(ledger, "/spec/source/ref/branch");
    let behind = workloads
        .iter()
        .filter(|workload| workload.batch > 0 && workload.batch <= workload.batches)
        .min_by_key(|workload| workload.batch * 100 / workload.batches);
    let ended = ledger.history.iter().find_map(|deployed| deployed.ended);
    let is_done = ledger.aim.as_ref().is_some_and(|aim| aim.is_done);
    let started = ledger.aim.as_ref().map(|aim| aim.started);
    Summary {
        ready: state.ready(),
        state,
        revision: shown.map_or_else(
            || branch.clone(),
            |revision| format!("{branch}@{}", revision.id.short()),
        ),
        batch: behind.map(|workload| format!("{}/{}", workload.batch, workload.batches)),
        since: if is_done { ended.or(started) } else { started },
        message,
    }
}

fn source(ledger: &Ledger) -> Seen {
    let tip = ledger.tip.as_ref().map(|tip| &tip.revision);
    Seen {
        url: text(ledger, "/spec/source/url"),
        branch: text(ledger, "/spec/source/ref/branch"),
        path: text(ledger, "/spec/source/path"),
        revision: tip.map(|revision| revision.id.clone()),
        author: tip.map(|revision| revision.author.clone()),
        subject: tip.map(|revision| revision.subject.clone()),
        fetched_at: ledger.fetched_at,
    }
}

fn text(ledger: &Ledger, pointer: &str) -> String {
    let text = ledger
        .spec
        .pointer(pointer)
        .and_then(|value| value.as_str());
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revert_that_was_superseded_before_its_pods_were_back_does_not_run() {
        let text = include_str!("../../tests/fixtures/ledger.json");
        let mut ledger: Ledger = serde_json::from_str(text).unwrap();
        let good = ledger.last_good.clone().unwrap().revision;
        let running = |ledger: &Ledger| view("shop", "web", ledger).applied.unwrap().id;
        assert_eq!(running(&ledger), good.id);
        let revert = ledger.history[0].revision.clone();
        ledger.history[0].outcome = Outcome::Superseded;
        ledger.last_good = Some(revert.into());
        assert_eq!(running(&ledger), good.id, "its pods are there still");
    }
}
