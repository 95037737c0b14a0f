//! The stand-in for the kubelets: one task a pod binds it to a node and reports what its image tag
//! says ([`Conduct`]); when the pod is being deleted another takes over and lets it go.
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
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::conduct::Conduct;
use super::report::Report;
use super::scheduler::Scheduler;

/// From being bound to being Ready, for a healthy pod.
const START: Duration = Duration::from_millis(50);
/// The same for a slow one.
const SLOW_START: Duration = Duration::from_secs(3);
/// From being deleted to being gone, whatever grace the pod asks for.
const GRACE: Duration = Duration::from_millis(50);
/// Between two states of a pod that flaps, and before an image pull backs off.
const BEAT: Duration = Duration::from_secs(1);
/// The longest that a crash-looping pod waits for its next start.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);
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
        let mut report = Report::of(pod, address.into());
        let conduct = Conduct::of(pod);
        if conduct == Conduct::Unschedulable {
            return self.report(pod, report.unschedulable()).await;
        }
        self.bind(pod).await?;
        sleep(START).await;
        if runs_to_an_end(pod) {
            let exit_code = u8::from(conduct == Conduct::Crashes);
            return self.report(pod, report.finished(exit_code)).await;
        }
        match conduct {
            Conduct::Healthy | Conduct::Unschedulable => {
                self.report(pod, report.running(true)).await
            }
            Conduct::NeverReady => self.report(pod, report.running(false)).await,
            Conduct::Slow => {
                self.report(pod, report.running(false)).await?;
                sleep(SLOW_START).await;
                self.report(pod, report.running(true)).await
            }
            Conduct::Flaps => loop {
                for ready in [true, false] {
                    self.report(pod, report.running(ready)).await?;
                    sleep(BEAT).await;
                }
            },
            Conduct::ImageMissing => self.fail_to_pull(pod, &mut report).await,
            Conduct::Misconfigured => {
                let message = "configmap \"absent\" not found";
                let waiting = report.waiting("CreateContainerConfigError", message);
                self.report(pod, waiting).await
            }
            Conduct::Crashes => self.crash(pod, &mut report).await,
            Conduct::NeedsSettings if self.is_fixed(pod).await? => {
                self.report(pod, report.running(true)).await
            }
            Conduct::NeedsSettings => self.crash(pod, &mut report).await,
        }
    }

    async fn fail_to_pull(&self, pod: &Pod, report: &mut Report) -> Result<(), Gone> {
        let image = report.image();
        let error = format!(
            "failed to pull and unpack image {image:?}: failed to resolve reference {image:?}: \
             unexpected status from HEAD request: 404 Not Found: manifest unknown"
        );
        self.report(pod, report.waiting("ErrImagePull", &error))
            .await?;
        sleep(BEAT).await;
        let message = format!("Back-off pulling image {image:?}: ErrImagePull: {error}");
        self.report(pod, report.waiting("ImagePullBackOff", &message))
            .await
    }

    async fn crash(&self, pod: &Pod, report: &mut Report) -> Result<(), Gone> {
        let mut back_off = BEAT;
        for restarts in 1.. {
            self.report(pod, report.crash_loop(restarts)).await?;
            sleep(back_off).await;
            back_off = LONGEST_BACK_OFF.min(back_off * 2);
        }
        Ok(())
    }

    async fn is_fixed(&self, pod: &Pod) -> Result<bool, Gone> {
        let maps: Api<ConfigMap> = self.in_namespace_of(pod);
        let settings = until_answered(|| maps.get_opt("settings")).await?;
        let fixed = settings.and_then(|map| map.data?.remove("fixed"));
        Ok(fixed.as_deref() == Some("true"))
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
