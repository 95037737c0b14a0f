//! The local check that the Lease is still ours.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::clock;

/// Says, without asking anybody, whether this process may still write as the holder of the Lease.
///
/// It compares the time since boot, suspension included, with that of the last successful
/// renewal: a process that was stopped and wakes finds it closed before its next write. It is no
/// substitute for the compare-and-swap of the ledger: a write that is under way when the lease
/// runs out still arrives.
#[derive(Clone, Debug)]
pub struct Fence {
    lease: Duration,
    /// Milliseconds since boot when the last successful renewal was sent; 0 while closed.
    renewed: Arc<AtomicU64>,
}

impl Fence {
    /// Returns a closed fence for a lease of that duration.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            renewed: Arc::default(),
        }
    }

    /// Says whether the last renewal is younger than the lease.
    #[must_use]
    pub fn check(&self) -> bool {
        self.holds_at(clock::since_boot())
    }

    /// Opens it: a renewal that was sent at `sent`, measured since boot, has succeeded.
    pub fn renew(&self, sent: Duration) {
        self.renewed.store(milliseconds(sent), Ordering::SeqCst);
    }

    /// Closes it until the next renewal.
    pub fn close(&self) {
        self.renewed.store(0, Ordering::SeqCst);
    }

    fn holds_at(&self, now: Duration) -> bool {
        let renewed = self.renewed.load(Ordering::SeqCst);
        renewed > 0 && milliseconds(now).saturating_sub(renewed) < milliseconds(self.lease)
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_only_while_the_last_renewal_is_younger_than_the_lease() {
        let at = Duration::from_secs;
        let fence = Fence::new(at(15));
        assert!(!fence.holds_at(at(1)), "nothing was renewed yet");
        fence.renew(at(100));
        assert!(fence.holds_at(at(114)));
        assert!(
            !fence.holds_at(at(115)),
            "a stopped process wakes behind a closed fence"
        );
        fence.renew(at(115));
        assert!(fence.clone().holds_at(at(116)));
        fence.close();
        assert!(!fence.holds_at(at(116)));
    }
}
