//! A simulated Kubernetes cluster in one process: an API server, controllers, nodes.
//!
//! Never: a decision of the agent; it knows no room of the agent but the words for objects.

pub mod arithmetic;
pub mod kubelet;
