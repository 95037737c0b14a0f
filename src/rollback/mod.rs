//! What failed and must not come again by itself.
//!
//! Never: the decision how pods move; Git.

mod quarantine;

pub use quarantine::{Candidate, Culprit, Pair, Past, Quarantine};
