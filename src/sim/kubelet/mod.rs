//! The nodes' side of the simulated cluster: what pods do, and what a kubelet says of it.

mod conduct;
mod report;

pub use conduct::{Conduct, Course, GRACE, Look, SETTINGS, Turn, tag};
pub use report::Report;
