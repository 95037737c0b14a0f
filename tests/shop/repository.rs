//! A bare repository and a work tree that pushes into it, as a developer would.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Who commits.
pub(crate) const ADA: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "Ada"),
    ("GIT_AUTHOR_EMAIL", "ada@example.com"),
    ("GIT_COMMITTER_NAME", "Ada"),
    ("GIT_COMMITTER_EMAIL", "ada@example.com"),
];

pub(crate) struct Repository {
    root: PathBuf,
    work: PathBuf,
}

impl Repository {
    /// Makes `deploy.git` with an empty branch `main`.
    pub(crate) fn new(folder: &Path) -> Self {
        let repository = Self {
            root: folder.join("git"),
            work: folder.join("work"),
        };
        std::fs::create_dir_all(&repository.root).expect("there is room");
        std::fs::create_dir_all(&repository.work).expect("there is room");
        let bare = repository.bare();
        let bare = bare.to_str().expect("a plain path");
        // Without the samples of hooks: a dozen files in each, for nothing.
        repository.git(&["init", "-q", "--template=", "--bare", "-b", "main", bare]);
        repository.git(&["init", "-q", "--template=", "-b", "main"]);
        repository.git(&["remote", "add", "origin", bare]);
        repository
    }

    /// The folder that a server serves.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.clone()
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.root.join("deploy.git")
    }

    /// Writes files below `apps/web` (`None` removes one), commits and pushes; returns the commit.
    pub(crate) fn push(&self, subject: &str, files: &[(&str, Option<&str>)]) -> String {
        let commit = self.commit(subject, files);
        self.git(&["push", "-q", "origin", "main"]);
        commit
    }

    /// The same without the push.
    pub(crate) fn commit(&self, subject: &str, files: &[(&str, Option<&str>)]) -> String {
        for (name, content) in files {
            let path = self.work.join("apps/web").join(name);
            match content {
                Some(content) => {
                    let folder = path.parent().expect("it is in a folder");
                    std::fs::create_dir_all(folder).expect("there is room");
                    std::fs::write(path, content).expect("there is room");
                }
                None => std::fs::remove_file(path).expect("it is there"),
            }
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", subject]);
        self.head()
    }

    /// Puts a symbolic link into the work tree; the next commit holds it.
    pub(crate) fn link(&self, name: &str, target: &str) {
        let path = self.work.join("apps/web").join(name);
        std::os::unix::fs::symlink(target, path).expect("there is nothing yet");
    }

    /// Reverts commits with Git's own command and pushes; returns the last commit.
    pub(crate) fn revert(&self, commit: &str) -> String {
        self.git(&["revert", "--no-edit", commit]);
        self.git(&["push", "-q", "origin", "main"]);
        self.head()
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in the work tree and returns what it prints.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(&self.work)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", &self.work)
            .envs(ADA)
            .args(arguments)
            .output()
            .expect("git is installed");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}
