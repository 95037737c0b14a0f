//! What becomes of a commit: succeeded, held, gone back, aborted.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use crate::health::Class;
use crate::ledger::{Aim, Course, Outcome};
use crate::object::ObjectId;
use crate::plan::Set;
use crate::policy::OnFailure;
use crate::revision::{CommitId, Revision};
use crate::rollout::{Checkpoint, Phase};

use super::BookFault;
use super::app::App;

impl App {
    /// Says whether nothing new may begin: a person paused, the commit failed, history was
    /// rewritten. A rollback goes on all the same.
    pub(super) fn is_stopped(&self) -> bool {
        let ledger = &self.book.ledger;
        let goes_back = ledger
            .aim
            .as_ref()
            .is_some_and(|aim| aim.course != Course::Forward && !aim.is_done);
        if goes_back {
            return false;
        }
        let rewritten = ledger
            .problem
            .as_ref()
            .is_some_and(|problem| problem.reason == "HistoryRewritten");
        ledger.pause.is_some() || rewritten || self.has_failed()
    }

    /// Says whether the aim failed and is held.
    pub(super) fn has_failed(&self) -> bool {
        let ledger = &self.book.ledger;
        let Some(aim) = ledger
            .aim
            .as_ref()
            .filter(|aim| aim.course == Course::Forward)
        else {
            return false;
        };
        let record = ledger.deployed(&aim.revision.id);
        record.is_some_and(|record| record.outcome == Outcome::Failed)
    }

    /// Decides what a failed workload leads to; says whether the aim changed.
    pub(super) async fn decide(&mut self, set: &Arc<Set>) -> Result<bool, BookFault> {
        let Some(aim) = self
            .book
            .ledger
            .aim
            .clone()
            .filter(|aim| aim.course == Course::Forward)
        else {
            return Ok(false);
        };
        let failed: Vec<(ObjectId, Checkpoint)> = self
            .book
            .ledger
            .rollouts
            .iter()
            .filter(|(id, kept)| {
                kept.phase == Phase::Failed && set.contains_key(*id) && !aim.held.contains_key(*id)
            })
            .map(|(id, kept)| (id.clone(), kept.clone()))
            .collect();
        if failed.is_empty() {
            self.recover(&aim.revision.id);
            return Ok(false);
        }
        if self.has_failed() {
            return Ok(false);
        }
        let why = failed
            .iter()
            .filter_map(|(id, kept)| Some(format!("{id}: {}", kept.failure.as_ref()?.cause)))
            .collect::<Vec<_>>()
            .join("; ");
        let action = failed
            .iter()
            .map(|(id, kept)| on_failure(id, kept, set))
            .max();
        self.go_or_stay(
            &aim,
            set,
            &failed,
            (action.unwrap_or(OnFailure::Pause), why),
        )
        .await
    }

    /// What had failed runs again: the commit is on its way.
    fn recover(&mut self, commit: &CommitId) {
        let stage_failed = self
            .book
            .ledger
            .problem
            .as_ref()
            .is_some_and(|problem| problem.reason == "StageFailed");
        if stage_failed {
            return;
        }
        if let Some(record) = self.book.ledger.deployed_mut(commit)
            && record.outcome == Outcome::Failed
        {
            record.outcome = Outcome::InProgress;
            record.message.clear();
            self.clear("RolloutFailed");
        }
    }

    async fn go_or_stay(
        &mut self,
        aim: &Aim,
        set: &Arc<Set>,
        failed: &[(ObjectId, Checkpoint)],
        (action, why): (OnFailure, String),
    ) -> Result<bool, BookFault> {
        let now = crate::clock::now();
        let good = self
            .book
            .ledger
            .last_good
            .clone()
            .filter(|good| good.id != aim.revision.id);
        let pairs = self.pairs(set, failed);
        if !pairs.is_empty() {
            self.quarantine(&aim.revision.id, set, pairs, &why).await;
        }
        self.count_batches(&aim.revision.id);
        match (action, good) {
            (OnFailure::Rollback, Some(good)) => {
                self.turn_back(aim, &good, Outcome::RolledBack, &why).await
            }
            (OnFailure::Rollback, None) => {
                self.stay(
                    aim,
                    &format!("{why}; no revision has succeeded yet to go back to"),
                    now,
                );
                Ok(false)
            }
            (OnFailure::Pause, _) => {
                self.stay(aim, &why, now);
                Ok(false)
            }
        }
    }

    /// Holds the commit as it is.
    fn stay(&mut self, aim: &Aim, why: &str, now: Timestamp) {
        self.open_record(&aim.revision, now).outcome = Outcome::Failed;
        if let Some(record) = self.book.ledger.deployed_mut(&aim.revision.id) {
            record.message = why.to_owned();
        }
        self.trouble(
            "RolloutFailed",
            format!("{}: {why}", aim.revision.id.short()),
        );
    }

    /// The last good revision is what is wanted from now on.
    async fn turn_back(
        &mut self,
        aim: &Aim,
        good: &Revision,
        outcome: Outcome,
        why: &str,
    ) -> Result<bool, BookFault> {
        let now = crate::clock::now();
        let tree = self
            .mirror
            .tree_id(&good.id, std::slice::from_ref(&self.sync.source.path))
            .await;
        if let Err(fault) = self.set(&good.id).await {
            let message = format!(
                "{why}; the last good revision {} cannot be read: {fault}",
                good.id.short()
            );
            self.stay(aim, &message, now);
            return Ok(false);
        }
        let record = self.open_record(&aim.revision, now);
        record.message = why.to_owned();
        record.rollback_to = Some(good.id.clone());
        let note = format!(
            "{} goes back to {}: {why}",
            aim.revision.id.short(),
            good.id.short()
        );
        self.announce(None, "RollingBack", note.clone(), true);
        self.book.ledger.aim = Some(Aim {
            revision: good.clone(),
            // Never equal to a tree of the branch: the next tip is always judged.
            tree: format!("back to {}", tree.ok().flatten().unwrap_or_default()),
            course: Course::Back {
                from: aim.revision.id.clone(),
                outcome,
            },
            held: BTreeMap::new(),
            started: now,
            stage: None,
            is_done: false,
        });
        self.clear("StageFailed");
        self.composed = None;
        self.book.save().await?;
        Ok(true)
    }

    /// Aborts the aim on a person's word.
    pub(super) async fn abort(&mut self, commit: &CommitId, by: &str) -> Result<String, BookFault> {
        let aim = self.book.ledger.aim.clone().filter(|aim| {
            aim.course == Course::Forward && !aim.is_done && aim.revision.id == *commit
        });
        let Some(aim) = aim else {
            return Ok(format!("{} is not being rolled out", commit.short()));
        };
        let Some(good) = self.book.ledger.last_good.clone() else {
            return Ok("no revision has succeeded yet to go back to".to_owned());
        };
        let Ok(set) = self.set(commit).await else {
            return Ok(format!("{} cannot be read any more", commit.short()));
        };
        let moved: Vec<(ObjectId, Checkpoint)> =
            self.book.ledger.rollouts.clone().into_iter().collect();
        let pairs = self.pairs(&set, &moved);
        let why = format!("aborted by {by}");
        self.quarantine(commit, &set, pairs, &why).await;
        self.count_batches(commit);
        self.turn_back(&aim, &good, Outcome::Aborted, &why).await?;
        Ok(format!("{} is aborted", commit.short()))
    }

    /// A stage did not become healthy in time.
    pub(super) fn fail_stage(&mut self, message: &str, now: Timestamp) {
        let Some(aim) = self.book.ledger.aim.clone() else {
            return;
        };
        if aim.course == Course::Forward && !self.has_failed() {
            self.open_record(&aim.revision, now).outcome = Outcome::Failed;
            if let Some(record) = self.book.ledger.deployed_mut(&aim.revision.id) {
                record.message = message.to_owned();
            }
        }
        self.trouble(
            "StageFailed",
            format!("{}: {message}", aim.revision.id.short()),
        );
    }
}

/// What a workload's failure asks for: its policy, but never a rollback for want of room.
fn on_failure(id: &ObjectId, kept: &Checkpoint, set: &Set) -> OnFailure {
    let capacity = kept
        .failure
        .as_ref()
        .is_some_and(|failure| failure.cause.class == Class::Capacity);
    let policy = set.get(id).and_then(|wanted| wanted.policy.as_ref());
    match policy {
        Some(resolved) if !capacity => resolved.policy.on_failure,
        Some(_) | None => OnFailure::Pause,
    }
}

/// Reads who asked for something from a request's JSON value, or takes it as it is.
pub(super) fn asker(value: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(value).unwrap_or_else(|_| json!({}));
    json["by"].as_str().unwrap_or("a person").to_owned()
}
