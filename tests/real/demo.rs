//! The demo's cluster as people use it: by the kubectl of their machine.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::cluster::programs::Programs;

/// What is tried by hand, beside what the agent looks after.
const MANIFEST: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: mine}
spec:
  replicas: 2
  selector: {matchLabels: {app: mine}}
  template:
    metadata: {labels: {app: mine}}
    spec: {containers: [{name: mine, image: 'shop/mine:1'}]}
";

/// A demo that waits for its user; it never outlives its test.
struct Demo {
    child: Child,
    /// What it tells, line by line.
    told: Receiver<String>,
    /// What it has told so far.
    heard: Vec<String>,
    folder: tempfile::TempDir,
    kubeconfig: PathBuf,
    programs: Programs,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Demo {
    /// Starts one, and waits until its first commit is installed.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("demo");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["demo", "--speed", "4", "--dir"])
            .arg(&place)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map(|line| line.unwrap());
        assert!(lines.any(|line| line.contains("is installed")), "it ended");
        let (tell, told) = std::sync::mpsc::channel();
        // It writes on.
        std::thread::spawn(move || lines.for_each(|line| drop(tell.send(line))));
        Self {
            child,
            told,
            heard: Vec::new(),
            kubeconfig: place.join("kubeconfig"),
            folder,
            programs: Programs::built(),
        }
    }

    /// Waits until it has told this; what is told at about the same time may come in any order.
    fn until(&mut self, words: &str) {
        let end = Instant::now() + Duration::from_secs(90);
        while !self.heard.iter().any(|line| line.contains(words)) {
            let left = end.saturating_duration_since(Instant::now());
            let next = self.told.recv_timeout(left);
            let next = next.unwrap_or_else(|_| panic!("`{words}` was not told: {:#?}", self.heard));
            self.heard.push(next);
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.path("kubectl"));
        command
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", self.folder.path().join("cache"))
            .stdin(Stdio::null());
        command
    }

    /// Runs kubectl, and returns what it prints once it says all of these words.
    fn says(&self, arguments: &[&str], words: &[&str]) -> String {
        told(arguments, words, &self.command(arguments).output().unwrap())
    }
}

fn told(arguments: &[&str], words: &[&str], output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "kubectl {arguments:?}: {text}{errors}"
    );
    for word in words {
        assert!(
            text.contains(word),
            "kubectl {arguments:?} lacks `{word}`:\n{text}{errors}"
        );
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_works_against_the_demo_as_against_any_cluster() {
    tokio::task::spawn_blocking(all_verbs).await.unwrap();
}

fn all_verbs() {
    let mut demo = Demo::start();
    what_is_there_is_shown(&demo);
    what_is_applied_rolls_out(&demo);
    what_is_changed_is_seen(&demo);
    what_is_deleted_goes(&demo);
    what_the_demo_stands_on_may_go(&mut demo);
}

fn what_is_there_is_shown(demo: &Demo) {
    let says = |arguments: &[&str], words: &[&str]| demo.says(arguments, words);
    says(&["get", "nodes"], &["node-1", "node-4", "Ready"]);
    says(
        &["get", "deployments,services", "-o", "wide"],
        &["web", "12/12", "shop/web:1.0", "cache"],
    );
    says(
        &["get", "pods", "-l", "app=web", "-o", "name"],
        &["pod/web-"],
    );
    says(
        &["get", "deployment", "web", "-o", "yaml"],
        &["image: shop/web:1.0", "change-cause: "],
    );
    says(
        &["describe", "deployment", "web"],
        &["12 desired", "shop/web:1.0", "Events:"],
    );
    says(
        &["describe", "pods", "-l", "app=cache"],
        &["shop/cache:7.2", "Ready"],
    );
    says(&["describe", "node", "node-1"], &["node-1", "Ready"]);
    says(&["get", "configmap", "tidegate-web"], &["tidegate-web"]);
    says(&["get", "events"], &["Scheduled"]);
    says(
        &["api-resources", "--api-group=apps"],
        &["deployments", "replicasets", "apps/v1"],
    );
    says(&["explain", "deployment.spec.strategy"], &["rollingUpdate"]);
}

fn what_is_applied_rolls_out(demo: &Demo) {
    let says = |arguments: &[&str], words: &[&str]| demo.says(arguments, words);
    let manifest = demo.folder.path().join("mine.yaml");
    std::fs::write(&manifest, MANIFEST).unwrap();
    let manifest = manifest.to_str().unwrap();
    says(
        &["apply", "--server-side", "-f", manifest],
        &["deployment.apps/mine serverside-applied"],
    );
    says(
        &["rollout", "status", "deployment/mine", "--timeout=60s"],
        &["successfully rolled out"],
    );
    says(
        &[
            "wait",
            "--for=condition=Available",
            "deployment/mine",
            "--timeout=60s",
        ],
        &["condition met"],
    );
}

fn what_is_changed_is_seen(demo: &Demo) {
    let says = |arguments: &[&str], words: &[&str]| demo.says(arguments, words);
    let watch = [
        "get",
        "deployment",
        "mine",
        "-w",
        "-o",
        "jsonpath={.spec.replicas}{'\\n'}",
    ];
    let watching = Watching::begin(&mut demo.command(&watch));
    assert_eq!(watching.next(), "2", "it begins with what is there");
    says(&["scale", "deployment/mine", "--replicas=3"], &["scaled"]);
    says(
        &["set", "image", "deployment/mine", "mine=shop/mine:2"],
        &["image updated"],
    );
    says(
        &["rollout", "status", "deployment/mine", "--timeout=60s"],
        &["successfully rolled out"],
    );
    says(
        &["rollout", "history", "deployment/mine"],
        &["REVISION", "1", "2"],
    );
    says(&["rollout", "undo", "deployment/mine"], &["rolled back"]);
    says(
        &["get", "deployment", "mine", "-o", "jsonpath={..image}"],
        &["shop/mine:1"],
    );
    let edit = ["edit", "deployment", "mine"];
    let mut editing = demo.command(&edit);
    editing.env("KUBE_EDITOR", "sed -i s/mine:1/mine:3/");
    told(&edit, &["edited"], &editing.output().unwrap());
    says(
        &["get", "deployment", "mine", "-o", "jsonpath={..image}"],
        &["shop/mine:3"],
    );
    while watching.next() != "3" {}
}

/// Not even the ground under it ends the demo.
fn what_the_demo_stands_on_may_go(demo: &mut Demo) {
    demo.says(&["scale", "deployment/web", "--replicas=5"], &["scaled"]);
    demo.until("past Git: Deployment/shop/web was changed");
    demo.until("all 12 pods of web are ready again");
    demo.says(&["delete", "configmap", "tidegate-web"], &["deleted"]);
    demo.until("the agent's ledger of web was deleted");
    demo.says(&["delete", "namespace", "shop"], &["deleted"]);
    demo.until("the namespace shop was deleted");
    demo.says(&["create", "namespace", "shop"], &["created"]);
    demo.until("the agent has its records again");
    demo.says(
        &["wait", "--for=create", "deployment/web", "--timeout=60s"],
        &[],
    );
    assert!(demo.child.try_wait().unwrap().is_none(), "it goes on");
}

fn what_is_deleted_goes(demo: &Demo) {
    let says = |arguments: &[&str], words: &[&str]| demo.says(arguments, words);
    says(&["delete", "deployment", "mine"], &["deleted"]);
    says(
        &[
            "wait",
            "--for=delete",
            "pod",
            "-l",
            "app=mine",
            "--timeout=60s",
        ],
        &[],
    );
}

/// A watch that goes on until this is dropped.
struct Watching {
    kubectl: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn begin(command: &mut Command) -> Self {
        let mut kubectl = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = kubectl.stdout.take().unwrap();
        let (tell, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            for line in lines {
                let _ = tell.send(line);
            }
        });
        Self { kubectl, lines }
    }

    /// Waits for what it sees next.
    fn next(&self) -> String {
        let line = self.lines.recv_timeout(Duration::from_secs(60));
        line.expect("there is more to see")
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}
