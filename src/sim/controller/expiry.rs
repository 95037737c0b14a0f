//! The end of Events: the API server keeps each for an hour after it was last told
//! (`--event-ttl`, a lease of etcd).

use std::time::Duration;

use jiff::Timestamp;

use super::desk::{Desk, Key, Outcome};
use crate::object::Object;
use crate::sim::time::later;

/// How long an Event is kept (`DefaultEventTTL`).
const KEPT: Duration = Duration::from_secs(60 * 60);

/// Where an Event tells when it was told.
const TOLD: &[&str] = &[
    "/lastTimestamp",
    "/series/lastObservedTime",
    "/eventTime",
    "/metadata/creationTimestamp",
];

/// Takes an Event away whose time is over.
pub(super) fn sync(desk: &mut Desk<'_>, key: &Key) -> Outcome {
    let Some(event) = desk.get(key) else {
        return Ok(None);
    };
    let due = told(&event).map(|told| later(told, KEPT));
    if due.is_some_and(|due| due <= desk.now()) {
        desk.delete(&event)?;
        return Ok(None);
    }
    Ok(due)
}

fn told(event: &Object) -> Option<Timestamp> {
    let times = TOLD.iter().filter_map(|place| event.text(place));
    times.filter_map(|text| text.parse().ok()).max()
}
