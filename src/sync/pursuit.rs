//! The aim, stage by stage: what is out of step is written, then looked at until it is healthy.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::health::{self, Health};
use crate::ledger::{Course, OpenStage, Trouble};
use crate::manifest::Stage;
use crate::object::{ObjectId, later};
use crate::plan::{Mark, Set, Standing, State, standing};
use crate::rollout::Checkpoint;

use super::BookFault;
use super::app::App;
use super::reading::ReadFault;
use super::writing::AGAIN;

/// Objects in the way of a stage that are named.
pub(super) const TOLD: usize = 3;
/// What is the matter with an object that a finalizer may keep.
const DELETED: &str = "is being deleted";

/// How a stage stands.
pub(super) enum Progress {
    /// Everything in it is as it is to be, and healthy.
    Done,
    /// Not yet, and when to look again at the latest.
    Waiting(Option<Timestamp>),
}

impl Progress {
    /// When to look again at the latest, where that is known.
    fn wake(self) -> Option<Timestamp> {
        match self {
            Self::Done => None,
            Self::Waiting(wake) => wake,
        }
    }
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
        let (mut open, mut wakes) = (None, Vec::new());
        for stage in stages {
            if let Progress::Waiting(wake) = self.pursue_stage(stage, &set, now).await? {
                open.get_or_insert(stage);
                wakes.extend(wake);
                if self.waits_for_health() {
                    if stage < Stage::Workloads {
                        wakes.extend(self.take_back(&set).await?);
                    }
                    break;
                }
            }
        }
        let wake = wakes.into_iter().min();
        match open {
            _ if self.is_stopped() => {
                // The clock of a stage does not run meanwhile.
                if let Some(aim) = &mut self.book.ledger.aim {
                    aim.stage = None;
                }
                Ok(wake)
            }
            Some(stage) => self.time_stage(stage, &set, wake, now).await,
            None => {
                if let Some(aim) = self.book.ledger.aim.as_mut().filter(|aim| aim.is_done) {
                    aim.stage = None;
                }
                self.complete(&set, now).await
            }
        }
    }

    /// Says whether a stage begins only when the one before it is healthy: while something new is
    /// brought about. What is kept as it is, and what goes back, waits for nobody's health: pods
    /// that fail are not kept because an object of an earlier stage is stuck.
    fn waits_for_health(&self) -> bool {
        let aim = self.book.ledger.aim.as_ref();
        let begins = aim.is_some_and(|aim| {
            aim.course == Course::Forward && !aim.is_done && !aim.returns.is_whole
        });
        begins && !self.is_stopped()
    }

    /// A workload that a commit takes back in mid-rollout waits for no earlier stage: pods that had
    /// moved go back at once.
    async fn take_back(&mut self, set: &Arc<Set>) -> Result<Option<Timestamp>, BookFault> {
        let moved: Vec<ObjectId> = set
            .keys()
            .filter(|id| id.is_workload() && self.is_rolling(id))
            .cloned()
            .collect();
        let mut back = Vec::new();
        for id in moved {
            let rolling = self.book.ledger.rolling(&id);
            let is_begun = rolling.is_some_and(Checkpoint::is_going_back);
            let goal = self.goal(&id, set).await?;
            if is_begun || goal.is_some_and(|goal| goal.is_return) {
                back.push(id);
            }
        }
        if back.is_empty() {
            return Ok(None);
        }
        Ok(self.pace(&back, set).await?.wake())
    }

    /// Returns the set of the aim; what keeps it from being read is told.
    async fn readable_aim(&mut self) -> Result<Option<Arc<Set>>, BookFault> {
        match self.aimed().await {
            Ok(Some(set)) => Ok(self.look_at(&set).await.then_some(set)),
            Ok(None) => Ok(None),
            Err(ReadFault::Cluster(refusal)) => Err(refusal.into()),
            // Before the first fetch a fresh mirror holds nothing: that is no trouble.
            Err(ReadFault::Git(_)) if !self.has_fetched => Ok(None),
            // Why Git was not reached says more than what is missing for it.
            Err(ReadFault::Git(_)) if self.book.ledger.unreachable().is_some() => Ok(None),
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
        let refused = self.write_due(&plain, set, now).await?;
        if refused.is_some() && (self.waits_for_health() || workloads.is_empty()) {
            return Ok(Progress::Waiting(refused));
        }
        if !workloads.is_empty() {
            let progress = self.pace(&workloads, set).await?;
            return Ok(match refused {
                Some(again) => {
                    let wake = progress.wake().map_or(again, |wake| wake.min(again));
                    Progress::Waiting(Some(wake))
                }
                None => progress,
            });
        }
        let unhealthy = self.unhealthy(&plain, set);
        Ok(if unhealthy.is_empty() {
            Progress::Done
        } else {
            tracing::debug!(gitsync = %self.label(), ?unhealthy, "stage waits");
            Progress::Waiting(None)
        })
    }

    /// Writes the objects that are out of step; returns when those that are refused are tried again.
    async fn write_due(
        &mut self,
        ids: &[ObjectId],
        set: &Arc<Set>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, BookFault> {
        let mut due = self.due(ids, set, now);
        let mut again = Vec::new();
        due.retain(|id| {
            let later = self.due_again(id, &set[id]);
            again.extend(later);
            later.is_none()
        });
        if !due.is_empty() && !self.apply_all(&due, set).await? {
            again.push(later(now, AGAIN));
        }
        Ok(again.into_iter().min())
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
                Standing::Missing if self.is_recorded(id, set) || self.is_lost(id) => {
                    self.may_correct(id, set, now)
                }
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

    /// Says whether an object that was there is to be there again, although its commit failed and
    /// is held: what needs it waits for no person.
    fn is_lost(&self, id: &ObjectId) -> bool {
        let entry = self.book.ledger.inventory.get(id);
        self.has_failed() && entry.is_some_and(|entry| entry.state == State::Applied)
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
        let mut unhealthy = Vec::new();
        for id in ids {
            if self.book.ledger.is_held(id) {
                continue;
            }
            let why = match self.shared.live.get(id).map(|live| health::of(&live)) {
                None if !(self.is_recorded(id, set) && self.is_left(id)) => {
                    "is not there yet".to_owned()
                }
                None | Some(Health::Current) => continue,
                Some(Health::InProgress(why) | Health::Failed(why)) => why,
                Some(Health::Terminating) => DELETED.to_owned(),
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
        let late = self.in_the_way(stage, set);
        let told = late.iter().map(|(id, why)| format!("{id} {why}"));
        let told: Vec<String> = told.take(TOLD).collect();
        let name = format!("{stage:?}");
        let since = self.open_stage(&name, told.clone(), now);
        let Some(aim) = &self.book.ledger.aim else {
            return Ok(None);
        };
        let is_done = aim.is_done;
        let end = later(since, self.sync.health_timeout);
        if late.is_empty() {
            // What a way back was stuck on has gone.
            self.clear(Trouble::RollbackFailed);
        }
        if late.is_empty() || is_done {
            return Ok(wake);
        }
        if now < end {
            return Ok(Some(wake.map_or(end, |wake| wake.min(end))));
        }
        let message = format!(
            "the stage {name} was not healthy within {} s: {}",
            self.sync.health_timeout.as_secs(),
            told.join("; ")
        );
        let late: Vec<ObjectId> = late.into_iter().map(|(id, _)| id).collect();
        // What a way back or a revert is stuck on is told, and nothing follows from it.
        let has_failed = self.fail_stage(set, &late, message).await?;
        Ok(if has_failed { Some(now) } else { wake })
    }

    /// Notes what the aim waits for; returns since when it is in this stage.
    pub(super) fn open_stage(
        &mut self,
        name: &str,
        waits_for: Vec<String>,
        now: Timestamp,
    ) -> Timestamp {
        let Some(aim) = self.book.ledger.aim.as_mut() else {
            return now;
        };
        let known = aim.stage.take().filter(|known| known.name == name);
        let since = known.map_or(now, |known| known.since);
        aim.stage = Some(OpenStage {
            name: name.to_owned(),
            since,
            waits_for,
        });
        since
    }

    /// The objects that keep a stage open, and why: of its workloads those that are being deleted,
    /// since the others have clocks of their own, and of what stands beside them nothing.
    fn in_the_way(&mut self, stage: Stage, set: &Set) -> Vec<(ObjectId, String)> {
        let workloads = of_stage(set, stage, true);
        if workloads.is_empty() {
            return self.unhealthy(&of_stage(set, stage, false), set);
        }
        let live = |id: &ObjectId| self.shared.live.get(id);
        let goes = workloads
            .into_iter()
            .filter(|id| live(id).is_some_and(|live| live.is_terminating()));
        goes.map(|id| (id, DELETED.to_owned())).collect()
    }
}

/// The objects of a stage: those that are rolled, or the others.
fn of_stage(set: &Set, stage: Stage, rolled: bool) -> Vec<ObjectId> {
    let in_stage = set
        .iter()
        .filter(|(id, wanted)| wanted.stage == stage && id.is_workload() == rolled);
    in_stage.map(|(id, _)| id.clone()).collect()
}
