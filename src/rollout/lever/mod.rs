//! The fields that say how many pods may be new; one file a kind.

pub mod deployment;
