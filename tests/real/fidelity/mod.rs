//! The simulated controllers against the real ones: the same steps on both, and after each all
//! objects are compared, but for what chance and the clock decide.

mod picture;
mod steps;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tidegate::object::Object;
use tidegate::sim::kind::Kind;
use tokio::time::sleep;

use crate::cluster::ControlPlane;
use crate::town::{NAMESPACE, Town};
use picture::picture;
use steps::{Step, perform, simulate};

const SOON: Duration = Duration::from_secs(30);

/// What is compared: group, version, kind and plural.
const COMPARED: &[(&str, &str, &str, &str)] = &[
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "ReplicaSet", "replicasets"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("apps", "v1", "DaemonSet", "daemonsets"),
    ("apps", "v1", "ControllerRevision", "controllerrevisions"),
    ("batch", "v1", "Job", "jobs"),
    ("", "v1", "Pod", "pods"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("", "v1", "Event", "events"),
];

fn resource((group, version, kind, plural): (&str, &str, &str, &str)) -> ApiResource {
    let api_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

async fn real(client: &Client, namespace: &str) -> BTreeMap<String, Value> {
    let mut objects = Vec::new();
    for compared in COMPARED {
        let resource = resource(*compared);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let all = api.list(&ListParams::default()).await.unwrap();
        objects.extend(all.items.into_iter().map(|object| {
            let mut value = serde_json::to_value(object).unwrap();
            value["kind"] = json!(resource.kind);
            value["apiVersion"] = json!(resource.api_version);
            value
        }));
    }
    picture(namespace, objects)
}

fn simulated(town: &Town) -> BTreeMap<String, Value> {
    let kinds = COMPARED
        .iter()
        .map(|(group, _, kind, _)| Kind::of(group, kind));
    let objects = kinds.flat_map(|kind| town.all(&kind));
    picture(
        NAMESPACE,
        objects
            .map(|object| Object::value(&object).clone())
            .collect(),
    )
}

/// The differences, one a line.
fn differences(real: &BTreeMap<String, Value>, simulated: &BTreeMap<String, Value>) -> String {
    let keys: std::collections::BTreeSet<_> = real.keys().chain(simulated.keys()).collect();
    let mut lines = Vec::new();
    for key in keys {
        let none = Value::Null;
        let (left, right) = (
            real.get(key).unwrap_or(&none),
            simulated.get(key).unwrap_or(&none),
        );
        compare(key, left, right, &mut lines);
    }
    lines.join("\n")
}

fn compare(path: &str, real: &Value, simulated: &Value, lines: &mut Vec<String>) {
    match (real, simulated) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let (left, right) = (&real[key.as_str()], &simulated[key.as_str()]);
                compare(&format!("{path}.{key}"), left, right, lines);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (at, (left, right)) in left.iter().zip(right).enumerate() {
                compare(&format!("{path}[{at}]"), left, right, lines);
            }
        }
        _ if real == simulated => {}
        _ => lines.push(format!("{path}: real {real}, simulated {simulated}")),
    }
}

/// The real controller decides on caches that lag: on a busy machine it scales a set up and down
/// once more on the way. What both tell, and what the simulated one tells, has to be there.
const PASSING: &str = "Event deployment-controller Normal Deployment ScalingReplicaSet";

/// Takes the same steps on both and compares after each, once the real one has come to rest.
async fn same(name: &str, steps: Vec<Step>) {
    let plane = ControlPlane::shared();
    let client = plane.client().await;
    let namespace = plane.namespace(name).await;
    let mut town = Town::new();
    for (number, step) in steps.iter().enumerate() {
        simulate(&mut town, step);
        perform(&client, &namespace, step).await;
        let expected = simulated(&town);
        let begin = Instant::now();
        loop {
            let mut is = real(&client, &namespace).await;
            is.retain(|what, _| !what.starts_with(PASSING) || expected.contains_key(what));
            if is == expected {
                break;
            }
            assert!(
                begin.elapsed() < SOON,
                "{name}, after step {number} {step:?}:\n{}",
                differences(&is, &expected)
            );
            sleep(Duration::from_millis(300)).await;
        }
    }
}

/// A workload with one container and all that the steps change.
fn workload(kind: &str, spec: &Value) -> Step {
    let mut object = crate::town::workload("apps/v1", kind, "web", spec);
    object["metadata"]["annotations"] = json!({"team": "red"});
    Step::Create(object)
}

fn image(kind: &'static str, tag: &str) -> Step {
    let container = json!({"name": "web", "image": format!("shop/web:{tag}")});
    let template = json!({"spec": {"containers": [container]}});
    Step::Change(kind, json!({"spec": {"template": template}}))
}

fn spec(kind: &'static str, spec: &Value) -> Step {
    Step::Change(kind, json!({"spec": spec}))
}

#[tokio::test]
async fn deployments_are_rolled_held_scaled_and_taken_back_the_same() {
    let levers = |surge: u32, unavailable: u32| {
        json!({"type": "RollingUpdate",
               "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}})
    };
    let held = json!({"minReadySeconds": 2_147_483_646, "strategy": levers(2, 1),
                      "progressDeadlineSeconds": 2_147_483_647,
                      "template": {"spec": {"containers":
                          [{"name": "web", "image": "shop/web:2"}]}}});
    let free = json!({"minReadySeconds": 0, "progressDeadlineSeconds": 600});
    let steps = vec![
        workload(
            "Deployment",
            &json!({"replicas": 6, "strategy": levers(2, 0)}),
        ),
        spec("Deployment", &held),
        spec("Deployment", &json!({"strategy": levers(2, 3)})),
        spec("Deployment", &json!({"replicas": 3})),
        spec("Deployment", &json!({"replicas": 9})),
        spec("Deployment", &free),
        image("Deployment", "1"),
        image("Deployment", "3-never"),
        Step::Change("Deployment", json!({"spec": {"paused": true}})),
        image("Deployment", "1"),
        Step::Change("Deployment", json!({"spec": {"paused": false}})),
        spec("Deployment", &json!({"replicas": 0})),
        Step::Delete("Deployment", "web", "Foreground"),
    ];
    same("rolled", steps).await;
}

#[tokio::test]
async fn recreate_and_history_limits_are_the_same() {
    let steps = vec![
        workload(
            "Deployment",
            &json!({"replicas": 3, "revisionHistoryLimit": 1, "strategy": {"type": "Recreate"}}),
        ),
        image("Deployment", "2"),
        image("Deployment", "3"),
        image("Deployment", "4"),
        Step::Delete("Deployment", "web", "Orphan"),
    ];
    same("recreated", steps).await;
}

#[tokio::test]
async fn stateful_sets_are_the_same() {
    let partition =
        |partition: u32| json!({"updateStrategy": {"rollingUpdate": {"partition": partition}}});
    let claim = json!({"metadata": {"name": "disk"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let steps = vec![
        workload(
            "StatefulSet",
            &json!({"replicas": 3, "serviceName": "web", "volumeClaimTemplates": [claim]}),
        ),
        spec("StatefulSet", &partition(3)),
        image("StatefulSet", "2"),
        spec("StatefulSet", &partition(2)),
        spec("StatefulSet", &json!({"replicas": 4})),
        spec("StatefulSet", &json!({"replicas": 2})),
        spec("StatefulSet", &partition(0)),
        image("StatefulSet", "3-never"),
        image("StatefulSet", "2"),
        Step::Delete("Pod", "web-1", "Background"),
    ];
    same("stateful", steps).await;
}

#[tokio::test]
async fn daemon_sets_are_the_same() {
    let strategy = |surge: u32, unavailable: u32| {
        json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate":
            {"maxSurge": surge, "maxUnavailable": unavailable}}})
    };
    let steps = vec![
        workload("DaemonSet", &strategy(0, 2)),
        image("DaemonSet", "2"),
        image("DaemonSet", "1"),
        spec("DaemonSet", &strategy(1, 0)),
        image("DaemonSet", "2"),
        Step::Change(
            "DaemonSet",
            json!({"spec": {"updateStrategy":
            {"type": "OnDelete", "rollingUpdate": null}}}),
        ),
        image("DaemonSet", "3"),
    ];
    same("daemons", steps).await;
}

#[tokio::test]
async fn jobs_are_the_same() {
    let job = |tag: &str, spec: &Value| {
        let mut job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers":
                [{"name": "web", "image": format!("shop/web:{tag}")}]}}},
        });
        for (key, value) in spec.as_object().unwrap() {
            job["spec"][key] = value.clone();
        }
        Step::Create(job)
    };
    let steps = vec![
        job("1", &json!({"completions": 3, "parallelism": 3})),
        Step::Delete("Job", "web", "Background"),
        job("1-crash", &json!({"backoffLimit": 0})),
        Step::Delete("Job", "web", "Foreground"),
        job("1", &json!({"suspend": true})),
        Step::Change("Job", json!({"spec": {"suspend": false}})),
    ];
    same("jobs", steps).await;
}
