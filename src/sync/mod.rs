//! The loop: waits, makes a pass, records it.
//!
//! `run` is the process: Lease, configuration, one app for each `GitSync`. An app is one
//! task and the only writer of its ledger. What it decides it asks of the pure rooms; what it does
//! is one call of an edge at a time.
//!
//! Never: a decision about pods, order or deletion of its own.

mod adoption;
mod app;
mod book;
mod claims;
mod completion;
mod drift;
mod election;
mod fate;
mod faults;
mod fetching;
mod following;
mod founding;
mod goal;
mod handover;
mod holding;
mod judging;
mod leave;
mod observing;
mod offline;
mod once;
mod options;
mod pacing;
mod preview;
mod probing;
mod pruning;
mod pursuit;
mod reading;
mod rejection;
mod release;
mod requests;
mod restarting;
mod returning;
mod revisions;
mod run;
mod stack;
mod tending;
mod tip;
mod turns;
mod writing;

pub use book::BookFault;
pub use observing::{followers, observe};
pub use offline::{Checked, check};
pub use once::Stand;
pub use options::Options;
pub use preview::{Change, Origin, Preview, Verb, preview};
pub use release::{How, ReleaseFault, Released, release};
pub use run::{RunFault, run};
pub use stack::on_deep_stack;
