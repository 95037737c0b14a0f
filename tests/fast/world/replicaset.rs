//! The ReplicaSet controller.

use super::{Mould, Pod, World};

/// A ReplicaSet with its pods.
#[derive(Clone, Debug)]
pub(crate) struct ReplicaSet {
    pub(crate) mould: Mould,
    pub(crate) replicas: u32,
    pub(crate) min_ready: i64,
    /// `deployment.kubernetes.io/desired-replicas`.
    pub(crate) desired: u32,
    /// `deployment.kubernetes.io/max-replicas`.
    pub(crate) max: u32,
    pub(crate) pods: Vec<Pod>,
    /// `status.replicas` and `status.availableReplicas`.
    pub(crate) status: (u32, u32),
    /// Since when its pods are refused.
    pub(crate) refused: Option<i64>,
}

impl ReplicaSet {
    /// Pods that count: neither being deleted nor gone.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|pod| pod.is_active())
    }

    /// Returns how many pods are Ready.
    pub(crate) fn ready(&self) -> u32 {
        let ready = self.active().filter(|pod| pod.ready.is_some()).count();
        u32::try_from(ready).expect("few pods")
    }

    /// Returns how many Ready pods it is still asked for.
    pub(crate) fn lasting(&self) -> u32 {
        self.ready().min(self.replicas)
    }

    fn available(&self, now: i64) -> u32 {
        let pods = self.active().filter_map(|pod| pod.ready);
        let available = pods.filter(|ready| now - ready >= self.min_ready).count();
        u32::try_from(available).expect("few pods")
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
        let wanted = set.replicas as usize;
        let active = set.active().count();
        if active < wanted {
            let made = (wanted - active).min(room);
            set.pods
                .extend((1..=made).map(|n| Pod::new(pods + n as u32, set.mould, now)));
            self.pods += made as u32;
            set.refused = (made < wanted - active).then(|| set.refused.unwrap_or(now));
        } else {
            set.refused = None;
            let mut doomed: Vec<(bool, bool, i64, u32)> = set
                .active()
                .map(|pod| {
                    let ready = pod.ready;
                    let youth = -ready.unwrap_or(pod.created);
                    (pod.scheduled.is_some(), ready.is_some(), youth, pod.id)
                })
                .collect();
            doomed.sort_unstable();
            for (_, _, _, id) in &doomed[..active - wanted] {
                let pod = set.pods.iter_mut().find(|pod| pod.id == *id);
                pod.expect("it was just listed").end(now);
            }
        }
        let active = u32::try_from(set.active().count()).expect("few pods");
        set.status = (active, set.available(now));
    }

    fn room(&self) -> usize {
        let pods: usize = self.sets.iter().map(|set| set.pods.len()).sum();
        self.quota.map_or(1000, |quota| quota.saturating_sub(pods))
    }
}
