//! What a fetch brings: a new tip, commits passed over, or trouble.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tracing::info;

use crate::clock;
use crate::git::{Fetched, GitFault, Reason};
use crate::ledger::{Deployed, Outcome, Problem, Tip, Trouble};
use crate::revision::{CommitId, Revision};

use super::app::App;

/// Commits that do not touch the path whose fate is still told.
const UNTOUCHED: usize = 200;
/// Commits between two tips that get an outcome of their own.
const BETWEEN: usize = 100;

impl App {
    /// Git was reached: a new tip is recorded.
    pub(super) async fn reached(&mut self, fetched: &Fetched) {
        self.clear(Trouble::GitUnreachable);
        self.clear(Trouble::AuthenticationFailed);
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
        let kind = kind(fault);
        let is_missing = matches!(fault, GitFault::CommitMissing(_));
        if is_missing && self.book.ledger.unreachable().is_some() {
            // Why Git was not reached says more than what is missing for it.
            return;
        }
        for other in [Trouble::GitUnreachable, Trouble::AuthenticationFailed] {
            if kind != other && kind != Trouble::PathMissing {
                self.clear(other);
            }
        }
        self.trouble(kind, fault.to_string());
    }

    /// Notes what keeps the agent from following the tip; the same trouble keeps its time.
    pub(super) fn trouble(&mut self, reason: Trouble, message: String) {
        let known = self.book.ledger.problem(reason);
        if known.is_some_and(|known| known.message == message) {
            return;
        }
        self.announce(None, &reason.to_string(), message.clone(), true);
        let since = clock::now();
        self.book.ledger.trouble(Problem {
            reason,
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
            // What it changes may bring back just what is there: still it has an outcome.
            if passed.iter().any(|revision| revision.id == *tip) {
                self.open_record(&revision, now);
            }
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
        let before = self.book.ledger.tip.take();
        self.spend_approvals();
        // What Git takes back stays so until a commit can be read that wants it.
        let refused = before
            .and_then(|before| before.refused)
            .filter(|refused| refused.takes_back);
        self.book.ledger.tip = Some(Tip {
            revision,
            tree,
            seen_at: now,
            is_judged: false,
            refused,
            waits: BTreeMap::new(),
        });
        Ok(())
    }

    /// An approval opens what a person saw, once: of those given, the batches and the deletes of
    /// what is brought about can still count when another tip comes.
    fn spend_approvals(&mut self) {
        let ledger = &mut self.book.ledger;
        let aim = ledger.aim.as_ref().map(|aim| aim.revision.id.as_str());
        let counts = |given: &String| {
            let mut words = given.split('/');
            words.next() == aim && words.next() != Some("rewrite")
        };
        ledger.approvals.retain(counts);
        ledger.promotions.retain(counts);
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

    /// Forgets a trouble of this kind.
    pub(super) fn clear(&mut self, reason: Trouble) {
        self.book.ledger.clear(reason);
    }

    /// These commits, newest first, do not change what is followed.
    pub(super) fn leave_untouched(&mut self, commits: Vec<CommitId>) {
        let untouched = &mut self.book.ledger.untouched;
        untouched.splice(0..0, commits);
        untouched.truncate(UNTOUCHED);
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

/// The kind of problem that a failure of Git is.
pub(super) fn kind(fault: &GitFault) -> Trouble {
    match fault.reason() {
        Reason::AuthenticationFailed
        | Reason::CredentialsInvalid
        | Reason::HostKey
        | Reason::Certificate => Trouble::AuthenticationFailed,
        Reason::PathMissing => Trouble::PathMissing,
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
        | Reason::RevertRefused
        | Reason::Disk => Trouble::GitUnreachable,
    }
}
