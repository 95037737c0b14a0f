//! The time of the simulated cluster: the real one, or one that a test drives.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::clock;

/// What time it is in the simulated cluster. Cheap to clone; clones tell the same time.
#[derive(Clone, Debug)]
pub struct Time(Hand);

#[derive(Clone, Debug)]
enum Hand {
    Real,
    Driven(Arc<watch::Sender<Timestamp>>),
}

impl Time {
    /// Follows the wall clock.
    #[must_use]
    pub const fn real() -> Self {
        Self(Hand::Real)
    }

    /// Stands at `start` until it is advanced.
    #[must_use]
    pub fn driven(start: Timestamp) -> Self {
        Self(Hand::Driven(Arc::new(watch::Sender::new(start))))
    }

    /// Returns the present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Hand::Real => clock::now(),
            Hand::Driven(now) => *now.borrow(),
        }
    }

    /// Says whether it moves only when it is advanced.
    #[must_use]
    pub const fn is_driven(&self) -> bool {
        match self.0 {
            Hand::Real => false,
            Hand::Driven(_) => true,
        }
    }

    /// Moves a driven time forward and wakes who waits for it. Real time is left alone.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Hand::Real => {}
            Hand::Driven(now) => now.send_modify(|now| *now = later(*now, by)),
        }
    }

    /// Waits until `at` has come.
    pub async fn reached(&self, at: Timestamp) {
        match &self.0 {
            Hand::Real => {
                let left = at.duration_since(clock::now());
                tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
            }
            Hand::Driven(now) => {
                // The sender is held by `self`, so the channel cannot close.
                let mut hand = now.subscribe();
                let _open = hand.wait_for(|now| *now >= at).await;
            }
        }
    }
}

/// Returns `at` moved by `by`, at most to the end of time.
#[must_use]
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Writes `at` as Kubernetes writes `metav1.Time`: UTC, whole seconds.
#[must_use]
pub fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Writes `at` as Kubernetes writes `metav1.MicroTime`: UTC, six digits.
#[must_use]
pub fn microseconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-01-01T00:00:00.9876543Z".parse().expect("a timestamp")
    }

    #[test]
    fn a_driven_time_moves_only_when_it_is_advanced() {
        let time = Time::driven(start());
        assert_eq!(time.now(), start());
        time.clone().advance(Duration::from_secs(5));
        assert_eq!(time.now(), later(start(), Duration::from_secs(5)));
    }

    #[tokio::test]
    async fn who_waits_for_a_driven_time_is_woken() {
        let time = Time::driven(start());
        let at = later(start(), Duration::from_secs(60));
        let waiting = tokio::spawn({
            let time = time.clone();
            async move { time.reached(at).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        time.advance(Duration::from_secs(60));
        assert!(waiting.await.is_ok());
    }

    #[test]
    fn timestamps_are_written_as_kubernetes_does() {
        assert_eq!(seconds(start()), "2026-01-01T00:00:00Z");
        assert_eq!(microseconds(start()), "2026-01-01T00:00:00.987654Z");
    }
}
