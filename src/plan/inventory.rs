//! The objects that this `GitSync` wrote, as the ledger records them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::object::{Digest, ObjectId};
use crate::policy::{Provenance, Resolved};
use crate::revision::CommitId;

use super::Wanted;

/// All objects of a `GitSync`.
pub type Inventory = BTreeMap<ObjectId, Entry>;

/// One object, from the intention to write it to the proof that it is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// API version last written.
    pub api_version: String,
    /// UID; `None` while it is only intended.
    pub uid: Option<String>,
    /// How far it is.
    pub state: State,
    /// Hash of the manifest last written; `None` while none was.
    pub hash: Option<Digest>,
    /// Digest of our own `managedFields` entry after that write.
    pub managed: Option<Digest>,
    /// The commit whose manifest was last written: what is desired while the object is held.
    pub written: CommitId,
    /// The value of the annotation `tidegate.dev/commit`: the commit that last changed the object.
    pub commit: CommitId,
    /// The file it came from.
    pub path: String,
    /// The value of `kubernetes.io/change-cause`, changed only with the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_cause: Option<String>,
    /// Whether it was there before us and no commit has changed it since: not to be pruned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_adopted: bool,
    /// Whether Git's last manifest said `tidegate.dev/prune: Disabled`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_kept: bool,
    /// Digest of the template last written; workloads only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Digest>,
    /// Templates that succeeded, newest first; workloads only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goods: Vec<Good>,
    /// Digest of the template last written where failed pods of it were passed over, until all of its
    /// pods serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_over: Option<Digest>,
    /// The policy in force, with the origin of each value that is not built in; workloads only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Resolved>,
}

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It may exist: recorded before the first write.
    Intended,
    /// It was written.
    Applied,
    /// Its deletion was asked for.
    Deleting,
}

/// A template that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// Its digest.
    pub template: Digest,
    /// The commit that brought it.
    pub commit: CommitId,
}

impl Entry {
    /// Notes the policy in force; what is built in is left out, since it says nothing.
    pub fn note_policy(&mut self, wanted: &Wanted) {
        self.policy = wanted.policy.clone().map(|mut told| {
            told.origins
                .retain(|_, origin| *origin != Provenance::Default);
            told
        });
    }

    /// Records an object that is about to be written for the first time.
    #[must_use]
    pub fn intended(api_version: &str, commit: &CommitId, path: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            uid: None,
            state: State::Intended,
            hash: None,
            managed: None,
            written: commit.clone(),
            commit: commit.clone(),
            path: path.to_owned(),
            change_cause: None,
            is_adopted: false,
            is_kept: false,
            template: None,
            goods: Vec::new(),
            passed_over: None,
            policy: None,
        }
    }

    /// Records that a template succeeded; at most `limit` are kept.
    pub fn succeeded(&mut self, template: &Digest, commit: &CommitId, limit: usize) {
        self.goods.retain(|good| good.template != *template);
        self.goods.insert(
            0,
            Good {
                template: template.clone(),
                commit: commit.clone(),
            },
        );
        self.goods.truncate(limit.max(1));
    }

    /// Says whether a template succeeded here.
    #[must_use]
    pub fn has_succeeded(&self, template: &Digest) -> bool {
        self.goods.iter().any(|good| good.template == *template)
    }
}
