//! The garbage collector and the end of namespaces.

use serde_json::json;
use tidegate::sim::kind::Kind;
use tidegate::sim::store::{Deletion, Propagation};

use super::{NAMESPACE, Town, tags, workload};

fn web() -> Town {
    let mut town = Town::new();
    town.create(workload(
        "apps/v1",
        "Deployment",
        "web",
        &json!({"replicas": 2}),
    ));
    town.seconds(2);
    town
}

#[test]
fn in_the_background_dependents_go_after_their_owner() {
    let mut town = web();
    town.delete(&Kind::DEPLOYMENT, "web", Propagation::Background);
    assert_eq!(town.all(&Kind::DEPLOYMENT).len(), 0);
    assert_eq!(town.all(&Kind::REPLICA_SET).len(), 1);
    town.seconds(2);
    assert_eq!(town.all(&Kind::REPLICA_SET).len(), 0);
    assert_eq!(town.all(&Kind::POD).len(), 0);
}

#[test]
fn in_the_foreground_an_owner_waits_for_its_dependents() {
    let mut town = web();
    town.delete(&Kind::DEPLOYMENT, "web", Propagation::Foreground);
    town.settle();
    assert!(town.get(&Kind::DEPLOYMENT, "web").is_terminating());
    assert_eq!(town.all(&Kind::POD).len(), 2);
    town.seconds(2);
    assert_eq!(town.all(&Kind::DEPLOYMENT).len(), 0);
    assert_eq!(town.all(&Kind::POD).len(), 0);
}

#[test]
fn orphans_stay() {
    let mut town = web();
    town.delete(&Kind::DEPLOYMENT, "web", Propagation::Orphan);
    town.seconds(2);
    assert_eq!(town.all(&Kind::DEPLOYMENT).len(), 0);
    let set = &town.all(&Kind::REPLICA_SET)[0];
    assert_eq!(set.at("/metadata/ownerReferences"), None);
    assert_eq!(town.counts(), tags([("1", 2, 2)]));
}

#[test]
fn what_is_made_for_an_owner_that_is_no_more_goes_at_once() {
    let mut town = Town::new();
    town.create(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "late", "namespace": NAMESPACE, "ownerReferences": [
            {"apiVersion": "v1", "kind": "Secret", "name": "gone", "uid": "not-there"},
        ]},
    }));
    town.seconds(1);
    assert_eq!(town.all(&Kind::CONFIG_MAP).len(), 0);
}

#[test]
fn a_namespace_goes_when_it_is_empty() {
    let mut town = web();
    let deleted = town
        .store
        .delete(&Kind::NAMESPACE, "", NAMESPACE, &Deletion::default());
    deleted.expect("it is there");
    town.settle();
    let namespace = town.store.get(&Kind::NAMESPACE, "", NAMESPACE).cloned();
    let phase = namespace.expect("its pods are ending");
    assert_eq!(phase.text("/status/phase"), Some("Terminating"));
    town.seconds(2);
    assert!(town.store.get(&Kind::NAMESPACE, "", NAMESPACE).is_none());
    assert!(town.store.list(&Kind::POD, None).next().is_none());
}

#[test]
fn events_are_forgotten_an_hour_after_they_were_last_told() {
    let mut town = web();
    let told = town.all(&Kind::EVENT).len();
    assert!(told > 0, "a Deployment has something to tell");
    town.seconds(60 * 60 - 60);
    assert_eq!(town.all(&Kind::EVENT).len(), told);
    town.seconds(120);
    assert_eq!(town.all(&Kind::EVENT).len(), 0);
}

#[test]
fn a_quota_says_how_much_of_it_is_used() {
    let mut town = Town::new();
    town.create(json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "few", "namespace": NAMESPACE},
        "spec": {"hard": {"pods": "5", "count/deployments.apps": "3"}},
    }));
    town.create(workload(
        "apps/v1",
        "Deployment",
        "web",
        &json!({"replicas": 2}),
    ));
    town.seconds(2);
    let status = |town: &Town| {
        let quota = town.get(&Kind::RESOURCE_QUOTA, "few");
        quota.at("/status").cloned().expect("a status")
    };
    let hard = json!({"pods": "5", "count/deployments.apps": "3"});
    let used = json!({"pods": "2", "count/deployments.apps": "1"});
    assert_eq!(status(&town), json!({"hard": hard, "used": used}));
    town.delete(&Kind::DEPLOYMENT, "web", Propagation::Background);
    town.seconds(2);
    let used = json!({"pods": "0", "count/deployments.apps": "0"});
    assert_eq!(status(&town)["used"], used);
}
