//! The fast lane: scenarios and transcripts that need no cluster.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic and wait"
)]

#[cfg(not(feature = "e2e"))]
#[path = "../both/mod.rs"]
mod both;
mod cli;
mod controllers;
mod demo;
mod facts;
mod fields;
mod killed;
mod laws;
#[cfg(target_os = "linux")]
mod load;
mod refused_manifests;
mod refused_policies;
mod scenarios;
#[path = "../shop/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the real lane uses the rest")]
mod shop;
#[path = "../real/terminal.rs"]
#[allow(clippy::unwrap_used, reason = "tests may panic")]
mod terminal;
mod validate;
mod world;

/// Plays a scenario on a simulated cluster of its own. With the real lane it runs there, on both.
#[cfg(not(feature = "e2e"))]
fn play(scenario: impl AsyncFn(shop::Stage) + Send + Sync + 'static) {
    let ground: std::sync::Arc<dyn shop::Ground> = std::sync::Arc::new(shop::Simulated::found());
    shop::play(vec![ground], scenario);
}
