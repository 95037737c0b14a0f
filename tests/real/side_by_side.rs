//! Several workloads of a commit roll at once, and what is watched is watched once, as the audit log
//! has it.

use std::collections::BTreeMap;

use crate::cluster::ControlPlane;
use crate::real;
use crate::shop::{Shop, daemon_set, deployment};

#[tokio::test(flavor = "multi_thread")]
async fn four_workloads_of_a_commit_roll_at_once_and_the_others_follow() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let policy = "batchSize: 1\nsoak: 2s\nmonitor: 1s";
    let all = |tag: &str| -> String {
        let manifests = names.map(|name| deployment(name, tag, policy));
        manifests
            .join("---\n")
            .replace("replicas: 10", "replicas: 2")
    };
    let (shop, _agent) = Shop::installed(&real(), "parallel", &all("1")).await;
    let mark = ControlPlane::shared().audit().mark();
    let second = shop.push_web("all 2", &all("2"));
    shop.until_outcome(&second, "Succeeded").await;
    for name in names {
        assert_eq!(shop.pods(name, "2").len(), 2, "{name}");
    }
    let calls = ControlPlane::shared()
        .audit()
        .calls(&shop.account.user, mark);
    let mut spans: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (at, call) in calls.iter().enumerate() {
        if call.resource == "deployments" && call.verb == "patch" && !call.dry_run {
            spans.entry(call.name.clone()).or_insert((at, at)).1 = at;
        }
    }
    assert_eq!(spans.len(), names.len(), "{spans:?}");
    let at_once = |at: usize| {
        spans
            .values()
            .filter(|span| (span.0..=span.1).contains(&at))
            .count()
    };
    let most = (0..calls.len()).map(at_once).max();
    assert_eq!(most, Some(4), "{spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nodes_of_a_daemon_set_are_listed_once() {
    let mark = ControlPlane::shared().audit().mark();
    let manifest = |tag: &str| daemon_set("web", tag, "monitor: 0s", "");
    let (shop, _agent) = Shop::installed(&real(), "nodes-once", &manifest("1")).await;
    let second = shop.push_web("web 2", &manifest("2"));
    shop.until_outcome(&second, "Succeeded").await;
    for _ in 0..3 {
        shop.until_served().await;
    }
    let calls = ControlPlane::shared()
        .audit()
        .calls(&shop.account.user, mark);
    let of_nodes = |verb: &str| {
        let calls = calls.iter();
        let of_nodes = calls.filter(|call| call.resource == "nodes" && call.verb == verb);
        of_nodes.count()
    };
    assert_eq!((of_nodes("list"), of_nodes("watch")), (1, 1));
}
