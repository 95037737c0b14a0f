//! Jobs.

use serde_json::{Value, json};
use tidegate::sim::kind::Kind;
use tidegate::sim::store::Propagation;

use super::{NAMESPACE, Town, template};

const KIND: &Kind = &Kind::JOB;

fn job(town: &mut Town, tag: &str, spec: &Value) {
    let mut pod = template(tag);
    pod["spec"]["restartPolicy"] = "Never".into();
    pod["metadata"] = json!({});
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "migrate", "namespace": NAMESPACE},
        "spec": {"template": pod},
    });
    for (key, value) in spec.as_object().expect("a map") {
        job["spec"][key] = value.clone();
    }
    town.create(job);
}

impl Town {
    fn ended(&self, condition: &str) -> Option<String> {
        let job = self.get(KIND, "migrate");
        let condition = job.condition(condition)?;
        condition["reason"].as_str().map(ToOwned::to_owned)
    }
}

#[test]
fn a_job_is_complete_when_enough_pods_have_succeeded() {
    let mut town = Town::new();
    job(&mut town, "1", &json!({"completions": 3, "parallelism": 2}));
    town.settle();
    assert_eq!(town.pods().len(), 2);
    town.seconds(5);
    assert_eq!(
        town.ended("Complete").as_deref(),
        Some("CompletionsReached")
    );
    let job = town.get(KIND, "migrate");
    assert_eq!(job.at("/status/succeeded"), Some(&json!(3)));
    assert!(job.text("/status/completionTime").is_some());
    assert_eq!(town.told("Completed"), ["Job completed"]);
}

#[test]
fn a_job_that_fails_waits_longer_each_time_and_gives_up_at_its_limit() {
    let mut town = Town::new();
    job(&mut town, "1-crash", &json!({"backoffLimit": 2}));
    town.seconds(5);
    assert_eq!(town.all(&Kind::POD).len(), 1);
    town.seconds(8);
    assert_eq!(town.all(&Kind::POD).len(), 2);
    town.seconds(15);
    assert_eq!(town.all(&Kind::POD).len(), 2);
    town.seconds(10);
    assert_eq!(
        town.ended("Failed").as_deref(),
        Some("BackoffLimitExceeded")
    );
    assert_eq!(
        town.get(KIND, "migrate").at("/status/failed"),
        Some(&json!(3))
    );
}

#[test]
fn a_job_that_takes_too_long_fails_and_its_pods_go() {
    let mut town = Town::new();
    job(
        &mut town,
        "1-unschedulable",
        &json!({"activeDeadlineSeconds": 30}),
    );
    town.seconds(29);
    assert_eq!(town.ended("Failed"), None);
    town.seconds(5);
    assert_eq!(town.ended("Failed").as_deref(), Some("DeadlineExceeded"));
    assert_eq!(town.all(&Kind::POD).len(), 0);
}

#[test]
fn a_suspended_job_runs_when_it_is_resumed_and_goes_when_its_time_to_live_is_over() {
    let mut town = Town::new();
    job(
        &mut town,
        "1",
        &json!({"suspend": true, "ttlSecondsAfterFinished": 60}),
    );
    town.seconds(5);
    assert_eq!(town.pods().len(), 0);
    assert_eq!(town.ended("Suspended").as_deref(), Some("JobSuspended"));
    town.edit(KIND, "migrate", |job| job["spec"]["suspend"] = false.into());
    town.seconds(5);
    assert_eq!(
        town.ended("Complete").as_deref(),
        Some("CompletionsReached")
    );
    town.seconds(60);
    assert_eq!(town.all(KIND).len(), 0);
    assert_eq!(town.all(&Kind::POD).len(), 0);
}

#[test]
fn an_indexed_job_has_a_pod_for_each_index() {
    let mut town = Town::new();
    let spec = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"});
    job(&mut town, "1", &spec);
    town.seconds(5);
    assert_eq!(
        town.ended("Complete").as_deref(),
        Some("CompletionsReached")
    );
    let index = "batch.kubernetes.io/job-completion-index";
    let mut indexes: Vec<String> = town
        .pods()
        .iter()
        .map(|pod| pod.annotation(index).unwrap_or_default().to_owned())
        .collect();
    indexes.sort();
    assert_eq!(indexes, ["0", "1", "2"]);
}

#[test]
fn the_pods_of_a_job_that_was_deleted_while_they_ran_go_as_well() {
    let mut town = Town::new();
    job(&mut town, "1", &json!({}));
    town.settle();
    assert_eq!(town.pods().len(), 1);
    town.delete(KIND, "migrate", Propagation::Background);
    town.seconds(5);
    assert!(town.pods().is_empty());
    job(&mut town, "1", &json!({}));
    town.settle();
    town.delete(KIND, "migrate", Propagation::Orphan);
    town.seconds(5);
    let [pod] = &town.pods()[..] else {
        panic!("one pod was orphaned");
    };
    assert_eq!(pod.at("/metadata/finalizers"), None);
}
