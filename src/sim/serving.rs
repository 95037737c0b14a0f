//! The simulated API server over HTTP on the loopback interface.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::api::Api;

/// An API server that answers until this is dropped.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    listening: JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Serving {
    pub(super) async fn begin(api: Api, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listening: tokio::spawn(listen(listener, api)),
        })
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the text of a kubeconfig for it: context `simulated`, no credentials.
    #[must_use]
    pub fn kubeconfig(&self, namespace: &str) -> String {
        let server = format!("http://{}", self.address);
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: simulated\n  \
               cluster:\n    \
                 server: {server}\n\
             contexts:\n\
             - name: simulated\n  \
               context:\n    \
                 cluster: simulated\n    \
                 namespace: {namespace}\n    \
                 user: simulated\n\
             current-context: simulated\n\
             users:\n\
             - name: simulated\n  \
               user: {{}}\n"
        )
    }
}

/// Takes connections; those that are open end with the task.
async fn listen(listener: TcpListener, api: Api) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // A connection that breaks before it is taken concerns nobody.
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(converse(stream, api.clone()));
        }
    }
}

async fn converse(stream: TcpStream, api: Api) {
    // Small answers are not to wait for more; where that cannot be had they do.
    let _is_set = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let api = api.clone();
        async move { api.answer(request).await }
    });
    // An error is a fault that was asked for, or a client that left.
    let _end = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[cfg(test)]
mod tests {
    use crate::sim::town::{Plan, Town};

    #[tokio::test]
    async fn the_kubeconfig_leads_to_the_server() {
        let serving = Town::found(&Plan::real(1, 1))
            .serve(0)
            .await
            .expect("a port");
        let text = serving.kubeconfig("shop");
        let read: serde_json::Value = serde_yaml::from_str(&text).expect("YAML");
        let server = format!("http://{}", serving.address());
        assert_eq!(read["clusters"][0]["cluster"]["server"], server.as_str());
        assert_eq!(read["contexts"][0]["context"]["namespace"], "shop");
    }

    #[tokio::test]
    async fn a_client_reaches_it_over_http() {
        use k8s_openapi::api::core::v1::Namespace;
        let serving = Town::found(&Plan::real(1, 1))
            .serve(0)
            .await
            .expect("a port");
        let url = format!("http://{}", serving.address())
            .parse()
            .expect("a URL");
        let client = kube::Client::try_from(kube::Config::new(url)).expect("a client");
        let namespaces: kube::Api<Namespace> = kube::Api::all(client);
        let found = namespaces.get("default").await.expect("there");
        assert_eq!(found.metadata.name.as_deref(), Some("default"));
    }
}
