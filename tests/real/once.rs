//! `run --once`: one look at Git, everything brought about, and an exit code that tells what it
//! came to.

use crate::real;
use crate::shop::{Shop, config_map, deployment};

/// Runs the agent once to its end; returns its exit code and what it prints.
fn once(shop: &Shop) -> (Option<i32>, String) {
    let output = shop.run_command("cache").arg("--once").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_run_looks_at_git_once_and_tells_what_it_came_to() {
    let shop = Shop::open(&real(), "once").await;
    let web = |tag: &str| deployment("web", tag, "monitor: 0s");
    let push = |name: &str, text: &str| shop.repository.push(name, &[(name, Some(text))]);
    let first = push("web.yaml", &web("1"));
    let (code, text) = once(&shop);
    assert_eq!(
        (code, shop.outcome(&first).as_str()),
        (Some(0), "Succeeded")
    );
    assert!(text.contains("done: it is rolled out"), "{text}");

    let second = push("flags.yaml", &config_map("flags", "1"));
    let (code, _) = once(&shop);
    assert_eq!(
        (code, shop.outcome(&second).as_str()),
        (Some(0), "Succeeded")
    );
    assert_eq!(shop.get("configmap/flags")["data"]["value"], "1");
    assert_eq!(once(&shop).0, Some(0), "nothing is new");

    let third = push("bad.yaml", "apiVersion: v1\nkind: ConfigMap\n");
    let (code, text) = once(&shop);
    assert_eq!((code, shop.outcome(&third).as_str()), (Some(3), "Rejected"));
    assert!(text.contains("bad.yaml:1:1"), "{text}");

    let fourth = shop.repository.push(
        "breaks",
        &[("bad.yaml", None), ("web.yaml", Some(&web("2-crash")))],
    );
    let (code, text) = once(&shop);
    assert_eq!((code, shop.outcome(&fourth).as_str()), (Some(5), "Failed"));
    assert!(text.contains("CrashLoopBackOff"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_cannot_be_reached_is_an_error() {
    let mut shop = Shop::open(&real(), "once-away").await;
    shop.repository
        .push("flags", &[("flags.yaml", Some(&config_map("flags", "1")))]);
    shop.server.stop().await;
    let (code, text) = once(&shop);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("error: "), "{text}");
}
