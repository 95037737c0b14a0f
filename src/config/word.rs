//! The words of a `GitSync`.

use serde::Serialize;
use serde_json::Value;

use crate::object::{KindName, ObjectId};

/// What a rewritten history (a tip that does not descend from the last one) means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Rewrites {
    /// Holds until a person approves.
    Refuse,
    /// Follows the new history.
    Adopt,
}

/// How the files become manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Render {
    /// By what lies in the path.
    Auto,
    /// YAML and JSON as they are.
    Plain,
}

/// What happens to a live object that differs from Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Drift {
    /// It is made to match again, pod templates in batches.
    Correct,
    /// It is told and left.
    Report,
    /// It is left.
    Ignore,
}

/// What becomes of the objects when the `GitSync` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OnDelete {
    /// They stay.
    Orphan,
}

/// What may come from this repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Kinds besides the application kinds.
    pub kinds: Vec<KindName>,
    /// Namespaces besides the target namespace.
    pub namespaces: Vec<String>,
    /// Whether cluster-scoped objects may come. Default false.
    pub cluster_scoped: bool,
}

/// What may be deleted after a commit leaves it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Whether anything is. Default true.
    pub enabled: bool,
    /// Objects that one commit may delete unasked. Default 3; the larger of this and
    /// `max_percent` counts.
    pub max_objects: u32,
    /// Hundredths of the inventory that one commit may delete unasked, 0 to 100. Default 20.
    pub max_percent: u32,
    /// Kinds never deleted, besides those that are protected always.
    pub protected_kinds: Vec<KindName>,
    /// Whether a commit may leave nothing at all. Default false.
    pub allow_empty: bool,
    /// What becomes of the objects when the `GitSync` goes. Default [`OnDelete::Orphan`].
    pub on_delete: OnDelete,
}

/// A field whose live value is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredField {
    /// Kind of the objects.
    pub kind: KindName,
    /// Name of the object; `None` means every one of the kind.
    pub name: Option<String>,
    /// JSON pointer to the field, such as `/spec/replicas`.
    pub pointer: String,
}

impl Default for Prune {
    fn default() -> Self {
        Self {
            enabled: true,
            max_objects: 3,
            max_percent: 20,
            protected_kinds: Vec::new(),
            allow_empty: false,
            on_delete: OnDelete::Orphan,
        }
    }
}

impl IgnoredField {
    /// Says whether the field of this object is left alone.
    #[must_use]
    pub fn matches(&self, id: &ObjectId) -> bool {
        self.kind.matches(id) && self.name.as_ref().is_none_or(|name| *name == id.name)
    }
}

/// Returns the word that stands for `choice` in documents.
pub(super) fn word(choice: impl Serialize) -> Value {
    serde_json::to_value(choice).expect("a choice without content is written as its name")
}
