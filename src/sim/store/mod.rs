//! The objects of the simulated cluster and all their changes: what etcd and the generic registry
//! of the API server are to a real one.
//!
//! Plain and synchronous. Whoever shares it puts it behind a lock ([`super::hall::Hall`]). Every write
//! names its [`Actor`], so that `managedFields` tell who did what.

mod admission;
mod apply;
mod binding;
mod blank;
mod delete;
mod guard;
mod log;
mod ownership;
mod past;
mod write;

pub use delete::{Deletion, Propagation};
pub use log::Change;
pub use write::{Actor, Part};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::kind::{Kind, Registry, Resource};
use super::refusal::{Refusal, Subject};
use super::seed::Seed;
use super::time::Time;
use crate::object::Object;
use log::Log;

/// Where an object stands within its kind: namespace (empty for cluster-scoped) and name.
type Place = (String, String);

/// The objects of the simulated cluster.
pub struct Store {
    time: Time,
    seed: Seed,
    registry: Registry,
    shelves: BTreeMap<Kind, BTreeMap<Place, Arc<Object>>>,
    by_uid: HashMap<String, (Kind, Place)>,
    dependents: HashMap<String, BTreeSet<(Kind, Place)>>,
    log: Log,
}

impl Store {
    /// Returns an empty store; the same seed gives the same UIDs and random names.
    #[must_use]
    pub fn new(time: Time, seed: u64) -> Self {
        Self {
            time,
            seed: Seed::new(seed),
            registry: Registry::new(),
            shelves: BTreeMap::new(),
            by_uid: HashMap::new(),
            dependents: HashMap::new(),
            log: Log::new(),
        }
    }

    /// Returns the present of the cluster.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Returns the source of random names and UIDs.
    pub fn seed(&mut self) -> &mut Seed {
        &mut self.seed
    }

    /// Returns the kinds that there are.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the resourceVersion of the last change; 1 at the beginning.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.log.revision()
    }

    /// Returns one object; `namespace` is empty for a cluster-scoped kind.
    #[must_use]
    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        let place = (namespace.to_owned(), name.to_owned());
        self.shelves.get(kind)?.get(&place)
    }

    /// Returns the objects of a kind by namespace and name; `None` for all namespaces.
    pub fn list<'a>(
        &'a self,
        kind: &Kind,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        let from = (namespace.unwrap_or_default().to_owned(), String::new());
        self.shelves
            .get(kind)
            .into_iter()
            .flat_map(move |shelf| shelf.range(from.clone()..))
            .take_while(move |((at, _), _)| namespace.is_none_or(|namespace| namespace == at))
            .map(|(_, object)| object)
    }

    /// Returns the object with that UID, of whatever kind.
    #[must_use]
    pub fn by_uid(&self, uid: &str) -> Option<&Arc<Object>> {
        let (kind, place) = self.by_uid.get(uid)?;
        self.shelves.get(kind)?.get(place)
    }

    /// Returns the objects that name `uid` among their owners, controller or not, by kind,
    /// namespace and name.
    pub fn dependents<'a>(&'a self, uid: &str) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        self.dependents
            .get(uid)
            .into_iter()
            .flatten()
            .filter_map(|(kind, place)| self.shelves.get(kind)?.get(place))
    }

    /// Returns what changed after `revision`, oldest first.
    ///
    /// # Errors
    /// 410 where that is longer ago than what is kept ([`Store::forget`]).
    pub fn changes(&self, revision: u64) -> Result<impl Iterator<Item = &Change>, Refusal> {
        self.log.after(revision)
    }

    /// Forgets all changes up to now, as a compaction of etcd does: watches that begin earlier
    /// are answered with 410.
    pub fn forget(&mut self) {
        self.log.compact();
    }

    /// Counts the objects of all kinds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_uid.len()
    }

    /// Says whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_uid.is_empty()
    }

    /// Returns what a refusal says about an object of `kind`.
    #[must_use]
    pub fn subject(&self, kind: &Kind, name: &str) -> Subject {
        let plural = self.registry.get(kind).map_or_else(
            || kind.name.to_lowercase(),
            |resource| resource.plural.clone(),
        );
        Subject {
            group: kind.group.to_string(),
            plural,
            kind: kind.name.to_string(),
            name: name.to_owned(),
        }
    }

    fn resource(&self, kind: &Kind) -> Result<Arc<Resource>, Refusal> {
        self.registry.get(kind).cloned().ok_or_else(|| {
            Refusal::bad_request(format!("no kind {:?} is registered", kind.to_string()))
        })
    }

    /// Puts an object on its shelf, or takes it off, and writes that into the log. The object's
    /// resourceVersion becomes that of the change.
    fn commit(&mut self, kind: &Kind, place: &Place, new: Option<Object>) -> Arc<Object> {
        let shelf = self.shelves.entry(kind.clone()).or_default();
        let was = shelf.get(place).cloned();
        let revision = self.log.next();
        let stamp = |mut object: Object| {
            object.set(
                &["metadata", "resourceVersion"],
                revision.to_string().into(),
            );
            Arc::new(object)
        };
        let (now, is_gone) = match (new, &was) {
            (Some(new), _) => (stamp(new), false),
            (None, Some(was)) => (stamp(was.as_ref().clone()), true),
            (None, None) => unreachable!("only what is there is taken away"),
        };
        if is_gone {
            shelf.remove(place);
        } else {
            shelf.insert(place.clone(), Arc::clone(&now));
        }
        self.index(kind, place, was.as_ref(), (!is_gone).then_some(&now));
        self.log.append(Change {
            revision,
            kind: kind.clone(),
            was,
            now: Arc::clone(&now),
            is_gone,
        });
        now
    }

    fn index(
        &mut self,
        kind: &Kind,
        place: &Place,
        was: Option<&Arc<Object>>,
        now: Option<&Arc<Object>>,
    ) {
        let key = (kind.clone(), place.clone());
        for owner in was.into_iter().flat_map(|was| owners(was)) {
            if let Some(set) = self.dependents.get_mut(owner) {
                set.remove(&key);
                if set.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
        if let Some(uid) = was.and_then(|was| was.uid()) {
            self.by_uid.remove(uid);
        }
        if let Some(now) = now {
            for owner in owners(now) {
                let set = self.dependents.entry(owner.to_owned()).or_default();
                set.insert(key.clone());
            }
            self.by_uid
                .insert(now.uid().unwrap_or_default().to_owned(), key);
        }
    }
}

/// Returns the UIDs that an object names as its owners.
fn owners(object: &Object) -> impl Iterator<Item = &str> {
    object
        .at("/metadata/ownerReferences")
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|owner| owner.get("uid")?.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn store() -> Store {
        let start = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
        let mut store = Store::new(Time::driven(start), 1);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        store.create(&Actor::new("test"), namespace).expect("new");
        store
    }

    fn web(replicas: u32) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}},
                             "spec": {"containers": [{"name": "a", "image": "x:1"}]}}}})
    }

    fn pod(name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"nodeName": "node-1", "containers": [{"name": "a", "image": "x:1"}]}})
    }

    const DEPLOYMENT: (&Kind, &str, &str) = (&Kind::DEPLOYMENT, "shop", "web");

    #[test]
    fn a_new_object_gets_its_metadata_and_defaults() {
        let mut store = store();
        let web = store.create(&Actor::new("kubectl"), web(3)).expect("new");
        assert_eq!(web.generation(), 1);
        assert_eq!(
            web.text("/metadata/creationTimestamp"),
            Some("2026-01-01T00:00:00Z")
        );
        assert_eq!(
            web.text("/spec/strategy/rollingUpdate/maxSurge"),
            Some("25%")
        );
        assert_eq!(
            web.text("/metadata/managedFields/0/manager"),
            Some("kubectl")
        );
        assert_eq!(
            web.resource_version(),
            Some(store.revision().to_string().as_str())
        );
    }

    #[test]
    fn only_changes_of_the_spec_raise_the_generation() {
        let mut store = store();
        let actor = Actor::new("test");
        store.create(&actor, web(3)).expect("new");
        let status = actor.on(Part::Status);
        let seen = store.change(&status, DEPLOYMENT, |web| {
            web["status"]["replicas"] = json!(3);
            web["spec"]["replicas"] = json!(9);
        });
        let seen = seen.expect("written");
        assert_eq!(seen.generation(), 1);
        assert_eq!(seen.at("/spec/replicas"), Some(&json!(3)));
        assert_eq!(seen.at("/status/replicas"), Some(&json!(3)));
        let scaled = store.change(&actor, DEPLOYMENT, |web| web["spec"]["replicas"] = json!(5));
        assert_eq!(scaled.expect("written").generation(), 2);
    }

    #[test]
    fn a_write_that_changes_nothing_makes_no_revision() {
        let mut store = store();
        let actor = Actor::new("test");
        store.create(&actor, web(3)).expect("new");
        let before = store.revision();
        store
            .change(&Actor::new("other"), DEPLOYMENT, |_| {})
            .expect("the same");
        store
            .apply(&Actor::new("tidegate"), &web(3), false)
            .expect("the same values");
        let applied = store.revision();
        store
            .apply(&Actor::new("tidegate"), &web(3), false)
            .expect("again");
        assert_eq!(applied, before + 1, "the first apply claims its fields");
        assert_eq!(store.revision(), applied);
    }

    #[test]
    fn an_old_resource_version_is_refused() {
        let mut store = store();
        let actor = Actor::new("test");
        let first = store.create(&actor, web(3)).expect("new");
        store
            .change(&actor, DEPLOYMENT, |web| web["spec"]["replicas"] = json!(5))
            .expect("new");
        let refusal = store
            .update(&actor, first.value().clone())
            .expect_err("stale");
        assert_eq!((refusal.code, refusal.reason), (409, "Conflict"));
        let text = "Operation cannot be fulfilled on deployments.apps \"web\": the object has been \
                    modified; please apply your changes to the latest version and try again";
        assert_eq!(refusal.message, text);
    }

    #[test]
    fn a_pod_on_a_node_gets_its_grace_and_goes_when_it_is_deleted_at_once() {
        let mut store = store();
        store.create(&Actor::new("test"), pod("a")).expect("new");
        let soft = store
            .delete(&Kind::POD, "shop", "a", &Deletion::default())
            .expect("begun");
        assert_eq!(
            soft.text("/metadata/deletionTimestamp"),
            Some("2026-01-01T00:00:30Z")
        );
        assert!(store.get(&Kind::POD, "shop", "a").is_some());
        let hard = Deletion {
            grace_seconds: Some(0),
            ..Deletion::default()
        };
        store.delete(&Kind::POD, "shop", "a", &hard).expect("gone");
        assert!(store.get(&Kind::POD, "shop", "a").is_none());
    }

    #[test]
    fn a_finalizer_holds_an_object_until_it_is_taken_away() {
        let mut store = store();
        let actor = Actor::new("test");
        store.create(&actor, web(3)).expect("new");
        let foreground = Deletion {
            propagation: Some(Propagation::Foreground),
            ..Deletion::default()
        };
        let held = store
            .delete(&Kind::DEPLOYMENT, "shop", "web", &foreground)
            .expect("begun");
        assert_eq!(
            held.at("/metadata/finalizers"),
            Some(&json!(["foregroundDeletion"]))
        );
        store
            .change(&actor, DEPLOYMENT, |web| {
                web["metadata"]["finalizers"] = json!([]);
            })
            .expect("ended");
        assert!(store.get(&Kind::DEPLOYMENT, "shop", "web").is_none());
        let last = store.changes(0).err().expect("older than the beginning");
        assert_eq!(last.code, 410);
        let last = store.changes(2).expect("kept").last().expect("a change");
        assert!(last.is_gone);
    }

    #[test]
    fn a_delete_of_another_uid_is_refused() {
        let mut store = store();
        store.create(&Actor::new("test"), web(3)).expect("new");
        let other = Deletion {
            uid: Some("other".to_owned()),
            ..Deletion::default()
        };
        let refusal = store
            .delete(&Kind::DEPLOYMENT, "shop", "web", &other)
            .expect_err("other");
        assert_eq!(refusal.code, 409);
    }

    #[test]
    fn nothing_new_is_made_in_a_namespace_that_goes_or_is_not_there() {
        let mut store = store();
        let mut elsewhere = web(1);
        elsewhere["metadata"]["namespace"] = json!("nowhere");
        let refusal = store
            .create(&Actor::new("test"), elsewhere)
            .expect_err("none");
        assert_eq!(refusal.message, "namespaces \"nowhere\" not found");
        store
            .delete(&Kind::NAMESPACE, "", "shop", &Deletion::default())
            .expect("begun");
        let refusal = store
            .create(&Actor::new("test"), web(1))
            .expect_err("terminating");
        assert_eq!(refusal.code, 403);
    }

    #[test]
    fn owners_and_uids_find_objects() {
        let mut store = store();
        let web = store.create(&Actor::new("test"), web(3)).expect("new");
        let uid = web.uid().expect("a uid").to_owned();
        let mut child = pod("a");
        child["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid}]);
        store.create(&Actor::new("test"), child).expect("new");
        assert_eq!(store.dependents(&uid).count(), 1);
        assert_eq!(store.by_uid(&uid), Some(&web));
    }

    #[test]
    fn a_quota_of_pods_is_kept() {
        let mut store = store();
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": "few", "namespace": "shop"}, "spec": {"hard": {"pods": "1"}}});
        store.create(&Actor::new("test"), quota).expect("new");
        store
            .create(&Actor::new("test"), pod("a"))
            .expect("room for one");
        let refusal = store
            .create(&Actor::new("test"), pod("b"))
            .expect_err("full");
        let text = "pods \"b\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, \
                    limited: pods=1";
        assert_eq!(refusal.message, text);
    }
}
