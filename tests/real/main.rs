//! The real lane: scenarios on a real control plane, driven through the binary.

<<<<<<< HEAD
mod cluster;
mod control_plane;
=======
mod git_server;
mod git_transport;
>>>>>>> 4897ea0a640a8bd5f9afe283ab5247f1778394d5
