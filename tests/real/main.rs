//! The real lane: scenarios on a real control plane, driven through the binary.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic and wait"
)]

mod appliers;
#[path = "../both/mod.rs"]
mod both;
mod cluster;
mod cluster_room;
mod conformance;
mod control_plane;
mod demo;
mod denied;
mod explained;
mod fidelity;
mod git_ssh;
mod git_transport;
mod handover;
mod kinds;
mod laws;
mod once;
mod previews;
mod readme;
mod refusals;
mod released;
#[path = "../shop/mod.rs"]
mod shop;
mod side_by_side;
mod spaces;
mod standby;
#[allow(dead_code, reason = "the fast lane uses the rest")]
mod terminal;
mod thousand;
#[path = "../fast/controllers/town.rs"]
#[allow(dead_code, reason = "the fast lane uses the rest")]
mod town;
mod waited;
mod watched;
#[path = "../fast/world/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the fast lane uses the rest")]
mod world;

use std::sync::Arc;

use cluster::ControlPlane;
use shop::{Ground, Simulated, Stage};

/// Plays a scenario on the shared control plane and on the simulator; each Deployment takes the same
/// course on both.
fn play(scenario: impl AsyncFn(Stage) + Send + Sync + 'static) {
    let real: Arc<dyn Ground> = Arc::new(ControlPlane::shared());
    shop::play(vec![real, Arc::new(Simulated::found())], scenario);
}

/// The shared control plane, for what the simulator has not.
fn real() -> Stage {
    Stage::on(Arc::new(ControlPlane::shared()))
}
