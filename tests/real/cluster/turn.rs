//! Turns: the tests that use a control plane run no more at a time than the machine has processors,
//! however many tests the runner starts.

use std::cell::RefCell;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

thread_local! {
    /// The turn of the test that runs on this thread; it ends with the thread.
    static OURS: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

struct Turn;

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        GIVEN_BACK.notify_one();
    }
}

/// Waits until it is this test's turn, where it has not come already. On threads that are no
/// test's (the runner names those by the path of the test) there is nothing to wait for.
pub(super) fn take() {
    let of_test = thread::current()
        .name()
        .is_some_and(|name| name.contains("::"));
    if !of_test {
        return;
    }
    OURS.with_borrow_mut(|ours| {
        ours.get_or_insert_with(|| {
            let at_once = thread::available_parallelism().map_or(2, usize::from);
            let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
            let mut taken = GIVEN_BACK
                .wait_while(taken, |taken| *taken >= at_once)
                .unwrap_or_else(PoisonError::into_inner);
            *taken += 1;
            Turn
        });
    });
}
