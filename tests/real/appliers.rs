//! Other managers that apply what is ours: told by their names, taken back.

use serde_json::{Value, json};

use crate::real;
use crate::shop::{Agent, Shop, config_map, deployment};

/// Half of the pods, then a soak that no test waits for.
const HALF: &str = "steps: [50%, 100%]\nsoak: 30m\nmonitor: 0s";

fn manifest(tag: &str) -> String {
    let seconds = "  replicas: 10\n  minReadySeconds: 1\n";
    deployment("web", tag, HALF).replace("  replicas: 10\n", seconds)
}

/// A shop at rest with `web` and the ConfigMap `flags`.
async fn at_rest(prefix: &str) -> (Shop, Agent) {
    let shop = Shop::open(&real(), prefix).await;
    let (flags, web) = (config_map("flags", "1"), manifest("1"));
    let files = [
        ("flags.yaml", Some(flags.as_str())),
        ("web.yaml", Some(web.as_str())),
    ];
    let first = shop.repository.push("web 1", &files);
    let agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    (shop, agent)
}

/// The same at 5 pods of tag 2 and 10 of tag 1.
async fn at_half(prefix: &str) -> (Shop, Agent) {
    let (shop, agent) = at_rest(prefix).await;
    shop.push_web("web 2", &manifest("2"));
    shop.until("half of the rollout", || {
        shop.pods("web", "2").len() == 5
            && shop.get("deployment/web")["status"]["readyReplicas"] == 15
            && shop.checkpoint("web")["phase"] == "Progressing"
    })
    .await;
    (shop, agent)
}

/// Applies these fields as another manager, by force.
fn apply(shop: &Shop, mut object: Value, name: &str) {
    object["metadata"] = json!({"name": name});
    let file = tempfile::NamedTempFile::new().expect("there is room");
    std::fs::write(file.path(), object.to_string()).expect("there is room");
    let path = file.path().to_str().expect("a plain path");
    let how = [
        "--server-side",
        "--force-conflicts",
        "--field-manager=other",
    ];
    shop.kubectl(&[&["apply", "-f", path], &how[..]].concat());
}

fn apply_flags(shop: &Shop, value: &str) {
    let flags = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"value": value}});
    apply(shop, flags, "flags");
}

fn apply_web(shop: &Shop, spec: &Value) {
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec});
    apply(shop, web, "web");
}

fn image(tag: &str) -> Value {
    let image = format!("shop/web:{tag}");
    json!({"template": {"spec": {"containers": [{"name": "web", "image": image}]}}})
}

fn live_image(shop: &Shop) -> Value {
    shop.get("deployment/web")["spec"]["template"]["spec"]["containers"][0]["image"].take()
}

async fn until_conflict_is_told_and_over(shop: &Shop) {
    shop.until_note("tidegate-web", "FieldConflict", "`other`")
        .await;
    let told = shop.notes("tidegate-web", "FieldConflict").join("; ");
    assert!(
        told.contains("`tidegate`") && told.contains("takeFrom"),
        "{told}"
    );
    shop.until("the conflict to be over", || shop.problem().0.is_empty())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_applier_sets_at_rest_is_told_by_its_name_and_taken_back() {
    let (shop, _agent) = at_rest("applyrest").await;
    apply_flags(&shop, "2");
    shop.until_note("flags", "DriftCorrected", "`other` (Apply at")
        .await;
    shop.until("the value of Git", || {
        shop.get("configmap/flags")["data"]["value"] == "1"
    })
    .await;
    until_conflict_is_told_and_over(&shop).await;
    apply_web(&shop, &json!({"minReadySeconds": 7}));
    shop.until_note("web", "DriftCorrected", "`other` (Apply at")
        .await;
    shop.until("the seconds of Git", || {
        shop.get("deployment/web")["spec"]["minReadySeconds"] == 1
    })
    .await;
    shop.until_served().await;
    assert_eq!(shop.notes("web", "DriftCorrected").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_another_applier_sets_in_mid_rollout_is_told_once_and_taken_back() {
    let (shop, _agent) = at_half("applyhalf").await;
    apply_web(&shop, &image("3"));
    shop.until_note("web", "DriftDetected", "`other` (Apply at")
        .await;
    shop.until("the image of Git", || live_image(&shop) == "shop/web:2")
        .await;
    shop.until("the pods of Git", || shop.pods("web", "3").is_empty())
        .await;
    shop.until_served().await;
    for reason in ["DriftDetected", "DriftCorrected"] {
        let told = shop.notes("web", reason);
        assert_eq!(told.len(), 1, "{told:?}");
    }
    until_conflict_is_told_and_over(&shop).await;
}

fn set_seconds(shop: &Shop, seconds: u32) {
    let patch = json!({"spec": {"minReadySeconds": seconds}}).to_string();
    let manager = "--field-manager=meddler";
    shop.kubectl(&["patch", "deployment/web", manager, "-p", &patch]);
}

fn seconds(shop: &Shop) -> Value {
    shop.get("deployment/web")["spec"]["minReadySeconds"].clone()
}

/// Lets a manager come back until it is called a fight; returns what was there before.
async fn fight(shop: &Shop) -> Value {
    let ours = seconds(shop);
    for round in 0..3 {
        set_seconds(shop, 7 + round);
        shop.until("what was there before", || seconds(shop) == ours)
            .await;
    }
    set_seconds(shop, 10);
    let told = shop.until_problem("DriftFight").await;
    assert!(told.contains("`meddler`"), "{told}");
    shop.until_served().await;
    ours
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fight_at_rest_does_not_stop_the_next_commit() {
    let (shop, _agent) = at_rest("fightrest").await;
    fight(&shop).await;
    assert_eq!(seconds(&shop), 10, "it is left as it is");
    let next = shop.push_web("web 2", &manifest("2").replace("soak: 30m", "soak: 0s"));
    shop.until_outcome(&next, "Succeeded").await;
    assert_eq!(shop.problem().0, "");
    assert_eq!(shop.get("deployment/web")["spec"]["minReadySeconds"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fight_in_mid_rollout_waits_for_a_person_and_the_next_commit_is_written() {
    let (shop, _agent) = at_half("fighthalf").await;
    let commit = shop.repository.head();
    let ours = fight(&shop).await;
    shop.until("the levers to be put back", || seconds(&shop) == ours)
        .await;
    set_seconds(&shop, 11);
    shop.until_served().await;
    assert_eq!(seconds(&shop), 11, "not at once any more");
    shop.until("the levers to be put back again", || seconds(&shop) == ours)
        .await;
    let told = shop.notes("web", "DriftDetected");
    assert!(told.len() <= 4, "{told:?}");
    assert_eq!(shop.wait(&commit), Some(5));
    let status = shop.verb(&["status", "web"]);
    assert!(status.contains("tidegate retry"), "{status}");
    let next = shop.push_web("web 3", &manifest("3").replace("soak: 30m", "soak: 0s"));
    shop.until_outcome(&next, "Succeeded").await;
    assert_eq!(shop.problem().0, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_another_applier_adds_stays_and_holds_nothing_up() {
    let (shop, _agent) = at_rest("applier-adds").await;
    let variable = json!([{"name": "web", "env": [{"name": "ADDED", "value": "1"}]}]);
    apply_web(
        &shop,
        &json!({"template": {"spec": {"containers": variable}}}),
    );
    let env = || {
        let web = shop.get("deployment/web");
        web["spec"]["template"]["spec"]["containers"][0]["env"][0]["name"].clone()
    };
    shop.until("the new pods to be ready", || {
        let web = shop.get("deployment/web");
        web["status"]["updatedReplicas"] == 10
            && web["status"]["readyReplicas"] == 10
            && web["status"]["replicas"] == 10
            && web["spec"]["minReadySeconds"] == 1
    })
    .await;
    shop.until_served().await;
    assert_eq!(env(), "ADDED");
    assert_eq!(shop.get("deployment/web")["spec"]["minReadySeconds"], 1);
    assert_ne!(shop.problem().0, "DriftFight", "it has written once");
    let told = shop.verb(&["explain", "web"]);
    assert!(!told.contains("0 of 10 pods"), "{told}");
    shop.until_note("web", "FieldConflict", "adds fields of its own")
        .await;
    let policy = "steps: [50%, 100%]\nsoak: 0s\nmonitor: 0s";
    let second = shop.push_web("web 2", &deployment("web", "2", policy));
    assert_eq!(shop.wait(&second), Some(0));
    assert_eq!(env(), "ADDED");
}
