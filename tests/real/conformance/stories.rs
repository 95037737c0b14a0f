//! Stories: calls of `kubectl`, one after the other in a namespace of their own, on both sides.
//!
//! A story is a text with a call a line, for a shell. What stands before it says what is compared:
//! `$` output, complaints and exit code; `~` the last line and the exit code; `%` the lines in any
//! order; `:` nothing, but it must not fail. `NAMESPACE` is the story's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::config::Kubeconfig;
use serde_json::json;
use tempfile::TempDir;
use tidegate::sim::town::{Plan, Town};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::{Case, calm};
use crate::cluster::ControlPlane;

/// The longest that a call may take.
const SOON: Duration = Duration::from_secs(90);

/// How many stories go on at a time: `kubectl` is work for the machine, a rollout is waiting.
const AT_ONCE: usize = 6;

macro_rules! stories {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("stories/", $name, ".txt")))),*]
    };
}

const STORIES: &[(&str, &str)] = stories![
    "rollout",
    "rollout_sets",
    "delete",
    "create",
    "custom",
    "change",
    "describe",
    "get",
    "apply",
    "client_apply",
    "scale",
    "edit",
    "watch",
    "discovery",
];

/// One cluster as a story sees it: a folder with the manifests, and a kubeconfig.
struct Side {
    folder: TempDir,
    programs: PathBuf,
}

/// The names of all stories.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    STORIES.iter().map(|(name, _)| *name)
}

/// Tells all stories to both sides.
pub(super) async fn all() -> Vec<Case> {
    let plane = ControlPlane::shared();
    let nodes = (0..5).map(|number| format!("node-{number}")).collect();
    let town = Town::found(&Plan {
        nodes,
        ..Plan::real(1, 0)
    });
    let _work = town.start();
    let serving = town.serve(0).await.expect("a port is free");
    let only = std::env::var("STORY").ok();
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let told = STORIES
        .iter()
        .filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name))
        .map(|(name, text)| {
            let (gate, serving, town) = (Arc::clone(&gate), &serving, &town);
            async move {
                let _turn = gate.acquire().await.expect("it is never closed");
                let namespace = plane.namespace(&name.replace('_', "-")).await;
                make_namespace(town, &namespace).await;
                let mut config = Kubeconfig::read_from(plane.admin_kubeconfig()).unwrap();
                for context in &mut config.contexts {
                    context.context.as_mut().unwrap().namespace = Some(namespace.clone());
                }
                let config = serde_json::to_string(&config).unwrap();
                let programs = plane.programs_folder();
                let real = Side::new(&config, programs, &namespace);
                let config = serving.kubeconfig(&namespace);
                let simulated = Side::new(&config, programs, &namespace);
                let text = text.replace("NAMESPACE", &namespace);
                let (real, simulated) = tokio::join!(real.tell(&text), simulated.tell(&text));
                cases(name, &namespace, real, simulated)
            }
        });
    join_all(told).await.into_iter().flatten().collect()
}

async fn make_namespace(town: &Town, name: &str) {
    use k8s_openapi::api::core::v1::Namespace;
    use kube::api::PostParams;
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    let api: kube::Api<Namespace> = kube::Api::all(town.client("default"));
    api.create(&PostParams::default(), &namespace)
        .await
        .unwrap();
}

fn cases(
    story: &'static str,
    namespace: &str,
    real: Vec<(String, String)>,
    simulated: Vec<(String, String)>,
) -> Vec<Case> {
    let pairs = real.into_iter().zip(simulated);
    let cases = pairs.map(|((call, real), (_, simulated))| Case {
        story,
        call: call.replace(namespace, "NAMESPACE"),
        real: real.replace(namespace, "NAMESPACE"),
        simulated: simulated.replace(namespace, "NAMESPACE"),
    });
    cases.collect()
}

impl Side {
    fn new(kubeconfig: &str, programs: &Path, namespace: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        fs::write(folder.path().join("kubeconfig"), kubeconfig).expect("there is room");
        let manifests =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/conformance/manifests");
        for manifest in fs::read_dir(manifests).expect("the checkout is whole") {
            let path = manifest.expect("the checkout is whole").path();
            let text = fs::read_to_string(&path).expect("the checkout is whole");
            let text = text.replace("NAMESPACE", namespace);
            let name = path.file_name().expect("it is a file");
            fs::write(folder.path().join(name), text).expect("there is room");
        }
        Self {
            folder,
            programs: programs.to_owned(),
        }
    }

    /// Makes the calls of a story. Returns those that are compared with their answers.
    async fn tell(&self, story: &str) -> Vec<(String, String)> {
        let mut answers = Vec::new();
        for line in story.lines().filter(|line| !line.is_empty()) {
            let (how, call) = line.split_at(2);
            let (code, output, complaints) = self.call(call).await;
            let output = calm::text(&calm::printed(&output));
            let complaints = calm::text(&complaints);
            let answer = match how {
                "$ " => format!("exit {code}\n{output}{complaints}"),
                "~ " => {
                    let all = output + &complaints;
                    format!("exit {code}\n{}", all.lines().last().unwrap_or_default())
                }
                "% " => {
                    let mut lines: Vec<&str> = output.lines().collect();
                    lines.sort_unstable();
                    format!("exit {code}\n{}\n{complaints}", lines.join("\n"))
                }
                ": " if code == 0 => continue,
                ": " => format!("exit {code}\n{output}{complaints}"),
                other => panic!("{other:?} is no way to compare: {line}"),
            };
            answers.push((call.to_owned(), answer));
        }
        answers
    }

    async fn call(&self, call: &str) -> (i32, String, String) {
        let folder = self.folder.path();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-c", call])
            .current_dir(folder)
            .env("PATH", format!("{}:{path}", self.programs.display()))
            .env("KUBECONFIG", folder.join("kubeconfig"))
            .env("KUBECACHEDIR", folder.join("cache"))
            .env("KUBERC", "off")
            .env("HOME", folder)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        match tokio::time::timeout(SOON, command.output()).await {
            Ok(output) => {
                let output = output.expect("there is a shell");
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let code = output.status.code().unwrap_or(-1);
                (code, text(&output.stdout), text(&output.stderr))
            }
            Err(_) => (-1, String::new(), format!("took longer than {SOON:?}\n")),
        }
    }
}
