//! Ways back beside an object that is stuck: pods go back all the same, and no revert is ever failed
//! for what stands in its way.

use serde_json::{Value, json};

use crate::play;
use crate::shop::{Agent, Counts, SOON, Shop, Stage, Trace, deployment, settings};

/// A shop in batch 1 of 3 of another image, in which the ConfigMap of the same commit is stuck: it is
/// being deleted, and a finalizer keeps it.
async fn stuck(stage: &Stage, prefix: &str) -> (Shop, Agent, Trace, String) {
    let shop = Shop::open(stage, prefix).await;
    let agent = shop.start();
    shop.begin(&[
        ("web.yaml", Some(&slow("1"))),
        ("settings.yaml", Some(&settings(false))),
    ])
    .await;
    let trace = shop.trace_at_rest("web").await;
    let next = shop.push(
        "web 2",
        &[
            ("web.yaml", Some(&slow("2"))),
            ("settings.yaml", Some(&settings(true))),
        ],
    );
    let one = |counts: &Counts| counts.with_tag("2") == 1;
    trace.until_settled("batch 1", SOON, one).await;
    shop.keep("configmap/settings", true);
    shop.kubectl(&["delete", "configmap/settings", "--wait=false"]);
    (shop, agent, trace, next)
}

/// Pushes what such a shop began with.
fn push_back(shop: &Shop) -> String {
    shop.push(
        "Revert \"web 2\"",
        &[
            ("web.yaml", Some(&slow("1"))),
            ("settings.yaml", Some(&settings(false))),
        ],
    )
}

fn slow(tag: &str) -> String {
    let policy = "steps: [1, 50%, 100%]\nsoak: 30m\nmonitor: 0s\nonFailure: Rollback";
    deployment("web", tag, policy)
}

async fn until_back(trace: &Trace) {
    trace
        .until_settled("the pods to be back", SOON, |counts| {
            counts.with_tag("1") == 10 && counts.total() == 10
        })
        .await;
    assert!(trace.fewest_ready() >= 10, "{trace}");
}

#[test]
fn an_abort_takes_pods_back_although_an_object_that_is_needed_first_is_stuck() {
    play(async |stage: Stage| {
        let (shop, _agent, trace, next) = stuck(&stage, "stuck").await;
        shop.verb(&["abort", "web"]);
        until_back(&trace).await;
        let status = shop.verb(&["status", "web"]);
        assert!(status.contains("/settings is being deleted"), "{status}");
        assert_ne!(shop.outcome(&next), "Aborted", "not all of it is back");
        shop.keep("configmap/settings", false);
        shop.until_outcome(&next, "Aborted").await;
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "false");
    });
}

#[test]
fn a_revert_takes_pods_back_although_an_object_that_is_needed_first_is_stuck() {
    play(async |stage: Stage| {
        let (shop, _agent, trace, _) = stuck(&stage, "stuck-revert").await;
        let revert = push_back(&shop);
        until_back(&trace).await;
        assert_eq!(shop.outcome(&revert), "InProgress");
        shop.keep("configmap/settings", false);
        shop.until_outcome(&revert, "Succeeded").await;
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "false");
    });
}

#[test]
fn a_revert_that_stays_stuck_is_told_and_never_gone_back_on() {
    play(async |stage: Stage| {
        let (shop, _agent, trace, _) = stuck(&stage, "stuck-long").await;
        shop.configure(&json!({"healthTimeout": "3s"}));
        let revert = push_back(&shop);
        until_back(&trace).await;
        let told = shop.until_problem("RollbackFailed").await;
        assert!(told.contains("/settings is being deleted"), "{told}");
        assert_eq!(shop.outcome(&revert), "InProgress");
        assert_eq!(shop.wait(&revert), Some(5));
        let quarantine = shop.ledger()["quarantine"].to_string();
        assert!(!quarantine.contains(&revert), "{quarantine}");
        shop.keep("configmap/settings", false);
        shop.until_outcome(&revert, "Succeeded").await;
        assert_eq!(shop.problem().0, "");
    });
}

/// A shop in which a commit has succeeded and its revert has taken the pods back, beside a ConfigMap
/// that is stuck; with the commit of the revert.
async fn reverted_beside_stuck(stage: &Stage, prefix: &str, more: &Value) -> (Shop, Agent, String) {
    let shop = Shop::open(stage, prefix).await;
    shop.configure(more);
    let agent = shop.start();
    let (one, two) = (quick("1"), quick("2"));
    let (old, new) = (settings(false), settings(true));
    let before = [
        ("web.yaml", Some(one.as_str())),
        ("settings.yaml", Some(old.as_str())),
    ];
    shop.begin(&before).await;
    shop.begin(&[("web.yaml", Some(&two)), ("settings.yaml", Some(&new))])
        .await;
    let trace = shop.trace_at_rest("web").await;
    shop.keep("configmap/settings", true);
    shop.kubectl(&["delete", "configmap/settings", "--wait=false"]);
    let revert = shop.push("Revert \"works\"", &before);
    until_back(&trace).await;
    (shop, agent, revert)
}

fn quick(tag: &str) -> String {
    deployment("web", tag, "steps: [50%, 100%]\nmonitor: 0s")
}

#[test]
fn a_revert_after_the_rollout_waits_for_no_stuck_object_either() {
    play(async |stage: Stage| {
        let (shop, _agent, revert) = reverted_beside_stuck(&stage, "stuck-after", &json!({})).await;
        assert_eq!(shop.outcome(&revert), "InProgress");
        shop.keep("configmap/settings", false);
        shop.until_outcome(&revert, "Succeeded").await;
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "false");
    });
}

#[test]
fn a_revert_writes_what_it_may_before_its_pods_go_back_beside_what_is_stuck() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "stuck-earlier").await;
        let _agent = shop.start();
        let account = |labels: &str| {
            format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: robot{labels}}}\n")
        };
        // The pods of web 1 run only where the settings are fixed.
        let (one, two) = (quick("1-needsmap"), quick("2"));
        let (old, new) = (settings(true), settings(false));
        let (plain, labelled) = (account(""), account(", labels: {a: b}"));
        let before = [
            ("web.yaml", Some(one.as_str())),
            ("settings.yaml", Some(old.as_str())),
            ("account.yaml", Some(plain.as_str())),
        ];
        shop.begin(&before).await;
        shop.begin(&[
            ("web.yaml", Some(&two)),
            ("settings.yaml", Some(&new)),
            ("account.yaml", Some(&labelled)),
        ])
        .await;
        let trace = shop.trace_at_rest("web").await;
        shop.keep("serviceaccount/robot", true);
        shop.kubectl(&["delete", "serviceaccount/robot", "--wait=false"]);
        let revert = shop.push("Revert \"works\"", &before);
        trace
            .until_settled("the pods to be back", SOON, |counts| {
                counts.with_tag("1-needsmap") == 10 && counts.total() == 10
            })
            .await;
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "true");
        assert!(trace.fewest_ready() >= 10, "{trace}");
        assert_eq!(shop.outcome(&revert), "InProgress");
        shop.keep("serviceaccount/robot", false);
        shop.until_outcome(&revert, "Succeeded").await;
    });
}

#[test]
fn a_commit_that_fails_behind_a_stuck_revert_goes_back_to_it_and_not_to_what_git_took_back() {
    play(async |stage: Stage| {
        let back = json!({"healthTimeout": "3s", "rollout": {"onFailure": "Rollback"}});
        let (shop, _agent, _) = reverted_beside_stuck(&stage, "stuck-behind", &back).await;
        let trace = shop.trace_at_rest("web").await;
        let next = shop.push("web 3", &[("web.yaml", Some(&quick("3")))]);
        shop.until("it to fail", || shop.ledger()["aim"]["course"] != "Forward")
            .await;
        shop.keep("configmap/settings", false);
        shop.until_outcome(&next, "RolledBack").await;
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "false");
        assert_eq!(trace.most_with("2"), 0, "{trace}");
        assert_eq!(shop.pods("web", "1").len(), 10);
    });
}

/// A shop that runs web 2 and another ConfigMap beside it, each by a commit of its own, with the
/// settings that came with web 2 stuck; with what it began with.
async fn behind_another(stage: &Stage, prefix: &str) -> (Shop, Agent, String) {
    let shop = Shop::open(stage, prefix).await;
    let back = json!({"healthTimeout": "3s", "rollout": {"onFailure": "Rollback"}});
    shop.configure(&back);
    let agent = shop.start();
    let other = |value: &str| settings(value == "2").replace("name: settings", "name: other");
    shop.begin(&[
        ("web.yaml", Some(&quick("1"))),
        ("settings.yaml", Some(&settings(false))),
        ("other.yaml", Some(&other("1"))),
    ])
    .await;
    let web = [
        ("web.yaml", Some(quick("2"))),
        ("settings.yaml", Some(settings(true))),
    ];
    let web = web.each_ref().map(|(name, text)| (*name, text.as_deref()));
    let taken_back = shop.push("web 2", &web);
    shop.until_outcome(&taken_back, "Succeeded").await;
    shop.begin(&[("other.yaml", Some(&other("2")))]).await;
    (shop, agent, taken_back)
}

#[test]
fn a_revert_with_another_commit_behind_it_waits_for_nothing_and_is_never_gone_back_on() {
    play(async |stage: Stage| {
        let (shop, _agent, taken_back) = behind_another(&stage, "stuck-two").await;
        let trace = shop.trace_at_rest("web").await;
        shop.keep("configmap/settings", true);
        shop.kubectl(&["delete", "configmap/settings", "--wait=false"]);
        let revert = shop.revert(&taken_back);
        until_back(&trace).await;
        let told = shop.until_problem("RollbackFailed").await;
        assert!(told.contains("/settings is being deleted"), "{told}");
        assert_eq!(shop.wait(&revert), Some(5));
        shop.keep("configmap/settings", false);
        shop.until_outcome(&revert, "Succeeded").await;
        assert_eq!(shop.problem().0, "");
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "false");
        assert_eq!(shop.get("configmap/other")["data"]["fixed"], "true");
        let quarantine = shop.ledger()["quarantine"].to_string();
        assert!(!quarantine.contains(&revert), "{quarantine}");
    });
}
