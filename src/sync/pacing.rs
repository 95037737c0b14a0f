//! Workloads: observe, step, perform, until there is nothing to do but wait.

use std::sync::Arc;

use jiff::Timestamp;
use tracing::debug;

use crate::clock;
use crate::cluster::Cause;
use crate::ledger::{Course, Trouble};
use crate::object::{ObjectId, Workload, later};
use crate::plan::{Managers, Set, Standing};
use crate::rollout::{Action, Decision, Goal, Note, Overlay, Reason, Seen, Stance, step};

use super::BookFault;
use super::app::App;
use super::observing::observe;
use super::pursuit::Progress;

/// Workloads of one commit that roll at once.
const AT_ONCE: usize = 4;
/// Moves of one workload in one pass; more would starve the others.
const MOVES: usize = 16;
/// Pause before a manifest is read again that could not be tried out.
const REFUSED: std::time::Duration = std::time::Duration::from_secs(15);

/// How a workload stands after it was driven.
enum Driven {
    /// It is as it is to be.
    Finished,
    /// It is on its way.
    Waiting(Option<Timestamp>),
}

/// Says whether a decision takes back what someone changed in mid-rollout.
fn takes_back(decision: &Decision) -> bool {
    let mut notes = decision.notes.iter();
    decision.reason == Reason::DriftDetected
        || notes.any(|note| note.reason == Reason::DriftCorrected)
}

impl App {
    /// Drives the workloads of a stage.
    pub(super) async fn pace(
        &mut self,
        ids: &[ObjectId],
        set: &Arc<Set>,
    ) -> Result<Progress, BookFault> {
        self.found(ids, set).await?;
        let (mut wakes, mut paused, mut queued) = (Vec::new(), Vec::new(), Vec::new());
        let (mut is_done, mut has_ended) = (true, false);
        let is_rolling = |id: &&ObjectId| self.is_rolling(id) && !self.is_held_back(id);
        let mut rolling = ids.iter().filter(is_rolling).count();
        let mut is_over = self.is_stopped() || self.has_fresh_failure(set);
        let mut others = self.unfinished(ids, set);
        for id in ids {
            let active = self.is_rolling(id);
            let counted = active && !self.is_held_back(id);
            let may_go = !is_over && !self.is_held_back(id) || self.is_repair(id, set);
            let stance = if may_go && !(active && self.is_fought_for(id)) {
                Stance::Go
            } else {
                Stance::Hold
            };
            if !active && !self.may_begin(id, set, stance, &mut is_done) {
                self.book.ledger.waits.remove(id);
                continue;
            }
            if !active && (rolling >= AT_ONCE || self.waits_its_turn(id, others.as_ref(), set)) {
                is_done = false;
                queued.push(id.clone());
                continue;
            }
            let driven = self.drive(id, set, stance).await?;
            self.note_turn(&mut others, id, set);
            // One failure stops all further advances of the commit, in this very pass.
            is_over = self.is_stopped() || self.has_fresh_failure(set);
            match driven {
                Driven::Finished => {
                    rolling -= usize::from(counted);
                    has_ended = true;
                }
                // What quarantine holds stays as it is: nothing waits for it.
                Driven::Waiting(_) if self.is_held_back(id) => {}
                Driven::Waiting(wake) => {
                    is_done = false;
                    if Workload(&set[id].object).is_paused() {
                        paused.push(id.to_string());
                    }
                    rolling += usize::from(!active && self.is_rolling(id));
                    wakes.extend(wake);
                }
            }
        }
        self.tell_paused(&paused);
        // What waited for one that has ended since it was asked.
        wakes.extend((has_ended && !queued.is_empty()).then(clock::now));
        self.book.ledger.queued = queued;
        self.book.ledger.waits.retain(|id, _| set.contains_key(id));
        Ok(if is_done {
            Progress::Done
        } else {
            Progress::Waiting(wakes.into_iter().min())
        })
    }

    /// Tells which workloads wait because their manifests are paused.
    fn tell_paused(&mut self, paused: &[String]) {
        if paused.is_empty() {
            self.clear(Trouble::PausedInGit);
            return;
        }
        let message = format!(
            "{}: `spec.paused: true` in Git; its rollout waits until a commit takes that out",
            paused.join(", ")
        );
        self.trouble(Trouble::PausedInGit, message);
    }

    /// Says whether a workload of the aim failed and its fate is not decided yet.
    pub(super) fn has_fresh_failure(&self, set: &Set) -> bool {
        let aim = self.book.ledger.aim.as_ref();
        aim.is_some_and(|aim| aim.course == Course::Forward) && !self.failed(set).is_empty()
    }

    /// Says whether quarantine holds a workload in the middle of the rollout that the failed
    /// commit began; one that is only restarted goes on.
    pub(super) fn is_held_back(&self, id: &ObjectId) -> bool {
        let ledger = &self.book.ledger;
        let rollout = ledger.rolling(id).filter(|kept| !kept.is_repair);
        ledger.is_held(id) && rollout.is_some() && !self.is_restarting(id)
    }

    /// Says whether rolling a workload only brings back what stood there before somebody else
    /// changed it: that is done whatever is paused or held.
    pub(super) fn is_repair(&mut self, id: &ObjectId, set: &Set) -> bool {
        if let Some(kept) = self.book.ledger.rolling(id) {
            // A newer template that takes over brings back nothing.
            let is_same = || {
                let wanted = set.get(id);
                let wanted = wanted.and_then(|wanted| self.wanted_template(id, wanted));
                wanted.is_none_or(|wanted| wanted == kept.write.template)
            };
            return kept.is_repair && is_same();
        }
        match self.standing(id, set) {
            Standing::Drifted => true,
            Standing::Missing => self.is_recorded(id, set),
            Standing::InSync
            | Standing::Changed
            | Standing::Unowned
            | Standing::Shared
            | Standing::Terminating => false,
        }
    }

    pub(super) fn is_rolling(&self, id: &ObjectId) -> bool {
        self.book.ledger.rolling(id).is_some()
    }

    /// Says whether a workload at rest is to be touched.
    fn may_begin(&mut self, id: &ObjectId, set: &Set, stance: Stance, is_done: &mut bool) -> bool {
        match self.standing(id, set) {
            Standing::InSync => {
                self.calm(id);
                false
            }
            Standing::Drifted => self.may_correct(id, set, clock::now()),
            Standing::Missing if self.is_recorded(id, set) => {
                self.may_correct(id, set, clock::now())
            }
            Standing::Terminating => {
                *is_done = false;
                false
            }
            Standing::Missing | Standing::Changed | Standing::Unowned | Standing::Shared => {
                let begins = stance == Stance::Go;
                *is_done &= begins;
                begins
            }
        }
    }

    /// Looks at one workload.
    pub(super) fn seen(&self, id: &ObjectId, set: &Set) -> Seen {
        let ease = (Some(&set[id]), &self.sync.take_from[..]);
        observe(&self.shared.live, id, ease, clock::now())
    }

    /// Moves one workload until it has to wait.
    async fn drive(
        &mut self,
        id: &ObjectId,
        set: &Arc<Set>,
        stance: Stance,
    ) -> Result<Driven, BookFault> {
        let is_repair = self.is_repair(id, set);
        self.forget_probe(id, set);
        for _ in 0..MOVES {
            let Some(goal) = self.goal(id, set).await? else {
                return Ok(Driven::Waiting(Some(later(clock::now(), REFUSED))));
            };
            let seen = self.seen(id, set);
            let kept = self.book.ledger.rollouts.get(id);
            let mut decision = step(&goal, stance, &seen, kept);
            self.note_wait(id, &goal, &decision);
            debug!(workload = %id, reason = %decision.reason, action = ?decision.action, "decided");
            if takes_back(&decision)
                && let Some(due) = self.retake_at(id, set)
            {
                return Ok(Driven::Waiting(Some(due)));
            }
            let acts = decision.action != Action::Wait;
            if let Some(due) = self.due_again(id, &set[id]).filter(|_| acts) {
                return Ok(Driven::Waiting(Some(due)));
            }
            if let Some(kept) = decision.checkpoint.as_mut().filter(|kept| !kept.is_over()) {
                kept.is_repair |= is_repair;
            }
            let version = seen.live.as_ref().map_or(0, |live| live.generation);
            let mut news = decision.notes.clone();
            news.retain(|note| self.fights.is_news(id, note.reason, version));
            self.tell(id, &goal, &news);
            if let Some(note) = decision.notes.first().filter(|_| seen.live.is_none())
                && note.reason == Reason::DriftDetected
            {
                let drifted = &mut self.book.ledger.drifted;
                drifted.insert(id.clone(), note.text.clone());
            }
            if let Some(checkpoint) = &decision.checkpoint {
                self.book
                    .ledger
                    .rollouts
                    .insert(id.clone(), checkpoint.clone());
            }
            if let Some(driven) = self.perform(id, set, &decision).await? {
                return Ok(driven);
            }
        }
        Ok(Driven::Waiting(Some(clock::now())))
    }

    /// What another applier adds to a workload stays in it, whatever we apply: what the API server
    /// would make of our manifest has to be asked again after its change.
    fn forget_probe(&mut self, id: &ObjectId, set: &Set) {
        let Some(live) = self.shared.live.get(id) else {
            return;
        };
        let managers = Managers::of(&live);
        let taken = &self.sync.take_from;
        if let Some((applier, applied)) = managers.applier(taken).zip(managers.applied(taken))
            && self.fights.is_new_apply(id, applied)
        {
            self.probes.remove(&(id.clone(), set[id].hash.clone()));
            self.tell_applier(id, applier, set);
        }
    }

    /// When a change by hand in mid-rollout is taken back; `None`: now.
    fn retake_at(&mut self, id: &ObjectId, set: &Set) -> Option<Timestamp> {
        let text = format!("{id} was changed in the middle of its rollout");
        let now = clock::now();
        if self.allow_correction(id, set, &text, now) {
            return None;
        }
        self.put_back_at(id, now)
    }

    /// Does what was decided; `None`: look again at once.
    async fn perform(
        &mut self,
        id: &ObjectId,
        set: &Arc<Set>,
        decision: &Decision,
    ) -> Result<Option<Driven>, BookFault> {
        match &decision.action {
            // Nothing depends on it before the next write, which stores all that is recorded, or
            // the end of the pass.
            Action::Wait => self.settle_down(id, set, decision).await,
            Action::Write => {
                let overlay = decision.checkpoint.as_ref().map(|kept| kept.write.overlay);
                let written = self.write(id, set, overlay.unwrap_or(Overlay::Plain)).await;
                self.answered(id, set, written).await
            }
            Action::Absorb => {
                if decision.must_store {
                    self.book.save().await?;
                }
                let absorbed = self.absorb(id, set).await;
                self.answered(id, set, absorbed).await
            }
            Action::Delete(pods) => {
                self.book.save().await?;
                for (name, uid) in pods {
                    let deleted = self.delete_pod(id, name, uid).await;
                    if let Some(refused) = self.answered(id, set, deleted).await? {
                        return Ok(Some(refused));
                    }
                }
                Ok(Some(Driven::Waiting(decision.wake)))
            }
        }
    }

    /// There is nothing to write for the rollout; the manifest around the template may differ.
    async fn settle_down(
        &mut self,
        id: &ObjectId,
        set: &Arc<Set>,
        decision: &Decision,
    ) -> Result<Option<Driven>, BookFault> {
        if decision
            .checkpoint
            .as_ref()
            .is_some_and(|kept| !kept.is_over())
        {
            return Ok(Some(Driven::Waiting(decision.wake)));
        }
        if decision.checkpoint.is_none() && decision.reason != Reason::InSync {
            return Ok(Some(Driven::Waiting(decision.wake)));
        }
        if self.standing(id, set) == Standing::InSync {
            return Ok(Some(Driven::Finished));
        }
        let live = self.shared.live.get(id);
        let is_edited = live.is_some_and(|live| {
            let fields = Managers::of(&live);
            let (left, taken) = (&set[id].withdrawn, &self.sync.take_from);
            fields.spec_editor(left, taken).is_some()
        });
        let written = if is_edited {
            self.absorb(id, set).await
        } else {
            self.write(id, set, Overlay::Plain).await
        };
        self.answered(id, set, written).await
    }

    /// Sorts the answer to a write: look again, wait, or give the refusal to the loop.
    async fn answered(
        &mut self,
        id: &ObjectId,
        set: &Set,
        answer: Result<(), BookFault>,
    ) -> Result<Option<Driven>, BookFault> {
        let refusal = match answer {
            Ok(()) => return Ok(None),
            Err(BookFault::Refused(refusal)) => refusal,
            Err(fault) => return Err(fault),
        };
        if matches!(
            refusal.cause,
            Cause::Conflict | Cause::OutcomeUnknown { .. } | Cause::NotFound
        ) {
            self.look_again(id).await?;
            return Ok(None);
        }
        if !refusal.is_for_good() {
            return Err(refusal.into());
        }
        self.deny(id, &set[id], &refusal.to_string());
        Ok(Some(Driven::Waiting(self.due_again(id, &set[id]))))
    }

    /// Reads a workload from the API server itself, past the cache.
    async fn look_again(&mut self, id: &ObjectId) -> Result<(), BookFault> {
        if let Some(object) = self.shared.cluster.get("apps/v1", id).await? {
            self.shared.live.saw(object);
        }
        Ok(())
    }

    /// Tells what happened, under the commit: what the next one does in the same words is news.
    pub(super) fn tell(&self, id: &ObjectId, goal: &Goal, notes: &[Note]) {
        for note in notes {
            let text = format!("{}: {}", goal.commit.short(), note.text);
            let bad = note.reason.is_warning();
            self.announce(Some(id), &note.reason.to_string(), text, bad);
        }
    }
}
