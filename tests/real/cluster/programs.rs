//! The programs, built with Go from Kubernetes' own modules, once for each version of them.
//!
//! They lie in `$TIDEGATE_CACHE`, else in the user's cache directory, under a name that holds the
//! digest of what they are built from; nothing of them is in the checkout. The first build takes
//! about five minutes on two cores.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// The packages of `tests/cluster/kubernetes`, and what the program of each is called here.
const PACKAGES: [(&str, &str); 4] = [
    ("go.etcd.io/etcd/server/v3", "etcd"),
    ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
    (
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-controller-manager",
    ),
    ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
];

/// The folder of the built programs.
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Finds the programs, or builds them if this is the first time; another test process that
    /// wants them too waits for the one that builds.
    pub(crate) fn built() -> Self {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/kubernetes");
        let linked = linker_flags(&module);
        let folder = cache().join(format!("kubernetes-{}", digest(&module, &linked)));
        if !folder.exists() {
            build_once(&module, &linked, &folder);
        }
        Self { folder }
    }

    /// Returns where they lie.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of the program of this name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn build_once(module: &Path, linked: &str, folder: &Path) {
    fs::create_dir_all(folder.parent().expect("the cache holds it"))
        .expect("the cache directory can be made");
    let lock = File::create(folder.with_extension("lock")).expect("the cache can be written");
    lock.lock().expect("the cache's file system has locks");
    if folder.exists() {
        return;
    }
    let unfinished = folder.with_extension("unfinished");
    fs::create_dir_all(&unfinished).expect("the cache can be written");
    build(module, linked, &unfinished);
    for (package, name) in PACKAGES {
        fs::rename(unfinished.join(go_name(package)), unfinished.join(name))
            .expect("Go names a program after its package");
    }
    fs::rename(&unfinished, folder).expect("nobody else holds the lock");
}

fn build(module: &Path, linked: &str, into: &Path) {
    eprintln!("building Kubernetes' programs with Go: about five minutes, this once");
    let built = Command::new("go")
        .current_dir(module)
        .args(["build", "-trimpath", "-ldflags", linked, "-o"])
        .arg(into)
        .args(PACKAGES.map(|(package, _)| package))
        .status()
        .unwrap_or_else(|error| {
            panic!(
                "the real lane builds Kubernetes' programs with Go, and `go` could not be \
                 started ({error}): install the version that {}/go.mod names, or a newer one",
                module.display()
            )
        });
    assert!(
        built.success(),
        "`go build` in {} failed: {built}",
        module.display()
    );
}

/// Go calls a program by the last part of its package that is not a major version.
fn go_name(package: &str) -> &str {
    let package = package.strip_suffix("/v3").unwrap_or(package);
    package.rsplit('/').next().unwrap_or(package)
}

/// Stamps the programs with the version that go.mod requires, as Kubernetes' own build does;
/// without it `/version` and `kubectl version` answer with a placeholder.
fn linker_flags(module: &Path) -> String {
    let requirements = fs::read_to_string(module.join("go.mod")).expect("the checkout is whole");
    let version = requirements
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))
        .and_then(|version| version.split_whitespace().next())
        .expect("go.mod requires k8s.io/kubernetes");
    let mut numbers = version.split('.');
    let (major, minor) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    let package = "k8s.io/component-base/version";
    format!(
        "-s -w -X {package}.gitVersion=v{version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
    )
}

fn digest(module: &Path, linked: &str) -> String {
    let mut digest = Sha256::new();
    for file in ["go.mod", "go.sum"] {
        digest.update(fs::read(module.join(file)).expect("the checkout is whole"));
    }
    digest.update(linked);
    hex::encode(&digest.finalize()[..8])
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the cache is, is said by the environment of the test command"
)]
fn cache() -> PathBuf {
    let named = |variable| std::env::var_os(variable).filter(|value| !value.is_empty());
    if let Some(ours) = named("TIDEGATE_CACHE") {
        return ours.into();
    }
    let users = named("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(named("HOME").expect("a user has a home")).join(".cache"),
        PathBuf::from,
    );
    users.join("tidegate")
}
