//! The child process that does the network work of one fetch, and what it and its parent say.
//!
//! The request comes as one line of JSON by standard input, credentials included, and the answer
//! leaves as one by standard output. Standard input stays open as long as the parent lives; when
//! it ends, so does the child.

mod fetch;
mod https;
mod ssh;

pub(super) use ssh::HOME;

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
    process, thread,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::{
    Reason,
    credentials::Credentials,
    fault, globals,
    mirror::Fetched,
    remote::{Address, Limits, Transport},
};

/// The largest request, in bytes.
const LARGEST_REQUEST: u64 = 4 << 20;
/// How long a server may be silent.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);

/// What the child is to fetch.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    /// The mirror's directory.
    pub(super) directory: PathBuf,
    /// Throws the store away once a new one has been fetched beside it.
    pub(super) anew: bool,
    pub(super) address: Address,
    pub(super) branch: String,
    pub(super) timeout: Duration,
    pub(super) limits: Limits,
    pub(super) credentials: Credentials,
}

/// Why the child did not fetch it. The text may hold what a server said.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

impl Failure {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

/// What the child answers.
pub(super) type Answer = Result<Fetched, Failure>;

/// Does the work of the hidden subcommand `git-fetch`. To be called by `main` before any thread
/// is started.
///
/// # Errors
/// When the request cannot be read or the answer not be written; what fails in between is told in
/// the answer.
pub fn run() -> io::Result<()> {
    let mut stdin = BufReader::new(io::stdin());
    let mut line = String::new();
    stdin.by_ref().take(LARGEST_REQUEST).read_line(&mut line)?;
    let request: Request = serde_json::from_str(&line)?;
    let answer = set_up(&request).and_then(|()| {
        end_with_parent(stdin).map_err(|error| Failure::new(Reason::Limits, error.to_string()))?;
        fetch::fetch(&request)
    });
    let mut stdout = io::stdout();
    serde_json::to_writer(&mut stdout, &answer)?;
    stdout.flush()
}

/// Bounds this process and sets what is process-wide.
fn set_up(request: &Request) -> Result<(), Failure> {
    let limits = &request.limits;
    // A pack grows by the bases of its deltas when it is stored, hence twice.
    for (resource, most) in [
        (Resource::As, limits.memory_bytes),
        (Resource::Fsize, limits.pack_bytes.saturating_mul(2)),
        (Resource::Core, 0),
    ] {
        setrlimit(
            resource,
            Rlimit {
                current: Some(most),
                maximum: Some(most),
            },
        )
        .map_err(|error| Failure::new(Reason::Limits, format!("no limit set: {error}")))?;
    }
    globals::prepare()?;
    globals::bound_waiting(request.timeout.min(LONGEST_SILENCE))?;
    match request.address.transport {
        Transport::Https => https::register(request)
            .map_err(|error| Failure::new(Reason::CredentialsInvalid, error.to_string())),
        Transport::Ssh | Transport::File => Ok(()),
    }
}

/// Ends this process when its parent's end of the pipe is gone.
fn end_with_parent(mut stdin: impl Read + Send + 'static) -> io::Result<()> {
    thread::Builder::new().spawn(move || {
        // Nothing more is ever said: whatever ends the read ends the process.
        let _ = io::copy(&mut stdin, &mut io::sink());
        process::exit(1);
    })?;
    Ok(())
}

/// Classifies what libgit2 and libcurl say. What libcurl says reaches us as text only:
/// `[<code>] …` from the `curl` crate, `… got <status>` from `git2-curl`.
impl From<git2::Error> for Failure {
    fn from(error: git2::Error) -> Self {
        use git2::{ErrorClass as Class, ErrorCode as Code};
        let text = error.message();
        let reason = match (error.code(), error.class()) {
            (Code::Auth, _) => Reason::AuthenticationFailed,
            (Code::Certificate, _) => Reason::HostKey,
            _ if fault::is_damage(&error) => Reason::Corrupt,
            (_, Class::Ssh) => ssh::reason(text),
            (_, Class::Net | Class::Http | Class::Ssl) => https::reason(text),
            (_, Class::NoMemory | Class::Thread) => Reason::Limits,
            (_, Class::Os | Class::Filesystem) => system_reason(text),
            (_, Class::Callback) => Reason::Limits,
            _ => Reason::FetchFailed,
        };
        Self::new(reason, text)
    }
}

fn system_reason(text: &str) -> Reason {
    let says = |words: &str| text.contains(words);
    if says("Cannot allocate memory") {
        Reason::Limits
    } else if says("timed out") {
        Reason::TimedOut
    } else if says("No space left") || says("Permission denied") || says("Read-only") {
        Reason::Disk
    } else {
        Reason::FetchFailed
    }
}

#[cfg(test)]
mod tests {
    use git2::{Error, ErrorClass as Class, ErrorCode as Code};

    use super::*;

    #[test]
    fn a_failure_that_nobody_knows_is_no_damage() {
        for (class, expected) in [
            (Class::Indexer, Reason::Corrupt),
            (Class::Odb, Reason::Corrupt),
            (Class::Invalid, Reason::FetchFailed),
            (Class::None, Reason::FetchFailed),
            (Class::Os, Reason::FetchFailed),
            (Class::NoMemory, Reason::Limits),
        ] {
            let failure = Failure::from(Error::new(Code::GenericError, class, "x"));
            assert_eq!(failure.reason, expected, "{class:?}");
        }
    }
}
