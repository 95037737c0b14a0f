//! tidegate makes a Kubernetes cluster follow a Git repository in controlled, health-checked
//! batches. The rooms below stand on floors; each names only rooms above it in this list.
//! `ARCHITECTURE.md` tells what each is for, `tests/architecture.rs` holds the walls.

// floor 0: words
pub mod object;
pub mod revision;
pub mod yaml;
// floor 1: readings
pub mod health;
pub mod manifest;
pub mod policy;
// floor 2: decisions
pub mod rollback;
pub mod rollout;
// floor 3: the plan
pub mod plan;
// floor 4: records
pub mod config;
pub mod ledger;
pub mod status;
// floor 5: edges
pub mod clock;
pub mod cluster;
pub mod git;
pub mod sim;
pub mod trigger;
// floor 6: the loop
pub mod sync;
// floor 8: faces
pub mod cli;
