//! The labels, annotations and field managers that tidegate writes or reads.

/// Field manager of everything that comes from Git, levers included.
pub const MANAGER: &str = "tidegate";
/// Field manager that keeps the live value of a field which Git stops naming.
pub const REPLICAS_MANAGER: &str = "tidegate-replicas";
/// Field manager of what a release puts back. It does not begin as ours do, so that after the
/// release is undone these fields count as people's and are taken over where Git differs.
pub const RELEASE_MANAGER: &str = "released-by-tidegate";
/// Field manager of requests that people make through the command line.
pub const CLI_MANAGER: &str = "tidegate-cli";
/// What names of ledgers begin with; the name of the `GitSync` follows.
pub const LEDGER_PREFIX: &str = "tidegate-";
/// What names of an installation's Lease and index begin with.
const INSTALLATION_PREFIX: &str = "tidegate.";

/// Returns the name of an installation's Lease and index.
#[must_use]
pub fn installation(instance: &str) -> String {
    format!("{INSTALLATION_PREFIX}{instance}")
}

/// Says whether a name is kept for ledgers, Leases and indices.
#[must_use]
pub fn is_record_name(name: &str) -> bool {
    name.starts_with(LEDGER_PREFIX) || name.starts_with(INSTALLATION_PREFIX)
}

/// What all our labels and annotations begin with.
pub const PREFIX: &str = "tidegate.dev/";

/// Label: digest of the namespace and name of the `GitSync` that an object belongs to.
pub const GITSYNC: &str = "tidegate.dev/gitsync";
/// Annotation: `instance/namespace/name:group/Kind/namespace/name`; a copy that another tool made
/// names another object and so is not ours.
pub const OWNER: &str = "tidegate.dev/owner";
/// Annotation: the commit that last changed the object.
pub const COMMIT: &str = "tidegate.dev/commit";
/// Annotation: the file that the object was read from.
pub const SOURCE_PATH: &str = "tidegate.dev/source-path";
/// Annotation: `Disabled` keeps an object from being pruned.
pub const PRUNE: &str = "tidegate.dev/prune";
/// Annotation: the rollout policy of a workload as one YAML document; `tidegate.dev/rollout.FIELD`
/// sets one field.
pub const ROLLOUT: &str = "tidegate.dev/rollout";
/// Annotation that `kubectl rollout history` shows.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";
/// Annotation of a pod template that `kubectl rollout restart` sets.
pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Annotation of a pod template: when a person asked the agent to restart the workload.
pub const RESTARTED: &str = "tidegate.dev/restarted-at";

/// Label of a node that goes first in the rollout of a DaemonSet; any value but `false`.
pub const CANARY: &str = "tidegate.dev/canary";

/// Requests by annotation, on the `GitSync` or, in file mode, on the head of its ledger.
pub mod request {
    /// Asks for a pass now; the value is any text, a new one is a new request.
    pub const SYNC: &str = "tidegate.dev/sync-requested";
    /// Pauses: JSON `{by, at, reason, until}`.
    pub const PAUSE: &str = "tidegate.dev/pause";
    /// Aborts the rollout of the commit named.
    pub const ABORT: &str = "tidegate.dev/abort";
    /// Lets batches open as soon as the pods before them are healthy: JSON `{by, at, promote}` with
    /// a list of `<sha>/<workload>/<batch>`, `full` for all that are left.
    pub const PROMOTE: &str = "tidegate.dev/promote";
    /// Approves `<sha>/prune/<digest>`, `<sha>/rewrite`, `<sha>/rollout` or
    /// `<sha>/<workload>/<batch>`.
    pub const APPROVE: &str = "tidegate.dev/approve";
    /// Lifts the quarantine of the commit named and tries it again.
    pub const RETRY: &str = "tidegate.dev/retry";
    /// Restarts workloads in batches: JSON `{by, at, workloads}`, each `Kind/name`.
    pub const RESTART: &str = "tidegate.dev/restart";
    /// All requests.
    pub const ALL: [&str; 7] = [SYNC, PAUSE, PROMOTE, ABORT, APPROVE, RETRY, RESTART];
}
