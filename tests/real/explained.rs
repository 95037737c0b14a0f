//! What people ask when something is wrong: the timeline, and the reason why.

use serde_json::Value;

use crate::cluster::ControlPlane;
use crate::real;
use crate::shop::{Agent, Shop, deployment};

const POLICY: &str = "steps: [1, 100%]\nmaxSurge: 100%\nmonitor: 0s\nonFailure: Pause";

/// A shop whose second commit failed and is held, and that commit.
async fn broken(name: &str) -> (Shop, Agent, String) {
    let shop = Shop::open(&real(), name).await;
    let first = deployment("web", "1", POLICY);
    let first = shop.repository.push("web 1", &[("web.yaml", Some(&first))]);
    let agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    let calm = shop.verb(&["explain", "web"]);
    assert!(calm.contains("nothing is wrong"), "{calm}");
    let bad = deployment("web", "2-crash", POLICY);
    let bad = shop.repository.push("web 2", &[("web.yaml", Some(&bad))]);
    shop.until_outcome(&bad, "Failed").await;
    (shop, agent, bad)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_explained_by_pod_change_and_next_command() {
    let (shop, _agent, bad) = broken("explained").await;
    let pod = &shop.pods("web", "2-crash")[0]["metadata"]["name"];
    let pod = pod.as_str().unwrap();
    let why = shop.verb(&["explain", "web"]);
    let short = &bad[..7];
    for told in [
        "RolloutFailed",
        &format!("cause    {short}: Deployment/web: pod {pod}, container web: CrashLoopBackOff"),
        "containers[web].image: shop/web:1 -> shop/web:2-crash",
        &format!("effect   Deployment/web: 1 of 10 pods are on {short}, 0 of them ready"),
        &format!("logs {pod} -c web --previous"),
        &format!("tidegate retry {}/web {short}", shop.namespace),
    ] {
        assert!(why.contains(told), "`{told}` is missing:\n{why}");
    }
    let json = shop.verb(&["explain", "web", "deployment/web", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["causes"][0]["pod"], pod);
    assert_eq!(json["causes"][0]["reason"], "CrashLoopBackOff");
    let unknown = shop.tidegate(&["explain", "web", "deployment/nobody"]);
    assert_eq!(unknown.status.code(), Some(2));

    let viewer = ControlPlane::shared().agent(&[], &shop.namespace).await;
    let viewer = viewer.kubeconfig.to_str().unwrap();
    let why = shop.verb(&["explain", "web", "--kubeconfig", viewer]);
    assert!(
        why.contains(&format!("pod {pod}, container web: CrashLoopBackOff")),
        "who may read the ledger alone is told what it says: {why}"
    );
    let watch = shop.tidegate(&["watch", "web", "--kubeconfig", viewer]);
    assert_eq!(watch.status.code(), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_told_in_the_order_of_time() {
    let (shop, _agent, bad) = broken("timeline").await;
    let short = &bad[..7];
    // The agent itself only writes Events; people read them.
    let admin = ControlPlane::shared().admin_kubeconfig();
    let admin = admin.to_str().unwrap();
    let told = |more: &[&str]| {
        let asked = ["events", "web", "--kubeconfig", admin];
        shop.verb(&[&asked[..], more].concat())
    };
    let events = || told(&["-o", "jsonl"]);
    let is_told = || events().contains("\"RolloutFailed\"");
    shop.until("the Event of the failure", is_told).await;
    let all: Vec<Value> = events()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let place = |reason: &str, words: &str| {
        let is_it = |one: &Value| {
            one["reason"] == reason && one["message"].as_str().unwrap().contains(words)
        };
        let place = all.iter().position(is_it);
        place.unwrap_or_else(|| panic!("{reason} {words} is missing: {all:#?}"))
    };
    assert!(place("Succeeded", "web 1") < place("RolloutStarted", short));
    assert!(place("RolloutStarted", short) <= place("RolloutFailed", "CrashLoopBackOff"));
    assert!(all.iter().any(|one| one["reason"] == "ScalingReplicaSet"));
    let failed = &all[place("RolloutFailed", "CrashLoopBackOff")];
    assert_eq!(failed["type"], "Warning");
    assert_eq!(failed["object"], "Deployment/web");
    let none = told(&["--since", "0s"]);
    assert_eq!(none.lines().count(), 1, "only the header: {none}");
}
