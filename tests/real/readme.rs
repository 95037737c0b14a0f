//! The README's shell blocks are run as they stand, but for the program that is built already and
//! the folder that they use.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cluster::ControlPlane;
use crate::shop::{ADA, Agent, SOON, until};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const FOLDER: &str = "/tmp/tidegate-demo";

/// The blocks that are marked `sh`, in order.
fn blocks() -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let opened = readme.split("```sh\n").skip(1);
    opened
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

fn shell(script: &str, home: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-e", "-c", script])
        .current_dir(ROOT)
        .env("HOME", home)
        .envs(ADA);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_leads_from_a_checkout_to_a_rollout() {
    let blocks = blocks();
    assert_eq!(blocks.len(), 4, "demo, test, prepare, run");
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let prepared = shell(&blocks[2].replace(FOLDER, place), folder.path())
        .status()
        .unwrap();
    assert!(prepared.success(), "{}", blocks[2]);

    let plane = ControlPlane::shared();
    let account = plane.agent(&["default"], "default").await;
    let example = std::fs::read_to_string(Path::new(ROOT).join("examples/gitsync.yaml")).unwrap();
    let config = folder.path().join("gitsync.yaml");
    std::fs::write(&config, example.replace(FOLDER, place)).unwrap();
    let run = blocks[3]
        .replace("cargo run --release --", env!("CARGO_BIN_EXE_tidegate"))
        .replace("examples/gitsync.yaml", config.to_str().unwrap());
    let mut command = shell(&format!("exec {run}"), folder.path());
    command.env("KUBECONFIG", &account.kubeconfig);
    let _agent = Agent::start(command, folder.path());
    let is_done = || {
        let status = plane.kubectl(&[
            "-n",
            "default",
            "get",
            "configmap",
            "tidegate-web",
            "-o",
            "json",
        ]);
        String::from_utf8_lossy(&status.stdout).contains("\\\"outcome\\\":\\\"Succeeded\\\"")
    };
    until(SOON, is_done, || {
        "the example was not rolled out in time".to_owned()
    })
    .await;
    let deployments = plane.kubectl(&["-n", "default", "get", "deployments"]);
    assert!(String::from_utf8_lossy(&deployments.stdout).contains("web"));
}

#[test]
fn the_demo_of_the_readme_plays_a_step_at_each_enter() {
    let folder = tempfile::tempdir().unwrap();
    let script = blocks()[0].replace("cargo run --release --", env!("CARGO_BIN_EXE_tidegate"));
    let mut demo = shell(&script, folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut enters = demo.stdin.take().unwrap();
    enters.write_all(b"\n\n\nq\n").unwrap();
    drop(enters);
    let played = demo.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&played.stdout);
    assert!(played.status.success(), "{told}");
    for line in [
        "runs on all 12 pods",
        "failed with its first pod",
        "say 1.1 again",
    ] {
        assert!(told.contains(line), "`{line}` is missing:\n{told}");
    }
}

#[test]
fn the_test_command_of_the_readme_is_the_one_that_the_gate_runs() {
    let command = blocks()[1].trim().to_owned();
    let gate = std::fs::read_to_string(Path::new(ROOT).join(".ci/run")).unwrap();
    let (program, rest) = command.split_once(" test ").unwrap();
    let gate_runs = gate.lines().any(|line| {
        line.starts_with("step ")
            && line.contains(&format!("{program} test "))
            && line.contains(rest)
    });
    assert!(gate_runs, "{command}");
}
