//! The whole simulated cluster put together.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::api::Api;
use super::controller::Controllers;
use super::fault::Faults;
use super::hall::Hall;
use super::kubelet::{Kubelet, Pace};
use super::serving::Serving;
use super::store::{Actor, Store};
use super::time::{Time, later};

/// Namespaces that every cluster has.
const NAMESPACES: &[&str] = &["default", "kube-node-lease", "kube-public", "kube-system"];
/// The most rounds of controllers and kubelets until nothing moves any more; a cluster that needs
/// more is left to the next call.
const ROUNDS: usize = 10_000;

/// What a simulated cluster begins with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What time it is there.
    pub time: Time,
    /// The same seed gives the same UIDs, names and places of pods.
    pub seed: u64,
    /// Names of its nodes.
    pub nodes: Vec<String>,
    /// How long its pods take to start.
    pub pace: Pace,
}

impl Plan {
    /// Returns the plan of a cluster in real time with that many nodes, `node-1` and so on.
    #[must_use]
    pub fn real(seed: u64, nodes: usize) -> Self {
        Self {
            time: Time::real(),
            seed,
            nodes: (1..=nodes).map(|number| format!("node-{number}")).collect(),
            pace: Pace::default(),
        }
    }

    /// Returns the same plan with pods that start at that pace.
    #[must_use]
    pub fn at(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Returns the same plan with a time that stands at `start` until it is advanced.
    #[must_use]
    pub fn driven_from(self, start: Timestamp) -> Self {
        Self {
            time: Time::driven(start),
            ..self
        }
    }
}

/// A simulated cluster: API server, controllers and kubelets around one store. Cheap to clone;
/// clones are the same cluster.
#[derive(Clone)]
pub struct Town {
    hall: Hall,
    faults: Faults,
    crew: Arc<Mutex<Crew>>,
}

/// Who works in it.
struct Crew {
    controllers: Controllers,
    kubelet: Kubelet,
}

/// The work of controllers and kubelets, going on until this is dropped.
#[derive(Debug)]
pub struct Work(JoinHandle<()>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Town {
    /// Founds a cluster. Nothing moves in it before [`Town::start`] or [`Town::settle`].
    #[must_use]
    pub fn found(plan: &Plan) -> Self {
        let hall = Hall::new(plan.time.clone(), plan.seed);
        hall.enter(furnish);
        Self {
            hall,
            faults: Faults::default(),
            crew: Arc::new(Mutex::new(Crew {
                controllers: Controllers::new(),
                kubelet: Kubelet::new(plan.seed, &plan.nodes).at(plan.pace),
            })),
        }
    }

    /// Uses the store alone: a way past API server and faults.
    pub fn enter<T>(&self, visit: impl FnOnce(&mut Store) -> T) -> T {
        self.hall.enter(visit)
    }

    /// Returns a bell that says the revision of each change.
    #[must_use]
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.hall.bell()
    }

    /// Returns the time of the cluster.
    #[must_use]
    pub const fn time(&self) -> &Time {
        self.hall.time()
    }

    /// Returns the faults of its API server.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Returns its API server.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(self.hall.clone(), self.faults.clone())
    }

    /// Returns a client that speaks to its API server without a network. Must be called within a
    /// tokio runtime.
    #[must_use]
    pub fn client(&self, default_namespace: &str) -> Client {
        let api = self.api();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let api = api.clone();
            async move { api.answer(request).await }
        });
        Client::new(service, default_namespace)
    }

    /// Serves its API over HTTP on a port of the loopback interface, 0 for any that is free.
    ///
    /// # Errors
    /// Where the port cannot be had.
    pub async fn serve(&self, port: u16) -> io::Result<Serving> {
        Serving::begin(self.api(), port).await
    }

    /// Sets controllers and kubelets to work: after each change, and when their time has come.
    /// They stop when the result is dropped. Must be called within a tokio runtime.
    #[must_use = "the work ends when this is dropped"]
    pub fn start(&self) -> Work {
        let town = self.clone();
        Work(tokio::spawn(async move { town.work().await }))
    }

    async fn work(&self) {
        let mut bell = self.hall.bell();
        loop {
            bell.mark_unchanged();
            let due = self.turn();
            let soon = due.is_some_and(|due| due <= self.time().now());
            if soon || bell.has_changed().unwrap_or(false) {
                // Others want the store as well.
                tokio::task::yield_now().await;
                continue;
            }
            let wait = async {
                match due {
                    Some(due) => self.time().reached(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = bell.changed() => {}
                () = wait => {}
            }
        }
    }

    /// Lets everybody work once. Returns when the next of them has something to do.
    fn turn(&self) -> Option<Timestamp> {
        let crew = &mut *self.crew();
        self.hall.enter(|store| {
            let pods = crew.kubelet.run(store);
            let rest = crew.controllers.run(store);
            [pods, rest].into_iter().flatten().min()
        })
    }

    /// Lets controllers and kubelets work until nothing moves any more at the present time. Returns
    /// when something will move without any change coming.
    pub fn settle(&self) -> Option<Timestamp> {
        let mut due = None;
        for _ in 0..ROUNDS {
            let before = self.hall.enter(|store| store.revision());
            due = self.turn();
            let is_still = before == self.hall.enter(|store| store.revision());
            if is_still && due.is_none_or(|due| due > self.time().now()) {
                break;
            }
        }
        due
    }

    /// Moves a driven time forward, and everything in the cluster with it, one thing after the
    /// other.
    pub fn advance(&self, by: Duration) {
        let end = later(self.time().now(), by);
        loop {
            let now = self.time().now();
            let next = self.settle().map_or(end, |due| due.clamp(now, end));
            let step = Duration::try_from(next.duration_since(now)).unwrap_or_default();
            if step.is_zero() {
                return;
            }
            self.time().advance(step);
        }
    }

    /// Loses a node: it answers no more.
    pub fn lose_node(&self, node: &str) {
        let kubelet = &mut self.crew().kubelet;
        self.hall.enter(|store| kubelet.lose(store, node));
    }

    /// Finds a lost node again.
    pub fn find_node(&self, node: &str) {
        let kubelet = &mut self.crew().kubelet;
        self.hall.enter(|store| kubelet.find(store, node));
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes what every cluster has from its beginning.
fn furnish(store: &mut Store) {
    let actor = Actor::new("kube-apiserver");
    let mut objects: Vec<_> = NAMESPACES
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .collect();
    objects.push(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default",
                     "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"clusterIP": "10.96.0.1",
                 "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
    }));
    for object in objects {
        let made = store.create(&actor, object);
        made.expect("nothing is there that could be in its way");
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api as Client;
    use kube::api::{ListParams, Patch, PatchParams, WatchEvent, WatchParams};
    use kube::runtime::wait::{await_condition, conditions};
    use serde_json::Value;

    use super::*;
    use crate::sim::fault::{Fate, Fault, Rule, Verb};

    fn town() -> Town {
        let start = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
        Town::found(&Plan::real(1, 3).driven_from(start))
    }

    fn web(image: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}},
                             "spec": {"containers": [{"name": "a", "image": image}]}}}})
    }

    async fn apply(town: &Town, image: &str) -> kube::Result<Deployment> {
        let deployments: Client<Deployment> = Client::namespaced(town.client("default"), "default");
        let params = PatchParams::apply("test");
        deployments
            .patch("web", &params, &Patch::Apply(web(image)))
            .await
    }

    #[tokio::test]
    async fn an_applied_deployment_becomes_ready_as_time_is_advanced() {
        let town = town();
        apply(&town, "shop/web:v1").await.expect("applied");
        town.advance(Duration::from_secs(5));
        let pods: Client<Pod> = Client::namespaced(town.client("default"), "default");
        let found = pods
            .list(&ListParams::default().labels("app=web"))
            .await
            .expect("listed");
        assert_eq!(found.items.len(), 3);
        let deployments: Client<Deployment> = Client::namespaced(town.client("default"), "default");
        let web = deployments.get("web").await.expect("there");
        let status = web.status.expect("a status");
        assert_eq!(
            (status.ready_replicas, status.updated_replicas),
            (Some(3), Some(3))
        );
    }

    #[tokio::test]
    async fn a_cluster_at_work_needs_nobody_to_advance_it() {
        let town = Town::found(&Plan::real(1, 2));
        let _work = town.start();
        apply(&town, "shop/web:v1").await.expect("applied");
        let deployments: Client<Deployment> = Client::namespaced(town.client("default"), "default");
        let done = conditions::is_deployment_completed();
        let completed = await_condition(deployments, "web", done);
        let completed = tokio::time::timeout(Duration::from_secs(20), completed).await;
        assert!(completed.is_ok_and(|completed| completed.is_ok()));
    }

    #[tokio::test]
    async fn pods_start_one_after_the_other_where_their_pace_says_so() {
        let pace = Pace::between(Duration::from_secs(1), Duration::from_secs(5));
        let start = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
        let town = Town::found(&Plan::real(1, 3).at(pace).driven_from(start));
        apply(&town, "shop/web:v1").await.expect("applied");
        let ready = || {
            let is_ready = |pod: &&std::sync::Arc<crate::object::Object>| {
                let ready = pod.condition("Ready");
                ready.is_some_and(|ready| ready["status"] == "True")
            };
            let pods = crate::sim::kind::Kind::POD;
            town.enter(|store| store.list(&pods, None).filter(is_ready).count())
        };
        let mut counts = Vec::new();
        for _ in 0..60 {
            town.advance(Duration::from_millis(100));
            counts.push(ready());
        }
        assert_eq!(counts[8], 0, "none within the first second: {counts:?}");
        assert_eq!(counts[51], 3, "all after five: {counts:?}");
        counts.dedup();
        assert!(counts.len() > 2, "not all at once: {counts:?}");
    }

    #[tokio::test]
    async fn a_watch_tells_what_comes_after_its_revision() {
        use futures::{StreamExt as _, TryStreamExt as _};
        let town = town();
        let pods: Client<Pod> = Client::namespaced(town.client("default"), "default");
        let list = pods.list(&ListParams::default()).await.expect("listed");
        let version = list.metadata.resource_version.expect("a revision");
        apply(&town, "shop/web:v1").await.expect("applied");
        town.settle();
        let watch = pods
            .watch(&WatchParams::default(), &version)
            .await
            .expect("begun");
        let events: Vec<_> = watch.boxed().take(3).try_collect().await.expect("events");
        let added = events
            .iter()
            .filter(|event| matches!(event, WatchEvent::Added(_)));
        assert_eq!(added.count(), 3);
        town.enter(Store::forget);
        let mut watch = pods
            .watch(&WatchParams::default(), "2")
            .await
            .expect("begun")
            .boxed();
        let event = watch.try_next().await.expect("an event");
        let Some(WatchEvent::Error(status)) = event else {
            panic!("{event:?} is no error");
        };
        assert_eq!(status.code, 410);
    }

    #[tokio::test]
    async fn an_answer_that_is_lost_leaves_its_effect() {
        let town = town();
        town.faults().on_write(|number, _| match number {
            1 => Fate::LostAfter,
            _ => Fate::Done,
        });
        apply(&town, "shop/web:v1")
            .await
            .expect_err("the answer is lost");
        let again = apply(&town, "shop/web:v1").await.expect("the same again");
        assert_eq!(again.metadata.generation, Some(1));
        assert_eq!(town.faults().writes(), 2);
    }

    #[tokio::test]
    async fn a_stale_read_shows_an_earlier_state() {
        let town = town();
        apply(&town, "shop/web:v1").await.expect("applied");
        apply(&town, "shop/web:v2").await.expect("applied");
        let stale = Rule::next(1, Verb::Get, "deployments", Fault::Stale(1));
        town.faults().add(stale);
        let deployments: Client<Deployment> = Client::namespaced(town.client("default"), "default");
        for generation in [1, 2] {
            let web = deployments.get("web").await.expect("there");
            assert_eq!(web.metadata.generation, Some(generation));
        }
    }
}
