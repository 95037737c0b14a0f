//! Text to JSON with the position of every part, read as `kubectl` reads it: YAML 1.1 booleans
//! and octals, merge keys, JSON; duplicate keys and unknown tags are refused.
//!
//! The parser recurses: whoever calls this has [`STACK`] bytes of stack.
//!
//! Never: files, what the content means.

mod budget;
mod complaint;
mod json;
mod node;
mod read;
mod scalar;

pub use budget::Budget;
pub use node::{Content, Key, Node};
pub use read::{STACK, read, read_text};
