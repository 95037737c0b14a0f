//! The ledger in hand: changed in memory, stored by compare-and-swap before anything depends on it.

use crate::clock;
use crate::cluster::{Cause, Cluster, NewRecord, Record, Records, Refusal};
use crate::ledger::{self, Ledger, LedgerFault, Released, Stored};
use crate::object::Object;
use crate::plan::Owner;

use super::app::Shared;

/// Why the ledger could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum BookFault {
    /// The API server refused a call, or was not reached.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It refused the ledger itself: nothing may be written, and nothing speaks against what is
    /// being rolled out.
    #[error("the ledger could not be stored or read: {0}")]
    Unstored(Refusal),
    /// What is stored is no ledger of this version.
    #[error("the ledger `tidegate-{name}` in namespace {namespace} is not usable: {fault}")]
    Unusable {
        /// Namespace of the `GitSync`.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        fault: LedgerFault,
    },
    /// Another process holds it now, or it was released: nothing more may be written.
    #[error("the ledger was taken over by `{0}`")]
    TakenOver(String),
    /// It belongs to another installation.
    #[error(
        "the ledger belongs to the installation `{0}`; start with --instance {0}, or remove it"
    )]
    OtherInstance(String),
}

/// Words of a release that happened because the configuration no longer names a `GitSync`. It is
/// taken back when the configuration names it again.
pub(super) const REMOVED: &str = "removal from the configuration";

/// The ledger of one `GitSync`, held by this process.
pub(super) struct Book {
    /// The records, to be changed and then stored.
    pub(super) ledger: Ledger,
    records: Records,
    namespace: String,
    name: String,
    version: Option<String>,
    /// The records as they were last stored, and their head as text.
    saved: Ledger,
    head: String,
    /// Nothing is ever stored: a preview.
    is_closed: bool,
}

impl Book {
    /// Reads the ledger, or begins one, and takes it over with a higher epoch.
    pub(super) async fn open(
        shared: &Shared,
        owner: &Owner,
        spec: serde_json::Value,
    ) -> Result<Self, BookFault> {
        let (records, holder) = (
            Records::new(&shared.cluster, &owner.instance),
            &shared.holder,
        );
        let found = read(&records, owner).await?;
        let (mut ledger, version, head) = match found {
            None => (
                Ledger::new(&owner.instance, holder, spec.clone()),
                None,
                String::new(),
            ),
            Some((ledger, found)) => (ledger, Some(found.resource_version), found.head),
        };
        let saved = ledger.clone();
        if ledger.instance != owner.instance {
            return Err(BookFault::OtherInstance(ledger.instance));
        }
        if version.is_some() {
            ledger.epoch += 1;
        }
        ledger.holder.clone_from(holder);
        ledger.agent_namespace.clone_from(&shared.agent_namespace);
        if ledger.released.as_ref().is_some_and(is_removal) {
            // The configuration names it again.
            ledger.take_up(clock::now());
        }
        if ledger.spec != spec
            && let Some(tip) = &mut ledger.tip
        {
            tip.is_judged = false;
        }
        ledger.spec = spec;
        let mut book = Self {
            ledger,
            records,
            namespace: owner.namespace.clone(),
            name: owner.name.clone(),
            version,
            saved,
            head,
            is_closed: false,
        };
        book.save().await?;
        Ok(book)
    }

    /// Reads the ledger, or begins one, and never stores it.
    pub(super) async fn peek(
        cluster: &Cluster,
        owner: &Owner,
        spec: serde_json::Value,
    ) -> Result<Self, BookFault> {
        let records = Records::new(cluster, &owner.instance);
        let found = read(&records, owner).await?;
        let ledger = found.map(|(ledger, _)| ledger);
        let ledger = ledger.unwrap_or_else(|| Ledger::new(&owner.instance, "preview", spec));
        Ok(Self {
            saved: ledger.clone(),
            ledger,
            records,
            namespace: owner.namespace.clone(),
            name: owner.name.clone(),
            version: None,
            head: String::new(),
            is_closed: true,
        })
    }

    /// Stores what changed; without a change nothing is called.
    ///
    /// Where only people's annotations moved the head, it is stored on top of them; where another
    /// epoch or a release did, this process has lost the ledger.
    pub(super) async fn save(&mut self) -> Result<(), BookFault> {
        if self.is_closed {
            return Ok(());
        }
        if self.ledger == self.saved && self.version.is_some() {
            return Ok(());
        }
        let next = ledger::encode(&self.ledger);
        for _ in 0..5 {
            let record = NewRecord {
                head: &next.head,
                shards: &next.shards,
            };
            let expected = self.version.as_deref();
            match self
                .records
                .save(&self.namespace, &self.name, record, expected)
                .await
            {
                Ok(version) => {
                    self.version = Some(version);
                    self.saved = self.ledger.clone();
                    self.head = next.head;
                    return Ok(());
                }
                Err(refusal) if is_race(&refusal) => self.catch_up(&next).await?,
                Err(refusal) => return Err(BookFault::Unstored(refusal)),
            }
        }
        let call = format!("store of the ledger of {}/{}", self.namespace, self.name);
        Err(BookFault::Unstored(Refusal {
            call,
            cause: Cause::Conflict,
        }))
    }

    /// Says whether someone holds the ledger with a higher epoch, as a head that was seen shows it.
    pub(super) fn lost_to(&self, head: &Object) -> Option<BookFault> {
        if head.resource_version() == self.version.as_deref() {
            return None;
        }
        let epoch = ledger::epoch(Records::content(head)?)?;
        (epoch > self.ledger.epoch)
            .then(|| BookFault::TakenOver(format!("a writer of epoch {epoch}")))
    }

    /// Takes note of the head as a watch shows it: a version that only people's annotations moved
    /// is written upon without a lost race.
    pub(super) fn saw(&mut self, head: &Object) {
        if Records::content(head) == Some(&self.head)
            && let Some(version) = head.resource_version()
        {
            self.version = Some(version.to_owned());
        }
    }

    /// Reads the head again after a lost race or an unanswered write.
    async fn catch_up(&mut self, next: &Stored) -> Result<(), BookFault> {
        let found = self.records.read_head(&self.namespace, &self.name).await;
        let found = found.map_err(BookFault::Unstored)?;
        let Some(found) = found else {
            self.version = None;
            return Ok(());
        };
        let content = Records::content(&found).unwrap_or_default();
        if content != self.head && content != next.head {
            let writer = ledger::writer(content);
            let writer = writer.unwrap_or_else(|| "an unknown writer".to_owned());
            return Err(BookFault::TakenOver(writer));
        }
        self.version = found.resource_version().map(ToOwned::to_owned);
        Ok(())
    }
}

/// Reads what is stored of a ledger.
async fn read(records: &Records, owner: &Owner) -> Result<Option<(Ledger, Record)>, BookFault> {
    let found = records.load(&owner.namespace, &owner.name).await;
    let Some(found) = found.map_err(BookFault::Unstored)? else {
        return Ok(None);
    };
    match ledger::decode(&found.head, &found.shards) {
        Ok(ledger) => Ok(Some((ledger, found))),
        Err(fault) => Err(BookFault::Unusable {
            namespace: owner.namespace.clone(),
            name: owner.name.clone(),
            fault,
        }),
    }
}

/// Says whether a release happened because the configuration no longer names the `GitSync`.
pub(super) fn is_removal(mark: &Released) -> bool {
    mark.by.starts_with(REMOVED)
}

fn is_race(refusal: &Refusal) -> bool {
    matches!(
        refusal.cause,
        Cause::Conflict | Cause::AlreadyExists | Cause::OutcomeUnknown { .. } | Cause::NotFound
    )
}
