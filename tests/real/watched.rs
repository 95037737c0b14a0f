//! Rollouts as people and CI watch them: on a terminal, as lines, as JSON.

use std::io::Read as _;
use std::process::{Child, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::real;
use crate::shop::{Agent, Shop, deployment};
use crate::terminal::Terminal;

const POLICY: &str =
    "steps: [1, 50%, 100%]\nmaxSurge: 100%\nsoak: 1s\nmonitor: 1s\nonFailure: Rollback";

/// A shop in which `web:1` runs.
async fn open(name: &str) -> (Shop, Agent) {
    let shop = Shop::open(&real(), name).await;
    let first = deployment("web", "1", POLICY);
    let first = shop.repository.push("web 1", &[("web.yaml", Some(&first))]);
    let agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    (shop, agent)
}

/// Starts a verb that goes on, with its output kept.
fn start(shop: &Shop, arguments: &[&str]) -> Child {
    let mut command = shop.program();
    command
        .args(arguments)
        .args(["-n", &shop.namespace])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

fn push(shop: &Shop, tag: &str) -> String {
    let manifest = deployment("web", tag, POLICY);
    let subject = format!("web {tag}");
    let commit = shop
        .repository
        .push(&subject, &[("web.yaml", Some(&manifest))]);
    shop.sync();
    commit
}

/// What it writes up to a line with these words.
async fn written_up_to(child: &mut Child, words: &'static str) -> String {
    let mut stdout = child.stdout.take().expect("its output is kept");
    let read = tokio::task::spawn_blocking(move || {
        let (mut written, mut byte) = (Vec::new(), [0]);
        loop {
            let read = stdout.read(&mut byte).unwrap();
            written.extend(&byte[..read]);
            let text = String::from_utf8_lossy(&written);
            let is_line = text.ends_with('\n');
            assert!(read > 0, "it ended without `{words}`:\n{text}");
            if is_line && text.contains(words) {
                return (stdout, text.into_owned());
            }
        }
    });
    let (stdout, written) = read.await.unwrap();
    child.stdout = Some(stdout);
    written
}

/// Its end, and what it has written since [`written_up_to`], if that was read.
async fn ended(child: Child) -> (Option<i32>, String, String) {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output());
    let Output {
        status,
        stdout,
        stderr,
    } = output.await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn off_a_terminal_a_rollout_is_one_line_a_change_and_ends_with_its_fate() {
    let (shop, _agent) = open("watched").await;
    let mut watch = start(&shop, &["watch", "web", "--timeout", "60s"]);
    let mut lines = start(&shop, &["watch", "web", "-o", "jsonl", "--timeout", "60s"]);
    written_up_to(&mut watch, "waits for the next commit").await;
    written_up_to(&mut lines, "\"Waiting\"").await;
    let second = push(&shop, "2");
    let (code, text, errors) = ended(watch).await;
    assert_eq!(code, Some(0), "{text}{errors}");
    for told in [
        &format!("{} \"web 2\"", &second[..7]),
        "Deployment/web       1/3    started, 1 pod",
        "1/3    healthy, 1 pod, took ",
        "2/3    started, 4 pods",
        "2/3    healthy, 4 pods, took ",
        "3/3    started, 5 pods",
        &format!("10/10 pods are on {}", &second[..7]),
        "done: it is rolled out (10 of 10 new pods ready)",
    ] {
        assert!(text.contains(told), "`{told}` is missing:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no escape codes:\n{text}");

    let (code, json, errors) = ended(lines).await;
    assert_eq!(code, Some(0), "{json}{errors}");
    let news: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let healthy: Vec<&Value> = news
        .iter()
        .filter(|one| one["type"] == "BatchHealthy")
        .collect();
    assert_eq!(healthy.len(), 3, "{json}");
    assert_eq!(healthy[1]["batch"], 2);
    assert_eq!(healthy[1]["batches"], 3);
    assert_eq!(healthy[1]["revision"], second);
    assert_eq!(healthy[1]["workload"], "Deployment/web");
    assert_eq!(news.last().unwrap()["type"], "Ended");
}

/// Watches on a terminal until the end; its exit code.
async fn painted(shop: &Shop, tag: &str) -> (Option<i32>, String, Vec<String>) {
    let mut command = shop.program();
    command.args(["watch", "web", "--timeout", "60s", "-n", &shop.namespace]);
    let (mut watch, terminal) = Terminal::start(command, 80, 24);
    shop.until("the first picture", || {
        terminal.written().contains("Ctrl-C")
    })
    .await;
    push(shop, tag);
    let ended = move || (watch.wait().unwrap().code(), terminal.ended());
    let (code, (written, lines)) = tokio::task::spawn_blocking(ended).await.unwrap();
    (code, written, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_only_own_lines_are_repainted_and_the_last_picture_stays() {
    let (shop, _agent) = open("painted").await;
    let (code, written, lines) = painted(&shop, "2").await;
    let all = lines.join("\n");
    assert_eq!(code, Some(0), "{all}");
    assert!(
        lines[0].starts_with(&format!(" {}/web  main  ", shop.namespace)),
        "{all}"
    );
    assert!(lines[0].contains("\"web 2\""), "{all}");
    assert!(
        lines[3].contains("✔ Deployment/web  10/10 pods ready on "),
        "{all}"
    );
    assert_eq!(lines.len(), 7, "one picture and how it ended:\n{all}");
    assert!(
        lines[5].contains("done: it is rolled out (10 of 10 new pods ready"),
        "{all}"
    );
    assert!(written.contains("batch 2 of 3"), "the open batch was drawn");
    assert!(written.contains("■■■■"), "four of them");

    let (code, _, lines) = painted(&shop, "3-crash").await;
    let all = lines.join("\n");
    assert_eq!(code, Some(3), "{all}");
    assert!(
        all.contains("\n✖ ") && all.contains("details: tidegate explain "),
        "{all}"
    );
    // The last words wrap where they are long.
    assert!(all.replace('\n', "").contains("CrashLoopBackOff"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_watch_says_that_the_rollout_goes_on() {
    let (shop, _agent) = open("interrupted").await;
    let second = push(&shop, "2");
    let mut watch = start(&shop, &["status", "web", "--watch"]);
    written_up_to(&mut watch, "\"web 2\"").await;
    shop.until_outcome(&second, "Succeeded").await;
    let id = i32::try_from(watch.id()).ok().and_then(Pid::from_raw);
    kill_process(id.unwrap(), Signal::INT).unwrap();
    let (code, text, errors) = ended(watch).await;
    assert_eq!(code, Some(130), "{text}{errors}");
    assert!(
        errors.contains("the rollout goes on. Look again: tidegate watch"),
        "{errors}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_takes_too_long_ends_with_4() {
    let (shop, _agent) = open("too-long").await;
    let (code, text, errors) = ended(start(&shop, &["watch", "web", "--timeout", "2s"])).await;
    assert_eq!(code, Some(4), "{text}{errors}");
    assert!(errors.contains("timeout; the work goes on"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_whose_reader_has_gone_ends_by_itself() {
    let (shop, _agent) = open("unread").await;
    let mut watch = start(&shop, &["status", "web", "--watch"]);
    drop(watch.stdout.take());
    let second = push(&shop, "2");
    shop.until_outcome(&second, "Succeeded").await;
    let (code, _, errors) = ended(watch).await;
    assert_eq!(code, Some(0), "{errors}");
}
