//! The files of one commit, read from the object store. Blocking.

use git2::{ObjectType, Odb, Repository, TreeEntry};

use super::{GitFault, Limits, objects};
use crate::revision::{CommitId, File, Tree};

/// How the pointer that Git LFS leaves instead of a file begins.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";
const SYMLINK: i32 = 0o120_000;
const LINK: &str = "is a symbolic link, which is not followed: commit the file itself";
const SUBMODULE: &str =
    "is a submodule, which is not followed: commit its files, or keep it out of this path";

/// Reads what stands below a path at a commit: `*.yaml`, `*.yml` and `*.json`, sorted by path.
/// Symlinks and submodules that may hold manifests are told; a Git LFS pointer is noted and kept, so
/// that it is refused as a manifest instead of being missed.
///
/// # Errors
/// [`GitFault::PathMissing`] and [`GitFault::Limit`]; then nothing is returned at all, because
/// what is left out would look deleted.
pub(super) fn read(
    repository: &Repository,
    id: &CommitId,
    path: &str,
    limits: &Limits,
) -> Result<Tree, GitFault> {
    let root = objects::tidy(path);
    let commit = objects::find(repository, id)?;
    let odb = repository.odb()?;
    let mut reader = Reader {
        repository,
        odb: &odb,
        id,
        limits,
        tree: Tree {
            root: root.clone(),
            files: Vec::new(),
            unread: Vec::new(),
            notes: Vec::new(),
        },
        entries: 0,
        bytes: 0,
    };
    let top = commit.tree()?;
    if root.is_empty() {
        reader.directory(&top, "", 0)?;
    } else {
        let missing = || GitFault::PathMissing {
            id: id.clone(),
            path: root.clone(),
        };
        let entry = objects::entry(&top, &root)?.ok_or_else(missing)?;
        let is_followed = entry.filemode() != SYMLINK && entry.kind() != Some(ObjectType::Commit);
        if !is_followed {
            return Err(missing());
        }
        reader.entry(&entry, root, 0)?;
    }
    let mut tree = reader.tree;
    tree.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(tree)
}

struct Reader<'r> {
    repository: &'r Repository,
    odb: &'r Odb<'r>,
    id: &'r CommitId,
    limits: &'r Limits,
    tree: Tree,
    entries: usize,
    bytes: u64,
}

impl Reader<'_> {
    fn directory(
        &mut self,
        tree: &git2::Tree<'_>,
        path: &str,
        depth: usize,
    ) -> Result<(), GitFault> {
        if depth > self.limits.depth {
            let most = self.limits.depth;
            return Err(self.limit(format!("`{path}` is more than {most} directories deep")));
        }
        for entry in tree {
            let Ok(name) = entry.name() else {
                let name = String::from_utf8_lossy(entry.name_bytes())
                    .escape_debug()
                    .to_string();
                if is_manifest(&name) {
                    self.unread(
                        format!("{path}/{name}"),
                        "has a name that is not UTF-8: rename it",
                    );
                }
                continue;
            };
            let path = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}/{name}")
            };
            self.entry(&entry, path, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &TreeEntry<'_>, path: String, depth: usize) -> Result<(), GitFault> {
        self.entries += 1;
        if self.entries > self.limits.files {
            return Err(self.limit(format!("more than {} files", self.limits.files)));
        }
        if path.len() > self.limits.path_bytes {
            let most = self.limits.path_bytes;
            return Err(self.limit(format!("a path is longer than {most} bytes")));
        }
        match entry.kind() {
            Some(ObjectType::Tree) => {
                let tree = self.repository.find_tree(entry.id())?;
                self.directory(&tree, &path, depth + 1)?;
            }
            Some(ObjectType::Commit) => self.unread(path, SUBMODULE),
            Some(ObjectType::Blob) if entry.filemode() == SYMLINK => {
                if is_manifest(&path) || self.leads_to_directory(entry.id(), &path)? {
                    self.unread(path, LINK);
                }
            }
            Some(ObjectType::Blob) if is_manifest(&path) => self.file(entry.id(), path)?,
            // Git's trees hold nothing else that matters: other blobs are no manifests.
            Some(ObjectType::Blob | ObjectType::Any | ObjectType::Tag) | None => {}
        }
        Ok(())
    }

    /// Says whether a symlink leads to a directory of the same commit.
    fn leads_to_directory(&self, link: git2::Oid, path: &str) -> Result<bool, GitFault> {
        let blob = self.repository.find_blob(link)?;
        let Ok(target) = std::str::from_utf8(blob.content()) else {
            return Ok(false);
        };
        let mut parts: Vec<&str> = path.split('/').collect();
        parts.pop();
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        let top = objects::find(self.repository, self.id)?.tree()?;
        let found = objects::entry(&top, &parts.join("/"))?;
        Ok(parts.is_empty() || found.is_some_and(|entry| entry.kind() == Some(ObjectType::Tree)))
    }

    fn unread(&mut self, path: String, why: &str) {
        self.tree.unread.push((path, why.to_owned()));
    }

    fn file(&mut self, id: git2::Oid, path: String) -> Result<(), GitFault> {
        // The header tells the size before anything is unpacked.
        let (size, _) = self.odb.read_header(id)?;
        if size as u64 > self.limits.file_bytes {
            let most = self.limits.file_bytes;
            return Err(self.limit(format!("`{path}` has {size} bytes, more than {most}")));
        }
        self.bytes += size as u64;
        if self.bytes > self.limits.tree_bytes {
            let most = self.limits.tree_bytes;
            return Err(self.limit(format!("all files have more than {most} bytes")));
        }
        let blob = self.repository.find_blob(id)?;
        if blob.content().starts_with(LFS) {
            self.note(
                &path,
                "it is a Git LFS pointer, not the file; commit the file itself",
            );
        }
        self.tree.files.push(File {
            path,
            bytes: blob.content().to_vec(),
        });
        Ok(())
    }

    fn note(&mut self, path: &str, why: &str) {
        self.tree
            .notes
            .push(format!("{}: {why}", path.escape_debug()));
    }

    fn limit(&self, what: String) -> GitFault {
        GitFault::Limit {
            id: self.id.clone(),
            what,
        }
    }
}

fn is_manifest(path: &str) -> bool {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    matches!(extension, Some("yaml" | "yml" | "json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::objects::tests::Sample;

    const FILE: i32 = 0o100_644;

    fn names(tree: &Tree) -> Vec<&str> {
        tree.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn manifests_below_the_path_are_read_sorted() {
        let sample = Sample::new();
        let files: [(&str, i32, &[u8]); 6] = [
            ("apps/web/b.yaml", FILE, b"b"),
            ("apps/web.yml", FILE, b"w"),
            ("apps/web/a.json", FILE, b"{}"),
            ("apps/.tidegate.yaml", FILE, b"t"),
            ("apps/README.md", FILE, b"#"),
            ("other.yaml", FILE, b"o"),
        ];
        let id = sample.commit("1", &files, &[]);
        let tree = read(&sample.repository, &id, "./apps/", &Limits::default()).unwrap();
        assert_eq!(tree.root, "apps");
        let expected = [
            "apps/.tidegate.yaml",
            "apps/web.yml",
            "apps/web/a.json",
            "apps/web/b.yaml",
        ];
        assert_eq!(names(&tree), expected);
        assert_eq!(tree.files[3].bytes, b"b");
        let whole = read(&sample.repository, &id, ".", &Limits::default()).unwrap();
        assert_eq!((whole.root.as_str(), whole.files.len()), ("", 5));
        let one = read(&sample.repository, &id, "apps/web.yml", &Limits::default()).unwrap();
        assert_eq!(names(&one), ["apps/web.yml"]);
    }

    #[test]
    fn symlinks_and_submodules_are_told_and_lfs_pointers_kept() {
        let sample = Sample::new();
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
        let files: [(&str, i32, &[u8]); 7] = [
            ("LATEST", SYMLINK, b"big.yaml"),
            ("a.yaml", SYMLINK, b"/etc/passwd"),
            ("apps/base", SYMLINK, b"../base"),
            ("base/d.yaml", FILE, b"d"),
            ("big.yaml", FILE, pointer),
            ("c.yaml", FILE, b"c"),
            ("vendor", 0o160_000, b""),
        ];
        let id = sample.commit("1", &files, &[]);
        let tree = read(&sample.repository, &id, "", &Limits::default()).unwrap();
        assert_eq!(names(&tree), ["base/d.yaml", "big.yaml", "c.yaml"]);
        let told = |path: &str, why: &str| (path.to_owned(), why.to_owned());
        let unread = [
            told("a.yaml", LINK),
            told("apps/base", LINK),
            told("vendor", SUBMODULE),
        ];
        assert_eq!(tree.unread, unread);
        assert_eq!(tree.notes.len(), 1);
        assert!(tree.notes[0].starts_with("big.yaml: it is a Git LFS pointer"));
        for path in ["a.yaml", "vendor", "none", "c.yaml/d", "../c.yaml"] {
            let fault = read(&sample.repository, &id, path, &Limits::default()).unwrap_err();
            assert!(
                matches!(fault, GitFault::PathMissing { .. }),
                "{path}: {fault}"
            );
        }
    }

    #[test]
    fn a_commit_beyond_a_limit_is_refused_whole() {
        let sample = Sample::new();
        let files: [(&str, i32, &[u8]); 2] =
            [("a/b/c.yaml", FILE, b"12345"), ("d.yaml", FILE, b"1")];
        let id = sample.commit("1", &files, &[]);
        let all = Limits::default;
        for (limits, words) in [
            (Limits { files: 3, ..all() }, "more than 3 files"),
            (
                Limits {
                    file_bytes: 4,
                    ..all()
                },
                "`a/b/c.yaml` has 5 bytes",
            ),
            (
                Limits {
                    tree_bytes: 5,
                    ..all()
                },
                "more than 5 bytes",
            ),
            (
                Limits { depth: 1, ..all() },
                "`a/b` is more than 1 directories deep",
            ),
            (
                Limits {
                    path_bytes: 9,
                    ..all()
                },
                "longer than 9 bytes",
            ),
        ] {
            let fault = read(&sample.repository, &id, "", &limits).unwrap_err();
            assert!(fault.to_string().contains(words), "{fault}");
        }
        assert!(read(&sample.repository, &id, "", &all()).is_ok());
    }
}
