//! The binary's edges: help, usage, no cluster. What it shows is tested beside the commands.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary in an environment without a home, a cluster or colours.
fn tidegate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_names_every_verb_and_every_exit_code() {
    let output = tidegate(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    let verbs = [
        "status",
        "watch",
        "history",
        "wait",
        "inspect",
        "sync",
        "pause",
        "resume",
        "abort",
        "approve",
        "retry",
        "release",
        "events",
        "explain",
        "restart",
        "validate",
        "completion",
        "man",
        "demo",
        "run",
    ];
    for verb in verbs {
        assert!(
            help.contains(&format!("\n  {verb} ")),
            "{verb} is missing in:\n{help}"
        );
    }
    for code in ["0", "2", "3", "4", "5", "6", "130"] {
        assert!(
            help.contains(&format!("\n  {code} ")),
            "{code} is missing in:\n{help}"
        );
    }
    assert!(
        !help.contains("git-fetch"),
        "the child's verb is nobody's business"
    );
}

#[test]
fn what_cannot_be_understood_ends_with_2_and_says_what() {
    let cases: [(&[&str], &str); 9] = [
        (&[], "Usage"),
        (&["stauts"], "status"),
        (&["status", "--no-such-flag"], "--no-such-flag"),
        (&["status", "web", "-A"], "cannot be used with"),
        (&["pause", "web"], "--reason"),
        (
            &["pause", "web", "--reason", "x", "--for", "soon"],
            "no duration",
        ),
        (
            &["release", "web", "--back", "--undo"],
            "cannot be used with",
        ),
        (&["run"], "--config"),
        (&["completion", "tcsh"], "possible values"),
    ];
    for (arguments, word) in cases {
        let output = tidegate(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains(word), "{arguments:?} said:\n{said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn without_a_cluster_every_verb_says_so_and_ends_with_2() {
    let verbs: [&[&str]; 15] = [
        &["status"],
        &["status", "web", "-w"],
        &["watch", "web"],
        &["events", "web"],
        &["explain", "web"],
        &["restart", "web"],
        &["history", "web"],
        &["wait", "web", "--commit", "9f3c2e1"],
        &["inspect", "web"],
        &["sync", "web"],
        &["pause", "web", "--reason", "x"],
        &["resume", "web"],
        &["abort", "web"],
        &["retry", "web"],
        &["release", "web"],
    ];
    for arguments in verbs {
        let output = tidegate(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(
            said.starts_with("error: no cluster to talk to"),
            "{arguments:?} said:\n{said}"
        );
        assert!(
            said.contains("hint: name a kubeconfig"),
            "{arguments:?} said:\n{said}"
        );
        assert!(!said.contains('\u{1b}'), "no escape codes off a terminal");
    }
}

#[test]
fn an_api_server_that_does_not_answer_is_told_in_two_lines() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("config");
    std::fs::write(&path, kubeconfig()).expect("it is written");
    let said = refused(&path, &["status", "shop/web"]);
    let lines: Vec<&str> = said.lines().collect();
    let [error, hint] = lines[..] else {
        panic!("{said}")
    };
    assert!(
        error.starts_with("error: ") && error.contains("got no answer"),
        "{said}"
    );
    assert!(hint.starts_with("hint: is the API server up?"), "{said}");
}

#[test]
fn a_kubeconfig_that_is_missing_is_named() {
    let said = refused(Path::new("/nonexistent/config"), &["status"]);
    assert!(said.contains("/nonexistent/config"), "{said}");
}

fn refused(kubeconfig: &Path, arguments: &[&str]) -> String {
    let path = kubeconfig.to_str().expect("it is text");
    let mut all = arguments.to_vec();
    all.extend(["--kubeconfig", path]);
    let output = tidegate(&all);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    text(&output.stderr)
}

/// A cluster at a port where nobody listens.
fn kubeconfig() -> &'static str {
    "\
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: nobody, user: {}}]
"
}

#[test]
fn every_shell_gets_completions_that_know_the_verbs() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = tidegate(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = text(&output.stdout);
        for word in ["watch", "validate"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
        assert!(!script.contains("git-fetch"), "{shell}");
    }
}

#[test]
fn the_manual_has_a_page_for_every_verb() {
    let page = text(&tidegate(&["man"]).stdout);
    assert!(page.contains(".TH tidegate 1"), "{page}");
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("share/man1");
    let output = tidegate(&["man", "--dir", path.to_str().expect("it is text")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for name in ["tidegate.1", "tidegate-watch.1", "tidegate-status.1"] {
        let page = std::fs::read_to_string(path.join(name)).expect(name);
        assert!(page.contains(".SH"), "{name}");
    }
    let child = path.join("tidegate-git-fetch.1");
    assert!(!child.exists(), "the child's verb is nobody's business");
    let barred = tidegate(&["man", "--dir", "/dev/null/man"]);
    assert_eq!(barred.status.code(), Some(2));
    assert!(text(&barred.stderr).contains("/dev/null/man"));
}
