//! What is seen of one GitSync: its ledger, and the pods of the workloads on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio::time::timeout;

use crate::cli::failure::Failure;
use crate::cli::reach::{App, Found, read};
use crate::cluster::{Cause, Changed, Cluster, Live, Records, Refusal, Watch};
use crate::ledger::Ledger;
use crate::object::{Object, ObjectId, Workload, mark};
use crate::plan::Owner;
use crate::rollout::Seen;
use crate::status::{Picture, picture};
use crate::sync::{followers, observe};

/// How long the first look waits for the pods.
const FIRST: Duration = Duration::from_secs(2);

/// Keeps an eye on one GitSync.
pub(in crate::cli) struct Eyes {
    app: App,
    pub(in crate::cli) ledger: Ledger,
    cluster: Cluster,
    live: Live,
    /// Version of the ledger's head that was read; `None` while it is to be read again.
    version: Option<String>,
    /// The watches of each workload.
    followed: BTreeMap<ObjectId, BTreeSet<Watch>>,
    patience: Duration,
}

impl Eyes {
    pub(in crate::cli) fn new(found: Found) -> Self {
        Self {
            app: found.app,
            ledger: found.ledger,
            live: Live::new(&found.cluster),
            cluster: found.cluster,
            version: None,
            followed: BTreeMap::new(),
            patience: FIRST,
        }
    }

    /// Returns the changes of pods and workloads from now on.
    pub(super) fn changes(&self) -> broadcast::Receiver<Changed> {
        self.live.subscribe()
    }

    /// Looks at everything now.
    pub(in crate::cli) async fn look(&mut self, now: Timestamp) -> Result<Picture, Failure> {
        self.refresh().await?;
        self.follow().await?;
        let seen = self.seen(now).await;
        let picture = picture(&self.app.to_string(), &self.ledger, &seen, now);
        let pods = self.pods();
        Ok(Picture { pods, ..picture })
    }

    /// The Ready pods of all workloads, and those that are to be; `None` while they cannot be seen.
    fn pods(&self) -> Option<(u32, u32)> {
        let (mut ready, mut all) = (0, 0);
        let mut workloads = self.ledger.inventory.keys().filter(|id| id.is_workload());
        let is_seen = workloads.all(|id| {
            let Some(live) = self.live.get(id) else {
                return false;
            };
            let live = Workload(&live);
            ready += live.ready_replicas().min(live.replicas());
            all += live.replicas();
            true
        });
        is_seen.then_some((ready, all))
    }

    /// Follows the workloads themselves, on their way or not: one watch for a namespace.
    fn follow_all(&mut self) {
        let App { namespace, name } = self.app.clone();
        let instance = self.ledger.instance.clone();
        let owner = Owner {
            instance,
            namespace,
            name,
        };
        let workloads = self.ledger.inventory.keys().filter(|id| id.is_workload());
        let places: BTreeSet<(Option<String>, String)> = workloads
            .map(|id| (id.namespace.clone(), id.kind.clone()))
            .collect();
        for (namespace, kind) in places {
            self.live.follow(Watch {
                namespace,
                labels: [(mark::GITSYNC.to_owned(), owner.label())].into(),
                ..Watch::of("apps/v1", &kind)
            });
        }
    }

    /// Reads the ledger where its head has changed.
    async fn refresh(&mut self) -> Result<(), Failure> {
        let head = Records::head(&self.app.namespace, &self.app.name);
        let found = self.cluster.get("v1", &head).await?;
        let found = found.ok_or_else(|| Failure::NoSuchApp(self.app.to_string()))?;
        let version = found.resource_version().map(ToOwned::to_owned);
        if version != self.version {
            self.ledger = read(&self.cluster, &self.app).await?;
            self.version = version;
        }
        Ok(())
    }

    /// Watches the workloads that are on their way with their ReplicaSets and pods, and no others.
    async fn follow(&mut self) -> Result<(), Failure> {
        self.follow_all();
        let wanted: BTreeSet<ObjectId> = self.ledger.rollouts.keys().cloned().collect();
        let gone: Vec<ObjectId> = self
            .followed
            .keys()
            .filter(|id| !wanted.contains(*id))
            .cloned()
            .collect();
        for id in gone {
            for watch in self.followed.remove(&id).unwrap_or_default() {
                let is_shared = self
                    .followed
                    .values()
                    .flatten()
                    .any(|other| *other == watch);
                // The workloads themselves are followed all the time.
                if !is_shared && watch.kind != id.kind {
                    self.live.unfollow(&watch);
                }
            }
        }
        for id in wanted {
            if self.followed.contains_key(&id) {
                continue;
            }
            // Until it is created there are no labels to go by.
            let Some(object) = readable(self.cluster.get("apps/v1", &id).await)? else {
                continue;
            };
            let watches = watches(&object);
            for watch in &watches {
                self.live.follow(watch.clone());
            }
            self.followed.insert(id, watches);
            self.patience = FIRST;
        }
        Ok(())
    }

    /// What the watches have brought; nothing of a workload while one of its own has not.
    async fn seen(&mut self, now: Timestamp) -> BTreeMap<ObjectId, Seen> {
        let patience = std::mem::take(&mut self.patience);
        let mut seen = BTreeMap::new();
        for (id, watches) in &self.followed {
            let settled = timeout(patience, self.live.settle(watches)).await;
            if matches!(settled, Ok(Ok(()))) {
                seen.insert(id.clone(), observe(&self.live, id, (None, &[]), now));
            }
        }
        seen
    }
}

/// What is not there yet or may not be read is not seen; the ledger still tells of it.
pub(in crate::cli) fn readable(
    answer: Result<Option<Object>, Refusal>,
) -> Result<Option<Object>, Refusal> {
    match answer {
        Err(Refusal {
            cause: Cause::Forbidden { .. },
            ..
        }) => Ok(None),
        answer => answer,
    }
}

/// The workload itself, and what carries the labels that it selects by.
fn watches(object: &Object) -> BTreeSet<Watch> {
    let labels = |pointer: &str| -> BTreeMap<String, String> {
        let map = object.at(pointer).and_then(|labels| labels.as_object());
        let pairs = map.into_iter().flatten();
        pairs
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect()
    };
    let own = mark::GITSYNC;
    let mark = labels("/metadata/labels");
    let mark = mark.into_iter().filter(|(key, _)| key == own).collect();
    let selected = labels("/spec/selector/matchLabels");
    let itself = std::iter::once((("apps/v1", object.kind()), &mark));
    let followers = followers(object.kind()).map(|follower| (follower, &selected));
    itself
        .chain(followers)
        .map(|((version, kind), labels)| Watch {
            namespace: object.namespace().map(ToOwned::to_owned),
            labels: labels.clone(),
            ..Watch::of(version, kind)
        })
        .collect()
}
