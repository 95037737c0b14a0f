//! Words for Git: commits, what people wrote about them, and the files of one commit.
//!
//! Never: a repository.

mod commit;
mod tree;

pub use commit::{CommitId, CommitIdFault, Revision};
pub use tree::{File, Tree};
