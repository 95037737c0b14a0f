//! What a shop's cluster holds, and what people do to it.

use std::collections::BTreeSet;

use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::background::wait_for;
use super::{Exposure, Ladder, SOON, Shop, Trace};

/// Kinds as people type them: word, group, version, kind.
const KINDS: &[(&str, &str, &str, &str)] = &[
    (
        "clusterrole",
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRole",
    ),
    ("configmap", "", "v1", "ConfigMap"),
    ("deployment", "apps", "v1", "Deployment"),
    ("event", "", "v1", "Event"),
    (
        "horizontalpodautoscaler",
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
    ),
    ("daemonset", "apps", "v1", "DaemonSet"),
    ("lease", "coordination.k8s.io", "v1", "Lease"),
    ("namespace", "", "v1", "Namespace"),
    ("node", "", "v1", "Node"),
    ("pod", "", "v1", "Pod"),
    ("replicaset", "apps", "v1", "ReplicaSet"),
    ("secret", "", "v1", "Secret"),
    ("service", "", "v1", "Service"),
    ("serviceaccount", "", "v1", "ServiceAccount"),
    ("statefulset", "apps", "v1", "StatefulSet"),
];

/// Objects of a kind in a namespace, by the word for the kind.
pub(super) fn objects(client: Client, namespace: &str, word: &str) -> Api<DynamicObject> {
    let known = KINDS.iter().find(|kind| kind.0 == word);
    let resource = match (known, word.split_once('.')) {
        (Some((_, group, version, kind)), _) => GroupVersionKind::gvk(group, version, kind),
        // `kind.group` of a definition that a test made, at its version.
        (None, Some((kind, group))) => {
            let (first, rest) = kind.split_at(1);
            let kind = first.to_uppercase() + rest;
            GroupVersionKind::gvk(group, "v1", &kind)
        }
        (None, None) => panic!("what is a {word}?"),
    };
    let resource = ApiResource::from_gvk(&resource);
    if ["clusterrole", "namespace", "node"].contains(&word) {
        Api::all_with(client, &resource)
    } else {
        Api::namespaced_with(client, namespace, &resource)
    }
}

impl Shop {
    /// Runs kubectl in the shop's namespace, as someone who may do everything, and returns what it
    /// prints.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let done = self.stage.ground().kubectl(&self.namespace, arguments);
        done.unwrap_or_else(|complaint| panic!("kubectl {arguments:?}: {complaint}"))
    }

    /// Makes or changes objects by kubectl; `verb` is `create` or `apply`.
    pub(crate) fn make(&self, verb: &[&str], manifest: &str) {
        let file = tempfile::NamedTempFile::new().expect("there is room");
        std::fs::write(file.path(), manifest).expect("there is room");
        let path = file.path().to_str().expect("a plain path");
        self.kubectl(&[verb, &["-f", path]].concat());
    }

    /// One object (`kind/name`) as JSON; null where it is not there.
    pub(crate) fn get(&self, what: &str) -> Value {
        let (kind, name) = what.split_once('/').expect("kind/name");
        let api = objects(self.stage.client(), &self.namespace, kind);
        let name = name.to_owned();
        let found = wait_for(async move { api.get_opt(&name).await });
        // An API server that is away for a moment has nothing to show.
        let found = found.ok().flatten();
        found.map_or(Value::Null, |found| json!(found))
    }

    /// All objects of a kind, as JSON.
    pub(crate) fn list(&self, kind: &str, selected: &ListParams) -> Vec<Value> {
        let api = objects(self.stage.client(), &self.namespace, kind);
        let selected = selected.clone();
        let found = wait_for(async move { api.list(&selected).await });
        let found = found.expect("the admin may list");
        found.items.iter().map(|found| json!(found)).collect()
    }

    /// The ledger's records; null where there is none.
    pub(crate) fn ledger(&self) -> Value {
        self.ledger_of("web")
    }

    /// The ledger's records of a `GitSync`; null where there is none.
    pub(crate) fn ledger_of(&self, name: &str) -> Value {
        let head = self.get(&format!("configmap/tidegate-{name}"));
        let text = head["data"]["ledger"].as_str().unwrap_or("null");
        let head: Value = serde_json::from_str(text).expect("a ledger is JSON");
        head["ledger"].clone()
    }

    /// What the history of the ledger says of a commit; null where it does not know it.
    pub(crate) fn record(&self, commit: &str) -> Value {
        let history = self.ledger()["history"].take();
        let mut records = history.as_array().cloned().unwrap_or_default().into_iter();
        let found = records.find(|record| record["revision"]["id"] == commit);
        found.unwrap_or_default()
    }

    /// The outcome of a commit as the ledger has it.
    pub(crate) fn outcome(&self, commit: &str) -> String {
        let record = self.record(commit);
        record["outcome"].as_str().unwrap_or("unseen").to_owned()
    }

    /// The ledger's checkpoint of a Deployment; null where it has none.
    pub(crate) fn checkpoint(&self, deployment: &str) -> Value {
        self.checkpoint_of("Deployment", deployment)
    }

    /// The ledger's checkpoint of a workload; null where it has none.
    pub(crate) fn checkpoint_of(&self, kind: &str, name: &str) -> Value {
        let name = format!("apps/{kind}/{}/{name}", self.namespace);
        self.ledger()["rollouts"][name].take()
    }

    /// The pods of a Deployment whose image has this tag, those being deleted left out.
    pub(crate) fn pods(&self, app: &str, tag: &str) -> Vec<Value> {
        let of_app = ListParams::default().labels(&format!("app={app}"));
        let mut pods = self.list("pod", &of_app);
        let image = format!("shop/{app}:{tag}");
        pods.retain(|pod| {
            pod["spec"]["containers"][0]["image"] == image
                && pod["metadata"]["deletionTimestamp"].is_null()
        });
        pods
    }

    /// Their UIDs.
    pub(crate) fn pod_uids(&self, app: &str, tag: &str) -> BTreeSet<String> {
        let pods = self.pods(app, tag);
        pods.iter()
            .filter_map(|pod| pod["metadata"]["uid"].as_str().map(str::to_owned))
            .collect()
    }

    /// The pod of a tag that came last: of the batch that was opened last.
    pub(crate) fn newest_pod(&self, app: &str, tag: &str) -> Value {
        let pods = self.pods(app, tag).into_iter();
        let newest = pods.max_by_key(|pod| pod["metadata"]["creationTimestamp"].to_string());
        newest.expect("there is one")
    }

    /// Makes a pod Ready or not Ready by hand, and for good.
    pub(crate) fn set_ready(&self, pod: &Value, is_ready: bool) {
        let name = pod["metadata"]["name"].as_str().expect("a pod has a name");
        let status = if is_ready { "True" } else { "False" };
        let patch = json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
        let api = objects(self.stage.client(), &self.namespace, "pod");
        let name = name.to_owned();
        let patched = wait_for(async move {
            let params = PatchParams::default();
            api.patch_status(&name, &params, &Patch::Strategic(patch))
                .await
        });
        patched.expect("the pod is there");
    }

    /// The Events about an object: reason and note, one for each that was told, oldest first.
    pub(crate) fn events(&self, kind: &str, name: &str) -> Vec<(String, String)> {
        self.events_of(&format!(
            "involvedObject.kind={kind},involvedObject.name={name}"
        ))
    }

    /// The notes of the Events of a reason about an object, in no order.
    pub(crate) fn notes(&self, name: &str, reason: &str) -> Vec<String> {
        let about = format!("involvedObject.name={name},reason={reason}");
        let events = self.events_of(&about).into_iter();
        events.map(|(_, note)| note).collect()
    }

    fn events_of(&self, fields: &str) -> Vec<(String, String)> {
        let events = self.list("event", &ListParams::default().fields(fields));
        let told = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
        events
            .iter()
            .map(|event| (told(event, "reason"), told(event, "message")))
            .collect()
    }

    /// Sets an annotation on the head of the ledger, as the command line does to ask something.
    pub(crate) fn ask(&self, annotation: &str, value: &str) {
        self.ask_of("web", annotation, value);
    }

    /// The same on the head of another `GitSync`.
    pub(crate) fn ask_of(&self, gitsync: &str, annotation: &str, value: &str) {
        let head = format!("tidegate-{gitsync}");
        let annotation = format!("tidegate.dev/{annotation}");
        let patch = json!({"metadata": {"annotations": {annotation: value}}});
        let api = objects(self.stage.client(), &self.namespace, "configmap");
        let asked = wait_for(async move {
            let params = PatchParams::default();
            api.patch(&head, &params, &Patch::Merge(patch)).await
        });
        asked.expect("the head of the ledger is there");
    }

    /// Records what the writes of a Deployment let be new from now on.
    pub(crate) async fn exposure(&self, deployment: &str) -> Exposure {
        Exposure::start(self.stage.client(), &self.namespace, deployment)
    }

    /// Records the pods of a StatefulSet or a DaemonSet, as `statefulset/name`, from now on.
    pub(crate) fn ladder(&self, what: &str) -> Ladder {
        let what = what.split_once('/').expect("a kind and a name");
        Ladder::start(self.stage.client(), &self.namespace, what)
    }

    /// Records the pods of a Deployment from now on; its course is compared with the one on
    /// another ground.
    pub(crate) async fn trace(&self, deployment: &str) -> Trace {
        let trace = Trace::start(self.stage.client(), &self.namespace, deployment).await;
        let shop = self
            .namespace
            .rsplit_once('-')
            .map_or("", |(prefix, _)| prefix);
        self.stage.keep(format!("{shop}: {deployment}"), &trace);
        trace
    }

    /// The same, once the pods are at rest: the first counts that settle are these.
    pub(crate) async fn trace_at_rest(&self, deployment: &str) -> Trace {
        let trace = self.trace(deployment).await;
        trace
            .until_settled("the pods to rest", SOON, |_| true)
            .await;
        trace
    }
}
