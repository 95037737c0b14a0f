//! Deployment: with the freeze on, the controller settles at `new = min(R, s+m)` and
//! `old = R - m` and stays there, whatever the pods do.

use crate::object::Amount;
use crate::policy::Order;

use super::Levers;

impl Levers {
    /// Resolves what stands in a Deployment as its controller does: surge rounded up, unavailable
    /// down and at most `replicas`, and one unavailable where both come to nothing
    /// (`ResolveFenceposts`).
    #[must_use]
    pub fn resolve(surge: Amount, unavailable: Amount, replicas: u32) -> Self {
        let surge = surge.rounded_up(replicas);
        let mut unavailable = unavailable.rounded_down(replicas);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self {
            surge,
            unavailable: unavailable.min(replicas),
        }
    }

    /// Writes the levers so that a scaler keeps the share of new pods while nobody watches.
    ///
    /// Up to 100 replicas both are percents that resolve to exactly these numbers. Above, the
    /// unavailable percent is rounded down and the surge is the rest as a count: the target is
    /// exact, and a scale-down adds no new pod.
    #[must_use]
    pub fn encode(self, replicas: u32) -> (Amount, Amount) {
        if replicas == 0 {
            return (Amount::Count(self.surge.max(1)), Amount::Count(0));
        }
        let hundredths = |pods: u32| u64::from(pods) * 100;
        let percent = |wide: u64| Amount::Percent(u32::try_from(wide).unwrap_or(u32::MAX));
        let whole = u64::from(replicas);
        if replicas <= 100 {
            let unavailable = percent(hundredths(self.unavailable).div_ceil(whole));
            return (percent(hundredths(self.surge) / whole), unavailable);
        }
        // The largest percent that resolves to no more: what it resolves to is written the same
        // way again.
        let unavailable = percent((hundredths(self.unavailable) + 100).div_ceil(whole) - 1);
        let rest = self.target() - unavailable.rounded_down(replicas);
        (Amount::Count(rest), unavailable)
    }

    /// Writes levers that start on pods as they are: where old ones are missing already the extra
    /// pods alone decide how many new ones fill the gap, so their number is kept exactly.
    #[must_use]
    pub fn encode_start(self, replicas: u32) -> (Amount, Amount) {
        let (surge, unavailable) = self.encode(replicas);
        if replicas <= 100 || self.unavailable == 0 {
            return (surge, unavailable);
        }
        if self.surge == 0 && unavailable.rounded_down(replicas) == 0 {
            return (Amount::Count(0), Amount::Count(self.unavailable));
        }
        (Amount::Count(self.surge), unavailable)
    }
}

/// What is known when a batch or a slice of it opens.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// Cumulative target of the batch.
    pub batch: u32,
    /// Extra pods that the policy allows.
    pub surge: u32,
    /// New pods that are healthy.
    pub healthy: u32,
    /// The levers in force, resolved at today's replicas.
    pub before: Levers,
    /// Pods that the others are short of all replicas: with fewer unavailable ones new pods would
    /// come in their place, beyond the target.
    pub missing: u32,
}

/// Opens a batch, or the next slice of it where the surge is smaller than the batch.
///
/// Neither the unavailable pods nor the target ever fall here: that would add new pods instead of
/// taking old ones away.
#[must_use]
pub fn open(order: Order, at: Opening) -> Levers {
    match order {
        Order::SurgeFirst => {
            let slice = at.batch.min(at.healthy.saturating_add(at.surge));
            let target = at.before.target().max(slice);
            let unavailable = at.healthy.max(at.before.unavailable);
            let unavailable = unavailable.max(at.missing.min(target));
            Levers {
                surge: target.saturating_sub(unavailable),
                unavailable,
            }
        }
        Order::StopFirst => Levers {
            surge: 0,
            unavailable: at.batch.max(at.before.unavailable),
        },
    }
}

/// The pods in place when a template is written.
#[derive(Clone, Copy, Debug)]
pub struct Census {
    /// Replicas that the write asks for.
    pub replicas: u32,
    /// Pods that already have the template.
    pub same: u32,
    /// Pods of all other templates.
    pub others: u32,
    /// Those of them that are Ready.
    pub others_ready: u32,
    /// Replicas that the Deployment had so far.
    pub replicas_before: u32,
}

impl Census {
    /// Pods that the others are short of all replicas, once they are scaled in proportion by the
    /// same write.
    fn missing(self) -> u32 {
        self.short_of(self.others)
    }

    /// Pods that will be short at most. Where some are short already, the unavailable pods that fill
    /// the gap let the controller take away all others that are not Ready
    /// (`cleanupUnhealthyReplicas`).
    fn missing_at_most(self) -> u32 {
        if self.missing() == 0 {
            return 0;
        }
        self.short_of(self.others_ready.min(self.others))
    }

    fn short_of(self, others: u32) -> u32 {
        let whole = u64::from(self.replicas_before.max(1));
        let others = u64::from(others) * u64::from(self.replicas) / whole;
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        self.replicas.saturating_sub(others)
    }
}

/// The pods in place when recorded levers are written again.
#[derive(Clone, Copy, Debug)]
pub struct Ground {
    /// Replicas that the write asks for.
    pub replicas: u32,
    /// Replicas that there are; the controller has seen them.
    pub replicas_now: u32,
    /// Extra pods that may be there now.
    pub surge_now: u32,
    /// Pods of the recorded template.
    pub same: u32,
    /// Pods of all other templates.
    pub others: u32,
}

impl Ground {
    /// What a number of pods becomes when all may be `allowed`: its share where the write scales as
    /// well (`GetReplicaSetProportion`), else the same.
    fn share(self, pods: u32, allowed: u32) -> u32 {
        if self.replicas == self.replicas_now {
            return pods;
        }
        let whole = u64::from(self.replicas_now + self.surge_now).max(1);
        let share = (2 * u64::from(pods) * u64::from(allowed) + whole) / (2 * whole);
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    /// All pods that there may be, so that what the others leave is at most `target`.
    fn allowed(self, target: u32) -> u32 {
        if self.replicas == self.replicas_now {
            return target.saturating_add(self.others);
        }
        let whole = self.replicas_now + self.surge_now;
        let rest = u64::from(whole.saturating_sub(self.others)).max(1);
        let allowed = u64::from(target) * u64::from(whole) / rest;
        u32::try_from(allowed).unwrap_or(u32::MAX)
    }
}

/// Brings recorded levers back on the pods as they are: no more new pods than they mean.
///
/// Whatever room the others leave below all replicas and the surge is filled with new pods. So where
/// the recorded surge would leave more than the target, it is lowered, and as many more may be
/// unavailable. A scaler's share of a surge that is a count (above 100 replicas) is such a case.
#[must_use]
pub fn reinstate(own: Levers, ground: Ground) -> Levers {
    let top = ground.replicas.saturating_add(own.surge);
    let fill = top.saturating_sub(ground.share(ground.others, top));
    let there = if ground.replicas == ground.replicas_now {
        ground.same
    } else {
        0
    };
    if fill <= own.target().max(there) {
        return own;
    }
    let allowed = ground.allowed(own.target()).clamp(ground.replicas, top);
    let others = ground.share(ground.others, allowed);
    let missing = ground.replicas.saturating_sub(others);
    let surge = allowed - ground.replicas;
    let target = own.target().max(missing).min(ground.replicas);
    Levers {
        surge,
        unavailable: target.saturating_sub(surge),
    }
}

/// Starts batch 1 of a template on the pods as they are; with this write, and only with it, the
/// unavailable pods may fall.
///
/// Pods that are missing are filled up with the template whatever the levers say: they are counted
/// from the start.
#[must_use]
pub fn engage(order: Order, first: u32, surge: u32, census: Census) -> Levers {
    let missing = census.missing();
    match order {
        Order::SurgeFirst => {
            let target = census.same.max(first.min(surge));
            let target = target.max(census.missing_at_most());
            let target = target.min(census.replicas);
            let unavailable = target.min(missing);
            Levers {
                surge: target - unavailable,
                unavailable,
            }
        }
        Order::StopFirst => Levers {
            surge: 0,
            unavailable: first.max(missing),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_100_replicas_the_percents_resolve_to_exactly_the_levers() {
        for replicas in 1..=100 {
            for unavailable in 0..=replicas {
                for surge in 0..=replicas - unavailable {
                    let levers = Levers { surge, unavailable };
                    if levers.target() == 0 {
                        continue;
                    }
                    let (s, m) = levers.encode(replicas);
                    assert_eq!(
                        Levers::resolve(s, m, replicas),
                        levers,
                        "R={replicas} {s} {m}"
                    );
                }
            }
        }
    }

    #[test]
    fn above_100_replicas_the_target_is_exact_and_a_scale_down_adds_no_new_pod() {
        for replicas in 101..=400 {
            for target in 1..=replicas {
                for unavailable in [0, target / 2, target] {
                    let levers = Levers {
                        surge: target - unavailable,
                        unavailable,
                    };
                    let (s, m) = levers.encode(replicas);
                    assert_eq!(Levers::resolve(s, m, replicas).target(), target);
                    let halved = Levers::resolve(s, m, replicas / 2);
                    assert!(halved.target().min(replicas / 2) <= target);
                }
            }
        }
    }

    #[test]
    fn above_100_replicas_unavailable_pods_never_fall_by_being_written_again() {
        for replicas in 101..=400 {
            for percent in 0..=100 {
                let unavailable = Amount::Percent(percent);
                let levers = Levers::resolve(Amount::Count(3), unavailable, replicas);
                let (s, m) = levers.encode(replicas);
                assert_eq!(Levers::resolve(s, m, replicas), levers, "R={replicas} {m}");
            }
        }
    }

    #[test]
    fn levers_brought_back_leave_room_for_no_more_than_they_mean() {
        let sizes = [1, 2, 7, 10, 58, 116, 200];
        let mut lowered = 0;
        for (replicas, replicas_now) in sizes.iter().flat_map(|r| sizes.map(|now| (*r, now))) {
            for (surge, unavailable) in [(1, 0), (0, 1), (3, 4), (39, 35), (replicas, 0)] {
                let own = Levers {
                    surge,
                    unavailable: unavailable.min(replicas),
                };
                for others in 0..=replicas_now {
                    let ground = Ground {
                        replicas,
                        replicas_now,
                        surge_now: surge,
                        same: 0,
                        others,
                    };
                    let levers = reinstate(own, ground);
                    let room = |surge: u32| {
                        let all = replicas + surge;
                        all.saturating_sub(ground.share(others, all))
                    };
                    assert!(levers.surge <= own.surge, "{ground:?}");
                    let most = own.target().max(room(0));
                    assert!(room(levers.surge) <= most, "{own:?} {levers:?} {ground:?}");
                    lowered += u32::from(levers.surge < own.surge);
                }
            }
        }
        assert!(lowered > 1000, "{lowered} cases say something");
    }

    #[test]
    fn a_batch_of_five_with_one_extra_pod_opens_in_five_slices() {
        let mut before = engage(
            Order::SurgeFirst,
            5,
            1,
            Census {
                replicas: 10,
                same: 0,
                others: 10,
                others_ready: 10,
                replicas_before: 10,
            },
        );
        let mut targets = vec![before.target()];
        for healthy in 1..5 {
            before = open(
                Order::SurgeFirst,
                Opening {
                    batch: 5,
                    surge: 1,
                    healthy,
                    before,
                    missing: before.unavailable,
                },
            );
            targets.push(before.target());
        }
        assert_eq!(targets, [1, 2, 3, 4, 5]);
        assert_eq!(
            before,
            Levers {
                surge: 1,
                unavailable: 4
            }
        );
    }

    #[test]
    fn others_that_are_not_ready_count_as_missing_once_a_gap_is_there() {
        let census = Census {
            replicas: 10,
            same: 9,
            others: 3,
            others_ready: 0,
            replicas_before: 10,
        };
        // The controller takes the three away and brings the tenth.
        assert_eq!(engage(Order::SurgeFirst, 2, 2, census).target(), 10);
        let all_ready = Census {
            others_ready: 3,
            ..census
        };
        assert_eq!(engage(Order::SurgeFirst, 2, 2, all_ready).target(), 9);
        let no_gap = Census {
            same: 0,
            others: 12,
            others_ready: 7,
            ..census
        };
        assert_eq!(engage(Order::SurgeFirst, 2, 2, no_gap).target(), 2);
    }

    #[test]
    fn a_third_template_over_a_half_done_second_keeps_all_ready_pods_in_place() {
        let census = Census {
            replicas: 10,
            same: 0,
            others: 12,
            others_ready: 10,
            replicas_before: 10,
        };
        let levers = engage(Order::SurgeFirst, 2, 2, census);
        assert_eq!(
            levers,
            Levers {
                surge: 2,
                unavailable: 0
            }
        );
    }
}
