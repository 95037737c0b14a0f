//! A directory as if it had just been committed, for people who look before they push.

use std::{path::Path, process::Stdio, time::Duration};

use git2::{IndexAddOption, Repository, Signature};
use tokio::process::Command;

use super::{
    GitFault, Limits, Mirror, Remote,
    mirror::{REPOSITORY, blocking},
};
use crate::revision::CommitId;

impl Mirror {
    /// Makes a mirror in `cache` with one commit: the files of `directory` as `git add --all`
    /// would take them.
    ///
    /// # Errors
    /// Where the directory or the cache cannot be read or written.
    pub async fn snapshot(directory: &Path, cache: &Path) -> Result<(Self, CommitId), GitFault> {
        let disk = |source| GitFault::Disk {
            directory: directory.to_owned(),
            source,
        };
        let directory = directory.canonicalize().map_err(disk)?;
        let remote = Remote {
            url: directory.display().to_string(),
            branch: "main".to_owned(),
            credentials: None,
            timeout: Duration::from_secs(60),
            allow_file: true,
            limits: Limits::default(),
            program: std::path::PathBuf::new(),
        };
        let mirror = Self::open(cache, remote)?;
        let path = mirror.directory().join(REPOSITORY);
        let id = blocking(move || commit(&path, &directory)).await?;
        Ok((mirror, id))
    }
}

fn commit(repository: &Path, directory: &Path) -> Result<CommitId, GitFault> {
    let repository = Repository::open(repository)?;
    repository.set_workdir(directory, false)?;
    let mut index = repository.index()?;
    index.clear()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = Signature::now("local", "local@localhost")?;
    let id = repository.commit(None, &author, &author, "local files", &tree, &[])?;
    id.to_string()
        .parse()
        .map_err(|fault| GitFault::Corrupt(format!("{fault}")))
}

/// Fetches one revision (branch, tag or commit) into a directory with the program `git`, so that
/// the caller's own credentials, helpers and agent are used; returns its id and subject.
///
/// # Errors
/// [`GitFault::Refused`] with what git says.
pub async fn checkout(
    url: &str,
    revision: &str,
    directory: &Path,
) -> Result<(String, String), GitFault> {
    if revision.starts_with('-') {
        return Err(GitFault::Refused(format!("`{revision}` is no revision")));
    }
    git(directory, &["init", "-q"]).await?;
    git(
        directory,
        &["fetch", "-q", "--depth", "1", "--", url, revision],
    )
    .await?;
    git(directory, &["checkout", "-q", "FETCH_HEAD"]).await?;
    let said = git(directory, &["log", "-1", "--format=%H%n%s"]).await?;
    let (id, subject) = said.split_once('\n').unwrap_or((said.as_str(), ""));
    Ok((id.to_owned(), subject.to_owned()))
}

async fn git(directory: &Path, arguments: &[&str]) -> Result<String, GitFault> {
    let answer = Command::new("git")
        .current_dir(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let answer = answer.map_err(|cause| {
        GitFault::Refused(format!(
            "the program `git` cannot be run ({cause}); use --local instead"
        ))
    })?;
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
        return Err(GitFault::Refused(format!("git {}: {said}", arguments[0])));
    }
    Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}
