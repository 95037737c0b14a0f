//! Failed pods that a policy puts up with.

use crate::play;
use crate::shop::{Agent, Counts, SOON, Shop, Stage, Trace, deployment, settings};

/// Approvals hold the batches, so that just those of the second one can be made to fail.
const STEPS: &str = "steps: [1, 30%, 100%]\nmaxSurge: 100%\nmonitor: 0s\napproval: EveryBatch";

/// Ten pods of `1` at rest, under a policy.
async fn open(stage: &Stage, name: &str, policy: &str) -> (Shop, Agent, Trace) {
    let shop = Shop::open(stage, name).await;
    let agent = shop.start();
    shop.begin(&[("web.yaml", Some(&deployment("web", "1", policy)))])
        .await;
    let trace = shop.trace_at_rest("web").await;
    (shop, agent, trace)
}

/// Makes the ConfigMap by which pods that start from now on work.
fn make_settings(shop: &Shop) {
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n\
                    data: {fixed: \"true\"}\n";
    shop.make(&["apply"], settings);
}

/// Says whether pods that start from now on work.
fn set_works(shop: &Shop, works: bool) {
    let patch = format!("{{\"data\": {{\"fixed\": \"{works}\"}}}}");
    let arguments = ["patch", "configmap/settings", "--type=merge", "-p", &patch];
    shop.kubectl(&arguments);
}

/// Pushes `2-needsmap` and approves its batches, of which the second one's pods crash.
async fn roll(shop: &Shop, trace: &Trace, policy: &str) -> String {
    make_settings(shop);
    let second = shop.push_web("web 2", &deployment("web", "2-needsmap", policy));
    let one = |counts: &Counts| counts.with_tag("2-needsmap") == 1;
    assert_eq!(shop.wait(&second), Some(5), "the first batch waits");
    shop.verb(&["approve", "web"]);
    trace.until_settled("batch 1", SOON, one).await;
    assert_eq!(shop.wait(&second), Some(5), "the second batch waits");
    set_works(shop, false);
    shop.verb(&["approve", "web"]);
    second
}

#[test]
fn failed_pods_within_the_ratio_are_put_up_with_and_the_rollout_ends() {
    play(async |stage: Stage| {
        let policy = format!("{STEPS}\nmaxFailureRatio: 20%");
        let (shop, _agent, trace) = open(&stage, "ratio", &policy).await;
        let second = roll(&shop, &trace, &policy).await;
        shop.until_note("web", "GateReached", "batch 3").await;
        assert_eq!(shop.wait(&second), Some(5), "the third batch waits");
        set_works(&shop, true);
        shop.verb(&["approve", "web"]);
        shop.until_outcome(&second, "Succeeded").await;
        trace
            .until_settled("all pods to be new", SOON, |counts| {
                counts.with_tag("2-needsmap") == 10 && counts.total() == 10
            })
            .await;
        assert!(trace.fewest_ready() >= 8, "{trace}");
        shop.until_note("web", "BatchHealthy", "2 failed and are put up with")
            .await;
    });
}

#[test]
fn more_failed_pods_than_the_ratio_allows_fail_the_rollout() {
    play(async |stage: Stage| {
        let policy = format!("{STEPS}\nmaxFailureRatio: 0.1\nonFailure: Rollback");
        let (shop, _agent, trace) = open(&stage, "beyond-ratio", &policy).await;
        let second = roll(&shop, &trace, &policy).await;
        shop.until_outcome(&second, "RolledBack").await;
        trace
            .until_settled("the old pods", SOON, |counts| counts.with_tag("1") == 10)
            .await;
        assert!(trace.fewest_ready() >= 9, "{trace}");
    });
}

#[test]
fn with_continue_failed_pods_are_passed_over_and_nothing_goes_back_to_that_commit() {
    play(async |stage: Stage| {
        let policy = format!("{STEPS}\nonFailure: Continue");
        let (shop, _agent, trace) = open(&stage, "continued", &policy).await;
        let first = shop.ledger()["lastGood"]["id"].clone();
        let second = roll(&shop, &trace, &policy).await;
        shop.until_note("web", "GateReached", "batch 3").await;
        set_works(&shop, true);
        shop.verb(&["promote", "web", "--full"]);
        shop.until_outcome(&second, "CompletedWithFailures").await;
        assert_eq!(shop.wait(&second), Some(3));
        assert_eq!(shop.ledger()["lastGood"]["id"], first);
        let status = shop.verb(&["status", "web"]);
        assert!(status.contains("2 new pods failed"), "{status}");
        let other = settings(true).replace("settings", "other");
        let beside = shop.push("beside", &[("other.yaml", Some(&other))]);
        shop.until_outcome(&beside, "CompletedWithFailures").await;
        assert_eq!(shop.ledger()["lastGood"]["id"], first);
        let quick = "batchSize: 100%\nmonitor: 0s\nonFailure: Rollback";
        let bad = shop.push_web("breaks", &deployment("web", "3-crash", quick));
        shop.until_outcome(&bad, "RolledBack").await;
        trace
            .until_settled("the first pods", SOON, |counts| {
                counts.with_tag("1") == 10 && counts.total() == 10
            })
            .await;
    });
}

#[test]
fn after_the_batch_that_closes_the_way_back_a_failure_pauses() {
    play(async |stage: Stage| {
        let policy = format!("{STEPS}\nonFailure: Rollback\nnoRollbackAfter: 1");
        let (shop, _agent, trace) = open(&stage, "one-way", &policy).await;
        let second = roll(&shop, &trace, &policy).await;
        shop.until_outcome(&second, "Failed").await;
        assert_eq!(shop.wait(&second), Some(5), "a person decides");
        assert_eq!(shop.pods("web", "2-needsmap").len(), 3);
    });
}
