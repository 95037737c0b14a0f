//! How a rollout begins, on pods at rest or in the middle of another one.

use crate::health::{Cause, Class};
use crate::object::{Digest, Strategy};
use crate::policy::{Batches, Mode};

use super::foreign::is_outdated;
use super::lever::deployment::{Census, engage};
use super::seen::{Kind, restarts};
use super::step::Tick;
use super::{Checkpoint, Decision, Engagement, Failure, Overlay, Phase, Reason, Schedule, Stance};

/// Reason of the failure that stands for levers without a record.
const UNKNOWN: &str = "LeversWithoutRecord";

impl Checkpoint {
    /// Says whether it stands for levers that were found without a record.
    pub(super) fn is_unknown(&self) -> bool {
        self.failure
            .as_ref()
            .is_some_and(|failure| failure.cause.reason == UNKNOWN)
    }
}

impl Tick<'_> {
    /// Nothing is under way.
    pub(super) fn begin(&self, over: Option<Checkpoint>) -> Decision {
        if over.as_ref().is_some_and(|over| is_outdated(self, over)) {
            return Decision::idle(Reason::Applied);
        }
        if self.has_levers() {
            return self.adopt(None);
        }
        if self.live.template == self.goal.template {
            return Decision::idle(Reason::InSync);
        }
        if self.goal.is_return {
            return self.go_back(over);
        }
        if self.goal.is_paused {
            return Decision::idle(Reason::PausedInGit);
        }
        if self.stance == Stance::Hold {
            return Decision::idle(Reason::Held);
        }
        if let Some(wait) = self.no_beginning() {
            return wait;
        }
        self.engage(over)
    }

    /// Opens batch 1 on the pods as they are.
    pub(super) fn engage(&self, before: Option<Checkpoint>) -> Decision {
        if self.live.template == self.goal.template {
            return self.stay(before.as_ref());
        }
        if self.live.spec_editor.is_some() {
            return self.absorb(before);
        }
        let replicas = self.replicas();
        if self.goes_natively() {
            return self.apply_natively(before.as_ref());
        }
        if !self.live.is_observed() {
            // How many pods are missing shows only after the controller has seen the replicas.
            return Decision {
                checkpoint: before.filter(|before| !before.is_over()),
                ..Decision::idle(Reason::Applied)
            };
        }
        let schedule = Schedule::of(&self.goal.policy, self.goal.strategy, replicas);
        let (overlay, allowed) = self.first(&schedule);
        let mut kept = self.checkpoint(before.as_ref(), overlay);
        kept.batch = 1;
        kept.batches = schedule.batches();
        kept.target = schedule.target(1).max(allowed);
        kept.largest = kept.largest.max(schedule.size(1));
        let text = format!(
            "batch 1 of {}: {allowed} of {replicas} pods may be new ({overlay}), revision {}",
            kept.batches,
            self.goal.commit.short()
        );
        Decision::write(kept, Reason::RolloutStarted).told(Reason::RolloutStarted, text)
    }

    /// Says whether Kubernetes goes by itself: there is nothing to cut into batches, or people want
    /// none.
    pub(super) fn goes_natively(&self) -> bool {
        self.goal.policy.strategy == Mode::Native
            || self.goal.strategy == Strategy::Recreate
            || self.goal.strategy.reach(self.replicas()) == 0
            || self.is_surging_by_itself()
    }

    /// The levers of batch 1 on the pods as they are, and how many pods they let be new.
    fn first(&self, schedule: &Schedule) -> (Overlay, u32) {
        let (replicas, first) = (self.replicas(), schedule.target(1));
        if let Some(overlay) = Overlay::in_place(self.goal.strategy, first, replicas) {
            return (overlay, first);
        }
        let census = Census {
            replicas,
            same: self.live.pods_with(&self.goal.template),
            others: self.live.pods_without(&self.goal.template),
            others_ready: self.live.ready_without(&self.goal.template),
            replicas_before: self.live.replicas,
        };
        let levers = engage(schedule.order, first, schedule.surge(1), census);
        let (surge, unavailable) = levers.encode_start(replicas);
        (Overlay::Frozen { surge, unavailable }, levers.target())
    }

    /// Says whether a DaemonSet brings the new pod of a node before the old one goes: deletes would
    /// take that away. Where people want other batches than its own they give that up, unless no
    /// node may be without a pod.
    fn is_surging_by_itself(&self) -> bool {
        let strategy = self.goal.strategy;
        let is_own = self.goal.policy.batches == Batches::Own;
        strategy.surges_nodes() && is_own || strategy.keeps_all_nodes()
    }

    /// Says whether levers stand on the workload that are not Git's: the freeze of a Deployment, a
    /// partition or `OnDelete` that keeps pods from Git's own template.
    fn has_levers(&self) -> bool {
        let (live, goal) = (self.live, self.goal);
        let keeps_back = || live.template == goal.template && live.pods_without(&goal.template) > 0;
        match (live.strategy, goal.strategy) {
            (Strategy::Partition(there), Strategy::Partition(wanted)) => {
                there > wanted && keeps_back()
            }
            (Strategy::OnDelete, Strategy::Nodes { .. }) => keeps_back(),
            _ => live.is_frozen(),
        }
    }

    /// The template is in place already, and the freeze comes only with another one: levers that
    /// are there are taken over, else Kubernetes goes on by itself.
    fn stay(&self, before: Option<&Checkpoint>) -> Decision {
        let rolls = self.live.strategy != Strategy::Recreate;
        if rolls && self.has_levers() {
            return self.adopt(before);
        }
        self.apply_natively(before)
    }

    /// A fresh checkpoint for the goal, with what must live on from the one before.
    pub(super) fn checkpoint(&self, before: Option<&Checkpoint>, overlay: Overlay) -> Checkpoint {
        let active = before.filter(|before| !before.is_over());
        let engagement = active.and_then(|c| c.engagement.clone());
        let engagement = engagement.or_else(|| Some(self.engagement(before)));
        let mut kept = Checkpoint::new(self.goal, self.replicas(), self.now);
        kept.uid.clone_from(&self.live.uid);
        kept.phase = Phase::Progressing;
        kept.write.overlay = overlay;
        kept.write.base = self.live.generation;
        kept.engagement = engagement;
        kept.judge.forgiven = self.restarts_of_goal();
        kept.largest = active.map_or(0, |c| c.largest);
        kept.is_repair =
            active.is_some_and(|c| c.is_repair && c.write.template == self.goal.template);
        kept
    }

    /// Restarts that pods of the goal's template have before the write: no evidence against it.
    fn restarts_of_goal(&self) -> std::collections::BTreeMap<String, u32> {
        let sets = self.live.sets.iter();
        restarts(sets.filter(|set| set.template == self.goal.template))
    }

    /// What a release needs: the live state, or Git's where the live one is someone's change.
    fn engagement(&self, before: Option<&Checkpoint>) -> Engagement {
        let (live, goal) = (self.live, self.goal);
        let ended = |template: &Digest| {
            before.is_some_and(|it| it.is_over() && it.write.template == *template)
        };
        let edited = live.spec_editor.is_some() && !ended(&live.template);
        let foreign = live.is_frozen() || edited || ended(&goal.template);
        let (min_ready, deadline, strategy) = if foreign {
            (
                goal.min_ready_seconds,
                goal.progress_deadline_seconds,
                goal.strategy,
            )
        } else {
            // Without a record a partition or `OnDelete` may be a lever that was left.
            let is_known = before.is_some() || live.kind == Kind::Deployment;
            (
                live.min_ready_seconds,
                live.progress_deadline_seconds,
                if is_known {
                    live.strategy
                } else {
                    goal.strategy
                },
            )
        };
        Engagement {
            since: self.now,
            min_ready_seconds: min_ready,
            progress_deadline_seconds: deadline,
            strategy: strategy.to_json(),
            template: if foreign {
                goal.content.clone()
            } else {
                live.content.clone()
            },
        }
    }

    /// Levers without a record (reinstalled, ledger lost): taken over where the template is Git's,
    /// else held.
    fn adopt(&self, before: Option<&Checkpoint>) -> Decision {
        let overlay = match self.live.strategy {
            Strategy::RollingUpdate {
                max_surge,
                max_unavailable,
            } => Overlay::Frozen {
                surge: max_surge,
                unavailable: max_unavailable,
            },
            Strategy::Partition(partition) => Overlay::Partition(partition),
            Strategy::OnDelete => Overlay::Deletes(self.live.pods_with(&self.live.template)),
            Strategy::Recreate | Strategy::Nodes { .. } => return self.engage(None),
        };
        let mut kept = self.checkpoint(before, overlay);
        let replicas = self.live.replicas;
        let schedule = Schedule::of(&self.goal.policy, self.goal.strategy, replicas);
        let new = self.live.pods_with(&self.live.template);
        kept.batches = schedule.batches();
        kept.replicas = replicas;
        kept.batch = schedule.reached(new).max(1);
        kept.target = schedule
            .target(kept.batch)
            .max(self.allowed(&kept))
            .min(replicas);
        let sizes = (1..=kept.batch).map(|batch| schedule.size(batch));
        kept.largest = sizes.max().unwrap_or_default();
        if self.live.template == self.goal.template {
            let text = format!(
                "levers without a record: taken over in batch {}",
                kept.batch
            );
            return Decision::wait(kept, Reason::Adopted, Some(self.now))
                .stored()
                .told(Reason::Adopted, text);
        }
        kept.write.template = self.live.template.clone();
        kept.phase = Phase::Failed;
        if let Some(engagement) = &mut kept.engagement
            && before.is_none()
        {
            // What was good before is not known: a release leaves the pods that there are, and
            // never brings those of a commit that nobody has rolled.
            engagement.template = self.live.content.clone();
        }
        let text = "levers without a record hold a template that Git does not have; push a commit, \
                    `tidegate retry` or `tidegate release`";
        let cause = Cause {
            class: Class::Capacity,
            pod: None,
            container: None,
            reason: UNKNOWN.to_owned(),
            message: text.to_owned(),
        };
        kept.failure = Some(Failure {
            cause,
            at: self.now,
            batch: 0,
        });
        Decision::wait(kept, Reason::Adopted, None)
            .stored()
            .told(Reason::Adopted, text)
    }
}
