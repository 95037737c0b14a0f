//! The real lane: scenarios on a real control plane, driven through the binary.

mod cluster;
mod cluster_room;
mod batches;
mod control_plane;
mod git_server;
mod git_transport;
mod shop;
