//! What people say about how a workload is rolled, each value with where it was said.
//!
//! Precedence: annotation on the workload in Git, then the nearest `.tidegate.yaml`, then
//! `spec.rollout` of the `GitSync`, then what is built in.
//!
//! Never: a decision about pods; files on disk.

mod contradiction;
mod field;
mod file;
mod preset;
mod resolve;
mod statement;
mod value;
mod window;
mod word;

pub use file::{FILE_NAME, PolicyFile};
pub use resolve::{Baseline, resolve, scaler_note};
pub use window::{Window, WindowKind, closed_until};
pub use word::{
    Approval, Batches, GoingBack, Mode, OnFailure, Order, Policy, Provenance, Resolved, Step,
};
