//! Dry runs: what the API server would make of an object, before anything is written.

use std::sync::Arc;

use futures::{StreamExt as _, stream};

use crate::cluster::{Cause, Cluster, Live, Records, Refusal};
use crate::ledger;
use crate::object::{Digest, Object, ObjectId, mark};
use crate::plan::{Managers, Owner, Set, Standing, State, Wanted, standing};
use crate::revision::Fault;

use super::app::App;
use super::book::is_removal;
use super::handover::Contest;
use super::writing::drops_rolling_update;

/// Dry runs under way at once; the client's own pace may be lower.
const AT_ONCE: usize = 16;

/// What the API server would make of an object.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// The object as it would be stored; the spec of a workload from our fields alone.
    pub(super) object: Object,
    /// The live object, where it is not ours yet.
    pub(super) stranger: Option<Arc<Object>>,
}

/// What the API server finds wrong with one object of a commit.
pub(super) struct Wrong {
    /// What, at the place of the document.
    pub(super) fault: Fault,
    /// The field that it names first, as it writes its path.
    pub(super) field: Option<String>,
    /// Whether something else is missing that the object needs: its namespace or its kind.
    pub(super) needs_another: bool,
}

/// Why a dry run did not pass.
pub(super) enum ProbeFault {
    /// The commit is at fault.
    Commit(Wrong),
    /// Another applier or tool owns fields of it.
    Owned(Fault),
    /// Another `GitSync` owns it.
    Shared(Fault, Contest),
    /// The API server could not say; later it may.
    Cluster(Refusal),
}

impl App {
    /// Returns the dry run of one object.
    pub(super) async fn probe(
        &mut self,
        id: &ObjectId,
        wanted: &Wanted,
    ) -> Result<Arc<Probe>, ProbeFault> {
        let key = (id.clone(), wanted.hash.clone());
        if let Some(known) = self.probes.get(&key) {
            return Ok(Arc::clone(known));
        }
        let is_written = self.is_written(id, wanted);
        let probe = Arc::new(self.prober().probe(wanted, is_written).await?);
        self.probes.insert(key, Arc::clone(&probe));
        Ok(probe)
    }

    fn prober(&self) -> Prober {
        Prober {
            cluster: self.shared.cluster.clone(),
            live: self.shared.live.clone(),
            owner: self.owner.clone(),
            take: self.sync.take_from.clone(),
        }
    }

    /// Dry-runs every object of a set that would be written; all faults, or the first that the
    /// API server could not judge.
    pub(super) async fn probe_all(&mut self, set: &Set) -> Result<Vec<Fault>, Vec<ProbeFault>> {
        let due = set.iter().filter_map(|(id, wanted)| {
            let is_due = self.is_due(id, wanted, set);
            is_due.then(|| (id.clone(), wanted.clone(), self.is_written(id, wanted)))
        });
        let due: Vec<(ObjectId, Wanted, bool)> = due.collect();
        let prober = self.prober();
        let probes = stream::iter(due).map(|(id, wanted, is_written)| {
            let prober = prober.clone();
            async move {
                let found = prober.probe(&wanted, is_written).await;
                ((id, wanted.hash.clone()), found)
            }
        });
        let results: Vec<_> = probes.buffer_unordered(AT_ONCE).collect().await;
        let mut refused = Vec::new();
        for (key, found) in results {
            match found {
                Ok(probe) => {
                    self.probes.insert(key, Arc::new(probe));
                }
                Err(fault) => refused.push(fault),
            }
        }
        if refused.is_empty() {
            Ok(Vec::new())
        } else {
            Err(refused)
        }
    }

    /// Says whether an object has to be dry-run before the commit is accepted. What needs another
    /// object of the commit first is tried after its stage.
    fn is_due(&mut self, id: &ObjectId, wanted: &Wanted, set: &Set) -> bool {
        let known = self.probes.contains_key(&(id.clone(), wanted.hash.clone()));
        let mark = self.mark(id);
        let entry = self.book.ledger.inventory.get(id);
        let is_written = self.is_written(id, wanted);
        let drifted = standing(wanted, &self.owner, entry, mark.as_ref()) == Standing::Drifted;
        !known && (!is_written || drifted) && !self.waits_for_another(id, set)
    }

    /// Says whether this is what was last written: what others changed of it since is drift.
    fn is_written(&self, id: &ObjectId, wanted: &Wanted) -> bool {
        let entry = self.book.ledger.inventory.get(id);
        entry.is_some_and(|entry| {
            entry.state == State::Applied && entry.hash.as_ref() == Some(&wanted.hash)
        })
    }

    /// Says whether the namespace of an object comes with the same commit and is not there yet, or
    /// its definition comes or changes with it.
    fn waits_for_another(&self, id: &ObjectId, set: &Set) -> bool {
        let live = &self.shared.live;
        let namespace = id.namespace.as_ref().is_some_and(|name| {
            let space = ObjectId {
                group: String::new(),
                kind: "Namespace".to_owned(),
                namespace: None,
                name: name.clone(),
            };
            set.contains_key(&space) && live.get(&space).is_none()
        });
        let defined = set.iter().any(|(other, wanted)| {
            other.kind == "CustomResourceDefinition"
                && wanted.object.text("/spec/group") == Some(&id.group)
                && wanted.object.text("/spec/names/kind") == Some(&id.kind)
                && (live.get(other).is_none() || !self.is_written(other, wanted))
        });
        namespace || defined
    }
}

/// What a dry run needs.
#[derive(Clone)]
struct Prober {
    cluster: Cluster,
    live: Live,
    owner: Owner,
    take: Vec<String>,
}

impl Prober {
    /// Dry-runs an object; other appliers of what `is_written` are taken back, not refused.
    async fn probe(&self, wanted: &Wanted, is_written: bool) -> Result<Probe, ProbeFault> {
        let found = match self.without_rolling_update(wanted).await? {
            Some(found) => found,
            None => self
                .cluster
                .dry_run(&wanted.object)
                .await
                .map_err(|refusal| judge(wanted, refusal))?,
        };
        let Some(before) = self.before(&found).await? else {
            return Ok(Probe {
                object: found,
                stranger: None,
            });
        };
        self.refuse_owner(wanted, &before).await?;
        if !is_written {
            self.refuse_rivals(wanted, &before, &found)
                .map_err(ProbeFault::Owned)?;
        }
        let managers = Managers::of(&before);
        let left = &wanted.withdrawn;
        let is_edited =
            found.id().is_workload() && managers.spec_editor(left, &self.take).is_some();
        let object = if is_edited {
            self.alone(wanted, found).await?
        } else {
            found
        };
        let ours = self.owner.annotation(&object.id());
        let is_ours = before.annotation(mark::OWNER) == Some(ours.as_str());
        Ok(Probe {
            object,
            stranger: (!is_ours).then(|| Arc::new(before)),
        })
    }

    /// A Deployment of ours that becomes `Recreate`, a StatefulSet that becomes `OnDelete`: the
    /// rolling update that the API server set by
    /// default would have to be taken away first, so its spec is tried out under another name.
    async fn without_rolling_update(&self, wanted: &Wanted) -> Result<Option<Object>, ProbeFault> {
        if !drops_rolling_update(&wanted.object) {
            return Ok(None);
        }
        let Some(live) = self.live.get(&wanted.object.id()) else {
            return Ok(None);
        };
        if Managers::of(&live).with_rolling_update().is_none() {
            return Ok(None);
        }
        self.alone(wanted, Object::clone(&live)).await.map(Some)
    }

    /// The live object; `None` where there is none.
    async fn before(&self, found: &Object) -> Result<Option<Object>, ProbeFault> {
        let exists = found
            .resource_version()
            .is_some_and(|version| !version.is_empty());
        let id = found.id();
        match self.live.get(&id) {
            Some(known) => Ok(Some(Object::clone(&known))),
            None if exists => {
                let got = self.cluster.get(found.api_version(), &id).await;
                got.map_err(ProbeFault::Cluster)
            }
            None => Ok(None),
        }
    }

    /// Objects of another `GitSync` are not taken.
    async fn refuse_owner(&self, wanted: &Wanted, before: &Object) -> Result<(), ProbeFault> {
        let id = before.id();
        let annotation = before.annotation(mark::OWNER).unwrap_or_default();
        if let Some(rival) = self.owner.rival(&id, annotation)
            && self.is_kept(&id, rival).await?
        {
            let message = format!(
                "{id} belongs to the GitSync {rival}; name it in one of them only, or remove it \
                 there first"
            );
            let contest = Contest {
                id,
                rival: rival.to_owned(),
            };
            return Err(ProbeFault::Shared(fault(wanted, message), contest));
        }
        Ok(())
    }

    /// Fields of other tools are not taken.
    fn refuse_rivals(&self, wanted: &Wanted, before: &Object, found: &Object) -> Result<(), Fault> {
        let id = found.id();
        let managers = Managers::of(before);
        let mut rivals = managers.losers(found, &self.take);
        let tools = managers.tools(&self.take);
        rivals.extend(tools.into_iter().map(ToOwned::to_owned));
        rivals.sort();
        rivals.dedup();
        if rivals.is_empty() {
            return Ok(());
        }
        let message = format!(
            "{id} has fields that other managers own: {}; take it out of the other tool, or list \
             them in spec.takeFrom",
            rivals.join(", ")
        );
        Err(fault(wanted, message))
    }

    /// Says whether a `GitSync`, as `instance/namespace/name`, has an object in its inventory and
    /// was not released by its removal. One whose ledger cannot be read is taken to have it.
    async fn is_kept(&self, id: &ObjectId, rival: &str) -> Result<bool, ProbeFault> {
        let parts: Vec<&str> = rival.split('/').collect();
        let [instance, namespace, name] = parts[..] else {
            return Ok(false);
        };
        let records = Records::new(&self.cluster, instance);
        match records.load(namespace, name).await {
            Ok(None) => Ok(false),
            Ok(Some(found)) => {
                let ledger = ledger::decode(&found.head, &found.shards);
                let is_free = ledger.is_ok_and(|ledger| {
                    let is_removed = ledger.released.is_some_and(|mark| is_removal(&mark));
                    is_removed || !ledger.inventory.contains_key(id)
                });
                Ok(!is_free)
            }
            Err(Refusal {
                cause: Cause::Forbidden { .. },
                ..
            }) => Ok(true),
            Err(refusal) => Err(ProbeFault::Cluster(refusal)),
        }
    }

    /// A spec in which others set fields is dry-run once more under a name of its own, so that only
    /// our fields, those that are left to others, and the API server's defaults are in it.
    async fn alone(&self, wanted: &Wanted, found: Object) -> Result<Object, ProbeFault> {
        let mut bare = wanted.object.clone();
        bare.remove(&["metadata", "resourceVersion"]);
        let name = format!("tidegate-{}", Digest::of(bare.value()).short());
        let fresh = self
            .cluster
            .dry_run_as_new(&bare, &name)
            .await
            .map_err(|refusal| judge(wanted, refusal))?;
        let mut object = found.clone();
        object.set(&["spec"], fresh.at("/spec").cloned().unwrap_or_default());
        for pointer in &wanted.withdrawn {
            if let Some(value) = found.at(pointer) {
                let path: Vec<&str> = pointer.split('/').skip(1).collect();
                object.set(&path, value.clone());
            }
        }
        Ok(object)
    }
}

/// A fault at the place of an object.
fn fault(wanted: &Wanted, message: String) -> Fault {
    Fault {
        place: wanted.place.clone(),
        message,
    }
}

/// Sorts a refusal: what the commit is at fault for, and what the cluster is.
fn judge(wanted: &Wanted, refusal: Refusal) -> ProbeFault {
    let mut field = None;
    if let Cause::Invalid { fields, .. } = &refusal.cause {
        field = fields.first().map(|fault| fault.field.clone());
    }
    let needs_another = matches!(
        refusal.cause,
        Cause::KindUnknown { .. } | Cause::NamespaceMissing
    );
    let fault = |message: String| {
        ProbeFault::Commit(Wrong {
            fault: Fault {
                place: wanted.place.clone(),
                message,
            },
            field,
            needs_another,
        })
    };
    match &refusal.cause {
        Cause::Invalid {
            immutable: true, ..
        } => fault(format!(
            "{refusal}; the field cannot be changed on the live object: give the object another \
             name, or delete it by hand first"
        )),
        Cause::Invalid { .. }
        | Cause::Denied { .. }
        | Cause::KindUnknown { .. }
        | Cause::Forbidden { .. }
        | Cause::NamespaceMissing
        | Cause::NamespaceEnding
        | Cause::AlreadyExists
        | Cause::NotFound => fault(refusal.to_string()),
        Cause::Fault { code, .. } if *code < 500 => fault(refusal.to_string()),
        Cause::Conflict
        | Cause::Unauthenticated
        | Cause::Expired
        | Cause::TooMany { .. }
        | Cause::Unreachable { .. }
        | Cause::OutcomeUnknown { .. }
        | Cause::NotLeader
        | Cause::Fault { .. } => ProbeFault::Cluster(refusal),
    }
}
