//! Git: a bare mirror of each repository that is followed, kept up to date and read.
//!
//! All network work of the agent happens in a child process of the same program ([`child::run`]),
//! because libgit2 can hang, grow and crash, and a child can be killed. The one exception is a person
//! who looks at a revision with `plan` or `diff` ([`Mirror::of_revision`]): there the program `git` of
//! that person's machine fetches it, with that person's credentials. What is local is read straight
//! from the object store; there is no checkout, and no path of a repository ever becomes a path
//! of this machine.
//!
//! Never: hooks, filters, submodules, Git LFS, redirects, plain `http`, `git://`, `ext::`, a
//! password in a URL, an SSH host that `known_hosts` does not name.

pub mod child;
mod credentials;
mod fault;
mod files;
mod globals;
mod mirror;
mod objects;
mod parent;
mod remote;
mod revert;
mod snapshot;
mod store;
mod worktree;

pub use fault::{GitFault, Reason};
pub use globals::prepare;
pub use mirror::{Fetched, Mirror, News};
pub use remote::{Limits, Remote};
pub use worktree::Worktree;
