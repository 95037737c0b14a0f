//! The ReplicaSet controller: its arithmetic is the simulator's, the pods are this world's.

use tidegate::sim::arithmetic::deployment::Set;
use tidegate::sim::arithmetic::replicaset::{
    Adjustment, Candidate, Phase, adjustment, is_available, victims,
};

use super::{Mould, Pod, World};

/// A ReplicaSet with its pods.
#[derive(Clone, Debug)]
pub(crate) struct ReplicaSet {
    pub(crate) mould: Mould,
    pub(crate) min_ready: i64,
    /// Replicas, annotations and status.
    pub(crate) size: Set,
    pub(crate) pods: Vec<Pod>,
    /// Since when its pods are refused.
    pub(crate) refused: Option<i64>,
}

impl ReplicaSet {
    /// A set without pods.
    pub(crate) fn new(mould: Mould, min_ready: i64) -> Self {
        Self {
            mould,
            min_ready,
            size: Set::default(),
            pods: Vec::new(),
            refused: None,
        }
    }

    /// Pods that count: neither being deleted nor gone.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|pod| pod.is_active())
    }

    /// Returns how many pods are Ready.
    pub(crate) fn ready(&self) -> u32 {
        count(self.active().filter(|pod| pod.ready.is_some()))
    }

    /// Returns how many Ready pods it is still asked for.
    pub(crate) fn lasting(&self) -> u32 {
        self.ready().min(self.size.replicas)
    }

    fn available(&self, now: i64) -> u32 {
        let ready = self.active().filter_map(|pod| pod.ready);
        count(ready.filter(|ready| is_available(*ready, self.min_ready, now)))
    }
}

fn count(pods: impl Iterator) -> u32 {
    u32::try_from(pods.count()).expect("few pods")
}

impl Pod {
    fn candidate(&self) -> Candidate<u32> {
        let has_started = self.ready.is_some() || self.restarts > 0;
        Candidate {
            uid: self.id,
            is_assigned: self.scheduled.is_some(),
            phase: if has_started {
                Phase::Running
            } else {
                Phase::Pending
            },
            ready: self.ready,
            cost: 0,
            neighbours: 1,
            restarts: self.restarts,
            created: self.created,
        }
    }
}

impl World {
    /// One sync of one ReplicaSet: makes or deletes pods, then reports its status.
    pub(crate) fn sync_set(&mut self, index: usize) {
        let room = self.room();
        let (now, pods) = (self.now, self.pods);
        let Some(set) = self.sets.get_mut(index) else {
            return;
        };
        match adjustment(set.active().count(), set.size.replicas as usize) {
            Adjustment::Make(missing) => {
                let made = missing.min(room);
                set.pods
                    .extend((1..=made).map(|n| Pod::new(pods + n as u32, set.mould, now)));
                self.pods += made as u32;
                set.refused = (made < missing).then(|| set.refused.unwrap_or(now));
            }
            Adjustment::Delete(surplus) => {
                set.refused = None;
                let candidates = set.active().map(Pod::candidate).collect();
                for doomed in victims(candidates, surplus, now) {
                    let pod = set.pods.iter_mut().find(|pod| pod.id == doomed.uid);
                    pod.expect("it was just listed").end(now);
                }
            }
        }
        set.size.present = count(set.active());
        set.size.ready = set.ready();
        set.size.available = set.available(now);
    }

    fn room(&self) -> usize {
        let pods: usize = self.sets.iter().map(|set| set.pods.len()).sum();
        self.quota.map_or(1000, |quota| quota.saturating_sub(pods))
    }
}
