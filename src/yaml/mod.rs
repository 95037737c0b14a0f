//! Text to JSON with the position of every part, read as `kubectl` reads it: YAML 1.1 booleans
//! and octals, merge keys, JSON; duplicate keys and unknown tags are refused.
//!
//! Never: files, what the content means.

mod json;
mod node;
mod read;
mod scalar;

pub use node::{Content, Key, Node};
pub use read::{read, read_text};
