//! What wakes a pass: polls, files that change, requests of people.
//!
//! Every source pushes into the [`Queue`] of a `GitSync`, which hands over what has gathered since
//! the last time; a burst is one delivery, and the last event is always in one.
//!
//! Never: what a trigger leads to, a repository's content, the network.

mod file;
mod folder;
mod poll;
mod queue;
mod repository;

pub use file::{FileWatch, Unreadable};
pub use poll::poll;
pub use queue::{Kind, Queue, Trigger};
pub use repository::follow_repository;
