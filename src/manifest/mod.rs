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
mod path;
mod read;
mod scope;
mod stage;

/// Bytes of stack that [`open`], [`Opened::judge`] and the reading of policies need.
pub const STACK: usize = crate::yaml::STACK;

pub use documents::namespaces;
pub use read::{Desired, Opened, desired_hash, open};
pub use scope::{KindScope, Kinds, Scope};
pub use stage::{Stage, stage};
