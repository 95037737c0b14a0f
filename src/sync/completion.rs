//! The end of a commit: its record, what is kept of it, what is forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::cluster::Live;
use crate::ledger::{Aim, Course, Good, Outcome, Trouble};
use crate::object::{Digest, ObjectId, Workload};
use crate::plan::Set;
use crate::policy::OnFailure;
use crate::revision::CommitId;
use crate::rollout::Phase;

use super::BookFault;
use super::app::App;
use super::judging::rendered;
use super::pruning::Pruning;
use super::pursuit::TOLD;

/// The digest by which a live template is known again.
fn content(live: &Live, id: &ObjectId) -> Option<Digest> {
    let live = live.get(id)?;
    Some(Workload(&live).content_digest())
}

impl App {
    /// Everything is as the aim says: what is not wanted any more goes, then the commit is done.
    pub(super) async fn complete(
        &mut self,
        set: &Arc<Set>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, BookFault> {
        let wake = match self.prune(set).await? {
            Pruning::Done => None,
            Pruning::Waiting(wake) => return Ok(Some(wake)),
            Pruning::Stuck(wake) => Some(wake),
        };
        let Some(aim) = self.book.ledger.aim.clone().filter(|aim| !aim.is_done) else {
            return Ok(wake);
        };
        if self.book.ledger.held_prune.is_some() && aim.course == Course::Forward {
            if self.passed_over(set).is_empty() {
                self.await_approval(&aim).await;
            }
            return Ok(wake);
        }
        match &aim.course {
            Course::Forward if !self.passed_over(set).is_empty() => {
                self.end_with_failures(&aim, set, now);
            }
            Course::Forward => {
                let good = self.good_now(&aim).await;
                self.note_good(&aim, good);
                self.succeed(&aim, now);
            }
            Course::Back { from, outcome } => {
                let why = self
                    .book
                    .ledger
                    .deployed(from)
                    .map(|record| record.message.clone());
                self.end(from, *outcome, &why.unwrap_or_default(), now);
                self.clear(Trouble::RollbackFailed);
                let left = self.left_behind(set);
                let back = aim.revision.id.short();
                let note = format!("the cluster is back on {back}{left}");
                self.announce(None, "RolledBack", note, false);
            }
        }
        if let Some(aim) = &mut self.book.ledger.aim {
            aim.is_done = true;
            aim.stage = None;
        }
        self.forget();
        self.book.save().await?;
        self.pin().await;
        Ok(wake)
    }

    /// Words about what the commit that was gone back on made and what stays all the same; may be
    /// empty.
    fn left_behind(&self, set: &Set) -> String {
        let kept = self.prune_plan(set).kept;
        let told: Vec<String> = kept
            .iter()
            .take(TOLD)
            .map(|(id, why)| format!("{id} ({why})"))
            .collect();
        match kept.len().saturating_sub(TOLD) {
            0 if told.is_empty() => String::new(),
            0 => format!("; what it made stays: {}", told.join(", ")),
            more => format!("; what it made stays: {} and {more} more", told.join(", ")),
        }
    }

    /// All that the aim wrote is healthy: that is what a failure leads back to from now on.
    pub(super) fn note_good(&mut self, aim: &Aim, good: Option<Good>) {
        self.book.ledger.last_good = good;
        let limit = self.sync.history_limit as usize;
        let inventory = self.book.ledger.inventory.iter_mut();
        for (id, entry) in inventory.filter(|(id, _)| id.is_workload()) {
            entry.passed_over = None;
            if !aim.held.contains_key(id)
                && let Some(written) = entry.template.clone()
                && let template = content(&self.shared.live, id).unwrap_or(written)
                && entry
                    .goods
                    .first()
                    .is_none_or(|good| good.template != template)
            {
                entry.succeeded(&template, &aim.revision.id, limit);
            }
        }
    }

    /// Only deletes are left, which a person has to approve: they keep nothing else from counting
    /// once another commit comes.
    async fn await_approval(&mut self, aim: &Aim) {
        if aim.good.is_none() {
            let good = self.good_now(aim).await;
            if let Some(aim) = &mut self.book.ledger.aim {
                aim.good = good;
            }
        }
    }

    /// What a failure leads back to once this aim is reached: what quarantine holds of it is as the
    /// good commit before had it.
    pub(super) async fn good_now(&mut self, aim: &Aim) -> Option<Good> {
        if aim.held.is_empty() {
            return Some(aim.revision.clone().into());
        }
        let known = self.book.ledger.last_good.clone();
        let Some(before) = self.good_set().await else {
            return known;
        };
        let had = |id: &ObjectId| before.get(id).map(|wanted| wanted.commit().clone());
        let held = aim.held.keys().map(|id| (id.clone(), had(id)));
        let good = Good {
            revision: aim.revision.clone(),
            held: held.collect(),
        };
        match self.set_of(&good).await {
            Ok(set) if rendered(&set) != rendered(&before) => Some(good),
            // It is the same as before, or cannot be gone back to.
            Ok(_) | Err(_) => known,
        }
    }

    fn succeed(&mut self, aim: &Aim, now: Timestamp) {
        let record = self.book.ledger.deployed(&aim.revision.id);
        let is_news = record.is_none_or(|record| record.ended.is_none());
        if is_news {
            self.count_batches(&aim.revision.id);
        }
        for reason in [
            Trouble::RolloutFailed,
            Trouble::RollbackFailed,
            Trouble::ApplyFailed,
            Trouble::SharedResource,
        ] {
            self.clear(reason);
        }
        if aim.held.is_empty() {
            self.end(&aim.revision.id, Outcome::Succeeded, "", now);
            if is_news {
                let note = format!("{} is rolled out", aim.revision.change_cause());
                self.announce(None, "RolloutCompleted", note, false);
            }
        } else {
            let held: Vec<String> = aim.held.keys().map(ToString::to_string).collect();
            let why = format!(
                "quarantine holds {}; `tidegate retry` lifts it",
                held.join(", ")
            );
            self.end(&aim.revision.id, Outcome::Held, &why, now);
            self.announce(None, "QuarantinedRevision", why, true);
        }
    }

    /// Workloads whose failed pods `onFailure: Continue` passed over, each with words about them:
    /// under this commit, or under one before it with the same template.
    fn passed_over(&self, set: &Set) -> BTreeMap<ObjectId, String> {
        let mut found = BTreeMap::new();
        for (id, wanted) in set {
            let kept = self.book.ledger.rollouts.get(id);
            let failures = kept.map_or(0, |kept| kept.failures);
            let policy = wanted.policy.as_ref().map(|resolved| &resolved.policy);
            let continues = policy.is_some_and(|it| it.on_failure == OnFailure::Continue);
            let entry = self.book.ledger.inventory.get(id);
            let before = entry.filter(|entry| entry.passed_over.is_some());
            if failures > 0 && continues {
                found.insert(id.clone(), format!("{failures} new pods failed"));
            } else if before.is_some_and(|entry| entry.passed_over == entry.template)
                && !self.serves(id, set)
            {
                let words = "pods failed under an earlier commit and do not serve yet";
                found.insert(id.clone(), words.to_owned());
            }
        }
        found
    }

    /// Says whether Kubernetes calls the rollout of a workload complete.
    fn serves(&self, id: &ObjectId, set: &Set) -> bool {
        let live = self.seen(id, set).live;
        live.is_some_and(|live| live.is_complete(live.strategy))
    }

    /// The commit is brought about, but not all of its pods are healthy: nothing goes back to it.
    fn end_with_failures(&mut self, aim: &Aim, set: &Set, now: Timestamp) {
        let passed_over = self.passed_over(set);
        for id in passed_over.keys() {
            if let Some(entry) = self.book.ledger.inventory.get_mut(id) {
                entry.passed_over.clone_from(&entry.template);
            }
        }
        let told = passed_over
            .iter()
            .map(|(id, words)| format!("{}: {words}", id.short()));
        let why = told.collect::<Vec<_>>().join("; ");
        self.count_batches(&aim.revision.id);
        let outcome = Outcome::CompletedWithFailures;
        self.end(&aim.revision.id, outcome, &why, now);
        let short = aim.revision.id.short();
        let note = format!("{short} is completed with failures: {why}");
        self.announce(None, "CompletedWithFailures", note, true);
    }

    /// Ends the record of a commit, unless it has ended.
    pub(super) fn end(&mut self, commit: &CommitId, outcome: Outcome, why: &str, now: Timestamp) {
        if let Some(record) = self.book.ledger.deployed_mut(commit)
            && record.ended.is_none()
        {
            record.outcome = outcome;
            record.ended = Some(now);
            why.clone_into(&mut record.message);
        }
    }

    /// Adds up the batches of all workloads of a commit.
    pub(super) fn count_batches(&mut self, commit: &CommitId) {
        let rollouts = self
            .book
            .ledger
            .rollouts
            .values()
            .filter(|kept| kept.write.commit == *commit);
        let counts = rollouts.map(|kept| {
            let done = if kept.phase == Phase::Succeeded {
                kept.batches
            } else {
                u32::try_from(kept.evidence.len())
                    .unwrap_or(u32::MAX)
                    .min(kept.batches)
            };
            (done, kept.batches)
        });
        let sum = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if let Some(record) = self.book.ledger.deployed_mut(commit) {
            record.batches = sum;
        }
    }

    /// Drops from memory what no record needs any more.
    fn forget(&mut self) {
        let ledger = &mut self.book.ledger;
        let inventory = &ledger.inventory;
        ledger.restarts.retain(|id, _| inventory.contains_key(id));
        let ledger = &self.book.ledger;
        let keep = |commit: &CommitId| {
            ledger
                .last_good
                .as_ref()
                .is_some_and(|good| good.commits().any(|good| good == commit))
                || ledger.aim.as_ref().is_some_and(|aim| {
                    aim.revision.id == *commit
                        || aim.held.values().any(|held| held.as_ref() == Some(commit))
                })
        };
        self.sets.retain(|commit, _| keep(commit));
        let sets = &self.sets;
        self.probes.retain(|(id, hash), _| {
            ledger.rollouts.contains_key(id)
                && sets
                    .values()
                    .any(|set| set.get(id).is_some_and(|wanted| wanted.hash == *hash))
        });
    }

    /// Pins the commits that may be gone back to, so that this works while Git is away.
    async fn pin(&mut self) {
        let ledger = &self.book.ledger;
        let mut commits: Vec<CommitId> = ledger
            .history
            .iter()
            .filter(|record| record.outcome == Outcome::Succeeded)
            .map(|record| record.revision.id.clone())
            .collect();
        commits.extend(ledger.last_good.iter().flat_map(Good::commits).cloned());
        commits.extend(ledger.aim.iter().map(|aim| aim.revision.id.clone()));
        let held = ledger
            .aim
            .iter()
            .flat_map(|aim| aim.held.values().flatten());
        commits.extend(held.cloned());
        commits.sort();
        commits.dedup();
        if let Err(fault) = self.mirror.pin(&self.label(), &commits).await {
            tracing::warn!(gitsync = %self.label(), cause = %fault, "commits could not be pinned");
        }
    }
}
