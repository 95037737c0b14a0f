//! How many calls may be under way at once.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

/// Calls in parallel while the API server keeps up.
const MOST: u32 = 16;
/// An answer that takes longer says that the API server does not keep up.
const SLOW: Duration = Duration::from_secs(5);

/// Bounds the calls under way: 16 at first; halved when the API server says 429 or answers slowly,
/// at most once for all calls that were under way together; one more after as many good answers as
/// the bound.
pub(super) struct Pace {
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    limit: u32,
    busy: u32,
    good: u32,
    /// Counts the halvings: a bad answer to a call that began before the last one says nothing new.
    halvings: u64,
}

/// A place among the calls under way; dropped without an answer it says nothing about the pace.
pub(super) struct Place<'a> {
    pace: &'a Pace,
    halvings: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        let state = State {
            limit: MOST,
            busy: 0,
            good: 0,
            halvings: 0,
        };
        Self {
            state: Mutex::new(state),
            freed: Notify::new(),
        }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self) -> Place<'_> {
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.try_enter() {
                return place;
            }
            freed.await;
        }
    }

    fn try_enter(&self) -> Option<Place<'_>> {
        let mut state = self.state();
        (state.busy < state.limit).then(|| {
            state.busy += 1;
            Place {
                pace: self,
                halvings: state.halvings,
            }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Leaves with what the answer says about the API server's load.
    pub(super) fn answered(self, took: Duration, too_many: bool) {
        let mut state = self.pace.state();
        if too_many || took > SLOW {
            if self.halvings == state.halvings {
                state.limit = (state.limit / 2).max(1);
                state.halvings += 1;
            }
            state.good = 0;
            return;
        }
        state.good += 1;
        if state.good >= state.limit && state.limit < MOST {
            state.limit += 1;
            state.good = 0;
            self.pace.freed.notify_one();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pace.state().busy -= 1;
        self.pace.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(20);

    fn room(pace: &Pace) -> usize {
        let places: Vec<_> = std::iter::from_fn(|| pace.try_enter()).collect();
        places.len()
    }

    #[test]
    fn calls_under_way_together_halve_the_pace_once() {
        let pace = Pace::new();
        let together: Vec<_> = std::iter::from_fn(|| pace.try_enter()).collect();
        assert_eq!(together.len(), 16);
        together
            .into_iter()
            .for_each(|place| place.answered(QUICK, true));
        assert_eq!(room(&pace), 8);
        pace.try_enter().unwrap().answered(SLOW * 2, false);
        assert_eq!(room(&pace), 4);
    }

    #[test]
    fn it_never_stops_and_good_answers_bring_it_back() {
        let pace = Pace::new();
        (0..10).for_each(|_| pace.try_enter().unwrap().answered(QUICK, true));
        assert_eq!(room(&pace), 1);
        (0..200).for_each(|_| pace.try_enter().unwrap().answered(QUICK, false));
        assert_eq!(room(&pace), 16);
    }

    #[tokio::test]
    async fn who_waits_enters_when_another_leaves() {
        let pace = Pace::new();
        let mut inside: Vec<_> = std::iter::from_fn(|| pace.try_enter()).collect();
        let waiting = pace.enter();
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        inside.pop();
        let _place = waiting.await;
    }
}
