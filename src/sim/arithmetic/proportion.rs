//! How a scaling is shared out among the ReplicaSets of a rolling update: in proportion, so that it
//! does not hasten the rollout (`scale`, `GetReplicaSetProportion` in `pkg/controller/deployment`).

use super::deployment::{Set, Wish};

/// Returns the size that each of the sets gets, in the order in which they are written.
///
/// `max` is the replicas with the surge, `allowed` the same or 0 where all is scaled to 0. The sets
/// come with their places in order of creation, and each has replicas.
pub(super) fn share_out(
    wish: Wish,
    max: u32,
    allowed: u32,
    mut sets: Vec<(usize, Set)>,
) -> Vec<(usize, u32)> {
    let total: u32 = sets.iter().map(|(_, set)| set.replicas).sum();
    let add = i64::from(allowed) - i64::from(total);
    // The largest first; of equals the newest grows first and the oldest shrinks first.
    sets.sort_by(|(left, a), (right, b)| {
        let larger = b.replicas.cmp(&a.replicas);
        match add {
            1.. => larger.then(right.cmp(left)),
            ..0 => larger.then(left.cmp(right)),
            0 => std::cmp::Ordering::Equal,
        }
    });
    let mut added = 0;
    let mut sizes: Vec<i64> = Vec::with_capacity(sets.len());
    for (_, set) in &sets {
        let share = share(wish, max, set, add, added);
        sizes.push(i64::from(set.replicas) + share);
        added += share;
    }
    // What rounding leaves over goes to the largest.
    if let Some(first) = sizes.first_mut() {
        *first = (*first + add - added).max(0);
    }
    let sized = sets.into_iter().zip(sizes);
    sized
        .map(|((index, _), size)| (index, u32::try_from(size).unwrap_or(0)))
        .collect()
}

/// The share of one set in what is still to be added or taken away.
fn share(wish: Wish, max: u32, set: &Set, add: i64, added: i64) -> i64 {
    if add == 0 || add == added {
        return 0;
    }
    let rest = add - added;
    let fraction = fraction(wish, max, set);
    if add > 0 {
        fraction.min(rest)
    } else {
        fraction.max(rest)
    }
}

/// `getReplicaSetFraction`.
fn fraction(wish: Wish, max: u32, set: &Set) -> i64 {
    let size = i64::from(set.replicas);
    if wish.replicas == 0 {
        return -size;
    }
    let before = set.max.filter(|max| *max > 0).unwrap_or(wish.reported);
    if before == 0 {
        return 0;
    }
    rounded(size * i64::from(max), i64::from(before)) - size
}

/// The nearest whole number; a half goes up (`RoundToInt32` of a positive number).
fn rounded(part: i64, whole: i64) -> i64 {
    (2 * part + whole) / (2 * whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Amount, Strategy};

    fn wish(replicas: u32) -> Wish {
        Wish {
            replicas,
            strategy: Strategy::RollingUpdate {
                max_surge: Amount::Count(2),
                max_unavailable: Amount::Count(0),
            },
            is_paused: false,
            reported: 12,
        }
    }

    fn shares(replicas: u32, sizes: &[u32]) -> Vec<(usize, u32)> {
        let max: u32 = sizes.iter().sum();
        let set = |size: &u32| Set {
            replicas: *size,
            max: Some(max),
            ..Set::default()
        };
        let sets = sizes.iter().map(set).enumerate().collect();
        let allowed = if replicas == 0 { 0 } else { replicas + 2 };
        share_out(wish(replicas), replicas + 2, allowed, sets)
    }

    #[test]
    fn the_newest_of_equals_grows_first_and_the_oldest_shrinks_first() {
        assert_eq!(shares(11, &[6, 6]), [(1, 7), (0, 6)]);
        assert_eq!(shares(9, &[6, 6]), [(0, 5), (1, 6)]);
    }

    #[test]
    fn what_is_left_over_by_rounding_goes_to_the_largest() {
        assert_eq!(shares(11, &[5, 5, 2]), [(1, 6), (0, 5), (2, 2)]);
    }

    #[test]
    fn all_goes_when_nothing_is_wanted() {
        assert_eq!(shares(0, &[8, 4]), [(0, 0), (1, 0)]);
    }

    #[test]
    fn a_set_whose_annotation_is_lost_is_judged_by_the_reported_replicas() {
        let set = Set {
            replicas: 6,
            ..Set::default()
        };
        assert_eq!(fraction(wish(22), 24, &set), 6);
        let nothing = Wish {
            reported: 0,
            ..wish(22)
        };
        assert_eq!(fraction(nothing, 24, &set), 0);
    }

    #[test]
    fn a_half_is_rounded_up() {
        assert_eq!((rounded(5, 2), rounded(9, 4), rounded(11, 4)), (3, 2, 3));
    }
}
