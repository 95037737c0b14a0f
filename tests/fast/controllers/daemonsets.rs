//! DaemonSets.

use serde_json::{Value, json};
use tidegate::sim::kind::Kind;

use super::{Town, set_tag, tags, workload};

const KIND: &Kind = &Kind::DAEMON_SET;

fn everywhere(strategy: &Value) -> Town {
    let mut town = Town::new();
    let spec = json!({"updateStrategy": strategy});
    town.create(workload("apps/v1", "DaemonSet", "log", &spec));
    town.seconds(2);
    town
}

fn rolling(surge: u32, unavailable: u32) -> Value {
    let limits = json!({"maxSurge": surge, "maxUnavailable": unavailable});
    json!({"type": "RollingUpdate", "rollingUpdate": limits})
}

#[test]
fn each_node_has_one_pod_and_a_new_one_gets_its_own() {
    let mut town = everywhere(&rolling(0, 1));
    assert_eq!(town.counts(), tags([("1", 5, 5)]));
    let mut nodes: Vec<String> = town
        .pods()
        .iter()
        .map(|pod| pod.text("/spec/nodeName").unwrap_or_default().to_owned())
        .collect();
    nodes.sort();
    nodes.dedup();
    assert_eq!(nodes.len(), 5);
    let log = town.get(KIND, "log");
    for count in ["desiredNumberScheduled", "numberReady", "numberAvailable"] {
        assert_eq!(
            log.at(&format!("/status/{count}")),
            Some(&json!(5)),
            "{count}"
        );
    }
    town.edit(KIND, "log", |log| {
        log["spec"]["template"]["spec"]["nodeSelector"] =
            json!({"topology.kubernetes.io/zone": "zone-1"});
    });
    town.seconds(10);
    assert_eq!(town.counts(), tags([("1", 2, 2)]));
}

#[test]
fn an_update_replaces_so_many_at_a_time_and_stops_at_broken_ones() {
    let mut town = everywhere(&rolling(0, 2));
    town.edit(KIND, "log", |log| set_tag(log, "2-never"));
    town.seconds(10);
    assert_eq!(town.counts(), tags([("1", 3, 3), ("2-never", 2, 0)]));
    town.edit(KIND, "log", |log| set_tag(log, "3"));
    town.seconds(10);
    assert_eq!(town.counts(), tags([("3", 5, 5)]));
}

#[test]
fn a_surge_never_lets_a_node_go_without() {
    let mut town = everywhere(&rolling(1, 0));
    town.edit(KIND, "log", |log| set_tag(log, "2-never"));
    town.seconds(10);
    assert_eq!(town.counts(), tags([("1", 5, 5), ("2-never", 1, 0)]));
    town.edit(KIND, "log", |log| set_tag(log, "3"));
    town.seconds(10);
    assert_eq!(town.counts(), tags([("3", 5, 5)]));
}

#[test]
fn on_delete_replaces_what_someone_deletes_and_going_back_takes_up_the_old_revision() {
    let mut town = everywhere(&json!({"type": "OnDelete"}));
    town.edit(KIND, "log", |log| set_tag(log, "2"));
    town.seconds(5);
    assert_eq!(town.counts(), tags([("1", 5, 5)]));
    let pod = town.pods()[0]
        .text("/metadata/name")
        .unwrap_or_default()
        .to_owned();
    let background = tidegate::sim::store::Propagation::Background;
    town.delete(&Kind::POD, &pod, background);
    town.seconds(5);
    assert_eq!(town.counts(), tags([("1", 4, 4), ("2", 1, 1)]));
    let log = town.get(KIND, "log");
    assert_eq!(log.at("/status/updatedNumberScheduled"), Some(&json!(1)));
    town.edit(KIND, "log", |log| set_tag(log, "1"));
    town.seconds(5);
    let revisions = town.all(&Kind::CONTROLLER_REVISION);
    let mut numbers: Vec<_> = revisions.iter().map(|one| one.at("/revision")).collect();
    numbers.sort_by_key(|number| number.and_then(Value::as_i64));
    assert_eq!(numbers, [Some(&json!(2)), Some(&json!(3))]);
}
