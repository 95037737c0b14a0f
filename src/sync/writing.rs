//! Writes: recorded in the ledger first, then made, then recorded as made.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock;
use crate::cluster::{Cluster, Deletion, Live, Refusal};
use crate::ledger::Trouble;
use crate::object::{Digest, Object, ObjectId, Strategy, Workload, later, mark};
use crate::plan::{Entry, Managers, Set, State, Wanted};
use crate::rollout::Overlay;

use super::BookFault;
use super::adoption::{adopt, takeover};
use super::app::App;

/// Writes of one stage under way at once; the client's own pace may be lower.
const AT_ONCE: usize = 16;
/// How long the API server may refuse a write for good before the commit has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause before a write is tried again that was refused for good.
pub(super) const AGAIN: Duration = Duration::from_secs(3);

/// A write that the API server refuses for good.
pub(super) struct Denial {
    /// Hash of the manifest.
    pub(super) manifest: Digest,
    /// Since when.
    since: Timestamp,
    /// When it was refused last.
    last: Timestamp,
    /// Its words.
    pub(super) why: String,
}

impl App {
    /// Writes plain objects of one stage, independent ones in parallel; says whether all were
    /// written, save those that are refused for good.
    pub(super) async fn apply_all(
        &mut self,
        ids: &[ObjectId],
        set: &Arc<Set>,
    ) -> Result<bool, BookFault> {
        let mut ids = ids.to_vec();
        let mut is_whole = self.examine_new(&mut ids, set).await?;
        for id in &ids {
            self.intend(id, &set[id]);
        }
        self.book.save().await?;
        let (cluster, live) = (self.shared.cluster.clone(), self.shared.live.clone());
        let dressed: Vec<(Object, Vec<String>, Option<Value>)> = ids
            .iter()
            .map(|id| {
                let object = set[id].dressed(&self.book.ledger.inventory[id], Overlay::Plain);
                let adoption = self.adoption(id, &set[id]);
                (object, set[id].withdrawn.clone(), adoption)
            })
            .collect();
        let writes = stream::iter(dressed).map(|(object, withdrawn, adoption)| {
            let (cluster, live) = (cluster.clone(), live.clone());
            async move {
                let id = object.id();
                if let Some(patch) = adoption
                    && let Err(refusal) = adopt(&cluster, &object, &patch).await
                {
                    return (id, Err(refusal));
                }
                let answer = apply(&cluster, &live, object, &withdrawn).await;
                (id, answer)
            }
        });
        let answers: Vec<_> = writes.buffer_unordered(AT_ONCE).collect().await;
        let mut refused = None;
        for (id, answer) in answers {
            match answer {
                Ok(stored) => self.wrote(&id, &set[&id], &stored),
                Err(refusal) if refusal.is_for_good() => {
                    self.deny(&id, &set[&id], &refusal.to_string());
                    is_whole = false;
                }
                Err(refusal) => {
                    // It is not what was looked at any more.
                    self.probes.remove(&(id.clone(), set[&id].hash.clone()));
                    refused = Some(refusal);
                }
            }
        }
        self.book.save().await?;
        if let Some(refusal) = refused {
            return Err(refusal.into());
        }
        if is_whole {
            self.clear(Trouble::ApplyFailed);
        }
        Ok(is_whole)
    }

    /// Notes that a write is refused for good; the first time counts.
    pub(super) fn deny(&mut self, id: &ObjectId, wanted: &Wanted, why: &str) {
        self.trouble(Trouble::ApplyFailed, why.to_owned());
        self.not_corrected(id, why);
        let now = clock::now();
        let known = self.denials.get_mut(id);
        if let Some(known) = known.filter(|known| known.manifest == wanted.hash) {
            known.last = now;
            return;
        }
        let denial = Denial {
            manifest: wanted.hash.clone(),
            since: now,
            last: now,
            why: why.to_owned(),
        };
        self.denials.insert(id.clone(), denial);
    }

    /// When a write is to be tried again that was refused for good a moment ago.
    pub(super) fn due_again(&self, id: &ObjectId, wanted: &Wanted) -> Option<Timestamp> {
        let denial = self.denials.get(id)?;
        let due = later(denial.last, AGAIN);
        (denial.manifest == wanted.hash && clock::now() < due).then_some(due)
    }

    /// The objects of a set whose writes have been refused for too long.
    pub(super) fn denied(&self, set: &Set, now: Timestamp) -> Vec<ObjectId> {
        let is_worn = |id: &ObjectId, denial: &Denial| {
            let wanted = set.get(id);
            wanted.is_some_and(|wanted| wanted.hash == denial.manifest)
                && now >= later(denial.since, PATIENCE)
        };
        let worn = self
            .denials
            .iter()
            .filter(|(id, denial)| is_worn(id, denial));
        worn.map(|(id, _)| id.clone()).collect()
    }

    /// Writes one workload, bound to the version that was looked at.
    pub(super) async fn write(
        &mut self,
        id: &ObjectId,
        set: &Arc<Set>,
        overlay: Overlay,
    ) -> Result<(), BookFault> {
        let wanted = &set[id];
        self.intend(id, wanted);
        self.book.save().await?;
        let mut object = wanted.dressed(&self.book.ledger.inventory[id], overlay);
        if let Some(live) = self.shared.live.get(id) {
            let version = live.resource_version().unwrap_or_default();
            object.set(&["metadata", "resourceVersion"], json!(version));
            // A resource version alone would let an apply create the object anew once it is gone.
            object.set(&["metadata", "uid"], json!(live.uid()));
        }
        let (cluster, live) = (&self.shared.cluster, &self.shared.live);
        let stored = apply(cluster, live, object, &wanted.withdrawn).await?;
        self.wrote(id, wanted, &stored);
        self.clear(Trouble::ApplyFailed);
        Ok(())
    }

    /// Records what is about to be written, with the values that every later write repeats.
    fn intend(&mut self, id: &ObjectId, wanted: &Wanted) {
        let template = self.template_under_way(id);
        let path = &wanted.place.path;
        let known = self.book.ledger.inventory.contains_key(id);
        let probe = self.probes.get(&(id.clone(), wanted.hash.clone()));
        let is_adopted = !known && probe.is_some_and(|probe| probe.stranger.is_some());
        let cause = self.cause_told(id);
        let new = || Entry {
            change_cause: cause,
            ..Entry::intended(wanted.object.api_version(), wanted.commit(), path)
        };
        let inventory = &mut self.book.ledger.inventory;
        let entry = inventory.entry(id.clone()).or_insert_with(new);
        entry.is_adopted |= is_adopted;
        // Until it is written, what was written before is not known to stand any more: on the way
        // back after a crash the names of the failed commit are replaced as well.
        if entry.hash.as_ref() != Some(&wanted.hash) {
            if entry.hash.take().is_some() {
                entry.is_adopted = false;
            }
            entry.commit = wanted.commit().clone();
            entry.path.clone_from(path);
        }
        if template.is_some() && entry.template != template {
            entry.template = None;
            entry.change_cause = Some(wanted.revision.change_cause());
        }
    }

    /// What a live object of tidegate says of the commit that its template came with: an entry that
    /// was lost, or comes from another `GitSync`, goes on saying it.
    fn cause_told(&self, id: &ObjectId) -> Option<String> {
        let live = self.shared.live.get(id)?;
        live.annotation(mark::OWNER)?;
        live.annotation(mark::CHANGE_CAUSE).map(ToOwned::to_owned)
    }

    /// The template that the rollout under way writes.
    fn template_under_way(&self, id: &ObjectId) -> Option<Digest> {
        let kept = self.book.ledger.rolling(id)?;
        Some(kept.write.template.clone())
    }

    /// Records what was written.
    fn wrote(&mut self, id: &ObjectId, wanted: &Wanted, stored: &Object) {
        self.shared.live.saw(stored.clone());
        self.denials.remove(id);
        self.corrected(id);
        let template = self.template_under_way(id);
        let Some(entry) = self.book.ledger.inventory.get_mut(id) else {
            return;
        };
        entry.api_version = stored.api_version().to_owned();
        entry.uid = stored.uid().map(ToOwned::to_owned);
        entry.state = State::Applied;
        entry.hash = Some(wanted.hash.clone());
        entry.managed = Managers::of(stored).own();
        entry.written = wanted.commit().clone();
        entry.is_kept = wanted.is_kept();
        entry.note_policy(wanted);
        if id.is_workload() {
            let live = || Workload(stored).restart_blind_digest();
            entry.template = Some(template.unwrap_or_else(live));
        }
    }

    /// Moves what people own in a workload to tidegate, bound to the version that was looked at.
    pub(super) async fn absorb(&mut self, id: &ObjectId, set: &Arc<Set>) -> Result<(), BookFault> {
        let Some(live) = self.shared.live.get(id) else {
            return Ok(());
        };
        let managers = Managers::of(&live);
        let (left, taken) = (&set[id].withdrawn, &self.sync.take_from);
        let fields = managers.absorbed(left, taken);
        let Some(fields) = fields else { return Ok(()) };
        let editor = managers.spec_editor(left, taken).map(ToOwned::to_owned);
        self.absorbs(id, editor);
        if let Some(entry) = self.book.ledger.inventory.get_mut(id) {
            // Our entry will look as if nothing had happened, with another's values: only a write
            // puts them right, even if this process ends before it.
            entry.managed = None;
        }
        self.book.save().await?;
        let stored = adopt(&self.shared.cluster, &live, &takeover(&live, &fields)).await?;
        self.shared.live.saw(stored);
        Ok(())
    }

    /// Deletes a pod that is judged no more, if it is still that pod.
    pub(super) async fn delete_pod(
        &mut self,
        workload: &ObjectId,
        name: &str,
        uid: &str,
    ) -> Result<(), BookFault> {
        let pod = ObjectId {
            group: String::new(),
            kind: "Pod".to_owned(),
            namespace: workload.namespace.clone(),
            name: name.to_owned(),
        };
        // What is decided next must not count on it, though its watch has not told yet.
        match self.shared.cluster.delete("v1", &pod, uid, None).await? {
            Deletion::Begun(held) => self.shared.live.saw(*held),
            Deletion::Gone => self.shared.live.gone(&pod, uid),
            Deletion::AnotherUid => {}
        }
        // What was refused before is not any more.
        if self.denials.remove(workload).is_some() {
            self.clear(Trouble::ApplyFailed);
        }
        Ok(())
    }
}

/// Applies an object; fields that Git withdraws are handed over first, with their live value, so
/// that withdrawing them does not reset them.
async fn apply(
    cluster: &Cluster,
    live: &Live,
    mut object: Object,
    withdrawn: &[String],
) -> Result<Object, Refusal> {
    let id = object.id();
    if let Some(found) = live.get(&id)
        && let Some(parting) = parting(&found, withdrawn)
    {
        let kept = cluster.apply(&parting, mark::REPLICAS_MANAGER).await?;
        if object.resource_version().is_some() {
            let version = kept.resource_version().unwrap_or_default();
            object.set(&["metadata", "resourceVersion"], json!(version));
        }
    }
    if drops_rolling_update(&object)
        && let Some(found) = live.get(&id)
        && let Some(fields) = Managers::of(&found).with_rolling_update()
    {
        let freed = adopt(cluster, &found, &takeover(&found, &fields)).await?;
        if object.resource_version().is_some() {
            let version = freed.resource_version().unwrap_or_default();
            object.set(&["metadata", "resourceVersion"], json!(version));
        }
    }
    cluster.apply(&object, mark::MANAGER).await
}

/// Says whether an object is a workload that the API server lets have no rolling update beside its
/// strategy: a Deployment that is to be recreated, a StatefulSet with `OnDelete`.
pub(super) fn drops_rolling_update(object: &Object) -> bool {
    let strategy = Workload(object).strategy();
    let has_none = strategy == Strategy::Recreate
        || strategy == Strategy::OnDelete && object.kind() == "StatefulSet";
    object.id().is_workload() && has_none
}

/// The live values of withdrawn fields that are still ours, as an object of their own.
fn parting(live: &Object, withdrawn: &[String]) -> Option<Object> {
    let managers = Managers::of(live);
    let ours = withdrawn.iter().filter_map(|pointer| {
        let keys: Vec<String> = pointer
            .split('/')
            .skip(1)
            .map(|key| format!("f:{key}"))
            .collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let value = live.at(pointer)?;
        managers
            .own_has(&keys)
            .then(|| (pointer.clone(), value.clone()))
    });
    let ours: Vec<(String, Value)> = ours.collect();
    if ours.is_empty() {
        return None;
    }
    let mut object = Object::new(json!({
        "apiVersion": live.api_version(), "kind": live.kind(),
        "metadata": {"name": live.id().name},
    }))?;
    if let Some(namespace) = live.namespace() {
        object.set(&["metadata", "namespace"], json!(namespace));
    }
    for (pointer, value) in ours {
        let path: Vec<&str> = pointer.split('/').skip(1).collect();
        object.set(&path, value);
    }
    Some(object)
}
