//! Words for Kubernetes objects: identity, content, digests, amounts and workloads.
//!
//! Never: a client, a file, the clock.

mod amount;
mod content;
mod digest;
mod duration;
mod id;
mod image;
mod kind;
pub mod mark;
mod plain;
mod secret;
mod spelling;
mod strategy;
mod workload;

pub use amount::{Amount, AmountFault};
pub use content::Object;
pub use digest::Digest;
pub use duration::{DurationFault, later, read_duration, write_duration};
pub use id::{ObjectId, ObjectIdFault, is_rolled};
pub use image::ImageReference;
pub use kind::{KindName, KindNameFault};
pub use plain::plain;
pub use spelling::{closest, hint};
pub use strategy::Strategy;
pub use workload::{FREEZE_DEADLINE, FREEZE_MIN_READY, Workload};
