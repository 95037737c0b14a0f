//! Levers given back: by hand with the agent dead and Git down, and by a configuration that no
//! longer names the `GitSync`.

use serde_json::{Value, json};

use crate::real;
use crate::shop::{Agent, SOON, Shop, deployment};

/// A Deployment with times and a strategy of its own.
fn web(tag: &str, policy: &str) -> String {
    let own = "  replicas: 10\n  minReadySeconds: 1\n  progressDeadlineSeconds: 120\n  strategy:\n    \
               rollingUpdate: {maxSurge: 20%, maxUnavailable: 10%}\n";
    deployment("web", tag, policy).replace("  replicas: 10\n", own)
}

/// Three pods, and then nothing for long.
const STAYS: &str = "steps: [3, 100%]\nmaxSurge: 100%\nsoak: 10m";

/// Asserts that nothing of ours stops plain kubectl: its own times and strategy are there.
fn assert_own_times(shop: &Shop) {
    let spec = shop.get("deployment/web")["spec"].clone();
    assert_eq!(spec["minReadySeconds"], 1, "{spec}");
    assert_eq!(spec["progressDeadlineSeconds"], 120, "{spec}");
    let limits = json!({"maxSurge": "20%", "maxUnavailable": "10%"});
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": limits});
    assert_eq!(spec["strategy"], strategy, "{spec}");
    assert!(spec["paused"].is_null(), "{spec}");
}

/// Asserts that kubectl ends a rollout of its own.
fn assert_kubectl_rolls_to(shop: &Shop, tag: &str) {
    shop.kubectl(&[
        "set",
        "image",
        "deployment/web",
        &format!("web=shop/web:{tag}"),
    ]);
    shop.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    assert_image(shop, tag);
    assert_own_times(shop);
}

/// Asserts that all pods run an image and are Ready, and that there are no others.
fn assert_image(shop: &Shop, tag: &str) {
    let live = shop.get("deployment/web");
    let container = &live["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], format!("shop/web:{tag}"));
    let status = &live["status"];
    for count in ["replicas", "updatedReplicas", "readyReplicas"] {
        assert_eq!(status[count], 10, "{status}");
    }
}

/// Runs tag 1, then pushes a manifest; returns its commit.
async fn under_way(shop: &Shop, manifest: &str) -> String {
    let first = web("1", "monitor: 0s");
    let first = shop.repository.push("works", &[("web.yaml", Some(&first))]);
    shop.until_outcome(&first, "Succeeded").await;
    shop.repository
        .push("is released", &[("web.yaml", Some(manifest))])
}

async fn three_new(shop: &Shop) {
    let trace = shop.trace("web").await;
    trace
        .until_settled("three new pods", SOON, |counts| {
            (counts.with_tag("2"), counts.with_tag("1")) == (3, 10)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_rollout_goes_on_natively_with_the_agent_dead_and_git_down() {
    let mut shop = Shop::open(&real(), "released").await;
    let agent = shop.start();
    under_way(&shop, &web("2", STAYS)).await;
    three_new(&shop).await;
    let trace = shop.trace("web").await;
    agent.kill();
    shop.server.stop().await;

    shop.verb(&["release", "web"]);
    shop.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    assert_image(&shop, "2");
    assert_own_times(&shop);
    assert!(
        trace.fewest_ready() >= 9,
        "its own maxUnavailable is 1: {trace}"
    );
    assert_kubectl_rolls_to(&shop, "3");

    // The agent finds the mark and leaves everything as it is.
    shop.server.resume().await;
    let _agent = shop.start();
    shop.until_served().await;
    assert_image(&shop, "3");
    assert_own_times(&shop);

    // Undone, it follows Git again, in batches.
    shop.verb(&["release", "web", "--undo"]);
    trace
        .until_settled("batch 1 on the pods as they are", SOON, |counts| {
            (counts.with_tag("2"), counts.with_tag("3")) == (3, 10)
        })
        .await;
    let next = web("4", "monitor: 0s");
    let next = shop
        .repository
        .push("goes on", &[("web.yaml", Some(&next))]);
    shop.until_outcome(&next, "Succeeded").await;
    shop.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    assert_image(&shop, "4");
    assert_own_times(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_rollout_goes_back_and_is_not_begun_again_when_that_is_undone() {
    let mut shop = Shop::open(&real(), "released-failed").await;
    let agent = shop.start();
    let bad = web("2-crash", STAYS);
    let failed = under_way(&shop, &bad).await;
    shop.until_outcome(&failed, "Failed").await;
    let trace = shop.trace("web").await;
    agent.kill();
    shop.server.stop().await;

    shop.verb(&["release", "web"]);
    shop.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    assert_image(&shop, "1");
    assert_own_times(&shop);
    assert!(trace.fewest_ready() >= 9, "{trace}");

    shop.server.resume().await;
    let _agent = shop.start();
    shop.until_served().await;
    assert_eq!(shop.outcome(&failed), "Failed");
    shop.verb(&["release", "web", "--undo"]);
    shop.until_outcome(&failed, "RolledBack").await;
    let comment = shop.repository.push(
        "comments",
        &[("web.yaml", Some(&format!("# a word\n{bad}")))],
    );
    shop.until_outcome(&comment, "Held").await;
    assert_image(&shop, "1");
    let next = shop
        .repository
        .push("mends", &[("web.yaml", Some(&web("3", "monitor: 0s")))]);
    shop.until_outcome(&next, "Succeeded").await;
    assert_image(&shop, "3");
    assert_own_times(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_back_a_healthy_rollout_returns_and_begins_anew_when_that_is_undone() {
    let shop = Shop::open(&real(), "released-back").await;
    let agent = shop.start();
    under_way(&shop, &web("2", STAYS)).await;
    three_new(&shop).await;
    let trace = shop.trace("web").await;
    agent.kill();
    shop.verb(&["release", "web", "--back"]);
    shop.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    assert_image(&shop, "1");
    assert_own_times(&shop);
    assert!(trace.fewest_ready() >= 9, "{trace}");
    shop.verb(&["release", "web", "--undo"]);
    let _agent = shop.start();
    three_new(&shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_runs_stops_writing_and_goes_on_when_that_is_undone() {
    let shop = Shop::open(&real(), "released-live").await;
    let agent = shop.start();
    let second = under_way(&shop, &web("2", STAYS)).await;
    three_new(&shop).await;
    shop.verb(&["release", "web"]);
    shop.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    shop.until_served().await;
    assert_image(&shop, "2");
    assert_own_times(&shop);
    assert_eq!(shop.outcome(&second), "InProgress");
    shop.verb(&["release", "web", "--undo"]);
    shop.until_outcome(&second, "Succeeded").await;
    assert_image(&shop, "2");
    assert_own_times(&shop);
    drop(agent);
}

/// A configuration that names another `GitSync`, which has nothing to do.
fn without_web(shop: &Shop) -> String {
    let text = std::fs::read_to_string(shop.config()).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    document["metadata"]["name"] = json!("other");
    document["spec"]["source"]["path"] = json!("apps/other");
    document.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gitsync_that_leaves_the_file_is_released_and_served_again_when_it_comes_back() {
    for is_dead in [false, true] {
        let shop = Shop::open(&real(), if is_dead { "left-dead" } else { "left" }).await;
        let first = shop.start();
        let second = under_way(&shop, &web("2", STAYS)).await;
        three_new(&shop).await;
        let config = std::fs::read_to_string(shop.config()).unwrap();
        let agent: Agent = if is_dead {
            first.kill();
            shop.write_config(&without_web(&shop));
            shop.start()
        } else {
            shop.write_config(&without_web(&shop));
            first
        };
        shop.until("the mark", || shop.ledger()["released"].is_object())
            .await;
        shop.until("its own times", || {
            shop.get("deployment/web")["spec"]["minReadySeconds"] == 1
        })
        .await;
        shop.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
        assert_image(&shop, "2");
        assert_kubectl_rolls_to(&shop, "2-other");
        assert_kubectl_rolls_to(&shop, "2");

        shop.write_config(&config);
        shop.until_outcome(&second, "Succeeded").await;
        let third = shop
            .repository
            .push("goes on", &[("web.yaml", Some(&web("3", "monitor: 0s")))]);
        shop.until_outcome(&third, "Succeeded").await;
        assert_image(&shop, "3");
        assert_own_times(&shop);
        drop(agent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_lost_a_shard_is_released_all_the_same() {
    let shop = Shop::open(&real(), "lost-shard").await;
    let agent = shop.start();
    under_way(&shop, &web("2", STAYS)).await;
    three_new(&shop).await;
    agent.kill();
    let shards = "tidegate.dev/ledger-shard=tidegate-web";
    shop.kubectl(&["delete", "configmaps", "-l", shards]);
    let status = shop.tidegate(&["status", "web"]);
    let words = String::from_utf8_lossy(&status.stderr).into_owned();
    assert_eq!(status.status.code(), Some(2));
    assert!(words.contains("tidegate release"), "{words}");
    shop.verb(&["release", "web"]);
    assert_own_times(&shop);
    shop.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    assert_image(&shop, "2");
    // Without its ledger the agent adopts what runs.
    shop.kubectl(&["delete", "configmap", "tidegate-web"]);
    let _agent = shop.start();
    let third = shop
        .repository
        .push("goes on", &[("web.yaml", Some(&web("3", "monitor: 0s")))]);
    shop.until_outcome(&third, "Succeeded").await;
    assert_image(&shop, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_cannot_be_read_keeps_no_other_gitsync_from_its_release() {
    let shop = Shop::open(&real(), "broken-ledger").await;
    let document = |name: &str, path: &str| shop.gitsync(name, path, &json!({})).to_string();
    let [broken, web_sync, rest] = [
        document("broken", "apps/broken"),
        document("web", "apps/web"),
        document("rest", "apps/rest"),
    ];
    let flags = |name: &str| crate::shop::config_map(name, "1");
    shop.repository.push(
        "others",
        &[
            ("../broken/one.yaml", Some(&flags("one"))),
            ("../rest/two.yaml", Some(&flags("two"))),
        ],
    );
    shop.write_config(
        &[&broken, &web_sync, &rest]
            .map(String::as_str)
            .join("\n---\n"),
    );
    let agent = shop.start();
    under_way(&shop, &web("2", STAYS)).await;
    three_new(&shop).await;
    shop.until("the others", || {
        ["broken", "rest"]
            .iter()
            .all(|name| shop.ledger_of(name)["history"][0]["outcome"] == "Succeeded")
    })
    .await;
    agent.kill();
    let nonsense = r#"{"data": {"ledger": "{"}}"#;
    shop.kubectl(&["patch", "configmap", "tidegate-broken", "-p", nonsense]);
    shop.write_config(&rest);
    let agent = shop.start();
    shop.until("the mark", || shop.ledger()["released"].is_object())
        .await;
    shop.until("its own times", || {
        shop.get("deployment/web")["spec"]["minReadySeconds"] == 1
    })
    .await;
    drop(agent);
    shop.write_config(&broken);
    let _agent = shop.start();
    shop.until_note("tidegate-broken", "CannotBegin", "head of the ledger")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_broken_or_missing_file_changes_nothing() {
    let shop = Shop::open(&real(), "broken-file").await;
    let agent = shop.start();
    let quick = STAYS.replace("10m", "0s");
    let second = under_way(&shop, &web("2", STAYS)).await;
    three_new(&shop).await;
    let trace = shop.trace("web").await;
    let config = std::fs::read_to_string(shop.config()).unwrap();
    let complaints = || agent.log().matches("nothing changes").count();
    for text in [
        "",
        "# nothing\n---\n",
        "kind: [",
        "kind: GitSync\nspec: {}\n",
    ] {
        let before = complaints();
        shop.write_config(text);
        shop.until("a complaint", || complaints() > before).await;
    }
    let before = complaints();
    std::fs::remove_file(shop.config()).unwrap();
    shop.until("a complaint", || complaints() > before).await;
    shop.until_served().await;
    assert!(shop.ledger()["released"].is_null());
    assert_eq!(shop.outcome(&second), "InProgress");
    assert_eq!(trace.most_pods(), 13, "{trace}");

    shop.write_config(&config);
    let loosened = web("2", &quick);
    let third = shop
        .repository
        .push("no soak", &[("web.yaml", Some(&loosened))]);
    shop.until_outcome(&third, "Succeeded").await;
    assert_image(&shop, "2");
    assert_own_times(&shop);
}
