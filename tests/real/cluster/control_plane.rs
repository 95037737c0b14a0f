//! The control plane: its programs, their start and end, and the ways in.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::Request;
use futures::future::BoxFuture;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::api::{ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::accounts::{self, application_rules, nodes_rules, own_rules};
use super::audit::Audit;

use super::guarded::{Guarded, GuardedFolder};
use super::programs::Programs;
use super::{kubelet, nodes, turn};
use crate::shop::Ground;
use crate::shop::background::{Background, wait_for};
use crate::shop::ground::{Account, make_namespace};

/// How long the API server may take on a busy machine; it needs about 3 s on an idle one.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// The controllers whose work rollouts depend on; the others only cost start-up time.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,statefulset-controller,\
daemonset-controller,job-controller,garbage-collector-controller,namespace-controller,\
endpointslice-controller,serviceaccount-controller,horizontal-pod-autoscaler-controller";

/// A running control plane. Fields end in the order in which they stand.
pub(crate) struct ControlPlane {
    _stand_ins: Background,
    controllers: Guarded,
    api: Option<Guarded>,
    etcd: Guarded,
    api_flags: Vec<String>,
    programs: Programs,
    audit: Audit,
    handed_out: AtomicUsize,
    namespaces: AtomicUsize,
    folder: GuardedFolder,
}

impl ControlPlane {
    /// Returns the control plane that all tests of this process share, each in its own namespaces;
    /// the first call starts it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        turn::take();
        SHARED.get_or_init(Self::private)
    }

    /// Starts a control plane of one's own, for tests that stop or pause parts of it.
    pub(crate) fn private() -> Self {
        turn::take();
        let programs = Programs::built();
        let folder = GuardedFolder::new();
        let etcd_port = free_port();
        let etcd = startetcd(&programs, folder.path(), etcd_port);
        let server = format!("https://127.0.0.1:{}", free_port());
        let authority = write_certificates(folder.path());
        accounts::write(folder.path(), &server, &authority);
        let audit = Audit::new(folder.path());
        let mut api_flags = api_flags(folder.path(), &server, etcd_port);
        api_flags.extend(audit.flags());
        let api = start_api(&programs, folder.path(), &api_flags);
        let controllers = startcontrollers(&programs, folder.path());
        let admin = accounts::kubeconfig(folder.path(), "admin");
        let stand_ins = wait_for(async move {
            let client = client(&admin).await;
            let nodes = nodes::register(&client).await;
            Background::start(kubelet::run(client, nodes))
        });
        Self {
            _stand_ins: stand_ins,
            controllers,
            api: Some(api),
            etcd,
            api_flags,
            programs,
            audit,
            handed_out: AtomicUsize::new(0),
            namespaces: AtomicUsize::new(0),
            folder,
        }
    }

    /// Returns the kubeconfig of `admin`, who may do everything.
    pub(crate) fn admin_kubeconfig(&self) -> PathBuf {
        accounts::kubeconfig(self.folder.path(), "admin")
    }

    /// Returns a client of the admin, for the runtime that asks for it.
    pub(crate) async fn client(&self) -> Client {
        client(&self.admin_kubeconfig()).await
    }

    /// Returns the folder of `kubectl` and the other programs.
    pub(crate) fn programs_folder(&self) -> &Path {
        self.programs.folder()
    }

    /// Returns the log of the agents' calls.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Makes a namespace that no other test has, and returns its name.
    pub(crate) async fn namespace(&self, prefix: &str) -> String {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{number}");
        make_namespace(self.client().await, &name).await;
        name
    }

    /// Hands out an account for an agent that lives in `own` and serves `namespaces`, with just the
    /// rights that this needs.
    pub(crate) async fn agent(&self, namespaces: &[&str], own: &str) -> Account {
        let number = self.handed_out.fetch_add(1, Ordering::Relaxed);
        let account = accounts::account(self.folder.path(), number);
        self.grant(&account, own, "own", own_rules()).await;
        self.grant_everywhere(&account, "nodes", nodes_rules())
            .await;
        for namespace in namespaces {
            self.grant(&account, namespace, "applications", application_rules())
                .await;
        }
        account
    }

    /// Gives an account the rights in a namespace, by a Role and a RoleBinding
    /// `<user>-<what>`.
    pub(crate) async fn grant(
        &self,
        account: &Account,
        namespace: &str,
        what: &str,
        rules: Vec<PolicyRule>,
    ) {
        let client = self.client().await;
        let metadata = named(&format!("{}-{what}", account.user));
        let role = Role {
            metadata: metadata.clone(),
            rules: Some(rules),
        };
        let binding = RoleBinding {
            role_ref: role_ref("Role", &metadata),
            subjects: Some(vec![subject(account)]),
            metadata,
        };
        Api::namespaced(client.clone(), namespace)
            .create(&PostParams::default(), &role)
            .await
            .expect("the admin may grant every right");
        Api::namespaced(client, namespace)
            .create(&PostParams::default(), &binding)
            .await
            .expect("the admin may grant every right");
    }

    /// Gives an account the rights in the whole cluster, by a ClusterRole and a ClusterRoleBinding
    /// `<user>-<what>`.
    pub(crate) async fn grant_everywhere(
        &self,
        account: &Account,
        what: &str,
        rules: Vec<PolicyRule>,
    ) {
        let client = self.client().await;
        let metadata = named(&format!("{}-{what}", account.user));
        let role = ClusterRole {
            metadata: metadata.clone(),
            rules: Some(rules),
            ..ClusterRole::default()
        };
        let binding = ClusterRoleBinding {
            role_ref: role_ref("ClusterRole", &metadata),
            subjects: Some(vec![subject(account)]),
            metadata,
        };
        Api::all(client.clone())
            .create(&PostParams::default(), &role)
            .await
            .expect("the admin may grant every right");
        Api::all(client)
            .create(&PostParams::default(), &binding)
            .await
            .expect("the admin may grant every right");
    }

    /// Runs the built `kubectl` as the admin to its end.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_command()
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("kubectl is built")
    }

    /// Applies manifests as the admin: `kubectl apply -n NAMESPACE -f -`.
    pub(crate) fn apply(&self, namespace: &str, manifests: &str) {
        let file = tempfile::NamedTempFile::new_in(self.folder.path()).expect("there is room");
        fs::write(file.path(), manifests).expect("there is room");
        let path = file.path().to_str().expect("its name is plain");
        let output = self.kubectl(&["apply", "-n", namespace, "-f", path]);
        assert!(
            output.status.success(),
            "kubectl apply: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn kubectl_command(&self) -> Command {
        let mut command = Command::new(self.programs.path("kubectl"));
        command
            .env("KUBECONFIG", self.admin_kubeconfig())
            .env("KUBECACHEDIR", self.folder.path().join("kubectl-cache"))
            .env("KUBERC", "off");
        command
    }

    /// Kills the API server; every connection to it breaks.
    pub(crate) fn stop_api(&mut self) {
        self.api = None;
    }

    /// Starts the API server again, at the same address, and waits until it is ready.
    pub(crate) fn start_api(&mut self) {
        let api = start_api(&self.programs, self.folder.path(), &self.api_flags);
        self.api = Some(api);
    }

    /// Lets the API server hang: it accepts connections and answers nothing.
    pub(crate) fn pause_api(&mut self) {
        self.running_api().pause();
    }

    /// Ends a pause.
    pub(crate) fn resume_api(&mut self) {
        self.running_api().resume();
    }

    /// Returns the process ids of the programs, for the test that none of them stays behind.
    pub(crate) fn process_ids(&self) -> [i32; 3] {
        let api = self.running_api();
        [self.etcd.id(), api.id(), self.controllers.id()]
    }

    fn running_api(&self) -> &Guarded {
        self.api.as_ref().expect("the API server is not stopped")
    }
}

impl Ground for &'static ControlPlane {
    fn name(&self) -> &'static str {
        "the control plane"
    }

    fn client(&self) -> BoxFuture<'static, Client> {
        let plane = *self;
        Box::pin(ControlPlane::client(plane))
    }

    fn namespace<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, String> {
        Box::pin(ControlPlane::namespace(self, prefix))
    }

    fn account<'a>(&'a self, namespace: &'a str, _folder: &'a Path) -> BoxFuture<'a, Account> {
        Box::pin(async move { self.agent(&[namespace], namespace).await })
    }

    fn kubectl(&self, namespace: &str, arguments: &[&str]) -> Result<String, String> {
        let output = ControlPlane::kubectl(self, &[&["-n", namespace], arguments].concat());
        let [text, errors] = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if output.status.success() {
            Ok(text)
        } else {
            Err(text + &errors)
        }
    }
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the harness wrote it");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .expect("the harness wrote it");
    Client::try_from(config).expect("the harness wrote it")
}

const RBAC: &str = "rbac.authorization.k8s.io";

fn role_ref(kind: &str, metadata: &ObjectMeta) -> RoleRef {
    RoleRef {
        api_group: RBAC.to_owned(),
        kind: kind.to_owned(),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

fn subject(account: &Account) -> Subject {
    Subject {
        api_group: Some(RBAC.to_owned()),
        kind: "User".to_owned(),
        name: account.user.clone(),
        namespace: None,
    }
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

fn startetcd(programs: &Programs, folder: &Path, port: u16) -> Guarded {
    let clients = format!("http://127.0.0.1:{port}");
    let peers = format!("http://127.0.0.1:{}", free_port());
    let flags = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    Guarded::start(&programs.path("etcd"), &flags, &folder.join("etcd.log"))
}

fn api_flags(folder: &Path, server: &str, etcd_port: u16) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let port = server.rsplit(':').next().unwrap_or_default();
    vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", file("server.pem")),
        format!("--tls-private-key-file={}", file("server.key")),
        format!("--cert-dir={}", folder.display()),
        "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
        format!("--service-account-issuer={server}"),
        format!("--service-account-key-file={}", file("accounts.pub")),
        format!(
            "--service-account-signing-key-file={}",
            file("accounts.key")
        ),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--authorization-mode=RBAC".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
    ]
}

fn start_api(programs: &Programs, folder: &Path, flags: &[String]) -> Guarded {
    let program = programs.path("kube-apiserver");
    let mut api = Guarded::start(&program, flags, &folder.join("kube-apiserver.log"));
    let admin = accounts::kubeconfig(folder, "admin");
    let polls = READY_WITHIN.as_millis() / 50;
    for _ in 0..polls {
        if let Some((status, log)) = api.ended() {
            panic!("kube-apiserver ended with {status}: {log}");
        }
        let admin = admin.clone();
        if wait_for(async move { is_ready(&admin).await }) {
            return api;
        }
    }
    let log = api.last_words();
    panic!("kube-apiserver was not ready within {READY_WITHIN:?}: {log}");
}

async fn is_ready(admin: &Path) -> bool {
    let request = Request::get("/readyz")
        .body(Vec::new())
        .expect("it is a request");
    let ready = client(admin).await.request_text(request).await.is_ok();
    if !ready {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ready
}

fn startcontrollers(programs: &Programs, folder: &Path) -> Guarded {
    let admin = accounts::kubeconfig(folder, "admin");
    let flags = [
        format!("--kubeconfig={}", admin.display()),
        format!("--controllers={CONTROLLERS}"),
        "--kube-api-qps=1000".to_owned(),
        "--kube-api-burst=2000".to_owned(),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
    ];
    let log = folder.join("kube-controller-manager.log");
    Guarded::start(&programs.path("kube-controller-manager"), &flags, &log)
}

/// Makes the server's certificate and the keys of its tokens, and returns the authority that
/// vouches for it.
fn write_certificates(folder: &Path) -> String {
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).expect("the folder can be written");
    };
    let key = || KeyPair::generate().expect("the machine has randomness");
    let accounts = key();
    write("accounts.key", accounts.serialize_pem());
    write("accounts.pub", accounts.public_key_pem());

    let mut params = CertificateParams::new(Vec::new()).expect("it names nobody");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = key();
    let authority = params.self_signed(&authority_key).expect("the key fits");
    let issuer = Issuer::new(params, authority_key);
    let server_key = key();
    let names = ["127.0.0.1", "localhost"].map(str::to_owned);
    let server = CertificateParams::new(names)
        .and_then(|params| params.signed_by(&server_key, &issuer))
        .expect("the names are plain");
    write("server.key", server_key.serialize_pem());
    write("server.pem", server.pem());
    authority.pem()
}

/// Finds a port below those that the system gives to outgoing connections, so that nothing takes
/// it while its program is being restarted.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() % 1_000 * 20;
    let tried = (0..20_000).map(|_| u32::from(NEXT.fetch_add(1, Ordering::Relaxed)));
    tried
        .map(|next| 10_000 + (first + next) % 20_000)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("some port of 20,000 is free")
}
