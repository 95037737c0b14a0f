//! What goes wrong with Git, in words for people.

use std::{io, path::PathBuf};

use git2::{ErrorClass, ErrorCode};
use serde::{Deserialize, Serialize};

use crate::revision::CommitId;

/// Classes of [`GitFault`], for conditions and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The URL or the branch name is not one that is ever fetched.
    UrlRefused,
    /// The credential directory lacks something or cannot be read.
    CredentialsInvalid,
    /// The server refused the credentials.
    AuthenticationFailed,
    /// The SSH host key is not in `known_hosts`, or is revoked there.
    HostKey,
    /// The server's TLS certificate is not trusted, or ours was refused.
    Certificate,
    /// The server answered with a redirect, which is never followed.
    Redirected,
    /// The server says that there is no such repository, or hides it from these credentials.
    RepositoryMissing,
    /// The repository has no such branch.
    RefMissing,
    /// The repository has no branch at all.
    Empty,
    /// The server could not be reached or broke off.
    FetchFailed,
    /// The fetch took longer than its deadline.
    TimedOut,
    /// A limit on bytes, objects, memory, files or depth was reached.
    Limits,
    /// The pack that came, or the mirror, is damaged.
    Corrupt,
    /// The mirror does not hold that commit.
    CommitMissing,
    /// The commit has nothing at that path.
    PathMissing,
    /// A commit cannot be taken back by a commit.
    RevertRefused,
    /// The mirror's directory cannot be used.
    Disk,
}

impl Reason {
    /// Returns what a person can do about it.
    fn advice(self) -> &'static str {
        match self {
            Self::UrlRefused => "correct the URL",
            Self::CredentialsInvalid => "correct the Secret that holds the credentials",
            Self::AuthenticationFailed => "check that the credentials are valid and may read it",
            Self::HostKey => {
                "compare the fingerprint with the one the host's owner publishes, then correct \
                 `known_hosts`"
            }
            Self::Certificate => "check `ca.crt` (and `tls.crt`, `tls.key`) in the credentials",
            Self::Redirected => "set the URL to the place where the repository lives now",
            Self::RepositoryMissing => "check the URL, and that the credentials may read it",
            Self::RefMissing => "check `branch`; nothing is deleted meanwhile",
            Self::Empty => "push a commit; nothing is deleted meanwhile",
            Self::FetchFailed => "what runs is kept; it is tried again",
            Self::TimedOut => "what runs is kept; raise `timeout` if the repository is large",
            Self::Limits => {
                "the limits are fixed: make what is followed smaller, such as by a repository for \
                 the manifests alone"
            }
            Self::Corrupt => "the mirror is made anew at the next fetch",
            Self::CommitMissing => "it may have been removed from the branch",
            Self::PathMissing => "check `path`; nothing is deleted meanwhile",
            Self::RevertRefused => "make the commit that takes it back by hand",
            Self::Disk => "check the space and the rights of the cache directory",
        }
    }
}

/// A failure of Git. No text of it holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum GitFault {
    /// The URL or branch is refused before anything is contacted.
    #[error("{0}")]
    Refused(String),
    /// The credential directory is unusable.
    #[error("git credentials in `{}`: {why}", directory.display())]
    Credentials {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A fetch failed.
    #[error("fetch of branch `{branch}` from `{url}` failed: {detail}; {}", reason.advice())]
    Fetch {
        /// The URL, which holds no secret.
        url: String,
        /// The branch.
        branch: String,
        /// The class.
        reason: Reason,
        /// What libgit2, libcurl or the child's end say.
        detail: String,
    },
    /// The mirror does not hold a commit.
    #[error("commit {0} is not in the mirror; {advice}", advice = Reason::CommitMissing.advice())]
    CommitMissing(CommitId),
    /// The commit has nothing at the path.
    #[error("commit {} has no directory or file `{path}`; {}", id.short(), Reason::PathMissing.advice())]
    PathMissing {
        /// The commit.
        id: CommitId,
        /// The path.
        path: String,
    },
    /// The files of a commit exceed a limit.
    #[error("files of commit {} are refused: {what}; {}", id.short(), Reason::Limits.advice())]
    Limit {
        /// The commit.
        id: CommitId,
        /// The limit and what exceeds it.
        what: String,
    },
    /// The mirror cannot be read.
    #[error("local mirror cannot be read: {0}; {advice}", advice = Reason::Corrupt.advice())]
    Corrupt(String),
    /// The mirror cannot be read now, which says nothing about what it holds.
    #[error("local mirror cannot be read: {0}; {advice}", advice = Reason::Disk.advice())]
    Unreadable(String),
    /// A directory of a person cannot be taken as a commit.
    #[error("files of `{}` cannot be taken as a commit: {why}", directory.display())]
    Snapshot {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A work tree of a person cannot be used.
    #[error("work tree `{}`: {why}", directory.display())]
    Worktree {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A commit cannot be taken back.
    #[error("commit {} cannot be reverted: {why}; {}", id.short(), Reason::RevertRefused.advice())]
    Revert {
        /// The commit.
        id: CommitId,
        /// Why not.
        why: String,
    },
    /// The mirror's directory cannot be used.
    #[error("git cache `{}`: {source}; {}", directory.display(), Reason::Disk.advice())]
    Disk {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl GitFault {
    /// Says whether the commit itself is at fault, so that reading it again would change nothing.
    #[must_use]
    pub fn is_of_commit(&self) -> bool {
        match self {
            Self::PathMissing { .. } | Self::Limit { .. } => true,
            Self::Refused(_)
            | Self::Credentials { .. }
            | Self::Fetch { .. }
            | Self::CommitMissing(_)
            | Self::Corrupt(_)
            | Self::Unreadable(_)
            | Self::Snapshot { .. }
            | Self::Worktree { .. }
            | Self::Revert { .. }
            | Self::Disk { .. } => false,
        }
    }

    /// Returns its class.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Refused(_) => Reason::UrlRefused,
            Self::Credentials { .. } => Reason::CredentialsInvalid,
            Self::Fetch { reason, .. } => *reason,
            Self::CommitMissing(_) => Reason::CommitMissing,
            Self::PathMissing { .. } => Reason::PathMissing,
            Self::Limit { .. } => Reason::Limits,
            Self::Corrupt(_) => Reason::Corrupt,
            Self::Revert { .. } => Reason::RevertRefused,
            Self::Unreadable(_)
            | Self::Snapshot { .. }
            | Self::Worktree { .. }
            | Self::Disk { .. } => Reason::Disk,
        }
    }
}

/// A failure to read what should be there.
impl From<git2::Error> for GitFault {
    fn from(error: git2::Error) -> Self {
        let text = error.message().to_owned();
        if is_damage(&error) {
            Self::Corrupt(text)
        } else {
            Self::Unreadable(text)
        }
    }
}

/// Says whether an error of libgit2 means that the repository itself is damaged, so that it has to
/// be fetched anew: its objects, its references (a crash can leave empty ones), its own files, also
/// where one is missing.
/// Anything else (no more files can be opened, no memory) says nothing about it.
pub(super) fn is_damage(error: &git2::Error) -> bool {
    matches!(
        (error.code(), error.class()),
        (
            _,
            ErrorClass::Odb
                | ErrorClass::Zlib
                | ErrorClass::Sha1
                | ErrorClass::Indexer
                | ErrorClass::Tree
                | ErrorClass::Object
                | ErrorClass::Config
                | ErrorClass::Repository
        ) | (ErrorCode::GenericError, ErrorClass::Reference)
            | (ErrorCode::NotFound, ErrorClass::Os)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_repository_is_made_of_can_be_damaged() {
        use {ErrorClass as Class, ErrorCode as Code};
        let reason = |code, class| GitFault::from(git2::Error::new(code, class, "x")).reason();
        for (code, class) in [
            (Code::GenericError, Class::Odb),
            (Code::NotFound, Class::Odb),
            (Code::GenericError, Class::Zlib),
            (Code::GenericError, Class::Indexer),
            (Code::GenericError, Class::Reference),
            (Code::NotFound, Class::Repository),
            (Code::NotFound, Class::Os),
        ] {
            assert_eq!(reason(code, class), Reason::Corrupt, "{code:?} {class:?}");
        }
        for (code, class) in [
            (Code::GenericError, Class::Os),
            (Code::GenericError, Class::Filesystem),
            (Code::GenericError, Class::NoMemory),
            (Code::InvalidSpec, Class::Reference),
            (Code::GenericError, Class::Invalid),
        ] {
            assert_eq!(reason(code, class), Reason::Disk, "{code:?} {class:?}");
        }
    }
}
