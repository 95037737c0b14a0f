//! The real lane: scenarios on a real control plane, driven through the binary.

mod cluster;
mod control_plane;
