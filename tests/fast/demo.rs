//! The demo as its users run it: by itself, by keys on a terminal, by hand with git, interrupted.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic and wait"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::terminal::Terminal;

/// The longest that anything here may take.
const SOON: Duration = Duration::from_secs(300);

/// A folder for the files of demos, and the program that puts them there.
fn place() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn demo(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command
        .arg("demo")
        .args(arguments)
        .env("TMPDIR", place)
        .env_remove("KUBECONFIG")
        // Proxies are for other machines.
        .env("HTTPS_PROXY", "http://127.0.0.1:1");
    command
}

fn interrupt(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(id.unwrap(), signal).unwrap();
}

/// Looks again and again until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// A demo whose output is read line by line while it plays; it never outlives its test.
struct Playing {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    told: String,
}

impl Playing {
    fn start(mut command: Command, stdin: Stdio) -> Self {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let told = String::new();
        Self { child, lines, told }
    }

    /// Reads on to a line with these words, and returns it.
    fn until(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "`{words}` was not told:\n{}", self.told);
            self.told.push_str(&line);
            if line.contains(words) {
                return line.trim_end().to_owned();
            }
        }
    }

    /// Reads on to its end; exit code, output, errors.
    fn ended(mut self) -> (Option<i32>, String, String) {
        std::io::Read::read_to_string(&mut self.lines, &mut self.told).unwrap();
        let mut errors = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut stderr, &mut errors).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, std::mem::take(&mut self.told), errors)
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All scenarios side by side: most of their time is waiting. Each with the folder of its files.
static SCENARIOS: LazyLock<Mutex<BTreeMap<&str, (Child, PathBuf)>>> = LazyLock::new(|| {
    let names = [
        "good",
        "bad-image",
        "crash-loop",
        "slow-start",
        "flapping",
        "node-loss",
        "agent-crash",
        "drift",
    ];
    let start = |name| {
        let place = place().keep();
        let child = demo(&place, &["--auto", "--speed", "5", "--scenario", name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        (name, (child, place))
    };
    Mutex::new(names.into_iter().map(start).collect())
});

/// Waits for a scenario; what it told, once it ended as it should and left nothing behind.
fn played(name: &str) -> String {
    let (child, place) = SCENARIOS.lock().unwrap().remove(name).unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    let told = String::from_utf8(stdout).unwrap();
    let errors = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(0), "{told}{errors}");
    assert!(
        told.starts_with("tidegate demo   SIMULATED cluster"),
        "{told}"
    );
    assert!(!told.contains('\u{1b}'), "no escape codes:\n{told}");
    assert!(is_empty(&place), "nothing is left in {}", place.display());
    std::fs::remove_dir(place).unwrap();
    told
}

/// Asserts that these words were told in this order.
fn assert_in_order(told: &str, words: &[&str]) {
    let mut rest = told;
    for word in words {
        let Some((_, after)) = rest.split_once(word) else {
            panic!("`{word}` is missing, or not in its order:\n{told}");
        };
        rest = after;
    }
}

#[test]
fn a_good_commit_rolls_out_in_four_batches() {
    let told = played("good");
    assert_in_order(
        &told,
        &[
            "\"web 1.0\" is installed: 15 of 15 pods are ready",
            "1/4    started, 1 pod",
            "1/4    healthy, 1 pod",
            "2/4    started, 2 pods",
            "3/4    started, 3 pods",
            "4/4    started, 6 pods",
            "\"web 1.1\" runs on all 12 pods, after 4 batches in ",
            "never fewer than 12 were ready",
        ],
    );
}

#[test]
fn an_image_that_does_not_exist_is_gone_back_from_and_its_revert_moves_nothing() {
    let told = played("bad-image");
    assert_in_order(
        &told,
        &[
            "ErrImagePull",
            "failed with its first pod and the agent went back; all 12 of 1.0 went on serving",
            "Git and all 12 pods say 1.0 again; never fewer than 12 were ready",
        ],
    );
}

#[test]
fn crashing_pods_are_held_until_their_commit_is_reverted() {
    let told = played("crash-loop");
    assert_in_order(
        &told,
        &[
            "CrashLoopBackOff",
            "failed with its first pod and is held; all 12 of 1.0 go on serving",
            "Git and all 12 pods say 1.0 again; never fewer than 12 were ready",
        ],
    );
}

#[test]
fn slow_pods_are_waited_for_batch_by_batch() {
    let told = played("slow-start");
    assert_in_order(
        &told,
        &[
            "4/4    healthy, 6 pods",
            "runs on all 12 pods, after 4 batches",
        ],
    );
}

#[test]
fn flapping_pods_are_gone_back_from() {
    let told = played("flapping");
    assert_in_order(
        &told,
        &[
            "failed with its first pod and the agent went back",
            "say 1.0 again",
        ],
    );
}

#[test]
fn a_rollout_survives_the_loss_of_a_node() {
    let told = played("node-loss");
    assert_in_order(
        &told,
        &[
            "is lost, with ",
            "runs on all 12 pods, after 4 batches",
            "is back",
        ],
    );
}

#[test]
fn without_an_agent_no_pod_moves_and_the_next_one_goes_on() {
    let told = played("agent-crash");
    // The story and the picture are told by two observers, each in its own order.
    assert_in_order(&told, &["2/4    started, 2 pods", "4/4    started, 6 pods"]);
    assert_in_order(
        &told,
        &[
            "the agent is killed, in the middle of a batch",
            "nobody moved a pod meanwhile: ",
            " new ones, no more; another agent starts",
            "runs on all 12 pods, after 4 batches",
            "never fewer than 12 were ready",
        ],
    );
}

#[test]
fn a_change_past_git_is_taken_back() {
    let told = played("drift");
    assert_in_order(
        &told,
        &[
            "kubectl set image deployment/web web=shop/web:9.9",
            "Git says 1.0, and so do all 12 pods again",
        ],
    );
}

#[test]
fn what_does_not_happen_as_told_is_said_and_ends_with_1() {
    let place = place();
    let folder = place.path().join("kept");
    let asked = folder.to_str().unwrap();
    // As slow as life, so that the batches last longer than the abort takes to get there.
    let arguments = ["--auto", "--scenario", "good", "--dir", asked];
    let mut playing = Playing::start(demo(place.path(), &arguments), Stdio::null());
    playing.until("2/4    started");
    let abort = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["abort", "web"])
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .output()
        .unwrap();
    assert!(abort.status.success(), "{abort:?}");
    let (code, told, errors) = playing.ended();
    assert_eq!(code, Some(1), "{told}{errors}");
    assert!(
        told.contains("this did not happen as told: ") && told.contains("did not roll out"),
        "{told}"
    );
    assert!(folder.join("repo/web.yaml").is_file(), "it is kept");
}

/// Runs the lines that a demo has told to type, in its repository, with git.
fn type_in(place: &str, script: &str) {
    let output = Command::new("sh")
        .args(["-e", "-c", &format!("{place}\n{script}")])
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
}

#[test]
fn what_it_says_to_type_works_as_it_stands_and_is_followed() {
    let place = place();
    let mut playing = Playing::start(demo(place.path(), &["--speed", "5"]), Stdio::null());
    let repository = playing.until("cd /");
    let repository = repository
        .split_once("repository")
        .unwrap()
        .1
        .trim()
        .to_owned();
    let kubeconfig = playing.until("export KUBECONFIG=");
    let kubeconfig = kubeconfig.split_once('=').unwrap().1.to_owned();
    playing.until("  1  a good commit");
    let typed: Vec<String> = (0..2).map(|_| playing.until("     ")).collect();
    playing.until("  2  a broken one");
    let broken: Vec<String> = (0..2).map(|_| playing.until("     ")).collect();
    playing.until("  3  a revert");
    let revert = playing.until("     git revert");
    playing.until("is installed");

    type_in(&repository, &typed.join("\n"));
    playing.until("you committed ");
    playing.until("\"web 1.1\" runs on all 12 pods");
    type_in(&repository, &broken.join("\n"));
    playing.until("\"web 1.2\" failed with its first pod and is held");
    let status = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["status", "web"])
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap();
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains("RolloutFailed"), "{status}");
    type_in(&repository, &revert);
    playing.until("Git and all 12 pods say 1.1 again");
    interrupt(&playing.child, Signal::TERM);
    let (code, told, errors) = playing.ended();
    assert_eq!(code, Some(143), "{told}{errors}");
    assert!(is_empty(place.path()), "nothing is left");
}

#[test]
fn lines_that_are_piped_in_do_one_step_after_the_other() {
    let place = place();
    let mut playing = Playing::start(demo(place.path(), &["--speed", "5"]), Stdio::piped());
    let mut stdin = playing.child.stdin.take().unwrap();
    stdin.write_all(b"\n\n\nq\n").unwrap();
    let (code, told, errors) = playing.ended();
    assert_eq!(code, Some(0), "{told}{errors}");
    assert_in_order(
        &told,
        &[
            "\"web 1.1\" runs on",
            "\"web 1.2\" failed",
            "all 12 pods say 1.1 again",
        ],
    );
    assert!(is_empty(place.path()), "nothing is left");
}

#[test]
fn input_that_ends_ends_the_demo_as_the_tour_went() {
    let place = place();
    let mut playing = Playing::start(demo(place.path(), &["--speed", "5"]), Stdio::piped());
    let mut stdin = playing.child.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    drop(stdin);
    let (code, told, errors) = playing.ended();
    assert_eq!(code, Some(0), "{told}{errors}");
    assert_in_order(&told, &["\"web 1.1\" runs on", "the input has ended"]);
    assert!(is_empty(place.path()), "nothing is left");
}

#[test]
fn a_demo_whose_reader_goes_away_has_not_happened_as_told() {
    let place = place();
    let arguments = ["--auto", "--speed", "5", "--scenario", "crash-loop"];
    let mut playing = Playing::start(demo(place.path(), &arguments), Stdio::null());
    playing.until("SIMULATED");
    let (reader, _) = std::io::pipe().unwrap();
    // Whoever read is gone: what is left here is another pipe.
    playing.lines = BufReader::new(std::process::ChildStdout::from(std::os::fd::OwnedFd::from(
        reader,
    )));
    assert_eq!(playing.child.wait().unwrap().code(), Some(1));
    assert!(is_empty(place.path()), "nothing is left");
}

/// Commits a tag in a demo's repository, as people do.
fn commit_tag(repository: &Path, tag: &str, subject: &str) {
    let script =
        format!("sed -i 's|shop/web:.*|shop/web:{tag}|' web.yaml && git commit -qam '{subject}'");
    type_in(&format!("cd '{}'", repository.display()), &script);
}

#[test]
fn a_step_goes_by_what_the_repository_says_by_then() {
    let place = place();
    let folder = place.path().join("mine");
    let arguments = ["--speed", "5", "--dir", folder.to_str().unwrap()];
    let mut playing = Playing::start(demo(place.path(), &arguments), Stdio::piped());
    let mut stdin = playing.child.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    playing.until("\"web 1.1\" runs on all 12 pods");
    commit_tag(&folder.join("repo"), "2.0", "web 2.0 mine");
    playing.until("\"web 2.0 mine\"");
    stdin.write_all(b"\n").unwrap();
    playing.until("$ sed -i s/web:2.0/web:1.2-crash/ web.yaml");
    playing.until("\"web 1.2\" failed with its first pod and is held");
    stdin.write_all(b"\n").unwrap();
    playing.until("$ git revert --no-edit HEAD");
    playing.until("all 12 pods say 2.0 again");
    drop(stdin);
    let (code, told, errors) = playing.ended();
    assert_eq!(code, Some(0), "{told}{errors}");
}

#[test]
fn a_step_whose_commit_leaves_the_branch_ends_at_once() {
    let place = place();
    let folder = place.path().join("mine");
    // As slow as life, so that it is amended in the middle.
    let arguments = ["--dir", folder.to_str().unwrap()];
    let mut playing = Playing::start(demo(place.path(), &arguments), Stdio::piped());
    let mut stdin = playing.child.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    playing.until("2/4    started");
    let cd = format!("cd '{}'", folder.join("repo").display());
    type_in(&cd, "git commit -q --amend -m mine");
    let line = playing.until("this did not happen as told");
    assert!(line.contains("the branch main was rewritten"), "{line}");
    drop(stdin);
    let (code, told, errors) = playing.ended();
    assert_eq!(code, Some(1), "{told}{errors}");
}

/// Plays the tour on a terminal, by keys; exit code, everything written, what stands there.
fn on_a_terminal(columns: u16, rows: u16) -> (Option<i32>, String, String) {
    let place = place();
    let command = demo(place.path(), &["--speed", "5"]);
    let (mut child, mut terminal) = Terminal::start(command, columns, rows);
    for step in ["a good commit", "a broken one", "a revert"] {
        until("the next step", || {
            terminal
                .written()
                .contains(&format!("does the next: {step}"))
        });
        assert!(!terminal.is_as_shells_leave_it(), "keys are not shown");
        terminal.press("\n");
    }
    until("the end", || terminal.written().contains("play on by hand"));
    terminal.press("q");
    let code = child.wait().unwrap().code();
    assert!(terminal.is_as_shells_leave_it(), "keys are shown again");
    assert!(is_empty(place.path()), "nothing is left");
    let (written, lines) = terminal.ended();
    (code, written, lines.join("\n"))
}

#[test]
fn on_a_terminal_every_screen_says_simulated_and_the_story_stays() {
    std::thread::scope(|scope| {
        for (columns, rows) in [(80, 24), (60, 20)] {
            scope.spawn(move || the_story_stays(columns, rows));
        }
    });
}

fn the_story_stays(columns: u16, rows: u16) {
    let (code, written, stands) = on_a_terminal(columns, rows);
    assert_eq!(code, Some(0), "{stands}");
    let painted = written.matches(" shop/web  main  ").count();
    assert!(painted > 10, "bars moved: {painted}");
    // Each picture is painted below the line that says so.
    let said = written.matches(" SIMULATED ").count();
    assert!(said >= painted, "{said} of {painted} pictures say so");
    assert!(written.contains("batch 3 of 4"), "an open batch was drawn");
    // What is told comes with the picture below it in one: only at the end is it taken away.
    let mut frames: Vec<&str> = written.split("\r\u{1b}[").skip(1).collect();
    frames.pop();
    let bare = frames.iter().find(|frame| !frame.contains(" SIMULATED "));
    assert_eq!(bare, None, "each frame says so");
    let story = stands.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_in_order(
        &story,
        &[
            "tidegate demo SIMULATED",
            "git revert --no-edit HEAD",
            "is installed",
            "\"web 1.1\" runs on all 12 pods",
            "\"web 1.2\" failed with its first pod and is held",
            "Git and all 12 pods say 1.1 again",
        ],
    );
}

#[test]
fn an_interrupt_at_any_moment_restores_the_terminal_and_leaves_nothing() {
    let moments = [
        "SIMULATED",
        "the agent starts",
        "does the next: a good commit",
        "batch 2 of 4",
    ];
    for moment in moments {
        let place = place();
        let command = demo(place.path(), &["--speed", "5"]);
        let (mut child, mut terminal) = Terminal::start(command, 80, 24);
        until(moment, || {
            if terminal.written().contains("does the next: a good commit")
                && moment == "batch 2 of 4"
            {
                terminal.press("\n");
            }
            terminal.written().contains(moment)
        });
        interrupt(&child, Signal::INT);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{moment}");
        assert!(terminal.is_as_shells_leave_it(), "{moment}");
        assert!(is_empty(place.path()), "{moment}: nothing is left");
    }
}

#[test]
fn a_directory_that_has_something_in_it_is_refused() {
    let place = place();
    std::fs::write(place.path().join("mine"), "x").unwrap();
    let asked = place.path().to_str().unwrap();
    let output = demo(place.path(), &["--dir", asked]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("has something in it already"), "{said}");
}
