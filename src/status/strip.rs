//! One workload as it is drawn: its batches, one under the other.

use std::time::Duration;

use jiff::Timestamp;

use crate::object::{ObjectId, Strategy, write_duration};
use crate::plan::Entry;
use crate::policy::{OnFailure, Policy};
use crate::revision::CommitId;
use crate::rollout::{Checkpoint, Evidence, Phase, Schedule, Seen};

use super::pods::{self, Slot, Tally};
use super::workload::Workload;

/// One workload on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// The workload.
    pub id: ObjectId,
    /// Where its rollout is.
    pub phase: Phase,
    /// Whether no batch opens for now.
    pub is_held: bool,
    /// The commit that it goes to.
    pub to: CommitId,
    /// The open batch, counted from 1; 0 where it is not rolled in batches.
    pub batch: u32,
    /// Number of batches.
    pub batches: u32,
    /// Batches that were closed with proof.
    pub closed: u32,
    /// Pods that it is to have.
    pub desired: u32,
    /// Its pods by sort.
    pub tally: Tally,
    /// Whether the pods were seen; else [`Strip::tally`] and the slots are what the ledger tells.
    pub are_pods_seen: bool,
    /// Its batches in order; while going back what failed, and the way back.
    pub rows: Vec<Row>,
    /// Why it failed.
    pub cause: Option<String>,
    /// What keeps a pod from becoming Ready now.
    pub trouble: Option<String>,
    /// What comes next, and when.
    pub next: Option<String>,
    /// What happens when a batch fails; `None` where the ledger has no policy.
    pub on_failure: Option<OnFailure>,
    /// How long it has taken so far, or took; empty where that is not recorded.
    pub took: String,
}

/// One batch, or several of which nothing is known but their pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The first batch, counted from 1; 0 where there are none.
    pub first: u32,
    /// The last batch.
    pub last: u32,
    /// How far it is.
    pub progress: Progress,
    /// Its pods.
    pub slots: Vec<Slot>,
    /// More, in a few words; may be empty.
    pub note: String,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Proven healthy.
    Closed,
    /// Its pods are being replaced, or watched.
    Open,
    /// It failed.
    Failed,
    /// Its turn has not come.
    Ahead,
    /// The way back to the last good template, of all pods.
    Back,
    /// The way back has been gone.
    Arrived,
}

impl Strip {
    /// Reads a checkpoint, the inventory's entry of the same workload, and what is seen of it.
    pub(super) fn read(
        (id, kept): (&ObjectId, &Checkpoint),
        entry: Option<&Entry>,
        seen: Option<&Seen>,
        now: Timestamp,
    ) -> Self {
        let live = seen.and_then(|seen| seen.live.as_ref());
        let written = entry.and_then(|entry| entry.template.as_ref());
        let census = live.map_or_else(
            || pods::recorded(&Workload::read(id, kept, entry)),
            |live| pods::seen(kept, written, live, now),
        );
        let policy = entry.and_then(|entry| Some(&entry.policy.as_ref()?.policy));
        let schedule = policy.and_then(|policy| schedule(&id.kind, kept, policy));
        let schedule = schedule.as_ref();
        let end = if kept.is_over() {
            proofs(kept).last().map(|proof| proof.to)
        } else {
            Some(now)
        };
        Self {
            id: id.clone(),
            phase: kept.phase,
            is_held: kept.is_held,
            to: kept.write.commit.clone(),
            batch: kept.batch,
            batches: kept.batches,
            closed: closed(kept),
            desired: kept.replicas,
            tally: census.tally,
            are_pods_seen: live.is_some(),
            rows: rows(kept, schedule, &census.slots, now),
            cause: kept
                .failure
                .as_ref()
                .map(|failure| failure.cause.to_string()),
            trouble: census.trouble.filter(|_| !kept.is_over()),
            next: next(kept, policy, schedule, now),
            on_failure: policy.map(|policy| policy.on_failure),
            took: end.map_or_else(String::new, |end| span(kept.started, end)),
        }
    }

    /// Says whether nothing more is to come of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::RolledBack)
    }

    /// Says whether it goes back, or went.
    #[must_use]
    pub fn is_back(&self) -> bool {
        matches!(
            self.phase,
            Phase::RollingBack | Phase::RolledBack | Phase::RollbackFailed
        )
    }
}

fn closed(kept: &Checkpoint) -> u32 {
    match kept.phase {
        Phase::Monitoring | Phase::Finalizing | Phase::Succeeded => kept.batches,
        Phase::Progressing | Phase::Failed => kept.batch.saturating_sub(1),
        Phase::Native | Phase::RollingBack | Phase::RolledBack | Phase::RollbackFailed => 0,
    }
}

fn rows(
    kept: &Checkpoint,
    schedule: Option<&Schedule>,
    slots: &[Slot],
    now: Timestamp,
) -> Vec<Row> {
    let is_back = kept.is_going_back() || kept.phase == Phase::RolledBack;
    if is_back {
        return way_back(kept, slots, now);
    }
    if kept.batches == 0 {
        return vec![Row {
            first: 0,
            last: 0,
            progress: progress(kept, 1),
            slots: slots.to_vec(),
            note: format!("since {}", span(kept.started, now)),
        }];
    }
    let mut rows = Vec::new();
    let (mut from, mut batch) = (0, 1);
    for (last, target) in targets(kept, schedule) {
        let through = (target as usize).min(slots.len());
        rows.push(Row {
            first: batch,
            last,
            progress: progress(kept, last),
            slots: slots[from.min(through)..through].to_vec(),
            note: note(kept, schedule, last, now),
        });
        (from, batch) = (through, last + 1);
    }
    rows
}

/// What failed, and how far the way back is. Batches that were closed are not recorded any more.
fn way_back(kept: &Checkpoint, slots: &[Slot], now: Timestamp) -> Vec<Row> {
    let failed = kept.failure.as_ref().filter(|failure| failure.batch > 0);
    let failed = failed.map(|failure| Row {
        first: failure.batch,
        last: failure.batch,
        progress: Progress::Failed,
        slots: Vec::new(),
        note: "failed".to_owned(),
    });
    let is_over = kept.phase == Phase::RolledBack;
    let back = Row {
        first: 0,
        last: 0,
        progress: if is_over {
            Progress::Arrived
        } else {
            Progress::Back
        },
        slots: slots.to_vec(),
        note: if is_over {
            format!("back on {}", kept.write.commit.short())
        } else {
            format!("for {}", span(kept.started, now))
        },
    };
    failed.into_iter().chain([back]).collect()
}

/// The last batch of each row with its cumulative target: every batch by itself where policy and
/// ledger agree, else only those that the ledger knows.
fn targets(kept: &Checkpoint, schedule: Option<&Schedule>) -> Vec<(u32, u32)> {
    if let Some(schedule) = schedule {
        let agrees = schedule.batches() == kept.batches
            && schedule.holding(kept.target) == kept.batch.min(kept.batches);
        if agrees {
            return (1..).zip(schedule.targets()).collect();
        }
    }
    let mut known: Vec<(u32, u32)> = proofs(kept)
        .filter(|proof| proof.batch < kept.batch)
        .map(|proof| (proof.batch, proof.target))
        .collect();
    known.dedup_by_key(|(batch, _)| *batch);
    known.push((kept.batch.min(kept.batches), kept.target));
    if kept.target < kept.replicas && kept.batch < kept.batches {
        known.push((kept.batches, kept.replicas));
    }
    known
}

/// The policy laid over the workload as it was before.
fn schedule(kind: &str, kept: &Checkpoint, policy: &Policy) -> Option<Schedule> {
    let before = kept.engagement.as_ref()?;
    let strategy = Strategy::read(kind, &before.strategy);
    Some(Schedule::of(policy, strategy, kept.replicas))
}

/// Proof of batches of the template that is rolled now.
fn proofs(kept: &Checkpoint) -> impl Iterator<Item = &Evidence> {
    kept.evidence
        .iter()
        .filter(|proof| proof.template == kept.write.template)
}

fn progress(kept: &Checkpoint, batch: u32) -> Progress {
    let open = match kept.phase {
        Phase::Monitoring | Phase::Finalizing | Phase::Succeeded => return Progress::Closed,
        Phase::Failed => Progress::Failed,
        Phase::Progressing
        | Phase::Native
        | Phase::RollingBack
        | Phase::RolledBack
        | Phase::RollbackFailed => Progress::Open,
    };
    match batch.cmp(&kept.batch.max(1)) {
        std::cmp::Ordering::Less => Progress::Closed,
        std::cmp::Ordering::Equal => open,
        std::cmp::Ordering::Greater => Progress::Ahead,
    }
}

/// How long a batch took, or is open, and what it waits for.
fn note(kept: &Checkpoint, schedule: Option<&Schedule>, batch: u32, now: Timestamp) -> String {
    let end = |batch: u32| {
        let mut proofs = proofs(kept);
        proofs
            .find(|proof| proof.batch == batch)
            .map(|proof| proof.to)
    };
    let begin = if batch <= 1 {
        Some(kept.started)
    } else {
        end(batch - 1)
    };
    match progress(kept, batch) {
        Progress::Closed => begin
            .zip(end(batch))
            .map_or_else(String::new, |(from, to)| format!("took {}", span(from, to))),
        Progress::Open => {
            let soak = soak(kept, schedule);
            match (kept.healthy_since, soak, begin) {
                (Some(since), Some(soak), _) => {
                    format!("soak {} of {}", span(since, now), write_duration(soak))
                }
                (_, _, Some(begin)) => format!("open for {}", span(begin, now)),
                (_, _, None) => String::new(),
            }
        }
        Progress::Failed => {
            let failed = kept.failure.as_ref().zip(begin);
            failed.map_or_else(
                || "failed".to_owned(),
                |(failure, from)| format!("failed after {}", span(from, failure.at)),
            )
        }
        Progress::Ahead | Progress::Back | Progress::Arrived => String::new(),
    }
}

/// How long the open batch must be healthy, where that is not at once.
fn soak(kept: &Checkpoint, schedule: Option<&Schedule>) -> Option<Duration> {
    let soak = schedule.map(|schedule| schedule.soak(kept.batch));
    soak.filter(|soak| !soak.is_zero())
}

/// What comes next, and when.
fn next(
    kept: &Checkpoint,
    policy: Option<&Policy>,
    schedule: Option<&Schedule>,
    now: Timestamp,
) -> Option<String> {
    if kept.is_held && matches!(kept.phase, Phase::Progressing | Phase::Monitoring) {
        return Some("held: no batch opens for now".to_owned());
    }
    match kept.phase {
        Phase::Progressing if kept.batches > 0 => {
            let what = if kept.batch < kept.batches {
                format!("batch {}", kept.batch + 1)
            } else {
                "the end".to_owned()
            };
            let soak = soak(kept, schedule);
            let pods = match kept.target {
                1 => "1 new pod is".to_owned(),
                pods => format!("{pods} new pods are"),
            };
            Some(match (soak, kept.healthy_since) {
                (Some(soak), Some(since)) => {
                    let left = soak.saturating_sub(since_until(since, now));
                    format!("{what} after {} more of soak", write_duration(left))
                }
                (Some(soak), None) => {
                    format!("{what} when {pods} ready for {}", write_duration(soak))
                }
                (None, _) => format!("{what} when {pods} ready"),
            })
        }
        Phase::Monitoring => {
            policy.map(|policy| format!("done when watched for {}", write_duration(policy.monitor)))
        }
        Phase::Progressing
        | Phase::Finalizing
        | Phase::Native
        | Phase::Succeeded
        | Phase::Failed
        | Phase::RollingBack
        | Phase::RolledBack
        | Phase::RollbackFailed => None,
    }
}

/// A span of time in words; a clock that runs behind makes it zero.
pub(super) fn span(from: Timestamp, to: Timestamp) -> String {
    write_duration(since_until(from, to))
}

fn since_until(from: Timestamp, to: Timestamp) -> std::time::Duration {
    let seconds = to.duration_since(from).as_secs().max(0);
    std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
