//! The `git` room against real servers, through the real child process.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use tempfile::TempDir;
use tidegate::{
    git::{GitFault, Limits, Mirror, News, Reason, Remote},
    revision::CommitId,
};

use crate::shop::git_server::{GitServer, Identity, PASSWORD, TlsServer};

/// A bare repository below a root, and a clone in which commits are made.
pub(crate) struct Origin {
    directory: TempDir,
}

impl Origin {
    pub(crate) fn new() -> Self {
        let origin = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        origin.git(
            &origin.root(),
            &["init", "-q", "--bare", "-b", "main", "repo.git"],
        );
        origin.git(&origin.root(), &["init", "-q", "-b", "main", "work"]);
        origin.git(&origin.work(), &["remote", "add", "origin", "../repo.git"]);
        origin
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.root().join("repo.git")
    }

    fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    fn git(&self, directory: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
            .args(arguments)
            .current_dir(directory)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits one file and pushes.
    pub(crate) fn commit(&self, path: &str, text: &str) -> CommitId {
        let file = self.work().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self.git(&self.work(), &["add", "."]);
        self.git(
            &self.work(),
            &["commit", "-q", "-m", &format!("write {path}")],
        );
        self.git(&self.work(), &["push", "-q", "--force", "origin", "main"]);
        self.git(&self.work(), &["rev-parse", "HEAD"])
            .parse()
            .unwrap()
    }

    fn forget_last_commit(&self) {
        self.git(&self.work(), &["reset", "-q", "--hard", "HEAD~1"]);
    }
}

/// An origin behind a server, with credentials that are let in and a cache.
struct Scene {
    origin: Origin,
    server: GitServer,
    own: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let origin = Origin::new();
        let server = GitServer::start(&origin.root()).await;
        let scene = Self {
            origin,
            server,
            own: tempfile::tempdir().unwrap(),
        };
        scene.server.write_credentials(&scene.secret());
        scene
    }

    fn secret(&self) -> PathBuf {
        self.own.path().join("secret")
    }

    fn write_secret(&self, key: &str, text: &str) {
        fs::write(self.secret().join(key), text).unwrap();
    }

    fn remote(&self) -> Remote {
        remote(self.server.url("repo.git"), Some(self.secret()))
    }

    async fn mirror(&self, remote: Remote) -> Mirror {
        Mirror::open(&self.own.path().join("cache"), remote)
            .await
            .unwrap()
    }

    /// Returns the directory of the only mirror.
    fn store(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.own.path().join("cache")).unwrap();
        entries.next().unwrap().unwrap().path().join("repository")
    }
}

pub(crate) fn remote(url: String, credentials: Option<PathBuf>) -> Remote {
    Remote {
        url,
        branch: "main".to_owned(),
        credentials,
        timeout: Duration::from_secs(60),
        allow_file: false,
        limits: Limits::default(),
        program: env!("CARGO_BIN_EXE_tidegate").into(),
    }
}

/// Returns the class and the text of the failure of a fetch, which never tells the password.
pub(crate) async fn failure(mirror: &Mirror) -> (Reason, String) {
    let fault: GitFault = mirror.fetch().await.unwrap_err();
    let text = fault.to_string();
    assert!(
        !text.contains(PASSWORD) && !format!("{fault:?}").contains(PASSWORD),
        "{text}"
    );
    (fault.reason(), text)
}

#[tokio::test]
async fn git_fetches_a_branch_and_then_only_what_is_new() {
    let scene = Scene::new().await;
    let big: String = (0..20_000)
        .map(|n: u32| format!("{:x} ", n.wrapping_mul(2_654_435_761)))
        .collect();
    let one = scene.origin.commit("apps/big.yaml", &big);
    let mirror = scene.mirror(scene.remote()).await;
    let first = mirror.fetch().await.unwrap();
    assert_eq!((&first.tip, &first.news), (&one, &News::First));

    let requests = scene.server.requests();
    let again = mirror.fetch().await.unwrap();
    assert_eq!(
        (again.tip, again.news, again.bytes),
        (one.clone(), News::Unchanged, 0)
    );
    assert_eq!(
        scene.server.requests() - requests,
        1,
        "only the references are asked for"
    );

    let two = scene.origin.commit("apps/web.yaml", "a: 2");
    let second = mirror.fetch().await.unwrap();
    assert_eq!(
        (&second.tip, &second.news),
        (&two, &News::Advanced { from: one.clone() })
    );
    assert!(
        second.bytes < first.bytes / 10,
        "{second:?} after {first:?}"
    );
    let tree = mirror.tree(&two, "apps").await.unwrap();
    assert_eq!(tree.files.len(), 2);
    assert_eq!(
        mirror.revision(&two).await.unwrap().subject,
        "write apps/web.yaml"
    );
    assert!(mirror.is_descendant(&one, &two).await.unwrap());
}

#[tokio::test]
async fn git_tells_refused_credentials_and_reads_them_anew() {
    let scene = Scene::new().await;
    let tip = scene.origin.commit("a.yaml", "a: 1");
    let mirror = scene.mirror(scene.remote()).await;
    scene.write_secret("password", "wrong");
    let (reason, text) = failure(&mirror).await;
    assert_eq!(reason, Reason::AuthenticationFailed, "{text}");
    assert!(
        text.contains(&scene.server.url("repo.git")) && text.contains("`main`"),
        "{text}"
    );
    scene.write_secret("password", PASSWORD);
    assert_eq!(mirror.fetch().await.unwrap().tip, tip);
}

#[tokio::test]
async fn git_sends_a_bearer_token() {
    let scene = Scene::new().await;
    let tip = scene.origin.commit("a.yaml", "a: 1");
    fs::remove_file(scene.secret().join("username")).unwrap();
    fs::rename(
        scene.secret().join("password"),
        scene.secret().join("bearerToken"),
    )
    .unwrap();
    let mirror = scene.mirror(scene.remote()).await;
    assert_eq!(mirror.fetch().await.unwrap().tip, tip);
    scene.write_secret("bearerToken", "wrong");
    assert_eq!(failure(&mirror).await.0, Reason::AuthenticationFailed);
}

#[tokio::test]
async fn git_refuses_a_server_that_its_ca_did_not_sign() {
    let scene = Scene::new().await;
    scene.origin.commit("a.yaml", "a: 1");
    scene.write_secret("ca.crt", &Identity::new().ca);
    let mirror = scene.mirror(scene.remote()).await;
    let (reason, text) = failure(&mirror).await;
    assert_eq!(reason, Reason::Certificate, "{text}");
    assert_eq!(
        scene.server.requests(),
        0,
        "nothing was asked, no password was sent"
    );
}

#[tokio::test]
async fn git_keeps_what_it_has_while_the_server_is_down() {
    let mut scene = Scene::new().await;
    let one = scene.origin.commit("a.yaml", "a: 1");
    let mirror = scene.mirror(scene.remote()).await;
    mirror.fetch().await.unwrap();
    scene.server.stop().await;
    let (reason, text) = failure(&mirror).await;
    assert_eq!(reason, Reason::FetchFailed, "{text}");
    assert_eq!(mirror.tree(&one, ".").await.unwrap().files.len(), 1);
    let two = scene.origin.commit("a.yaml", "a: 2");
    scene.server.resume().await;
    assert_eq!(mirror.fetch().await.unwrap().tip, two);
}

#[tokio::test]
async fn git_gives_up_on_a_silent_server_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cache = tempfile::tempdir().unwrap();
    let mut remote = remote(format!("https://127.0.0.1:{port}/repo"), None);
    remote.timeout = Duration::from_secs(2);
    let mirror = Mirror::open(cache.path(), remote).await.unwrap();
    let begun = Instant::now();
    let (reason, text) = failure(&mirror).await;
    assert_eq!(reason, Reason::TimedOut, "{text}");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn git_kills_a_child_that_hangs() {
    use std::os::unix::fs::PermissionsExt;
    let own = tempfile::tempdir().unwrap();
    let (program, pid) = (own.path().join("hangs"), own.path().join("pid"));
    fs::write(
        &program,
        format!("#!/bin/sh\necho $$ > {}\nexec sleep 600\n", pid.display()),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut remote = remote("https://127.0.0.1:1/repo".to_owned(), None);
    remote.timeout = Duration::from_secs(1);
    remote.program = program;
    let mirror = Mirror::open(own.path(), remote).await.unwrap();
    assert_eq!(failure(&mirror).await.0, Reason::TimedOut);
    let pid = fs::read_to_string(pid).unwrap();
    assert!(
        !Path::new("/proc").join(pid.trim()).exists(),
        "the child lives on"
    );
}

#[tokio::test]
async fn git_follows_no_redirect_and_shows_its_password_to_nobody_else() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let record = seen.clone();
    let target = Router::new().fallback(async move |request: Request| {
        record.lock().unwrap().push(request.headers().clone());
        StatusCode::NOT_FOUND
    });
    let scene = Scene::new().await;
    let identity = Identity::new();
    let target = TlsServer::start(0, &identity, target).await;
    let location = format!("https://127.0.0.1:{}/repo.git/info/refs", target.port);
    let redirect = Router::new().fallback(async move || {
        (
            StatusCode::MOVED_PERMANENTLY,
            [(header::LOCATION, location)],
        )
    });
    let redirect = TlsServer::start(0, &identity, redirect).await;
    scene.write_secret("ca.crt", &identity.ca);
    let mut remote = scene.remote();
    remote.url = format!("https://127.0.0.1:{}/repo.git", redirect.port);
    let (reason, text) = failure(&scene.mirror(remote).await).await;
    assert_eq!(reason, Reason::Redirected, "{text}");
    assert!(seen.lock().unwrap().is_empty(), "the target was asked");
}

#[tokio::test]
async fn git_tells_a_missing_branch_an_empty_and_a_missing_repository_apart() {
    let scene = Scene::new().await;
    let mirror = scene.mirror(scene.remote()).await;
    assert_eq!(failure(&mirror).await.0, Reason::Empty);
    scene.origin.commit("a.yaml", "a: 1");
    let (reason, text) = failure(
        &scene
            .mirror(Remote {
                branch: "next".into(),
                ..scene.remote()
            })
            .await,
    )
    .await;
    assert_eq!(reason, Reason::RefMissing);
    assert!(text.contains("the repository has `main`"), "{text}");
    let url = scene.server.url("other.git");
    assert_eq!(
        failure(
            &scene
                .mirror(Remote {
                    url,
                    ..scene.remote()
                })
                .await
        )
        .await
        .0,
        Reason::RepositoryMissing
    );
}

#[tokio::test]
async fn git_sees_a_rewritten_branch_and_keeps_pinned_commits() {
    let scene = Scene::new().await;
    let base = scene.origin.commit("a.yaml", "a: 1");
    let gone = scene.origin.commit("a.yaml", "a: 2");
    let mirror = scene.mirror(scene.remote()).await;
    mirror.fetch().await.unwrap();
    mirror
        .pin("shop/web", std::slice::from_ref(&gone))
        .await
        .unwrap();
    scene.origin.forget_last_commit();
    let other = scene.origin.commit("a.yaml", "a: 3");
    let fetched = mirror.fetch().await.unwrap();
    assert_eq!(
        (&fetched.tip, &fetched.news),
        (&other, &News::Rewritten { from: gone.clone() })
    );
    assert!(!mirror.is_descendant(&gone, &other).await.unwrap());
    assert!(mirror.is_descendant(&base, &other).await.unwrap());
    assert_eq!(
        mirror.tree(&gone, ".").await.unwrap().files[0].bytes,
        b"a: 2"
    );
}

#[tokio::test]
async fn git_stops_at_its_limits() {
    let scene = Scene::new().await;
    for n in 0..5 {
        scene
            .origin
            .commit("a.yaml", &format!("a: {n}").repeat(100));
    }
    for limits in [
        Limits {
            pack_bytes: 600,
            ..Limits::default()
        },
        Limits {
            pack_objects: 5,
            ..Limits::default()
        },
    ] {
        let (reason, text) = failure(
            &scene
                .mirror(Remote {
                    limits,
                    ..scene.remote()
                })
                .await,
        )
        .await;
        assert_eq!(reason, Reason::Limits, "{text}");
    }
    assert!(scene.mirror(scene.remote()).await.fetch().await.is_ok());
}

#[tokio::test]
async fn git_makes_a_damaged_mirror_anew() {
    let scene = Scene::new().await;
    let tip = scene.origin.commit("a.yaml", "a: 1");
    let mirror = scene.mirror(scene.remote()).await;
    mirror.fetch().await.unwrap();
    mirror
        .pin("shop/web", std::slice::from_ref(&tip))
        .await
        .unwrap();
    for file in fs::read_dir(scene.store().join("objects/pack")).unwrap() {
        let path = file.unwrap().path();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "garbage").unwrap();
    }
    assert!(mirror.tree(&tip, ".").await.is_err());
    assert_eq!(mirror.fetch().await.unwrap().tip, tip);
    assert_eq!(mirror.tree(&tip, ".").await.unwrap().files.len(), 1);
    assert!(
        scene
            .store()
            .join("refs/tidegate/deployed/shop%2Fweb")
            .join(tip.as_str())
            .exists()
    );
    fs::write(scene.store().join("HEAD"), "garbage").unwrap();
    let reopened = scene.mirror(scene.remote()).await;
    assert_eq!(reopened.fetch().await.unwrap().tip, tip);
}

#[tokio::test]
async fn git_finishes_a_replacement_that_was_cut_off() {
    let scene = Scene::new().await;
    let tip = scene.origin.commit("a.yaml", "a: 1");
    let mirror = scene.mirror(scene.remote()).await;
    mirror.fetch().await.unwrap();
    let old = scene.store().with_file_name("repository.old");
    fs::rename(scene.store(), &old).unwrap();
    assert_eq!(mirror.tree(&tip, ".").await.unwrap().files.len(), 1);
    fs::rename(scene.store(), &old).unwrap();
    let reopened = scene.mirror(scene.remote()).await;
    assert_eq!(reopened.tree(&tip, ".").await.unwrap().files.len(), 1);
    assert_eq!(reopened.fetch().await.unwrap().news, News::Unchanged);
    assert!(!old.exists());
}

#[tokio::test]
async fn git_is_not_stopped_by_what_a_killed_child_left() {
    let scene = Scene::new().await;
    scene.origin.commit("a.yaml", "a: 1");
    let mirror = scene.mirror(scene.remote()).await;
    mirror.fetch().await.unwrap();
    fs::write(scene.store().join("refs/tidegate/remote/main.lock"), "").unwrap();
    let half = scene.store().join("objects/pack/pack_git2_x");
    fs::write(&half, "half a pack").unwrap();
    let two = scene.origin.commit("a.yaml", "a: 2");
    assert_eq!(mirror.fetch().await.unwrap().tip, two);
    assert!(!half.exists());
}

#[tokio::test]
async fn git_reads_local_repositories_with_the_flag() {
    let origin = Origin::new();
    let tip = origin.commit("a.yaml", "a: 1");
    let cache = tempfile::tempdir().unwrap();
    let path = origin.repository();
    for url in [
        format!("file://{}", path.display()),
        path.display().to_string(),
    ] {
        let refused = Mirror::open(cache.path(), remote(url.clone(), None))
            .await
            .unwrap_err();
        assert_eq!(refused.reason(), Reason::UrlRefused);
        let allowed = Remote {
            allow_file: true,
            ..remote(url, None)
        };
        let mirror = Mirror::open(cache.path(), allowed).await.unwrap();
        assert_eq!(mirror.fetch().await.unwrap().tip, tip);
    }
    let url = format!("{}/none", path.display());
    let none = Mirror::open(
        cache.path(),
        Remote {
            allow_file: true,
            ..remote(url, None)
        },
    )
    .await
    .unwrap();
    assert_eq!(failure(&none).await.0, Reason::RepositoryMissing);
}
