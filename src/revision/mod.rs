//! Words for Git: commits, what people wrote about them, the files of one commit, and the places
//! in them.
//!
//! Never: a repository.

mod commit;
mod place;
mod tree;

pub use commit::{CommitId, CommitIdFault, Revision};
pub use place::{Fault, Located, Place, Position};
pub use tree::{File, Tree};
