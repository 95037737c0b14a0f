//! The stand-in for the kubelets: one task a pod binds it to a node and reports what its image tag
//! says ([`Conduct`], the simulator's); when the pod is being deleted another takes over and lets
//! it go.
//!
//! A status that was reported is not reported again, so a test may patch the status of a pod that
//! has come to rest and so break or heal it by hand.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tidegate::clock;
use tidegate::sim::kubelet::{Conduct, GRACE, Report, SETTINGS};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::nodes::NODES;
use super::scheduler::Scheduler;

/// Between two attempts where the API server does not answer.
const RETRY: Duration = Duration::from_millis(100);

/// The pod was deleted.
struct Gone;

struct Kubelet {
    client: Client,
    scheduler: Scheduler,
    addresses: AtomicU32,
}

/// Takes care of all pods for as long as it is polled, also while the API server comes and goes.
pub(super) async fn run(client: Client, nodes: Vec<String>) {
    let pods = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
    let mut events = std::pin::pin!(pods);
    let mut rounds = Rounds::new(client, nodes);
    loop {
        match events.try_next().await {
            Ok(Some(watcher::Event::Init)) => rounds.listed.clear(),
            Ok(Some(watcher::Event::InitApply(pod))) => {
                rounds.listed.insert(pod.uid().unwrap_or_default());
                rounds.see(pod);
            }
            Ok(Some(watcher::Event::InitDone)) => rounds.forget_all_but_listed(),
            Ok(Some(watcher::Event::Apply(pod))) => rounds.see(pod),
            Ok(Some(watcher::Event::Delete(pod))) => rounds.forget(&pod.uid().unwrap_or_default()),
            Ok(None) => return,
            Err(_) => sleep(RETRY).await,
        }
    }
}

/// The tasks of all pods, by UID.
struct Rounds {
    kubelet: Arc<Kubelet>,
    running: JoinSet<()>,
    tasks: HashMap<String, Task>,
    listed: HashSet<String>,
}

struct Task {
    ending: bool,
    handle: AbortHandle,
}

impl Rounds {
    fn new(client: Client, nodes: Vec<String>) -> Self {
        Self {
            kubelet: Arc::new(Kubelet {
                client,
                scheduler: Scheduler::new(nodes),
                addresses: AtomicU32::new(Ipv4Addr::new(10, 64, 0, 1).into()),
            }),
            running: JoinSet::new(),
            tasks: HashMap::new(),
            listed: HashSet::new(),
        }
    }

    fn see(&mut self, pod: Pod) {
        while self.running.try_join_next().is_some() {}
        let uid = pod.uid().unwrap_or_default();
        let ending = pod.metadata.deletion_timestamp.is_some();
        if let Some(task) = self.tasks.get(&uid) {
            if task.ending || !ending {
                return;
            }
            task.handle.abort();
        }
        let kubelet = Arc::clone(&self.kubelet);
        let handle = self.running.spawn(async move {
            let done = if ending {
                kubelet.end(&pod).await
            } else {
                kubelet.live(&pod).await
            };
            // A pod that is gone needs nothing more.
            done.unwrap_or(());
        });
        self.tasks.insert(uid, Task { ending, handle });
    }

    fn forget(&mut self, uid: &str) {
        if let Some(task) = self.tasks.remove(uid) {
            task.handle.abort();
        }
    }

    /// Pods may have gone while nobody watched.
    fn forget_all_but_listed(&mut self) {
        let listed = &self.listed;
        for (_, task) in self.tasks.extract_if(|uid, _| !listed.contains(uid)) {
            task.handle.abort();
        }
    }
}

impl Kubelet {
    async fn live(&self, pod: &Pod) -> Result<(), Gone> {
        let address = self.addresses.fetch_add(1, Ordering::Relaxed);
        let read = serde_json::to_value(pod).expect("a pod is JSON");
        let mut report = Report::of(&read, address.into(), clock::now());
        let (conduct, image) = conduct(pod);
        if conduct == Conduct::Unschedulable {
            let full = format!("0/{NODES} nodes are available: {NODES} Insufficient cpu.");
            let refused = report.unschedulable(full, clock::now());
            return self.report(pod, refused).await;
        }
        self.bind(pod).await?;
        let has_settings = conduct == Conduct::NeedsSettings && self.has_settings(pod).await?;
        for turn in conduct.course(image, has_settings, runs_to_an_end(pod)) {
            sleep(turn.after).await;
            let status = report.says(&turn.look, clock::now());
            self.report(pod, status).await?;
        }
        Ok(())
    }

    async fn has_settings(&self, pod: &Pod) -> Result<bool, Gone> {
        let (name, key, value) = SETTINGS;
        let maps: Api<ConfigMap> = self.in_namespace_of(pod);
        let settings = until_answered(|| maps.get_opt(name)).await?;
        let said = settings.and_then(|map| map.data?.remove(key));
        Ok(said.as_deref() == Some(value))
    }

    async fn bind(&self, pod: &Pod) -> Result<(), Gone> {
        if pod
            .spec
            .as_ref()
            .is_some_and(|spec| spec.node_name.is_some())
        {
            return Ok(());
        }
        let pods: Api<Pod> = self.in_namespace_of(pod);
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod.name_any(), "uid": pod.uid()},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self.scheduler.choose(pod)},
        });
        let params = PostParams::default();
        let name = pod.name_any();
        until_answered(|| async {
            let bound = pods.create_subresource::<_, Value>("binding", &name, &params, &binding);
            conflict_is_done(bound.await)
        })
        .await
    }

    async fn report(&self, pod: &Pod, status: Value) -> Result<(), Gone> {
        let pods: Api<Pod> = self.in_namespace_of(pod);
        let (params, patch) = (PatchParams::default(), Patch::Merge(status));
        until_answered(|| async { pods.patch_status(&pod.name_any(), &params, &patch).await })
            .await
            .map(drop)
    }

    async fn end(&self, pod: &Pod) -> Result<(), Gone> {
        sleep(GRACE).await;
        let pods: Api<Pod> = self.in_namespace_of(pod);
        let at_once = DeleteParams::default()
            .grace_period(0)
            .preconditions(Preconditions {
                uid: pod.uid(),
                resource_version: None,
            });
        until_answered(|| async { conflict_is_done(pods.delete(&pod.name_any(), &at_once).await) })
            .await
    }

    fn in_namespace_of<K>(&self, pod: &Pod) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default())
    }
}

/// What a pod does, and the image that says so.
fn conduct(pod: &Pod) -> (Conduct, &str) {
    let first = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    let image = first.and_then(|container| container.image.as_deref());
    let image = image.unwrap_or_default();
    let variables = first.and_then(|container| container.env.as_deref());
    let variables: Vec<&str> = variables
        .unwrap_or_default()
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    (Conduct::of(image, &variables), image)
}

fn runs_to_an_end(pod: &Pod) -> bool {
    let policy = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref());
    policy.is_some_and(|policy| policy != "Always")
}

/// Tries until the API server answers.
async fn until_answered<T, F>(call: impl Fn() -> F) -> Result<T, Gone>
where
    F: Future<Output = kube::Result<T>>,
{
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(kube::Error::Api(status)) if status.code == 404 => return Err(Gone),
            Err(kube::Error::Api(status)) if status.code == 422 => {
                panic!("what the stand-in said is invalid: {}", status.message)
            }
            Err(_) => sleep(RETRY).await,
        }
    }
}

/// The pod is bound or deleted already, by an attempt whose answer was lost, or another pod has its
/// name by now.
fn conflict_is_done<T>(answer: kube::Result<T>) -> kube::Result<()> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        answer => answer.map(drop),
    }
}
