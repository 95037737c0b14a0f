//! A repository with its files on disk, as a person works in it. Blocking.

use std::path::{Path, PathBuf};

use git2::build::{CheckoutBuilder, TreeUpdateBuilder};
use git2::{ErrorCode, FileMode, Oid, Repository, RepositoryInitOptions, Signature, Tree};

use super::{GitFault, objects, revert};
use crate::revision::{CommitId, Revision};

/// A repository with a work tree that has one branch checked out. A person may work in it as well:
/// what is not committed there is never lost.
pub struct Worktree {
    repository: Repository,
    directory: PathBuf,
    branch: String,
}

impl Worktree {
    /// Makes a repository in `directory` with an empty branch. Its own configuration names the
    /// author, so that `git commit` there needs none of the user's.
    ///
    /// # Errors
    /// [`GitFault::Worktree`] where there is one already, or the directory cannot be used.
    pub fn found(directory: &Path, branch: &str, author: (&str, &str)) -> Result<Self, GitFault> {
        let found = || -> Result<Repository, git2::Error> {
            let mut options = RepositoryInitOptions::new();
            options.no_reinit(true).external_template(false);
            options.initial_head(branch);
            let repository = Repository::init_opts(directory, &options)?;
            let mut config = repository.config()?;
            config.set_str("user.name", author.0)?;
            config.set_str("user.email", author.1)?;
            // A key of the user's would be asked for.
            config.set_bool("commit.gpgsign", false)?;
            Ok(repository)
        };
        Ok(Self {
            repository: found().map_err(|error| fault(directory, &error))?,
            directory: directory.to_owned(),
            branch: branch.to_owned(),
        })
    }

    /// Returns the newest commit of the branch; `None` before the first.
    ///
    /// # Errors
    /// [`GitFault::Worktree`] where it cannot be read.
    pub fn tip(&self) -> Result<Option<Revision>, GitFault> {
        let newest = self.newest().map_err(|error| self.fault(&error))?;
        let read = |id| objects::revision(&self.repository, &objects::commit_id(id));
        newest.map(read).transpose()
    }

    /// Returns the text of a file of the newest commit; `None` where there is none, or none of
    /// UTF-8.
    ///
    /// # Errors
    /// [`GitFault::Worktree`] where it cannot be read.
    pub fn file(&self, path: &str) -> Result<Option<String>, GitFault> {
        let Some(tree) = self.tree().map_err(|error| self.fault(&error))? else {
            return Ok(None);
        };
        let Some(entry) = objects::entry(&tree, path)? else {
            return Ok(None);
        };
        let blob = self.repository.find_blob(entry.id());
        let blob = blob.map_err(|error| self.fault(&error))?;
        Ok(String::from_utf8(blob.content().to_vec()).ok())
    }

    /// Commits these files, each a path and its text, on top of the branch.
    ///
    /// # Errors
    /// [`GitFault::Worktree`] where another branch is checked out, or where files that are to be
    /// written have changes that are not committed.
    pub fn commit(&self, subject: &str, files: &[(&str, &str)]) -> Result<Revision, GitFault> {
        let made = self.write(subject, files);
        self.advance(made.map_err(|error| self.fault(&error))?)
    }

    /// Commits what takes `culprit` back on top of the branch, as `git revert` does.
    ///
    /// # Errors
    /// As [`Self::commit`]; [`GitFault::Revert`] where it cannot be taken back.
    pub fn revert(&self, culprit: &CommitId) -> Result<Revision, GitFault> {
        let tip = self.tip()?.map_or_else(|| culprit.clone(), |tip| tip.id);
        let author = self.author().map_err(|error| self.fault(&error))?;
        self.advance(revert::revert(&self.repository, culprit, &tip, &author)?)
    }

    /// Makes the commit; the branch stays.
    fn write(&self, subject: &str, files: &[(&str, &str)]) -> Result<Oid, git2::Error> {
        let mut update = TreeUpdateBuilder::new();
        for (path, text) in files {
            let blob = self.repository.blob(text.as_bytes())?;
            update.upsert(*path, blob, FileMode::Blob);
        }
        let base = match self.tree()? {
            Some(tree) => tree,
            None => {
                let empty = self.repository.treebuilder(None)?.write()?;
                self.repository.find_tree(empty)?
            }
        };
        let tree = update.create_updated(&self.repository, &base)?;
        let tree = self.repository.find_tree(tree)?;
        let parent = match self.newest()? {
            Some(id) => Some(self.repository.find_commit(id)?),
            None => None,
        };
        let author = self.author()?;
        let parents: Vec<_> = parent.iter().collect();
        let message = format!("{subject}\n");
        let (repository, none) = (&self.repository, None);
        repository.commit(none, &author, &author, &message, &tree, &parents)
    }

    /// Brings files and branch to a commit. Files first: where they cannot be written, nothing has
    /// changed.
    fn advance(&self, commit: Oid) -> Result<Revision, GitFault> {
        let advance = || -> Result<(), git2::Error> {
            let head = self.repository.find_reference("HEAD")?;
            if head.symbolic_target_bytes() != Some(self.reference().as_bytes()) {
                let text = format!("branch {} is not checked out", self.branch);
                return Err(git2::Error::from_str(&text));
            }
            let commit = self.repository.find_commit(commit)?;
            let mut safe = CheckoutBuilder::new();
            safe.safe();
            self.repository
                .checkout_tree(commit.as_object(), Some(&mut safe))?;
            let subject = String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default());
            let words = format!("commit: {subject}");
            self.repository
                .reference(&self.reference(), commit.id(), true, &words)?;
            Ok(())
        };
        advance().map_err(|error| self.fault(&error))?;
        objects::revision(&self.repository, &objects::commit_id(commit))
    }

    fn author(&self) -> Result<Signature<'static>, git2::Error> {
        self.repository.signature()
    }

    fn tree(&self) -> Result<Option<Tree<'_>>, git2::Error> {
        match self.newest()? {
            Some(id) => self.repository.find_commit(id)?.tree().map(Some),
            None => Ok(None),
        }
    }

    fn newest(&self) -> Result<Option<Oid>, git2::Error> {
        match self.repository.refname_to_id(&self.reference()) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    fn fault(&self, error: &git2::Error) -> GitFault {
        fault(&self.directory, error)
    }
}

fn fault(directory: &Path, error: &git2::Error) -> GitFault {
    let why = match error.code() {
        ErrorCode::Conflict => {
            "it has changes that are not committed: commit or undo them".to_owned()
        }
        _ => error.message().to_owned(),
    };
    GitFault::Worktree {
        directory: directory.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn worktree() -> (tempfile::TempDir, Worktree) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("repo");
        let author = ("Ada", "ada@example.com");
        let worktree = Worktree::found(&path, "main", author).unwrap();
        (folder, worktree)
    }

    fn read(folder: &tempfile::TempDir, file: &str) -> String {
        fs::read_to_string(folder.path().join("repo").join(file)).unwrap()
    }

    #[test]
    fn commits_bring_branch_and_files_along() {
        let (folder, worktree) = worktree();
        assert_eq!(worktree.tip().unwrap(), None);
        let files = [("web.yaml", "one\n"), ("apps/db.yaml", "db\n")];
        worktree.commit("first", &files).unwrap();
        let second = worktree.commit("second", &[("web.yaml", "two\n")]).unwrap();
        assert_eq!(worktree.tip().unwrap(), Some(second.clone()));
        assert_eq!(
            (second.subject.as_str(), second.author.as_str()),
            ("second", "Ada")
        );
        assert_eq!(read(&folder, "web.yaml"), "two\n");
        assert_eq!(
            worktree.file("apps/db.yaml").unwrap().as_deref(),
            Some("db\n")
        );
        let back = worktree.revert(&second.id).unwrap();
        assert_eq!(back.subject, "Revert \"second\"");
        assert_eq!(read(&folder, "web.yaml"), "one\n");
        let status = worktree.repository.statuses(None).unwrap();
        assert!(status.is_empty(), "nothing is left to commit");
    }

    #[test]
    fn what_a_person_has_not_committed_is_never_lost() {
        let (folder, worktree) = worktree();
        let files = [("web.yaml", "one\n"), ("db.yaml", "db\n")];
        let first = worktree.commit("first", &files).unwrap();
        fs::write(folder.path().join("repo/web.yaml"), "mine\n").unwrap();
        let fault = worktree
            .commit("second", &[("web.yaml", "two\n")])
            .unwrap_err();
        assert!(fault.to_string().contains("not committed"), "{fault}");
        assert_eq!(worktree.tip().unwrap(), Some(first));
        assert_eq!(read(&folder, "web.yaml"), "mine\n");
        worktree.commit("third", &[("db.yaml", "other\n")]).unwrap();
        assert_eq!(
            read(&folder, "web.yaml"),
            "mine\n",
            "other files are no hindrance"
        );
    }

    #[test]
    fn nothing_is_committed_while_another_branch_is_checked_out() {
        let (_folder, worktree) = worktree();
        worktree.commit("first", &[("web.yaml", "one\n")]).unwrap();
        worktree.repository.set_head("refs/heads/other").unwrap();
        let fault = worktree
            .commit("second", &[("web.yaml", "two\n")])
            .unwrap_err();
        assert!(
            fault.to_string().contains("branch main is not checked out"),
            "{fault}"
        );
    }

    #[test]
    fn a_repository_is_founded_once() {
        let (folder, _worktree) = worktree();
        let again = Worktree::found(&folder.path().join("repo"), "main", ("A", "a@example.com"));
        assert!(matches!(again, Err(GitFault::Worktree { .. })));
    }
}
