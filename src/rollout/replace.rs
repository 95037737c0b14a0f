//! Pods that the agent itself deletes, so that the controller makes them anew from the template
//! that is wanted. Never one of that template.

use crate::health::Pod;
use crate::object::Strategy;

use super::seen::{Kind, ordinal_of};
use super::step::Tick;
use super::{Checkpoint, Overlay, Set};

impl Tick<'_> {
    /// Pods that go now: name and UID. None before the controller has seen the template, or the
    /// pods would come back as they were.
    pub(super) fn replaced(&self, kept: &Checkpoint) -> Vec<(String, String)> {
        let Kind::StatefulSet {
            first, is_ordered, ..
        } = self.live.kind
        else {
            return Vec::new();
        };
        let is_seen = self.live.is_observed() && self.live.current().is_some();
        if !is_seen || self.live.template != kept.write.template || !self.is_calm() {
            return Vec::new();
        }
        let pod = match (kept.write.overlay, self.live.strategy) {
            (overlay, Strategy::Partition(partition)) => {
                let lowest = first.saturating_add(partition);
                let wedged = self.wedged(lowest).filter(|_| is_ordered);
                wedged.or_else(|| self.stale(lowest).filter(|_| overlay == Overlay::Plain))
            }
            (Overlay::Deletes(pods), Strategy::OnDelete) => self.next_in_turn(pods),
            (_, Strategy::OnDelete | Strategy::Recreate | Strategy::RollingUpdate { .. }) => None,
        };
        let named = |pod: &Pod| (pod.name.clone(), pod.uid.clone());
        pod.map(named).into_iter().collect()
    }

    /// Says whether no pod is on its way out: they go one at a time.
    fn is_calm(&self) -> bool {
        let mut pods = self.live.sets.iter().flat_map(|set| &set.pods);
        !pods.any(|pod| pod.is_terminating)
    }

    /// The highest pod that is not Ready and that a controller which keeps the order would wait for
    /// for ever (kubernetes#67250): one that is to be replaced, or of a revision that was left.
    fn wedged(&self, lowest: u32) -> Option<&Pod> {
        let pods = self.others(|set, ordinal| ordinal >= lowest || !set.is_base);
        pods.into_iter().find(|pod| pod.ready_since.is_none())
    }

    /// The highest pod below the partition of a revision that was left, once all serve.
    fn stale(&self, lowest: u32) -> Option<&Pod> {
        let pods = self.others(|set, ordinal| ordinal < lowest && !set.is_base);
        pods.into_iter().next().filter(|_| self.is_serving())
    }

    /// The pod that is next where so many may be new: one that does not serve, else the highest,
    /// once all serve.
    fn next_in_turn(&self, may_be_new: u32) -> Option<&Pod> {
        let pods = self.others(|_, _| true);
        let old = u32::try_from(pods.len()).unwrap_or(u32::MAX);
        if self.live.replicas.saturating_sub(old) >= may_be_new {
            return None;
        }
        let first = pods.first().filter(|_| self.is_serving());
        let mut unready = pods.iter().filter(|pod| pod.ready_since.is_none());
        unready.next().or(first).copied()
    }

    /// Says whether all pods are there and Ready.
    fn is_serving(&self) -> bool {
        let ready: u32 = self.live.sets.iter().map(Set::ready).sum();
        ready >= self.live.replicas
    }

    /// Pods of other templates that `holds` of, from the highest.
    fn others(&self, holds: impl Fn(&Set, u32) -> bool) -> Vec<&Pod> {
        let sets = self.live.sets.iter().filter(|set| !set.is_current);
        let pods = sets.flat_map(|set| set.present().map(move |pod| (set, pod)));
        let mut found: Vec<(u32, &Pod)> = pods
            .filter_map(|(set, pod)| {
                let ordinal = ordinal_of(&pod.name)?;
                holds(set, ordinal).then_some((ordinal, pod))
            })
            .collect();
        found.sort_by_key(|(ordinal, _)| std::cmp::Reverse(*ordinal));
        found.into_iter().map(|(_, pod)| pod).collect()
    }
}
