//! What each `GitSync` of this process wants, so that an object can move from one to another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::debug;

use crate::clock;
use crate::config::GitSync;
use crate::object::ObjectId;
use crate::plan::Set;
use crate::revision::CommitId;
use crate::trigger::{Kind, Queue, Trigger};

use super::app::App;
use super::reading::ReadFault;

/// The claims of all `GitSync`s that this process serves, by `namespace/name`. A clone is the same.
#[derive(Clone, Default)]
pub(super) struct Claims(Arc<Mutex<BTreeMap<String, Claim>>>);

/// What one `GitSync` wants.
struct Claim {
    /// URL and branch.
    source: (String, String),
    /// Wakes it; `None` while its app is not open.
    queue: Option<Queue>,
    /// The tip whose objects are known.
    seen: Option<CommitId>,
    /// A tip that cannot be read: what was wanted before still counts.
    unreadable: Option<CommitId>,
    set: Arc<Set>,
}

impl Claim {
    fn of(sync: &GitSync) -> Self {
        Self {
            source: source(sync),
            queue: None,
            seen: None,
            unreadable: None,
            set: Arc::default(),
        }
    }
}

fn source(sync: &GitSync) -> (String, String) {
    let source = &sync.source;
    (source.url.to_string(), source.branch.clone())
}

impl Claims {
    /// Takes note of all that are served, before any of them begins.
    pub(super) fn serve(&self, syncs: &[GitSync]) {
        let mut claims = self.claims();
        let mut known = std::mem::take(&mut *claims);
        for sync in syncs {
            let label = format!("{}/{}", sync.namespace, sync.name);
            let same = known.remove(&label);
            let same = same.filter(|claim| claim.source == source(sync));
            claims.insert(label, same.unwrap_or_else(|| Claim::of(sync)));
        }
    }

    /// Takes note of how a `GitSync` is woken.
    pub(super) fn open(&self, label: &str, queue: &Queue) {
        if let Some(claim) = self.claims().get_mut(label) {
            claim.queue = Some(queue.clone());
        }
    }

    /// Wakes some of them.
    pub(super) fn wake<'a>(&self, labels: impl IntoIterator<Item = &'a str>) {
        let claims = self.claims();
        let queues = labels.into_iter().filter_map(|label| claims.get(label));
        for queue in queues.filter_map(|claim| claim.queue.as_ref()) {
            queue.push(Trigger {
                kind: Kind::Handover,
                at: clock::now(),
            });
        }
    }

    /// Returns the other `GitSync`s of the same repository and branch, and the tip that each has
    /// looked at.
    pub(super) fn neighbours(&self, label: &str) -> Vec<(String, Option<CommitId>)> {
        let claims = self.claims();
        let Some(own) = claims.get(label) else {
            return Vec::new();
        };
        let others = claims
            .iter()
            .filter(|(other, claim)| *other != label && claim.source == own.source);
        others
            .map(|(other, claim)| (other.clone(), claim.seen.clone()))
            .collect()
    }

    /// Returns another `GitSync` that wants an object.
    pub(super) fn heir(&self, label: &str, id: &ObjectId) -> Option<String> {
        let claims = self.claims();
        let mut others = claims.iter().filter(|(other, _)| *other != label);
        let heir = others.find(|(_, claim)| claim.set.contains_key(id));
        heir.map(|(heir, _)| heir.clone())
    }

    /// Says whether `rival`, of the same repository and branch as `label`, may let an object go
    /// once it follows this commit.
    pub(super) fn may_let_go(
        &self,
        (label, rival): (&str, &str),
        commit: &CommitId,
        id: &ObjectId,
    ) -> bool {
        let claims = self.claims();
        let (Some(own), Some(rival)) = (claims.get(label), claims.get(rival)) else {
            return false;
        };
        let has_seen = rival.seen.as_ref() == Some(commit);
        rival.source == own.source && (!has_seen || !rival.set.contains_key(id))
    }

    /// Says whether a tip is to be read for what it wants.
    fn is_due(&self, label: &str, tip: &CommitId) -> bool {
        let claims = self.claims();
        let known = |claim: &Claim| [&claim.seen, &claim.unreadable].contains(&&Some(tip.clone()));
        claims.get(label).is_some_and(|claim| !known(claim))
    }

    fn state(&self, label: &str, tip: CommitId, set: Arc<Set>) {
        if let Some(claim) = self.claims().get_mut(label) {
            claim.seen = Some(tip);
            claim.set = set;
        }
    }

    fn give_up(&self, label: &str, tip: CommitId) {
        if let Some(claim) = self.claims().get_mut(label) {
            claim.unreadable = Some(tip);
        }
    }

    /// A poisoned lock holds whole claims all the same: nothing panics between two changes.
    fn claims(&self) -> MutexGuard<'_, BTreeMap<String, Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Tells the others what the tip wants, whether it may be followed or not: an object that it
    /// names is not to be deleted by them.
    pub(super) async fn claim(&mut self) {
        let label = self.label();
        let ledger = &self.book.ledger;
        let Some(tip) = &ledger.tip else { return };
        let seen = tip.revision.id.clone();
        if !self.shared.claims.is_due(&label, &seen) {
            return;
        }
        let same = ledger.aim.as_ref().filter(|aim| aim.tree == tip.tree);
        let commit = same.map_or(&seen, |aim| &aim.revision.id).clone();
        match self.set(&commit).await {
            Ok(set) => self.shared.claims.state(&label, seen, set),
            Err(ReadFault::Faults(_)) => self.shared.claims.give_up(&label, seen),
            Err(ReadFault::Git(fault)) if fault.is_of_commit() => {
                self.shared.claims.give_up(&label, seen);
            }
            Err(fault @ (ReadFault::Git(_) | ReadFault::Thread(_) | ReadFault::Cluster(_))) => {
                debug!(gitsync = %label, cause = %fault, "the tip could not be read yet");
            }
        }
    }
}
