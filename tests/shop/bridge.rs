//! A way to the API server that breaks at a chosen write of a workload, so that an agent can be
//! killed just before that write or just after it, and a write can be held back until it is late.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, header};
use base64::prelude::{BASE64_STANDARD, Engine};
use http_body_util::BodyExt as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::git_server::{Identity, TlsServer};
use super::ground::Account;

/// Where the bridge breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// The write does not arrive, unless it is let go later.
    Before,
    /// It arrives; the answer does not come back.
    After,
}

/// The bridge. It ends when this is dropped.
pub(crate) struct Bridge {
    account: Account,
    crossing: Crossing,
    _server: TlsServer,
}

#[derive(Clone)]
struct Crossing {
    far: Client,
    plan: Arc<Mutex<Option<(usize, Break)>>>,
    broken: Arc<watch::Sender<bool>>,
    released: Arc<Notify>,
}

impl Bridge {
    /// Builds a bridge for one account.
    pub(crate) async fn build(account: &Account, folder: &Path) -> Self {
        let text = fs::read_to_string(&account.kubeconfig).expect("the harness wrote it");
        let mut document: Value = serde_yaml::from_str(&text).expect("the harness wrote it");
        let crossing = Crossing {
            far: anonymous(&document).await,
            plan: Arc::default(),
            broken: Arc::new(watch::Sender::new(false)),
            released: Arc::default(),
        };
        let identity = Identity::new();
        let router = Router::new().fallback(cross).with_state(crossing.clone());
        let server = TlsServer::start(0, &identity, router).await;
        document["clusters"][0]["cluster"] = json!({
            "server": format!("https://127.0.0.1:{}", server.port),
            "certificate-authority-data": BASE64_STANDARD.encode(&identity.ca),
        });
        let kubeconfig = folder.join(format!("{}-bridge.kubeconfig", account.user));
        fs::write(&kubeconfig, document.to_string()).expect("there is room");
        Self {
            account: Account {
                user: account.user.clone(),
                kubeconfig,
            },
            crossing,
            _server: server,
        }
    }

    /// The same account, on the way over the bridge.
    pub(crate) fn account(&self) -> Account {
        self.account.clone()
    }

    /// Breaks at a write of a Deployment, counted from 1 for the next one.
    pub(crate) fn break_at(&self, write: usize, at: Break) {
        self.crossing.broken.send_replace(false);
        let mut plan = self
            .crossing
            .plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *plan = Some((write, at));
    }

    /// Waits until it has broken.
    pub(crate) async fn broken(&self) {
        let mut broken = self.crossing.broken.subscribe();
        let told = broken.wait_for(|broken| *broken).await;
        told.expect("the bridge stands");
    }

    /// Lets the write that is held back go, late.
    pub(crate) fn release(&self) {
        self.crossing.released.notify_one();
    }
}

/// A client with nobody's rights: each request brings its own.
async fn anonymous(document: &Value) -> Client {
    let mut document = document.clone();
    document["users"][0]["user"] = json!({});
    let kubeconfig: Kubeconfig = serde_json::from_value(document).expect("it is a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .expect("the harness wrote it");
    Client::try_from(config).expect("the harness wrote it")
}

async fn cross(State(crossing): State<Crossing>, request: Request) -> Response<Body> {
    let verdict = crossing.verdict(&request);
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.expect("the agent lives").to_bytes();
    parts.headers.remove(header::HOST);
    if verdict == Some(Break::Before) {
        crossing.broken.send_replace(true);
        crossing.released.notified().await;
    }
    let request = Request::from_parts(parts, kube::client::Body::from(body));
    let far = crossing.far.clone();
    // A server goes on with a request whose sender has died.
    let answer = tokio::spawn(async move { far.send(request).await })
        .await
        .expect("it does not panic");
    if verdict == Some(Break::After) {
        crossing.broken.send_replace(true);
        std::future::pending::<()>().await;
    }
    match answer {
        Ok(answer) => answer.map(Body::new),
        Err(cause) => Response::builder()
            .status(502)
            .body(Body::from(cause.to_string()))
            .expect("it is a response"),
    }
}

impl Crossing {
    /// Says whether this request is the one at which the bridge breaks.
    fn verdict(&self, request: &Request) -> Option<Break> {
        let is_write = request.method() == Method::PATCH
            && request.uri().path().contains("/deployments/")
            && !request
                .uri()
                .query()
                .is_some_and(|query| query.contains("dryRun"));
        if !is_write {
            return None;
        }
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, at) = (*plan)?;
        *plan = (left > 1).then_some((left - 1, at));
        (left == 1).then_some(at)
    }
}
