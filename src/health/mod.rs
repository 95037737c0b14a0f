//! From an object and its pods to its health; one pure function a kind.
//!
//! Never: waiting; the decision what a bad health leads to.

mod kind;
mod pod;

pub use kind::{Health, of};
pub use pod::{Cause, Class, Judgement, Pod, Verdict};
