//! Defaults of Services (`pkg/apis/core/v1/defaults.go`) and their addresses.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{default, each};
use crate::sim::kind::Kind;
use crate::sim::store::Store;

/// The first address of Services (`--service-cluster-ip-range` 10.96.0.0/12); the first one itself
/// belongs to the API server.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 2);
/// The first node port.
const FIRST_NODE_PORT: u64 = 30_000;

/// What a Service keeps from one state to the next unless it says otherwise.
const KEPT: &[&str] = &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"];

pub(super) fn fill(service: &mut Value) {
    let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    default(spec, "sessionAffinity", json!("None"));
    default(spec, "type", json!("ClusterIP"));
    each(spec, "ports", |port| {
        default(port, "protocol", json!("TCP"));
        if let Some(number) = port.get("port").cloned() {
            default(port, "targetPort", number);
        }
    });
    match spec["type"].as_str() {
        Some("ExternalName") => return,
        Some("NodePort") => {
            default(spec, "externalTrafficPolicy", json!("Cluster"));
        }
        Some("LoadBalancer") => {
            default(spec, "externalTrafficPolicy", json!("Cluster"));
            default(spec, "allocateLoadBalancerNodePorts", json!(true));
        }
        _ => {}
    }
    default(spec, "internalTrafficPolicy", json!("Cluster"));
}

/// Gives a new Service its address and ports.
pub(super) fn found(store: &Store, service: &mut Value) {
    service["status"] = json!({"loadBalancer": {}});
    let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    if spec.get("type") == Some(&json!("ExternalName")) {
        return;
    }
    let wanted = spec.get("clusterIP").and_then(Value::as_str);
    let address = match wanted.filter(|address| !address.is_empty()) {
        Some(address) => address.to_owned(),
        None => free_address(store),
    };
    spec.insert("clusterIP".to_owned(), json!(address));
    spec.insert("clusterIPs".to_owned(), json!([address]));
    default(spec, "ipFamilies", json!(["IPv4"]));
    default(spec, "ipFamilyPolicy", json!("SingleStack"));
    if matches!(spec["type"].as_str(), Some("NodePort" | "LoadBalancer")) {
        let mut free = free_ports(store);
        each(spec, "ports", |port| {
            if !port.contains_key("nodePort") {
                port.insert("nodePort".to_owned(), json!(free.next()));
            }
        });
    }
}

/// Keeps the address of a Service that says none.
pub(super) fn renew(live: &Value, service: &mut Value) {
    let (Some(was), Some(spec)) = (
        live.get("spec"),
        service.get_mut("spec").and_then(Value::as_object_mut),
    ) else {
        return;
    };
    if spec.get("type") == Some(&json!("ExternalName")) {
        return;
    }
    for key in KEPT {
        if let Some(value) = was.get(*key) {
            default(spec, key, value.clone());
        }
    }
    let before = was.get("ports").and_then(Value::as_array);
    let before = before.cloned().unwrap_or_default();
    if matches!(spec["type"].as_str(), Some("NodePort" | "LoadBalancer")) {
        each(spec, "ports", |port| {
            let same = |was: &&Value| {
                was.get("port") == port.get("port") && was.get("protocol") == port.get("protocol")
            };
            let number = before.iter().find(same).and_then(|was| was.get("nodePort"));
            if let Some(number) = number.cloned() {
                default(port, "nodePort", number);
            }
        });
    }
}

fn free_address(store: &Store) -> String {
    let used: HashSet<&str> = store
        .list(&Kind::SERVICE, None)
        .filter_map(|service| service.text("/spec/clusterIP"))
        .collect();
    (u32::from(FIRST)..)
        .map(|bits| Ipv4Addr::from(bits).to_string())
        .find(|address| !used.contains(address.as_str()))
        .unwrap_or_default()
}

fn free_ports(store: &Store) -> impl Iterator<Item = u64> + use<> {
    let ports = store
        .list(&Kind::SERVICE, None)
        .filter_map(|service| service.at("/spec/ports")?.as_array())
        .flatten()
        .filter_map(|port| port.get("nodePort")?.as_u64());
    let used: HashSet<u64> = ports.collect();
    (FIRST_NODE_PORT..).filter(move |port| !used.contains(port))
}
