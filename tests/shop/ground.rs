//! What a shop stands on: a cluster, be it real or simulated.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tidegate::sim::serving::Serving;
use tidegate::sim::town::{Plan, Town, Work};
use tokio::runtime::{Builder, Runtime};

use super::background::wait_for;
use super::stand_in::StandIn;

/// An account that was handed out to an agent of a test.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Its user name, as the audit log has it.
    pub(crate) user: String,
    /// The file to hand over as `KUBECONFIG`.
    pub(crate) kubeconfig: PathBuf,
}

/// A cluster for shops.
pub(crate) trait Ground: Send + Sync {
    /// What it is called where the two differ.
    fn name(&self) -> &'static str;

    /// Returns a client that may do everything, for the runtime that asks for it.
    fn client(&self) -> BoxFuture<'static, Client>;

    /// Makes a namespace that no other shop has, and returns its name.
    fn namespace<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, String>;

    /// Hands out an account for an agent that lives in this namespace and serves it; a file for it
    /// goes into `folder` where there is none yet.
    fn account<'a>(&'a self, namespace: &'a str, folder: &'a Path) -> BoxFuture<'a, Account>;

    /// Does what `kubectl -n NAMESPACE ARGUMENTS` does; returns what it prints, or its complaint.
    fn kubectl(&self, namespace: &str, arguments: &[&str]) -> Result<String, String>;
}

/// A simulated cluster, served over HTTP in this process.
pub(crate) struct Simulated {
    pub(crate) town: Town,
    serving: Serving,
    _work: Work,
    /// A thread of its own, so that towns wait for no other's work.
    runtime: Option<Runtime>,
    namespaces: AtomicUsize,
}

impl Drop for Simulated {
    fn drop(&mut self) {
        // It may be dropped on a thread of another runtime, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Simulated {
    /// Founds a town of five nodes in real time.
    pub(crate) fn found() -> Self {
        Self::planned(&Plan::real(1, 5))
    }

    /// Founds a town.
    pub(crate) fn planned(plan: &Plan) -> Self {
        let town = Town::found(plan);
        let begin = town.clone();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("town")
            .enable_all()
            .build()
            .expect("the machine has threads left");
        let (done, begun) = mpsc::channel();
        runtime.spawn(async move {
            let serving = begin.serve(0).await.expect("a port is free");
            done.send((begin.start(), serving))
        });
        let (work, serving) = begun.recv().expect("the task does not panic");
        Self {
            town,
            serving,
            _work: work,
            runtime: Some(runtime),
            namespaces: AtomicUsize::new(0),
        }
    }
}

impl Ground for Simulated {
    fn name(&self) -> &'static str {
        "the simulator"
    }

    fn client(&self) -> BoxFuture<'static, Client> {
        let town = self.town.clone();
        Box::pin(async move { town.client("default") })
    }

    fn namespace<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, String> {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{number}");
        Box::pin(async move {
            make_namespace(self.client().await, &name).await;
            name
        })
    }

    fn account<'a>(&'a self, namespace: &'a str, folder: &'a Path) -> BoxFuture<'a, Account> {
        let kubeconfig = folder.join("simulated.kubeconfig");
        let text = self.serving.kubeconfig(namespace);
        std::fs::write(&kubeconfig, text).expect("there is room");
        let user = "simulated".to_owned();
        Box::pin(async move { Account { user, kubeconfig } })
    }

    fn kubectl(&self, namespace: &str, arguments: &[&str]) -> Result<String, String> {
        let town = self.town.clone();
        let namespace = namespace.to_owned();
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        wait_for(async move {
            let stand_in = StandIn::new(town.client(&namespace), namespace);
            stand_in.run(&arguments).await
        })
    }
}

/// Makes a namespace.
pub(crate) async fn make_namespace(client: Client, name: &str) {
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    Api::all(client)
        .create(&PostParams::default(), &namespace)
        .await
        .expect("the admin may make namespaces");
}
