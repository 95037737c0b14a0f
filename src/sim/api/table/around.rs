//! What stands around workloads, and all other kinds.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Column, age, list, name, number};
use crate::object::Object;

pub(super) const PLAIN: &[Column] = &[Column("Name", "string", 0), Column("Age", "string", 0)];

pub(super) fn plain(object: &Object, now: Timestamp) -> Vec<Value> {
    vec![name(object), age(object, now)]
}

pub(super) const CREATED: &[Column] =
    &[Column("Name", "string", 0), Column("Created At", "date", 0)];

pub(super) fn created(object: &Object, _: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        json!(object.text("/metadata/creationTimestamp")),
    ]
}

pub(super) const SERVICE: &[Column] = &[
    Column("Name", "string", 0),
    Column("Type", "string", 0),
    Column("Cluster-IP", "string", 0),
    Column("External-IP", "string", 0),
    Column("Port(s)", "string", 0),
    Column("Age", "string", 0),
    Column("Selector", "string", 1),
];

pub(super) fn service(object: &Object, now: Timestamp) -> Vec<Value> {
    let ports: Vec<String> = list(object, "/spec/ports")
        .iter()
        .map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            match port["nodePort"].as_i64() {
                Some(node) => format!("{}:{node}/{protocol}", port["port"]),
                None => format!("{}/{protocol}", port["port"]),
            }
        })
        .collect();
    let external = match object.text("/spec/type") {
        Some("LoadBalancer") => "<pending>",
        Some("ExternalName") => object.text("/spec/externalName").unwrap_or("<none>"),
        Some(_) | None => "<none>",
    };
    let selector = object.at("/spec/selector").and_then(Value::as_object);
    vec![
        name(object),
        json!(object.text("/spec/type")),
        json!(object.text("/spec/clusterIP").unwrap_or("<none>")),
        json!(external),
        json!(if ports.is_empty() {
            "<none>".to_owned()
        } else {
            ports.join(",")
        }),
        age(object, now),
        json!(selector.map_or_else(|| "<none>".to_owned(), pairs)),
    ]
}

pub(super) fn pairs(labels: &Map<String, Value>) -> String {
    let pairs = labels.iter();
    let pairs = pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    pairs.collect::<Vec<_>>().join(",")
}

fn size(object: &Object, keys: &[&str]) -> usize {
    let maps = keys.iter().filter_map(|key| object.at(key)?.as_object());
    maps.map(Map::len).sum()
}

pub(super) const CONFIG_MAP: &[Column] = &[
    Column("Name", "string", 0),
    Column("Data", "string", 0),
    Column("Age", "string", 0),
];

pub(super) fn config_map(object: &Object, now: Timestamp) -> Vec<Value> {
    let size = size(object, &["/data", "/binaryData"]);
    vec![name(object), json!(size), age(object, now)]
}

pub(super) const SECRET: &[Column] = &[
    Column("Name", "string", 0),
    Column("Type", "string", 0),
    Column("Data", "string", 0),
    Column("Age", "string", 0),
];

pub(super) fn secret(object: &Object, now: Timestamp) -> Vec<Value> {
    let kind = json!(object.text("/type"));
    vec![
        name(object),
        kind,
        json!(size(object, &["/data"])),
        age(object, now),
    ]
}

pub(super) const NAMESPACE: &[Column] = &[
    Column("Name", "string", 0),
    Column("Status", "string", 0),
    Column("Age", "string", 0),
];

pub(super) fn namespace(object: &Object, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        json!(object.text("/status/phase")),
        age(object, now),
    ]
}

pub(super) const NODE: &[Column] = &[
    Column("Name", "string", 0),
    Column("Status", "string", 0),
    Column("Roles", "string", 0),
    Column("Age", "string", 0),
    Column("Version", "string", 0),
    Column("Internal-IP", "string", 1),
    Column("External-IP", "string", 1),
    Column("OS-Image", "string", 1),
    Column("Kernel-Version", "string", 1),
    Column("Container-Runtime", "string", 1),
];

pub(super) fn node(object: &Object, now: Timestamp) -> Vec<Value> {
    let ready = list(object, "/status/conditions")
        .iter()
        .find(|condition| condition["type"] == "Ready");
    let mut status = match ready.and_then(|ready| ready["status"].as_str()) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if object.at("/spec/unschedulable") == Some(&json!(true)) {
        status += ",SchedulingDisabled";
    }
    let text = |pointer: &str| {
        let text = object.text(pointer).filter(|text| !text.is_empty());
        json!(text.unwrap_or("<unknown>"))
    };
    let address = |kind: &str| {
        let addresses = list(object, "/status/addresses");
        let found = addresses.iter().find(|address| address["type"] == kind);
        found.map_or_else(|| json!("<none>"), |address| address["address"].clone())
    };
    vec![
        name(object),
        json!(status),
        json!(roles(object)),
        age(object, now),
        text("/status/nodeInfo/kubeletVersion"),
        address("InternalIP"),
        address("ExternalIP"),
        text("/status/nodeInfo/osImage"),
        text("/status/nodeInfo/kernelVersion"),
        text("/status/nodeInfo/containerRuntimeVersion"),
    ]
}

fn roles(node: &Object) -> String {
    let labels = node.at("/metadata/labels").and_then(Value::as_object);
    let names = labels.into_iter().flatten();
    let roles = names.filter_map(|(name, _)| name.strip_prefix("node-role.kubernetes.io/"));
    let roles: Vec<&str> = roles.filter(|role| !role.is_empty()).collect();
    if roles.is_empty() {
        "<none>".to_owned()
    } else {
        roles.join(",")
    }
}

pub(super) const EVENT: &[Column] = &[
    Column("Last Seen", "string", 0),
    Column("Type", "string", 0),
    Column("Reason", "string", 0),
    Column("Object", "string", 0),
    Column("Subobject", "string", 1),
    Column("Source", "string", 1),
    Column("Message", "string", 0),
    Column("First Seen", "string", 1),
    Column("Count", "string", 1),
    Column("Name", "string", 1),
];

pub(super) fn event(object: &Object, now: Timestamp) -> Vec<Value> {
    let text = |pointer: &str| object.text(pointer).unwrap_or_default();
    let about = |key: &str| text(&format!("/involvedObject/{key}")).to_owned();
    let seen = |key: &str| {
        let at = object.text(key).or_else(|| object.text("/eventTime"));
        json!(super::age::since(at, now))
    };
    let source = match text("/source/component") {
        "" => text("/reportingComponent"),
        component => component,
    };
    vec![
        seen("/lastTimestamp"),
        json!(text("/type")),
        json!(text("/reason")),
        json!(format!(
            "{}/{}",
            about("kind").to_lowercase(),
            about("name")
        )),
        json!(about("fieldPath")),
        json!(source),
        json!(text("/message").trim()),
        seen("/firstTimestamp"),
        json!(number(object, "/count").max(1)),
        name(object),
    ]
}

pub(super) const BUDGET: &[Column] = &[
    Column("Name", "string", 0),
    Column("Min Available", "string", 0),
    Column("Max Unavailable", "string", 0),
    Column("Allowed Disruptions", "integer", 0),
    Column("Age", "string", 0),
];

pub(super) fn budget(object: &Object, now: Timestamp) -> Vec<Value> {
    let amount = |pointer: &str| match object.at(pointer) {
        Some(Value::String(text)) => json!(text),
        Some(number) => json!(number.to_string()),
        None => json!("N/A"),
    };
    vec![
        name(object),
        amount("/spec/minAvailable"),
        amount("/spec/maxUnavailable"),
        json!(number(object, "/status/disruptionsAllowed")),
        age(object, now),
    ]
}

pub(super) const SCALER: &[Column] = &[
    Column("Name", "string", 0),
    Column("Reference", "string", 0),
    Column("Targets", "string", 0),
    Column("MinPods", "string", 0),
    Column("MaxPods", "string", 0),
    Column("Replicas", "string", 0),
    Column("Age", "string", 0),
];

pub(super) fn scaler(object: &Object, now: Timestamp) -> Vec<Value> {
    let text = |pointer: &str| object.text(pointer).unwrap_or_default();
    let kind = text("/spec/scaleTargetRef/kind");
    vec![
        name(object),
        json!(format!("{kind}/{}", text("/spec/scaleTargetRef/name"))),
        json!(targets(object)),
        least(object),
        json!(number(object, "/spec/maxReplicas")),
        json!(number(object, "/status/currentReplicas")),
        age(object, now),
    ]
}

fn least(scaler: &Object) -> Value {
    let least = scaler.at("/spec/minReplicas");
    least.map_or_else(|| json!("<unset>"), |least| json!(least.to_string()))
}

/// Nobody measures pods here, so that only what is wanted is known (`formatHPAMetrics`).
fn targets(scaler: &Object) -> String {
    let wanted = |metric: &Value| {
        let target = metric.pointer("/resource/target")?;
        let name = metric.pointer("/resource/name")?.as_str()?;
        let share = target["averageUtilization"].as_i64();
        let amount = target["averageValue"].as_str().map(ToOwned::to_owned);
        let wanted = share.map(|share| format!("{share}%")).or(amount)?;
        Some(format!("{name}: <unknown>/{wanted}"))
    };
    let known = list(scaler, "/spec/metrics").iter().filter_map(wanted);
    let known: Vec<String> = known.collect();
    if known.is_empty() {
        "<unknown>".to_owned()
    } else {
        known.join(", ")
    }
}

pub(super) const INGRESS: &[Column] = &[
    Column("Name", "string", 0),
    Column("Class", "string", 0),
    Column("Hosts", "string", 0),
    Column("Address", "string", 0),
    Column("Ports", "string", 0),
    Column("Age", "string", 0),
];

pub(super) fn ingress(object: &Object, now: Timestamp) -> Vec<Value> {
    let hosts = list(object, "/spec/rules").iter();
    let hosts: Vec<&str> = hosts.filter_map(|rule| rule["host"].as_str()).collect();
    let hosts = if hosts.is_empty() {
        "*".to_owned()
    } else {
        hosts.join(",")
    };
    let is_secure = !list(object, "/spec/tls").is_empty();
    vec![
        name(object),
        json!(object.text("/spec/ingressClassName").unwrap_or("<none>")),
        json!(hosts),
        json!(""),
        json!(if is_secure { "80, 443" } else { "80" }),
        age(object, now),
    ]
}

pub(super) const LEASE: &[Column] = &[
    Column("Name", "string", 0),
    Column("Holder", "string", 0),
    Column("Age", "string", 0),
];

pub(super) fn lease(object: &Object, now: Timestamp) -> Vec<Value> {
    let holder = object.text("/spec/holderIdentity").unwrap_or_default();
    vec![name(object), json!(holder), age(object, now)]
}

pub(super) const SLICE: &[Column] = &[
    Column("Name", "string", 0),
    Column("AddressType", "string", 0),
    Column("Ports", "string", 0),
    Column("Endpoints", "string", 0),
    Column("Age", "string", 0),
];

pub(super) fn slice(object: &Object, now: Timestamp) -> Vec<Value> {
    let joined = |texts: Vec<String>| {
        if texts.is_empty() {
            json!("<unset>")
        } else {
            json!(texts.join(","))
        }
    };
    let ports = list(object, "/ports").iter();
    let endpoints = list(object, "/endpoints").iter();
    let addresses = endpoints
        .filter_map(|endpoint| endpoint["addresses"].as_array())
        .flatten()
        .filter_map(|address| address.as_str().map(ToOwned::to_owned));
    vec![
        name(object),
        json!(object.text("/addressType")),
        joined(ports.map(|port| port["port"].to_string()).collect()),
        joined(addresses.collect()),
        age(object, now),
    ]
}
