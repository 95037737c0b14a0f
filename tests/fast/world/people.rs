//! What others do: a scaler, people with kubectl, evictions.

use tidegate::object::{Amount, Strategy};

use super::{Deployment, Mould, World};

impl World {
    /// Someone changes the Deployment.
    pub(crate) fn edit(&mut self, who: &'static str, change: impl FnOnce(&mut Deployment)) {
        let Some(before) = self.live.clone() else {
            return;
        };
        let mut live = before.clone();
        change(&mut live);
        live.editor = Some(who);
        live.bump(&before);
        self.live = Some(live);
        self.agent.is_due = true;
        self.tell(|world| format!("{who}: {:?}", world.live));
        self.note_write(&before, None);
        self.note_way(&before, None);
    }

    /// A scaler or a person scales.
    pub(crate) fn scale(&mut self, replicas: u32) {
        self.edit("kube-controller-manager", |live| live.replicas = replicas);
    }

    /// `kubectl set image`.
    pub(crate) fn set_image(&mut self, image: u32) {
        self.edit("kubectl-set", |live| {
            live.mould.image = image;
            live.owners[0] = Some("kubectl-set");
        });
    }

    /// `kubectl set env`: a field that Git does not name.
    pub(crate) fn set_env(&mut self) {
        self.edit("kubectl-set", |live| {
            live.mould.extra = true;
            live.owners[1] = Some("kubectl-set");
        });
    }

    /// `kubectl rollout restart`.
    pub(crate) fn restart(&mut self) {
        self.edit("kubectl-rollout", |live| {
            live.mould.restart += 1;
            live.owners[2] = Some("kubectl-rollout");
        });
    }

    /// `kubectl rollout undo`: the template of the newest other ReplicaSet.
    pub(crate) fn undo(&mut self) {
        let current = self.live.as_ref().map(|live| live.mould);
        let mut others = self.sets.iter().rev().map(|set| set.mould);
        let Some(mould) = others.find(|mould| Some(*mould) != current) else {
            return;
        };
        self.edit("kubectl-rollout", |live| {
            live.mould = Mould {
                restart: live.mould.restart,
                ..mould
            };
            live.owners[0] = Some("kubectl-rollout");
        });
    }

    /// `kubectl edit` of minReadySeconds: the freeze goes.
    pub(crate) fn thaw(&mut self) {
        self.edit("kubectl-edit", |live| {
            (live.min_ready, live.deadline) = (0, 600);
        });
    }

    /// `kubectl edit` of the strategy.
    pub(crate) fn edit_levers(&mut self, surge: u32, unavailable: u32) {
        self.edit("kubectl-edit", |live| {
            live.strategy = Strategy::RollingUpdate {
                max_surge: Amount::Count(surge),
                max_unavailable: Amount::Count(unavailable),
            };
        });
    }

    /// A node takes one pod away; an evicted one stays as a corpse.
    pub(crate) fn evict(&mut self, nth: usize) {
        let now = self.now;
        let mut pods = self.sets.iter_mut().flat_map(|set| &mut set.pods);
        let Some(pod) = pods.nth(nth).filter(|pod| pod.is_active()) else {
            return;
        };
        self.lost += u32::from(pod.ready.is_some());
        if nth.is_multiple_of(2) {
            pod.end(now);
        } else {
            (pod.gone, pod.ready) = (true, None);
        }
        self.agent.is_due = true;
        self.tell(|_| format!("evicted pod {nth}"));
    }
}
