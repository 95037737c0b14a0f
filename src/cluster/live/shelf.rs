//! What the watches have seen, never older than what was seen before.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

use serde_json::Value;

use super::Watch;
use crate::object::{Object, ObjectId};

/// Objects by identity and by owner. Resource versions are compared as numbers: ordered within a
/// kind by promise since Kubernetes 1.35, and by practice before.
#[derive(Default)]
pub(super) struct Shelf {
    entries: BTreeMap<ObjectId, Entry>,
    owned: HashMap<String, BTreeSet<ObjectId>>,
    watches: BTreeMap<u64, Followed>,
    /// Numbers are never given twice: the task of an unfollowed watch may have a last word.
    next: u64,
}

struct Entry {
    object: Arc<Object>,
    version: u64,
    /// The watches whose selection holds it.
    seen_by: BTreeSet<u64>,
    /// Deleted by us; kept until the watches say so too, for they may still bring it.
    gone: bool,
}

struct Followed {
    watch: Watch,
    /// The resource version up to which the watch has told everything.
    position: u64,
}

impl Shelf {
    /// Takes a watch and returns its number.
    pub(super) fn follow(&mut self, watch: Watch) -> u64 {
        self.next += 1;
        self.watches
            .insert(self.next, Followed { watch, position: 0 });
        self.next
    }

    /// Forgets a watch and what only it has seen.
    pub(super) fn unfollow(&mut self, number: u64) {
        self.watches.remove(&number);
        self.empty(number);
    }

    pub(super) fn get(&self, id: &ObjectId) -> Option<Arc<Object>> {
        let entry = self.entries.get(id).filter(|entry| !entry.gone)?;
        Some(Arc::clone(&entry.object))
    }

    /// The objects of a kind in one namespace, or in the whole cluster.
    pub(super) fn list(&self, group: &str, kind: &str, place: Option<&str>) -> Vec<Arc<Object>> {
        let first = ObjectId {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: place.map(ToOwned::to_owned),
            name: String::new(),
        };
        let here = |id: &ObjectId| {
            id.group == group
                && id.kind == kind
                && (place.is_none() || id.namespace.as_deref() == place)
        };
        self.entries
            .range((Bound::Included(first), Bound::Unbounded))
            .take_while(|(id, _)| here(id))
            .filter(|(_, entry)| !entry.gone)
            .map(|(_, entry)| Arc::clone(&entry.object))
            .collect()
    }

    /// The objects that name this UID as an owner.
    pub(super) fn owned_by(&self, uid: &str) -> Vec<Arc<Object>> {
        let ids = self.owned.get(uid).into_iter().flatten();
        ids.filter_map(|id| self.get(id)).collect()
    }

    /// Takes what a watch has brought; says whether anything changed.
    pub(super) fn put(&mut self, number: u64, object: Object) -> bool {
        let version = version(&object);
        self.reached(number, version);
        self.watches.contains_key(&number) && self.store(object, version, BTreeSet::from([number]))
    }

    /// Takes the answer to a write of ours; says whether anything changed. What no watch would
    /// bring is not kept, for it would never be updated.
    pub(super) fn saw(&mut self, object: Object) -> bool {
        let version = version(&object);
        let covering = self
            .watches
            .iter()
            .filter(|(_, one)| one.watch.selects(&object));
        let ahead = covering.filter(|(_, one)| one.position < version);
        let seen_by: BTreeSet<u64> = ahead.map(|(number, _)| *number).collect();
        let is_kept = !seen_by.is_empty() || self.entries.contains_key(&object.id());
        is_kept && self.store(object, version, seen_by)
    }

    fn store(&mut self, object: Object, version: u64, seen_by: BTreeSet<u64>) -> bool {
        let id = object.id();
        let mut entry = Entry {
            object: Arc::new(object),
            version,
            seen_by,
            gone: false,
        };
        if let Some(known) = self.entries.get_mut(&id) {
            let is_same = known.object.uid() == entry.object.uid();
            let is_newer = version > known.version || version == 0;
            if !is_newer || (known.gone && is_same) {
                known.seen_by.append(&mut entry.seen_by);
                return false;
            }
            entry.seen_by.append(&mut known.seen_by);
            self.disown(&id);
        }
        for uid in owners(&entry.object) {
            self.owned
                .entry(uid.to_owned())
                .or_default()
                .insert(id.clone());
        }
        self.entries.insert(id, entry);
        true
    }

    /// Takes a watch's word that an object has left its selection, deleted or relabelled.
    pub(super) fn take_out(&mut self, number: u64, object: &Object) {
        let version = version(object);
        self.reached(number, version);
        let id = object.id();
        if self
            .entries
            .get(&id)
            .is_some_and(|entry| entry.version <= version)
        {
            self.lose(&id, number);
        }
    }

    /// Marks an object as deleted by us, unless another has its name.
    pub(super) fn gone(&mut self, id: &ObjectId, uid: &str) -> bool {
        let entry = self
            .entries
            .get_mut(id)
            .filter(|entry| entry.object.uid() == Some(uid));
        entry.is_some_and(|entry| !std::mem::replace(&mut entry.gone, true))
    }

    /// Takes a whole list; returns what changed, objects that left included.
    pub(super) fn relist(&mut self, number: u64, all: Vec<Object>, at: u64) -> Vec<Arc<Object>> {
        if !self.watches.contains_key(&number) {
            return Vec::new();
        }
        let listed: BTreeSet<ObjectId> = all.iter().map(Object::id).collect();
        let mut changed = Vec::new();
        for id in self.seen_by(number) {
            let entry = &self.entries[&id];
            if !listed.contains(&id) && entry.version <= at {
                changed.push(Arc::clone(&entry.object));
                self.lose(&id, number);
            }
        }
        for object in all {
            let (id, version) = (object.id(), version(&object));
            if self.store(object, version, BTreeSet::from([number])) {
                changed.push(Arc::clone(&self.entries[&id].object));
            }
        }
        self.reached(number, at);
        changed
    }

    /// Forgets what only this watch has seen; returns it.
    pub(super) fn empty(&mut self, number: u64) -> Vec<Arc<Object>> {
        let seen = self.seen_by(number);
        let left = seen.iter().filter_map(|id| self.get(id)).collect();
        seen.iter().for_each(|id| self.lose(id, number));
        left
    }

    /// The topmost owner, as far as owner references and the shelf tell; `id` where nobody owns it.
    pub(super) fn root(&self, object: &Object) -> ObjectId {
        let mut root = object.id();
        let mut owner = controller(object);
        // Pod, ReplicaSet or Job, Deployment or CronJob: no chain of Kubernetes is longer.
        for _ in 0..4 {
            let Some(id) = owner else { break };
            owner = self
                .entries
                .get(&id)
                .and_then(|entry| controller(&entry.object));
            root = id;
        }
        root
    }

    /// A bookmark: the watch has told everything up to this version.
    pub(super) fn reached(&mut self, number: u64, version: u64) {
        if let Some(followed) = self.watches.get_mut(&number) {
            followed.position = followed.position.max(version);
        }
    }

    fn seen_by(&self, number: u64) -> Vec<ObjectId> {
        let seen = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.seen_by.contains(&number));
        seen.map(|(id, _)| id.clone()).collect()
    }

    fn lose(&mut self, id: &ObjectId, number: u64) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        entry.seen_by.remove(&number);
        if entry.seen_by.is_empty() {
            self.disown(id);
            self.entries.remove(id);
        }
    }

    fn disown(&mut self, id: &ObjectId) {
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        for uid in owners(&entry.object) {
            if let Some(ids) = self.owned.get_mut(uid) {
                ids.remove(id);
                if ids.is_empty() {
                    self.owned.remove(uid);
                }
            }
        }
    }
}

/// The resource version as a number; 0 where it is none, which counts as newer than any.
pub(super) fn version(object: &Object) -> u64 {
    object
        .resource_version()
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}

fn owners(object: &Object) -> impl Iterator<Item = &str> {
    references(object).filter_map(|owner| owner["uid"].as_str())
}

fn controller(object: &Object) -> Option<ObjectId> {
    let owner = references(object).find(|owner| owner["controller"] == true)?;
    Some(ObjectId {
        group: owner["apiVersion"]
            .as_str()?
            .split_once('/')
            .map_or("", |(group, _)| group)
            .into(),
        kind: owner["kind"].as_str()?.to_owned(),
        namespace: object.namespace().map(ToOwned::to_owned),
        name: owner["name"].as_str()?.to_owned(),
    })
}

fn references(object: &Object) -> impl Iterator<Item = &Value> {
    object
        .at("/metadata/ownerReferences")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, version: u64) -> Object {
        let meta = json!({"name": name, "namespace": "shop", "uid": format!("uid-{name}"),
            "resourceVersion": version.to_string()});
        Object::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta})).unwrap()
    }

    fn owned(name: &str, kind: &str, owner: (&str, &str)) -> Object {
        let mut object = object(name, 1);
        object.set(&["apiVersion"], json!("apps/v1"));
        object.set(&["kind"], json!(kind));
        object.set(
            &["metadata", "ownerReferences"],
            json!([{"apiVersion": "apps/v1", "kind": owner.0, "name": owner.1,
                "uid": format!("uid-{}", owner.1), "controller": true}]),
        );
        object
    }

    fn followed() -> Shelf {
        let mut shelf = Shelf::default();
        let watch = Watch {
            namespace: Some("shop".to_owned()),
            ..Watch::of("v1", "Pod")
        };
        assert_eq!([shelf.follow(watch.clone()), shelf.follow(watch)], [1, 2]);
        shelf
    }

    fn held(shelf: &Shelf, name: &str) -> Option<u64> {
        shelf
            .get(&object(name, 0).id())
            .map(|found| version(&found))
    }

    #[test]
    fn it_never_goes_behind_an_own_write() {
        let mut shelf = followed();
        assert!(shelf.put(1, object("web", 5)));
        assert!(shelf.saw(object("web", 9)));
        assert!(
            !shelf.put(1, object("web", 7)),
            "a late event is older than the answer"
        );
        assert_eq!(held(&shelf, "web"), Some(9));
        assert!(
            shelf.put(1, object("web", 10)),
            "10 is newer than 9, though not as text"
        );
        assert!(!shelf.saw(object("web", 9)));
        assert_eq!(held(&shelf, "web"), Some(10));
    }

    #[test]
    fn what_the_watch_has_seen_deleted_is_not_brought_back_by_a_late_answer() {
        let mut shelf = followed();
        [1, 2].iter().for_each(|number| shelf.reached(*number, 12));
        assert!(!shelf.saw(object("web", 11)));
        assert!(
            shelf.saw(object("web", 13)),
            "newer than all that the watches have told"
        );
        let mut elsewhere = object("web", 20);
        elsewhere.set(&["metadata", "namespace"], json!("other"));
        assert!(!shelf.saw(elsewhere), "no watch would ever update it");
    }

    #[test]
    fn an_object_absent_from_the_next_list_leaves_unless_it_is_newer_than_the_list() {
        let mut shelf = followed();
        shelf.relist(1, vec![object("old", 3), object("web", 4)], 10);
        shelf.saw(object("new", 25));
        let changed = shelf.relist(1, vec![object("web", 4)], 20);
        assert_eq!(
            changed.iter().map(|one| one.id()).collect::<Vec<_>>(),
            [object("old", 0).id()]
        );
        assert_eq!((held(&shelf, "old"), held(&shelf, "web")), (None, Some(4)));
        assert_eq!(held(&shelf, "new"), Some(25));
    }

    #[test]
    fn an_object_stays_while_another_watch_still_selects_it() {
        let mut shelf = followed();
        shelf.put(1, object("web", 5));
        shelf.put(2, object("web", 5));
        shelf.take_out(1, &object("web", 6));
        assert!(held(&shelf, "web").is_some());
        shelf.unfollow(2);
        assert!(held(&shelf, "web").is_none());
    }

    #[test]
    fn a_deleted_object_stays_away_and_its_successor_does_not() {
        let mut shelf = followed();
        shelf.put(1, object("web", 5));
        assert!(!shelf.gone(&object("web", 0).id(), "uid-another"));
        assert!(shelf.gone(&object("web", 0).id(), "uid-web"));
        shelf.put(1, object("web", 6));
        assert_eq!(held(&shelf, "web"), None, "an event from before the delete");
        let mut successor = object("web", 8);
        successor.set(&["metadata", "uid"], json!("uid-next"));
        assert!(shelf.put(1, successor));
        shelf.take_out(1, &object("web", 7));
        assert_eq!(
            held(&shelf, "web"),
            Some(8),
            "the old one's end is not its end"
        );
    }

    #[test]
    fn owners_are_found_from_both_ends() {
        let mut shelf = Shelf::default();
        assert_eq!(shelf.follow(Watch::of("apps/v1", "ReplicaSet")), 1);
        shelf.put(1, owned("web-1", "ReplicaSet", ("Deployment", "web")));
        let pod = owned("web-1-a", "Pod", ("ReplicaSet", "web-1"));
        shelf.put(1, pod.clone());
        assert_eq!(shelf.root(&pod).to_string(), "Deployment/shop/web");
        assert_eq!(shelf.owned_by("uid-web-1").len(), 1);
        shelf.take_out(1, &pod);
        assert_eq!(shelf.owned_by("uid-web-1").len(), 0);
        assert_eq!(shelf.list("apps", "ReplicaSet", Some("shop")).len(), 1);
        assert_eq!(shelf.list("apps", "ReplicaSet", Some("other")).len(), 0);
        assert_eq!(shelf.list("apps", "ReplicaSet", None).len(), 1);
    }
}
