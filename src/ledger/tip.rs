//! The newest commit of the branch.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::object::ObjectId;
use crate::revision::Revision;

use super::Wait;

/// The newest commit of the branch that was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tip {
    /// The commit.
    pub revision: Revision,
    /// Object ids of the followed trees.
    pub tree: String,
    /// When it was seen.
    pub seen_at: Timestamp,
    /// Whether it was judged: planned, rejected or held. A pause or a refused rewrite leaves it
    /// unjudged.
    pub is_judged: bool,
    /// Set where it may not be followed and that says more than its outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedTip>,
    /// Workloads that need an approval or an open window before anything of it begins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waits: BTreeMap<ObjectId, Wait>,
}

/// A tip that may not be followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedTip {
    /// Whether the cluster refuses it as it stands, not its files: it is judged again from time to
    /// time.
    pub by_cluster: bool,
    /// Whether it takes back what runs or is being rolled out: nothing more of that begins
    /// meanwhile.
    pub takes_back: bool,
}
