//! The process: one Lease, one configuration, an app for each `GitSync`.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::cluster::{
    Announcer, Cluster, ClusterFault, Lease, Live, Records, Refusal, Role, Terms,
};
use crate::config::{self, GitSync};
use crate::git::GitFault;
use crate::object::mark;
use crate::trigger::{FileWatch, Unreadable};

use super::app::Shared;
use super::book::REMOVED;
use super::claims::Claims;
use super::election::{ONCE, holder, is_leader, lead, why_not};
use super::release::{How, ReleaseFault, release};
use super::tending::{Fate, tend};
use super::{BookFault, Options, Stand};

/// How long giving the Lease back may take at the end.
const RESIGN: Duration = Duration::from_secs(5);

/// Why the agent ended.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// The cluster cannot be reached at all.
    #[error(transparent)]
    Cluster(#[from] ClusterFault),
    /// The configuration cannot be read at the start.
    #[error("the configuration cannot be used:\n{}", .0.iter().map(|f| format!("  {f}")).collect::<Vec<_>>().join("\n"))]
    Config(Vec<config::Fault>),
    /// The file of the configuration cannot be read.
    #[error("{0}")]
    File(#[from] Unreadable),
    /// A ledger could not be taken over.
    #[error(transparent)]
    Book(#[from] BookFault),
    /// A repository is never contacted.
    #[error(transparent)]
    Git(#[from] GitFault),
    /// The API server refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What the commit would do could not be found out; the commit itself is not at fault.
    #[error("what it would do cannot be said: {0}")]
    Unknown(String),
    /// The Lease was not to be had in time for `--once`.
    #[error("the Lease {lease} was not to be had within {} s: {why}", ONCE.as_secs())]
    NotLeading {
        /// Its namespace and name.
        lease: String,
        /// Who has it, or what was refused.
        why: String,
    },
    /// A `GitSync` that left the configuration could not be released.
    #[error(transparent)]
    Release(#[from] ReleaseFault),
}

/// Runs the agent until `stop` turns true, or with `--once` until all is done; then returns how each
/// `GitSync` stands.
///
/// # Errors
/// What keeps it from starting; what goes wrong later is a condition of a `GitSync`.
pub async fn run(
    options: Options,
    mut stop: watch::Receiver<bool>,
) -> Result<Vec<Stand>, RunFault> {
    let cluster =
        Cluster::connect(options.kubeconfig.as_deref(), options.context.as_deref()).await?;
    let mut file = FileWatch::new(&options.config);
    let first = options
        .gitsyncs(&file.next().await?)
        .map_err(RunFault::Config)?;
    let namespace = options
        .namespace
        .clone()
        .unwrap_or_else(|| cluster.default_namespace().to_owned());
    let holder = holder();
    let lease = Lease {
        namespace: namespace.clone(),
        name: mark::installation(&options.instance),
        terms: Terms::default(),
    };
    let standing = lease.stand(&cluster, &holder);
    let mut role = standing.role();
    let cluster = cluster.fenced(standing.fence());
    let mut wanted = first;
    let stands = loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break Vec::new(),
            led = lead(&mut role) => if !led { break Vec::new() },
            () = tokio::time::sleep(ONCE), if options.once => {
                let lease = format!("{namespace}/{}", mark::installation(&options.instance));
                let why = why_not(&role.borrow());
                return Err(RunFault::NotLeading { lease, why });
            }
        }
        info!(holder, "leading");
        let shared = Shared {
            announcer: Some(Announcer::new(&cluster, &holder)),
            ..shared(&options, &cluster, &namespace, &holder)
        };
        let mut reign = Reign {
            options: &options,
            shared,
            apps: BTreeMap::new(),
            is_settled: false,
        };
        let ended = reign
            .rule(&mut wanted, &mut file, &mut role, &mut stop)
            .await;
        reign.stop_all().await;
        match ended {
            Ended::Told => break Vec::new(),
            Ended::Done(stands) => break stands,
            Ended::Deposed => warn!(holder, "the lease was lost; standing by"),
        }
    };
    if tokio::time::timeout(RESIGN, standing.resign())
        .await
        .is_err()
    {
        warn!("the lease could not be given back in time; it runs out by itself");
    }
    Ok(stands)
}

/// Waits until what is watched is so, or nobody can say any more. Holds no lock afterwards, so that
/// the loop may run on any thread.
async fn until<T>(watched: &mut watch::Receiver<T>, is_so: impl FnMut(&T) -> bool) {
    drop(watched.wait_for(is_so).await);
}

/// What the apps share; nothing is announced yet.
pub(super) fn shared(
    options: &Options,
    cluster: &Cluster,
    namespace: &str,
    holder: &str,
) -> Shared {
    Shared {
        cluster: cluster.clone(),
        live: Live::new(cluster),
        claims: Claims::default(),
        announcer: None,
        instance: options.instance.clone(),
        holder: holder.to_owned(),
        agent_namespace: namespace.to_owned(),
        allow_file: options.allow_file_urls,
        secrets: options.secrets.clone(),
        cache: options.cache.clone(),
        program: options.program.clone(),
    }
}

/// How a reign ended.
enum Ended {
    Told,
    Done(Vec<Stand>),
    Deposed,
}

/// The time for which this process leads.
struct Reign<'a> {
    options: &'a Options,
    shared: Shared,
    apps: BTreeMap<String, Running>,
    /// Whether the index names what is served, and all else is released.
    is_settled: bool,
}

/// An app at work.
struct Running {
    sync: GitSync,
    stop: watch::Sender<bool>,
    task: JoinHandle<Option<Fate>>,
}

impl Reign<'_> {
    async fn rule(
        &mut self,
        wanted: &mut Vec<GitSync>,
        file: &mut FileWatch,
        role: &mut watch::Receiver<Role>,
        stop: &mut watch::Receiver<bool>,
    ) -> Ended {
        self.follow(wanted).await;
        loop {
            if self.options.once && self.apps.values().all(|app| app.task.is_finished()) {
                return Ended::Done(self.stands().await);
            }
            let tick = tokio::time::sleep(Duration::from_millis(if self.options.once {
                50
            } else {
                1000
            }));
            tokio::select! {
                () = until(stop, |stop| *stop) => return Ended::Told,
                () = until(role, |role| !is_leader(role)) => return Ended::Deposed,
                text = file.next() => self.reload(text, wanted).await,
                () = tick => {
                    self.revive().await;
                    if !self.is_settled {
                        self.settle(wanted).await;
                    }
                }
            }
        }
    }

    /// An app that ended though nobody told it to has met a fault of ours: it is started anew, and
    /// the others never notice.
    async fn revive(&mut self) {
        let ended = self.apps.values().filter(|app| app.task.is_finished());
        let ended: Vec<GitSync> = ended.map(|app| app.sync.clone()).collect();
        if self.options.once {
            return;
        }
        for sync in ended {
            self.stop_one(&key(&sync)).await;
            self.start(sync);
        }
    }

    /// What each app came to.
    async fn stands(&mut self) -> Vec<Stand> {
        let mut stands = Vec::new();
        for (gitsync, app) in std::mem::take(&mut self.apps) {
            let fate = match app.task.await {
                Ok(fate) => fate.unwrap_or_else(|| Err("it was told to stop".to_owned())),
                Err(cause) => Err(cause.to_string()),
            };
            stands.push(Stand { gitsync, fate });
        }
        stands
    }

    /// A changed file counts only if it is valid and not empty.
    async fn reload(&mut self, text: Result<String, Unreadable>, wanted: &mut Vec<GitSync>) {
        let file = self.options.config.display();
        match text.map(|text| self.options.gitsyncs(&text)) {
            Ok(Ok(syncs)) => {
                info!(%file, gitsyncs = syncs.len(), "configuration read");
                *wanted = syncs;
                self.follow(wanted).await;
            }
            Ok(Err(faults)) => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                error!(%file, faults = faults.join("; "), "configuration refused; nothing changes");
            }
            Err(fault) => {
                error!(%file, cause = %fault, "configuration unreadable; nothing changes");
            }
        }
    }

    /// Starts, restarts and stops apps so that they are as the configuration says.
    async fn follow(&mut self, wanted: &[GitSync]) {
        let names: Vec<String> = wanted.iter().map(key).collect();
        self.is_settled = false;
        let gone: Vec<String> = self
            .apps
            .keys()
            .filter(|name| !names.contains(name))
            .cloned()
            .collect();
        for name in gone {
            self.stop_one(&name).await;
        }
        self.shared.claims.serve(wanted);
        for sync in wanted {
            let name = key(sync);
            if self.apps.get(&name).is_some_and(|app| app.sync == *sync) {
                continue;
            }
            self.stop_one(&name).await;
            self.start(sync.clone());
        }
        self.settle(wanted).await;
    }

    async fn settle(&mut self, wanted: &[GitSync]) {
        let names: Vec<String> = wanted.iter().map(key).collect();
        let settled = self.settle_index(&names).await;
        self.is_settled = settled.is_ok();
        if let Err(fault) = settled {
            warn!(cause = %fault, "the index of GitSyncs could not be kept; tried again");
        }
    }

    fn start(&mut self, sync: GitSync) {
        let (stop, stopped) = watch::channel(false);
        let (shared, once) = (self.shared.clone(), self.options.once);
        let task = tokio::spawn(tend(sync.clone(), shared, stopped, once));
        self.apps.insert(key(&sync), Running { sync, stop, task });
    }

    async fn stop_one(&mut self, name: &str) {
        let Some(app) = self.apps.remove(name) else {
            return;
        };
        app.stop.send_replace(true);
        if let Err(cause) = app.task.await {
            error!(gitsync = name, %cause, "an app ended badly");
        }
    }

    async fn stop_all(&mut self) {
        for app in self.apps.values() {
            app.stop.send_replace(true);
        }
        let names: Vec<String> = self.apps.keys().cloned().collect();
        for name in names {
            self.stop_one(&name).await;
        }
    }

    /// Records which `GitSync`s are served, and releases those that no longer are.
    async fn settle_index(&self, names: &[String]) -> Result<(), RunFault> {
        let records = Records::new(&self.shared.cluster, &self.shared.instance);
        let found = records.load_index(&self.shared.agent_namespace).await?;
        let served: Vec<String> = found
            .as_ref()
            .and_then(|index| serde_json::from_str(&index.content).ok())
            .unwrap_or_default();
        let (cluster, instance) = (&self.shared.cluster, &self.shared.instance);
        let mut names = names.to_vec();
        let mut left = Vec::new();
        for gone in served.iter().filter(|name| !names.contains(name)) {
            let Some((namespace, name)) = gone.split_once('/') else {
                continue;
            };
            let by = format!("{REMOVED} by {instance}");
            match release(cluster, namespace, name, &by, How::Onward).await {
                Ok(done) => info!(
                    namespace,
                    name,
                    workloads = done.workloads.len(),
                    "released"
                ),
                Err(ReleaseFault::NoLedger { .. }) => {}
                Err(fault) => {
                    warn!(namespace, name, cause = %fault, "not released yet");
                    left.push((gone.clone(), fault));
                }
            }
        }
        // What could not be released stays in the index; the others do not wait for it.
        names.extend(left.iter().map(|(name, _)| name.clone()));
        names.sort();
        if names != served {
            let content = serde_json::to_string(&names).unwrap_or_default();
            let version = found.map(|index| index.resource_version);
            records
                .save_index(&self.shared.agent_namespace, &content, version.as_deref())
                .await?;
        }
        left.pop().map_or(Ok(()), |(_, fault)| Err(fault.into()))
    }
}

pub(super) fn key(sync: &GitSync) -> String {
    format!("{}/{}", sync.namespace, sync.name)
}
