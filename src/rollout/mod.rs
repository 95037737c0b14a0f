//! How one workload is rolled in batches: policy, observation and checkpoint in, the next single
//! write out.
//!
//! ```text
//! Progressing ─▶ Monitoring ─▶ Finalizing ─▶ Succeeded
//!      │ failure                     ▲ newer content: Progressing again, batch 1
//!      ├─▶ Failed ──────────▶ RollingBack ─▶ RolledBack
//!      └─ content that succeeded before ─▶      │ failure ─▶ RollbackFailed
//! ```
//! Every state that the machine leaves behind is a fixed point of the cluster's own controllers:
//! if nobody calls [`step`] again the pods stay as they are.
//!
//! Never: time, the cluster, the decision of a whole commit.

mod back;
mod begin;
mod checkpoint;
mod checkup;
mod decision;
mod ending;
mod foreign;
mod forward;
mod goal;
mod leave;
pub mod lever;
mod native;
mod release;
mod replace;
mod schedule;
mod seen;
mod step;

pub use checkpoint::{Checkpoint, Engagement, Evidence, Failure, Judge, Overlay, Phase, Write};
pub use decision::{Action, Decision, Note, Reason};
pub use goal::{Goal, Stance};
pub use leave::Leave;
pub use release::release;
pub use schedule::Schedule;
pub use seen::{Counts, Kind, Live, Seen, Set, Spot};
pub use step::step;
