//! The files of a commit to the objects that are wanted: every error with `path:line:column`.
//!
//! Reads as `kubectl` reads; names everything that may not be applied, and what to write instead.
//! What only the API server can know (schemas, admission) is left to its dry run.
//!
//! Never: files on disk, the cluster.

mod api;
mod check;
mod deployment;
mod documents;
mod read;
mod scope;
mod stage;

pub use documents::namespaces;
pub use read::{Desired, desired_hash, read};
pub use scope::{KindScope, Kinds, Scope};
pub use stage::{Stage, stage};
