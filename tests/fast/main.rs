//! The fast lane: scenarios and transcripts that need no cluster.

mod refused_manifests;
mod refused_policies;
