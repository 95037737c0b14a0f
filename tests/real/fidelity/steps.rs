//! What is done on both clusters.

use kube::Client;
use kube::api::{
    Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, PropagationPolicy,
};
use serde_json::Value;
use tidegate::sim::kind::Kind;
use tidegate::sim::store::Propagation;

use super::{COMPARED, resource};
use crate::town::{NAMESPACE, Town};

/// One thing that a person does.
#[derive(Debug)]
pub(super) enum Step {
    /// Makes an object.
    Create(Value),
    /// Changes the object `web` of a kind by a merge patch.
    Change(&'static str, Value),
    /// Deletes an object: kind, name and propagation.
    Delete(&'static str, &'static str, &'static str),
}

fn kind(name: &str) -> Kind {
    let (group, _, kind, _) = COMPARED.iter().find(|one| one.2 == name).unwrap();
    Kind::of(group, kind)
}

fn api(client: &Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    let found = COMPARED.iter().find(|one| one.2 == kind).unwrap();
    Api::namespaced_with(client.clone(), namespace, &resource(*found))
}

/// Does it in the real cluster.
pub(super) async fn perform(client: &Client, namespace: &str, step: &Step) {
    match step {
        Step::Create(object) => {
            let api = api(client, namespace, object["kind"].as_str().unwrap());
            let mut object = object.clone();
            object["metadata"]["namespace"] = namespace.into();
            let object: DynamicObject = serde_json::from_value(object).unwrap();
            let params = PostParams {
                field_manager: Some("test".to_owned()),
                ..PostParams::default()
            };
            api.create(&params, &object).await.unwrap();
        }
        Step::Change(kind, patch) => {
            let api = api(client, namespace, kind);
            let params = PatchParams {
                field_manager: Some("test".to_owned()),
                ..PatchParams::default()
            };
            api.patch("web", &params, &Patch::Merge(patch))
                .await
                .unwrap();
        }
        Step::Delete(kind, name, how) => {
            let api = api(client, namespace, kind);
            let params = DeleteParams {
                propagation_policy: Some(match *how {
                    "Orphan" => PropagationPolicy::Orphan,
                    "Foreground" => PropagationPolicy::Foreground,
                    _ => PropagationPolicy::Background,
                }),
                ..DeleteParams::default()
            };
            api.delete(name, &params).await.unwrap();
        }
    }
}

/// Does it in the simulated cluster and lets all settle.
pub(super) fn simulate(town: &mut Town, step: &Step) {
    match step {
        Step::Create(object) => {
            let mut object = object.clone();
            object["metadata"]["namespace"] = NAMESPACE.into();
            town.create(object);
        }
        Step::Change(name, patch) => {
            town.edit(&kind(name), "web", |object| merge(object, patch));
        }
        Step::Delete(name, object, how) => {
            let how = match *how {
                "Orphan" => Propagation::Orphan,
                "Foreground" => Propagation::Foreground,
                _ => Propagation::Background,
            };
            town.delete(&kind(name), object, how);
        }
    }
    town.seconds(20);
}

/// RFC 7396.
fn merge(object: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(serde_json::Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut object[key.as_str()], value);
        }
    }
}
