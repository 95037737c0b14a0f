//! SSH by libgit2 and libssh2: the key, and the host's key against `known_hosts`.
//!
//! libgit2 looks hosts up in `$HOME/.ssh/known_hosts` (plain and hashed names, `[host]:port`, the
//! type of the key), also to ask the server for a type of key that is listed. So the child's home
//! is a directory of ours with the file from the Secret. What libssh2 does not know are the
//! markers: `@revoked` is checked here, `@cert-authority` is left out, so it never admits a host.

use std::{
    cell::{Cell, RefCell},
    fs, io,
};

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD};
use git2::{
    CertificateCheckStatus, Cred, CredentialType, Error, ErrorClass, ErrorCode, RemoteCallbacks,
    cert::CertHostkey,
};
use secrecy::ExposeSecret;

use super::{Failure, Request};
use crate::git::Reason;

/// The child's home below the mirror's directory.
pub(in crate::git) const HOME: &str = "home";

/// Writes the lines of `known_hosts` that have no marker to where libgit2 looks for them. To be
/// called by the child that fetches alone: another one of the same mirror would read half of it.
pub(super) fn write_known_hosts(request: &Request) -> io::Result<()> {
    let directory = request.directory.join(HOME).join(".ssh");
    fs::create_dir_all(&directory)?;
    let known = request
        .credentials
        .known_hosts
        .as_deref()
        .unwrap_or_default();
    let plain = known
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('@'));
    let text = plain.map(|line| format!("{line}\n")).collect::<String>();
    fs::write(directory.join("known_hosts"), text)
}

/// Adds the callbacks that prove who we are and check who the host is. The key that the host
/// presents is kept in `presented`.
pub(super) fn equip<'a>(
    callbacks: &mut RemoteCallbacks<'a>,
    request: &'a Request,
    presented: &'a RefCell<Option<String>>,
) {
    let offered = Cell::new(false);
    callbacks.credentials(move |_, _, allowed| credential(request, allowed, &offered));
    callbacks.certificate_check(move |certificate, _| {
        let key = certificate
            .as_hostkey()
            .ok_or_else(|| refusal("the host presented no key"))?;
        presented.replace(Some(describe(key)));
        let known = request
            .credentials
            .known_hosts
            .as_deref()
            .unwrap_or_default();
        if key.hostkey().is_none_or(|key| is_revoked(known, key)) {
            return Err(refusal("the host's key is revoked in `known_hosts`"));
        }
        Ok(CertificateCheckStatus::CertificatePassthrough)
    });
}

/// Offers the key once: a server that asks again has refused it.
fn credential(
    request: &Request,
    allowed: CredentialType,
    offered: &Cell<bool>,
) -> Result<Cred, Error> {
    let user = request.address.user();
    if allowed.contains(CredentialType::USERNAME) {
        return Cred::username(&user);
    }
    let refused = |why: &str| Error::new(ErrorCode::Auth, ErrorClass::Ssh, why);
    if offered.replace(true) {
        return Err(refused("the server refused the key `identity`"));
    }
    let credentials = &request.credentials;
    match &credentials.identity {
        Some(key) if allowed.intersects(CredentialType::SSH_KEY | CredentialType::SSH_MEMORY) => {
            let passphrase = credentials
                .password
                .as_ref()
                .map(ExposeSecret::expose_secret);
            Cred::ssh_key_from_memory(&user, None, key.expose_secret(), passphrase)
        }
        _ => Err(refused("the server does not accept keys")),
    }
}

fn refusal(why: &str) -> Error {
    Error::new(ErrorCode::Certificate, ErrorClass::Ssh, why)
}

/// Returns type and fingerprint as `ssh-keygen -l` shows them.
fn describe(key: &CertHostkey<'_>) -> String {
    let name = key.hostkey().and_then(|key| {
        let length = u32::from_be_bytes(*key.first_chunk::<4>()?) as usize;
        std::str::from_utf8(key.get(4..4 + length)?).ok()
    });
    let hash = key
        .hash_sha256()
        .map(|hash| BASE64_STANDARD_NO_PAD.encode(hash));
    format!(
        "{} SHA256:{}",
        name.unwrap_or("unknown"),
        hash.unwrap_or_default()
    )
}

/// Says whether a key stands in a line `@revoked <hosts> <type> <key>`, whatever the hosts.
fn is_revoked(known_hosts: &str, key: &[u8]) -> bool {
    let key = BASE64_STANDARD.encode(key);
    known_hosts.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("@revoked") && words.nth(2) == Some(&key)
    })
}

/// Says more about a host that was not recognised.
pub(super) fn explain(failure: Failure, presented: Option<String>) -> Failure {
    match (failure.reason, presented) {
        (Reason::HostKey, Some(key)) => Failure::new(
            Reason::HostKey,
            format!(
                "the host presented the key {key}, which `known_hosts` does not list for it: the \
                 host is not listed, its key has changed, or it is revoked ({})",
                failure.detail
            ),
        ),
        _ => failure,
    }
}

/// Classifies the text of a failure of libssh2.
pub(super) fn reason(text: &str) -> Reason {
    let says = |words: &str| text.to_ascii_lowercase().contains(words);
    if says("hostkey") || says("known_hosts") || says("exchange encryption keys") {
        Reason::HostKey
    } else if says("authenticat") || says("private key") || says("publickey") {
        Reason::AuthenticationFailed
    } else if says("timed out") || says("timeout") {
        Reason::TimedOut
    } else if says("not found") || says("does not appear to be a git repository") {
        Reason::RepositoryMissing
    } else {
        Reason::FetchFailed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revoked_key_is_revoked_for_every_host() {
        let known = "host ssh-ed25519 a2V5\n# c\n@revoked * ssh-ed25519 YmFk comment\n";
        assert!(is_revoked(known, b"bad"));
        assert!(!is_revoked(known, b"key"));
        assert!(!is_revoked("", b"bad"));
    }

    #[test]
    fn what_libssh2_says_is_classified() {
        for (text, expected) in [
            ("invalid or unknown remote ssh hostkey", Reason::HostKey),
            (
                "failed to authenticate SSH session: Unable to extract public key from private key",
                Reason::AuthenticationFailed,
            ),
            (
                "failed to start SSH session: Timeout waiting for response",
                Reason::TimedOut,
            ),
            ("ERROR: Repository not found.", Reason::RepositoryMissing),
            ("Failed to open SSH channel", Reason::FetchFailed),
        ] {
            assert_eq!(reason(text), expected, "{text}");
        }
    }
}
