//! What becomes of a commit: succeeded, held, gone back, aborted.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::clock;
use crate::health::Class;
use crate::ledger::{Aim, Course, Good, Outcome, Trouble};
use crate::object::{Digest, ObjectId};
use crate::plan::{Set, consequence};
use crate::policy::{Baseline, OnFailure};
use crate::revision::CommitId;
use crate::rollback::Pair;
use crate::rollout::{Checkpoint, Phase};

use super::BookFault;
use super::app::App;
use super::reading::ReadFault;

/// What speaks against a commit, and what it leads to.
pub(super) struct Blame {
    pub(super) action: OnFailure,
    pub(super) why: String,
    pub(super) pairs: Vec<Pair>,
    pub(super) objects: BTreeMap<ObjectId, Digest>,
}

impl App {
    /// Says whether nothing new may begin: a person paused, the commit failed, history was
    /// rewritten, Git takes it back and may not. A rollback goes on all the same.
    pub(super) fn is_stopped(&self) -> bool {
        let ledger = &self.book.ledger;
        let goes_back = ledger
            .aim
            .as_ref()
            .is_some_and(|aim| aim.course != Course::Forward && !aim.is_done);
        if goes_back {
            return false;
        }
        let rewritten = ledger.problem(Trouble::HistoryRewritten).is_some();
        ledger.pause.is_some() || rewritten || self.has_failed() || self.is_taken_back()
    }

    /// Says whether the aim failed and is held.
    pub(super) fn has_failed(&self) -> bool {
        self.book.ledger.failed_aim().is_some()
    }

    /// Decides what failed workloads and refused writes lead to; says whether the aim changed.
    pub(super) async fn decide(&mut self, set: &Arc<Set>) -> Result<bool, BookFault> {
        let aim = self.book.ledger.aim.clone();
        let Some(aim) = aim.filter(|aim| aim.course == Course::Forward) else {
            return Ok(false);
        };
        let failed = self.failed(set);
        // A revert is never reverted: what it may not write is tried until it may.
        let denied = if aim.is_done || aim.returns.is_whole {
            Vec::new()
        } else {
            self.denied(set, clock::now())
        };
        if failed.is_empty() && denied.is_empty() {
            self.recover(&aim.revision.id, set);
            return Ok(false);
        }
        let blame = self.blame(set, &failed, &denied).await?;
        if self.has_failed() && !self.may_go_back_now(&aim, &blame).await {
            return Ok(false);
        }
        self.act(&aim, set, blame).await
    }

    /// Says whether what failed before, and was to go back to what could not be read then, can.
    async fn may_go_back_now(&mut self, aim: &Aim, blame: &Blame) -> bool {
        let good = self.book.ledger.last_good.clone();
        match good.filter(|good| !good.is(aim)) {
            Some(good) if blame.action == OnFailure::Rollback => self.set_of(&good).await.is_ok(),
            Some(_) | None => false,
        }
    }

    /// The workloads that failed as they are wanted now. What failed under another template,
    /// policy or configuration speaks not against the aim: it is judged afresh.
    pub(super) fn failed(&self, set: &Set) -> Vec<ObjectId> {
        let ledger = &self.book.ledger;
        let is_same = |id: &ObjectId, kept: &Checkpoint| {
            kept.judged_by == self.judged_by(id, set)
                && (kept.write.manifest == set[id].hash
                    || self.wanted_template(id, &set[id]).as_ref() == Some(&kept.write.template))
        };
        let failed = ledger.rollouts.iter().filter(|(id, kept)| {
            kept.phase == Phase::Failed
                && set.contains_key(*id)
                && !ledger.is_held(id)
                && is_same(id, kept)
        });
        failed.map(|(id, _)| id.clone()).collect()
    }

    /// What failed workloads and refused writes ask for, and what speaks against the commit.
    async fn blame(
        &mut self,
        set: &Arc<Set>,
        failed: &[ObjectId],
        denied: &[ObjectId],
    ) -> Result<Blame, BookFault> {
        let rollouts = &self.book.ledger.rollouts;
        let by_default = self.by_default();
        let (mut asked, mut why) = (Vec::new(), Vec::new());
        for id in failed {
            let failure = rollouts.get(id).and_then(|kept| kept.failure.as_ref());
            let class = failure.map_or(Class::Revision, |failure| failure.cause.class);
            let policy = set[id].policy.as_ref();
            let policy = policy.map_or(by_default, |resolved| resolved.policy.on_failure);
            asked.push((class, policy));
            why.extend(failure.map(|failure| format!("{id}: {}", failure.cause)));
        }
        for id in denied {
            asked.push((Class::Revision, by_default));
            why.extend(self.denials.get(id).map(|denial| denial.why.clone()));
        }
        let action = consequence(asked).filter(|_| self.has_way_back(set));
        Ok(Blame {
            action: action.unwrap_or(OnFailure::Pause),
            why: why.join("; "),
            pairs: self.pairs(set, failed).await?,
            objects: manifests(set, denied),
        })
    }

    /// Says whether no workload is past the batch with which its policy ends the way back: the
    /// commit goes back as a whole or not at all.
    fn has_way_back(&self, set: &Set) -> bool {
        let is_past = |(id, kept): (&ObjectId, &Checkpoint)| {
            let policy = set.get(id).and_then(|wanted| wanted.policy.as_ref());
            let last = policy.and_then(|resolved| resolved.policy.no_rollback_after);
            let closed = if kept.phase == Phase::Succeeded {
                u32::MAX
            } else {
                kept.closed()
            };
            !kept.is_repair && last.is_some_and(|last| closed >= last)
        };
        !self.book.ledger.rollouts.iter().any(is_past)
    }

    /// What `spec.rollout` asks for where no workload is at fault. One that could not be read has
    /// given no set that could fail.
    fn by_default(&self) -> OnFailure {
        let baseline = Baseline::read(self.sync.rollout.as_ref());
        baseline.unwrap_or_default().on_failure()
    }

    /// What had failed runs again: the commit is on its way.
    fn recover(&mut self, commit: &CommitId, set: &Set) {
        let ledger = &mut self.book.ledger;
        if ledger.quarantine.blames_objects_of(commit) {
            // A workload whose last write was refused for a while, and was let through since.
            let is_through = |id: &ObjectId| {
                let kept = ledger.rollouts.get(id);
                kept.zip(set.get(id)).is_some_and(|(kept, wanted)| {
                    kept.phase == Phase::Succeeded && kept.write.manifest == wanted.hash
                })
            };
            if !ledger.quarantine.blamed_of(commit).all(is_through) {
                return;
            }
            ledger.quarantine.lift(commit);
        }
        if let Some(record) = self.book.ledger.deployed_mut(commit)
            && record.outcome == Outcome::Failed
        {
            record.outcome = Outcome::InProgress;
            record.message.clear();
            self.clear(Trouble::RolloutFailed);
        }
    }

    /// Does what a failure asks for; says whether the aim changed.
    async fn act(&mut self, aim: &Aim, set: &Arc<Set>, blame: Blame) -> Result<bool, BookFault> {
        let now = clock::now();
        let good = self.book.ledger.last_good.clone();
        let good = good.filter(|good| !good.is(aim));
        if !blame.pairs.is_empty() || !blame.objects.is_empty() {
            self.quarantine(&aim.revision.id, set, &blame).await;
        }
        self.count_batches(&aim.revision.id);
        match (blame.action, good) {
            (OnFailure::Rollback, Some(good)) => {
                self.turn_back(aim, &good, Outcome::RolledBack, &blame.why)
                    .await
            }
            (OnFailure::Rollback, None) => {
                let why = &blame.why;
                self.stay(
                    aim,
                    &format!("{why}; no revision has succeeded yet to go back to"),
                    now,
                );
                Ok(false)
            }
            // What a pod may do wrong is put up with before; here it is the rollout that failed.
            (OnFailure::Pause | OnFailure::Continue, _) => {
                self.stay(aim, &blame.why, now);
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
            Trouble::RolloutFailed,
            format!("{}: {why}", aim.revision.id.short()),
        );
    }

    /// The last good revision is what is wanted from now on.
    async fn turn_back(
        &mut self,
        aim: &Aim,
        good: &Good,
        outcome: Outcome,
        why: &str,
    ) -> Result<bool, BookFault> {
        let now = clock::now();
        if let Err(fault) = self.set_of(good).await {
            let message = format!(
                "{why}; the last good revision {} cannot be read: {fault}",
                good.revision.id.short()
            );
            self.stay(aim, &message, now);
            return Ok(false);
        }
        let record = self.open_record(&aim.revision, now);
        record.message = why.to_owned();
        record.rollback_to = Some(good.revision.id.clone());
        let note = format!(
            "{} goes back to {}: {why}",
            aim.revision.id.short(),
            good.revision.id.short()
        );
        self.announce(None, "RollingBack", note.clone(), true);
        self.clear(Trouble::RolloutFailed);
        self.book.ledger.aim = Some(aim.back_to(good.clone(), outcome, now));
        self.composed = None;
        self.book.save().await?;
        Ok(true)
    }

    /// Aborts the aim on a person's word. `None` where it has to wait, since a commit cannot be read
    /// now; nothing new begins meanwhile.
    pub(super) async fn abort(
        &mut self,
        commit: &CommitId,
        by: &str,
    ) -> Result<Option<String>, BookFault> {
        let aim = self.book.ledger.aim.clone().filter(|aim| {
            aim.course == Course::Forward && !aim.is_done && aim.revision.id == *commit
        });
        let Some(aim) = aim else {
            let answer = format!("{} is not being rolled out", commit.short());
            return Ok(Some(answer));
        };
        let Some(good) = self.book.ledger.last_good.clone() else {
            let answer = "no revision has succeeded yet to go back to";
            return Ok(Some(answer.to_owned()));
        };
        let readable = self.set_of(&good).await;
        let set = match (self.set(commit).await, readable) {
            (Ok(set), Ok(_)) => set,
            (Err(fault), _) | (_, Err(fault)) => {
                self.stay(
                    &aim,
                    &format!("the abort by {by} waits: {fault}"),
                    clock::now(),
                );
                return match fault {
                    ReadFault::Cluster(refusal) => Err(refusal.into()),
                    ReadFault::Git(_) | ReadFault::Faults(_) | ReadFault::Thread(_) => Ok(None),
                };
            }
        };
        let mut changed: Vec<ObjectId> = self.changed_by(&set).await.into_keys().collect();
        changed.extend(self.book.ledger.rollouts.keys().cloned());
        changed.sort();
        changed.dedup();
        let mut pairs = self.pairs(&set, &changed).await?;
        // A template that succeeded here is not what the commit brought.
        let inventory = &self.book.ledger.inventory;
        pairs.retain(|pair| {
            let entry = inventory.get(&pair.failed.workload);
            entry.is_none_or(|entry| !entry.has_succeeded(&pair.failed.template))
        });
        let blame = Blame {
            action: OnFailure::Rollback,
            why: format!("aborted by {by}"),
            pairs,
            objects: BTreeMap::new(),
        };
        self.quarantine(commit, &set, &blame).await;
        self.count_batches(commit);
        self.turn_back(&aim, &good, Outcome::Aborted, &blame.why)
            .await?;
        Ok(Some(format!("{} is aborted", commit.short())))
    }

    /// Objects of a stage did not become healthy in time.
    pub(super) async fn fail_stage(
        &mut self,
        set: &Arc<Set>,
        late: &[ObjectId],
        message: String,
    ) -> Result<bool, BookFault> {
        let aim = self.book.ledger.aim.clone();
        let fails = |aim: &Aim| aim.course == Course::Forward && !aim.returns.is_whole;
        let Some(aim) = aim.filter(fails) else {
            self.trouble(Trouble::RollbackFailed, message);
            return Ok(false);
        };
        let blame = Blame {
            action: self.by_default(),
            why: message,
            pairs: Vec::new(),
            objects: manifests(set, late),
        };
        self.act(&aim, set, blame).await?;
        Ok(true)
    }
}

/// These objects with the hash of their manifest.
fn manifests(set: &Set, ids: &[ObjectId]) -> BTreeMap<ObjectId, Digest> {
    let hash = |id: &ObjectId| Some((id.clone(), set.get(id)?.hash.clone()));
    ids.iter().filter_map(hash).collect()
}
