//! Looks at the repository from time to time.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{Kind, Queue, Trigger};
use crate::clock;

/// The longest that failures stretch the time between two polls to.
const BACK_OFF: Duration = Duration::from_secs(300);

/// Pushes [`Kind::Poll`] every `interval` ± 20 %, so that many agents do not ask in step. Each
/// failure in a row that `failures` counts doubles the time, up to five minutes or the interval
/// where that is longer. The first poll comes after one interval. Ends when the sender of
/// `failures` is gone.
pub async fn poll(queue: Queue, interval: Duration, mut failures: watch::Receiver<u32>) {
    let mut last = Instant::now();
    let mut share = share();
    loop {
        let next = last + pause(interval, *failures.borrow_and_update()).mul_f64(share);
        tokio::select! {
            () = sleep_until(next) => {
                queue.push(Trigger { kind: Kind::Poll, at: clock::now() });
                last = Instant::now();
                share = self::share();
            }
            changed = failures.changed() => if changed.is_err() { return },
        }
    }
}

fn pause(interval: Duration, failures: u32) -> Duration {
    interval
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(BACK_OFF.max(interval))
}

/// Returns a number from 0.8 to 1.2, by the seeds that the standard library draws for its maps.
fn share() -> f64 {
    let drawn = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default();
    0.8 + 0.4 * f64::from(drawn) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    async fn next_after(queue: &Queue) -> Duration {
        let before = Instant::now();
        assert_eq!(queue.next().await[0].kind, Kind::Poll);
        before.elapsed()
    }

    #[test]
    fn failures_double_the_pause_up_to_five_minutes_and_never_shorten_it() {
        let pauses = [0, 1, 2, 3, u32::MAX].map(|failures| pause(MINUTE, failures).as_secs());
        assert_eq!(pauses, [60, 120, 240, 300, 300]);
        assert_eq!(pause(MINUTE * 10, 3), MINUTE * 10);
    }

    #[test]
    fn the_share_is_drawn_anew_and_stays_within_a_fifth() {
        let shares: Vec<f64> = (0..1000).map(|_| share()).collect();
        assert!(shares.iter().all(|share| (0.8..=1.2).contains(share)));
        assert!(shares.iter().any(|share| *share < 0.9) && shares.iter().any(|share| *share > 1.1));
    }

    #[tokio::test(start_paused = true)]
    async fn polls_come_by_the_interval_slower_after_failures_and_end_with_their_owner() {
        let queue = Queue::new(Duration::ZERO);
        let (failed, failures) = watch::channel(0);
        let task = tokio::spawn(poll(queue.clone(), MINUTE, failures));
        for _ in 0..20 {
            let after = next_after(&queue).await.as_secs_f64();
            assert!((47.9..=72.1).contains(&after), "{after}");
        }
        failed.send_replace(2);
        let slow = next_after(&queue).await.as_secs_f64();
        assert!((191.9..=288.1).contains(&slow), "{slow}");
        failed.send_replace(0);
        assert!(
            next_after(&queue).await < MINUTE * 2,
            "a success shortens the wait that runs"
        );
        drop(failed);
        task.await.unwrap();
    }
}
