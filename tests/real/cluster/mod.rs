//! A real control plane for tests: etcd, kube-apiserver and kube-controller-manager, with stand-ins
//! for what needs machines, the scheduler and the kubelet.
//!
//! ```no_run
//! let plane = ControlPlane::shared();             // started once for all tests, in about 4 s
//! let namespace = plane.namespace("shop").await;  // each test works in its own
//! let agent = plane.agent(&[&namespace], &namespace).await;  // the agent's KUBECONFIG and rights
//! plane.apply(&namespace, "…");                   // as the admin: kubectl apply -f -
//! let trace = Trace::start(plane.client().await, &namespace, "web").await;
//! trace.until("all new", MINUTE, |pods| pods.with_tag("1.3") == 10).await;
//! assert!(trace.fewest_ready() >= 10);
//! ```
//!
//! A test that stops or pauses the API server starts a plane of its own,
//! [`ControlPlane::private`]. What a pod does is said by its image tag: see
//! [`tidegate::sim::kubelet::Conduct`].
//!
//! Needs Go (for the first build), `sh` and Linux or macOS; everything listens on loopback only,
//! and nothing stays behind when the test process ends, even by `kill -9`.

pub(crate) mod accounts;
pub(crate) mod audit;
mod control_plane;
mod guarded;
mod kubelet;
mod nodes;
pub(crate) mod programs;
mod scheduler;
mod turn;
pub(crate) use control_plane::ControlPlane;
