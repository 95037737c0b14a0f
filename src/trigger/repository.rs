//! Follows one branch of a repository on this machine.

use std::path::{Path, PathBuf};

use notify::RecursiveMode;
use tokio::fs;

use super::{Kind, Queue, Trigger, folder::Folders};
use crate::clock;

/// Pushes [`Kind::File`] at the start and whenever the branch of the repository at `path` (bare,
/// with a work tree, or a linked work tree) moves, comes or goes. Runs until dropped; it also
/// looks once a minute, so a repository that appears later is found.
pub async fn follow_repository(queue: Queue, path: PathBuf, branch: String) {
    let mut last = None;
    loop {
        let store = store(&path).await;
        let mut folders = Folders::watch(&[
            (store.clone(), RecursiveMode::NonRecursive),
            (store.join("refs/heads"), RecursiveMode::Recursive),
        ]);
        loop {
            let tip = tip(&store, &branch).await;
            if last.as_ref() != Some(&tip) {
                queue.push(Trigger {
                    kind: Kind::File,
                    at: clock::now(),
                });
                last = Some(tip);
            }
            folders.changed().await;
            if !store.join("refs/heads").is_dir() {
                break;
            }
        }
    }
}

/// Returns the folder that holds the branches of the repository at `path`.
async fn store(path: &Path) -> PathBuf {
    let dot_git = path.join(".git");
    if dot_git.is_dir() {
        return dot_git;
    }
    // A linked work tree: a file names its folder, and a file there the common one.
    let Ok(link) = fs::read_to_string(&dot_git).await else {
        return path.to_owned();
    };
    let own = path.join(link.trim().trim_start_matches("gitdir: "));
    match fs::read_to_string(own.join("commondir")).await {
        Ok(common) => own.join(common.trim()),
        Err(_) => own,
    }
}

/// Returns the commit of the branch as its loose file or the packed ones have it; `None` where it
/// has none.
async fn tip(store: &Path, branch: &str) -> Option<String> {
    let name = format!("refs/heads/{branch}");
    if let Ok(loose) = fs::read_to_string(store.join(&name)).await {
        return Some(loose.trim().to_owned());
    }
    let packed = fs::read_to_string(store.join("packed-refs")).await.ok()?;
    let line = packed
        .lines()
        .find_map(|line| line.strip_suffix(&name)?.strip_suffix(' '))?;
    Some(line.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use tokio::time::timeout;

    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    /// Shorter than the look once a minute, so that only the watch can be in time.
    async fn is_told(queue: &Queue) -> bool {
        timeout(Duration::from_secs(20), queue.next()).await.is_ok()
    }

    /// Writes a file as Git does: beside it, then renamed.
    fn replace(path: &Path, content: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let lock = path.with_extension("lock");
        fs::write(&lock, content).unwrap();
        fs::rename(lock, path).unwrap();
    }

    #[tokio::test]
    async fn only_moves_of_the_branch_are_told_loose_or_packed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        replace(&at("refs/heads/feature/a"), ONE);
        let queue = Queue::new(Duration::ZERO);
        let follow = follow_repository(queue.clone(), at(""), "feature/a".to_owned());
        let task = tokio::spawn(follow);
        assert!(is_told(&queue).await, "the start");

        replace(&at("refs/heads/main"), TWO);
        replace(
            &at("packed-refs"),
            &format!("# pack-refs\n{ONE} refs/heads/feature/a\n"),
        );
        fs::remove_file(at("refs/heads/feature/a")).unwrap();
        assert!(
            timeout(Duration::from_millis(300), queue.next())
                .await
                .is_err()
        );

        replace(
            &at("packed-refs"),
            &format!("# pack-refs\n{TWO} refs/heads/feature/a\n"),
        );
        assert!(is_told(&queue).await, "packed");
        replace(&at("refs/heads/feature/a"), ONE);
        assert!(is_told(&queue).await, "loose");
        task.abort();
    }

    #[tokio::test]
    async fn the_branches_of_a_work_tree_and_of_a_linked_one_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        replace(&at("main/.git/refs/heads/main"), ONE);
        replace(
            &at("linked/.git"),
            "gitdir: ../main/.git/worktrees/linked\n",
        );
        replace(&at("main/.git/worktrees/linked/commondir"), "../..\n");
        for tree in ["main", "linked", "main/.git"] {
            assert_eq!(
                tip(&store(&at(tree)).await, "main").await.as_deref(),
                Some(ONE),
                "{tree}"
            );
        }
        assert_eq!(tip(&at("main/.git"), "other").await, None);
    }
}
