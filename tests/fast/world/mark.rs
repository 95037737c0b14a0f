//! What the laws know of the last write to the spec.

use tidegate::object::{FREEZE_MIN_READY, Strategy};
use tidegate::rollout::Seen;
use tidegate::sim::arithmetic::deployment::Set;

use super::{Deployment, ReplicaSet, World, resolve};

/// What is known of the last write to the spec, by whomever.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    /// New pods at the write, and what the controller fills up where that was not foreseen.
    pub(super) new: u32,
    /// How often someone scaled since: each time proportions are rounded.
    pub(super) scaled: u32,
    /// All pods at the write.
    pub(super) total: u32,
    /// R + s of the writes since the one before the last observed, with their generations.
    pub(super) tops: Vec<(i64, u32)>,
    /// Ready pods below which nothing of ours may go.
    pub(crate) floor: Option<u32>,
    /// [`World::lost`] at the write.
    pub(super) lost: u32,
    /// The ledger was lost and nobody has looked since.
    pub(crate) is_forgotten: bool,
    /// The status of a set is older than its spec: the controller takes old pods by it.
    pub(super) is_racing: bool,
    /// A hand has changed levers or template, and our answer has not come.
    pub(super) is_foreign: bool,
}

impl Mark {
    /// Says whether the controller may take old pods by a status older than the spec.
    pub(super) fn is_racing(&self) -> bool {
        self.is_racing
    }
}

/// One write to the spec.
#[derive(Clone, Copy)]
struct Write<'a> {
    before: &'a Deployment,
    live: &'a Deployment,
    /// What the agent saw; `None` for everyone else.
    seen: Option<&'a Seen>,
    /// Extra pods that it allows.
    surge: u32,
}

impl Write<'_> {
    /// Pods that there may be in all.
    fn top(self) -> u32 {
        self.live.replicas + self.surge
    }
}

impl World {
    /// The spec was written: by the agent on what it saw, or by someone else.
    pub(super) fn note_write(&mut self, before: &Deployment, seen: Option<&Seen>) {
        let Some(live) = self.live.clone() else {
            return;
        };
        let (surge, _) = resolve(live.strategy, live.replicas);
        let write = Write {
            before,
            live: &live,
            seen,
            surge,
        };
        self.mark.tops.push((live.generation, write.top()));
        self.mark.floor = None;
        if live.replicas != before.replicas && live.mould == before.mould {
            self.note_scale(write);
        } else {
            self.note_levers(write);
        }
    }

    /// Only the replicas, and levers with them.
    fn note_scale(&mut self, write: Write<'_>) {
        let (new, old) = self.new_old();
        let share = self.share(write.before, new, write.top());
        let is_foreseen = write.seen.is_some_and(|seen| !self.has_moved_since(seen))
            && write.before.observed == write.before.generation
            && self.active().count() > 1
            && self.is_in_proportion(write.before);
        let refill = is_foreseen.then(|| self.refill(write.before, write.live.replicas));
        let mark = &mut self.mark;
        mark.is_foreign &= write.seen.is_none();
        mark.scaled += 1;
        mark.new = refill.unwrap_or(mark.new.max(share));
        if write.seen.is_some() {
            // What a hand let grow stays until all old pods that must serve do.
            mark.total = new + old;
        }
    }

    /// Template or levers.
    fn note_levers(&mut self, write: Write<'_>) {
        let live = write.live;
        let (new, old) = self.new_old();
        let at_scale = self.active().all(|set| set.desired == Some(live.replicas));
        let scaled = live.replicas != write.before.replicas;
        let known = self.mark.new;
        self.mark.new = self.filled(write);
        if at_scale {
            self.mark.scaled = u32::from(scaled);
        } else {
            // Proportions are still to be rounded.
            self.mark.scaled = self.mark.scaled.max(1);
            self.mark.new = self.mark.new.max(known);
        }
        self.mark.is_racing = self.is_racing();
        self.mark.total = new + old;
        self.mark.lost = self.lost;
        self.mark.is_foreign = write.seen.is_none();
        let is_calm = at_scale && self.are_losses_told() && !self.mark.is_racing;
        if write.seen.is_some() && is_calm && !live.paused && live.strategy != Strategy::Recreate {
            let (_, unavailable) = resolve(live.strategy, live.replicas);
            self.mark.floor = Some(self.floor(live, unavailable));
        }
    }

    /// New pods that come whatever the levers mean.
    fn filled(&self, write: Write<'_>) -> u32 {
        let (live, before) = (write.live, write.before);
        let (new, old) = self.new_old();
        let moved = write.seen.is_none_or(|seen| self.has_moved_since(seen));
        // What a hand wrote last has not come out yet where the controller has not seen it.
        let is_clear = !self.mark.is_foreign || before.observed == before.generation;
        // Above 100 replicas the gap is filled by the surge alone.
        let is_foreseen = !moved && is_clear && self.mark.new != u32::MAX && live.replicas <= 100;
        let room = if is_foreseen {
            live.replicas
        } else {
            write.top()
        };
        let mut filled = room.saturating_sub(old).min(live.replicas).max(new);
        if live.mould.template() == before.mould.template() {
            // What was let in before comes as well.
            let (surge, _) = resolve(before.strategy, before.replicas);
            let room = (before.replicas + surge).saturating_sub(old);
            filled = filled.max(room.min(live.replicas));
        }
        if live.replicas != before.replicas {
            filled = filled.max(self.share(before, new, write.top()));
        }
        if live.paused && new + old != write.top() {
            // While it is paused all sets are scaled in proportion to what there may be.
            filled = filled.max(write.top());
        }
        filled
    }

    /// Says whether the controllers know of every pod that serves no more: a loss that no status
    /// tells yet is taken for a pod that serves.
    pub(super) fn are_losses_told(&self) -> bool {
        let mut sets = self.sets.iter();
        sets.all(|set| set.size.available <= set.ready())
    }

    /// Says whether the status of a set is older than its spec.
    fn is_racing(&self) -> bool {
        let Some(live) = &self.live else {
            return false;
        };
        let frozen = live.min_ready == FREEZE_MIN_READY;
        let is_early =
            |set: &ReplicaSet| set.min_ready != live.min_ready || frozen && set.size.available > 0;
        let is_late = |set: &ReplicaSet| set.size.available > set.size.replicas;
        let mut sets = self.sets.iter();
        let current = sets.find(|set| set.mould == live.mould);
        current.is_some_and(is_early) || self.sets.iter().any(is_late)
    }

    /// How many new pods a scaling leaves at most: their share of all, also of those that were yet
    /// to come, or any number where a set grows by the levers and replicas of its own last resize.
    fn share(&self, before: &Deployment, new: u32, top: u32) -> u32 {
        let (then, unavailable) = resolve(before.strategy, before.replicas);
        let new = new.max((then + unavailable).min(before.replicas));
        let then = before.replicas + then;
        if self.active().count() < 2 {
            // A set that is alone becomes all there is.
            return top;
        }
        if !self.is_in_proportion(before) {
            return u32::MAX;
        }
        // What was yet to come is left over, and goes to the largest.
        let (_, old) = self.new_old();
        let rest = top.saturating_sub(old * top / then.max(1));
        (new * top).div_ceil(then.max(1)).max(rest)
    }

    /// Sets that ask for pods.
    fn active(&self) -> impl Iterator<Item = &Set> {
        let sizes = self.sets.iter().map(|set| &set.size);
        sizes.filter(|size| size.replicas > 0)
    }

    /// Says whether the controller has sized every set by these replicas and surge.
    fn is_in_proportion(&self, live: &Deployment) -> bool {
        let (surge, _) = resolve(live.strategy, live.replicas);
        let sized = (Some(live.replicas), Some(live.replicas + surge));
        live.replicas > 0 && self.active().all(|set| (set.desired, set.max) == sized)
    }

    /// How many new pods a scaling of ours leaves at most beside those that its levers mean: what
    /// the others leave of all replicas when nothing is extra.
    fn refill(&self, before: &Deployment, replicas: u32) -> u32 {
        let (surge, _) = resolve(before.strategy, before.replicas);
        let then = before.replicas + surge;
        let (new, old) = self.new_old();
        let others = (2 * old * replicas + then) / (2 * then);
        new.min(replicas).max(replicas.saturating_sub(others))
    }

    /// Whether the sets are not any more as they were seen.
    fn has_moved_since(&self, seen: &Seen) -> bool {
        let live = seen.live.as_ref();
        let sizes = live.map(|live| live.sets.iter().map(|set| set.replicas).collect::<Vec<_>>());
        sizes != Some(self.sets.iter().map(|set| set.size.replicas).collect())
    }

    /// Ready pods that the arithmetic of the controller leaves at least: old pods that are not
    /// Ready may be the ones that stay.
    fn floor(&self, live: &Deployment, unavailable: u32) -> u32 {
        let (_, old) = self.new_old();
        let (new, others): (Vec<_>, Vec<_>) =
            self.sets.iter().partition(|set| set.mould == live.mould);
        let new_ready: u32 = new.iter().map(|set| set.lasting()).sum();
        let new_ready = new_ready.min(live.replicas);
        let unready: u32 = others
            .iter()
            .map(|set| set.size.replicas.saturating_sub(set.ready()))
            .sum();
        let kept = old.min(live.replicas - unavailable);
        let kept = kept.saturating_sub(unready);
        let floor = if live.min_ready == FREEZE_MIN_READY {
            kept + new_ready
        } else {
            (live.replicas - unavailable).saturating_sub(unready)
        };
        floor.min(self.sets.iter().map(ReplicaSet::lasting).sum())
    }
}
