//! What the agent is told when it is started.

use std::path::PathBuf;

/// The options of `tidegate run`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file with the `GitSync` documents.
    pub config: PathBuf,
    /// Ends once everything is done or waits for someone.
    pub once: bool,
    /// Lets sources be `file:` URLs.
    pub allow_file_urls: bool,
    /// The directory that holds one directory for each secret; `None`: sources are anonymous.
    pub secrets: Option<PathBuf>,
    /// The name of the installation.
    pub instance: String,
    /// The directory of the mirrors; can be lost at any time.
    pub cache: PathBuf,
    /// The agent's own namespace, for its Lease and index. `None`: that of the kubeconfig's
    /// context, or of its pod.
    pub namespace: Option<String>,
    /// This program, which runs itself for network work.
    pub program: PathBuf,
    /// The kubeconfig; `None`: as kubectl finds it, else the pod's service account.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; `None`: its current one.
    pub context: Option<String>,
}
