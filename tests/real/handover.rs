//! An object that moves from one `GitSync` to another keeps living.

use serde_json::{Value, json};

use crate::real;
use crate::shop::{Agent, Shop, config_map};

/// Where `two` has the object that moves, seen from `apps/web`.
const THERE: &str = "../two/shared.yaml";

/// The configuration of `two` and `web`, which poll this often.
fn documents(shop: &Shop, interval: &str) -> String {
    let more = json!({"source": {"interval": interval}});
    let document = |name: &str| {
        shop.gitsync(name, &format!("apps/{name}"), &more)
            .to_string()
    };
    format!("{}\n---\n{}", document("two"), document("web"))
}

/// Two `GitSync`s at rest that nothing but a request wakes; `two` has the ConfigMap `shared`.
async fn at_rest(prefix: &str) -> (Shop, Agent, String) {
    let shop = Shop::open(&real(), prefix).await;
    let shared = config_map("shared", "1");
    let (own, theirs) = (config_map("own", "1"), config_map("theirs", "1"));
    let files = [
        ("own.yaml", Some(own.as_str())),
        ("../two/theirs.yaml", Some(theirs.as_str())),
        (THERE, Some(shared.as_str())),
    ];
    shop.repository.push("both", &files);
    shop.write_config(&documents(&shop, "1h"));
    let agent = shop.start();
    for name in ["web", "two"] {
        until_newest(&shop, name, "Succeeded").await;
    }
    let uid = uid(&shop);
    (shop, agent, uid)
}

async fn until_newest(shop: &Shop, name: &str, outcome: &str) {
    shop.until(&format!("{name} to be {outcome}"), || {
        shop.ledger_of(name)["history"][0]["outcome"] == outcome
    })
    .await;
}

fn uid(shop: &Shop) -> String {
    let object = shop.get("configmap/shared");
    let uid = object["metadata"]["uid"].as_str();
    uid.unwrap_or("gone").to_owned()
}

/// Moves the file; in one commit.
fn move_to_web(shop: &Shop) -> String {
    let shared = config_map("shared", "1");
    let files = [(THERE, None), ("shared.yaml", Some(shared.as_str()))];
    shop.repository.push("shared moves", &files)
}

fn ask_for_sync(shop: &Shop, name: &str) {
    let head = format!("configmap/tidegate-{name}");
    let change = "tidegate.dev/sync-requested=now";
    shop.kubectl(&["annotate", "--overwrite", &head, change]);
}

fn inventory(shop: &Shop, name: &str) -> String {
    let shards = shop.kubectl(&["get", "configmaps", "-o", "json"]);
    let list: Value = serde_json::from_str(&shards).expect("kubectl writes JSON");
    let all = list["items"].as_array().cloned().unwrap_or_default();
    let shard = format!("tidegate-{name}.");
    let of_name = |object: &&Value| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        name.starts_with(&shard)
    };
    all.iter()
        .filter(of_name)
        .map(|object| object["data"].to_string())
        .collect()
}

/// Moves the file, lets the first of the two look, and checks that the object only changes hands.
async fn moves_when_woken(prefix: &str, first: &str) {
    let (shop, _agent, before) = at_rest(prefix).await;
    let commit = move_to_web(&shop);
    ask_for_sync(&shop, first);
    shop.until_outcome(&commit, "Succeeded").await;
    shop.verb(&["wait", "web", "--commit", &commit]);
    assert_eq!(uid(&shop), before, "it is the same object");
    let owner =
        shop.get("configmap/shared")["metadata"]["annotations"]["tidegate.dev/owner"].take();
    let owner = owner.as_str().unwrap_or_default();
    assert!(
        owner.contains(&format!("{}/web:", shop.namespace)),
        "{owner}"
    );
    until_newest(&shop, "two", "Succeeded").await;
    assert_eq!(
        shop.ledger_of("two")["history"][0]["revision"]["id"],
        *commit
    );
    let (there, here) = (inventory(&shop, "two"), inventory(&shop, "web"));
    assert!(!there.contains("/shared"), "{there}");
    assert!(here.contains("/shared"), "{here}");
    assert_eq!(shop.notes("tidegate-two", "ObjectPruned"), [""; 0]);
    shop.until_note("tidegate-two", "ObjectHandedOver", "/web")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_moves_without_a_delete_where_its_old_gitsync_looks_first() {
    moves_when_woken("moveold", "two").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_moves_without_a_delete_where_its_new_gitsync_looks_first() {
    moves_when_woken("movenew", "web").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_refused_for_a_shared_object_is_judged_again_once_the_object_is_free() {
    let (shop, _agent, before) = at_rest("moveback").await;
    let shared = config_map("shared", "1");
    let both = shop
        .repository
        .push("both have it", &[("shared.yaml", Some(&shared))]);
    ask_for_sync(&shop, "web");
    shop.until_outcome(&both, "Rejected").await;
    assert_eq!(shop.problem().0, "SharedResource");
    // Only `two` looks at the commit that gives it up.
    shop.repository.push("two gives it up", &[(THERE, None)]);
    ask_for_sync(&shop, "two");
    shop.until("web to own it", || {
        let object = shop.get("configmap/shared");
        let owner = object["metadata"]["annotations"]["tidegate.dev/owner"].as_str();
        owner.is_some_and(|owner| owner.contains("/web:"))
    })
    .await;
    assert_eq!(uid(&shop), before, "it is the same object");
    until_newest(&shop, "web", "Succeeded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_without_a_commit_means_a_rejected_tip() {
    let (shop, _agent, _) = at_rest("moveretry").await;
    let shared = config_map("shared", "1");
    let both = shop
        .repository
        .push("both have it", &[("shared.yaml", Some(&shared))]);
    ask_for_sync(&shop, "web");
    shop.until_outcome(&both, "Rejected").await;
    let told = shop.verb(&["retry", "web"]);
    assert!(told.contains(&both), "{told}");
}
