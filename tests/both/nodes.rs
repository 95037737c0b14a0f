//! A push rolls a DaemonSet node by node, batch by batch, by deletes of its own.

use std::collections::BTreeSet;

use kube::api::ListParams;
use serde_json::{Value, json};

use super::laddered;
use crate::play;
use crate::shop::{Agent, Ladder, Shop, Stage, daemon_set};

const STEPS: &str = "steps: [1, 60%, 100%]\nsoak: 1s\nmonitor: 0s";

/// The DaemonSet `web` by these steps.
fn web(tag: &str, on_failure: &str, more: &str) -> String {
    daemon_set(
        "web",
        tag,
        &format!("{STEPS}\nonFailure: {on_failure}"),
        more,
    )
}

/// A shop in which `1` has succeeded, with a record of its pods from then on.
async fn installed(stage: &Stage, prefix: &str, manifest: &str) -> (Shop, Agent, Ladder) {
    laddered(stage, prefix, ("daemonset/web", manifest)).await
}

/// How often a tag stands in a rest.
fn count(rest: &str, tag: &str) -> usize {
    rest.split(' ').filter(|word| *word == tag).count()
}

#[test]
fn a_push_rolls_a_daemon_set_in_the_steps_of_the_policy_and_its_strategy_comes_back() {
    play(async |stage: Stage| {
        let (shop, _agent, ladder) = installed(&stage, "nodes", &web("1", "Pause", "")).await;
        let second = shop.push_web("web 2", &web("2", "Pause", ""));
        shop.until_outcome(&second, "Succeeded").await;
        let course = [
            "RollingUpdate: 1 1 1 1 1",
            "OnDelete: 2 2 2 2 2",
            "RollingUpdate: 2 2 2 2 2",
        ];
        assert_eq!(ladder.rests(), course);
        assert_eq!(ladder.fewest_ready(), 4, "one node at a time");
        for batch in ["1 of 3: 1 new", "2 of 3: 3 new", "3 of 3: 5 new"] {
            shop.until_note("web", "BatchHealthy", batch).await;
        }
    });
}

#[test]
fn a_batch_spreads_over_the_zones() {
    play(async |stage: Stage| {
        let manifest = |tag| daemon_set("web", tag, "steps: [3, 100%]\nsoak: 5m", "");
        let (shop, _agent, _ladder) = installed(&stage, "nodes-zones", &manifest("1")).await;
        let second = shop.push_web("web 2", &manifest("2"));
        shop.until("three new pods", || {
            !shop.checkpoint_of("DaemonSet", "web")["healthySince"].is_null()
        })
        .await;
        let new = shop.pods("web", "2");
        assert_eq!(new.len(), 3);
        let zone = |pod: &Value| {
            let zone = pod["metadata"]["labels"]["topology.kubernetes.io/zone"].clone();
            zone.to_string()
        };
        assert_eq!(new.iter().map(zone).collect::<BTreeSet<_>>().len(), 3);
        let revert = shop.revert(&second);
        shop.until_outcome(&revert, "Succeeded").await;
        assert_eq!(shop.pods("web", "1").len(), 5);
    });
}

#[test]
fn a_node_with_the_canary_label_goes_first() {
    play(async |stage: Stage| {
        let manifest = |tag| daemon_set("web", tag, "steps: [1, 100%]\nsoak: 5m", "");
        let (shop, _agent, _ladder) = installed(&stage, "nodes-canary", &manifest("1")).await;
        let nodes = shop.list("node", &ListParams::default());
        let names = nodes
            .iter()
            .filter_map(|node| node["metadata"]["name"].as_str());
        let last = names.max().expect("there are nodes");
        let label = |value: Option<&str>| {
            let patch = json!({"metadata": {"labels": {"tidegate.dev/canary": value}}});
            let node = format!("node/{last}");
            shop.kubectl(&["patch", &node, "--type=merge", "-p", &patch.to_string()]);
        };
        label(Some("true"));
        shop.push_web("web 2", &manifest("2"));
        shop.until("the first new pod", || {
            !shop.checkpoint_of("DaemonSet", "web")["healthySince"].is_null()
        })
        .await;
        let new = shop.pods("web", "2");
        label(None);
        assert_eq!(new.len(), 1);
        assert_eq!(new[0]["spec"]["nodeName"], *last);
    });
}

#[test]
fn without_a_policy_as_many_nodes_go_at_a_time_as_may_be_unavailable() {
    play(async |stage: Stage| {
        let more = "  updateStrategy: {rollingUpdate: {maxUnavailable: 2}}\n";
        let manifest = |tag| daemon_set("web", tag, "monitor: 0s", more);
        let (shop, _agent, ladder) = installed(&stage, "nodes-own", &manifest("1")).await;
        let second = shop.push_web("web 2", &manifest("2"));
        shop.until_outcome(&second, "Succeeded").await;
        shop.until_note("web", "BatchHealthy", "3 of 3: 5 new")
            .await;
        assert!(ladder.fewest_ready() >= 3, "two nodes at a time");
    });
}

#[test]
fn new_pods_that_come_before_the_old_ones_go_are_left_to_kubernetes() {
    play(async |stage: Stage| {
        let more = "  updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}\n";
        let manifest = |tag| daemon_set("web", tag, "monitor: 0s", more);
        let (shop, _agent, ladder) = installed(&stage, "nodes-surge", &manifest("1")).await;
        let second = shop.push_web("web 2", &manifest("2"));
        shop.until_outcome(&second, "Succeeded").await;
        assert_eq!(shop.pods("web", "2").len(), 5);
        let rests = ladder.rests();
        let is_own = |rest: &String| rest.starts_with("RollingUpdate");
        assert!(rests.iter().all(is_own), "{rests:?}");
    });
}

#[test]
fn a_template_that_fits_no_node_fails() {
    play(async |stage: Stage| {
        let (shop, _agent, _ladder) =
            installed(&stage, "nodes-none", &web("1", "Rollback", "")).await;
        let nowhere = "      nodeSelector: {disk: none}\n      containers:\n";
        let bad = web("2", "Rollback", "").replace("      containers:\n", nowhere);
        let bad = shop.push_web("web 2", &bad);
        shop.until_outcome(&bad, "RolledBack").await;
        assert!(shop.message(&bad).contains("NoNodeFits"));
        shop.until("the pods to be back", || shop.pods("web", "1").len() == 5)
            .await;
    });
}

#[test]
fn a_failed_batch_goes_back_on_its_nodes_alone() {
    play(async |stage: Stage| {
        let (shop, _agent, ladder) =
            installed(&stage, "nodes-fail", &web("1", "Rollback", "")).await;
        let old = shop.pod_uids("web", "1");
        let bad = shop.push_web("web 2", &web("2-crash", "Rollback", ""));
        shop.until_outcome(&bad, "RolledBack").await;
        let rests = ladder.rests();
        let failed = &rests[1];
        assert!(failed.starts_with("OnDelete"), "{rests:?}");
        assert_eq!(count(failed, "2-crash"), 1, "{rests:?}");
        assert_eq!(rests.last().unwrap(), "RollingUpdate: 1 1 1 1 1");
        let back = shop.pod_uids("web", "1");
        assert_eq!(back.intersection(&old).count(), 4, "the others never moved");
    });
}

#[test]
fn a_fix_takes_over_on_the_node_that_failed() {
    play(async |stage: Stage| {
        let (shop, _agent, ladder) = installed(&stage, "nodes-fix", &web("1", "Pause", "")).await;
        let bad = shop.push_web("web 2", &web("2-crash", "Pause", ""));
        shop.until_outcome(&bad, "Failed").await;
        let fix = shop.push_web("web 3", &web("3", "Pause", ""));
        shop.until_outcome(&fix, "Succeeded").await;
        assert_eq!(ladder.rests().last().unwrap(), "RollingUpdate: 3 3 3 3 3");
        assert_eq!(ladder.fewest_ready(), 4, "what does not serve goes first");
    });
}

#[test]
fn with_on_delete_in_git_the_way_back_is_gone_by_deletes_too() {
    play(async |stage: Stage| {
        let more = "  updateStrategy: {type: OnDelete}\n";
        let (shop, _agent, ladder) =
            installed(&stage, "nodes-del", &web("1", "Rollback", more)).await;
        let second = shop.push_web("web 2", &web("2", "Rollback", more));
        shop.until_outcome(&second, "Succeeded").await;
        let bad = shop.push_web("web 3", &web("3-crash", "Rollback", more));
        shop.until_outcome(&bad, "RolledBack").await;
        let rests = ladder.rests();
        assert_eq!(rests[1], "OnDelete: 2 2 2 2 2");
        assert_eq!(count(&rests[2], "3-crash"), 1, "{rests:?}");
        assert_eq!(rests.last().unwrap(), "OnDelete: 2 2 2 2 2");
    });
}
