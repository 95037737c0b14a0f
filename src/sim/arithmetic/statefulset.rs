//! What the StatefulSet controller does with its pods in one sync (`updateStatefulSet` in
//! `pkg/controller/statefulset` of Kubernetes 1.36.2, `MaxUnavailableStatefulSet` off as it is by
//! default).

/// How pods of another revision are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// `OnDelete`: when someone deletes them.
    OnDelete,
    /// `RollingUpdate`: from the highest, down to this place among the replicas; `None` without
    /// `rollingUpdate`.
    Down(Option<u32>),
}

/// What a StatefulSet asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.ordinals.start`.
    pub start: u32,
    /// `podManagementPolicy: Parallel`: pods wait for no other.
    pub is_parallel: bool,
    /// `spec.updateStrategy`.
    pub update: Update,
    /// `status.currentReplicas`.
    pub current: u32,
}

impl Wish {
    fn has_place_for(&self, ordinal: u32) -> bool {
        (self.start..self.start + self.replicas).contains(&ordinal)
    }
}

/// Which template a pod was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// `status.currentRevision`, where it is another than the update's.
    Current,
    /// `status.updateRevision`.
    Update,
    /// An earlier one.
    Other,
}

/// How a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not Ready yet or any more.
    Unready,
    /// It is Ready, and was for less than minReadySeconds.
    Ready,
    /// It is available.
    Available,
    /// It has failed or succeeded.
    Ended,
}

/// One pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The number in its name.
    pub ordinal: u32,
    /// Its template.
    pub revision: Revision,
    /// How it is.
    pub state: State,
    /// It is being deleted.
    pub is_terminating: bool,
}

impl Member {
    fn is_unavailable(&self) -> bool {
        self.state != State::Available || self.is_terminating
    }
}

/// One write of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A pod is made.
    Create {
        /// Its number.
        ordinal: u32,
        /// The template it is made from.
        revision: Revision,
    },
    /// A pod is deleted.
    Delete {
        /// Its number.
        ordinal: u32,
    },
}

/// Decides what one sync writes, in this order.
#[must_use]
pub fn sync(wish: Wish, pods: &[Member]) -> Vec<Change> {
    let mut sync = Sync {
        wish,
        replicas: (wish.start..wish.start + wish.replicas)
            .map(|ordinal| (ordinal, pods.iter().find(|pod| pod.ordinal == ordinal)))
            .collect(),
        condemned: pods
            .iter()
            .filter(|pod| !wish.has_place_for(pod.ordinal))
            .collect(),
        changes: Vec::new(),
    };
    sync.condemned
        .sort_by_key(|pod| std::cmp::Reverse(pod.ordinal));
    if sync.fill().is_some() && sync.scale_down().is_some() {
        sync.replace();
    }
    sync.changes
}

/// One sync at work; a step that returns `None` ends it.
struct Sync<'a> {
    wish: Wish,
    replicas: Vec<(u32, Option<&'a Member>)>,
    /// Pods out of range, the highest first.
    condemned: Vec<&'a Member>,
    changes: Vec<Change>,
}

impl Sync<'_> {
    /// Creates what is missing, from the lowest; in order, each waits for those below it.
    fn fill(&mut self) -> Option<()> {
        let in_order = !self.wish.is_parallel;
        for (ordinal, pod) in self.replicas.clone() {
            let must_wait = match pod {
                Some(pod) if pod.state == State::Ended => {
                    if !pod.is_terminating {
                        self.changes.push(Change::Delete { ordinal });
                    }
                    true
                }
                None => {
                    let revision = self.revision_at(ordinal);
                    self.changes.push(Change::Create { ordinal, revision });
                    true
                }
                Some(pod) => pod.is_unavailable(),
            };
            if must_wait && in_order {
                return None;
            }
        }
        Some(())
    }

    /// The template of a pod that is made now (`newVersionedStatefulSetPod`).
    fn revision_at(&self, ordinal: u32) -> Revision {
        let kept = match self.wish.update {
            Update::OnDelete => 0,
            Update::Down(None) => self.wish.current,
            Update::Down(Some(partition)) => partition,
        };
        if ordinal < self.wish.start.saturating_add(kept) {
            Revision::Current
        } else {
            Revision::Update
        }
    }

    /// Deletes pods out of range, from the highest; in order, one at a time, and none while another
    /// pod is unavailable that is not itself the first of these.
    fn scale_down(&mut self) -> Option<()> {
        let in_order = !self.wish.is_parallel;
        let mut inside = self.replicas.iter().filter_map(|(_, pod)| *pod);
        let outside = self.condemned.iter().rev().copied();
        let first_unavailable = inside
            .find(|pod| pod.is_unavailable())
            .or_else(|| outside.into_iter().find(|pod| pod.is_unavailable()))
            .map(|pod| pod.ordinal);
        for pod in self.condemned.clone() {
            let blocks = pod.is_terminating
                || pod.state != State::Available && Some(pod.ordinal) != first_unavailable;
            if in_order && blocks {
                return None;
            }
            if !pod.is_terminating {
                let ordinal = pod.ordinal;
                self.changes.push(Change::Delete { ordinal });
            }
            if in_order {
                return None;
            }
        }
        Some(())
    }

    /// Deletes the highest pod of another revision; one at a time, also where pods are parallel.
    fn replace(&mut self) {
        let lowest = match self.wish.update {
            Update::OnDelete => return,
            Update::Down(partition) => partition.unwrap_or(0) as usize,
        };
        for (ordinal, pod) in self.replicas.iter().skip(lowest).rev() {
            let ordinal = *ordinal;
            let is_old = match pod {
                None => self.revision_at(ordinal) != Revision::Update,
                Some(pod) => pod.revision != Revision::Update && !pod.is_terminating,
            };
            if is_old {
                self.changes.push(Change::Delete { ordinal });
                return;
            }
            if pod.is_none_or(|pod| pod.is_unavailable()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(replicas: u32, partition: u32) -> Wish {
        Wish {
            replicas,
            start: 0,
            is_parallel: false,
            update: Update::Down(Some(partition)),
            current: replicas,
        }
    }

    fn pod(ordinal: u32, revision: Revision, state: State) -> Member {
        Member {
            ordinal,
            revision,
            state,
            is_terminating: false,
        }
    }

    fn old(ordinal: u32) -> Member {
        pod(ordinal, Revision::Current, State::Available)
    }

    fn new(ordinal: u32) -> Member {
        pod(ordinal, Revision::Update, State::Available)
    }

    fn create(ordinal: u32, revision: Revision) -> Change {
        Change::Create { ordinal, revision }
    }

    fn delete(ordinal: u32) -> Change {
        Change::Delete { ordinal }
    }

    #[test]
    fn pods_come_one_by_one_from_the_lowest_or_all_at_once() {
        let first = [create(0, Revision::Update)];
        assert_eq!(sync(wish(3, 0), &[]), first);
        let unready = pod(0, Revision::Update, State::Unready);
        assert_eq!(sync(wish(3, 0), &[unready]), []);
        assert_eq!(sync(wish(3, 0), &[new(0)]), [create(1, Revision::Update)]);
        let parallel = Wish {
            is_parallel: true,
            start: 5,
            ..wish(2, 0)
        };
        let both = [create(5, Revision::Update), create(6, Revision::Update)];
        assert_eq!(sync(parallel, &[]), both);
    }

    #[test]
    fn an_update_goes_from_the_highest_down_to_the_partition() {
        let all_old = [old(0), old(1), old(2)];
        assert_eq!(sync(wish(3, 3), &all_old), []);
        assert_eq!(sync(wish(3, 2), &all_old), [delete(2)]);
        assert_eq!(sync(wish(3, 2), &[old(0), old(1), new(2)]), []);
        assert_eq!(sync(wish(3, 1), &[old(0), old(1), new(2)]), [delete(1)]);
    }

    #[test]
    fn a_pod_below_the_partition_comes_back_as_it_was() {
        let without_first = [old(1), new(2)];
        let expected = [create(0, Revision::Current)];
        assert_eq!(sync(wish(3, 2), &without_first), expected);
        let without_last = [old(0), old(1)];
        let expected = [create(2, Revision::Update)];
        assert_eq!(sync(wish(3, 2), &without_last), expected);
    }

    #[test]
    fn a_broken_pod_of_another_revision_is_not_replaced_in_order_and_is_where_pods_are_parallel() {
        let broken = pod(2, Revision::Other, State::Unready);
        let pods = [new(0), new(1), broken];
        assert_eq!(sync(wish(3, 0), &pods), []);
        let parallel = Wish {
            is_parallel: true,
            ..wish(3, 0)
        };
        assert_eq!(sync(parallel, &pods), [delete(2)]);
    }

    #[test]
    fn an_update_waits_for_the_pod_that_it_replaced() {
        let parallel = Wish {
            is_parallel: true,
            ..wish(3, 0)
        };
        let coming = pod(2, Revision::Update, State::Unready);
        assert_eq!(sync(parallel, &[old(0), old(1), coming]), []);
        let going = Member {
            is_terminating: true,
            ..old(2)
        };
        assert_eq!(sync(parallel, &[old(0), old(1), going]), []);
    }

    #[test]
    fn a_scale_down_takes_the_highest_first_and_not_while_another_is_unavailable() {
        let four = [old(0), old(1), old(2), old(3)];
        assert_eq!(sync(wish(2, 2), &four), [delete(3)]);
        let third_is_unready = pod(2, Revision::Current, State::Unready);
        let pods = [old(0), old(1), third_is_unready, old(3)];
        assert_eq!(sync(wish(2, 2), &pods), [delete(3)]);
        let last_is_unready = pod(3, Revision::Current, State::Unready);
        let pods = [old(0), old(1), third_is_unready, last_is_unready];
        assert_eq!(sync(wish(2, 2), &pods), []);
    }

    #[test]
    fn on_delete_replaces_nothing_by_itself() {
        let on_delete = Wish {
            update: Update::OnDelete,
            ..wish(2, 0)
        };
        assert_eq!(sync(on_delete, &[old(0), old(1)]), []);
        assert_eq!(sync(on_delete, &[old(0)]), [create(1, Revision::Update)]);
    }

    #[test]
    fn a_pod_that_ended_is_deleted_and_comes_again_when_it_is_gone() {
        let ended = pod(0, Revision::Update, State::Ended);
        assert_eq!(sync(wish(2, 0), &[ended, new(1)]), [delete(0)]);
    }
}
