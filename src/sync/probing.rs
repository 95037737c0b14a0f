//! Dry runs: what the API server would make of an object, before anything is written.

use std::sync::Arc;

use futures::{StreamExt as _, stream};

use crate::cluster::{Cause, Cluster, Live, Refusal};
use crate::object::{Deployment, Digest, Object, ObjectId};
use crate::plan::{Managers, Set, Standing, State, Wanted, standing};
use crate::revision::Fault;

use super::app::App;

/// Dry runs under way at once; the client's own pace may be lower.
const AT_ONCE: usize = 16;

/// What the API server would make of an object.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// The object as it would be stored, from our fields alone as far as the template goes.
    pub(super) object: Object,
}

/// Why a dry run did not pass.
pub(super) enum ProbeFault {
    /// The commit is at fault.
    Commit(Fault),
    /// Another applier or tool owns fields of it.
    Owned(Fault),
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
        let probe = probe(
            &self.shared.cluster,
            &self.shared.live,
            &self.sync.take_from,
            wanted,
        )
        .await?;
        let probe = Arc::new(probe);
        self.probes.insert(key, Arc::clone(&probe));
        Ok(probe)
    }

    /// Dry-runs every object of a set that would be written; all faults, or the first that the
    /// API server could not judge.
    pub(super) async fn probe_all(&mut self, set: &Set) -> Result<Vec<Fault>, Vec<ProbeFault>> {
        let due: Vec<(ObjectId, Wanted)> = set
            .iter()
            .filter(|(id, wanted)| self.is_due(id, wanted, set))
            .map(|(id, wanted)| (id.clone(), wanted.clone()))
            .collect();
        let (cluster, live) = (self.shared.cluster.clone(), self.shared.live.clone());
        let take = self.sync.take_from.clone();
        let probes = stream::iter(due).map(|(id, wanted)| {
            let (cluster, live, take) = (cluster.clone(), live.clone(), take.clone());
            async move {
                let found = probe(&cluster, &live, &take, &wanted).await;
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
        let is_written = entry.is_some_and(|entry| {
            entry.state == State::Applied && entry.hash.as_ref() == Some(&wanted.hash)
        });
        let drifted = standing(wanted, &self.owner, entry, mark.as_ref()) == Standing::Drifted;
        !known && (!is_written || drifted) && !waits_for_another(id, set, &self.shared.live)
    }
}

/// Says whether the namespace or the definition of an object comes with the same commit and is not
/// there yet.
fn waits_for_another(id: &ObjectId, set: &Set, live: &Live) -> bool {
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
            && live.get(other).is_none()
    });
    namespace || defined
}

async fn probe(
    cluster: &Cluster,
    live: &Live,
    take: &[String],
    wanted: &Wanted,
) -> Result<Probe, ProbeFault> {
    let found = cluster
        .dry_run(&wanted.object)
        .await
        .map_err(|refusal| judge(wanted, refusal))?;
    let exists = found
        .resource_version()
        .is_some_and(|version| !version.is_empty());
    let id = found.id();
    let known = live.get(&id).map(|known| Object::clone(&known));
    let before = match known {
        Some(known) => Some(known),
        None if exists => {
            let got = cluster
                .get(found.api_version(), &id)
                .await
                .map_err(ProbeFault::Cluster)?;
            if let Some(got) = &got {
                live.saw(got.clone());
            }
            got
        }
        None => None,
    };
    let Some(before) = before else {
        return Ok(Probe { object: found });
    };
    let managers = Managers::of(&before);
    let mut rivals = managers.losers(&found, take);
    rivals.extend(managers.tools(take).into_iter().map(ToOwned::to_owned));
    if !rivals.is_empty() {
        let message = format!(
            "{id} has fields that other managers own: {}; take it out of the other tool, or list \
             them in spec.takeFrom",
            rivals.join(", ")
        );
        return Err(ProbeFault::Owned(Fault {
            place: wanted.place.clone(),
            message,
        }));
    }
    let object = if managers.template_editor().is_some() {
        alone(cluster, wanted, found).await?
    } else {
        found
    };
    Ok(Probe { object })
}

/// A template in which others set fields is dry-run once more under a name of its own, so that
/// only our fields and the API server's defaults are in it.
async fn alone(cluster: &Cluster, wanted: &Wanted, found: Object) -> Result<Object, ProbeFault> {
    let mut bare = wanted.object.clone();
    bare.remove(&["metadata", "resourceVersion"]);
    let name = format!("tidegate-{}", Digest::of(bare.value()).short());
    let fresh = cluster
        .dry_run_as_new(&bare, &name)
        .await
        .map_err(|refusal| judge(wanted, refusal))?;
    let mut object = found;
    object.set(&["spec", "template"], Deployment(&fresh).template().clone());
    Ok(object)
}

/// Sorts a refusal: what the commit is at fault for, and what the cluster is.
fn judge(wanted: &Wanted, refusal: Refusal) -> ProbeFault {
    let fault = |message: String| {
        ProbeFault::Commit(Fault {
            place: wanted.place.clone(),
            message,
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
