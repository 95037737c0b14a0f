//! The real lane: scenarios on a real control plane, driven through the binary.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic and wait"
)]

mod adoption;
mod appliers;
mod batches;
mod cluster;
mod cluster_room;
mod control_plane;
mod crashes;
mod demo;
mod explained;
mod failures;
mod fidelity;
mod git_server;
mod git_ssh;
mod git_transport;
mod handover;
mod hands;
mod kinds;
mod laws;
mod newest;
mod once;
mod previews;
mod pruning;
mod readme;
mod refusals;
mod released;
mod restarted;
mod reverts;
mod shapes;
mod shop;
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
