//! The coalescing queue between those who wake a pass and the one who runs it.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// One reason to run a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// What happened.
    pub kind: Kind,
    /// When; of several alike, when the last one did.
    pub at: Timestamp,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is time to look.
    Poll,
    /// A local repository's branch moved.
    File,
    /// A person asked, by the annotation value given.
    Request(String),
    /// The `GitSync` itself changed.
    Config,
    /// Another `GitSync` waits for this one to look.
    Handover,
}

/// The triggers of one `GitSync` that wait for its next pass. A clone is the same queue; many may
/// push, one waits.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    distance: Duration,
    waiting: Mutex<Waiting>,
    pushed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    triggers: Vec<Trigger>,
    delivered: Option<Instant>,
}

impl Queue {
    /// Makes a queue whose deliveries are at least `distance` apart; zero means at once.
    #[must_use]
    pub fn new(distance: Duration) -> Self {
        Self(Arc::new(Inner {
            distance,
            waiting: Mutex::default(),
            pushed: Notify::new(),
        }))
    }

    /// Adds a trigger. One of the same kind that waits already only takes its time over, so what
    /// waits stays as small as the number of kinds and requests.
    pub fn push(&self, trigger: Trigger) {
        let mut waiting = self.waiting();
        match waiting
            .triggers
            .iter_mut()
            .find(|known| known.kind == trigger.kind)
        {
            Some(known) => known.at = trigger.at,
            None => waiting.triggers.push(trigger),
        }
        drop(waiting);
        self.0.pushed.notify_one();
    }

    /// Waits until something is there and the last delivery is far enough in the past, then takes
    /// all that has gathered, in the order of its first push. Dropping the future loses nothing.
    pub async fn next(&self) -> Vec<Trigger> {
        loop {
            let (is_empty, ready) = {
                let waiting = self.waiting();
                (
                    waiting.triggers.is_empty(),
                    waiting.delivered.map(|at| at + self.0.distance),
                )
            };
            match ready {
                _ if is_empty => self.0.pushed.notified().await,
                Some(ready) if ready > Instant::now() => sleep_until(ready).await,
                _ => {
                    let mut waiting = self.waiting();
                    waiting.delivered = Some(Instant::now());
                    return mem::take(&mut waiting.triggers);
                }
            }
        }
    }

    /// A poisoned lock holds whole triggers all the same: nothing panics between two changes.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    fn trigger(kind: Kind, second: i64) -> Trigger {
        Trigger {
            kind,
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    const MOMENT: Duration = Duration::from_millis(1);
    const DISTANCE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_delivery_with_each_kind_and_request_once() {
        let queue = Queue::new(DISTANCE);
        for second in 1..=3 {
            queue.push(trigger(Kind::Poll, second));
        }
        queue.push(trigger(Kind::Request("a".to_owned()), 4));
        queue.push(trigger(Kind::Request("b".to_owned()), 5));
        queue.push(trigger(Kind::Request("a".to_owned()), 6));
        let expected = [
            trigger(Kind::Poll, 3),
            trigger(Kind::Request("a".to_owned()), 6),
            trigger(Kind::Request("b".to_owned()), 5),
        ];
        assert_eq!(timeout(MOMENT, queue.next()).await.unwrap(), expected);
        assert!(timeout(DISTANCE * 2, queue.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn deliveries_keep_their_distance_and_the_last_event_is_never_lost() {
        let queue = Queue::new(DISTANCE);
        queue.push(trigger(Kind::File, 1));
        queue.next().await;
        let first = Instant::now();
        queue.push(trigger(Kind::File, 2));
        assert!(
            timeout(DISTANCE / 2, queue.next()).await.is_err(),
            "a dropped wait loses nothing"
        );
        queue.push(trigger(Kind::File, 3));
        assert_eq!(queue.next().await, [trigger(Kind::File, 3)]);
        assert_eq!(first.elapsed(), DISTANCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_push_wakes_the_one_who_waits_at_once_after_a_quiet_time() {
        let queue = Queue::new(DISTANCE);
        queue.push(trigger(Kind::Poll, 1));
        queue.next().await;
        tokio::time::advance(DISTANCE).await;
        let pusher = queue.clone();
        let waiter = tokio::spawn(async move { queue.next().await });
        tokio::task::yield_now().await;
        pusher.push(trigger(Kind::Config, 2));
        assert_eq!(
            timeout(MOMENT, waiter).await.unwrap().unwrap(),
            [trigger(Kind::Config, 2)]
        );
    }
}
