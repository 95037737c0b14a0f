//! The simulated controllers and kubelets at work on a store, in a time that the tests drive.

mod daemonsets;
mod deployments;
mod garbage;
mod jobs;
mod many;
mod nodes;
mod statefulsets;
mod town;

use town::{NAMESPACE, Town, is_ready, set_tag, tags, template, workload};
