//! What must always hold, as `design` says of the engine; checked after every event.

use std::time::Duration;

use tidegate::object::Strategy;
use tidegate::policy::Order;
use tidegate::rollout::{
    Action, Checkpoint, Decision, Evidence, Live, Overlay, Phase, Reason, Schedule, Seen, step,
};

use super::{DAWN, World, resolve};

impl World {
    /// Notes the first law that does not hold.
    pub(super) fn law(&mut self, holds: bool, words: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            let words = words();
            self.tell(|_| format!("BROKEN {words}"));
            self.broken = Some(words);
        }
    }

    /// The laws on the state of the cluster.
    pub(crate) fn check(&mut self) {
        self.check_way();
        let Some(live) = &self.live else {
            return;
        };
        let (new, old) = self.new_old();
        let (surge, unavailable) = resolve(live.strategy, live.replicas);
        // Between a write and the first look of the controller nothing has come of it yet.
        let frozen = self.is_frozen() && live.observed == live.generation;
        let mark = &self.mark;
        let allowed = (surge + unavailable).min(live.replicas);
        let most = mark.new.max(allowed).saturating_add(mark.scaled);
        let tops = mark.tops.iter().map(|(_, top)| *top).max();
        let top = tops.unwrap_or(u32::MAX).max(mark.total);
        let top = top.saturating_add(mark.scaled);
        let engaged = self
            .agent
            .stored
            .as_ref()
            .is_some_and(Checkpoint::is_engaged);
        let known = engaged || mark.is_forgotten || mark.is_foreign;
        let ready = self.ready();
        let lost = self.lost - mark.lost;
        let floor = mark.floor.unwrap_or_default().saturating_sub(lost);
        let racing = mark.is_racing || mark.is_foreign;
        self.law(!frozen || new.min(live.replicas) <= most || racing, || {
            format!("I1: {new} new pods where {most} may be")
        });
        self.law(!frozen || new + old <= top || racing, || {
            format!("I3: {new} new and {old} old pods where {top} may be")
        });
        self.law(!frozen || known, || {
            "I4: frozen, and the ledger does not know".to_owned()
        });
        self.law(ready >= floor, || {
            format!("floor: {ready} pods are Ready where {floor} must be")
        });
    }

    /// I2, after a sync of the Deployment.
    pub(super) fn note_sync(&mut self, before: &[u32]) {
        let Some(live) = self.live.clone() else {
            return;
        };
        // Writes that the controller has seen in full count no more, but for the last.
        let seen = self
            .mark
            .tops
            .iter()
            .rposition(|(g, _)| *g <= live.observed);
        let passed = seen.unwrap_or_default().saturating_sub(1);
        self.mark.tops.drain(..passed);
        let (_, unavailable) = resolve(live.strategy, live.replicas);
        let old = |sizes: &[u32]| -> u32 {
            let pairs = self.sets.iter().zip(sizes);
            pairs
                .filter(|(set, _)| set.mould != live.mould)
                .map(|(_, size)| size)
                .sum()
        };
        let after: Vec<u32> = self.sets.iter().map(|set| set.size.replicas).collect();
        let (was, is) = (old(before), old(&after));
        let least = live.replicas - unavailable;
        let holds = is >= was || is >= least || self.mark.floor.is_none() || self.mark.is_racing;
        // While it is paused all sets are scaled in proportion.
        let frozen = self.is_frozen() && !live.paused;
        self.law(!frozen || holds, || {
            format!("I2: old pods went from {was} to {is} where {least} must stay")
        });
        if before != after {
            self.tell(|world| {
                let sizes = world
                    .sets
                    .iter()
                    .map(|set| (set.mould.image, set.size.replicas));
                format!("   sets {:?}", sizes.collect::<Vec<_>>())
            });
        }
    }

    /// The laws on one decision.
    pub(super) fn judge(&mut self, seen: &Seen, before: Option<&Checkpoint>, made: &Decision) {
        if self.dice.chance(10) {
            let again = step(&self.git.goal, self.git.stance, seen, before);
            self.law(again == *made, || {
                "I8: the same observation, another decision".to_owned()
            });
        }
        let (Some(live), Some(kept)) = (&seen.live, &made.checkpoint) else {
            return;
        };
        if let Some(proof) = new_evidence(before, kept) {
            self.judge_evidence(live, proof, seen, self.watch(before, kept));
        }
        self.judge_leave(live, before, kept, made.reason);
        let failed = |phase| matches!(phase, Phase::Failed | Phase::RollbackFailed);
        let fails = failed(kept.phase) && !before.is_some_and(|before| failed(before.phase));
        let is_paused = self.git.goal.is_paused && live.is_paused;
        let is_adopted = made.reason == Reason::Adopted;
        self.law(!fails || !is_paused || is_adopted, || {
            "clocks: it fails while Git says paused".to_owned()
        });
        if made.action != Action::Write {
            return;
        }
        self.law(made.must_store, || {
            "I6: a write that is not in the ledger".to_owned()
        });
        self.law(kept.write.template == self.git.goal.template, || {
            "I5: a write of another template than Git's".to_owned()
        });
        if let Overlay::Frozen { surge, unavailable } = kept.write.overlay {
            let replicas = self.git.goal.replicas.unwrap_or(live.replicas);
            let strategy = Strategy::RollingUpdate {
                max_surge: surge,
                max_unavailable: unavailable,
            };
            let levers = resolve(strategy, replicas);
            // What is decided on an old observation is refused.
            let now = self.live.as_ref().map(|live| live.generation);
            if now != Some(live.generation) {
                return;
            }
            let same = live.template == self.git.goal.template;
            if same && live.is_frozen() && replicas == live.replicas && !self.mark.is_foreign {
                self.judge_opening(seen, live, kept, levers);
            } else if !same {
                self.judge_start(live, replicas, levers);
            }
            self.law(!same || live.is_frozen() || self.mark.is_foreign, || {
                "rule 3: the freeze comes without another template".to_owned()
            });
            self.law(kept.phase != Phase::RollingBack, || {
                "I9: a way back is frozen".to_owned()
            });
        }
    }

    /// Seconds that the open batch, or the last watch, has to last.
    fn watch(&self, before: Option<&Checkpoint>, kept: &Checkpoint) -> i64 {
        let goal = &self.git.goal;
        let monitored = before.is_some_and(|before| before.phase == Phase::Monitoring);
        // Replicas that change may leave the number of the batch that opens as it was.
        let coming = if kept.phase == Phase::Progressing {
            kept.batch
        } else {
            kept.batch + 1
        };
        let is_promoted = coming <= goal.leave.promoted;
        let watch = match (monitored, is_promoted) {
            (true, _) => goal.policy.monitor,
            (false, true) => Duration::ZERO,
            (false, false) => goal.policy.soak,
        };
        i64::try_from(watch.as_secs()).unwrap_or(i64::MAX)
    }

    /// No batch opens that a person has not let open, nor outside of a window.
    fn judge_leave(
        &mut self,
        live: &Live,
        before: Option<&Checkpoint>,
        kept: &Checkpoint,
        reason: Reason,
    ) {
        let goal = &self.git.goal;
        let begins = before
            .is_none_or(|before| before.is_over() || before.write.template != kept.write.template);
        let opens = reason == Reason::BatchStarted || reason == Reason::RolloutStarted && begins;
        let leave = &goal.leave;
        let schedule = Schedule::of(&goal.policy, goal.strategy, live.replicas);
        let is_asked = schedule.needs_approval(kept.batch) && kept.batch > leave.approved;
        let is_let = !is_asked && leave.closed_until.is_none() || kept.batch <= leave.promoted;
        self.law(!opens || is_let, || {
            format!("leave: batch {} opens without one", kept.batch)
        });
    }

    /// Batch 1 on the pods as they are.
    fn judge_start(&mut self, live: &Live, replicas: u32, (surge, unavailable): (u32, u32)) {
        let goal = &self.git.goal;
        let schedule = Schedule::of(&goal.policy, goal.strategy, replicas);
        let new = live.pods_with(&goal.template);
        let old = live.pods_without(&goal.template);
        let short_of = |others: u32| {
            let scaled = others * replicas / live.replicas.max(1);
            replicas.saturating_sub(scaled)
        };
        let missing = short_of(old);
        // Over a gap the controller takes away others that are not Ready, and fills up with new ones.
        let gap = if missing > 0 {
            short_of(live.ready_without(&goal.template).min(old))
        } else {
            0
        };
        let first = match schedule.order {
            Order::SurgeFirst => schedule.target(1).min(schedule.surge(1)),
            Order::StopFirst => schedule.target(1),
        };
        let most = new.max(first).max(gap);
        let target = surge + unavailable;
        self.law(target <= most, || {
            format!("rule 14: starts with {target} new pods where {most} may be")
        });
        let fits = schedule.order == Order::StopFirst || unavailable <= missing;
        self.law(fits, || {
            format!("rule 14: {unavailable} may be unavailable where {missing} are missing")
        });
    }

    /// Levers over the same template.
    fn judge_opening(&mut self, seen: &Seen, live: &Live, kept: &Checkpoint, after: (u32, u32)) {
        let before = resolve(live.strategy, live.replicas);
        // More pods than there are replicas are never new.
        let most = |(surge, unavailable): (u32, u32)| (surge + unavailable).min(live.replicas);
        let (target, was) = (most(after), most(before));
        self.law(after.1 >= before.1 && target >= was, || {
            format!("rule 1: levers fell from {before:?} to {after:?}")
        });
        let (healthy, present, wanted) = self.health(seen, live);
        // Pods that are there, or come in any case in place of old ones that are missing.
        let there = live.pods_with(&live.template);
        let gaps = live
            .replicas
            .saturating_sub(live.pods_without(&live.template));
        if target <= was.max(there).max(gaps) {
            return;
        }
        let is_whole = healthy == present && present == wanted;
        self.law(is_whole && healthy >= was.min(live.replicas), || {
            format!("I6: opens on {healthy} healthy of {present} pods, {wanted} wanted, {was} open")
        });
        self.law(target <= kept.target.max(healthy), || {
            format!("I6: opens {target} pods where {} is the batch", kept.target)
        });
        let goal = &self.git.goal;
        let schedule = Schedule::of(&goal.policy, goal.strategy, live.replicas);
        if schedule.order == Order::SurgeFirst {
            let most = was.max(healthy + schedule.surge(kept.batch));
            self.law(
                after.1 <= healthy.max(before.1).max(gaps) && target <= most,
                || format!("rule 1: {after:?} on {healthy} healthy pods, {most} may be new"),
            );
        }
    }

    /// Healthy, present and wanted pods of the current set.
    fn health(&self, seen: &Seen, live: &Live) -> (u32, u32, u32) {
        let min_ready = self.git.goal.min_ready_seconds;
        let Some(set) = live.sets.iter().find(|set| set.is_current) else {
            return (0, 0, 0);
        };
        let ready = set.present().filter_map(|pod| pod.ready_since);
        let healthy = ready.filter(|ready| seen.now.as_second() - ready.as_second() >= min_ready);
        let count = |number: usize| u32::try_from(number).expect("few pods");
        (
            count(healthy.count()),
            count(set.present().count()),
            set.replicas,
        )
    }

    /// I6: proof names pods that were healthy all the time.
    fn judge_evidence(&mut self, live: &Live, proof: &Evidence, seen: &Seen, soak: i64) {
        let goal = &self.git.goal;
        let watched = proof.to.as_second() - proof.from.as_second();
        let long = watched >= soak;
        let start = proof.from.as_second() - goal.min_ready_seconds;
        let pods = live.sets.iter().find(|set| set.is_current);
        let proven = pods
            .into_iter()
            .flat_map(|set| set.present())
            .filter(|pod| {
                let ready = pod.ready_since.map(|ready| ready.as_second());
                proof.pods.contains(&pod.uid) && ready.is_some_and(|ready| ready <= start)
            });
        let proven = proven.count();
        let enough = proven == proof.pods.len() && proven >= proof.target as usize;
        let current = proof.to == seen.now && proof.template == goal.template;
        self.law(long && enough && current, || {
            let from = proof.from.as_second() - DAWN;
            format!(
                "I6: evidence from {from} s: {proven} of {} pods for {watched} s, target {}",
                proof.pods.len(),
                proof.target
            )
        });
    }
}

fn new_evidence<'a>(before: Option<&Checkpoint>, kept: &'a Checkpoint) -> Option<&'a Evidence> {
    let before = before.filter(|before| before.started == kept.started);
    let known = before.map_or(0, |before| before.evidence.len());
    kept.evidence.get(known..)?.last()
}
