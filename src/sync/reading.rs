//! From a commit in the mirror to the set that it wants.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use crate::cluster::{Records, Refusal};
use crate::git::GitFault;
use crate::ledger::{Good, Held};
use crate::manifest::{self, KindScope, Opened, Scope};
use crate::object::{ObjectId, mark};
use crate::plan::Set;
use crate::revision::{CommitId, Fault, Revision};

use super::app::App;
use super::offline::{dress, joined, scope};
use super::stack::on_deep_stack;

/// Why a commit could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadFault {
    /// Its files say something that cannot be applied.
    #[error("{}", lines(&.0.faults))]
    Faults(Box<Unsound>),
    /// Git could not give it.
    #[error(transparent)]
    Git(#[from] GitFault),
    /// There is no room to read it now.
    #[error("no thread can be started to read a commit: {0}; it is tried again")]
    Thread(#[from] io::Error),
    /// The cluster could not tell which kinds it has.
    #[error(transparent)]
    Cluster(#[from] Refusal),
}

/// A commit of which nothing may be applied, since a part of it cannot.
#[derive(Debug)]
pub(super) struct Unsound {
    /// All faults of its files, sorted.
    pub(super) faults: Vec<Fault>,
    /// What the rest wants: for the API server to judge, not to be applied.
    pub(super) sound: Set,
}

/// Writes faults one a line.
pub(super) fn lines(faults: &[Fault]) -> String {
    faults
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether objects live in a namespace, by `apiVersion` and `kind`.
type Scopes = BTreeMap<(String, String), KindScope>;

impl App {
    /// Returns the set of a commit; it is read once.
    pub(super) async fn set(&mut self, commit: &CommitId) -> Result<Arc<Set>, ReadFault> {
        if let Some(set) = self.sets.get(commit) {
            return Ok(Arc::clone(set));
        }
        let revision = self.mirror.revision(commit).await?;
        let tree = self.mirror.tree(commit, &self.sync.source.path).await?;
        let opened = on_deep_stack(move || manifest::open(&tree)).await?;
        let scopes = self.scopes(opened.kinds()).await?;
        let (set, faults) = on_deep_stack(self.judgement(opened, scopes, revision)).await?;
        let set = self.stamped(set);
        if !faults.is_empty() {
            let sound = set;
            return Err(ReadFault::Faults(Box::new(Unsound { faults, sound })));
        }
        let set = Arc::new(set);
        self.sets.insert(commit.clone(), Arc::clone(&set));
        Ok(set)
    }

    /// Returns the work that makes a set of what was read, with all faults.
    fn judgement(
        &self,
        opened: Opened,
        scopes: Scopes,
        revision: Revision,
    ) -> impl FnOnce() -> (Set, Vec<Fault>) + Send + use<> {
        let (scope, owner, sync) = (self.scope(), self.owner.clone(), self.sync.clone());
        move || {
            let kinds = |api_version: &str, kind: &str| {
                let key = (api_version.to_owned(), kind.to_owned());
                scopes.get(&key).copied()
            };
            let (desired, of_files) = opened.sift(&scope, &kinds);
            let (set, of_policies) = dress(&desired, &revision, &owner, &sync);
            (set, joined(of_files, of_policies))
        }
    }

    /// Asks the cluster which of these kinds have a namespace; those that it does not know are left
    /// out.
    async fn scopes(&self, kinds: BTreeSet<(String, String)>) -> Result<Scopes, Refusal> {
        let mut scopes = Scopes::new();
        for (api_version, kind) in kinds {
            let found = self.shared.cluster.kind(&api_version, &kind).await?;
            let scope = found.map(|kind| {
                if kind.namespaced {
                    KindScope::Namespaced
                } else {
                    KindScope::Cluster
                }
            });
            scopes.extend(scope.map(|scope| ((api_version, kind), scope)));
        }
        Ok(scopes)
    }

    fn scope(&self) -> Scope {
        Scope {
            own: self.own_objects(),
            ..scope(&self.sync)
        }
    }

    /// What a repository may never touch: this ledger, the Lease and the index.
    fn own_objects(&self) -> BTreeSet<ObjectId> {
        let name = mark::installation(&self.shared.instance);
        let own = |group: &str, kind: &str| ObjectId {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(self.shared.agent_namespace.clone()),
            name: name.clone(),
        };
        let head = Records::head(&self.owner.namespace, &self.owner.name);
        [
            own("coordination.k8s.io", "Lease"),
            own("", "ConfigMap"),
            head,
        ]
        .into()
    }

    /// Returns the set that the aim comes to: its own objects, save those that are held.
    pub(super) async fn aimed(&mut self) -> Result<Option<Arc<Set>>, ReadFault> {
        if let Some(composed) = &self.composed {
            return Ok(Some(Arc::clone(composed)));
        }
        let Some(aim) = self.book.ledger.aim.clone() else {
            return Ok(None);
        };
        let composed = self.composed_of(&aim.revision.id, &aim.held).await?;
        // A policy that changed alone writes nothing to its workload.
        for (id, entry) in &mut self.book.ledger.inventory {
            if let Some(wanted) = composed.get(id) {
                entry.note_policy(wanted);
            }
        }
        self.composed = Some(Arc::clone(&composed));
        Ok(Some(composed))
    }

    /// Returns the set that a failure leads back to.
    pub(super) async fn set_of(&mut self, good: &Good) -> Result<Arc<Set>, ReadFault> {
        self.composed_of(&good.revision.id, &good.held).await
    }

    /// Returns the set of a commit, but for objects that are as others have them, or are away.
    async fn composed_of(&mut self, commit: &CommitId, held: &Held) -> Result<Arc<Set>, ReadFault> {
        let whole = self.set(commit).await?;
        if held.is_empty() {
            return Ok(whole);
        }
        let mut mixed = Set::clone(&whole);
        for (id, commit) in held {
            mixed.remove(id);
            if let Some(commit) = commit
                && let Some(wanted) = self.set(commit).await?.get(id)
            {
                mixed.insert(id.clone(), wanted.clone());
            }
        }
        Ok(Arc::new(mixed))
    }
}
