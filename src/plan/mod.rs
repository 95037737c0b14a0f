//! What is to be done, from what Git wants, what lives and what is recorded.
//!
//! Never: a write; a wait.

mod inventory;

pub use inventory::{Entry, Good, Inventory, State};
