//! What the agents asked of the API server, from the server's own audit log.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::accounts::AGENTS_GROUP;

/// The audit log of one control plane; it holds the calls of agents' accounts only.
pub(crate) struct Audit {
    log: PathBuf,
}

/// A place in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(usize);

/// One call, as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// `get`, `list`, `watch`, `create`, `patch`, `update`, `delete`, `deletecollection`.
    pub(crate) verb: String,
    /// The plural of the kind, `deployments`; empty where no resource was asked for (discovery).
    pub(crate) resource: String,
    /// `status`, `scale`, …; empty for the object itself.
    pub(crate) subresource: String,
    /// Empty for what is in no namespace and for lists over all of them.
    pub(crate) namespace: String,
    /// Empty for lists, watches and creations.
    pub(crate) name: String,
    /// Whether the server was told to store nothing.
    pub(crate) dry_run: bool,
    /// The status code of the answer.
    pub(crate) code: u16,
}

impl Audit {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            log: folder.join("audit.log"),
        }
    }

    /// Writes the policy and returns the flags of the API server. A watch is told when it starts,
    /// any other call when it is answered.
    pub(super) fn flags(&self) -> Vec<String> {
        let policy_file = self.log.with_file_name("audit-policy.json");
        let policy = json!({
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "rules": [
                {
                    "level": "Metadata",
                    "userGroups": [AGENTS_GROUP],
                    "verbs": ["watch"],
                    "omitStages": ["RequestReceived", "ResponseComplete"],
                },
                {
                    "level": "Metadata",
                    "userGroups": [AGENTS_GROUP],
                    "omitStages": ["RequestReceived", "ResponseStarted"],
                },
                {"level": "None"},
            ],
        });
        fs::write(&policy_file, policy.to_string()).expect("the folder can be written");
        vec![
            format!("--audit-policy-file={}", policy_file.display()),
            format!("--audit-log-path={}", self.log.display()),
            "--audit-log-maxsize=10000".to_owned(),
        ]
    }

    /// Returns the end of the log.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.text().len())
    }

    /// Returns the calls of one account since the mark, oldest first. A line is written just after
    /// its answer was sent, so the very last call may be missing for some milliseconds.
    pub(crate) fn calls(&self, user: &str, since: Mark) -> Vec<Call> {
        self.text()
            .get(since.0..)
            .unwrap_or_default()
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str::<Line>(line).expect("the server writes JSON"))
            .filter(|line| line.user.username == user)
            .map(Call::from)
            .collect()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    verb: String,
    #[serde(rename = "requestURI")]
    uri: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Answer,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    code: u16,
}

impl From<Line> for Call {
    fn from(line: Line) -> Self {
        let asked = Url::parse("https://server")
            .and_then(|server| server.join(&line.uri))
            .expect("the server answered it");
        Self {
            verb: line.verb,
            resource: line.object_ref.resource,
            subresource: line.object_ref.subresource,
            namespace: line.object_ref.namespace,
            name: line.object_ref.name,
            dry_run: asked.query_pairs().any(|(key, _)| key == "dryRun"),
            code: line.response_status.code,
        }
    }
}
