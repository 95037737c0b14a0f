//! The aim, stage by stage: what is out of step is written, then looked at until it is healthy.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::health::{self, Health};
use crate::ledger::Trouble;
use crate::manifest::Stage;
use crate::object::{ObjectId, later};
use crate::plan::{Mark, Set, Standing, State, standing};

use super::BookFault;
use super::app::App;
use super::reading::ReadFault;

/// Pause before writes are tried again that were refused for good.
const REFUSED: std::time::Duration = std::time::Duration::from_secs(3);

/// How a stage stands.
pub(super) enum Progress {
    /// Everything in it is as it is to be, and healthy.
    Done,
    /// Not yet, and when to look again at the latest.
    Waiting(Option<Timestamp>),
}

impl App {
    /// Brings the cluster one step closer to the aim, or keeps it there.
    pub(super) async fn pursue(&mut self, now: Timestamp) -> Result<Option<Timestamp>, BookFault> {
        self.settle_conflicts();
        let Some(set) = self.readable_aim().await? else {
            return Ok(None);
        };
        let set = if self.decide(&set).await? {
            let Some(set) = self.readable_aim().await? else {
                return Ok(None);
            };
            set
        } else {
            set
        };
        let stages: BTreeSet<Stage> = set.values().map(|wanted| wanted.stage).collect();
        let mut wakes = Vec::new();
        for stage in stages {
            let progress = self.pursue_stage(stage, &set, now).await?;
            if let Progress::Waiting(wake) = progress {
                if !self.is_stopped() {
                    return self.time_stage(stage, &set, wake, now).await;
                }
                // While nothing may begin, every stage is still kept as it is.
                wakes.extend(wake);
            }
        }
        if self.is_stopped() {
            // The clock of a stage does not run meanwhile.
            if let Some(aim) = &mut self.book.ledger.aim {
                aim.stage = None;
            }
            return Ok(wakes.into_iter().min());
        }
        self.complete(&set, now).await
    }

    /// Returns the set of the aim; what keeps it from being read is told.
    async fn readable_aim(&mut self) -> Result<Option<Arc<Set>>, BookFault> {
        match self.aimed().await {
            Ok(Some(set)) => Ok(self.look_at(&set).await.then_some(set)),
            Ok(None) => Ok(None),
            Err(ReadFault::Cluster(refusal)) => Err(refusal.into()),
            // Before the first fetch a fresh mirror holds nothing: that is no trouble.
            Err(ReadFault::Git(_)) if !self.has_fetched => Ok(None),
            Err(ReadFault::Git(fault)) => {
                self.unreached(&fault);
                Ok(None)
            }
            Err(fault @ ReadFault::Thread(_)) => {
                self.trouble(Trouble::GitUnreachable, fault.to_string());
                Ok(None)
            }
            Err(fault @ ReadFault::Faults(_)) => {
                self.trouble(Trouble::Rejected, fault.to_string());
                Ok(None)
            }
        }
    }

    async fn pursue_stage(
        &mut self,
        stage: Stage,
        set: &Arc<Set>,
        now: Timestamp,
    ) -> Result<Progress, BookFault> {
        let plain: Vec<ObjectId> = of_stage(set, stage, false);
        let workloads = of_stage(set, stage, true);
        let due = self.due(&plain, set, now);
        if !due.is_empty() && !self.apply_all(&due, set).await? {
            return Ok(Progress::Waiting(Some(later(now, REFUSED))));
        }
        if !workloads.is_empty() {
            return self.pace(&workloads, set).await;
        }
        let unhealthy = self.unhealthy(&plain, set);
        Ok(if unhealthy.is_empty() {
            Progress::Done
        } else {
            tracing::debug!(gitsync = %self.label(), ?unhealthy, "stage waits");
            Progress::Waiting(None)
        })
    }

    /// The objects that are to be written now, or looked at because another `GitSync` took them.
    fn due(&mut self, ids: &[ObjectId], set: &Set, now: Timestamp) -> Vec<ObjectId> {
        let mut due = Vec::new();
        for id in ids {
            let is_due = match self.standing(id, set) {
                Standing::InSync => {
                    self.calm(id);
                    false
                }
                Standing::Terminating => false,
                Standing::Drifted => self.may_correct(id, set, now),
                Standing::Missing if self.is_recorded(id, set) => self.may_correct(id, set, now),
                Standing::Missing | Standing::Changed | Standing::Unowned | Standing::Shared => {
                    !self.is_stopped()
                }
            };
            if is_due {
                due.push(id.clone());
            }
        }
        due
    }

    /// Says whether an object was written as the set wants it.
    pub(super) fn is_recorded(&self, id: &ObjectId, set: &Set) -> bool {
        let entry = self.book.ledger.inventory.get(id);
        entry.is_some_and(|entry| {
            entry.state == State::Applied && entry.hash.as_ref() == Some(&set[id].hash)
        })
    }

    /// The objects of a stage that are not healthy, and why; nothing waits for what is held.
    fn unhealthy(&mut self, ids: &[ObjectId], set: &Set) -> Vec<(ObjectId, String)> {
        let aim = self.book.ledger.aim.as_ref();
        let held = aim.map(|aim| aim.held.clone()).unwrap_or_default();
        let mut unhealthy = Vec::new();
        for id in ids.iter().filter(|id| !held.contains_key(*id)) {
            let why = match self.shared.live.get(id).map(|live| health::of(&live)) {
                None if !(self.is_recorded(id, set) && self.is_left(id)) => {
                    "is not there yet".to_owned()
                }
                None | Some(Health::Current) => continue,
                Some(Health::InProgress(why) | Health::Failed(why)) => why,
                Some(Health::Terminating) => "is being deleted".to_owned(),
            };
            unhealthy.push((id.clone(), why));
        }
        unhealthy
    }

    /// Compares one object of the set with the cluster.
    pub(super) fn standing(&mut self, id: &ObjectId, set: &Set) -> Standing {
        let mark = self.mark(id);
        let entry = self.book.ledger.inventory.get(id);
        let found = standing(&set[id], &self.owner, entry, mark.as_ref());
        if found == Standing::Shared {
            // A dry run from before it was another's says nothing any more.
            let key = (id.clone(), set[id].hash.clone());
            let known = self.probes.get(&key);
            if known.is_some_and(|probe| probe.stranger.is_none()) {
                self.probes.remove(&key);
            }
        }
        found
    }

    /// Returns the mark of a live object; it is read once for each resource version.
    pub(super) fn mark(&mut self, id: &ObjectId) -> Option<Mark> {
        let live = self.shared.live.get(id)?;
        let version = live.resource_version().unwrap_or_default();
        if let Some((known, mark)) = self.marks.get(id)
            && known == version
        {
            return Some(mark.clone());
        }
        let mark = Mark::of(&live);
        self.marks
            .insert(id.clone(), (version.to_owned(), mark.clone()));
        Some(mark)
    }

    /// Starts or checks the clock of a stage that is not healthy; returns when to look again.
    async fn time_stage(
        &mut self,
        stage: Stage,
        set: &Arc<Set>,
        wake: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, BookFault> {
        let name = format!("{stage:?}");
        let Some(aim) = self.book.ledger.aim.as_mut() else {
            return Ok(None);
        };
        let since = match &aim.stage {
            Some((known, since)) if *known == name => *since,
            Some(_) | None => {
                aim.stage = Some((name.clone(), now));
                now
            }
        };
        if stage == Stage::Workloads || aim.is_done {
            return Ok(wake);
        }
        let end = later(since, self.sync.health_timeout);
        if now < end {
            return Ok(Some(wake.map_or(end, |wake| wake.min(end))));
        }
        let late = self.unhealthy(&of_stage(set, stage, false), set);
        if late.is_empty() {
            return Ok(wake);
        }
        let why: Vec<String> = late
            .iter()
            .map(|(id, why)| format!("{id}: {why}"))
            .collect();
        let message = format!(
            "the stage {name} was not healthy within {} s: {}",
            self.sync.health_timeout.as_secs(),
            why.join("; ")
        );
        let late: Vec<ObjectId> = late.into_iter().map(|(id, _)| id).collect();
        self.fail_stage(set, &late, message).await?;
        Ok(Some(now))
    }
}

/// The objects of a stage: those that are rolled, or the others.
fn of_stage(set: &Set, stage: Stage, rolled: bool) -> Vec<ObjectId> {
    let in_stage = set
        .iter()
        .filter(|(id, wanted)| wanted.stage == stage && id.is_deployment() == rolled);
    in_stage.map(|(id, _)| id.clone()).collect()
}
