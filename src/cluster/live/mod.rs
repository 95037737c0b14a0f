//! The live cache: what the cluster holds now, as watches bring it.
//!
//! Never: a call on behalf of the reader. What no followed watch selects is not in it, so `None`
//! is no proof of absence; before a decision that cannot be taken back, ask the cluster.

mod shelf;
mod trim;
mod watching;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::{
    sync::{broadcast, watch},
    task::AbortHandle,
};

use self::shelf::Shelf;
use super::Cluster;
use crate::object::{Object, ObjectId};

/// Changes that a slow subscriber may be behind before it is told to look at everything.
const BEHIND: usize = 4096;

/// Objects to keep an eye on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watch {
    /// Group and version: `apps/v1`.
    pub api_version: String,
    /// Kind in CamelCase.
    pub kind: String,
    /// Namespace; `None` for all.
    pub namespace: Option<String>,
    /// Labels that the objects carry, all of them.
    pub labels: BTreeMap<String, String>,
}

/// Something changed: an object came, changed or left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The object.
    pub id: ObjectId,
    /// Its topmost owner, as far as owner references and the cache tell: the Deployment of a pod.
    /// The object itself where nobody owns it.
    pub root: ObjectId,
}

/// The live cache. Cheap to clone; watches run until the last clone is dropped.
#[derive(Clone)]
pub struct Live(Arc<Followed>);

struct Followed {
    shared: Arc<Shared>,
    watches: Mutex<BTreeMap<Watch, (u64, AbortHandle)>>,
}

/// What the watches write to.
struct Shared {
    cluster: Cluster,
    shelf: Mutex<Shelf>,
    changes: broadcast::Sender<Changed>,
    conditions: watch::Sender<BTreeMap<u64, Condition>>,
}

/// How a watch is doing.
#[derive(Clone, Debug, Default)]
struct Condition {
    /// Its first list is in the cache.
    is_listed: bool,
    /// Why it brings nothing, and since when.
    fault: Option<(String, Timestamp)>,
}

impl Condition {
    /// A further failure keeps the time of the first.
    fn fail(&mut self, reason: String, now: Timestamp) {
        let since = self.fault.as_ref().map_or(now, |(_, since)| *since);
        self.fault = Some((reason, since));
    }

    fn words(&self) -> Option<String> {
        let (reason, since) = self.fault.as_ref()?;
        Some(format!("{reason} (since {since:.0})"))
    }
}

impl Watch {
    /// Returns the watch of all objects of a kind.
    #[must_use]
    pub fn of(api_version: &str, kind: &str) -> Self {
        let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
        Self {
            api_version,
            kind,
            namespace: None,
            labels: BTreeMap::new(),
        }
    }

    /// Says whether it would bring this object.
    fn selects(&self, object: &Object) -> bool {
        self.api_version == object.api_version()
            && self.kind == object.kind()
            && (self.namespace.is_none() || self.namespace.as_deref() == object.namespace())
            && self
                .labels
                .iter()
                .all(|(key, value)| object.label(key) == Some(value))
    }
}

impl Live {
    /// Returns a cache that follows nothing yet.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        let shared = Shared {
            cluster: cluster.clone(),
            shelf: Mutex::default(),
            changes: broadcast::Sender::new(BEHIND),
            conditions: watch::Sender::default(),
        };
        Self(Arc::new(Followed {
            shared: Arc::new(shared),
            watches: Mutex::default(),
        }))
    }

    /// Keeps an eye on these objects from now on; once is enough.
    ///
    /// Must be called within a tokio runtime.
    pub fn follow(&self, watch: Watch) {
        let mut watches = self.0.watches();
        if watches.contains_key(&watch) {
            return;
        }
        let shared = &self.0.shared;
        let number = shared.shelf().follow(watch.clone());
        shared.conditions.send_modify(|all| {
            all.insert(number, Condition::default());
        });
        let task = tokio::spawn(watching::keep(Arc::clone(shared), watch.clone(), number));
        watches.insert(watch, (number, task.abort_handle()));
    }

    /// Stops it and forgets what only this watch has brought.
    pub fn unfollow(&self, watch: &Watch) {
        let Some((number, task)) = self.0.watches().remove(watch) else {
            return;
        };
        task.abort();
        self.0.shared.shelf().unfollow(number);
        self.0.shared.conditions.send_modify(|all| {
            all.remove(&number);
        });
    }

    /// Follows these and waits until each has its first list in the cache. A kind that the cluster
    /// does not serve has none of its objects: that is a list, and asked for again.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The faults of those that have none, as soon as one fails; it is tried again in the
    /// background, so waiting again may succeed.
    pub async fn settle(&self, watches: &BTreeSet<Watch>) -> Result<(), Vec<String>> {
        watches.iter().cloned().for_each(|watch| self.follow(watch));
        let numbers: BTreeSet<u64> = {
            let followed = self.0.watches();
            let followed = watches.iter().filter_map(|watch| followed.get(watch));
            followed.map(|(number, _)| *number).collect()
        };
        let mut conditions = self.0.shared.conditions.subscribe();
        let fails = |one: &&Condition| !one.is_listed && one.fault.is_some();
        let meant = |all: &BTreeMap<u64, Condition>| -> Vec<Condition> {
            let meant = numbers.iter().filter_map(|number| all.get(number));
            meant.cloned().collect()
        };
        let settled = conditions
            .wait_for(|all| {
                let all = meant(all);
                all.iter().any(|one| fails(&one)) || all.iter().all(|one| one.is_listed)
            })
            .await
            .expect("the sender lives as long as this cache");
        let pending = meant(&settled);
        let pending = pending.iter().filter(fails);
        let faults: Vec<String> = pending.filter_map(Condition::words).collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// Returns what is down now, since when and why; what these watches cover may be old.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let conditions = self.0.shared.conditions.borrow();
        conditions.values().filter_map(Condition::words).collect()
    }

    /// Returns an object as it was last seen.
    #[must_use]
    pub fn get(&self, id: &ObjectId) -> Option<Arc<Object>> {
        self.0.shared.shelf().get(id)
    }

    /// Returns the objects of a kind, of one namespace or of all, in the order of their names.
    #[must_use]
    pub fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Object>> {
        self.0.shared.shelf().list(group, kind, namespace)
    }

    /// Returns the objects that name this UID as an owner; costs no more than their number.
    #[must_use]
    pub fn owned_by(&self, uid: &str) -> Vec<Arc<Object>> {
        self.0.shared.shelf().owned_by(uid)
    }

    /// Takes the answer to an own write, so that the cache is never behind it.
    pub fn saw(&self, object: Object) {
        let object = trim::trim(object);
        let changed = self.0.shared.changed(&object);
        if self.0.shared.shelf().saw(object) {
            self.0.shared.tell(changed);
        }
    }

    /// Takes the end of an object that was deleted by an own call: it is not shown again, though
    /// a watch may still bring it; another object of that name is.
    pub fn gone(&self, id: &ObjectId, uid: &str) {
        let Some(object) = self.get(id) else { return };
        let changed = self.0.shared.changed(&object);
        if self.0.shared.shelf().gone(id, uid) {
            self.0.shared.tell(changed);
        }
    }

    /// Returns all changes from now on. A receiver that is more than 4096 behind is told so
    /// (`Lagged`) and has to look at everything. A wake-up, no log: what the change was is read
    /// from the cache.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.0.shared.changes.subscribe()
    }
}

impl Followed {
    fn watches(&self) -> MutexGuard<'_, BTreeMap<Watch, (u64, AbortHandle)>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.watches().values().for_each(|(_, task)| task.abort());
    }
}

impl Shared {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, object: &Object) -> Changed {
        Changed {
            id: object.id(),
            root: self.shelf().root(object),
        }
    }

    fn tell(&self, changed: Changed) {
        // Nobody may be listening.
        let _ = self.changes.send(changed);
    }
}
