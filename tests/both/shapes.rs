//! Workloads that are not rolled in several batches, and several that are at once.

use crate::play;
use crate::shop::{Counts, SOON, Shop, Stage, deployment};

const PLAIN: &str = "monitor: 1s";

/// A Deployment of `web` with so many replicas.
fn sized(tag: &str, replicas: usize, policy: &str) -> String {
    deployment("web", tag, policy).replace("replicas: 10", &format!("replicas: {replicas}"))
}

fn recreated(tag: &str) -> String {
    let strategy = "replicas: 10\n  progressDeadlineSeconds: 20\n  strategy: {type: Recreate}";
    deployment("web", tag, PLAIN).replace("replicas: 10", strategy)
}

#[test]
fn a_single_pod_has_its_successor_ready_before_it_leaves() {
    play(async |stage: Stage| {
        let (shop, _agent) = Shop::installed(&stage, "single", &sized("1", 1, PLAIN)).await;
        let trace = shop.trace_at_rest("web").await;
        let second = shop.push_web("web 2", &sized("2-slow", 1, PLAIN));
        shop.until_outcome(&second, "Succeeded").await;
        let all = |counts: &Counts| counts.with_tag("2-slow") == 1 && counts.total() == 1;
        trace.until_settled("the successor alone", SOON, all).await;
        assert!(trace.fewest_ready() >= 1, "{trace}");
        assert_eq!(trace.most_pods(), 2, "{trace}");
        assert_eq!(shop.record(&second)["batches"], serde_json::json!([1, 1]));
    });
}

#[test]
fn a_single_pod_stops_first_where_it_is_told_to() {
    play(async |stage: Stage| {
        let policy = "order: StopFirst\nmonitor: 1s";
        let (shop, _agent) = Shop::installed(&stage, "single-stop", &sized("1", 1, policy)).await;
        let trace = shop.trace_at_rest("web").await;
        let second = shop.push_web("web 2", &sized("2", 1, policy));
        shop.until_outcome(&second, "Succeeded").await;
        assert_eq!(trace.most_asked(), 1, "{trace}");
        assert_eq!(shop.record(&second)["batches"], serde_json::json!([1, 1]));
    });
}

#[test]
fn no_replicas_are_applied_as_they_are() {
    play(async |stage: Stage| {
        let (shop, _agent) = Shop::installed(&stage, "none", &sized("1", 0, PLAIN)).await;
        let second = shop.push_web("web 2", &sized("2", 0, PLAIN));
        shop.until_outcome(&second, "Succeeded").await;
        let live = shop.get("deployment/web");
        assert_eq!(live["spec"]["minReadySeconds"].as_u64().unwrap_or(0), 0);
        let image = &live["spec"]["template"]["spec"]["containers"][0]["image"];
        assert_eq!(image, "shop/web:2");
        let third = shop.push_web("scale", &sized("2", 3, PLAIN));
        shop.until_outcome(&third, "Succeeded").await;
        shop.until("three pods", || shop.pods("web", "2").len() == 3)
            .await;
    });
}

#[test]
fn recreate_is_applied_as_it_is_and_judged_by_health() {
    play(async |stage: Stage| {
        let (shop, _agent) = Shop::installed(&stage, "recreate", &recreated("1")).await;
        let trace = shop.trace_at_rest("web").await;
        let second = shop.push_web("web 2", &recreated("2"));
        shop.until_outcome(&second, "Succeeded").await;
        let mixed = |c: &Counts| c.with_tag("1") > 0 && c.with_tag("2") > 0;
        let rests = trace.settled();
        assert!(!rests.iter().any(mixed), "{trace}");
        let third = shop.push_web("web 3", &recreated("3-crash"));
        shop.until_outcome(&third, "Failed").await;
        let message = shop.record(&third)["message"].clone();
        let message = message.as_str().unwrap();
        assert!(message.contains("CrashLoopBackOff"), "{message}");
        let fourth = shop.push_web("web 4", &recreated("2"));
        shop.until_outcome(&fourth, "Succeeded").await;
        assert_eq!(shop.record(&fourth)["rollbackTo"], *second);
        assert_eq!(shop.pods("web", "2").len(), 10);
    });
}

#[test]
fn a_workload_may_become_recreated_and_be_rolled_again_later() {
    play(async |stage: Stage| {
        let rolled = |tag: &str| deployment("web", tag, PLAIN);
        let (shop, _agent) = Shop::installed(&stage, "becomes", &rolled("1")).await;
        let strategy = || shop.get("deployment/web")["spec"]["strategy"].clone();
        let second = shop.push_web("web 2", &recreated("2"));
        shop.until_outcome(&second, "Succeeded").await;
        assert_eq!(strategy(), serde_json::json!({"type": "Recreate"}));
        assert_eq!(shop.pods("web", "2").len(), 10);
        let third = shop.push_web("web 3", &rolled("3"));
        shop.until_outcome(&third, "Succeeded").await;
        assert_eq!(strategy()["type"], "RollingUpdate");
        assert_eq!(strategy()["rollingUpdate"]["maxSurge"], "25%");
    });
}

#[test]
fn a_first_install_needs_no_batches_and_fails_where_it_is_broken() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "install").await;
        let steps = "steps: [1, 50%, 100%]\nonFailure: Rollback";
        let broken = deployment("web", "1-crash", steps);
        let first = shop.push("web 1", &[("web.yaml", Some(&broken))]);
        let _agent = shop.start();
        shop.until_outcome(&first, "Failed").await;
        let message = shop.record(&first)["message"].clone();
        let message = message.as_str().unwrap();
        assert!(message.contains("no revision has succeeded"), "{message}");
        assert_eq!(shop.pods("web", "1-crash").len(), 10, "all at once");
        let second = shop.push_web("web 2", &deployment("web", "2", steps));
        shop.until_outcome(&second, "Succeeded").await;
        assert_eq!(shop.pods("web", "2").len(), 10);
    });
}

#[test]
fn a_pause_in_git_holds_the_rollout_until_git_ends_it() {
    play(async |stage: Stage| {
        // Long enough for a commit to come before the batch closes.
        let policy = "steps: [1, 50%, 100%]\nsoak: 6s\nmonitor: 1s";
        let (shop, _agent) =
            Shop::installed(&stage, "git-pause", &deployment("web", "1", policy)).await;
        let trace = shop.trace_at_rest("web").await;
        let paused = |tag: &str| {
            deployment("web", tag, policy)
                .replace("replicas: 10\n", "replicas: 10\n  paused: true\n")
        };
        let second = shop.push_web("web 2, paused", &paused("2"));
        shop.until_outcome(&second, "InProgress").await;
        let third = shop.push_web("web 3, paused", &paused("3"));
        shop.until_outcome(&third, "InProgress").await;
        assert_eq!(shop.outcome(&second), "Superseded");
        let told = shop.until_problem("PausedInGit").await;
        assert!(
            told.contains("web") && told.contains("spec.paused"),
            "{told}"
        );
        assert_eq!(shop.wait(&third), Some(5), "a person has to go on");
        assert_eq!(trace.most_pods(), 10, "nothing moves: {trace}");
        let fourth = shop.push_web("web 3", &deployment("web", "3", policy));
        shop.until("batch 2 to open", || shop.checkpoint("web")["batch"] == 2)
            .await;
        let fifth = shop.push_web("pause again", &paused("3"));
        shop.until("the pause", || {
            shop.get("deployment/web")["spec"]["paused"] == true
        })
        .await;
        assert_eq!(shop.outcome(&fourth), "Superseded");
        let held = |counts: &Counts| counts.with_tag("1") == 9 && counts.with_tag("3") == 5;
        trace.until_settled("batch 2 to rest", SOON, held).await;
        shop.until("the pause to be told", || {
            shop.checkpoint("web")["isHeld"] == true
        })
        .await;
        assert_eq!(shop.outcome(&fifth), "InProgress");
        assert_eq!(shop.wait(&fifth), Some(5), "also in mid-rollout");
        let sixth = shop.push_web("go on", &deployment("web", "3", policy));
        // Nor does the pause before it speak for it.
        assert_eq!(shop.wait(&sixth), Some(0));
        assert_eq!(shop.outcome(&sixth), "Succeeded");
        let all = |counts: &Counts| counts.with_tag("3") == 10 && counts.total() == 10;
        trace.until_settled("all pods to be new", SOON, all).await;
        assert!(trace.fewest_ready() >= 10, "{trace}");
    });
}
