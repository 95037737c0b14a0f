//! `git revert`: recognised by its content, before, during and after the rollout.

use std::time::Duration;

use serde_json::json;

use super::NEEDS_SETTINGS;
use crate::play;
use crate::shop::{Agent, Counts, SOON, Shop, Stage, Trace, deployment, settings};

const FOUR: &str = "steps: [1, 3, 60%, 100%]\nsoak: 3s\nmonitor: 1s";
const QUICK: &str = "steps: [50%, 100%]\nmonitor: 1s";

/// A shop in which `web:1` succeeded under a policy, with its commit.
async fn installed(stage: &Stage, prefix: &str, policy: &str) -> (Shop, Agent, String) {
    let shop = Shop::open(stage, prefix).await;
    let manifest = deployment("web", "1", policy);
    let first = shop.push("web 1", &[("web.yaml", Some(&manifest))]);
    let agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    (shop, agent, first)
}

fn push(shop: &Shop, tag: &str, policy: &str) -> String {
    let manifest = deployment("web", tag, policy);
    let subject = format!("web {tag}");
    shop.push(&subject, &[("web.yaml", Some(&manifest))])
}

async fn until_all_are(trace: &Trace, tag: &str) {
    let all = |counts: &Counts| counts.with_tag(tag) == 10 && counts.total() == 10;
    trace.until_settled("all pods to have it", SOON, all).await;
}

#[test]
fn a_revert_in_the_middle_of_a_batch_moves_only_the_pods_that_had_moved() {
    play(async |stage: Stage| {
        let (shop, _agent, first) = installed(&stage, "revert-amid", FOUR).await;
        let trace = shop.trace_at_rest("web").await;
        let second = push(&shop, "2", FOUR);
        shop.until("batch 2 to open", || shop.checkpoint("web")["batch"] == 2)
            .await;
        let amid = |counts: &Counts| counts.with_tag("1") == 9 && counts.with_tag("2") == 3;
        trace.until("three new pods", SOON, amid).await;
        // A batch with a pod that is not Ready cannot close, however slow this test is; a pod of
        // the first batch counts as Ready while the others are not yet.
        shop.set_ready(&shop.newest_pod("web", "2"), false);
        let stayed = shop.pod_uids("web", "1");
        assert_eq!(stayed.len(), 9, "{trace}");
        let third = shop.revert(&second);
        shop.until_outcome(&third, "Succeeded").await;
        until_all_are(&trace, "1").await;
        assert!(trace.fewest_ready() >= 10, "{trace}");
        assert!(shop.pod_uids("web", "1").is_superset(&stayed), "{trace}");
        assert_eq!(trace.most_with("2"), 3, "{trace}");
        assert_eq!(shop.outcome(&second), "Superseded");
        assert_eq!(shop.record(&third)["rollbackTo"], *first);
        let history = shop.verb(&["history"]);
        let back = format!("Revert \"web 2\"  (back to {})", &first[..7]);
        assert!(history.contains(&back), "{history}");
        let live = shop.get("deployment/web");
        assert_eq!(live["spec"]["minReadySeconds"].as_u64().unwrap_or(0), 0);
        assert_eq!(live["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
    });
}

#[test]
fn a_revert_after_the_rollout_goes_at_native_pace_within_the_surge() {
    play(async |stage: Stage| {
        let (shop, _agent, first) = installed(&stage, "revert-after", QUICK).await;
        let second = push(&shop, "2", QUICK);
        shop.until_outcome(&second, "Succeeded").await;
        let trace = shop.trace_at_rest("web").await;
        until_all_are(&trace, "2").await;
        let third = shop.revert(&second);
        shop.until_outcome(&third, "Succeeded").await;
        until_all_are(&trace, "1").await;
        assert!(trace.fewest_ready() >= 10, "{trace}");
        assert_eq!(trace.most_asked(), 13, "a quarter more: {trace}");
        assert_eq!(shop.outcome(&second), "Succeeded");
        let record = shop.record(&third);
        assert_eq!(record["rollbackTo"], *first);
        assert_eq!(record["batches"], serde_json::json!([0, 0]), "no batches");
        let events = shop.events("Deployment", "web");
        assert!(
            events.iter().any(|(reason, _)| reason == "RolledBack"),
            "{events:?}"
        );
        let causes = shop.kubectl(&["rollout", "history", "deployment/web"]);
        assert!(causes.contains("Revert \"web 2\""), "{causes}");
    });
}

#[test]
fn a_revert_of_what_was_never_begun_moves_nothing() {
    play(async |stage: Stage| {
        let (shop, _agent, first) = installed(&stage, "revert-before", QUICK).await;
        let trace = shop.trace_at_rest("web").await;
        let before = shop.get("deployment/web");
        let second = shop.repository.commit(
            "web 2",
            &[("web.yaml", Some(&deployment("web", "2", QUICK)))],
        );
        let third = shop.revert(&second);
        shop.until_outcome(&third, "Succeeded").await;
        assert_eq!(shop.outcome(&second), "Superseded");
        assert_eq!(shop.record(&third)["rollbackTo"], *first);
        untouched(&shop, &trace, &before);
    });
}

#[test]
fn a_revert_of_what_waits_for_a_pause_to_end_moves_nothing() {
    play(async |stage: Stage| {
        let (shop, _agent, first) = installed(&stage, "revert-paused", QUICK).await;
        let trace = shop.trace_at_rest("web").await;
        let before = shop.get("deployment/web");
        shop.verb(&["pause", "--reason", "lunch"]);
        shop.until("the pause", || !shop.ledger()["pause"].is_null())
            .await;
        let second = push(&shop, "2", QUICK);
        shop.until_outcome(&second, "Pending").await;
        let third = shop.revert(&second);
        shop.until_outcome(&third, "Pending").await;
        assert_eq!(shop.outcome(&second), "Superseded");
        assert_eq!(shop.wait(&third), Some(5), "it waits for a person");
        shop.verb(&["resume"]);
        shop.until_outcome(&third, "Succeeded").await;
        assert_eq!(shop.record(&third)["rollbackTo"], *first);
        untouched(&shop, &trace, &before);
    });
}

/// Says that neither the Deployment's specification nor its pods have changed.
fn untouched(shop: &Shop, trace: &Trace, before: &serde_json::Value) {
    let now = shop.get("deployment/web");
    assert_eq!(
        now["metadata"]["generation"],
        before["metadata"]["generation"]
    );
    assert_eq!(
        now["metadata"]["annotations"],
        before["metadata"]["annotations"]
    );
    assert_eq!(trace.most_pods(), 10, "{trace}");
    assert_eq!(trace.settled().len(), 1, "{trace}");
}

#[test]
fn a_revert_moves_no_workload_that_waited_for_others_of_its_commit() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "revert-behind").await;
        let names = ["a", "b", "c", "d", "web"];
        let small = |name: &str, tag: &str| {
            deployment(name, tag, QUICK).replace("replicas: 10", "replicas: 2")
        };
        let manifests = |tags: [&str; 5]| -> String {
            let all = names.iter().zip(tags).map(|(name, tag)| small(name, tag));
            all.collect::<Vec<_>>().join("---\n")
        };
        let ones = manifests(["1"; 5]);
        let first = shop.push("ones", &[("all.yaml", Some(&ones))]);
        let _agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        let trace = shop.trace_at_rest("web").await;
        let twos = manifests(["2-never", "2-never", "2-never", "2-never", "2"]);
        let second = shop.push("twos", &[("all.yaml", Some(&twos))]);
        shop.until("four to roll", || {
            ["a", "b", "c", "d"]
                .iter()
                .all(|name| shop.checkpoint(name)["phase"] == "Progressing")
        })
        .await;
        assert!(shop.checkpoint("web").is_null(), "the fifth waits");
        let third = shop.revert(&second);
        shop.until_outcome(&third, "Succeeded").await;
        assert_eq!(shop.outcome(&second), "Superseded");
        assert_eq!(shop.record(&third)["rollbackTo"], *first);
        assert_eq!(trace.most_pods(), 2, "{trace}");
        for name in names {
            assert_eq!(shop.pods(name, "1").len(), 2, "{name}");
        }
    });
}

#[test]
fn a_revert_that_the_cluster_refuses_stops_what_it_takes_back_and_goes_through_once_it_may() {
    play(async |stage: Stage| {
        let policy = "steps: [1, 100%]\nsoak: 5s\nmonitor: 1s";
        let shop = Shop::open(&stage, "revert-refused").await;
        let _agent = shop.start();
        let web = |tag: &str| deployment("web", tag, policy);
        let (first, second) = (web("1"), web("2"));
        let before = [
            ("web.yaml", Some(first.as_str())),
            ("settings.yaml", Some(&settings(false))),
        ];
        shop.begin(&before).await;
        let trace = shop.trace_at_rest("web").await;
        let bad = shop.push(
            "web 2",
            &[
                ("web.yaml", Some(&second)),
                ("settings.yaml", Some(&settings(true))),
            ],
        );
        let one = |counts: &Counts| counts.with_tag("2") == 1;
        trace.until("batch 1", SOON, one).await;
        let immutable = "{\"immutable\":true}";
        shop.kubectl(&[
            "patch",
            "configmap/settings",
            "--type=merge",
            "-p",
            immutable,
        ]);
        let revert = shop.revert(&bad);
        shop.until_outcome(&revert, "Rejected").await;
        let told = shop.until_problem("Rejected").await;
        assert!(told.contains("immutable"), "{told}");
        let told_too = format!(
            "takes back what is being rolled out: no further batch of {}",
            &bad[..7]
        );
        assert!(told.contains(&told_too), "{told}");
        let status = shop.verb(&["status", "web"]);
        assert!(status.contains("tidegate abort"), "{status}");
        // A commit that cannot be read on top of it wants nothing else.
        let broken = shop.push("breaks", &[("bad.yaml", Some("a: ["))]);
        shop.until_outcome(&broken, "Rejected").await;
        trace
            .until_rest("no further batch", Duration::from_secs(8), SOON)
            .await;
        let revert = shop.push("mends", &[("bad.yaml", None)]);
        shop.until_outcome(&revert, "Rejected").await;
        assert_eq!(trace.most_with("2"), 1, "{trace}");
        // It is made again as the commit that runs has it, and can be changed from then on.
        shop.kubectl(&["delete", "configmap/settings"]);
        shop.until_outcome(&revert, "Succeeded").await;
        until_all_are(&trace, "1").await;
        assert_eq!(trace.most_with("2"), 1, "{trace}");
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "false");
    });
}

#[test]
fn a_revert_whose_pods_fail_does_not_become_good_by_being_judged_once_more() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "revert-crash").await;
        shop.configure(&json!({"drift": "Ignore"}));
        let _agent = shop.start();
        let web = |tag: &str| deployment("web", tag, QUICK) + NEEDS_SETTINGS;
        shop.begin(&[
            ("web.yaml", Some(&web("1-needsmap"))),
            ("settings.yaml", Some(&settings(true))),
        ])
        .await;
        let second = shop.push_web("web 2", &web("2"));
        shop.until_outcome(&second, "Succeeded").await;
        let broken = r#"{"data":{"fixed":"false"}}"#;
        shop.kubectl(&["patch", "configmap/settings", "--type=merge", "-p", broken]);
        let revert = shop.push_web("Revert", &web("1-needsmap"));
        shop.until("the way back to fail", || {
            shop.checkpoint("web")["phase"] == "RollbackFailed"
        })
        .await;
        shop.configure(&json!({"drift": "Ignore", "historyLimit": 5}));
        shop.until("the new configuration", || {
            shop.ledger()["spec"]["spec"]["historyLimit"] == 5
        })
        .await;
        shop.until_served().await;
        assert_eq!(shop.ledger()["lastGood"]["id"], *second);
        shop.verb(&["abort", "web"]);
        shop.until_outcome(&revert, "Aborted").await;
        assert_eq!(shop.pods("web", "2").len(), 10);
    });
}
