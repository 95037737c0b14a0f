//! Follows the content of one file.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::RecursiveMode;

use super::folder::Folders;
use crate::object::Digest;

/// How long a folder must be quiet before the file is read: editors and mounts write in steps.
const QUIET: Duration = Duration::from_millis(100);

/// Says that the file could not be read as text.
#[derive(Debug, thiserror::Error)]
#[error("reading `{path}` failed: {cause}")]
pub struct Unreadable {
    /// The file.
    pub path: String,
    /// Why, as the system says.
    pub cause: io::Error,
}

/// Follows the content of one file through edits, replacement, and the swapped symlinks of a
/// ConfigMap mount: its folder is watched, and the file is read once a minute in any case.
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    folders: Folders,
    is_due: bool,
    last: Option<Result<Digest, io::ErrorKind>>,
}

impl FileWatch {
    /// Watches the folder of `path`; the file need not be there.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        let folders = Folders::watch(&[(folder, RecursiveMode::NonRecursive)]);
        Self {
            path: path.to_owned(),
            folders,
            is_due: true,
            last: None,
        }
    }

    /// Returns the content at the first call, later once it is another one. Dropping the future
    /// loses nothing.
    ///
    /// # Errors
    /// Returns [`Unreadable`] once when the file goes, cannot be read or is no UTF-8; the same
    /// again only for another kind of failure.
    pub async fn next(&mut self) -> Result<String, Unreadable> {
        loop {
            if !self.is_due {
                self.folders.changed().await;
                self.is_due = true;
                self.folders.settled(QUIET).await;
            }
            let read = tokio::fs::read_to_string(&self.path).await;
            self.is_due = false;
            let seen = match &read {
                Ok(content) => Ok(Digest::of_bytes(content.as_bytes())),
                Err(cause) => Err(cause.kind()),
            };
            if self.last.as_ref() != Some(&seen) {
                self.last = Some(seen);
                let path = self.path.display().to_string();
                return read.map_err(|cause| Unreadable { path, cause });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use tokio::time::timeout;

    use super::*;

    /// Shorter than the look once a minute, so that only the watch can be in time.
    async fn soon(watch: &mut FileWatch) -> Result<String, io::ErrorKind> {
        let next = timeout(Duration::from_secs(20), watch.next())
            .await
            .expect("a change is told");
        next.map_err(|fault| fault.cause.kind())
    }

    #[tokio::test]
    async fn a_change_is_told_once_and_a_touch_or_a_neighbour_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sync.yaml");
        fs::write(&path, "one").unwrap();
        let mut watch = FileWatch::new(&path);
        assert_eq!(soon(&mut watch).await.unwrap(), "one");
        fs::write(&path, "one").unwrap();
        fs::write(folder.path().join("other.yaml"), "x").unwrap();
        assert!(timeout(QUIET * 5, watch.next()).await.is_err());
        fs::write(&path, "two").unwrap();
        assert_eq!(soon(&mut watch).await.unwrap(), "two");
    }

    #[tokio::test]
    async fn a_wait_that_is_dropped_in_between_loses_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sync.yaml");
        fs::write(&path, "one").unwrap();
        let mut watch = FileWatch::new(&path);
        assert_eq!(soon(&mut watch).await.unwrap(), "one");
        fs::write(&path, "two").unwrap();
        assert!(timeout(QUIET / 2, watch.next()).await.is_err());
        assert_eq!(soon(&mut watch).await.unwrap(), "two");
    }

    #[tokio::test]
    async fn the_swapped_link_of_a_config_map_mount_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, content) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("sync.yaml"), content).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/sync.yaml", at("sync.yaml")).unwrap();
        let mut watch = FileWatch::new(&at("sync.yaml"));
        assert_eq!(soon(&mut watch).await.unwrap(), "one");
        symlink("..2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert_eq!(soon(&mut watch).await.unwrap(), "two");
    }

    #[tokio::test]
    async fn a_file_that_goes_is_told_and_so_is_its_return() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sync.yaml");
        let mut watch = FileWatch::new(&path);
        assert_eq!(soon(&mut watch).await, Err(io::ErrorKind::NotFound));
        fs::write(&path, "one").unwrap();
        assert_eq!(soon(&mut watch).await.unwrap(), "one");
        fs::remove_file(&path).unwrap();
        assert_eq!(soon(&mut watch).await, Err(io::ErrorKind::NotFound));
        fs::write(&path, "one").unwrap();
        assert_eq!(soon(&mut watch).await.unwrap(), "one");
    }
}
