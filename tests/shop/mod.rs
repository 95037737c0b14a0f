//! A namespace, a repository behind HTTPS, and the agent as its user runs it: the program itself.
//! The cluster below is a real control plane or a simulated one ([`Ground`]).

mod agent;
pub(crate) mod background;
pub(crate) mod bridge;
mod counts;
mod course;
mod exposure;
pub(crate) mod git_server;
pub(crate) mod ground;
mod ladder;
mod look;
mod repository;
mod stage;
mod stand_in;
mod trace;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use git_server::{GitServer, Identity};
use ground::Account;

pub(crate) use agent::Agent;
pub(crate) use counts::Counts;
pub(crate) use exposure::Exposure;
pub(crate) use ground::{Ground, Simulated};
pub(crate) use ladder::Ladder;
pub(crate) use repository::{ADA, Repository};
pub(crate) use stage::{Stage, play};
pub(crate) use trace::Trace;

/// The longest that anything in a scenario may take.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Looks again and again until something holds; fails with these words where it does not in time.
pub(crate) async fn until(
    within: Duration,
    mut holds: impl FnMut() -> bool,
    in_vain: impl Fn() -> String,
) {
    let end = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < end, "{}", in_vain());
        sleep(Duration::from_millis(100)).await;
    }
}

/// One `GitSync` named `web` with all it needs.
pub(crate) struct Shop {
    stage: Stage,
    pub(crate) namespace: String,
    pub(crate) account: Account,
    pub(crate) repository: Repository,
    pub(crate) server: GitServer,
    folder: TempDir,
}

impl Shop {
    /// Opens a shop; nothing is committed yet.
    pub(crate) async fn open(stage: &Stage, prefix: &str) -> Self {
        let namespace = stage.ground().namespace(prefix).await;
        let folder = tempfile::tempdir().expect("there is room");
        let account = stage.ground().account(&namespace, folder.path()).await;
        let repository = Repository::new(folder.path());
        let server = GitServer::start(&repository.root()).await;
        server.write_credentials(&folder.path().join("secrets/deploy-key"));
        let shop = Self {
            stage: stage.clone(),
            namespace,
            account,
            repository,
            server,
            folder,
        };
        std::fs::write(shop.roots(), Identity::new().ca).expect("there is room");
        shop.configure(&json!({}));
        shop
    }

    /// Opens a shop with an agent, in which a first manifest of `web` has succeeded.
    pub(crate) async fn installed(stage: &Stage, prefix: &str, manifest: &str) -> (Self, Agent) {
        let shop = Self::open(stage, prefix).await;
        let first = shop
            .repository
            .push("web 1", &[("web.yaml", Some(manifest))]);
        let agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        (shop, agent)
    }

    /// Pushes files and has the agent look, if it has looked before; returns the commit.
    pub(crate) fn push(&self, subject: &str, files: &[(&str, Option<&str>)]) -> String {
        let commit = self.repository.push(subject, files);
        if !self.ledger().is_null() {
            self.sync();
        }
        commit
    }

    /// Reverts a commit as `git revert` does, pushes that and has the agent look; returns the
    /// commit that it made.
    pub(crate) fn revert(&self, commit: &str) -> String {
        let revert = self.repository.revert(commit);
        self.sync();
        revert
    }

    /// Pushes a manifest of `web` and has the agent look; returns the commit.
    pub(crate) fn push_web(&self, subject: &str, manifest: &str) -> String {
        self.push(subject, &[("web.yaml", Some(manifest))])
    }

    /// The document of a `GitSync` that follows a path; `more` is merged into `spec`.
    pub(crate) fn gitsync(&self, name: &str, path: &str, more: &Value) -> Value {
        let mut document = json!({
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "GitSync",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "source": {
                    "url": self.server.url("deploy.git"),
                    "ref": {"branch": "main"},
                    "path": path,
                    "secretRef": {"name": "deploy-key"},
                    "interval": "5s",
                },
            },
        });
        merge(&mut document["spec"], more);
        document
    }

    /// Writes the configuration of `web` alone; `more` is merged into `spec`.
    pub(crate) fn configure(&self, more: &Value) {
        let document = self.gitsync("web", "apps/web", more);
        self.write_config(&document.to_string());
    }

    /// Writes the configuration as it is given.
    pub(crate) fn write_config(&self, text: &str) {
        std::fs::write(self.config(), text).expect("there is room");
    }

    /// Where the shop's files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn roots(&self) -> PathBuf {
        self.folder.path().join("roots.pem")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("gitsync.yaml")
    }

    /// The program with the agent's kubeconfig and nothing else of this process's surroundings.
    /// Its roots of trust are one authority that has signed nothing: the servers are known by the
    /// CA that is given for each, and reading the machine's roots anew for every fetch took a third
    /// of all processor time.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .env("KUBECONFIG", &self.account.kubeconfig)
            .env("SSL_CERT_FILE", self.roots())
            .env("SSL_CERT_DIR", self.folder.path().join("no-roots"))
            .env_remove("RUST_LOG");
        command
    }

    /// The agent's command line, with a mirror cache of its own name.
    pub(crate) fn run_command(&self, cache: &str) -> Command {
        let mut command = self.program();
        command
            .arg("run")
            .arg("--config")
            .arg(self.config())
            .arg("--secrets")
            .arg(self.folder.path().join("secrets"))
            .arg("--cache")
            .arg(self.folder.path().join(cache))
            .arg("--namespace")
            .arg(&self.namespace);
        command
    }

    /// Starts the agent.
    pub(crate) fn start(&self) -> Agent {
        self.start_as(self.run_command("cache"))
    }

    /// Starts the agent by a command line of its own.
    pub(crate) fn start_as(&self, command: Command) -> Agent {
        Agent::start(command, self.folder.path())
    }

    /// Runs a verb of the command line to its end.
    pub(crate) fn tidegate(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .expect("the program can be started")
    }

    /// The same as somebody whose own Git configuration leads to the bare repository.
    pub(crate) fn tidegate_with_git(&self, arguments: &[&str]) -> Output {
        let bare = self.repository.bare();
        self.command(arguments)
            .env("GIT_CONFIG_COUNT", "1")
            .env(
                "GIT_CONFIG_KEY_0",
                format!("url.{}.insteadOf", bare.display()),
            )
            .env("GIT_CONFIG_VALUE_0", self.server.url("deploy.git"))
            .output()
            .expect("the program can be started")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut program = self.program();
        program.args(arguments).arg("-n").arg(&self.namespace);
        program
    }

    /// Runs a verb of the command line that does what it says, and returns what it prints.
    pub(crate) fn verb(&self, arguments: &[&str]) -> String {
        let output = self.tidegate(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "tidegate {arguments:?}: {} {errors}",
            output.status
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The exit code of `tidegate wait` for a commit.
    pub(crate) fn wait(&self, commit: &str) -> Option<i32> {
        let arguments = ["wait", "--commit", commit, "--timeout", "60s"];
        self.tidegate(&arguments).status.code()
    }

    /// Asks for a look at Git now; returns what the ledger repeats once that was served.
    pub(crate) fn sync(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let token = format!("request {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.ask("sync-requested", &token);
        token
    }

    /// Waits until the agent has fetched and looked at everything once more.
    pub(crate) async fn until_served(&self) {
        let token = self.sync();
        self.until("a pass on request", || {
            self.ledger()["served"]["tidegate.dev/sync-requested"] == *token
        })
        .await;
    }

    /// Pushes what a fresh shop begins with and waits until it runs.
    pub(crate) async fn begin(&self, files: &[(&str, Option<&str>)]) {
        let first = self.repository.push("works", files);
        self.until("a ledger", || !self.ledger().is_null()).await;
        self.sync();
        self.until_outcome(&first, "Succeeded").await;
    }

    /// Has a finalizer of somebody else, `shop.example/keep`, keep an object from being gone, or
    /// takes it off.
    pub(crate) fn keep(&self, what: &str, is_kept: bool) {
        let finalizers = is_kept.then_some(["shop.example/keep"]);
        let patch = json!({"metadata": {"finalizers": finalizers}}).to_string();
        self.kubectl(&["patch", what, "--type=merge", "-p", &patch]);
    }

    /// Waits until a commit has an outcome.
    pub(crate) async fn until_outcome(&self, commit: &str, outcome: &str) {
        self.until(&format!("{commit} to be {outcome}"), || {
            self.outcome(commit) == outcome
        })
        .await;
    }

    /// The message of a commit's record.
    pub(crate) fn message(&self, commit: &str) -> String {
        let record = self.record(commit);
        record["message"].as_str().unwrap_or_default().to_owned()
    }

    /// What keeps the agent from following the tip: reason and message; empty where nothing does.
    pub(crate) fn problem(&self) -> (String, String) {
        let problem = self.ledger()["problems"][0].clone();
        let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
        (text("reason"), text("message"))
    }

    /// Waits until a problem of this kind is told, and returns its message.
    pub(crate) async fn until_problem(&self, reason: &str) -> String {
        let mut told = None;
        self.until(&format!("the problem {reason}"), || {
            let ledger = self.ledger();
            let mut problems = ledger["problems"].as_array().into_iter().flatten();
            let found = problems.find(|problem| problem["reason"] == reason);
            told = found.map(|problem| problem["message"].as_str().unwrap_or_default().to_owned());
            told.is_some()
        })
        .await;
        told.unwrap_or_default()
    }

    /// Waits until an Event about an object says something.
    pub(crate) async fn until_note(&self, name: &str, reason: &str, words: &str) {
        self.until(&format!("{reason} about {name} with `{words}`"), || {
            let notes = self.notes(name, reason);
            notes.iter().any(|note| note.contains(words))
        })
        .await;
    }

    /// Waits until something holds; tells the ledger where it does not in time.
    pub(crate) async fn until(&self, what: &str, holds: impl FnMut() -> bool) {
        self.until_within(SOON, what, holds).await;
    }

    /// The same with a time of its own.
    pub(crate) async fn until_within(
        &self,
        within: Duration,
        what: &str,
        holds: impl FnMut() -> bool,
    ) {
        let in_vain = || {
            let ledger = serde_json::to_string_pretty(&self.ledger()).unwrap_or_default();
            format!("waited in vain for {what}; ledger: {ledger}")
        };
        until(within, holds, in_vain).await;
    }
}

/// Merges one JSON map into another, level by level.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// A ConfigMap with one key `value`.
pub(crate) fn config_map(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: \"{value}\"\n"
    )
}

/// The ConfigMap `settings` that pods need, as they need it or not.
pub(crate) fn settings(fixed: bool) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{fixed: \"{fixed}\"}}\n"
    )
}

/// The outcome of a commit that fails under this policy.
pub(crate) fn outcome_of(on_failure: &str) -> &'static str {
    if on_failure == "Pause" {
        "Failed"
    } else {
        "RolledBack"
    }
}

/// A StatefulSet of `shop/NAME:TAG` with five pods and this policy as its annotation; `more` are
/// further lines of its specification.
pub(crate) fn stateful_set(name: &str, tag: &str, policy: &str, more: &str) -> String {
    let spec = format!("spec:\n  serviceName: {name}\n{more}");
    deployment(name, tag, policy)
        .replace("kind: Deployment", "kind: StatefulSet")
        .replace("replicas: 10", "replicas: 5")
        .replacen("spec:\n", &spec, 1)
}

/// A DaemonSet of `shop/NAME:TAG` with this policy as its annotation; `more` are further lines of its
/// specification. There are five nodes.
pub(crate) fn daemon_set(name: &str, tag: &str, policy: &str, more: &str) -> String {
    deployment(name, tag, policy)
        .replace("kind: Deployment", "kind: DaemonSet")
        .replace("  replicas: 10\n", more)
}

/// A Deployment of `shop/NAME:TAG` with ten pods and this policy as its annotation.
pub(crate) fn deployment(name: &str, tag: &str, policy: &str) -> String {
    let annotation = if policy.is_empty() {
        String::new()
    } else {
        format!(
            "  annotations:\n    tidegate.dev/rollout: |\n      {}\n",
            policy.replace('\n', "\n      ")
        )
    };
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
{annotation}spec:
  replicas: 10
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
      - name: {name}
        image: shop/{name}:{tag}
"
    )
}
