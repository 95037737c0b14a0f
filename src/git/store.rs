//! The bare repository on disk: made, replaced as a whole, put right after a crash. Blocking.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use git2::{ErrorCode, Repository};

use super::fault;

/// The bare repository below the mirror's directory.
pub(super) const REPOSITORY: &str = "repository";
/// One that is fetched beside a damaged one.
const NEW: &str = "repository.new";
/// The damaged one while the new one takes its place.
const OLD: &str = "repository.old";

/// Held by the child for as long as it fetches.
const FETCHING: &str = "fetch.lock";
/// Held for moments: while the repository is made, replaced or pinned.
const CHANGING: &str = "store.lock";

/// Makes the repository where there is none; says whether the one that is there is damaged. Damage
/// is left as it is, because what can be saved of it is saved once a new one has been fetched.
///
/// # Errors
/// Where the directory cannot be used, which says nothing about the repository in it.
pub(super) fn make(directory: &Path) -> io::Result<bool> {
    fs::create_dir_all(directory)?;
    settle(directory)?;
    let _alone = changing(directory)?;
    let path = directory.join(REPOSITORY);
    match Repository::open_bare(&path) {
        Ok(_) => Ok(false),
        Err(error) if error.code() == ErrorCode::NotFound => Repository::init_bare(&path)
            .map(|_| false)
            .map_err(io::Error::other),
        Err(error) if fault::is_damage(&error) => Ok(true),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Finishes a replacement that a killed process left half done.
///
/// # Errors
/// Where the directory cannot be used.
pub(super) fn settle(directory: &Path) -> io::Result<()> {
    let old = directory.join(OLD);
    if !old.try_exists()? {
        return Ok(());
    }
    let _alone = changing(directory)?;
    if !directory.join(REPOSITORY).try_exists()? {
        // The new one is whole: the old one is moved away only then.
        let successor = [directory.join(NEW), old.clone()]
            .into_iter()
            .find(|path| path.is_dir());
        if let Some(successor) = successor {
            fs::rename(successor, directory.join(REPOSITORY))?;
        }
    }
    remove(&old)
}

/// Returns the path of a repository to be fetched beside the other; nothing is there.
///
/// # Errors
/// Where the directory cannot be used.
pub(super) fn beside(directory: &Path) -> io::Result<PathBuf> {
    let new = directory.join(NEW);
    remove(&new)?;
    Ok(new)
}

/// Puts the repository that was fetched beside the other in its place. The caller holds
/// [`changing`]. Killed in between, [`settle`] finishes it.
///
/// # Errors
/// Where the directory cannot be used.
pub(super) fn replace(directory: &Path) -> io::Result<()> {
    let (path, old) = (directory.join(REPOSITORY), directory.join(OLD));
    remove(&old)?;
    match fs::rename(&path, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::rename(directory.join(NEW), &path)?;
    remove(&old)
}

/// Waits until no other child fetches; holds the lock until the result is dropped.
///
/// # Errors
/// Where the directory cannot be used.
pub(super) fn fetching(directory: &Path) -> io::Result<File> {
    lock(directory, FETCHING)
}

/// Waits until nobody makes, replaces or pins the repository; holds the lock until the result is
/// dropped.
///
/// # Errors
/// Where the directory cannot be used.
pub(super) fn changing(directory: &Path) -> io::Result<File> {
    lock(directory, CHANGING)
}

fn lock(directory: &Path, name: &str) -> io::Result<File> {
    let file = File::create(directory.join(name))?;
    file.lock()?;
    Ok(file)
}

/// Removes a directory if it exists.
fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes the files of a directory whose name is wanted so; the directory may be missing.
///
/// # Errors
/// Where a file cannot be removed.
pub(super) fn remove_files(directory: &Path, is_stale: impl Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if is_stale(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mirror's directory in which the directories named exist, each with a file of its name.
    fn directory(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            fs::create_dir(directory.path().join(name)).unwrap();
            fs::write(directory.path().join(name).join("name"), name).unwrap();
        }
        directory
    }

    /// Which one stands in the place of the repository, and whether another is left.
    fn standing(directory: &Path) -> (String, bool) {
        let name = fs::read_to_string(directory.join(REPOSITORY).join("name")).unwrap();
        (name, directory.join(OLD).exists())
    }

    #[test]
    fn a_replacement_that_was_cut_off_anywhere_is_finished() {
        for (left, stands) in [
            (&[REPOSITORY, NEW][..], REPOSITORY),
            (&[OLD, NEW], NEW),
            (&[OLD, REPOSITORY], REPOSITORY),
            (&[OLD], OLD),
        ] {
            let directory = directory(left);
            settle(directory.path()).unwrap();
            assert_eq!(
                standing(directory.path()),
                (stands.to_owned(), false),
                "{left:?}"
            );
        }
    }

    #[test]
    fn the_new_one_takes_the_place_of_one_that_may_be_missing() {
        for left in [&[REPOSITORY, NEW][..], &[NEW], &[OLD, REPOSITORY, NEW]] {
            let directory = directory(left);
            replace(directory.path()).unwrap();
            assert_eq!(
                standing(directory.path()),
                (NEW.to_owned(), false),
                "{left:?}"
            );
        }
    }

    #[test]
    fn a_damaged_repository_is_told_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!make(directory.path()).unwrap());
        let path = directory.path().join(REPOSITORY);
        let pin = path.join("refs/heads/pin");
        fs::write(&pin, "1".repeat(40)).unwrap();
        assert!(!make(directory.path()).unwrap());
        fs::write(path.join("config"), "[core\n").unwrap();
        assert!(make(directory.path()).unwrap());
        assert!(pin.exists());
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_no_damage() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(REPOSITORY), "a file").unwrap();
        assert!(make(directory.path()).is_err());
        assert!(directory.path().join(REPOSITORY).is_file());
    }
}
