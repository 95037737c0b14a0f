//! The bare mirror of one repository.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use git2::Repository;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::{sync::Mutex, task};

use super::{
    GitFault, Reason, Remote,
    child::{Failure, Request},
    credentials::Credentials,
    files, objects, parent,
    remote::{self, Address},
    store::{self, REPOSITORY},
};
use crate::revision::{CommitId, Revision, Tree};

/// What a fetch found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// The branch's commit.
    pub tip: CommitId,
    /// How the branch moved since the fetch before.
    pub news: News,
    /// Bytes received; 0 where nothing had to be downloaded.
    pub bytes: u64,
    /// Objects received.
    pub objects: u64,
}

/// How a branch moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// The branch was not known before.
    First,
    /// It stands where it stood; the server was only asked for its references.
    Unchanged,
    /// The tip descends from where it stood.
    Advanced {
        /// Where it stood.
        from: CommitId,
    },
    /// It was moved to a commit that does not descend from where it stood.
    Rewritten {
        /// Where it stood.
        from: CommitId,
    },
}

/// A bare mirror of one repository, kept by [`Mirror::fetch`] and read by the rest. Mirrors of the
/// same URL and credentials share one directory.
pub struct Mirror {
    remote: Remote,
    address: Address,
    directory: PathBuf,
    fetching: Mutex<()>,
    damaged: AtomicBool,
    /// Whether it was fetched from nothing since it was opened.
    renewed: AtomicBool,
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.address.url, self.directory.display())
    }
}

impl Mirror {
    /// Opens the mirror of a remote below a cache directory, or makes an empty one; a damaged one
    /// is replaced by the next fetch.
    ///
    /// # Errors
    /// [`GitFault::Refused`] for a URL or branch that is never fetched, [`GitFault::Disk`].
    pub async fn open(cache: &Path, remote: Remote) -> Result<Self, GitFault> {
        let address = Address::read(&remote.url, remote.allow_file)?;
        remote::check_branch(&remote.branch)?;
        let directory = cache.join(name(&address, remote.credentials.as_deref()));
        let made = directory.clone();
        let is_damaged = blocking(move || store::make(&made))
            .await
            .map_err(|source| GitFault::Disk {
                directory: directory.clone(),
                source,
            })?;
        Ok(Self {
            remote,
            address,
            directory,
            fetching: Mutex::new(()),
            damaged: AtomicBool::new(is_damaged),
            renewed: AtomicBool::new(false),
        })
    }

    /// Returns the directory of the mirror.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the URL, which holds no secret.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.address.url
    }

    /// Fetches the branch, in a child process that is killed at the deadline. The credentials are
    /// read anew. A damaged mirror is fetched once more from nothing, and replaced when that
    /// succeeds. A rewritten branch is reported, never refused.
    ///
    /// # Errors
    /// [`GitFault::Credentials`], [`GitFault::Fetch`]; the mirror keeps what it had.
    pub async fn fetch(&self) -> Result<Fetched, GitFault> {
        let _alone = self.fetching.lock().await;
        self.make_again().await?;
        let (directory, transport) = (self.remote.credentials.clone(), self.address.transport);
        let credentials =
            blocking(move || Credentials::read(directory.as_deref(), transport)).await?;
        let mut request = Request {
            directory: self.directory.clone(),
            anew: self.damaged.load(Ordering::Relaxed),
            address: self.address.clone(),
            branch: self.remote.branch.clone(),
            timeout: self.remote.timeout,
            limits: self.remote.limits.clone(),
            credentials,
        };
        let mut answer = parent::ask(&self.remote.program, &request).await;
        let is_damaged = |failure: &Failure| failure.reason == Reason::Corrupt;
        if !request.anew && answer.as_ref().is_err_and(is_damaged) {
            request.anew = true;
            answer = parent::ask(&self.remote.program, &request).await;
        }
        if request.anew && answer.is_ok() {
            self.damaged.store(false, Ordering::Relaxed);
        }
        let is_first = |fetched: &Fetched| request.anew || fetched.news == News::First;
        if answer.as_ref().is_ok_and(is_first) {
            self.renewed.store(true, Ordering::Relaxed);
        }
        answer.map_err(|failure| GitFault::Fetch {
            url: self.address.url.clone(),
            branch: self.remote.branch.clone(),
            reason: failure.reason,
            detail: request.credentials.censor(&failure.detail),
        })
    }

    /// Somebody may have cleared the cache.
    async fn make_again(&self) -> Result<(), GitFault> {
        let directory = self.directory.clone();
        let made = blocking(move || {
            let is_there = directory.join(REPOSITORY).exists();
            (!is_there).then(|| store::make(&directory)).transpose()
        });
        match made.await {
            Ok(None) => {}
            Ok(Some(is_damaged)) => self.damaged.store(is_damaged, Ordering::Relaxed),
            Err(source) => {
                let directory = self.directory.clone();
                return Err(GitFault::Disk { directory, source });
            }
        }
        Ok(())
    }

    /// Says whether a commit that is missing here is missing in the remote as well. Where the mirror
    /// may have lost it, the next fetch begins from nothing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_whole = self.renewed.load(Ordering::Relaxed);
        if !is_whole {
            self.damaged.store(true, Ordering::Relaxed);
        }
        is_whole
    }

    /// Returns what people read of a commit.
    ///
    /// # Errors
    /// [`GitFault::CommitMissing`], [`GitFault::Corrupt`].
    pub async fn revision(&self, id: &CommitId) -> Result<Revision, GitFault> {
        let id = id.clone();
        self.read(move |repository| objects::revision(repository, &id))
            .await
    }

    /// Returns one text that changes whenever anything below one of the paths does, or `None`
    /// where the first path is missing at that commit.
    ///
    /// # Errors
    /// [`GitFault::CommitMissing`], [`GitFault::Corrupt`].
    pub async fn tree_id(
        &self,
        id: &CommitId,
        paths: &[String],
    ) -> Result<Option<String>, GitFault> {
        let (id, paths) = (id.clone(), paths.to_vec());
        self.read(move |repository| objects::tree_id(repository, &id, &paths))
            .await
    }

    /// Reads the manifests below a path: `*.yaml`, `*.yml` and `*.json`. Symlinks, submodules and
    /// Git LFS pointers are noted and not followed.
    ///
    /// # Errors
    /// [`GitFault::CommitMissing`], [`GitFault::PathMissing`], [`GitFault::Limit`],
    /// [`GitFault::Corrupt`]; never a part of the files.
    pub async fn tree(&self, id: &CommitId, path: &str) -> Result<Tree, GitFault> {
        let (id, path, limits) = (id.clone(), path.to_owned(), self.remote.limits.clone());
        self.read(move |repository| files::read(repository, &id, &path, &limits))
            .await
    }

    /// Lists at most `limit` commits that changed one of the paths, newest first, along first
    /// parents; `since` and what came before it are left out.
    ///
    /// # Errors
    /// [`GitFault::CommitMissing`] for the tip, [`GitFault::Corrupt`].
    pub async fn log(
        &self,
        tip: &CommitId,
        paths: &[String],
        since: Option<&CommitId>,
        limit: usize,
    ) -> Result<Vec<Revision>, GitFault> {
        let (tip, paths, since) = (tip.clone(), paths.to_vec(), since.cloned());
        self.read(move |repository| objects::log(repository, &tip, &paths, since.as_ref(), limit))
            .await
    }

    /// Says whether `id` is `of` or descends from it.
    ///
    /// # Errors
    /// [`GitFault::CommitMissing`], [`GitFault::Corrupt`].
    pub async fn is_descendant(&self, of: &CommitId, id: &CommitId) -> Result<bool, GitFault> {
        let (of, id) = (of.clone(), id.clone());
        self.read(move |repository| objects::is_descendant(repository, &of, &id))
            .await
    }

    /// Keeps exactly these commits for an owner (the GitSync's `<namespace>/<name>`), so that
    /// they outlive a rewritten branch and a mirror made anew. Those that the mirror does not
    /// hold are left out.
    ///
    /// # Errors
    /// [`GitFault::Disk`], [`GitFault::Corrupt`].
    pub async fn pin(&self, owner: &str, ids: &[CommitId]) -> Result<(), GitFault> {
        let (owner, ids, directory) = (encode(owner), ids.to_vec(), self.directory.clone());
        self.read(move |repository| {
            let disk = |source| GitFault::Disk {
                directory: directory.clone(),
                source,
            };
            let _alone = store::changing(&directory).map_err(disk)?;
            // A lock below is one of a process that died: ours is held.
            let pins = repository
                .path()
                .join("refs/tidegate/deployed")
                .join(&owner);
            store::remove_files(&pins, |name| name.ends_with(".lock")).map_err(disk)?;
            objects::pin(repository, &owner, &ids)
        })
        .await
    }

    /// Reads the repository on a thread for blocking work. It is opened for each reading, which
    /// is cheap, and once more when it looks damaged, because a fetch may just have replaced it, or
    /// have been killed while it did.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Repository) -> Result<T, GitFault> + Send + 'static,
    ) -> Result<T, GitFault> {
        let directory = self.directory.clone();
        let result = blocking(move || {
            let once = || work(&Repository::open_bare(directory.join(REPOSITORY))?);
            match once() {
                Err(GitFault::Corrupt(_)) => {
                    store::settle(&directory).map_err(|source| GitFault::Disk {
                        directory: directory.clone(),
                        source,
                    })?;
                    once()
                }
                result => result,
            }
        })
        .await;
        if let Err(GitFault::Corrupt(_)) = result {
            self.damaged.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// Runs blocking work; its panics go on here.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is going down, and this task with it.
        Err(_) => std::future::pending().await,
    }
}

/// Returns the name of a mirror's directory.
fn name(address: &Address, credentials: Option<&Path>) -> String {
    let mut digest = Sha256::new();
    digest.update(&address.url);
    digest.update([0]);
    digest.update(
        credentials
            .map(|path| path.as_os_str().as_encoded_bytes())
            .unwrap_or_default(),
    );
    hex::encode(&digest.finalize()[..16])
}

/// Returns the reference that follows a branch.
pub(super) fn tracking(branch: &str) -> String {
    format!("refs/tidegate/remote/{}", encode(branch))
}

/// Makes one part of a reference's name of a text, so that `a` and `a/b` can both exist.
fn encode(text: &str) -> String {
    text.replace('%', "%25").replace('/', "%2F")
}
