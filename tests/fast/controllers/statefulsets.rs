//! StatefulSets.

use serde_json::{Value, json};
use tidegate::sim::kind::Kind;

use super::{Town, is_ready, set_tag, tags, workload};

const KIND: &Kind = &Kind::STATEFUL_SET;

fn three(spec: &Value) -> Town {
    let mut town = Town::new();
    let mut all = json!({"replicas": 3, "serviceName": "db"});
    for (key, value) in spec.as_object().cloned().unwrap_or_default() {
        all[key] = value;
    }
    town.create(workload("apps/v1", "StatefulSet", "db", &all));
    town.seconds(5);
    town
}

impl Town {
    /// Image tag and readiness of each pod, by name.
    fn members(&self) -> Vec<(String, String, bool)> {
        let member = |pod: &std::sync::Arc<tidegate::object::Object>| {
            let text = |pointer| pod.text(pointer).unwrap_or_default().to_owned();
            let image = text("/spec/containers/0/image");
            let tag = tidegate::sim::kubelet::tag(&image).to_owned();
            (text("/metadata/name"), tag, is_ready(pod))
        };
        self.pods().iter().map(member).collect()
    }
}

fn member(name: &str, tag: &str, is_ready: bool) -> (String, String, bool) {
    (name.to_owned(), tag.to_owned(), is_ready)
}

#[test]
fn pods_have_numbers_identities_and_claims() {
    let claim = json!({"metadata": {"name": "disk"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let town = three(&json!({"volumeClaimTemplates": [claim], "ordinals": {"start": 5}}));
    let names = ["db-5", "db-6", "db-7"].map(|name| member(name, "1", true));
    assert_eq!(town.members(), names);
    let pod = town.get(&Kind::POD, "db-6");
    assert_eq!(pod.text("/spec/hostname"), Some("db-6"));
    assert_eq!(pod.text("/spec/subdomain"), Some("db"));
    assert_eq!(pod.label("apps.kubernetes.io/pod-index"), Some("6"));
    assert_eq!(
        pod.label("statefulset.kubernetes.io/pod-name"),
        Some("db-6")
    );
    let volumes = pod.at("/spec/volumes/0/persistentVolumeClaim/claimName");
    assert_eq!(volumes, Some(&json!("disk-db-6")));
    assert_eq!(town.all(&Kind::PERSISTENT_VOLUME_CLAIM).len(), 3);
    let status = town.get(KIND, "db");
    assert_eq!(status.at("/status/availableReplicas"), Some(&json!(3)));
    assert_eq!(
        status.text("/status/currentRevision"),
        status.text("/status/updateRevision")
    );
    let told = [
        "Create Claim disk-db-5 Pod db-5 in StatefulSet db success",
        "Create Pod db-5 in StatefulSet db successful",
    ];
    assert_eq!(town.told("SuccessfulCreate")[..2], told);
}

#[test]
fn the_partition_holds_an_update_from_the_highest_down() {
    let mut town = three(&json!({}));
    let roll = |town: &mut Town, partition: u32| {
        town.edit(KIND, "db", |db| {
            set_tag(db, "2");
            db["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = partition.into();
        });
        town.seconds(5);
    };
    roll(&mut town, 3);
    assert_eq!(town.counts(), tags([("1", 3, 3)]));
    roll(&mut town, 2);
    assert_eq!(town.members()[2], member("db-2", "2", true));
    assert_eq!(town.counts(), tags([("1", 2, 2), ("2", 1, 1)]));
    let db = town.get(KIND, "db");
    assert_ne!(
        db.text("/status/currentRevision"),
        db.text("/status/updateRevision")
    );
    assert_eq!(db.at("/status/updatedReplicas"), Some(&json!(1)));
    roll(&mut town, 0);
    assert_eq!(town.counts(), tags([("2", 3, 3)]));
    let db = town.get(KIND, "db");
    assert_eq!(
        db.text("/status/currentRevision"),
        db.text("/status/updateRevision")
    );
}

#[test]
fn a_reverted_template_does_not_heal_a_wedged_pod_until_it_is_deleted() {
    let mut town = three(&json!({}));
    town.edit(KIND, "db", |db| set_tag(db, "2-never"));
    town.seconds(10);
    assert_eq!(town.members()[2], member("db-2", "2-never", false));
    town.edit(KIND, "db", |db| set_tag(db, "1"));
    town.seconds(60);
    assert_eq!(town.members()[2], member("db-2", "2-never", false));
    let background = tidegate::sim::store::Propagation::Background;
    town.delete(&Kind::POD, "db-2", background);
    town.seconds(5);
    assert_eq!(town.counts(), tags([("1", 3, 3)]));
    assert_eq!(town.all(&Kind::CONTROLLER_REVISION).len(), 2);
}

#[test]
fn on_delete_replaces_what_someone_deletes() {
    let mut town = three(&json!({"updateStrategy": {"type": "OnDelete"}}));
    town.edit(KIND, "db", |db| set_tag(db, "2"));
    town.seconds(5);
    assert_eq!(town.counts(), tags([("1", 3, 3)]));
    let background = tidegate::sim::store::Propagation::Background;
    town.delete(&Kind::POD, "db-1", background);
    town.seconds(5);
    assert_eq!(town.members()[1], member("db-1", "2", true));
}

#[test]
fn parallel_pods_come_and_go_together() {
    let mut town = Town::new();
    let spec = json!({"replicas": 3, "serviceName": "db", "podManagementPolicy": "Parallel"});
    town.create(workload("apps/v1", "StatefulSet", "db", &spec));
    town.settle();
    assert_eq!(town.pods().len(), 3);
    town.seconds(2);
    town.edit(KIND, "db", |db| db["spec"]["replicas"] = 0.into());
    town.settle();
    assert_eq!(town.pods().len(), 0);
}
