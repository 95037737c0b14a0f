//! A simulated Kubernetes cluster in one process: an API server, controllers, nodes.
//!
//! Never: a decision of the agent; it knows no room of the agent but the words for objects.

pub mod arithmetic;
pub mod controller;
pub mod defaults;
pub mod fields;
pub mod kind;
pub mod kubelet;
pub mod refusal;
pub mod schema;
pub mod seed;
pub mod selector;
pub mod store;
pub mod time;
mod validate;
