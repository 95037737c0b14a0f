//! A commit, and a commit seen as a release.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The full hexadecimal id of a commit (40 digits, lower case).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CommitId(String);

/// Says why a text is no commit id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no commit id of 40 hexadecimal digits")]
pub struct CommitIdFault(String);

impl CommitId {
    /// Returns the first seven digits.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..7]
    }

    /// Returns all digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

impl TryFrom<String> for CommitId {
    type Error = CommitIdFault;

    fn try_from(text: String) -> Result<Self, CommitIdFault> {
        text.parse()
    }
}

impl FromStr for CommitId {
    type Err = CommitIdFault;

    fn from_str(text: &str) -> Result<Self, CommitIdFault> {
        let lower = text.to_ascii_lowercase();
        if lower.len() == 40 && lower.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(lower))
        } else {
            Err(CommitIdFault(text.to_owned()))
        }
    }
}

/// A commit seen as a release: what people read of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit.
    pub id: CommitId,
    /// First line of its message, without characters that terminals act on or that turn the
    /// direction of writing; at most 200 characters.
    pub subject: String,
    /// Name of its author.
    pub author: String,
    /// When it was committed.
    pub time: Timestamp,
}

impl Revision {
    /// Returns `<short id> <subject>`, the text of `kubernetes.io/change-cause`.
    #[must_use]
    pub fn change_cause(&self) -> String {
        format!("{} {}", self.id.short(), self.subject)
    }
}
