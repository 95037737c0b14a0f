//! The fast lane: scenarios and transcripts that need no cluster.

mod cli;
mod refused_manifests;
mod refused_policies;
