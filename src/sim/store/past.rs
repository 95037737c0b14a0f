//! Earlier states, as far as the log remembers them: what stale reads show.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Place, Store};
use crate::object::Object;
use crate::sim::kind::Kind;

impl Store {
    /// Returns the revision that was `changes` changes ago, at the earliest the first that is
    /// remembered.
    #[must_use]
    pub fn earlier(&self, changes: u64) -> u64 {
        let wanted = self.revision().saturating_sub(changes);
        wanted.max(self.log.floor())
    }

    /// Returns the objects of a kind as they were at a revision that is remembered, by namespace
    /// and name; `None` for all namespaces.
    #[must_use]
    pub fn list_at(&self, kind: &Kind, namespace: Option<&str>, revision: u64) -> Vec<Arc<Object>> {
        if revision >= self.revision() {
            return self.list(kind, namespace).cloned().collect();
        }
        let mut shelf: BTreeMap<Place, Arc<Object>> =
            self.shelves.get(kind).cloned().unwrap_or_default();
        let changes: Vec<_> = self.changes(revision).into_iter().flatten().collect();
        for change in changes
            .into_iter()
            .rev()
            .filter(|change| change.kind == *kind)
        {
            let namespace = change.now.namespace().unwrap_or_default();
            let name = change.now.text("/metadata/name").unwrap_or_default();
            let place = (namespace.to_owned(), name.to_owned());
            match &change.was {
                Some(was) => shelf.insert(place, Arc::clone(was)),
                None => shelf.remove(&place),
            };
        }
        shelf
            .into_iter()
            .filter(|((at, _), _)| namespace.is_none_or(|namespace| namespace == at))
            .map(|(_, object)| object)
            .collect()
    }
}
