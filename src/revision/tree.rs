//! The files of one commit below the path that is followed.

/// One file of a commit.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// Its bytes as stored in Git.
    pub bytes: Vec<u8>,
}

impl File {
    /// Most bytes of one file that is read.
    pub const LARGEST: usize = 5 << 20;
}

/// Shows the path and the size; the bytes may hold secrets.
impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.path, self.bytes.len())
    }
}

/// The files of one commit below one path, sorted by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The path that was asked for, from the root of the repository; empty for the root.
    pub root: String,
    /// Its files.
    pub files: Vec<File>,
    /// What may hold files and cannot be read: path, and why as the end of a sentence. It is never
    /// left out in silence, since what a commit leaves out is deleted.
    pub unread: Vec<(String, String)>,
    /// What was left out and why, for people: `path: reason`.
    pub notes: Vec<String>,
}
