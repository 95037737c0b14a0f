//! A new tip: seen, read, checked, dry-run, held against quarantine; then it is the aim.

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Rewrites;
use crate::git::GitFault;
use crate::ledger::{Aim, Course, Held, Outcome, Returns, Tip, Trouble};
use crate::object::Digest;
use crate::plan::Set;
use crate::revision::CommitId;

use super::BookFault;
use super::app::App;
use super::reading::{ReadFault, lines};
use super::rejection::Refused;
use super::restarting::unstamped;

/// What was the matter with the aim or the tip before; a pause in the manifests of another is found
/// when they are looked at.
const OVER: [Trouble; 8] = [
    Trouble::Rejected,
    Trouble::PathMissing,
    Trouble::RolloutFailed,
    Trouble::RollbackFailed,
    Trouble::ApplyFailed,
    Trouble::FieldConflict,
    Trouble::SharedResource,
    Trouble::PausedInGit,
];

impl App {
    /// Judges the tip if that was not done yet, or has to be done again; returns when to look again.
    pub(super) async fn judge_tip(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, BookFault> {
        let Some(tip) = self.book.ledger.tip.clone().filter(|tip| !tip.is_judged) else {
            return self.judge_again(now).await;
        };
        if self.book.ledger.pause.is_some() {
            self.open_record(&tip.revision, now).outcome = Outcome::Pending;
            return Ok(None);
        }
        if !self.may_follow(&tip).await {
            self.open_record(&tip.revision, now).outcome = Outcome::Pending;
            return Ok(None);
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
            self.clear(Trouble::Rejected);
            self.clear(Trouble::PathMissing);
            return Ok(None);
        }
        self.open_record(&tip.revision, now);
        match self.examine(&tip).await? {
            Examined::Accepted { set, held } => {
                return Ok(self.admit(&tip, &set, held, now).await);
            }
            Examined::Refused(refused) => {
                if refused.reason == Trouble::SharedResource
                    && let Some(wake) = self.await_owners(&tip, &refused.contests, now)
                {
                    return Ok(Some(wake));
                }
                return Ok(self.reject(&tip, &refused, now));
            }
            Examined::Unknown => {}
        }
        Ok(None)
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
            self.clear(Trouble::HistoryRewritten);
            return true;
        }
        // Under a rollback the branch is ahead of the aim; what counts is the commit it left.
        let base = match &aim.course {
            Course::Forward => aim.revision.id.clone(),
            Course::Back { from, .. } => from.clone(),
        };
        if base == tip.revision.id {
            // Also where there is no mirror to ask.
            self.clear(Trouble::HistoryRewritten);
            return true;
        }
        match self.mirror.is_descendant(&base, &tip.revision.id).await {
            Ok(true) => {
                self.clear(Trouble::HistoryRewritten);
                return true;
            }
            Ok(false) => {}
            // What ran here and is nowhere any more was rewritten away.
            Err(GitFault::CommitMissing(missing)) if missing == base && self.mirror.is_whole() => {}
            Err(fault) => {
                self.unreached(&fault);
                return false;
            }
        }
        let message = format!(
            "the branch {} was rewritten: {} does not descend from {}; nothing new is started. \
             `tidegate approve {}` accepts it",
            self.sync.source.branch,
            tip.revision.id.short(),
            base.short(),
            self.label(),
        );
        self.trouble(Trouble::HistoryRewritten, message);
        false
    }

    /// The tip needs no further judgement.
    pub(super) fn judged(&mut self) {
        if let Some(tip) = &mut self.book.ledger.tip {
            tip.is_judged = true;
            tip.refused = None;
            tip.waits.clear();
        }
    }

    /// Reads, checks and dry-runs the whole commit.
    pub(super) async fn examine(&mut self, tip: &Tip) -> Result<Examined, BookFault> {
        let set = match self.set(&tip.revision.id).await {
            Ok(set) => set,
            Err(ReadFault::Faults(unsound)) => {
                let faults = self.faults_of(&tip.revision.id, *unsound).await;
                return Ok(refused(Trouble::Rejected, lines(&faults)));
            }
            Err(ReadFault::Git(fault)) if fault.is_of_commit() => {
                return Ok(refused(super::tip::kind(&fault), fault.to_string()));
            }
            // The commit may be fine; it is judged once it can be read.
            Err(fault @ (ReadFault::Git(_) | ReadFault::Thread(_))) => {
                // Why Git was not reached says more than what is missing for it.
                if self.book.ledger.unreachable().is_none() {
                    self.trouble(Trouble::GitUnreachable, fault.to_string());
                }
                return Ok(Examined::Unknown);
            }
            Err(ReadFault::Cluster(refusal)) => return Err(refusal.into()),
        };
        if set.is_empty() && !self.sync.prune.allow_empty {
            let path = match self.sync.source.path.as_str() {
                "" => ".",
                path => path,
            };
            let message = format!(
                "there are no objects in `{path}`; an empty set would delete everything and is \
                 refused unless spec.prune.allowEmpty is true",
            );
            return Ok(refused(Trouble::Rejected, message));
        }
        if !self.look_at(&set).await {
            return Ok(Examined::Unknown);
        }
        if let Err(faults) = self.probe_all(&set).await {
            return self.sorted(&tip.revision.id, faults).await;
        }
        let held = self.held(&set).await?;
        Ok(Examined::Accepted { set, held })
    }

    /// The tip becomes the aim, once people and the clock let it begin; returns when to look again.
    pub(super) async fn admit(
        &mut self,
        tip: &Tip,
        set: &Arc<Set>,
        held: Held,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let course = self.course_of(tip, set, &held).await;
        if let Some(wake) = self.await_leave(tip, set, (&held, &course.returns), now) {
            self.open_record(&tip.revision, now).outcome = Outcome::Pending;
            if let Some(tip) = &mut self.book.ledger.tip {
                tip.is_judged = false;
            }
            return wake;
        }
        self.accept(tip, set, (held, course), now).await;
        None
    }

    /// What a tip brings back: as a whole, and of its workloads.
    async fn course_of(&mut self, tip: &Tip, set: &Set, held: &Held) -> CourseOf {
        let rendered = rendered(set);
        let is_new = self.rendered_before(&tip.revision.id) != Some(&rendered);
        let earlier = self.book.ledger.history.iter().find(|deployed| {
            deployed.outcome == Outcome::Succeeded && deployed.rendered.as_ref() == Some(&rendered)
        });
        let rollback_to = earlier.map(|deployed| deployed.revision.id.clone());
        let rollback_to = rollback_to.filter(|id| is_new && *id != tip.revision.id);
        let whole = rollback_to.as_ref();
        CourseOf {
            returns: self.returns(&tip.revision.id, set, held, whole).await,
            rollback_to,
            rendered,
        }
    }

    /// The tip becomes the aim.
    async fn accept(
        &mut self,
        tip: &Tip,
        set: &Arc<Set>,
        (held, course): (Held, CourseOf),
        now: Timestamp,
    ) {
        let ledger = &self.book.ledger;
        let is_left = ledger.has_left(&tip.revision.id);
        let gone_back = ledger
            .deployed(&tip.revision.id)
            .is_some_and(|record| matches!(record.outcome, Outcome::RolledBack | Outcome::Aborted));
        let is_culprit = ledger.quarantine.culprit(&tip.revision.id).is_some();
        if (gone_back || is_left) && is_culprit && !held.is_empty() {
            // Judged again (another configuration, a restart) and held all the same.
            self.leave_be(tip, now);
            self.judged();
            return;
        }
        self.supersede(&tip.revision.id, now).await;
        let CourseOf {
            rendered,
            rollback_to,
            returns,
        } = course;
        let stands = self.stands(tip, &rendered);
        for reason in OVER {
            self.clear(reason);
        }
        let images = self.images(set);
        if !stands {
            let record = self.open_record(&tip.revision, now);
            record.outcome = Outcome::InProgress;
            record.ended = None;
            record.message.clear();
            record.rendered = Some(rendered);
            record.rollback_to = rollback_to;
            record.images = images;
        }
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
            returns,
            good: None,
        });
        self.judged();
        self.begin_fights_anew();
        self.composed = None;
    }

    /// The cluster has left this tip for good, and nothing of it is tried: it ends as it had.
    fn leave_be(&mut self, tip: &Tip, now: Timestamp) {
        let ledger = &self.book.ledger;
        let culprit = ledger.quarantine.culprit(&tip.revision.id);
        let why = culprit.map_or_else(String::new, |culprit| culprit.why.clone());
        if let Some(aim) = ledger.aim.as_ref().filter(|aim| aim.is_done)
            && let Course::Back { outcome, .. } = aim.course
            && ledger.has_left(&tip.revision.id)
        {
            self.end(&tip.revision.id, outcome, &why, now);
        }
    }

    /// Says whether the tip has succeeded just so and is judged again after a restart or under
    /// another configuration: what is recorded of it stays.
    fn stands(&self, tip: &Tip, rendered: &Digest) -> bool {
        let ledger = &self.book.ledger;
        let is_aim = ledger.aim.as_ref().is_some_and(|aim| {
            aim.course == Course::Forward && aim.is_done && aim.revision.id == tip.revision.id
        });
        let record = ledger.deployed(&tip.revision.id);
        is_aim
            && record.is_some_and(|record| {
                record.outcome == Outcome::Succeeded && record.rendered.as_ref() == Some(rendered)
            })
    }

    /// The rendered set of the commit that the branch had before `tip`, where it was read.
    fn rendered_before(&self, tip: &CommitId) -> Option<&Digest> {
        let mut history = self.book.ledger.history.iter();
        let before = history.find(|deployed| deployed.revision.id != *tip);
        before?.rendered.as_ref()
    }

    /// What was under way ends as superseded, unless it has an outcome already.
    async fn supersede(&mut self, by: &CommitId, now: Timestamp) {
        let Some(aim) = self.book.ledger.aim.clone() else {
            return;
        };
        let why = format!("{} took over", by.short());
        if !aim.is_done && aim.revision.id != *by {
            if aim.good.is_some() {
                self.note_good(&aim, aim.good.clone());
            } else if aim.returns.is_whole {
                // What it brings has succeeded before, and Git took back what ran since.
                self.book.ledger.last_good = self.good_now(&aim).await;
            }
        }
        match aim.course {
            Course::Forward if !aim.is_done && aim.revision.id != *by => {
                match self.book.ledger.deployed_mut(&aim.revision.id) {
                    Some(record) if record.outcome == Outcome::Failed => {
                        // It stays failed; nothing more will come of it.
                        record.ended.get_or_insert(now);
                    }
                    Some(_) | None => {
                        self.end(&aim.revision.id, Outcome::Superseded, &why, now);
                        self.announce(None, "RolloutSuperseded", why, false);
                    }
                }
            }
            Course::Back { from, outcome } if !aim.is_done => {
                let known = self.book.ledger.deployed(&from);
                let known = known.map(|record| record.message.clone());
                let why = known.filter(|known| !known.is_empty()).unwrap_or(why);
                self.end(&from, outcome, &why, now);
            }
            Course::Forward | Course::Back { .. } => {}
        }
    }

    /// Images of the workloads that a set would change.
    fn images(&self, set: &Set) -> Vec<String> {
        let inventory = &self.book.ledger.inventory;
        let changed = set.iter().filter(|(id, wanted)| {
            let written = inventory.get(*id).and_then(|entry| entry.hash.as_ref());
            id.is_workload() && written != Some(&wanted.hash)
        });
        let mut images: Vec<String> = changed
            .flat_map(|(_, wanted)| crate::object::Workload(&wanted.object).images())
            .map(|(_, image)| crate::object::ImageReference::read(&image).to_string())
            .collect();
        images.sort();
        images.dedup();
        images.truncate(20);
        images
    }
}

/// What a commit brings back.
struct CourseOf {
    /// Of its workloads.
    returns: Returns,
    /// The commit with the same content as a whole.
    rollback_to: Option<CommitId>,
    /// Digest of its own content.
    rendered: Digest,
}

/// What the examination of a commit came to.
pub(super) enum Examined {
    /// It may be brought about.
    Accepted { set: Arc<Set>, held: Held },
    /// It may not.
    Refused(Refused),
    /// The cluster could not say yet.
    Unknown,
}

fn refused(reason: Trouble, message: String) -> Examined {
    Examined::Refused(Refused {
        reason,
        message,
        by_cluster: false,
        contests: Vec::new(),
    })
}

/// Digest of a whole set: two commits with the same are the same to the cluster, restarts apart.
pub(super) fn rendered(set: &Set) -> Digest {
    let hashes = set
        .iter()
        .map(|(id, wanted)| (id.key(), unstamped(wanted).to_string().into()));
    Digest::of(&serde_json::Value::Object(hashes.collect()))
}
