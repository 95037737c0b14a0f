//! The commit that takes another one back, as `git revert` makes it. Blocking.

use git2::{Oid, Repository, Signature};

use super::{GitFault, objects};
use crate::revision::CommitId;

/// Makes the commit that takes `culprit` back on top of `onto`, with git's own message; of a merge
/// it takes back what the merge brought to its first parent. Needs no work tree, and no branch
/// moves.
///
/// # Errors
/// [`GitFault::CommitMissing`]; [`GitFault::Revert`] where later commits changed the same lines,
/// where nothing of `culprit` is left, or where it is a first commit, whose files would all go.
pub(super) fn revert(
    repository: &Repository,
    culprit: &CommitId,
    onto: &CommitId,
    author: &Signature<'_>,
) -> Result<Oid, GitFault> {
    let fault = |why: String| GitFault::Revert {
        id: culprit.clone(),
        why,
    };
    let taken_back = objects::find(repository, culprit)?;
    let base = objects::find(repository, onto)?;
    let mainline = match taken_back.parent_count() {
        0 => return Err(fault("it is the first one".to_owned())),
        1 => 0,
        _ => 1,
    };
    let mut index = repository.revert_commit(&taken_back, &base, mainline, None)?;
    if index.has_conflicts() {
        return Err(fault(format!(
            "later commits changed the same lines of {}",
            conflicting(&index)?.join(", ")
        )));
    }
    let tree = repository.find_tree(index.write_tree_to(repository)?)?;
    if tree.id() == base.tree_id() {
        return Err(fault("nothing of it is left".to_owned()));
    }
    let subject = String::from_utf8_lossy(taken_back.summary_bytes().unwrap_or_default());
    let message = format!("Revert \"{subject}\"\n\nThis reverts commit {culprit}.\n");
    Ok(repository.commit(None, author, author, &message, &tree, &[&base])?)
}

/// The paths that cannot be merged, in order.
fn conflicting(index: &git2::Index) -> Result<Vec<String>, git2::Error> {
    let mut paths = Vec::new();
    for conflict in index.conflicts()? {
        let conflict = conflict?;
        let side = conflict.our.or(conflict.their).or(conflict.ancestor);
        paths.extend(side.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()));
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use git2::build::TreeUpdateBuilder;

    use super::*;

    fn author() -> Signature<'static> {
        Signature::now("Ada", "ada@example.com").unwrap()
    }

    /// A bare repository.
    fn bare() -> (tempfile::TempDir, Repository) {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path()).unwrap();
        (folder, repository)
    }

    /// A commit with one file on top of others.
    fn commit(repository: &Repository, text: &str, parents: &[&CommitId]) -> CommitId {
        let blob = repository.blob(text.as_bytes()).unwrap();
        let mut tree = TreeUpdateBuilder::new();
        tree.upsert("apps/web.yaml", blob, git2::FileMode::Blob);
        let empty = repository.treebuilder(None).unwrap().write().unwrap();
        let base = repository.find_tree(empty).unwrap();
        let tree = tree.create_updated(repository, &base).unwrap();
        let tree = repository.find_tree(tree).unwrap();
        let parents = parents.iter().map(|id| objects::find(repository, id));
        let parents: Vec<_> = parents.collect::<Result<_, _>>().unwrap();
        let parents: Vec<_> = parents.iter().collect();
        let subject = text.lines().next().unwrap();
        let made = repository.commit(None, &author(), &author(), subject, &tree, &parents);
        objects::commit_id(made.unwrap())
    }

    fn text(repository: &Repository, id: Oid) -> String {
        let tree = repository.find_commit(id).unwrap().tree().unwrap();
        let entry = tree.get_path("apps/web.yaml".as_ref()).unwrap();
        let blob = repository.find_blob(entry.id()).unwrap();
        String::from_utf8(blob.content().to_vec()).unwrap()
    }

    #[test]
    fn the_revert_of_an_older_commit_keeps_what_came_later() {
        let (_folder, repository) = bare();
        let first = commit(&repository, "a: 1\n\n\n\nb: 1\n", &[]);
        let second = commit(&repository, "a: 2\n\n\n\nb: 1\n", &[&first]);
        let third = commit(&repository, "a: 2\n\n\n\nb: 3\n", &[&second]);
        let made = revert(&repository, &second, &third, &author()).unwrap();
        assert_eq!(text(&repository, made), "a: 1\n\n\n\nb: 3\n");
        let made = repository.find_commit(made).unwrap();
        let message = format!("Revert \"a: 2\"\n\nThis reverts commit {second}.\n");
        assert_eq!(made.message().unwrap(), message);
        assert_eq!(made.parent_id(0).unwrap(), objects::oid(&third));
    }

    #[test]
    fn of_a_merge_goes_what_it_brought() {
        let (_folder, repository) = bare();
        let first = commit(&repository, "a: 1\n", &[]);
        let side = commit(&repository, "a: 2\n", &[&first]);
        let merge = commit(&repository, "a: 2\n", &[&first, &side]);
        let made = revert(&repository, &merge, &merge, &author()).unwrap();
        assert_eq!(text(&repository, made), "a: 1\n");
    }

    #[test]
    fn what_cannot_be_taken_back_is_told_and_nothing_is_made() {
        let (_folder, repository) = bare();
        let first = commit(&repository, "a: 1\n", &[]);
        let second = commit(&repository, "a: 2\n", &[&first]);
        let third = commit(&repository, "a: 3\n", &[&second]);
        let back = commit(&repository, "a: 1\n", &[&second]);
        let why = |culprit: &CommitId, onto: &CommitId| {
            let fault = revert(&repository, culprit, onto, &author()).unwrap_err();
            fault.to_string()
        };
        let conflict = why(&second, &third);
        assert!(
            conflict.contains("the same lines of apps/web.yaml"),
            "{conflict}"
        );
        assert!(why(&second, &back).contains("nothing of it is left"));
        assert!(why(&first, &third).contains("it is the first one"));
        let unknown = "1".repeat(40).parse().unwrap();
        assert!(matches!(
            revert(&repository, &unknown, &third, &author()),
            Err(GitFault::CommitMissing(_))
        ));
    }
}
