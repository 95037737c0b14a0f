//! The client: how the cluster is reached, and how one call is made.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{HeaderValue, Request, Uri, header::RETRY_AFTER};
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
    core::Status,
};
use serde_json::Value;

use super::{
    Cause, Fence, Refusal,
    call::{Call, Effect},
    kinds::Kinds,
    pace::Pace,
    seal,
};
use crate::object::Object;

/// How long a call other than a watch may take.
const DEADLINE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);

/// A cluster, as far as its API server shows it. Cheap to clone; clones share connections,
/// discovery and pace.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    pub(super) kinds: Arc<Kinds>,
    pub(super) pace: Arc<Pace>,
    deadline: Duration,
    fence: Option<Fence>,
    acting_as: Option<HeaderValue>,
    default_namespace: Arc<str>,
}

/// What became of a delete.
#[derive(Clone, Debug, PartialEq)]
pub enum Deletion {
    /// The object is gone, by this call or before it.
    Gone,
    /// Deletion has begun; a finalizer or a grace period holds the object, which is as it says now.
    Begun(Box<Object>),
    /// Another object has that name now; it was left alone.
    AnotherUid,
}

/// Why a cluster cannot be reached at all.
#[derive(Debug, thiserror::Error)]
pub enum ClusterFault {
    /// The kubeconfig cannot be used.
    #[error("kubeconfig {place} cannot be used: {reason}")]
    Kubeconfig {
        /// The file, or where it was looked for.
        place: String,
        /// Why; never with its content.
        reason: String,
    },
    /// Neither a kubeconfig nor the environment of a pod is there.
    #[error("no cluster to talk to: {kubeconfig}; and not in a cluster: {in_cluster}")]
    Nowhere {
        /// Why no kubeconfig could be used.
        kubeconfig: String,
        /// Why the environment of a pod could not be used.
        in_cluster: String,
    },
    /// Certificates, keys or the name of a proxy cannot be used.
    #[error("the client for {url} could not be made: {reason}")]
    Client {
        /// The API server.
        url: String,
        /// Why.
        reason: String,
    },
}

impl Cluster {
    /// Connects by a kubeconfig and one of its contexts; where neither is named by the default
    /// kubeconfig (`KUBECONFIG`, `~/.kube/config`), else as a pod by its service account. Nothing
    /// is sent yet.
    ///
    /// # Errors
    /// Where the configuration cannot be read or used.
    pub async fn connect(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
    ) -> Result<Self, ClusterFault> {
        let mut config = configuration(kubeconfig, context).await?;
        config.connect_timeout = Some(CONNECT);
        config.write_timeout = Some(DEADLINE);
        // The loop decides about retries; kube's own would hide a 429 for minutes.
        config.default_retry = false;
        // As every client of Kubernetes: a proxy is for other machines (`HTTPS_PROXY`).
        if is_here(&config.cluster_url) {
            config.proxy_url = None;
        }
        let url = config.cluster_url.to_string();
        let namespace = config.default_namespace.clone();
        let client = Client::try_from(config).map_err(|fault| ClusterFault::Client {
            url,
            reason: fault.to_string(),
        })?;
        Ok(Self::new(client, &namespace))
    }

    /// Takes a client as it is: the port for anything that answers as an API server does.
    #[must_use]
    pub fn new(client: Client, default_namespace: &str) -> Self {
        Self {
            client,
            kinds: Arc::default(),
            pace: Arc::new(Pace::new()),
            deadline: DEADLINE,
            fence: None,
            acting_as: None,
            default_namespace: default_namespace.into(),
        }
    }

    /// Returns the same cluster, whose every write (dry runs apart) first asks `fence`.
    #[must_use]
    pub fn fenced(&self, fence: Fence) -> Self {
        Self {
            fence: Some(fence),
            ..self.clone()
        }
    }

    /// Returns the same cluster with another deadline for each call; 30 s by default.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self {
            deadline,
            ..self.clone()
        }
    }

    /// Returns the same cluster, seen and changed with the rights of a service account
    /// (impersonation, which the agent's own account must be allowed). `None` where the names can
    /// be no service account's.
    #[must_use]
    pub fn acting_as(&self, namespace: &str, service_account: &str) -> Option<Self> {
        let user = format!("system:serviceaccount:{namespace}:{service_account}");
        let user = HeaderValue::from_str(&user).ok()?;
        Some(Self {
            acting_as: Some(user),
            ..self.clone()
        })
    }

    /// Returns the namespace of the kubeconfig's context or of the pod.
    #[must_use]
    pub fn default_namespace(&self) -> &str {
        &self.default_namespace
    }

    /// Makes one call within the deadline and returns its answer, Secrets sealed.
    pub(super) async fn ask(&self, call: &Call, request: Draft) -> Result<Value, Refusal> {
        let request = self.prepare(call, request)?;
        let answer = tokio::time::timeout(self.deadline, exchange(&self.client, request));
        let (code, retry_after, body) = match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => return Err(call.broken(&fault)),
            Err(_) => return Err(call.too_late(self.deadline)),
        };
        if code >= 400 {
            let refusal = call.answered(&status(code, &body), retry_after);
            if matches!(refusal.cause, Cause::KindUnknown { .. }) {
                self.kinds.forget(&call.api_version);
            }
            return Err(refusal);
        }
        let mut answer: Value = serde_json::from_slice(&body)
            .map_err(|fault| call.unanswered(format!("the answer is no JSON: {fault}")))?;
        seal(&mut answer);
        Ok(answer)
    }

    /// Makes one call when the pace lets it, and tells the pace how it went.
    pub(super) async fn ask_in_turn(&self, call: &Call, request: Draft) -> Result<Value, Refusal> {
        let place = self.pace.enter().await;
        let began = crate::clock::since_boot();
        let answer = self.ask(call, request).await;
        let took = crate::clock::since_boot().saturating_sub(began);
        place.answered(
            took,
            answer.as_ref().is_err_and(|no| no.retry_after().is_some()),
        );
        answer
    }

    /// Checks the fence and adds who is acting; the last thing before a request is sent.
    pub(super) fn prepare(&self, call: &Call, request: Draft) -> Result<Request<Vec<u8>>, Refusal> {
        let mut request = request.map_err(|fault| call.malformed(fault.to_string()))?;
        if let Some(user) = &self.acting_as {
            request
                .headers_mut()
                .insert("impersonate-user", user.clone());
        }
        let is_fenced_off = self.fence.as_ref().is_some_and(|fence| !fence.check());
        if call.effect == Effect::Writes && is_fenced_off {
            return Err(call.refused(Cause::NotLeader));
        }
        Ok(request)
    }

    /// How long a call may take.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// A request as kube's builder leaves it.
pub(super) type Draft = Result<Request<Vec<u8>>, kube::core::request::Error>;

/// Status code, Retry-After and body.
type Answer = (u16, Option<Duration>, Vec<u8>);

async fn exchange(client: &Client, request: Request<Vec<u8>>) -> Result<Answer, kube::Error> {
    let response = client.send(request.map(Body::from)).await?;
    let seconds = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let retry_after = seconds
        .and_then(|text| text.parse().ok())
        .map(Duration::from_secs);
    let code = response.status().as_u16();
    let body = response.into_body().collect_bytes().await?;
    Ok((code, retry_after, body.to_vec()))
}

/// Reads a Status; proxies and priority and fairness answer with plain text.
fn status(code: u16, body: &[u8]) -> Status {
    let mut status = serde_json::from_slice(body)
        .unwrap_or_else(|_| Status::failure(String::from_utf8_lossy(body).trim(), ""));
    status.code = code;
    status
}

/// Says whether a server is on this machine.
fn is_here(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

async fn configuration(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
) -> Result<Config, ClusterFault> {
    let options = KubeConfigOptions {
        context: context.map(ToOwned::to_owned),
        ..Default::default()
    };
    if let Some(path) = kubeconfig {
        let fault = |fault| kubeconfig_fault(path.display().to_string(), &fault);
        let file = Kubeconfig::read_from(PathBuf::from(path)).map_err(fault)?;
        return Config::from_custom_kubeconfig(file, &options)
            .await
            .map_err(fault);
    }
    let fault = match Config::from_kubeconfig(&options).await {
        Ok(config) => return Ok(config),
        Err(fault) => fault,
    };
    if context.is_some() {
        return Err(kubeconfig_fault("by default".to_owned(), &fault));
    }
    Config::incluster().map_err(|in_cluster| ClusterFault::Nowhere {
        kubeconfig: reason(&fault),
        in_cluster: in_cluster.to_string(),
    })
}

fn kubeconfig_fault(place: String, fault: &KubeconfigError) -> ClusterFault {
    ClusterFault::Kubeconfig {
        place,
        reason: reason(fault),
    }
}

/// Errors of the YAML reader quote the file, which holds credentials.
fn reason(fault: &KubeconfigError) -> String {
    match fault {
        KubeconfigError::Parse(_) => "it is no valid kubeconfig in YAML".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_broken_kubeconfig_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, "apiVersion: v1\nusers: {token: canary").unwrap();
        let fault = Cluster::connect(Some(&path), None)
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(
            fault.contains("config") && !fault.contains("canary"),
            "{fault}"
        );
    }

    #[test]
    fn plain_text_is_an_answer_too() {
        let status = status(429, b"Too many requests, please try again later.\n");
        assert_eq!(status.code, 429);
        assert_eq!(status.message, "Too many requests, please try again later.");
    }

    #[test]
    fn a_proxy_is_for_other_machines() {
        for here in [
            "http://127.0.0.1:80",
            "https://localhost",
            "https://[::1]:6443",
        ] {
            assert!(is_here(&Uri::from_static(here)), "{here}");
        }
        for there in [
            "https://10.0.0.1:6443",
            "https://localhost.example",
            "https://kube",
        ] {
            assert!(!is_here(&Uri::from_static(there)), "{there}");
        }
    }
}
