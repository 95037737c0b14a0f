//! A smart-HTTP Git server: Git's own `http-backend` behind TLS and authentication.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Response, StatusCode, header},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{io::AsyncWriteExt, process::Command, task::JoinHandle};

/// The user that is let in.
pub(crate) const USERNAME: &str = "tidegate";
/// The user's password, also the bearer token that is let in.
pub(crate) const PASSWORD: &str = "canary-7f3a91c2";
const LARGEST_BODY: usize = 1 << 30;

/// A certificate for loopback and the authority that signed it, in PEM.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) ca: String,
    certificate: String,
    key: String,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        // Not the default name, which the server's certificate has: that would look self-signed.
        ca.distinguished_name
            .push(DnType::CommonName, "tidegate test authority");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &ca)
            .unwrap();
        Self {
            ca: ca.pem(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A router served over TLS on a loopback port.
pub(crate) struct TlsServer {
    pub(crate) port: u16,
    handle: Handle<SocketAddr>,
    task: JoinHandle<()>,
}

impl TlsServer {
    /// Serves on a port, or on any free one for 0.
    pub(crate) async fn start(port: u16, identity: &Identity, router: Router) -> Self {
        // A second test in this process finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (certificate, key) = (identity.certificate.clone(), identity.key.clone());
        let config = RustlsConfig::from_pem(certificate.into(), key.into())
            .await
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let handle = Handle::new();
        let server = axum_server::from_tcp_rustls(listener, config).unwrap();
        let served = server
            .handle(handle.clone())
            .serve(router.into_make_service());
        let task = tokio::spawn(async move { served.await.unwrap() });
        Self { port, handle, task }
    }

    /// Closes the port and all connections.
    pub(crate) async fn stop(self) {
        self.handle.shutdown();
        self.task.await.unwrap();
    }
}

/// The Git server.
pub(crate) struct GitServer {
    identity: Identity,
    port: u16,
    served: Served,
    running: Option<TlsServer>,
}

#[derive(Clone)]
struct Served {
    root: PathBuf,
    requests: Arc<AtomicUsize>,
}

impl GitServer {
    /// Serves the repositories below a directory, for reading and, since every request is
    /// authenticated, for pushing.
    pub(crate) async fn start(root: &Path) -> Self {
        let served = Served {
            root: root.to_owned(),
            requests: Arc::default(),
        };
        let mut server = Self {
            identity: Identity::new(),
            port: 0,
            served,
            running: None,
        };
        server.resume().await;
        server
    }

    /// Serves again, on the same port.
    pub(crate) async fn resume(&mut self) {
        let router = Router::new()
            .fallback(answer)
            .with_state(self.served.clone());
        let running = TlsServer::start(self.port, &self.identity, router).await;
        self.port = running.port;
        self.running = Some(running);
    }

    /// Takes the server down: connections are refused until [`Self::resume`].
    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    /// Returns the URL of a repository (its directory below the root).
    pub(crate) fn url(&self, repository: &str) -> String {
        format!("https://127.0.0.1:{}/{repository}", self.port)
    }

    /// Writes `username`, `password` and `ca.crt` as a mounted Secret has them.
    pub(crate) fn write_credentials(&self, directory: &Path) {
        std::fs::create_dir_all(directory).unwrap();
        let files = [
            ("username", USERNAME),
            ("password", PASSWORD),
            ("ca.crt", &self.identity.ca),
        ];
        for (name, text) in files {
            std::fs::write(directory.join(name), text).unwrap();
        }
    }

    /// Returns how many requests came, refused ones included.
    pub(crate) fn requests(&self) -> usize {
        self.served.requests.load(Ordering::SeqCst)
    }
}

async fn answer(State(served): State<Served>, request: Request) -> Response<Body> {
    served.requests.fetch_add(1, Ordering::SeqCst);
    if !is_let_in(request.headers()) {
        return Response::builder()
            .status(StatusCode::UNAUTHORIZED)
            .header(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")
            .body(Body::empty())
            .unwrap();
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.unwrap();
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &served.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", USERNAME)
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
        .env(
            "HTTP_CONTENT_ENCODING",
            header("content-encoding").unwrap_or_default(),
        )
        .env("GIT_PROTOCOL", header("git-protocol").unwrap_or_default());
    respond(&run(command, body).await)
}

fn is_let_in(headers: &HeaderMap) -> bool {
    let basic = BASE64_STANDARD.encode(format!("{USERNAME}:{PASSWORD}"));
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    given == Some(&format!("Basic {basic}")) || given == Some(&format!("Bearer {PASSWORD}"))
}

async fn run(mut command: Command, input: Bytes) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let write = async move {
        // The backend may answer without reading all of it.
        let _ = stdin.write_all(&input).await;
    };
    tokio::join!(write, child.wait_with_output())
        .1
        .unwrap()
        .stdout
}

/// Makes a response of what a CGI program wrote.
fn respond(output: &[u8]) -> Response<Body> {
    let end = output
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end]).unwrap().split("\r\n") {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(value[..3].parse::<u16>().unwrap()),
            name => response.header(name, value),
        };
    }
    response
        .body(Body::from(output[end + 4..].to_vec()))
        .unwrap()
}
