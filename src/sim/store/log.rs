//! All changes in their order: what watches are fed from.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::refusal::Refusal;

/// The most changes that are kept for watches that begin in the past: whoever follows is behind by
/// a moment, and each one kept holds a whole object.
const KEPT: usize = 8_192;

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The resourceVersion that it made.
    pub revision: u64,
    /// What kind of object changed.
    pub kind: Kind,
    /// The object before; `None` where it was created.
    pub was: Option<Arc<Object>>,
    /// The object after; where it was deleted, its last state with the resourceVersion of that.
    pub now: Arc<Object>,
    /// Whether the object is no more.
    pub is_gone: bool,
}

pub(super) struct Log {
    revision: u64,
    /// Changes up to this one are forgotten.
    floor: u64,
    changes: VecDeque<Change>,
}

impl Log {
    pub(super) const fn new() -> Self {
        Self {
            revision: 1,
            floor: 1,
            changes: VecDeque::new(),
        }
    }

    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the revision behind which all is forgotten.
    pub(super) const fn floor(&self) -> u64 {
        self.floor
    }

    /// Returns the number of the next change.
    pub(super) const fn next(&self) -> u64 {
        self.revision + 1
    }

    pub(super) fn append(&mut self, change: Change) {
        self.revision = change.revision;
        self.changes.push_back(change);
        if self.changes.len() > KEPT {
            let oldest = self.changes.pop_front();
            self.floor = oldest.map_or(self.floor, |oldest| oldest.revision);
        }
    }

    pub(super) fn after(&self, revision: u64) -> Result<impl Iterator<Item = &Change>, Refusal> {
        if revision < self.floor {
            return Err(Refusal::expired(format!(
                "too old resource version: {revision} ({})",
                self.floor + 1
            )));
        }
        let from = self
            .changes
            .partition_point(|change| change.revision <= revision);
        Ok(self.changes.range(from..))
    }

    pub(super) fn compact(&mut self) {
        self.changes.clear();
        self.floor = self.revision;
    }
}
