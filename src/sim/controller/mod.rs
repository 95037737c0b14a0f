//! The controllers of the simulated cluster: they read the store and write to it what those of
//! Kubernetes 1.36.2 would. What they decide is [`super::arithmetic`].
//!
//! They see each change at once, where real ones see it through a cache that is behind: a real
//! controller may write the same status twice or run into a conflict with its own write; these get
//! to the same end without.

mod adoption;
mod condition;
mod creation;
mod daemonset;
mod deployment;
mod desk;
mod events;
mod expiry;
mod garbage;
mod job;
mod namespace;
pub(crate) mod nodes;
mod pod;
mod queue;
mod quota;
mod replicaset;
mod revisions;
mod statefulset;
mod template;

pub(crate) use events::Events;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::kind::Kind;
use super::store::{Change, Store};
use crate::object::Object;
use desk::{Desk, Key, Outcome, controller};
use queue::Queue;

/// The most syncs of one run, so that whoever shares the store has a turn in between.
const SYNCS: usize = 64;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// An object, by the controller of its kind.
    Sync(Key),
    /// An object, by the garbage collector.
    Collect(Key),
}

/// All controllers.
#[derive(Default)]
pub struct Controllers {
    seen: Option<u64>,
    queue: Queue,
    events: Events,
    orphans: BTreeSet<Key>,
}

impl Controllers {
    /// Returns controllers that have seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Brings the cluster further, at most by some steps. Returns when there is more to do without
    /// any change coming: now where it stopped half-way, `None` for never.
    pub fn run(&mut self, store: &mut Store) -> Option<Timestamp> {
        for _ in 0..SYNCS {
            self.look(store);
            self.queue.wake(store.now());
            let Some(task) = self.queue.next() else {
                return self.queue.due();
            };
            let outcome = self.sync(store, &task);
            self.queue.done(task, &outcome, store.now());
        }
        Some(store.now())
    }

    fn sync(&mut self, store: &mut Store, task: &Task) -> Outcome {
        let desk = &mut Desk {
            store,
            events: &mut self.events,
            orphans: &self.orphans,
            component: component(task),
        };
        match task {
            Task::Collect(key) => garbage::sync(desk, key),
            Task::Sync(key) if key.kind == Kind::DEPLOYMENT => deployment::sync(desk, key),
            Task::Sync(key) if key.kind == Kind::REPLICA_SET => replicaset::sync(desk, key),
            Task::Sync(key) if key.kind == Kind::STATEFUL_SET => statefulset::sync(desk, key),
            Task::Sync(key) if key.kind == Kind::DAEMON_SET => daemonset::sync(desk, key),
            Task::Sync(key) if key.kind == Kind::JOB => job::sync(desk, key),
            Task::Sync(key) if key.kind == Kind::NAMESPACE => namespace::sync(desk, key),
            Task::Sync(key) if key.kind == Kind::EVENT => expiry::sync(desk, key),
            Task::Sync(key) if key.kind == Kind::RESOURCE_QUOTA => quota::sync(desk, key),
            Task::Sync(_) => Ok(None),
        }
    }

    /// Takes notice of what has changed; of everything there is, at first and where too much was
    /// missed.
    fn look(&mut self, store: &Store) {
        let changes = self.seen.map(|seen| store.changes(seen));
        match changes {
            Some(Ok(changes)) => {
                let mut tasks = Vec::new();
                for change in changes {
                    self.note_orphan(change.now.as_ref(), change.is_gone);
                    tasks.extend(after(store, change));
                }
                tasks.into_iter().for_each(|task| self.queue.add(task));
            }
            Some(Err(_)) | None => self.look_at_all(store),
        }
        self.seen = Some(store.revision());
    }

    fn look_at_all(&mut self, store: &Store) {
        self.orphans.clear();
        for resource in store.registry().all() {
            for object in store.list(&resource.kind, None) {
                self.note_orphan(object, false);
                let mut tasks = own(object);
                tasks.extend(owner(object));
                tasks.into_iter().for_each(|task| self.queue.add(task));
            }
        }
    }

    fn note_orphan(&mut self, object: &Object, is_gone: bool) {
        let key = Key::of(object);
        if ![Kind::POD, Kind::REPLICA_SET, Kind::CONTROLLER_REVISION].contains(&key.kind) {
            return;
        }
        if is_gone || controller(object).is_some() {
            self.orphans.remove(&key);
        } else {
            self.orphans.insert(key);
        }
    }
}

/// What a controller calls itself in Events.
fn component(task: &Task) -> &'static str {
    match task {
        Task::Collect(_) => "garbage-collector-controller",
        Task::Sync(key) => match key.kind.name.as_ref() {
            "Deployment" => "deployment-controller",
            "ReplicaSet" => "replicaset-controller",
            "StatefulSet" => "statefulset-controller",
            "DaemonSet" => "daemonset-controller",
            "Job" => "job-controller",
            _ => "kube-controller-manager",
        },
    }
}

/// The kinds that have a controller here.
fn is_controlled(kind: &Kind) -> bool {
    [
        Kind::DEPLOYMENT,
        Kind::REPLICA_SET,
        Kind::STATEFUL_SET,
        Kind::DAEMON_SET,
        Kind::JOB,
        Kind::NAMESPACE,
        Kind::EVENT,
        Kind::RESOURCE_QUOTA,
    ]
    .contains(kind)
}

/// Who looks at an object for its own sake.
fn own(object: &Object) -> Vec<Task> {
    let key = Key::of(object);
    let mut tasks = Vec::new();
    if is_controlled(&key.kind) {
        tasks.push(Task::Sync(key.clone()));
    }
    if garbage::concerns(object) {
        tasks.push(Task::Collect(key));
    }
    tasks
}

/// The controller of an object's owner.
fn owner(object: &Object) -> Option<Task> {
    let owner = controller(object)?;
    let text = |key: &str| owner[key].as_str().unwrap_or_default();
    let kind = Kind::named(text("apiVersion"), text("kind"));
    let key = Key {
        name: text("name").to_owned(),
        namespace: object.namespace().unwrap_or_default().to_owned(),
        kind,
    };
    is_controlled(&key.kind).then_some(Task::Sync(key))
}

/// Who looks, after a change.
fn after(store: &Store, change: &Change) -> Vec<Task> {
    let object = change.now.as_ref();
    let mut tasks = own(object);
    tasks.extend(owner(object));
    tasks.extend(change.was.as_deref().and_then(owner));
    tasks.extend(quota::after(store, change));
    if change.is_gone {
        tasks.extend(after_end(store, object));
    }
    if change.kind == Kind::NODE {
        let sets = store.list(&Kind::DAEMON_SET, None);
        tasks.extend(sets.map(|set| Task::Sync(Key::of(set))));
    }
    let is_orphan = controller(object).is_none() && !change.is_gone;
    let adopters: &[Kind] = match (change.kind.name.as_ref(), is_orphan) {
        ("Pod", true) => &[
            Kind::REPLICA_SET,
            Kind::STATEFUL_SET,
            Kind::DAEMON_SET,
            Kind::JOB,
        ],
        ("ReplicaSet", true) => &[Kind::DEPLOYMENT],
        _ => &[],
    };
    for kind in adopters {
        let sets = store.list(kind, object.namespace());
        let selecting = sets.filter(|set| adoption::selects(set, object));
        tasks.extend(selecting.map(|set| Task::Sync(Key::of(set))));
    }
    tasks
}

/// Who looks after an object is gone: its dependents, an owner that waits for it, the Deployment
/// of a pod (which may wait for its last one), the namespace that is being emptied.
fn after_end(store: &Store, object: &Object) -> Vec<Task> {
    let uid = object.uid().unwrap_or_default();
    let dependents = store.dependents(uid);
    let mut tasks: Vec<Task> = dependents
        .map(|dependent| Task::Collect(Key::of(dependent)))
        .collect();
    let owners = object.at("/metadata/ownerReferences");
    let owners = owners.and_then(serde_json::Value::as_array);
    for owner in owners.into_iter().flatten() {
        let uid = owner["uid"].as_str().unwrap_or_default();
        if let Some(live) = store.by_uid(uid) {
            tasks.extend(self::owner(live));
            if garbage::concerns(live) {
                tasks.push(Task::Collect(Key::of(live)));
            }
        }
    }
    if let Some(namespace) = object.namespace() {
        let home = store.get(&Kind::NAMESPACE, "", namespace);
        let going = home.filter(|home| home.is_terminating());
        tasks.extend(going.map(|home| Task::Sync(Key::of(home))));
    }
    tasks
}
