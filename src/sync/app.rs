//! One `GitSync` at work: the task that owns its ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc, watch};
use tracing::{info, warn};

use crate::clock;
use crate::cluster::{Announcement, Announcer, Changed, Cluster, Live, Records, Tone, Watch};
use crate::config::GitSync;
use crate::git::{Fetched, GitFault, Mirror};
use crate::object::{Digest, ObjectId, later};
use crate::plan::{Mark, Owner, Set};
use crate::revision::CommitId;
use crate::status::Verdict;
use crate::trigger::{Kind, Queue, Trigger};

use super::BookFault;
use super::book::Book;
use super::claims::Claims;
use super::drift::Fights;
use super::fetching::remote;
use super::handover::Waits;
use super::probing::Probe;
use super::rejection::Patience;
use super::writing::Denial;

/// The longest wait between two looks at everything, whatever happens.
const IDLE: Duration = Duration::from_mins(10);

/// What all apps of a process share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) cluster: Cluster,
    pub(super) live: Live,
    /// What each of them wants.
    pub(super) claims: Claims,
    /// `None` where nothing may be written: a preview.
    pub(super) announcer: Option<Announcer>,
    pub(super) instance: String,
    pub(super) holder: String,
    pub(super) agent_namespace: String,
    pub(super) allow_file: bool,
    pub(super) secrets: Option<PathBuf>,
    pub(super) cache: PathBuf,
    pub(super) program: PathBuf,
}

/// One `GitSync` at work.
pub(super) struct App {
    pub(super) sync: GitSync,
    pub(super) owner: Owner,
    pub(super) shared: Shared,
    pub(super) book: Book,
    pub(super) mirror: Arc<Mirror>,
    pub(super) queue: Queue,
    /// Commits that were read.
    pub(super) sets: BTreeMap<CommitId, Arc<Set>>,
    /// What the aim comes to, with what is held; made anew when the aim changes.
    pub(super) composed: Option<Arc<Set>>,
    /// Dry runs by object and hash.
    pub(super) probes: HashMap<(ObjectId, Digest), Arc<Probe>>,
    /// Marks of live objects by resource version.
    pub(super) marks: HashMap<ObjectId, (String, Mark)>,
    /// What is followed for the sets under way and the inventory.
    pub(super) followed: BTreeSet<Watch>,
    /// Corrections of drift: when, against whom.
    pub(super) fights: Fights,
    pub(super) failures: watch::Sender<u32>,
    pub(super) fetches: (mpsc::Sender<Found>, mpsc::Receiver<Found>),
    pub(super) is_fetching: bool,
    /// Whether a fetch has ended since the start, well or badly.
    pub(super) has_fetched: bool,
    /// Whether it was told that nodes cannot be seen.
    pub(super) has_told_nodes: bool,
    /// Requests to sync that the fetch under way answers.
    pub(super) requested: Option<String>,
    /// How often in a row the cluster did not do as asked.
    refusals: u32,
    /// Objects whose write the API server refuses for good: until they are written.
    pub(super) denials: BTreeMap<ObjectId, Denial>,
    /// What other `GitSync`s are waited for.
    pub(super) waits: Waits,
    pub(super) patience: Patience,
}

pub(super) type Found = Result<Fetched, GitFault>;

/// Why an app stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    /// It was told to.
    Told,
    /// Everything is done, as `--once` asked, and this is what it came to.
    Done(Result<Verdict, String>),
    /// Its ledger is no longer its own.
    Lost(BookFault),
}

impl App {
    /// Takes the ledger over and gets ready; nothing is written yet but the ledger.
    pub(super) async fn open(sync: GitSync, shared: Shared) -> Result<Self, super::run::RunFault> {
        let owner = owner(&sync, &shared);
        let spec = serde_json::to_value(&sync).unwrap_or_default();
        let book = Book::open(&shared, &owner, spec).await?;
        let mirror = Arc::new(Mirror::open(&shared.cache, remote(&sync, &shared)).await?);
        let app = Self::new(sync, shared, book, mirror);
        app.shared.claims.open(&app.label(), &app.queue);
        app.queue.push(Trigger {
            kind: Kind::Config,
            at: clock::now(),
        });
        Ok(app)
    }

    /// Puts an app together and opens its eyes.
    pub(super) fn new(sync: GitSync, shared: Shared, book: Book, mirror: Arc<Mirror>) -> Self {
        let app = Self {
            followed: BTreeSet::new(),
            owner: owner(&sync, &shared),
            book,
            mirror,
            queue: Queue::new(Duration::from_millis(200)),
            sets: BTreeMap::new(),
            composed: None,
            probes: HashMap::new(),
            marks: HashMap::new(),
            fights: Fights::default(),
            failures: watch::Sender::new(0),
            fetches: mpsc::channel(1),
            is_fetching: false,
            has_fetched: false,
            has_told_nodes: false,
            requested: None,
            refusals: 0,
            denials: BTreeMap::new(),
            waits: Waits::default(),
            patience: Patience::default(),
            sync,
            shared,
        };
        let basics = app.basics().into_iter();
        basics.for_each(|watch| app.shared.live.follow(watch));
        app
    }

    /// Works until told to stop, or until all is done where `once` is set.
    pub(super) async fn work(mut self, mut stop: watch::Receiver<bool>, once: bool) -> Stopped {
        let poll = crate::trigger::poll(
            self.queue.clone(),
            self.sync.source.interval,
            self.failures.subscribe(),
        );
        let poll = tokio::spawn(poll);
        let follow = self.follow_repository();
        let mut changes = self.shared.live.subscribe();
        let stopped = loop {
            let wake = match self.pass().await {
                Ok(wake) => wake,
                Err(
                    fault @ (BookFault::TakenOver(_)
                    | BookFault::Unusable { .. }
                    | BookFault::OtherInstance(_)),
                ) => break Stopped::Lost(fault),
                Err(BookFault::Refused(refusal) | BookFault::Unstored(refusal)) => {
                    warn!(gitsync = %self.label(), cause = %refusal, "a call was refused");
                    self.refusals += 1;
                    Some(self.retry_at(refusal.retry_after()))
                }
            };
            if once && self.is_settled() {
                break Stopped::Done(self.fate());
            }
            if self.wait(&mut stop, &mut changes, wake).await {
                break Stopped::Told;
            }
        };
        self.look_away();
        poll.abort();
        if let Some(follow) = follow {
            follow.abort();
        }
        stopped
    }

    /// Waits for whatever comes first; says whether to stop.
    async fn wait(
        &mut self,
        stop: &mut watch::Receiver<bool>,
        changes: &mut broadcast::Receiver<Changed>,
        wake: Option<Timestamp>,
    ) -> bool {
        let pause = wake
            .map_or(IDLE, |wake| until(clock::now(), wake))
            .min(IDLE);
        tokio::select! {
            () = told(stop) => return true,
            triggers = self.queue.next(), if !self.is_fetching => self.fetch(&triggers),
            Some(found) = self.fetches.1.recv() => self.fetched(found).await,
            () = concerns(changes, &self.owner.namespace, &self.sync) => {}
            () = tokio::time::sleep(pause) => {}
        }
        *stop.borrow()
    }

    /// One pass: requests, the tip, the aim, the ledger.
    async fn pass(&mut self) -> Result<Option<Timestamp>, BookFault> {
        let now = clock::now();
        self.serve_requests(now).await?;
        let wake = if self.sync.suspend || self.book.ledger.released.is_some() {
            self.claim().await;
            None
        } else {
            let judge = self.judge_tip(now).await?;
            self.claim().await;
            let pursue = self.pursue(now).await?;
            [judge, pursue].into_iter().flatten().min()
        };
        self.book.save().await?;
        self.refusals = 0;
        let pause_ends = self
            .book
            .ledger
            .pause
            .as_ref()
            .and_then(|pause| pause.until);
        Ok([wake, pause_ends].into_iter().flatten().min())
    }

    /// When to try again after a refusal: soon, then ever later, up to a minute.
    pub(super) fn retry_at(&self, asked: Option<Duration>) -> Timestamp {
        let doubled = Duration::from_millis(250) * 2u32.saturating_pow(self.refusals.min(8));
        let pause = doubled
            .min(Duration::from_mins(1))
            .max(asked.unwrap_or_default());
        later(clock::now(), pause)
    }

    /// Tells what happened: in the log, and by an Event on a workload or on the head of the ledger.
    pub(super) fn announce(
        &self,
        about: Option<&ObjectId>,
        reason: &str,
        note: impl Into<String>,
        bad: bool,
    ) {
        let note = note.into();
        let head = Records::head(&self.owner.namespace, &self.owner.name);
        let id = about.unwrap_or(&head);
        if bad {
            warn!(gitsync = %self.label(), object = %id, reason, note, "announced");
        } else {
            info!(gitsync = %self.label(), object = %id, reason, note, "announced");
        }
        let live = &self.shared.live;
        // Nobody sees an Event of an object that is not there.
        let (id, note, object) = match live.get(id) {
            Some(object) => (id, note, Some(object)),
            None => (&head, format!("{id}: {note}"), live.get(&head)),
        };
        let (Some(object), Some(announcer)) = (object, &self.shared.announcer) else {
            return;
        };
        announcer.announce(Announcement {
            api_version: object.api_version().to_owned(),
            id: id.clone(),
            uid: object.uid().unwrap_or_default().to_owned(),
            tone: if bad { Tone::Warning } else { Tone::Normal },
            reason: reason.to_owned(),
            action: "Sync".to_owned(),
            note,
        });
    }

    /// `namespace/name` of the `GitSync`.
    pub(super) fn label(&self) -> String {
        format!("{}/{}", self.owner.namespace, self.owner.name)
    }
}

/// Waits until told to stop.
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone tells to stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits for a change that one of this app's namespaces saw, then takes all that has gathered.
async fn concerns(changes: &mut broadcast::Receiver<Changed>, own: &str, sync: &GitSync) {
    loop {
        match changes.recv().await {
            Ok(changed) => {
                let namespace = changed.root.namespace.as_deref();
                let ours = namespace.is_none_or(|namespace| {
                    namespace == own
                        || namespace == sync.target_namespace
                        || sync
                            .allow
                            .namespaces
                            .iter()
                            .any(|allowed| allowed == namespace)
                });
                if ours {
                    break;
                }
            }
            // Behind: look at everything.
            Err(broadcast::error::RecvError::Lagged(_)) => break,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
    while changes.try_recv().is_ok() {}
}

fn until(now: Timestamp, wake: Timestamp) -> Duration {
    Duration::try_from(wake.duration_since(now)).unwrap_or_default()
}

/// The `GitSync` as objects name it.
pub(super) fn owner(sync: &GitSync, shared: &Shared) -> Owner {
    Owner {
        instance: shared.instance.clone(),
        namespace: sync.namespace.clone(),
        name: sync.name.clone(),
    }
}
