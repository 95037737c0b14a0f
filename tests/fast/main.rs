//! The fast lane: scenarios and transcripts that need no cluster.

mod cli;
mod controllers;
mod demo;
mod facts;
mod laws;
mod refused_manifests;
mod refused_policies;
mod scenarios;
#[path = "../real/terminal.rs"]
#[allow(clippy::unwrap_used, reason = "tests may panic")]
mod terminal;
mod validate;
mod world;
