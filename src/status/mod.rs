//! What people are shown of a `GitSync`, projected from its ledger: a view with conditions, the
//! verdict on a commit, and the picture of a rollout with its live pods.
//!
//! Never: a client; the layout of a table or a screen; anything that was not recorded or seen.

mod condition;
mod explanation;
mod news;
mod next;
mod picture;
mod pods;
mod state;
mod strip;
mod timeline;
mod verdict;
mod view;
mod workload;

pub use condition::{Condition, Truth};
pub use explanation::{Explanation, Why, explain};
pub use news::{News, news};
pub use next::{Approval, approvals};
pub use picture::{Errand, Picture, picture, subject};
pub use pods::{Slot, Tally};
pub use state::Reason;
pub use strip::{Progress, Row, Strip};
pub use timeline::{Happening, timeline};
pub use verdict::{Search, Verdict, Waits, find, verdict};
pub use view::{Held, Leader, Objects, Rolling, Seen, Summary, View, view};
pub use workload::Workload;
