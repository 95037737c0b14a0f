//! Pods that the agent itself deletes, so that the controller makes them anew from the template
//! that is wanted. Never one of that template.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::health::{Judgement, Pod, Verdict};
use crate::object::{Strategy, later};

use super::schedule::own;
use super::seen::{Kind, Spot, ordinal_of};
use super::step::Tick;
use super::{Checkpoint, Overlay, Set};

/// Patience with an old pod that is not Ready and that others wait for.
const PATIENCE: Duration = Duration::from_mins(1);

impl Tick<'_> {
    /// Pods that go now: name and UID. None before the controller has seen the template, or the
    /// pods would come back as they were.
    pub(super) fn replaced(&self, kept: &Checkpoint) -> Vec<(String, String)> {
        let is_seen = self.live.is_observed() && self.live.current().is_some();
        if !is_seen || self.live.template != kept.write.template {
            return Vec::new();
        }
        let pods = match (self.live.kind, kept.write.overlay) {
            (
                Kind::StatefulSet {
                    first, is_ordered, ..
                },
                overlay,
            ) => self.of_stateful(first, is_ordered, overlay),
            (Kind::DaemonSet, Overlay::Deletes(pods)) => self.on_nodes(pods, kept.failures),
            (Kind::Deployment | Kind::DaemonSet, _) => Vec::new(),
        };
        let named = |pod: &Pod| (pod.name.clone(), pod.uid.clone());
        pods.into_iter().map(named).collect()
    }

    /// Pods of a StatefulSet: one at a time, and none while another is on its way out.
    fn of_stateful(&self, first: u32, is_ordered: bool, overlay: Overlay) -> Vec<&Pod> {
        if !self.is_calm() {
            return Vec::new();
        }
        let pod = match (overlay, self.live.strategy) {
            (_, Strategy::Partition(partition)) => {
                let lowest = first.saturating_add(partition);
                let wedged = self.wedged(lowest).filter(|_| is_ordered);
                wedged.or_else(|| self.stale(lowest).filter(|_| overlay == Overlay::Plain))
            }
            (Overlay::Deletes(pods), Strategy::OnDelete) => self.next_in_turn(pods),
            (_, _) => None,
        };
        pod.into_iter().collect()
    }

    /// Pods of a DaemonSet, where so many may be new: those that do not serve first, then as many
    /// as the nodes without one allow, those with a failed pod that is put up with apart. Nodes that
    /// carry the canary label go first, then those of the zones that have the fewest new pods.
    fn on_nodes(&self, may_be_new: u32, put_up_with: u32) -> Vec<&Pod> {
        let (live, replicas) = (self.live, self.live.replicas);
        let may_be_away = own(self.goal.strategy, replicas).unavailable;
        let ready: u32 = live.sets.iter().map(Set::ready).sum();
        let mut away = replicas.saturating_sub(ready).saturating_sub(put_up_with);
        let old = live.sets.iter().filter(|set| !set.is_current);
        let mut old: Vec<&Pod> = old.flat_map(Set::present).collect();
        let there = u32::try_from(old.len()).unwrap_or(u32::MAX);
        let mut room = may_be_new.saturating_sub(replicas.saturating_sub(there));
        let mut zones: BTreeMap<&str, u32> = BTreeMap::new();
        for pod in live.current().into_iter().flat_map(Set::present) {
            *zones.entry(self.spot(pod).zone.as_str()).or_default() += 1;
        }
        let mut due = Vec::new();
        while room > 0 {
            let turn = |pod: &&&Pod| {
                let spot = self.spot(pod);
                let new = zones.get(spot.zone.as_str()).copied().unwrap_or_default();
                let serves = pod.ready_since.is_some();
                (serves, !spot.is_canary, new, &spot.zone, &spot.node)
            };
            let Some(next) = old.iter().min_by_key(turn).copied() else {
                break;
            };
            if next.ready_since.is_some() {
                if away >= may_be_away {
                    break;
                }
                away += 1;
            }
            room -= 1;
            old.retain(|pod| pod.uid != next.uid);
            *zones.entry(self.spot(next).zone.as_str()).or_default() += 1;
            due.push(next);
        }
        due
    }

    /// The lowest place below the partition of a StatefulSet, but within what Git lets be new, whose
    /// pod its controller would wait for without end, with the name of the pod.
    pub(super) fn blocked_from(&self) -> Option<(u32, &str)> {
        let Kind::StatefulSet {
            first,
            is_ordered: true,
            ..
        } = self.live.kind
        else {
            return None;
        };
        let (Strategy::Partition(there), Strategy::Partition(wanted)) =
            (self.live.strategy, self.goal.strategy)
        else {
            return None;
        };
        let places = first.saturating_add(wanted)..first.saturating_add(there);
        let pods = self.live.sets.iter().flat_map(Set::present);
        let blocking = pods.filter_map(|pod| {
            let ordinal = ordinal_of(&pod.name).filter(|ordinal| places.contains(ordinal))?;
            let is_stuck = self.live.is_observed() && self.is_stuck(pod);
            is_stuck.then_some((ordinal - first, pod.name.as_str()))
        });
        blocking.min()
    }

    /// Says whether a pod does not serve and will not by itself, as far as one can tell.
    fn is_stuck(&self, pod: &Pod) -> bool {
        let by = Judgement {
            now: self.now,
            since: pod.created,
            // A container that backs off counts, restarts of long ago do not.
            forgiven_restarts: pod.restarts.saturating_sub(1),
            min_ready: Duration::ZERO,
            deadline: None,
        };
        let is_failed = || matches!(pod.judge(&by), Verdict::Failed(_));
        let is_late = || {
            let since = pod.unready_since.unwrap_or(pod.created);
            self.now >= later(since, PATIENCE)
        };
        pod.ready_since.is_none() && (is_failed() || is_late())
    }

    /// Where a pod runs.
    fn spot(&self, pod: &Pod) -> &Spot {
        static NOWHERE: Spot = Spot {
            node: String::new(),
            zone: String::new(),
            is_canary: false,
        };
        self.live.spots.get(&pod.uid).unwrap_or(&NOWHERE)
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
