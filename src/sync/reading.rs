//! From a commit in the mirror to the set that it wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cluster::{Records, Refusal};
use crate::git::GitFault;
use crate::manifest::{self, Desired, KindScope, Scope};
use crate::object::{ObjectId, mark};
use crate::plan::Set;
use crate::revision::{CommitId, Fault, Tree};

use super::app::App;
use super::offline::{dress, scope};

/// Why a commit could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadFault {
    /// Its files say something that cannot be applied; all faults, sorted.
    #[error("{}", lines(.0))]
    Faults(Vec<Fault>),
    /// Git could not give it.
    #[error(transparent)]
    Git(#[from] GitFault),
    /// The cluster could not tell which kinds it has.
    #[error(transparent)]
    Cluster(#[from] Refusal),
}

/// Writes faults one a line.
pub(super) fn lines(faults: &[Fault]) -> String {
    faults
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

type Scopes = BTreeMap<(String, String), Option<KindScope>>;

impl App {
    /// Returns the set of a commit; it is read once.
    pub(super) async fn set(&mut self, commit: &CommitId) -> Result<Arc<Set>, ReadFault> {
        if let Some(set) = self.sets.get(commit) {
            return Ok(Arc::clone(set));
        }
        let revision = self.mirror.revision(commit).await?;
        let tree = self.mirror.tree(commit, &self.sync.source.path).await?;
        let desired = self.desired(&tree).await?;
        let set = dress(&desired, &revision, &self.owner, &self.sync).map_err(ReadFault::Faults)?;
        let set = Arc::new(set);
        self.sets.insert(commit.clone(), Arc::clone(&set));
        Ok(set)
    }

    /// Reads the files. Which kinds have a namespace is asked of the cluster where it is not known.
    async fn desired(&self, tree: &Tree) -> Result<Desired, ReadFault> {
        let scope = self.scope();
        let mut scopes = Scopes::new();
        loop {
            let asked = Mutex::new(BTreeSet::new());
            let kinds = |api_version: &str, kind: &str| {
                let key = (api_version.to_owned(), kind.to_owned());
                let known = scopes.get(&key).copied();
                if known.is_none() {
                    asked
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(key);
                }
                known.flatten()
            };
            let read = manifest::read(tree, &scope, &kinds);
            let asked = asked.into_inner().unwrap_or_else(PoisonError::into_inner);
            if asked.is_empty() {
                return read.map_err(ReadFault::Faults);
            }
            for (api_version, kind) in asked {
                let found = self.shared.cluster.kind(&api_version, &kind).await?;
                let scope = found.map(|kind| {
                    if kind.namespaced {
                        KindScope::Namespaced
                    } else {
                        KindScope::Cluster
                    }
                });
                scopes.insert((api_version, kind), scope);
            }
        }
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
        let mut composed = self.set(&aim.revision.id).await?;
        if !aim.held.is_empty() {
            let mut mixed = Set::clone(&composed);
            for (id, commit) in &aim.held {
                mixed.remove(id);
                if let Some(commit) = commit
                    && let Some(wanted) = self.set(commit).await?.get(id)
                {
                    mixed.insert(id.clone(), wanted.clone());
                }
            }
            composed = Arc::new(mixed);
        }
        self.composed = Some(Arc::clone(&composed));
        Ok(Some(composed))
    }
}
