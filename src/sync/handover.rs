//! An object that moves from one `GitSync` to another: given up without a delete, then taken.

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Course, Tip};
use crate::object::{ObjectId, later};
use crate::plan::{Set, State};
use crate::revision::CommitId;

use super::BookFault;
use super::app::App;

/// How long one `GitSync` waits for another to look at the same commit.
const PATIENCE: Duration = Duration::from_secs(20);
/// How soon it looks whether that was done.
const SOON: Duration = Duration::from_secs(1);

/// An object in the way of a commit: it belongs to another `GitSync`.
pub(super) struct Contest {
    pub(super) id: ObjectId,
    /// The owner, as `instance/namespace/name`.
    pub(super) rival: String,
}

/// Since when something is waited for on behalf of a commit. A restart begins anew.
#[derive(Default)]
pub(super) struct Waits {
    /// For others to look before something is deleted.
    giving: Option<(CommitId, Timestamp)>,
    /// For others to let go of what this commit wants.
    taking: Option<(CommitId, Timestamp)>,
}

/// Since when a commit waits, and whether it begins to wait now.
fn since(
    wait: &mut Option<(CommitId, Timestamp)>,
    commit: &CommitId,
    now: Timestamp,
) -> (Timestamp, bool) {
    match wait {
        Some((known, since)) if known == commit => (*since, false),
        Some(_) | None => {
            *wait = Some((commit.clone(), now));
            (now, true)
        }
    }
}

impl App {
    /// Lets go of what the aim does not have and another `GitSync` of this process wants. `Some`:
    /// one of them has not looked at the commit yet, and something would be deleted.
    pub(super) async fn hand_over(
        &mut self,
        set: &Set,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, BookFault> {
        let would_delete = self.sync.prune.enabled && !self.prune_plan(set).deletes.is_empty();
        if would_delete && let Some(wake) = self.await_neighbours(now).await {
            return Ok(Some(wake));
        }
        let inventory = self.book.ledger.inventory.iter();
        let written = inventory
            .filter(|(id, entry)| entry.state != State::Intended && !set.contains_key(*id));
        let label = self.label();
        let wanted: Vec<(ObjectId, String)> = written
            .filter(|(id, _)| {
                self.shared
                    .live
                    .get(id)
                    .is_none_or(|live| !live.is_terminating())
            })
            .filter_map(|(id, _)| Some((id.clone(), self.shared.claims.heir(&label, id)?)))
            .collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        for (id, heir) in &wanted {
            let note = format!("{id} is handed over to the GitSync {heir} and is not deleted");
            self.announce(None, "ObjectHandedOver", note, false);
            self.leave(id, "another GitSync wants it");
        }
        self.book.save().await?;
        let heirs = wanted.iter().map(|(_, heir)| heir.as_str());
        self.shared.claims.wake(heirs);
        Ok(None)
    }

    /// When to look again whether the neighbours have looked at the commit; `None`: they have, or
    /// they had the time.
    async fn await_neighbours(&mut self, now: Timestamp) -> Option<Timestamp> {
        let aim = self.book.ledger.aim.as_ref()?;
        let commit = match &aim.course {
            Course::Forward => aim.revision.id.clone(),
            Course::Back { from, .. } => from.clone(),
        };
        let mut late = Vec::new();
        for (label, seen) in self.shared.claims.neighbours(&self.label()) {
            let has_seen = match &seen {
                Some(seen) => self.mirror.is_descendant(&commit, seen).await,
                None => Ok(false),
            };
            if !has_seen.unwrap_or(false) {
                late.push(label);
            }
        }
        let (since, is_new) = since(&mut self.waits.giving, &commit, now);
        if late.is_empty() || now >= later(since, PATIENCE) {
            return None;
        }
        if is_new {
            self.shared.claims.wake(late.iter().map(String::as_str));
        }
        Some(later(now, SOON))
    }

    /// Says when to look again at a tip that wants objects of others, where those may still let go
    /// of them; they are woken.
    pub(super) fn await_owners(
        &mut self,
        tip: &Tip,
        contests: &[Contest],
        now: Timestamp,
    ) -> Option<Timestamp> {
        let commit = &tip.revision.id;
        let label = self.label();
        let owners: Vec<&str> = contests
            .iter()
            .filter_map(|c| self.neighbour(&c.rival))
            .collect();
        let may_come = contests.iter().all(|contest| {
            let rival = self.neighbour(&contest.rival);
            rival.is_some_and(|rival| {
                let claims = &self.shared.claims;
                claims.may_let_go((&label, rival), commit, &contest.id)
            })
        });
        if contests.is_empty() || !may_come {
            return None;
        }
        let claims = self.shared.claims.clone();
        let (since, is_new) = since(&mut self.waits.taking, commit, now);
        if now >= later(since, PATIENCE) {
            return None;
        }
        if is_new {
            claims.wake(owners.iter().copied());
        }
        let message = format!(
            "waits for {} to hand over what has moved",
            owners.join(", ")
        );
        self.open_record(&tip.revision, now).message = message;
        Some(later(now, SOON))
    }

    /// `namespace/name` of an owner, where it is one of this installation.
    pub(super) fn neighbour<'a>(&self, owner: &'a str) -> Option<&'a str> {
        let (instance, label) = owner.split_once('/')?;
        (instance == self.owner.instance).then_some(label)
    }
}
