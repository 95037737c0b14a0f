//! What must outlive a restart of the agent, as versioned JSON.
//!
//! One head that is written by compare-and-swap, and shards of the inventory that the head names by
//! their digest.
//!
//! Never: a client; a decision.

mod aim;
mod encode;
mod record;
mod release;
mod tip;
mod wait;
mod way;

pub use aim::{Aim, Course, Good, Held, OpenStage, Returns};
pub use encode::{LedgerFault, Stored, decode, decode_head, encode, encode_head, epoch, writer};
pub use record::{
    Deployed, HeldPrune, Ledger, Outcome, Pause, Problem, Released, Restart, SCHEMA, Trouble,
};
pub use tip::{RefusedTip, Tip};
pub use wait::{Wait, promotion};
