//! The nodes' side of the simulated cluster: nodes, a scheduler, and kubelets that say what pods do
//! by their image tags. The stand-ins of the tests' real control plane speak by the same tags.

mod conduct;
mod machines;
mod pace;
mod pods;
mod report;
mod rounds;
mod scheduler;

pub use conduct::{Conduct, Course, GRACE, Look, SETTINGS, Turn, tag};
pub use pace::Pace;
pub use report::Report;
pub use rounds::Kubelet;
