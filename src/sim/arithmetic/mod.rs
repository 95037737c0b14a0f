//! The arithmetic of the controllers: what they decide, as functions of plain numbers. The
//! simulated controllers and the laws of the tests stand on the same.
//!
//! The rules are those of Kubernetes 1.36.2; each file names the functions that it follows.

pub mod daemonset;
pub mod deployment;
pub mod job;
pub mod limits;
pub mod progress;
mod proportion;
pub mod replicaset;
pub mod statefulset;
