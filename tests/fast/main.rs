//! The fast lane: scenarios and transcripts that need no cluster.

mod cli;
mod controllers;
mod facts;
mod laws;
mod refused_manifests;
mod refused_policies;
mod scenarios;
mod validate;
mod world;
