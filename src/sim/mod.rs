//! A simulated Kubernetes cluster in one process: an API server, controllers, nodes.
//!
//! Never: a decision of the agent; it knows no room of the agent but the words for objects.

pub mod api;
pub mod arithmetic;
pub mod controller;
pub mod defaults;
pub mod fault;
pub mod fields;
pub mod hall;
pub mod kind;
pub mod kubelet;
mod naming;
mod patch;
pub mod protobuf;
pub mod refusal;
pub mod schema;
pub mod seed;
pub mod selector;
pub mod serving;
pub mod store;
pub mod time;
pub mod town;
mod validate;
