//! tidegate makes a Kubernetes cluster follow a Git repository in controlled, health-checked
//! batches. The rooms below stand on floors; each names only rooms above it in this list.
//! `ARCHITECTURE.md` tells what each is for, `tests/architecture.rs` holds the walls.

// floor 0: words
pub mod object;
pub mod revision;
// floor 1: readings
pub mod health;
pub mod manifest;
pub mod policy;
pub mod yaml;
// floor 2: decisions
pub mod rollout;
// floor 5: edges
pub mod clock;
