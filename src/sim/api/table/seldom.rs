//! Kinds that are looked at seldom; those without columns of their own show when they were made
//! (`rest.NewDefaultTableConvertor`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::around::{CREATED, PLAIN, created, pairs, plain};
use super::{Column, Form, age, list, name, number};
use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::selector::Labels;

/// Returns how a kind is printed.
pub(super) fn form(kind: &Kind) -> Form {
    match (kind.group.as_ref(), kind.name.as_ref()) {
        ("", "PersistentVolumeClaim") => Form(CLAIM, claim),
        ("", "PersistentVolume") => Form(VOLUME, volume),
        ("", "PodTemplate") => Form(TEMPLATE, template),
        ("", "Endpoints") => Form(ENDPOINTS, endpoints),
        ("", "ResourceQuota") => Form(QUOTA, quota),
        ("", "ServiceAccount") => Form(PLAIN, plain),
        ("admissionregistration.k8s.io", _) => Form(WEBHOOKS, webhooks),
        ("autoscaling", "Scale") => Form(SCALE, scale),
        ("networking.k8s.io", "NetworkPolicy") => Form(NETWORK_POLICY, network_policy),
        ("networking.k8s.io", "IngressClass") => Form(INGRESS_CLASS, ingress_class),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            Form(BINDING, binding)
        }
        ("scheduling.k8s.io", "PriorityClass") => Form(PRIORITY, priority),
        ("storage.k8s.io", "StorageClass") => Form(STORAGE_CLASS, storage_class),
        _ => Form(CREATED, created),
    }
}

const CLAIM: &[Column] = &[
    Column("Name", "string", 0),
    Column("Status", "string", 0),
    Column("Volume", "string", 0),
    Column("Capacity", "string", 0),
    Column("Access Modes", "string", 0),
    Column("StorageClass", "string", 0),
    Column("VolumeAttributesClass", "string", 0),
    Column("Age", "string", 0),
    Column("VolumeMode", "string", 1),
];

fn claim(object: &Object, now: Timestamp) -> Vec<Value> {
    let text = |pointer: &str| object.text(pointer).unwrap_or_default();
    let is_bound = !text("/spec/volumeName").is_empty();
    let bound = |value: String| if is_bound { value } else { String::new() };
    vec![
        name(object),
        json!(phase(object)),
        json!(text("/spec/volumeName")),
        json!(bound(text("/status/capacity/storage").to_owned())),
        json!(bound(modes(object, "/status/accessModes"))),
        json!(text("/spec/storageClassName")),
        or_unset(object, "/spec/volumeAttributesClassName"),
        age(object, now),
        or_unset(object, "/spec/volumeMode"),
    ]
}

const VOLUME: &[Column] = &[
    Column("Name", "string", 0),
    Column("Capacity", "string", 0),
    Column("Access Modes", "string", 0),
    Column("Reclaim Policy", "string", 0),
    Column("Status", "string", 0),
    Column("Claim", "string", 0),
    Column("StorageClass", "string", 0),
    Column("VolumeAttributesClass", "string", 0),
    Column("Reason", "string", 0),
    Column("Age", "string", 0),
    Column("VolumeMode", "string", 1),
];

fn volume(object: &Object, now: Timestamp) -> Vec<Value> {
    let text = |pointer: &str| object.text(pointer).unwrap_or_default();
    let claim = match object.at("/spec/claimRef") {
        Some(_) => format!(
            "{}/{}",
            text("/spec/claimRef/namespace"),
            text("/spec/claimRef/name")
        ),
        None => String::new(),
    };
    vec![
        name(object),
        json!(text("/spec/capacity/storage")),
        json!(modes(object, "/spec/accessModes")),
        json!(text("/spec/persistentVolumeReclaimPolicy")),
        json!(phase(object)),
        json!(claim),
        json!(text("/spec/storageClassName")),
        or_unset(object, "/spec/volumeAttributesClassName"),
        json!(text("/status/reason")),
        age(object, now),
        or_unset(object, "/spec/volumeMode"),
    ]
}

fn phase(object: &Object) -> &str {
    if object.is_terminating() {
        "Terminating"
    } else {
        object.text("/status/phase").unwrap_or_default()
    }
}

fn or_unset(object: &Object, pointer: &str) -> Value {
    json!(object.text(pointer).unwrap_or("<unset>"))
}

fn modes(object: &Object, pointer: &str) -> String {
    let modes = list(object, pointer).iter().filter_map(Value::as_str);
    let modes = modes.map(|mode| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    });
    modes.collect::<Vec<_>>().join(",")
}

const TEMPLATE: &[Column] = &[
    Column("Name", "string", 0),
    Column("Containers", "string", 0),
    Column("Images", "string", 0),
    Column("Pod Labels", "string", 0),
];

fn template(object: &Object, _: Timestamp) -> Vec<Value> {
    let containers = list(object, "/template/spec/containers");
    let labels = object.at("/template/metadata/labels");
    let labels = labels.and_then(Value::as_object);
    vec![
        name(object),
        json!(joined(containers, "name")),
        json!(joined(containers, "image")),
        json!(labels.map_or_else(|| "<none>".to_owned(), pairs)),
    ]
}

fn joined(of: &[Value], key: &str) -> String {
    let texts = of.iter().filter_map(|one| one[key].as_str());
    texts.collect::<Vec<_>>().join(",")
}

const ENDPOINTS: &[Column] = &[
    Column("Name", "string", 0),
    Column("Endpoints", "string", 0),
    Column("Age", "string", 0),
];

/// The most addresses that are shown.
const SHOWN: usize = 3;

fn endpoints(object: &Object, now: Timestamp) -> Vec<Value> {
    let mut places = Vec::new();
    for subset in list(object, "/subsets") {
        let addresses = subset["addresses"].as_array().into_iter().flatten();
        let hosts: Vec<&str> = addresses
            .filter_map(|address| address["ip"].as_str())
            .collect();
        let ports = subset["ports"].as_array().into_iter().flatten();
        let ports: Vec<String> = ports.map(|port| format!(":{}", port["port"])).collect();
        let ports = if ports.is_empty() {
            vec![String::new()]
        } else {
            ports
        };
        let both = ports
            .iter()
            .flat_map(|port| hosts.iter().map(move |host| format!("{host}{port}")));
        places.extend(both);
    }
    let more = places.len().saturating_sub(SHOWN);
    places.truncate(SHOWN);
    let text = match (places.is_empty(), more) {
        (true, _) => "<none>".to_owned(),
        (false, 0) => places.join(","),
        (false, more) => format!("{} + {more} more...", places.join(",")),
    };
    vec![name(object), json!(text), age(object, now)]
}

const QUOTA: &[Column] = &[
    Column("Name", "string", 0),
    Column("Request", "string", 0),
    Column("Limit", "string", 0),
    Column("Age", "string", 0),
];

fn quota(object: &Object, now: Timestamp) -> Vec<Value> {
    let hard = object.at("/status/hard").and_then(Value::as_object);
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in hard.into_iter().flatten() {
        let used = object
            .at("/status/used")
            .and_then(|used| used.get(resource));
        let text =
            |amount: Option<&Value>| amount.and_then(Value::as_str).unwrap_or("0").to_owned();
        let line = format!("{resource}: {}/{}", text(used), text(Some(hard)));
        if resource.starts_with("limits.") {
            limits.push(line);
        } else {
            requests.push(line);
        }
    }
    vec![
        name(object),
        json!(requests.join(", ")),
        json!(limits.join(", ")),
        age(object, now),
    ]
}

const WEBHOOKS: &[Column] = &[
    Column("Name", "string", 0),
    Column("Webhooks", "integer", 0),
    Column("Age", "string", 0),
];

fn webhooks(object: &Object, now: Timestamp) -> Vec<Value> {
    let count = list(object, "/webhooks").len();
    vec![name(object), json!(count), age(object, now)]
}

const SCALE: &[Column] = &[
    Column("Name", "string", 0),
    Column("Desired", "integer", 0),
    Column("Available", "integer", 0),
    Column("Age", "string", 0),
];

fn scale(object: &Object, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        json!(number(object, "/spec/replicas")),
        json!(number(object, "/status/replicas")),
        age(object, now),
    ]
}

const NETWORK_POLICY: &[Column] = &[
    Column("Name", "string", 0),
    Column("Pod-Selector", "string", 0),
    Column("Age", "string", 0),
];

fn network_policy(object: &Object, now: Timestamp) -> Vec<Value> {
    let selector = object.at("/spec/podSelector").map(Labels::of);
    let selector = selector.unwrap_or_default();
    let text = if selector.is_empty() {
        "<none>".to_owned()
    } else {
        selector.text()
    };
    vec![name(object), json!(text), age(object, now)]
}

const INGRESS_CLASS: &[Column] = &[
    Column("Name", "string", 0),
    Column("Controller", "string", 0),
    Column("Parameters", "string", 0),
    Column("Age", "string", 0),
];

fn ingress_class(object: &Object, now: Timestamp) -> Vec<Value> {
    let text = |pointer: &str| object.text(pointer).unwrap_or_default();
    let parameters = match object.at("/spec/parameters") {
        Some(_) => {
            let group = object.text("/spec/parameters/apiGroup");
            let group = group.map_or_else(String::new, |group| format!(".{group}"));
            let kind = text("/spec/parameters/kind");
            format!("{kind}{group}/{}", text("/spec/parameters/name"))
        }
        None => "<none>".to_owned(),
    };
    vec![
        named(object, "ingressclass.kubernetes.io/is-default-class"),
        json!(text("/spec/controller")),
        json!(parameters),
        age(object, now),
    ]
}

/// Returns the name, and whether it is the class that is meant where none is named.
fn named(object: &Object, mark: &str) -> Value {
    let annotations = object.at("/metadata/annotations");
    let marked = annotations.and_then(|annotations| annotations.get(mark));
    let own = object.text("/metadata/name").unwrap_or_default();
    if marked.is_some_and(|marked| marked == "true") {
        json!(format!("{own} (default)"))
    } else {
        json!(own)
    }
}

const BINDING: &[Column] = &[
    Column("Name", "string", 0),
    Column("Role", "string", 0),
    Column("Age", "string", 0),
    Column("Users", "string", 1),
    Column("Groups", "string", 1),
    Column("ServiceAccounts", "string", 1),
];

fn binding(object: &Object, now: Timestamp) -> Vec<Value> {
    let text = |pointer: &str| object.text(pointer).unwrap_or_default();
    let subjects = |kind: &str| {
        let of_kind = list(object, "/subjects").iter();
        let names = of_kind.filter(|subject| subject["kind"] == kind);
        let names = names.map(|subject| {
            let part = |key: &str| subject[key].as_str().unwrap_or_default();
            match part("namespace") {
                namespace if kind == "ServiceAccount" => format!("{namespace}/{}", part("name")),
                _ => part("name").to_owned(),
            }
        });
        json!(names.collect::<Vec<_>>().join(", "))
    };
    vec![
        name(object),
        json!(format!(
            "{}/{}",
            text("/roleRef/kind"),
            text("/roleRef/name")
        )),
        age(object, now),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

const PRIORITY: &[Column] = &[
    Column("Name", "string", 0),
    Column("Value", "integer", 0),
    Column("Global-Default", "boolean", 0),
    Column("Age", "string", 0),
    Column("PreemptionPolicy", "string", 1),
];

fn priority(object: &Object, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        json!(number(object, "/value")),
        json!(object.at("/globalDefault") == Some(&json!(true))),
        age(object, now),
        json!(object.text("/preemptionPolicy").unwrap_or_default()),
    ]
}

const STORAGE_CLASS: &[Column] = &[
    Column("Name", "string", 0),
    Column("Provisioner", "string", 0),
    Column("ReclaimPolicy", "string", 0),
    Column("VolumeBindingMode", "string", 0),
    Column("AllowVolumeExpansion", "string", 0),
    Column("Age", "string", 0),
];

fn storage_class(object: &Object, now: Timestamp) -> Vec<Value> {
    vec![
        named(object, "storageclass.kubernetes.io/is-default-class"),
        json!(object.text("/provisioner").unwrap_or_default()),
        json!(object.text("/reclaimPolicy").unwrap_or("Delete")),
        json!(object.text("/volumeBindingMode").unwrap_or("Immediate")),
        json!(object.at("/allowVolumeExpansion") == Some(&json!(true))),
        age(object, now),
    ]
}
