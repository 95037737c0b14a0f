//! The one place that asks what time it is.
//!
//! Never: a decision. Pure rooms take `now` as an argument.

use std::time::Duration;

use jiff::Timestamp;

/// Returns the wall clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is their home")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns the time since boot, time spent suspended included, so that a stopped and resumed
/// process sees how long it was away (`CLOCK_BOOTTIME`; it does not follow changes of the wall
/// clock).
#[must_use]
pub fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

#[cfg(test)]
mod tests {
    #[test]
    fn time_since_boot_moves_forward() {
        let before = super::since_boot();
        assert!(super::since_boot() >= before);
    }
}
