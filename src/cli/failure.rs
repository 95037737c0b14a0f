//! The one place where errors become words, with a hint what to do.

use std::{io, path::PathBuf};

use crate::cluster::{Cause, ClusterFault, Refusal};
use crate::git::GitFault;
use crate::ledger::LedgerFault;
use crate::revision::CommitId;
use crate::sync::{ReleaseFault, RunFault};

use super::show::narrate;

/// Why a command did not do what it was asked; always exit code 2.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Cluster(#[from] ClusterFault),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the ledger of {app} cannot be used: {fault}")]
    Ledger { app: String, fault: LedgerFault },
    #[error("there is no GitSync {0}: no ConfigMap of that ledger exists")]
    NoSuchApp(String),
    #[error("no GitSync was found in {0}")]
    NoApps(String),
    #[error("which one? {place} has {}", .apps.join(", "))]
    WhichApp { place: String, apps: Vec<String> },
    #[error("`{0}` is no name of the form [NAMESPACE/]NAME")]
    BadTarget(String),
    #[error("`{0}` is no commit id or its beginning (4 to 40 hexadecimal digits)")]
    BadCommit(String),
    #[error("`{beginning}` may be any of {}", short(.commits))]
    Ambiguous {
        beginning: String,
        commits: Vec<CommitId>,
    },
    #[error("the ledger of {app} knows no commit `{commit}`")]
    NoSuchCommit { app: String, commit: String },
    #[error("{0}")]
    NothingToDo(String),
    #[error("no revision of {app} has succeeded yet, so there is none to go back to from {commit}")]
    NoWayBack { app: String, commit: String },
    #[error("several things wait for an approval; name one:\n{}", .0.join("\n"))]
    WhichApproval(Vec<String>),
    #[error("nothing that waits for an approval of {app} matches `{asked}`")]
    NoSuchApproval { app: String, asked: String },
    #[error("the request was served, and Git could not be reached: {0}")]
    GitUnreachable(String),
    #[error("{0} is none of the workloads")]
    NoSuchWorkload(String),
    #[error("nobody reads the output any more")]
    ReaderGone,
    #[error("what is followed is written as lines for people or of JSON")]
    NoStream,
    #[error(transparent)]
    Run(#[from] RunFault),
    #[error("the spec that the ledger of {0} keeps cannot be read: {1}")]
    Spec(String, #[source] serde_json::Error),
    #[error("a temporary directory cannot be made: {0}")]
    Folder(#[source] io::Error),
    #[error("the configuration `{}` cannot be read: {cause}", file.display())]
    Config { file: PathBuf, cause: io::Error },
    #[error("`{}` cannot be read: {cause}", file.display())]
    Unread { file: PathBuf, cause: io::Error },
    #[error("`{}` cannot be written: {cause}", file.display())]
    Unwritten { file: PathBuf, cause: io::Error },
    #[error("libgit2 cannot be used: {0}")]
    Git(String),
    #[error(transparent)]
    Release(#[from] ReleaseFault),
    #[error("the directory for mirrors cannot be made out: {0}")]
    Cache(&'static str),
    #[error("this program cannot be found, and it has to start itself: {0}")]
    Program(#[source] io::Error),
    #[error("the runtime could not be started: {0}")]
    Runtime(#[source] io::Error),
    #[error("the fetch could not be told about: {0}")]
    Child(#[source] io::Error),
    #[error("no thread can be started to read the files: {0}")]
    Thread(#[source] io::Error),
    #[error(transparent)]
    Worktree(#[from] GitFault),
    #[error("the simulated API server cannot listen: {0}")]
    Serving(#[source] io::Error),
    #[error("`{}` has something in it already", .0.display())]
    Occupied(PathBuf),
    #[error("`{}` is no absolute path", .0.display())]
    Relative(PathBuf),
    #[error("the agent of the demo has ended: {0}")]
    AgentEnded(String),
    #[error("the output could not be written: {0}")]
    Output(String),
}

impl Failure {
    /// Writes it and the hint to standard error.
    pub(super) fn tell(&self) {
        narrate(&format!("error: {self}"));
        if let Some(hint) = self.hint() {
            narrate(&format!("hint: {hint}"));
        }
    }

    fn hint(&self) -> Option<&'static str> {
        let hint = match self {
            Self::Cluster(_) | Self::Run(RunFault::Cluster(_)) => {
                "name a kubeconfig with --kubeconfig or KUBECONFIG, and a context with --context"
            }
            Self::Refused(refusal)
            | Self::Release(ReleaseFault::Refused(refusal))
            | Self::Run(RunFault::Refused(refusal)) => {
                return refusal_hint(&refusal.cause);
            }
            Self::Ledger { .. } | Self::Release(ReleaseFault::Ledger(_)) => {
                "the cluster is left as it is; look at the ConfigMaps of the ledger before you change one"
            }
            Self::NoSuchApp(_) | Self::NoApps(_) | Self::Release(ReleaseFault::NoLedger { .. }) => {
                "tidegate status -A lists all; the agent makes the ledger when it first serves a GitSync"
            }
            Self::Run(RunFault::Unknown(_)) => {
                "plan and diff need get, list and watch of the kinds in the repository"
            }
            Self::WhichApp { .. } => "name it: [NAMESPACE/]NAME",
            Self::Ambiguous { .. } => "give more digits",
            Self::NoWayBack { .. } => {
                "push a commit that mends it, or tidegate pause to keep it as it is"
            }
            Self::NoSuchCommit { .. } => "tidegate history lists the commits that are recorded",
            Self::NoSuchWorkload(_) => "tidegate inspect without a workload lists all",
            Self::NoSuchApproval { .. } => "tidegate status lists what waits",
            Self::Cache(_) => "name it with --cache",
            Self::Occupied(_) => "name a directory that is empty or not there yet",
            Self::Folder(_) => {
                "set TMPDIR to a directory that can be written to; the demo takes --dir as well"
            }
            Self::NoStream => "use -o jsonl",
            Self::BadTarget(_)
            | Self::BadCommit(_)
            | Self::NothingToDo(_)
            | Self::ReaderGone
            | Self::WhichApproval(_)
            | Self::GitUnreachable(_)
            | Self::Release(ReleaseFault::Workloads(_))
            | Self::Run(
                RunFault::Config(_) | RunFault::File(_) | RunFault::Book(_) | RunFault::Git(_),
            )
            | Self::Run(RunFault::Release(_) | RunFault::NotLeading { .. })
            | Self::Spec(..)
            | Self::Config { .. }
            | Self::Unread { .. }
            | Self::Unwritten { .. }
            | Self::Git(_)
            | Self::Program(_)
            | Self::Child(_)
            | Self::Runtime(_)
            | Self::Thread(_)
            | Self::Worktree(_)
            | Self::Serving(_)
            | Self::Relative(_)
            | Self::AgentEnded(_)
            | Self::Output(_) => return None,
        };
        Some(hint)
    }
}

fn refusal_hint(cause: &Cause) -> Option<&'static str> {
    match cause {
        Cause::Unreachable { .. } => {
            Some("is the API server up? --context and --kubeconfig choose another one")
        }
        Cause::Unauthenticated => Some("the credentials of the kubeconfig may have run out"),
        Cause::Forbidden { .. } => Some(
            "reading needs get and list of ConfigMaps, requests need patch, release needs patch of Deployments",
        ),
        Cause::OutcomeUnknown { .. } => Some("look with tidegate status before you repeat it"),
        Cause::Invalid { .. }
        | Cause::Conflict
        | Cause::AlreadyExists
        | Cause::NotFound
        | Cause::NamespaceMissing
        | Cause::NamespaceEnding
        | Cause::KindUnknown { .. }
        | Cause::Denied { .. }
        | Cause::Expired
        | Cause::TooMany { .. }
        | Cause::NotLeader
        | Cause::Fault { .. } => None,
    }
}

fn short(commits: &[CommitId]) -> String {
    let short: Vec<&str> = commits
        .iter()
        .map(|commit| &commit.as_str()[..12])
        .collect();
    short.join(", ")
}
