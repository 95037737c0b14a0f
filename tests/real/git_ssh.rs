//! The `git` room over SSH, against a server in this process that runs `git upload-pack`.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use russh::{
    Channel, ChannelId,
    keys::{
        PrivateKey, PublicKey,
        ssh_key::{LineEnding, private::Ed25519Keypair},
    },
    server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey},
};
use tempfile::TempDir;
use tidegate::git::{Mirror, Reason, Remote};
use tokio::{io, net::TcpListener, process::Command};

use super::git_transport::{Origin, failure, remote};

/// `127.0.0.1` as `ssh-keygen -H` writes it.
const HASHED: &str = "|1|dGlkZWdhdGUta25vd24taG9zdHM=|fABx88EVK8YiQ3HSmX8sURdcNvE=";

fn key(seed: u8) -> PrivateKey {
    Ed25519Keypair::from_seed(&[seed; 32]).into()
}

struct Client {
    root: PathBuf,
    admitted: PublicKey,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        let is_admitted = user == "git" && key.public_key.key_data() == self.admitted.key_data();
        Ok(if is_admitted {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let command = std::str::from_utf8(command).unwrap();
        let path = command
            .strip_prefix("git-upload-pack '/")
            .unwrap()
            .trim_end_matches('\'');
        let path = self.root.join(path);
        let channel = self.channels.remove(&id).unwrap();
        let handle = session.handle();
        session.channel_success(id)?;
        tokio::spawn(async move {
            upload_pack(&path, channel).await;
            handle.exit_status_request(id, 0).await.unwrap();
            handle.close(id).await.unwrap();
        });
        Ok(())
    }
}

async fn upload_pack(repository: &Path, channel: Channel<Msg>) {
    let mut child = Command::new("git")
        .arg("upload-pack")
        .arg(repository)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut from, mut to) = io::split(channel.into_stream());
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let feed = tokio::spawn(async move { io::copy(&mut from, &mut input).await });
    // The client may hang up first.
    let _ = io::copy(&mut output, &mut to).await;
    feed.abort();
}

/// An origin behind an SSH server whose host key and admitted client key are known.
struct Scene {
    origin: Origin,
    port: u16,
    own: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let origin = Origin::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = Arc::new(Config {
            keys: vec![key(1)],
            ..Config::default()
        });
        let root = origin.root();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let admitted = key(2).public_key().clone();
                let client = Client {
                    root: root.clone(),
                    admitted,
                    channels: HashMap::new(),
                };
                let config = config.clone();
                tokio::spawn(async move {
                    // A client that turns away ends its session with an error.
                    if let Ok(session) = russh::server::run_stream(config, stream, client).await {
                        let _ = session.await;
                    }
                });
            }
        });
        let scene = Self {
            origin,
            port,
            own: tempfile::tempdir().unwrap(),
        };
        scene.write("identity", &key(2).to_openssh(LineEnding::LF).unwrap());
        scene.know(&scene.host(), 1);
        scene
    }

    fn host(&self) -> String {
        format!("[127.0.0.1]:{}", self.port)
    }

    fn write(&self, name: &str, text: &str) {
        let secret = self.own.path().join("secret");
        fs::create_dir_all(&secret).unwrap();
        fs::write(secret.join(name), text).unwrap();
    }

    fn know(&self, host: &str, seed: u8) {
        self.write("known_hosts", &format!("{host} {}\n", openssh(seed)));
    }

    fn remote(&self) -> Remote {
        let url = format!("ssh://git@127.0.0.1:{}/repo.git", self.port);
        remote(url, Some(self.own.path().join("secret")))
    }

    async fn mirror(&self) -> Mirror {
        self.open(self.remote()).await
    }

    async fn open(&self, remote: Remote) -> Mirror {
        Mirror::open(&self.own.path().join("cache"), remote)
            .await
            .unwrap()
    }

    /// The directory of the only mirror.
    fn directory(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.own.path().join("cache")).unwrap();
        entries.next().unwrap().unwrap().path()
    }
}

fn openssh(seed: u8) -> String {
    key(seed).public_key().to_openssh().unwrap()
}

#[tokio::test]
async fn git_fetches_over_ssh_from_a_known_host() {
    let scene = Scene::new().await;
    let mirror = scene.mirror().await;
    let one = scene.origin.commit("a.yaml", "a: 1");
    assert_eq!(mirror.fetch().await.unwrap().tip, one);
    let two = scene.origin.commit("a.yaml", "a: 2");
    scene.know(HASHED, 1);
    assert_eq!(mirror.fetch().await.unwrap().tip, two, "a hashed name");
}

#[tokio::test]
async fn git_refuses_an_ssh_host_that_is_unknown_changed_or_revoked() {
    let scene = Scene::new().await;
    scene.origin.commit("a.yaml", "a: 1");
    let mirror = scene.mirror().await;
    let known = format!("{} {}", scene.host(), openssh(1));
    let revoked = format!("{known}\n@revoked * {}\n", openssh(1));
    let authority = format!("@cert-authority {known}\n");
    for known_hosts in [
        format!("git.example.com {}\n", openssh(1)),
        format!("{} {}\n", scene.host(), openssh(3)),
        revoked,
        authority,
        "# nobody\n".to_owned(),
    ] {
        scene.write("known_hosts", &known_hosts);
        let (reason, text) = failure(&mirror).await;
        assert_eq!(reason, Reason::HostKey, "{known_hosts}: {text}");
        assert!(text.contains("ssh-ed25519 SHA256:"), "{text}");
    }
}

#[tokio::test]
async fn git_tells_that_an_ssh_key_is_refused() {
    let scene = Scene::new().await;
    scene.origin.commit("a.yaml", "a: 1");
    scene.write("identity", &key(4).to_openssh(LineEnding::LF).unwrap());
    let (reason, text) = failure(&scene.mirror().await).await;
    assert_eq!(reason, Reason::AuthenticationFailed, "{text}");
    assert!(text.contains("refused the key `identity`"), "{text}");
}

#[tokio::test]
async fn git_leaves_the_known_hosts_of_a_fetch_that_is_under_way_alone() {
    let scene = Scene::new().await;
    let tip = scene.origin.commit("a.yaml", "a: 1");
    let mirror = scene
        .open(Remote {
            timeout: Duration::from_secs(1),
            ..scene.remote()
        })
        .await;
    let known_hosts = scene.directory().join("home/.ssh/known_hosts");
    let other = fs::File::create(scene.directory().join("fetch.lock")).unwrap();
    other.lock().unwrap();
    assert_eq!(failure(&mirror).await.0, Reason::TimedOut);
    assert!(!known_hosts.exists());
    drop(other);
    assert_eq!(scene.mirror().await.fetch().await.unwrap().tip, tip);
    assert!(known_hosts.exists());
}
