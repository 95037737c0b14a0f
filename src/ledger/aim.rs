//! What the cluster is to be, and what it goes back to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::object::ObjectId;
use crate::revision::{CommitId, Revision};

use super::Outcome;

/// Objects that are as another commit had them; `None`: that are away.
pub type Held = BTreeMap<ObjectId, Option<CommitId>>;

/// What the cluster is to be: the objects of one commit, save those that are held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Aim {
    /// The commit.
    pub revision: Revision,
    /// Object ids of the followed trees, as the branch has them.
    pub tree: String,
    /// Whether it goes forward or back.
    pub course: Course,
    /// What quarantine keeps as it was.
    pub held: Held,
    /// Since when.
    pub started: Timestamp,
    /// The first stage that is not done.
    pub stage: Option<OpenStage>,
    /// Whether everything is as it says, pruned too.
    pub is_done: bool,
    /// What it brings back.
    #[serde(default)]
    pub returns: Returns,
    /// What it comes to, once all but its deletes is done: a failure of a newer commit leads back to
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<Good>,
}

impl Aim {
    /// Returns the aim that goes back from this one to an earlier revision.
    #[must_use]
    pub fn back_to(&self, good: Good, outcome: Outcome, now: Timestamp) -> Self {
        Self {
            // That of the branch: a tip with the same brings nothing new.
            tree: self.tree.clone(),
            revision: good.revision,
            course: Course::Back {
                from: self.revision.id.clone(),
                outcome,
            },
            held: good.held,
            started: now,
            stage: None,
            is_done: false,
            returns: Returns::default(),
            good: None,
        }
    }
}

/// A stage whose objects are not all as they are to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenStage {
    /// Its name.
    pub name: String,
    /// Since when: `healthTimeout` runs from here.
    pub since: Timestamp,
    /// The first objects that it waits for, each with what is the matter.
    pub waits_for: Vec<String>,
}

/// Which way an aim goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Course {
    /// To a commit of the branch.
    Forward,
    /// Away from a commit that failed or was aborted.
    Back {
        /// That commit.
        from: CommitId,
        /// Its outcome when the cluster is back.
        outcome: Outcome,
    },
}

/// What an aim brings back to where it has been before, with configuration that has been here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Returns {
    /// The workloads that it takes back: at once, without batches.
    pub workloads: BTreeSet<ObjectId>,
    /// Whether no workload goes anywhere else: then it is never failed nor gone back on.
    pub is_whole: bool,
}

/// The newest commit of which all succeeded that quarantine did not hold; or a revert to what
/// succeeded before, that a newer commit came upon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Good {
    /// The commit.
    #[serde(flatten)]
    pub revision: Revision,
    /// What quarantine held of it, as the good commit before had it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: Held,
}

impl Good {
    /// Says whether an aim is just this.
    #[must_use]
    pub fn is(&self, aim: &Aim) -> bool {
        self.revision.id == aim.revision.id && self.held.keys().eq(aim.held.keys())
    }

    /// Returns the commits that it is made of.
    pub fn commits(&self) -> impl Iterator<Item = &CommitId> {
        let held = self.held.values().flatten();
        std::iter::once(&self.revision.id).chain(held)
    }
}

impl From<Revision> for Good {
    /// A commit of which nothing was held.
    fn from(revision: Revision) -> Self {
        Self {
            revision,
            held: Held::new(),
        }
    }
}
