//! What an operator means: `GitSync` documents, read and validated whole.
//!
//! One document gives one [`GitSync`]; what it says and this version does not do is refused, never
//! ignored. All faults are told at once. Written as JSON, a `GitSync` has the shape of its
//! document again and reads back equal; the ledger keeps such a copy.
//!
//! Never: the environment, files, a guess at what was meant.

mod document;
mod fault;
mod fields;
mod gitsync;
mod source;
mod value;
mod word;

pub use document::read;
pub use fault::Fault;
pub use gitsync::GitSync;
pub use source::Source;
pub use word::{Allow, Drift, IgnoredField, OnDelete, Prune, Render, Rewrites};
