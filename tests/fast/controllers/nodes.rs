//! Nodes: what pods do by their tags, and what becomes of them when a node is lost.

use serde_json::json;
use tidegate::sim::kind::Kind;

use super::{Town, is_ready, tags, template, workload};

impl Town {
    fn lone(&mut self, tag: &str) {
        let mut pod = template(tag);
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        pod["metadata"] = json!({"name": "lone", "namespace": "shop"});
        self.create(pod);
    }

    fn waits_for(&self) -> Option<String> {
        let pod = self.get(&Kind::POD, "lone");
        let reason = pod.text("/status/containerStatuses/0/state/waiting/reason");
        reason.map(ToOwned::to_owned)
    }
}

#[test]
fn each_bad_tag_tells_its_own_ailment() {
    for (tag, reason) in [
        ("1-pull", "ImagePullBackOff"),
        ("1-config", "CreateContainerConfigError"),
        ("1-crash", "CrashLoopBackOff"),
    ] {
        let mut town = Town::new();
        town.lone(tag);
        town.seconds(5);
        assert_eq!(town.waits_for().as_deref(), Some(reason), "{tag}");
    }
    let mut town = Town::new();
    town.lone("1-unschedulable");
    town.seconds(5);
    let pod = town.get(&Kind::POD, "lone");
    let scheduled = pod.condition("PodScheduled").expect("it says why not");
    assert_eq!(scheduled["reason"], "Unschedulable");
    assert_eq!(town.told("FailedScheduling").len(), 1);
}

#[test]
fn a_pod_that_needs_settings_runs_once_they_are_there() {
    let mut town = Town::new();
    let strategy = json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    let spec = json!({"replicas": 1, "strategy": strategy, "template": template("1-needsmap")});
    town.create(workload("apps/v1", "Deployment", "web", &spec));
    town.seconds(5);
    assert_eq!(town.counts(), tags([("1-needsmap", 1, 0)]));
    town.create(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": {"fixed": "true"},
    }));
    let pod = town.pods()[0]
        .text("/metadata/name")
        .unwrap_or_default()
        .to_owned();
    let background = tidegate::sim::store::Propagation::Background;
    town.delete(&Kind::POD, &pod, background);
    town.seconds(5);
    assert_eq!(town.counts(), tags([("1-needsmap", 1, 1)]));
}

#[test]
fn pods_of_a_lost_node_are_replaced_when_their_patience_is_over() {
    let mut town = Town::new();
    let mut impatient = template("1");
    let key = "node.kubernetes.io/unreachable";
    impatient["spec"]["tolerations"] = json!([
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20},
    ]);
    let spec = json!({"replicas": 10, "template": impatient});
    town.create(workload("apps/v1", "Deployment", "web", &spec));
    town.seconds(2);
    let there = |town: &Town| {
        let pods = town.all(&Kind::POD);
        let here = |pod: &&std::sync::Arc<tidegate::object::Object>| {
            pod.text("/spec/nodeName") == Some("node-2")
        };
        pods.iter().filter(here).count()
    };
    let lost = there(&town);
    assert!(lost > 0, "chance gives each node some of ten pods");
    town.kubelet.lose(&mut town.store, "node-2");
    town.seconds(19);
    assert_eq!(town.counts(), tags([("1", 10, 10 - lost)]));
    town.seconds(5);
    assert_eq!(town.counts(), tags([("1", 10, 10)]));
    assert_eq!(there(&town), lost, "nobody ends them there");
    town.kubelet.find(&mut town.store, "node-2");
    town.seconds(5);
    assert_eq!(there(&town), 0);
    assert_eq!(town.counts(), tags([("1", 10, 10)]));
}

#[test]
fn a_node_that_is_found_in_time_keeps_its_pods() {
    let mut town = Town::new();
    town.create(workload(
        "apps/v1",
        "Deployment",
        "web",
        &json!({"replicas": 10}),
    ));
    town.seconds(2);
    let names = |town: &Town| -> Vec<String> {
        let pods = town.pods();
        let name = |pod: &std::sync::Arc<tidegate::object::Object>| {
            pod.text("/metadata/name").unwrap_or_default().to_owned()
        };
        pods.iter().map(name).collect()
    };
    let before = names(&town);
    town.kubelet.lose(&mut town.store, "node-1");
    town.seconds(60);
    assert!(!town.pods().iter().all(|pod| is_ready(pod)));
    town.kubelet.find(&mut town.store, "node-1");
    town.seconds(2);
    assert!(town.pods().iter().all(|pod| is_ready(pod)));
    assert_eq!(names(&town), before);
}
