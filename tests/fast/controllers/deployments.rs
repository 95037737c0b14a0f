//! Deployments and ReplicaSets.

use serde_json::json;
use tidegate::sim::kind::Kind;

use super::{Town, set_tag, tags, workload};

const KIND: &Kind = &Kind::DEPLOYMENT;
/// minReadySeconds and progressDeadlineSeconds that hold a rollout.
const HOLD: (i64, i64) = (2_147_483_646, 2_147_483_647);

/// Ten pods, all surge.
fn ten() -> Town {
    let mut town = Town::new();
    let strategy = json!({"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}});
    town.create(workload(
        "apps/v1",
        "Deployment",
        "web",
        &json!({"replicas": 10, "strategy": strategy}),
    ));
    town.seconds(2);
    town
}

impl Town {
    fn roll(&mut self, tag: &str, levers: (u32, u32), hold: bool) {
        self.edit(KIND, "web", |web| {
            set_tag(web, tag);
            web["spec"]["strategy"]["rollingUpdate"] =
                json!({"maxSurge": levers.0, "maxUnavailable": levers.1});
            let (min_ready, deadline) = if hold { HOLD } else { (0, 600) };
            web["spec"]["minReadySeconds"] = min_ready.into();
            web["spec"]["progressDeadlineSeconds"] = deadline.into();
        });
        self.seconds(5);
    }

    fn status(&self, pointer: &str) -> serde_json::Value {
        let web = self.get(KIND, "web");
        let value = web.at(&format!("/status/{pointer}"));
        value.cloned().unwrap_or_default()
    }

    fn reason(&self, condition: &str) -> Option<String> {
        let web = self.get(KIND, "web");
        let condition = web.condition(condition)?;
        condition["reason"].as_str().map(ToOwned::to_owned)
    }
}

#[test]
fn a_new_deployment_becomes_available_and_says_so() {
    let town = ten();
    assert_eq!(town.counts(), tags([("1", 10, 10)]));
    for count in [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
    ] {
        assert_eq!(town.status(count), 10, "{count}");
    }
    assert_eq!(town.status("observedGeneration"), 1);
    assert_eq!(town.status("unavailableReplicas"), json!(null));
    assert_eq!(
        town.reason("Available").as_deref(),
        Some("MinimumReplicasAvailable")
    );
    assert_eq!(
        town.reason("Progressing").as_deref(),
        Some("NewReplicaSetAvailable")
    );
    let web = town.get(KIND, "web");
    assert_eq!(
        web.annotation("deployment.kubernetes.io/revision"),
        Some("1")
    );
    let set = &town.all(&Kind::REPLICA_SET)[0];
    let name = set.text("/metadata/name").unwrap_or_default();
    let scaled = format!("Scaled up replica set {name} from 0 to 10");
    assert_eq!(town.told("ScalingReplicaSet"), [scaled]);
}

#[test]
fn many_similar_events_become_one_and_one_that_comes_again_is_counted() {
    let mut town = Town::new();
    town.create(workload(
        "apps/v1",
        "Deployment",
        "web",
        &json!({"replicas": 15}),
    ));
    town.seconds(2);
    let told = town.told("SuccessfulCreate");
    assert_eq!(told.len(), 10);
    let combined = "(combined from similar events): Created pod: web-";
    assert!(
        told.iter().any(|message| message.starts_with(combined)),
        "{told:?}"
    );
    let events = town.all(&Kind::EVENT);
    let counts = events
        .iter()
        .filter_map(|event| event.at("/count")?.as_u64());
    assert_eq!(counts.max(), Some(6));
    town.edit(KIND, "web", |web| web["spec"]["replicas"] = 60.into());
    town.seconds(2);
    let events = town.all(&Kind::EVENT);
    let of_sets = events
        .iter()
        .filter(|event| event.text("/involvedObject/kind") == Some("ReplicaSet"));
    let counts = of_sets.filter_map(|event| event.at("/count")?.as_u64());
    assert_eq!(counts.sum::<u64>(), 25, "more at once is not heard");
}

#[test]
fn a_rollout_ends_and_going_back_takes_up_the_old_set_with_a_new_revision() {
    let mut town = ten();
    town.roll("2", (2, 0), false);
    assert_eq!(town.counts(), tags([("2", 10, 10)]));
    town.roll("1", (2, 0), false);
    assert_eq!(town.counts(), tags([("1", 10, 10)]));
    let sets = town.all(&Kind::REPLICA_SET);
    assert_eq!(sets.len(), 2);
    let revision = "deployment.kubernetes.io/revision";
    assert_eq!(town.get(KIND, "web").annotation(revision), Some("3"));
    let mut history: Vec<_> = sets
        .iter()
        .map(|set| {
            let history = set.annotation("deployment.kubernetes.io/revision-history");
            (set.annotation(revision), history)
        })
        .collect();
    history.sort_unstable();
    assert_eq!(history, [(Some("2"), None), (Some("3"), Some("1"))]);
}

#[test]
fn a_held_rollout_rests_at_its_levers_and_keeps_its_share_when_it_is_scaled() {
    let mut town = ten();
    town.roll("2", (2, 0), true);
    assert_eq!(town.counts(), tags([("1", 10, 10), ("2", 2, 2)]));
    town.roll("2", (3, 2), true);
    assert_eq!(town.counts(), tags([("1", 8, 8), ("2", 5, 5)]));
    assert_eq!(town.reason("Progressing"), None);
    town.seconds(10_000);
    assert_eq!(town.counts(), tags([("1", 8, 8), ("2", 5, 5)]));
    town.roll("2", (3, 2), false);
    assert_eq!(town.counts(), tags([("2", 10, 10)]));
}

#[test]
fn a_stuck_rollout_times_out_after_its_deadline() {
    let mut town = ten();
    town.edit(KIND, "web", |web| {
        set_tag(web, "2-never");
        web["spec"]["progressDeadlineSeconds"] = 30.into();
    });
    town.seconds(29);
    assert_eq!(
        town.reason("Progressing").as_deref(),
        Some("ReplicaSetUpdated")
    );
    town.seconds(5);
    assert_eq!(
        town.reason("Progressing").as_deref(),
        Some("ProgressDeadlineExceeded")
    );
    assert_eq!(town.counts(), tags([("1", 10, 10), ("2-never", 2, 0)]));
}

#[test]
fn a_paused_deployment_is_only_scaled_and_goes_on_when_it_is_resumed() {
    let mut town = ten();
    town.edit(KIND, "web", |web| {
        web["spec"]["paused"] = true.into();
        set_tag(web, "2");
    });
    town.seconds(5);
    assert_eq!(town.counts(), tags([("1", 10, 10)]));
    assert_eq!(
        town.reason("Progressing").as_deref(),
        Some("DeploymentPaused")
    );
    town.edit(KIND, "web", |web| web["spec"]["replicas"] = 4.into());
    town.seconds(5);
    assert_eq!(town.counts(), tags([("1", 4, 4)]));
    town.edit(KIND, "web", |web| web["spec"]["paused"] = false.into());
    town.seconds(5);
    assert_eq!(town.counts(), tags([("2", 4, 4)]));
}

#[test]
fn recreate_lets_all_old_pods_go_first() {
    let mut town = ten();
    town.edit(KIND, "web", |web| {
        web["spec"]["strategy"] = json!({"type": "Recreate"});
        set_tag(web, "2-slow");
    });
    town.pass(std::time::Duration::from_millis(40));
    assert_eq!(town.all(&Kind::POD).len(), 10);
    assert_eq!(town.counts(), tags([]));
    town.seconds(5);
    assert_eq!(town.counts(), tags([("2-slow", 10, 10)]));
}

#[test]
fn minimum_ready_seconds_pass_before_a_pod_is_available() {
    let mut town = Town::new();
    let spec = json!({"replicas": 2, "minReadySeconds": 20});
    town.create(workload("apps/v1", "Deployment", "web", &spec));
    town.seconds(15);
    assert_eq!(town.status("readyReplicas"), 2);
    assert_eq!(town.status("availableReplicas"), json!(null));
    assert_eq!(
        town.reason("Available").as_deref(),
        Some("MinimumReplicasUnavailable")
    );
    town.seconds(10);
    assert_eq!(town.status("availableReplicas"), 2);
}

#[test]
fn old_sets_beyond_the_history_limit_go() {
    let mut town = ten();
    town.edit(KIND, "web", |web| {
        web["spec"]["revisionHistoryLimit"] = 1.into();
    });
    for tag in ["2", "3", "4"] {
        town.roll(tag, (2, 0), false);
    }
    assert_eq!(town.all(&Kind::REPLICA_SET).len(), 2);
}

#[test]
fn a_set_whose_pods_are_refused_says_why_and_tries_again() {
    let mut town = Town::new();
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
                       "metadata": {"name": "few", "namespace": "shop"},
                       "spec": {"hard": {"pods": "3"}}});
    town.create(quota);
    town.create(workload(
        "apps/v1",
        "Deployment",
        "web",
        &json!({"replicas": 5}),
    ));
    town.seconds(5);
    assert_eq!(town.counts(), tags([("1", 3, 3)]));
    assert_eq!(
        town.reason("ReplicaFailure").as_deref(),
        Some("FailedCreate")
    );
    town.edit(&Kind::RESOURCE_QUOTA, "few", |quota| {
        quota["spec"]["hard"]["pods"] = "9".into();
    });
    town.seconds(60);
    assert_eq!(town.counts(), tags([("1", 5, 5)]));
    assert_eq!(town.reason("ReplicaFailure"), None);
}

#[test]
fn a_pod_that_is_deleted_by_hand_comes_again() {
    let mut town = ten();
    let pod = town.pods()[0]
        .text("/metadata/name")
        .unwrap_or_default()
        .to_owned();
    town.delete(
        &Kind::POD,
        &pod,
        tidegate::sim::store::Propagation::Background,
    );
    town.seconds(2);
    assert_eq!(town.counts(), tags([("1", 10, 10)]));
    assert!(
        town.pods()
            .iter()
            .all(|one| one.text("/metadata/name") != Some(&pod))
    );
}

#[test]
fn an_orphan_with_the_right_labels_is_adopted() {
    let mut town = ten();
    town.delete(KIND, "web", tidegate::sim::store::Propagation::Orphan);
    town.seconds(2);
    assert_eq!(town.counts(), tags([("1", 10, 10)]));
    assert_eq!(town.all(KIND).len(), 0);
    town.create(workload(
        "apps/v1",
        "Deployment",
        "web",
        &json!({"replicas": 3}),
    ));
    town.seconds(2);
    assert_eq!(town.counts(), tags([("1", 3, 3)]));
    assert_eq!(town.all(&Kind::REPLICA_SET).len(), 1);
}
