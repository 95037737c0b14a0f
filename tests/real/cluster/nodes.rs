//! The nodes: five of them in three zones, ready for ever, since no controller watches over them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tidegate::clock;

/// The number of nodes.
pub(crate) const NODES: usize = 5;

/// Registers the nodes as kubelets would, and returns their names.
pub(super) async fn register(client: &Client) -> Vec<String> {
    let nodes: Vec<String> = (0..NODES).map(|number| format!("node-{number}")).collect();
    for (number, name) in nodes.iter().enumerate() {
        register_node(Api::all(client.clone()), name, number)
            .await
            .expect("the admin may register nodes");
    }
    nodes
}

async fn register_node(api: Api<Node>, name: &str, number: usize) -> kube::Result<()> {
    let labels = [
        ("kubernetes.io/arch", "amd64".to_owned()),
        ("kubernetes.io/hostname", name.to_owned()),
        ("kubernetes.io/os", "linux".to_owned()),
        (
            "topology.kubernetes.io/zone",
            format!("zone-{}", number % 3),
        ),
    ];
    let node = Node {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from(
                labels.map(|(key, value)| (key.to_owned(), value)),
            )),
            ..ObjectMeta::default()
        },
        ..Node::default()
    };
    api.create(&PostParams::default(), &node).await?;
    let room = json!({"cpu": "1000", "memory": "4Ti", "pods": "10000"});
    let now = Time(clock::now());
    let status = json!({"status": {
        "capacity": room,
        "allocatable": room,
        "addresses": [
            {"type": "InternalIP", "address": format!("10.0.0.{}", number + 1)},
            {"type": "Hostname", "address": name},
        ],
        "nodeInfo": {
            "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "stand-in://1.0",
            "kernelVersion": "0.0.0", "kubeProxyVersion": "", "kubeletVersion": "v1.36.2",
            "machineID": "", "operatingSystem": "linux", "osImage": "simulated", "systemUUID": "",
        },
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady",
            "message": "the stand-in is ready", "lastHeartbeatTime": now, "lastTransitionTime": now,
        }],
    }});
    let params = PatchParams::default();
    api.patch_status(name, &params, &Patch::Merge(status))
        .await?;
    // Admission taints every new node as not ready; the controller that would lift it is not run.
    let untainted = json!({"spec": {"taints": null}});
    api.patch(name, &params, &Patch::Merge(untainted)).await?;
    Ok(())
}
