//! `sync --wait` and `wait` end when there is nothing more to wait for, and not before.

use std::process::Stdio;

use crate::real;
use crate::shop::{Shop, deployment};

const POLICY: &str = "steps: [1, 50%, 100%]\nmaxSurge: 100%\nmonitor: 0s";

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_of_a_gitsync_at_rest_is_waited_for_and_ends_well() {
    let (shop, _agent) = Shop::installed(&real(), "at-rest", &deployment("web", "1", POLICY)).await;
    let output = shop.tidegate(&["sync", "web", "--wait", "--timeout", "30s"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("done: it is rolled out"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_from_before_the_first_ledger_sees_the_commit_through() {
    let shop = Shop::open(&real(), "early").await;
    let first = shop.repository.push(
        "web 1",
        &[("web.yaml", Some(&deployment("web", "1", POLICY)))],
    );
    let in_vain = shop.tidegate(&["wait", "web", "--commit", &first, "--timeout", "2s"]);
    assert_eq!(in_vain.status.code(), Some(4), "{in_vain:?}");
    let mut program = shop.program();
    let early = program
        .args(["wait", "web", "--commit", &first, "--timeout", "60s"])
        .args(["-n", &shop.namespace])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut early = early.expect("the program can be started");
    let _agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    let code = early.wait().expect("it is our child").code();
    assert_eq!(code, Some(0));
}
