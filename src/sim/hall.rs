//! The store behind its lock, and the bell that rings after each change.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::store::Store;
use super::time::Time;

/// A store that many may use. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Hall {
    store: Arc<Mutex<Store>>,
    bell: Arc<watch::Sender<u64>>,
    time: Time,
}

impl Hall {
    /// Opens a hall around an empty store; the same seed gives the same UIDs and random names.
    #[must_use]
    pub fn new(time: Time, seed: u64) -> Self {
        let store = Store::new(time.clone(), seed);
        let bell = watch::Sender::new(store.revision());
        Self {
            store: Arc::new(Mutex::new(store)),
            bell: Arc::new(bell),
            time,
        }
    }

    /// Uses the store alone, and rings if that changed something.
    pub fn enter<T>(&self, visit: impl FnOnce(&mut Store) -> T) -> T {
        // A visitor that panicked has left whole objects behind: each write is one step.
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let result = visit(&mut store);
        let revision = store.revision();
        drop(store);
        self.bell.send_if_modified(|seen| {
            let is_new = *seen != revision;
            *seen = revision;
            is_new
        });
        result
    }

    /// Returns the bell: it says the revision of the last change.
    #[must_use]
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Returns the time of the cluster.
    #[must_use]
    pub const fn time(&self) -> &Time {
        &self.time
    }
}
