//! Everything that talks to the Kubernetes API: one client with deadlines, discovery, reads and
//! writes, the live cache, the Lease, the ledger's store and Events.
//!
//! Never: a decision, a retry, a value of a Secret. What the API server refuses is reported as a
//! [`Refusal`]; the loop decides what follows. Values of Secrets become keyed digests where an
//! answer is decoded (`seal`), so no caller can show one.

mod announce;
mod call;
mod client;
mod fence;
mod kinds;
mod lease;
mod live;
mod objects;
mod pace;
mod records;
mod refusal;
mod seal;
mod shards;

pub use announce::{Announcement, Announcer, Tone};
pub use client::{Cluster, ClusterFault, Deletion};
pub use fence::Fence;
pub use kinds::Kind;
pub use lease::{Lease, Role, Standing, Terms};
pub use live::{Changed, Live, Watch};
pub use records::{Index, NewRecord, Record, Records};
pub use refusal::{Cause, FieldFault, Refusal};
pub use seal::seal;
