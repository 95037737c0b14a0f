//! Where something is written in a commit, and what is wrong there.

use std::{collections::BTreeMap, fmt};

use crate::object::Object;

/// Line and column in a text, both from 1; 0 and 0 where the text has no lines to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A position in a file of a commit; shown as `path:line:column`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Path from the root of the repository, or the name of a field such as `spec.rollout`.
    pub path: String,
    /// Position in it.
    pub position: Position,
}

/// What is wrong at one place of a commit, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What, why, and what to do; never the value of a Secret.
    pub message: String,
}

/// An object as a commit holds it, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// The object; the namespace is filled in where its kind has one.
    pub object: Object,
    /// Where its document starts.
    pub place: Place,
    /// Positions of its own `tidegate.dev/…` annotations.
    pub annotations: BTreeMap<String, Position>,
}

impl Place {
    /// Returns the place of `position` in the file at `path`.
    #[must_use]
    pub fn new(path: &str, position: Position) -> Self {
        Self {
            path: path.to_owned(),
            position,
        }
    }
}

impl Fault {
    /// Returns the fault `message` at `position` in the file at `path`.
    #[must_use]
    pub fn new(path: &str, position: Position, message: impl Into<String>) -> Self {
        Self {
            place: Place::new(path, position),
            message: message.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        if line == 0 {
            f.write_str(&self.path)
        } else {
            write!(f, "{}:{line}:{column}", self.path)
        }
    }
}
