//! The requests, in groups that each have a namespace of their own.

mod applies;
mod documents;
mod kinds;
mod lives;
mod pods;

use serde_json::{Value, json};

use super::ask::Ask;

type Group = Vec<(&'static str, Ask)>;

const WEB: &str = "/apis/apps/v1/namespaces/NS/deployments/web";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/NS/deployments";
const MAPS: &str = "/api/v1/namespaces/NS/configmaps";

pub(super) fn all() -> Vec<(&'static str, Group)> {
    vec![
        ("applies", applies::applies()),
        ("patches", applies::patches()),
        ("owners", applies::owners()),
        ("documents", documents::documents()),
        ("validation", documents::validation()),
        ("pods", pods::pods()),
        ("queries", pods::queries()),
        ("lists", documents::lists()),
        ("kinds", kinds::kinds()),
        ("custom-kinds", kinds::custom()),
        ("locking", lives::locking()),
        ("generations", lives::generations()),
        ("dry-runs", lives::dry_runs()),
        ("deletions", lives::deletions()),
    ]
}

/// A Deployment that stays as it is.
fn web(replicas: Option<u32>) -> Value {
    let mut spec = json!({"paused": true, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
            {"name": "a", "image": "x:1", "ports": [{"containerPort": 80}]}]}}});
    if let Some(replicas) = replicas {
        spec["replicas"] = json!(replicas);
    }
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
}

fn with(mut object: Value, pointer: &str, value: impl Into<Value>) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value.into();
    object
}

fn map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}
