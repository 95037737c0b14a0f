//! A new tip: seen, read, checked, dry-run, held against quarantine; then it is the aim.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::info;

use crate::clock;
use crate::config::Rewrites;
use crate::git::{Fetched, GitFault, Reason};
use crate::ledger::{Aim, Course, Deployed, Outcome, Problem, Tip};
use crate::object::{Digest, ObjectId};
use crate::plan::Set;
use crate::revision::{CommitId, Revision};

use super::BookFault;
use super::app::App;
use super::probing::ProbeFault;
use super::reading::{ReadFault, lines};

/// Commits that do not touch the path whose fate is still told.
const UNTOUCHED: usize = 200;
/// Commits between two tips that get an outcome of their own.
const BETWEEN: usize = 100;

impl App {
    /// Git was reached: a new tip is recorded.
    pub(super) async fn reached(&mut self, fetched: &Fetched) {
        self.clear("GitUnreachable");
        self.clear("AuthenticationFailed");
        let known = self
            .book
            .ledger
            .tip
            .as_ref()
            .map(|tip| tip.revision.id.clone());
        if known.as_ref() == Some(&fetched.tip) {
            return;
        }
        let now = clock::now();
        self.book.ledger.fetched_at = Some(now);
        if let Err(fault) = self.see(&fetched.tip, known.as_ref(), now).await {
            self.unreached(&fault);
        }
    }

    /// Git was not reached, or not whole: what runs keeps running.
    pub(super) fn unreached(&mut self, fault: &GitFault) {
        self.trouble(word(fault), fault.to_string());
    }

    /// Notes what keeps the agent from following the tip; the same trouble keeps its time.
    pub(super) fn trouble(&mut self, reason: &str, message: String) {
        let known = self.book.ledger.problem.as_ref();
        if known.is_some_and(|known| known.reason == reason && known.message == message) {
            return;
        }
        self.announce(None, reason, message.clone(), true);
        let since = clock::now();
        self.book.ledger.problem = Some(Problem {
            reason: reason.to_owned(),
            message,
            since,
        });
    }

    /// Records a tip and what lies between it and the last one.
    async fn see(
        &mut self,
        tip: &CommitId,
        before: Option<&CommitId>,
        now: Timestamp,
    ) -> Result<(), GitFault> {
        let revision = self.mirror.revision(tip).await?;
        let paths = self.paths();
        let tree = self.mirror.tree_id(tip, &paths).await?;
        if let Some(before) = before
            && self
                .mirror
                .is_descendant(before, tip)
                .await
                .unwrap_or(false)
        {
            let passed = self.mirror.log(tip, &paths, Some(before), BETWEEN).await?;
            self.pass_over(&passed, tip, now);
            let all = self
                .mirror
                .log(tip, &[String::new()], Some(before), BETWEEN)
                .await?;
            let others = all
                .into_iter()
                .map(|revision| revision.id)
                .filter(|id| id != tip && !passed.iter().any(|revision| revision.id == *id));
            self.leave_untouched(others.collect());
        }
        if let Some(old) = self.book.ledger.tip.as_ref().filter(|old| !old.is_judged) {
            let old = old.revision.id.clone();
            self.end(
                &old,
                Outcome::Superseded,
                "a newer commit came before it began",
                now,
            );
        }
        info!(gitsync = %self.label(), commit = %tip.short(), subject = %revision.subject, "new tip");
        let note = format!("{} {}", tip.short(), revision.subject);
        self.announce(None, "RevisionFetched", note, false);
        // A commit without the path is judged like any other: reading it says what is missing.
        let tree = tree.unwrap_or_default();
        self.book.ledger.tip = Some(Tip {
            revision,
            tree,
            seen_at: now,
            is_judged: false,
        });
        Ok(())
    }

    fn paths(&self) -> Vec<String> {
        let source = &self.sync.source;
        std::iter::once(source.path.clone())
            .chain(source.extra_paths.iter().cloned())
            .collect()
    }

    /// Commits that nobody will ever bring about: a newer one came with them.
    fn pass_over(&mut self, passed: &[Revision], tip: &CommitId, now: Timestamp) {
        for revision in passed.iter().rev().filter(|revision| revision.id != *tip) {
            self.open_record(revision, now);
            self.end(
                &revision.id,
                Outcome::Superseded,
                "a newer commit came with it",
                now,
            );
        }
    }

    /// Judges the tip if that was not done yet.
    pub(super) async fn judge_tip(&mut self, now: Timestamp) -> Result<(), BookFault> {
        let Some(tip) = self.book.ledger.tip.clone().filter(|tip| !tip.is_judged) else {
            return Ok(());
        };
        if self.book.ledger.pause.is_some() {
            self.open_record(&tip.revision, now).outcome = Outcome::Pending;
            return Ok(());
        }
        if !self.may_follow(&tip).await {
            self.open_record(&tip.revision, now).outcome = Outcome::Pending;
            return Ok(());
        }
        let same_tree = self
            .book
            .ledger
            .aim
            .as_ref()
            .is_some_and(|aim| aim.tree == tip.tree);
        if same_tree && self.book.ledger.deployed(&tip.revision.id).is_none() {
            self.leave_untouched(vec![tip.revision.id.clone()]);
            self.judged();
            self.clear("Rejected");
            self.clear("PathMissing");
            return Ok(());
        }
        self.open_record(&tip.revision, now);
        match self.examine(&tip).await? {
            Examined::Accepted { set, held } => self.accept(&tip, &set, held, now),
            Examined::Refused { reason, message } => self.reject(&tip, reason, message, now),
            Examined::Unknown => {}
        }
        Ok(())
    }

    /// Says whether history allows to follow: a rewritten branch needs an approval.
    async fn may_follow(&mut self, tip: &Tip) -> bool {
        let Some(aim) = &self.book.ledger.aim else {
            return true;
        };
        if self.sync.source.rewrites == Rewrites::Adopt {
            return true;
        }
        let approval = format!("{}/rewrite", tip.revision.id);
        if self.book.ledger.approvals.contains(&approval) {
            self.clear("HistoryRewritten");
            return true;
        }
        // Under a rollback the branch is ahead of the aim; what counts is the commit it left.
        let base = match &aim.course {
            Course::Forward => aim.revision.id.clone(),
            Course::Back { from, .. } => from.clone(),
        };
        let descends = self.mirror.is_descendant(&base, &tip.revision.id).await;
        if descends.unwrap_or(false) {
            self.clear("HistoryRewritten");
            return true;
        }
        let message = format!(
            "the branch {} was rewritten: {} does not descend from {}; nothing new is started. \
             `tidegate approve {}` accepts it",
            self.sync.source.branch,
            tip.revision.id.short(),
            base.short(),
            self.label(),
        );
        self.trouble("HistoryRewritten", message);
        false
    }

    /// Forgets a trouble of this kind.
    pub(super) fn clear(&mut self, reason: &str) {
        if self
            .book
            .ledger
            .problem
            .as_ref()
            .is_some_and(|problem| problem.reason == reason)
        {
            self.book.ledger.problem = None;
        }
    }

    /// These commits, newest first, do not change what is followed.
    fn leave_untouched(&mut self, commits: Vec<CommitId>) {
        let untouched = &mut self.book.ledger.untouched;
        untouched.splice(0..0, commits);
        untouched.truncate(UNTOUCHED);
    }

    /// The tip needs no further judgement.
    fn judged(&mut self) {
        if let Some(tip) = &mut self.book.ledger.tip {
            tip.is_judged = true;
        }
    }

    /// Reads, checks and dry-runs the whole commit.
    pub(super) async fn examine(&mut self, tip: &Tip) -> Result<Examined, BookFault> {
        let set = match self.set(&tip.revision.id).await {
            Ok(set) => set,
            Err(ReadFault::Faults(faults)) => return Ok(refused("Rejected", lines(&faults))),
            Err(ReadFault::Git(fault)) => {
                return Ok(refused(word(&fault), fault.to_string()));
            }
            Err(ReadFault::Cluster(refusal)) => return Err(refusal.into()),
        };
        if set.is_empty() && !self.sync.prune.allow_empty {
            let message = format!(
                "{} has no objects in `{}`; an empty set would delete everything and is refused \
                 unless spec.prune.allowEmpty is true",
                tip.revision.id.short(),
                self.sync.source.path
            );
            return Ok(refused("Rejected", message));
        }
        self.follow(&set);
        if let Err(faults) = self.shared.live.settle().await {
            self.trouble(
                "ApplyFailed",
                format!("the cluster cannot be watched: {}", faults.join("; ")),
            );
            return Ok(Examined::Unknown);
        }
        self.clear("ApplyFailed");
        if let Err(faults) = self.probe_all(&set).await {
            return sorted(faults);
        }
        let held = self.held(&set);
        Ok(Examined::Accepted { set, held })
    }

    /// The objects of a set that quarantine keeps as they were: what the failed commit changed and
    /// this one leaves identical.
    fn held(&mut self, set: &Set) -> BTreeMap<ObjectId, Option<CommitId>> {
        let mut held = BTreeMap::new();
        let workloads: Vec<ObjectId> = set
            .keys()
            .filter(|id| id.is_deployment())
            .cloned()
            .collect();
        for id in workloads {
            let key = (id.clone(), set[&id].hash.clone());
            let Some(probe) = self.probes.get(&key) else {
                continue;
            };
            let candidate = self.candidate(set, &id, probe);
            let Some(culprit) = self.book.ledger.quarantine.holds(&candidate) else {
                continue;
            };
            let identical = culprit
                .changed
                .iter()
                .filter(|(id, hash)| set.get(*id).map(|wanted| &wanted.hash) == hash.as_ref());
            let mut objects: Vec<ObjectId> = identical.map(|(id, _)| id.clone()).collect();
            objects.push(id);
            for object in objects {
                let entry = self.book.ledger.inventory.get(&object);
                held.insert(object, entry.map(|entry| entry.written.clone()));
            }
        }
        held
    }

    /// The tip becomes the aim.
    fn accept(
        &mut self,
        tip: &Tip,
        set: &Arc<Set>,
        held: BTreeMap<ObjectId, Option<CommitId>>,
        now: Timestamp,
    ) {
        let gone_back = self
            .book
            .ledger
            .deployed(&tip.revision.id)
            .is_some_and(|record| matches!(record.outcome, Outcome::RolledBack | Outcome::Aborted));
        if gone_back && !held.is_empty() {
            // Judged again (another configuration, a restart) and held all the same.
            self.judged();
            return;
        }
        self.supersede(&tip.revision.id, now);
        for reason in [
            "Rejected",
            "PathMissing",
            "RolloutFailed",
            "StageFailed",
            "FieldConflict",
        ] {
            self.clear(reason);
        }
        let rendered = rendered(set);
        let earlier = self.book.ledger.history.iter().find(|deployed| {
            deployed.outcome == Outcome::Succeeded && deployed.rendered.as_ref() == Some(&rendered)
        });
        let rollback_to = earlier.map(|deployed| deployed.revision.id.clone());
        let images = self.images(set);
        let record = self.open_record(&tip.revision, now);
        record.outcome = Outcome::InProgress;
        record.ended = None;
        record.message.clear();
        record.rendered = Some(rendered);
        record.rollback_to = rollback_to.filter(|id| *id != tip.revision.id);
        record.images = images;
        let ledger = &mut self.book.ledger;
        ledger.rollouts.retain(|_, kept| !kept.is_over());
        ledger.held_prune = None;
        ledger.aim = Some(Aim {
            revision: tip.revision.clone(),
            tree: tip.tree.clone(),
            course: Course::Forward,
            held,
            started: now,
            stage: None,
            is_done: false,
        });
        self.judged();
        self.composed = None;
    }

    /// What was under way ends as superseded, unless it has an outcome already.
    fn supersede(&mut self, by: &CommitId, now: Timestamp) {
        let Some(aim) = self.book.ledger.aim.clone() else {
            return;
        };
        let why = format!("{} took over", by.short());
        match aim.course {
            Course::Forward if !aim.is_done && aim.revision.id != *by => {
                let failed = self.book.ledger.deployed(&aim.revision.id);
                if failed.is_none_or(|record| record.outcome != Outcome::Failed) {
                    self.end(&aim.revision.id, Outcome::Superseded, &why, now);
                    self.announce(None, "RolloutSuperseded", why, false);
                }
            }
            Course::Back { from, outcome } if !aim.is_done => self.end(&from, outcome, &why, now),
            Course::Forward | Course::Back { .. } => {}
        }
    }

    fn reject(&mut self, tip: &Tip, reason: String, message: String, now: Timestamp) {
        let text = format!("{}: {message}", tip.revision.id.short());
        self.end(&tip.revision.id, Outcome::Rejected, &message, now);
        self.trouble(&reason, text);
        self.judged();
    }

    /// Images of the workloads that a set would change.
    fn images(&self, set: &Set) -> Vec<String> {
        let inventory = &self.book.ledger.inventory;
        let changed = set.iter().filter(|(id, wanted)| {
            let written = inventory.get(*id).and_then(|entry| entry.hash.as_ref());
            id.is_deployment() && written != Some(&wanted.hash)
        });
        let mut images: Vec<String> = changed
            .flat_map(|(_, wanted)| crate::object::Deployment(&wanted.object).images())
            .map(|(_, image)| crate::object::ImageReference::read(&image).to_string())
            .collect();
        images.sort();
        images.dedup();
        images.truncate(20);
        images
    }

    /// Returns the record of a commit, a new one where there is none.
    pub(super) fn open_record(&mut self, revision: &Revision, now: Timestamp) -> &mut Deployed {
        let history = &mut self.book.ledger.history;
        let known = history
            .iter()
            .position(|record| record.revision.id == revision.id);
        let index = known.unwrap_or_else(|| {
            history.insert(
                0,
                Deployed {
                    revision: revision.clone(),
                    outcome: Outcome::Pending,
                    started: now,
                    ended: None,
                    batches: (0, 0),
                    images: Vec::new(),
                    rollback_to: None,
                    rendered: None,
                    message: String::new(),
                },
            );
            let limit = (self.sync.history_limit as usize).max(1);
            history.truncate(limit);
            0
        });
        &mut history[index]
    }
}

/// What the examination of a commit came to.
pub(super) enum Examined {
    /// It may be brought about.
    Accepted {
        set: Arc<Set>,
        held: BTreeMap<ObjectId, Option<CommitId>>,
    },
    /// It may not.
    Refused { reason: String, message: String },
    /// The cluster could not say yet.
    Unknown,
}

fn refused(reason: &str, message: String) -> Examined {
    Examined::Refused {
        reason: reason.to_owned(),
        message,
    }
}

/// All faults of a commit; where the cluster could not say, its refusal.
fn sorted(faults: Vec<ProbeFault>) -> Result<Examined, BookFault> {
    let (mut commit, mut owned) = (Vec::new(), Vec::new());
    for fault in faults {
        match fault {
            ProbeFault::Commit(fault) => commit.push(fault),
            ProbeFault::Owned(fault) => owned.push(fault),
            ProbeFault::Cluster(refusal) => return Err(refusal.into()),
        }
    }
    let reason = if commit.is_empty() {
        "FieldConflict"
    } else {
        "Rejected"
    };
    commit.append(&mut owned);
    commit.sort();
    Ok(refused(reason, lines(&commit)))
}

/// The word for a failure of Git in conditions.
fn word(fault: &GitFault) -> &'static str {
    match fault.reason() {
        Reason::AuthenticationFailed
        | Reason::CredentialsInvalid
        | Reason::HostKey
        | Reason::Certificate => "AuthenticationFailed",
        Reason::PathMissing => "PathMissing",
        Reason::UrlRefused
        | Reason::Redirected
        | Reason::RepositoryMissing
        | Reason::RefMissing
        | Reason::Empty
        | Reason::FetchFailed
        | Reason::TimedOut
        | Reason::Limits
        | Reason::Corrupt
        | Reason::CommitMissing
        | Reason::Disk => "GitUnreachable",
    }
}

/// Digest of a whole set: two commits with the same are the same to the cluster.
fn rendered(set: &Set) -> Digest {
    let hashes = set
        .iter()
        .map(|(id, wanted)| (id.key(), wanted.hash.to_string().into()));
    Digest::of(&serde_json::Value::Object(hashes.collect()))
}
