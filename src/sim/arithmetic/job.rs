//! What the Job controller decides: how many pods it wants, how long it waits after a failure, and
//! when a Job is over (`syncJob`, `manageJob` in `pkg/controller/job` of Kubernetes 1.36.2, without
//! pod failure and success policies).

/// How long it waits after the first failure, in seconds; twice as long after each more.
const FIRST_BACK_OFF: i64 = 10;
/// The longest that it waits, in seconds.
const LONGEST_BACK_OFF: i64 = 600;

/// What a Job asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// `spec.parallelism`.
    pub parallelism: u32,
    /// `spec.completions`; `None` where one success is enough.
    pub completions: Option<u32>,
    /// `spec.backoffLimit`: failures that are put up with.
    pub back_off_limit: u32,
    /// `spec.suspend`.
    pub is_suspended: bool,
    /// When `activeDeadlineSeconds` are over, in seconds.
    pub deadline: Option<i64>,
}

/// What has become of its pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Neither ended nor being deleted.
    pub active: u32,
    /// Succeeded, those that are gone included.
    pub succeeded: u32,
    /// Failed, those that are gone included.
    pub failed: u32,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It has failed; active pods are deleted.
    Fail {
        /// The condition's reason.
        reason: &'static str,
        /// The condition's message.
        message: &'static str,
    },
    /// It is complete.
    Complete,
    /// So many pods are made.
    Create(u32),
    /// So many pods are deleted; 0 where all is right.
    Delete(u32),
}

/// Decides what one sync does at `now`.
#[must_use]
pub fn sync(wish: Wish, tally: Tally, now: i64) -> Step {
    if tally.failed > wish.back_off_limit {
        return Step::Fail {
            reason: "BackoffLimitExceeded",
            message: "Job has reached the specified backoff limit",
        };
    }
    if wish.deadline.is_some_and(|deadline| now >= deadline) && !wish.is_suspended {
        return Step::Fail {
            reason: "DeadlineExceeded",
            message: "Job was active longer than specified deadline",
        };
    }
    let enough = tally.succeeded >= wish.completions.unwrap_or(1);
    if enough && tally.active == 0 {
        return Step::Complete;
    }
    let wanted = wanted(wish, tally);
    if tally.active < wanted {
        Step::Create(wanted - tally.active)
    } else {
        Step::Delete(tally.active - wanted)
    }
}

fn wanted(wish: Wish, tally: Tally) -> u32 {
    if wish.is_suspended {
        return 0;
    }
    match wish.completions {
        Some(completions) => wish
            .parallelism
            .min(completions.saturating_sub(tally.succeeded)),
        // After a success those that run may end.
        None if tally.succeeded > 0 => tally.active,
        None => wish.parallelism,
    }
}

/// Returns when the next pod may be made after so many failures in a row, the last one at `last`;
/// all in seconds.
#[must_use]
pub fn next_attempt(failures: u32, last: i64) -> i64 {
    if failures == 0 {
        return last;
    }
    let doubled = FIRST_BACK_OFF.checked_shl(failures.min(32) - 1);
    last + doubled.unwrap_or(LONGEST_BACK_OFF).min(LONGEST_BACK_OFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish {
        parallelism: 2,
        completions: Some(3),
        back_off_limit: 1,
        is_suspended: false,
        deadline: None,
    };

    fn tally(active: u32, succeeded: u32, failed: u32) -> Tally {
        Tally {
            active,
            succeeded,
            failed,
        }
    }

    #[test]
    fn no_more_pods_run_than_are_still_needed() {
        assert_eq!(sync(WISH, tally(0, 0, 0), 0), Step::Create(2));
        assert_eq!(sync(WISH, tally(1, 2, 0), 0), Step::Delete(0));
        assert_eq!(sync(WISH, tally(2, 2, 0), 0), Step::Delete(1));
        assert_eq!(sync(WISH, tally(0, 3, 0), 0), Step::Complete);
    }

    #[test]
    fn without_completions_one_success_is_enough_and_the_others_may_end() {
        let wish = Wish {
            completions: None,
            ..WISH
        };
        assert_eq!(sync(wish, tally(1, 0, 0), 0), Step::Create(1));
        assert_eq!(sync(wish, tally(1, 1, 0), 0), Step::Delete(0));
        assert_eq!(sync(wish, tally(0, 1, 0), 0), Step::Complete);
    }

    #[test]
    fn it_fails_beyond_the_back_off_limit_and_after_the_deadline() {
        let reason = |step| match step {
            Step::Fail { reason, .. } => reason,
            Step::Complete | Step::Create(_) | Step::Delete(_) => "none",
        };
        assert_eq!(sync(WISH, tally(0, 0, 1), 0), Step::Create(2));
        let failed = sync(WISH, tally(1, 0, 2), 0);
        assert_eq!(reason(failed), "BackoffLimitExceeded");
        let wish = Wish {
            deadline: Some(30),
            ..WISH
        };
        assert_eq!(reason(sync(wish, tally(1, 0, 0), 29)), "none");
        assert_eq!(reason(sync(wish, tally(1, 0, 0), 30)), "DeadlineExceeded");
    }

    #[test]
    fn a_suspended_job_keeps_no_pods() {
        let wish = Wish {
            is_suspended: true,
            ..WISH
        };
        assert_eq!(sync(wish, tally(2, 0, 0), 0), Step::Delete(2));
        assert_eq!(sync(wish, tally(0, 0, 0), 0), Step::Delete(0));
    }

    #[test]
    fn it_waits_twice_as_long_after_each_failure_up_to_ten_minutes() {
        let waits = [0, 1, 2, 3, 7, 40].map(|failures| next_attempt(failures, 100) - 100);
        assert_eq!(waits, [0, 10, 20, 40, 600, 600]);
    }
}
