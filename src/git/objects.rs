//! Commits and trees of a local repository. Blocking.

use git2::{ErrorCode, Oid, Repository, Sort, Tree as GitTree, TreeEntry};
use jiff::Timestamp;

use super::GitFault;
use crate::object::plain;
use crate::revision::{CommitId, Revision};

/// The most commits that one listing of history looks at.
const LONGEST_WALK: usize = 20_000;
/// The most characters of a subject or an author's name.
const LONGEST_LINE: usize = 200;

/// Returns the id that libgit2 uses.
pub(super) fn oid(id: &CommitId) -> Oid {
    Oid::from_str(id.as_str()).expect("a commit id has 40 hexadecimal digits")
}

/// Returns the id that this house uses.
pub(super) fn commit_id(oid: Oid) -> CommitId {
    oid.to_string()
        .parse()
        .expect("libgit2 writes 40 hexadecimal digits")
}

/// Finds a commit.
pub(super) fn find<'r>(
    repository: &'r Repository,
    id: &CommitId,
) -> Result<git2::Commit<'r>, GitFault> {
    repository
        .find_commit(oid(id))
        .map_err(|error| match error.code() {
            ErrorCode::NotFound => GitFault::CommitMissing(id.clone()),
            _ => error.into(),
        })
}

/// Returns what people read of a commit.
pub(super) fn revision(repository: &Repository, id: &CommitId) -> Result<Revision, GitFault> {
    Ok(describe(&find(repository, id)?))
}

fn describe(commit: &git2::Commit<'_>) -> Revision {
    let subject = commit.summary_bytes().unwrap_or_default();
    Revision {
        id: commit_id(commit.id()),
        subject: line(subject),
        author: line(commit.author().name_bytes()),
        time: Timestamp::from_second(commit.time().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// Returns one printable line.
fn line(bytes: &[u8]) -> String {
    let text = plain(&String::from_utf8_lossy(bytes));
    text.chars().take(LONGEST_LINE).collect()
}

/// Returns a path without `.` and empty parts; the root is empty.
pub(super) fn tidy(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}

/// Returns one text that changes whenever anything below one of the paths does; `None` where the
/// first path is missing.
pub(super) fn tree_id(
    repository: &Repository,
    id: &CommitId,
    paths: &[String],
) -> Result<Option<String>, GitFault> {
    tree_text(&find(repository, id)?.tree()?, paths)
}

fn tree_text(tree: &GitTree<'_>, paths: &[String]) -> Result<Option<String>, GitFault> {
    let mut texts = Vec::with_capacity(paths.len());
    for (index, path) in paths.iter().enumerate() {
        match entry_text(tree, &tidy(path))? {
            Some(text) => texts.push(text),
            None if index == 0 => return Ok(None),
            None => texts.push("-".to_owned()),
        }
    }
    Ok(Some(texts.join(" ")))
}

fn entry_text(tree: &GitTree<'_>, path: &str) -> Result<Option<String>, GitFault> {
    if path.is_empty() {
        return Ok(Some(tree.id().to_string()));
    }
    Ok(entry(tree, path)?.map(|entry| entry.id().to_string()))
}

/// Finds what stands at a tidy path; nothing ever does where a part of it is `..`.
pub(super) fn entry(
    tree: &GitTree<'_>,
    path: &str,
) -> Result<Option<TreeEntry<'static>>, GitFault> {
    if path.split('/').any(|part| part == "..") {
        return Ok(None);
    }
    match tree.get_path(path.as_ref()) {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Lists the commits that changed one of the paths, newest first: those whose trees differ from
/// their first parent's, along first parents, so that a merge stands for what it brought. Ends at
/// `since` and its ancestors, which are left out.
pub(super) fn log(
    repository: &Repository,
    tip: &CommitId,
    paths: &[String],
    since: Option<&CommitId>,
    limit: usize,
) -> Result<Vec<Revision>, GitFault> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    walk.simplify_first_parent()?;
    walk.push(find(repository, tip)?.id())?;
    if let Some(since) = since
        && repository.find_commit(oid(since)).is_ok()
    {
        walk.hide(oid(since))?;
    }
    let mut revisions = Vec::new();
    for next in walk.take(LONGEST_WALK) {
        if revisions.len() == limit {
            break;
        }
        let commit = repository.find_commit(next?)?;
        let before = match commit.parent_ids().next() {
            Some(parent) => tree_text(&repository.find_commit(parent)?.tree()?, paths)?,
            None => None,
        };
        if tree_text(&commit.tree()?, paths)? != before {
            revisions.push(describe(&commit));
        }
    }
    Ok(revisions)
}

/// Says whether `id` is `of` or one of its descendants. Where both are missing, `id` is named: what
/// was just fetched is missing only in a damaged mirror.
pub(super) fn is_descendant(
    repository: &Repository,
    of: &CommitId,
    id: &CommitId,
) -> Result<bool, GitFault> {
    let (id, of) = (find(repository, id)?.id(), find(repository, of)?.id());
    Ok(of == id || repository.graph_descendant_of(id, of)?)
}

/// Makes `refs/tidegate/deployed/<owner>/<id>` exist for exactly the commits named, those that the
/// mirror does not hold left out.
pub(super) fn pin(repository: &Repository, owner: &str, ids: &[CommitId]) -> Result<(), GitFault> {
    for reference in repository.references_glob(&format!("{PINS}{owner}/*"))? {
        let mut reference = reference?;
        let kept = reference
            .target()
            .is_some_and(|target| ids.contains(&commit_id(target)));
        if !kept {
            reference.delete()?;
        }
    }
    for id in ids {
        if repository.find_commit(oid(id)).is_ok() {
            repository.reference(&format!("{PINS}{owner}/{id}"), oid(id), true, "deployed")?;
        }
    }
    Ok(())
}

/// The private references of deployed commits.
pub(super) const PINS: &str = "refs/tidegate/deployed/";

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use git2::{Signature, Time};

    use super::*;

    /// A bare repository, written to without a checkout.
    pub(in crate::git) struct Sample {
        _directory: tempfile::TempDir,
        pub(in crate::git) repository: Repository,
    }

    impl Sample {
        pub(in crate::git) fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let repository = Repository::init_bare(directory.path()).unwrap();
            Self {
                _directory: directory,
                repository,
            }
        }

        /// Commits files (path, mode, bytes) as the whole tree.
        pub(in crate::git) fn commit(
            &self,
            message: &str,
            files: &[(&str, i32, &[u8])],
            parents: &[&CommitId],
        ) -> CommitId {
            let repository = &self.repository;
            let mut builder = git2::build::TreeUpdateBuilder::new();
            for (path, mode, bytes) in files {
                let mode = match mode {
                    0o120000 => git2::FileMode::Link,
                    0o160000 => git2::FileMode::Commit,
                    _ => git2::FileMode::Blob,
                };
                let blob = match mode {
                    git2::FileMode::Commit => Oid::from_str(&"1".repeat(40)).unwrap(),
                    _ => repository.blob(bytes).unwrap(),
                };
                builder.upsert(*path, blob, mode);
            }
            let empty = repository.treebuilder(None).unwrap().write().unwrap();
            let empty = repository.find_tree(empty).unwrap();
            let tree = builder.create_updated(repository, &empty).unwrap();
            let tree = repository.find_tree(tree).unwrap();
            let who = Signature::new("Ann", "ann@example.com", &Time::new(1_000, 0)).unwrap();
            let parents: Vec<_> = parents
                .iter()
                .map(|id| find(repository, id).unwrap())
                .collect();
            let parents: Vec<_> = parents.iter().collect();
            commit_id(
                repository
                    .commit(None, &who, &who, message, &tree, &parents)
                    .unwrap(),
            )
        }
    }

    const FILE: i32 = 0o100644;

    fn paths(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|&path| path.to_owned()).collect()
    }

    fn subjects(log: &[Revision]) -> Vec<&str> {
        log.iter()
            .map(|revision| revision.subject.as_str())
            .collect()
    }

    #[test]
    fn a_revision_tells_subject_author_and_time_in_printable_words() {
        let sample = Sample::new();
        let id = sample.commit("fix\u{1b}[31m web\n\nbody", &[("a", FILE, b"1")], &[]);
        let revision = revision(&sample.repository, &id).unwrap();
        assert_eq!(revision.subject, "fix [31m web");
        assert_eq!(
            (revision.author.as_str(), revision.time.as_second()),
            ("Ann", 1_000)
        );
    }

    #[test]
    fn an_unknown_commit_is_named() {
        let sample = Sample::new();
        let id: CommitId = "0123456789012345678901234567890123456789".parse().unwrap();
        let fault = revision(&sample.repository, &id).unwrap_err();
        assert!(matches!(fault, GitFault::CommitMissing(missing) if missing == id));
    }

    #[test]
    fn the_tree_id_changes_with_its_paths_only() {
        let sample = Sample::new();
        let repository = &sample.repository;
        let one = sample.commit(
            "1",
            &[("apps/web.yaml", FILE, b"1"), ("docs", FILE, b"1")],
            &[],
        );
        let two = sample.commit(
            "2",
            &[("apps/web.yaml", FILE, b"1"), ("docs", FILE, b"2")],
            &[],
        );
        let of = |id, list: &[&str]| tree_id(repository, id, &paths(list)).unwrap();
        assert_eq!(of(&one, &["./apps/"]), of(&two, &["apps"]));
        assert_ne!(of(&one, &["."]), of(&two, &[""]));
        assert_ne!(of(&one, &["apps", "docs"]), of(&two, &["apps", "docs"]));
        assert_eq!(of(&one, &["apps", "none"]), of(&two, &["apps", "none"]));
        assert_eq!(of(&one, &["none", "apps"]), None);
        assert_eq!(of(&one, &["../apps"]), None);
    }

    #[test]
    fn the_log_lists_commits_that_changed_the_path_newest_first() {
        let sample = Sample::new();
        let one = sample.commit("one", &[("a/x", FILE, b"1")], &[]);
        let two = sample.commit("two", &[("a/x", FILE, b"1"), ("b", FILE, b"1")], &[&one]);
        let three = sample.commit("three", &[("a/x", FILE, b"3"), ("b", FILE, b"1")], &[&two]);
        let list =
            |since, limit| log(&sample.repository, &three, &paths(&["a"]), since, limit).unwrap();
        assert_eq!(subjects(&list(None, 10)), ["three", "one"]);
        assert_eq!(subjects(&list(None, 1)), ["three"]);
        assert_eq!(subjects(&list(Some(&one), 10)), ["three"]);
        assert_eq!(subjects(&list(Some(&three), 10)), [""; 0]);
    }

    #[test]
    fn a_merge_stands_for_what_it_brought() {
        let sample = Sample::new();
        let base = sample.commit("base", &[("a", FILE, b"1")], &[]);
        let side = sample.commit("side", &[("a", FILE, b"2")], &[&base]);
        let main = sample.commit("main", &[("a", FILE, b"1"), ("b", FILE, b"1")], &[&base]);
        let files: [(&str, i32, &[u8]); 2] = [("a", FILE, b"2"), ("b", FILE, b"1")];
        let merge = sample.commit("merge", &files, &[&main, &side]);
        let log = log(&sample.repository, &merge, &paths(&["a"]), None, 10).unwrap();
        assert_eq!(subjects(&log), ["merge", "base"]);
    }

    #[test]
    fn lineage_tells_descendants_from_rewrites() {
        let sample = Sample::new();
        let one = sample.commit("one", &[("a", FILE, b"1")], &[]);
        let two = sample.commit("two", &[("a", FILE, b"2")], &[&one]);
        let other = sample.commit("other", &[("a", FILE, b"3")], &[&one]);
        let repository = &sample.repository;
        assert!(is_descendant(repository, &one, &two).unwrap());
        assert!(is_descendant(repository, &two, &two).unwrap());
        assert!(!is_descendant(repository, &two, &other).unwrap());
    }

    #[test]
    fn exactly_the_named_commits_are_pinned() {
        let sample = Sample::new();
        let one = sample.commit("one", &[("a", FILE, b"1")], &[]);
        let two = sample.commit("two", &[("a", FILE, b"2")], &[&one]);
        let gone: CommitId = "0123456789012345678901234567890123456789".parse().unwrap();
        let repository = &sample.repository;
        pin(repository, "web", &[one.clone(), gone]).unwrap();
        pin(repository, "db", std::slice::from_ref(&one)).unwrap();
        pin(repository, "web", std::slice::from_ref(&two)).unwrap();
        let pinned = |owner: &str| -> Vec<CommitId> {
            let pins = repository
                .references_glob(&format!("{PINS}{owner}/*"))
                .unwrap();
            pins.map(|pin| commit_id(pin.unwrap().target().unwrap()))
                .collect()
        };
        assert_eq!(pinned("web"), [two]);
        assert_eq!(pinned("db"), [one]);
    }

    #[test]
    fn a_damaged_store_is_told_as_damage() {
        let sample = Sample::new();
        let id = sample.commit("one", &[("a", FILE, b"1")], &[]);
        let object = sample
            .repository
            .path()
            .join("objects")
            .join(&id.as_str()[..2]);
        let object = object.join(&id.as_str()[2..]);
        std::fs::remove_file(&object).unwrap();
        std::fs::write(&object, b"garbage").unwrap();
        let again = Repository::open_bare(Path::new(sample.repository.path())).unwrap();
        let fault = revision(&again, &id).unwrap_err();
        assert!(matches!(fault, GitFault::Corrupt(_)), "{fault}");
    }
}
