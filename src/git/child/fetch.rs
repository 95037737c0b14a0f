//! One fetch: look at the branch, download what is missing, move the tracking reference.

use std::{
    cell::{Cell, RefCell},
    io,
    path::Path,
};

use git2::{
    AutotagOption, Direction, ErrorCode, FetchOptions, Oid, RemoteCallbacks, RemoteHead,
    RemoteRedirect, Repository,
};

use super::{Answer, Failure, Request, ssh};
use crate::git::{
    Reason,
    mirror::{self, Fetched, News},
    objects::{self, PINS},
    remote::Transport,
    store::{self, REPOSITORY},
};

/// Does what was requested, alone in the mirror's directory.
pub(super) fn fetch(request: &Request) -> Answer {
    let directory = &request.directory;
    let _alone = store::fetching(directory)?;
    store::settle(directory)?;
    if request.address.transport == Transport::Ssh {
        ssh::write_known_hosts(request)?;
    }
    let path = directory.join(REPOSITORY);
    if !request.anew {
        let repository = Repository::open_bare(&path)?;
        sweep(&path)?;
        return fetch_into(&repository, request);
    }
    let new = store::beside(directory)?;
    let fetched = fetch_into(&Repository::init_bare(&new)?, request)?;
    let _changing = store::changing(directory)?;
    carry_pins(&path, &new)?;
    store::replace(directory)?;
    Ok(fetched)
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Reason::Disk, error.to_string())
    }
}

/// Removes what a child that was killed left behind: locks of tracking references, half packs.
fn sweep(repository: &Path) -> io::Result<()> {
    let packs = repository.join("objects/pack");
    let is_half = |name: &str| !name.starts_with("pack-");
    let references = repository.join("refs/tidegate/remote");
    let is_lock = |name: &str| name.ends_with(".lock");
    store::remove_files(&packs, is_half)?;
    store::remove_files(&references, is_lock)
}

/// Pins in the new store what it holds of the old one's pins. An old store that is too damaged to
/// name them has none to give.
fn carry_pins(old: &Path, new: &Path) -> Result<(), Failure> {
    let Ok(old) = Repository::open_bare(old) else {
        return Ok(());
    };
    let new = Repository::open_bare(new)?;
    for pin in old.references_glob(&format!("{PINS}*"))?.flatten() {
        if let (Ok(name), Some(commit)) = (pin.name(), pin.target())
            && new.find_commit(commit).is_ok()
        {
            new.reference(name, commit, true, "deployed")?;
        }
    }
    Ok(())
}

/// What the callbacks of one operation saw.
#[derive(Default)]
struct Seen {
    presented: RefCell<Option<String>>,
    over_limit: Cell<Option<&'static str>>,
    bytes: Cell<u64>,
    objects: Cell<u64>,
}

fn fetch_into(repository: &Repository, request: &Request) -> Answer {
    let seen = Seen::default();
    transfer(repository, request, &seen).map_err(|failure| match seen.over_limit.get() {
        Some(limit) => Failure::new(Reason::Limits, limit),
        None => ssh::explain(failure, seen.presented.take()),
    })
}

fn transfer(repository: &Repository, request: &Request, seen: &Seen) -> Answer {
    let mut remote = repository.remote_anonymous(&request.address.url)?;
    let callbacks = callbacks(request, seen);
    let mut connection = remote
        .connect_auth(Direction::Fetch, Some(callbacks), None)
        .map_err(|error| connect_failure(error, request))?;
    let tip = tip(connection.list()?, &request.branch)?;
    let reference = mirror::tracking(&request.branch);
    let before = match repository.refname_to_id(&reference) {
        Ok(before) => Some(before),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if before != Some(tip) || repository.find_commit(tip).is_err() {
        let refspec = format!("+refs/heads/{}:{reference}", request.branch);
        connection
            .remote()
            .download(&[refspec], Some(&mut options(request, seen)))?;
        repository.find_commit(tip)?.tree()?;
        repository.reference(&reference, tip, true, "fetch")?;
    }
    Ok(Fetched {
        tip: objects::commit_id(tip),
        news: news(repository, before, tip),
        bytes: seen.bytes.get(),
        objects: seen.objects.get(),
    })
}

/// libgit2 takes a path that is no local repository for a URL of an unknown kind.
fn connect_failure(error: git2::Error, request: &Request) -> Failure {
    match request.address.transport {
        Transport::File => Failure::new(Reason::RepositoryMissing, "it is no Git repository"),
        Transport::Https | Transport::Ssh => error.into(),
    }
}

/// Finds the branch among what the server advertises.
fn tip(heads: &[RemoteHead<'_>], branch: &str) -> Result<Oid, Failure> {
    let name = format!("refs/heads/{branch}");
    if let Some(head) = heads.iter().find(|head| head.name() == name) {
        return Ok(head.oid());
    }
    let branches = heads
        .iter()
        .filter_map(|head| head.name().strip_prefix("refs/heads/"));
    let names: Vec<_> = branches
        .take(5)
        .map(|branch| format!("`{branch}`"))
        .collect();
    if names.is_empty() {
        return Err(Failure::new(Reason::Empty, "the repository has no branch"));
    }
    let detail = format!(
        "there is no such branch; the repository has {}",
        names.join(", ")
    );
    Err(Failure::new(Reason::RefMissing, detail))
}

/// Says how the branch moved. What was there before and cannot be found was rewritten.
fn news(repository: &Repository, before: Option<Oid>, tip: Oid) -> News {
    match before {
        None => News::First,
        Some(before) if before == tip => News::Unchanged,
        Some(before) => {
            let from = objects::commit_id(before);
            match repository.graph_descendant_of(tip, before) {
                Ok(true) => News::Advanced { from },
                Ok(false) | Err(_) => News::Rewritten { from },
            }
        }
    }
}

fn options<'a>(request: &'a Request, seen: &'a Seen) -> FetchOptions<'a> {
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks(request, seen));
    options.download_tags(AutotagOption::None);
    options.follow_redirects(RemoteRedirect::None);
    options
}

fn callbacks<'a>(request: &'a Request, seen: &'a Seen) -> RemoteCallbacks<'a> {
    let mut callbacks = RemoteCallbacks::new();
    let limits = &request.limits;
    callbacks.transfer_progress(move |progress| {
        let (bytes, objects) = (
            progress.received_bytes() as u64,
            progress.total_objects() as u64,
        );
        seen.bytes.set(bytes);
        seen.objects.set(objects);
        if bytes > limits.pack_bytes {
            seen.over_limit
                .set(Some("the pack is larger than the limit of bytes"));
        } else if objects > limits.pack_objects {
            seen.over_limit
                .set(Some("the pack holds more objects than the limit"));
        }
        seen.over_limit.get().is_none()
    });
    match request.address.transport {
        Transport::Ssh => ssh::equip(&mut callbacks, request, &seen.presented),
        // libcurl's handle has the credentials; a local repository needs none.
        Transport::Https | Transport::File => {}
    }
    callbacks
}
