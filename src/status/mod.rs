//! What people are shown of a `GitSync`, projected from its ledger: a view with conditions, and the
//! verdict on a commit.
//!
//! Never: a client; the layout of a table; anything that is not in the ledger.

mod condition;
mod next;
mod verdict;
mod view;
mod workload;

pub use condition::{Condition, Reason, Truth};
pub use next::{Approval, approvals};
pub use verdict::{Search, Verdict, Waits, find, verdict};
pub use view::{Held, Objects, Rolling, Seen, Summary, View, view};
pub use workload::Workload;
