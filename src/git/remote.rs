//! What is followed, and which URLs are ever contacted.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use url::Url;

use super::GitFault;
use crate::revision::File;

/// A branch of a repository, and how it may be fetched.
#[derive(Clone)]
pub struct Remote {
    /// `https://host/path`, `ssh://[user@]host[:port]/path`, `user@host:path`, or, where
    /// [`Self::allow_file`] says so, `file:///path` or an absolute path.
    pub url: String,
    /// Name of the branch, without `refs/heads/`.
    pub branch: String,
    /// Directory with the files of a Secret, read at each fetch: `username` and `password`, or
    /// `bearerToken`, or `identity` and `known_hosts` (`password` is then the key's passphrase);
    /// `ca.crt`; `tls.crt` and `tls.key`. `None` is anonymous.
    pub credentials: Option<PathBuf>,
    /// The longest that a fetch may take in all; then its process is killed.
    pub timeout: Duration,
    /// Allows local repositories.
    pub allow_file: bool,
    /// What a fetch and a commit may cost.
    pub limits: Limits,
    /// The program whose hidden subcommand `git-fetch` is [`super::child::run`].
    pub program: PathBuf,
}

/// What a fetch and a commit may cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes received by one fetch.
    pub pack_bytes: u64,
    /// Objects received by one fetch.
    pub pack_objects: u64,
    /// Address space of the fetching process, in bytes. An https answer is held in memory, so
    /// this is to be at least four times `pack_bytes`.
    pub memory_bytes: u64,
    /// Entries below the path that is followed.
    pub files: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files of a commit that are read.
    pub tree_bytes: u64,
    /// Bytes of a path.
    pub path_bytes: usize,
    /// Directories inside each other.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            pack_bytes: 256 * MIB,
            pack_objects: 2_000_000,
            memory_bytes: 1024 * MIB,
            files: 50_000,
            file_bytes: File::LARGEST as u64,
            tree_bytes: 128 * MIB,
            path_bytes: 1024,
            depth: 64,
        }
    }
}

/// The way to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Transport {
    Https,
    Ssh,
    File,
}

/// A URL that passed the rules; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) url: String,
    pub(super) transport: Transport,
}

impl Address {
    /// Reads a URL by the rules of this room.
    ///
    /// # Errors
    /// [`GitFault::Refused`]; its text repeats no part of the URL that could be a secret.
    pub(super) fn read(text: &str, allow_file: bool) -> Result<Self, GitFault> {
        if text.starts_with('/') {
            return Self::file(text, allow_file);
        }
        if !text.contains("://") {
            return Self::scp(text);
        }
        let url = Url::parse(text)
            .map_err(|error| GitFault::Refused(format!("repository URL is malformed: {error}")))?;
        if url.password().is_some() || (url.scheme() == "https" && !url.username().is_empty()) {
            return refuse("it holds credentials; put them into the Secret named by `secretRef`");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("it has a query or fragment; remove what follows `?` or `#`");
        }
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        match url.scheme() {
            "https" | "ssh" if !has_host => refuse("it names no host"),
            "https" => Ok(Self::new(url.as_str(), Transport::Https)),
            "ssh" => Ok(Self::new(url.as_str(), Transport::Ssh)),
            "file" if has_host => refuse("a `file` URL names no host: `file:///path`"),
            "file" => Self::file(url.as_str(), allow_file),
            other => refuse(&format!(
                "scheme `{other}` is never used; use `https://` or `ssh://`"
            )),
        }
    }

    fn new(url: &str, transport: Transport) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            transport,
        }
    }

    fn file(text: &str, allow_file: bool) -> Result<Self, GitFault> {
        if !allow_file {
            return refuse("local repositories are read only with `--allow-file-urls`");
        }
        Ok(Self::new(text, Transport::File))
    }

    /// Reads `user@host:path`. The user is required, so that `ext::…` and `C:…` are no hosts.
    fn scp(text: &str) -> Result<Self, GitFault> {
        let parts = text.split_once('@').and_then(|(user, rest)| {
            let (host, path) = rest.split_once(':')?;
            Some((user, host, path))
        });
        let is_name = |text: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
            !text.is_empty() && !text.starts_with('-') && text.chars().all(allowed)
        };
        match parts {
            Some((user, host, path))
                if is_name(user) && is_name(host) && !path.is_empty() && !path.contains(':') =>
            {
                Ok(Self::new(text, Transport::Ssh))
            }
            _ => refuse(
                "it is none of `https://host/path`, `ssh://user@host/path`, `user@host:path`",
            ),
        }
    }

    /// Returns the user of an SSH URL, `git` where it names none.
    pub(super) fn user(&self) -> String {
        if let Ok(url) = Url::parse(&self.url) {
            return match url.username() {
                "" => "git".to_owned(),
                user => user.to_owned(),
            };
        }
        self.url
            .split_once('@')
            .map_or("git", |(user, _)| user)
            .to_owned()
    }
}

fn refuse<T>(why: &str) -> Result<T, GitFault> {
    Err(GitFault::Refused(format!(
        "repository URL is refused: {why}"
    )))
}

/// Checks a branch name by Git's rules.
pub(super) fn check_branch(branch: &str) -> Result<(), GitFault> {
    if git2::Branch::name_is_valid(branch).unwrap_or(false) {
        return Ok(());
    }
    Err(GitFault::Refused(format!(
        "`{}` is no name of a branch",
        branch.escape_debug()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        Address::read(url, false).unwrap_err().to_string()
    }

    #[test]
    fn https_and_ssh_urls_are_accepted() {
        for (url, transport) in [
            ("https://git.example.com/team/repo.git", Transport::Https),
            ("https://127.0.0.1:8443/repo", Transport::Https),
            ("ssh://git@git.example.com:2222/team/repo", Transport::Ssh),
            ("ssh://git.example.com/team/repo", Transport::Ssh),
            ("git@git.example.com:team/repo.git", Transport::Ssh),
        ] {
            assert_eq!(
                Address::read(url, false).unwrap().transport,
                transport,
                "{url}"
            );
        }
    }

    #[test]
    fn other_ways_to_a_repository_are_refused() {
        for url in [
            "http://git.example.com/repo",
            "http://127.0.0.1/repo",
            "git://git.example.com/repo",
            "ftp://git.example.com/repo",
            "ext::sh -c id",
            "git@ext::sh",
            "-oProxyCommand=id@host:path",
            "host:path",
            "",
            "https://",
            "https://host/repo?private_token=x",
            "https://host/repo#main",
            "file://host/repo",
        ] {
            assert!(Address::read(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn local_repositories_need_the_flag() {
        for url in ["/srv/repo", "file:///srv/repo"] {
            assert!(refusal(url).contains("--allow-file-urls"), "{url}");
            assert_eq!(Address::read(url, true).unwrap().transport, Transport::File);
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        for url in [
            "https://hunter2@git.example.com/repo",
            "https://u:hunter2@git.example.com/repo",
            "ssh://git:hunter2@git.example.com/repo",
            "git:hunter2@git.example.com:repo",
            "https://u:hunter2@git.example.com:port/repo",
            "https://git.example.com/repo?token=hunter2",
        ] {
            let text = refusal(url);
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn the_user_of_an_ssh_url_defaults_to_git() {
        let user = |url| Address::read(url, false).unwrap().user();
        assert_eq!(user("ssh://host/repo"), "git");
        assert_eq!(user("ssh://deploy@host/repo"), "deploy");
        assert_eq!(user("deploy@host:repo"), "deploy");
    }

    #[test]
    fn branch_names_follow_gits_rules() {
        assert!(check_branch("release/1.2").is_ok());
        for name in ["", "a..b", "-x", "a b", "a@{1}", "a.lock", "a\n"] {
            assert!(check_branch(name).is_err(), "{name}");
        }
    }
}
