//! Mirrors of one commit, for people who look before they push. They live as long as the look.

use std::{path::Path, path::PathBuf, process::Stdio, time::Duration};

use git2::{IndexAddOption, Repository, Signature};
use tokio::process::Command;

use super::{GitFault, Limits, Mirror, Remote, mirror::blocking, store::REPOSITORY};
use crate::revision::CommitId;

impl Mirror {
    /// Makes a mirror in `cache` with one commit: the files of `directory` as `git add --all`
    /// would take them.
    ///
    /// # Errors
    /// [`GitFault::Snapshot`] where a file of the directory cannot be taken, [`GitFault::Disk`].
    pub async fn snapshot(directory: &Path, cache: &Path) -> Result<(Self, CommitId), GitFault> {
        let fault = |why: String| GitFault::Snapshot {
            directory: directory.to_owned(),
            why,
        };
        let files = directory
            .canonicalize()
            .map_err(|error| fault(error.to_string()))?;
        let mirror = Self::open(cache, remote(files.display().to_string())).await?;
        let path = mirror.directory().join(REPOSITORY);
        let id = blocking(move || commit(&path, &files)).await;
        let id = id.map_err(|error| fault(error.message().to_owned()))?;
        Ok((mirror, super::objects::commit_id(id)))
    }

    /// Makes a mirror in `cache` with one revision (branch, tag or commit) of a repository, fetched
    /// by the program `git`, so that the caller's own credentials, helpers and agent are used. For
    /// people at their own machine. As everywhere, there is no work tree.
    ///
    /// # Errors
    /// [`GitFault::Refused`] for a URL that is never fetched and with what git says.
    pub async fn of_revision(
        url: &str,
        revision: &str,
        cache: &Path,
    ) -> Result<(Self, CommitId), GitFault> {
        if revision.starts_with('-') {
            return Err(GitFault::Refused(format!("`{revision}` is no revision")));
        }
        let mirror = Self::open(cache, remote(url.to_owned())).await?;
        let path = mirror.directory().join(REPOSITORY);
        let fetch = [
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            "--",
            url,
            revision,
        ];
        git(&path, &fetch).await?;
        let id = git(&path, &["rev-parse", "--verify", "FETCH_HEAD^{commit}"]).await?;
        let id = id
            .parse()
            .map_err(|fault| GitFault::Refused(format!("git rev-parse: {fault}")))?;
        Ok((mirror, id))
    }
}

/// What a mirror is opened for that this process never fetches into.
fn remote(url: String) -> Remote {
    Remote {
        url,
        branch: "main".to_owned(),
        credentials: None,
        timeout: Duration::ZERO,
        allow_file: true,
        limits: Limits::default(),
        program: PathBuf::new(),
    }
}

fn commit(repository: &Path, directory: &Path) -> Result<git2::Oid, git2::Error> {
    let repository = Repository::open(repository)?;
    repository.set_workdir(directory, false)?;
    let mut index = repository.index()?;
    index.clear()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = Signature::now("local", "local@localhost")?;
    repository.commit(None, &author, &author, "local files", &tree, &[])
}

/// Runs the program `git` on a bare repository; returns what it writes, trimmed.
async fn git(repository: &Path, arguments: &[&str]) -> Result<String, GitFault> {
    let answer = Command::new("git")
        .arg("--git-dir")
        .arg(repository)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::git::Reason;

    fn run(directory: &Path, arguments: &[&str]) {
        let status = std::process::Command::new("git")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
            .args(arguments)
            .current_dir(directory)
            .status()
            .unwrap();
        assert!(status.success(), "{arguments:?}");
    }

    #[tokio::test]
    async fn a_revision_is_read_without_a_checkout() {
        let (work, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        run(work.path(), &["init", "-q", "-b", "main"]);
        fs::write(work.path().join("a.yaml"), "a: 1\n").unwrap();
        run(work.path(), &["add", "."]);
        run(work.path(), &["commit", "-q", "-m", "one"]);
        run(work.path(), &["tag", "-a", "-m", "a tag", "v1"]);
        let url = work.path().display().to_string();
        for revision in ["main", "v1"] {
            let (mirror, id) = Mirror::of_revision(&url, revision, cache.path())
                .await
                .unwrap();
            assert_eq!(mirror.revision(&id).await.unwrap().subject, "one");
            let tree = mirror.tree(&id, ".").await.unwrap();
            assert_eq!(tree.files[0].bytes, b"a: 1\n");
            assert!(!mirror.directory().join("a.yaml").exists());
            assert!(!mirror.directory().join(REPOSITORY).join("a.yaml").exists());
        }
        for (url, revision) in [(url.as_str(), "none"), (&url, "-x"), ("ext::sh", "main")] {
            let fault = Mirror::of_revision(url, revision, cache.path())
                .await
                .unwrap_err();
            assert!(matches!(fault, GitFault::Refused(_)), "{fault}");
        }
    }

    #[tokio::test]
    async fn files_that_cannot_be_taken_are_no_damaged_mirror() {
        let (work, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // A name that stands for `.git` on other systems is never taken.
        fs::write(work.path().join("git~1"), "").unwrap();
        let fault = Mirror::snapshot(work.path(), cache.path())
            .await
            .unwrap_err();
        let text = fault.to_string();
        assert_eq!(fault.reason(), Reason::Disk, "{text}");
        assert!(
            text.contains(&work.path().display().to_string()) && !text.contains("mirror"),
            "{text}"
        );
    }
}
