//! Keeps one app at work, whatever happens to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, warn};

use crate::cluster::{Announcement, Records, Tone};
use crate::config::GitSync;
use crate::status::Verdict;

use super::app::{App, Shared, Stopped, told};
use super::run::key;

/// Pause before an app that lost its ledger, or could not take it, is started again.
const AGAIN: Duration = Duration::from_secs(5);

/// Tells by an Event on the head of the ledger, where there is one, why an app cannot begin.
async fn tell_on_head(sync: &GitSync, shared: &Shared, fault: &str) {
    let id = Records::head(&sync.namespace, &sync.name);
    let (Some(announcer), Ok(Some(head))) =
        (&shared.announcer, shared.cluster.get("v1", &id).await)
    else {
        return;
    };
    announcer.announce(Announcement {
        api_version: head.api_version().to_owned(),
        uid: head.uid().unwrap_or_default().to_owned(),
        id,
        tone: Tone::Warning,
        reason: "CannotBegin".to_owned(),
        action: "Sync".to_owned(),
        note: fault.to_owned(),
    });
}

/// What the tip of an app came to, or what kept it from coming to anything.
pub(super) type Fate = Result<Verdict, String>;

/// Keeps an app at work until it is told to stop, or done as `--once` asked. One app's trouble
/// never stops another.
pub(super) async fn tend(
    sync: GitSync,
    shared: Shared,
    mut stop: watch::Receiver<bool>,
    once: bool,
) -> Option<Fate> {
    let shared = Arc::new(shared);
    loop {
        let fault = match App::open(sync.clone(), Shared::clone(&shared)).await {
            Ok(app) => match app.work(stop.clone(), once).await {
                Stopped::Told => return None,
                Stopped::Done(fate) => return Some(fate),
                Stopped::Lost(fault) => {
                    warn!(gitsync = key(&sync), cause = %fault, "the ledger was lost; taken up again");
                    fault.to_string()
                }
            },
            Err(fault) => {
                error!(gitsync = key(&sync), cause = %fault, "cannot begin");
                let fault = fault.to_string();
                tell_on_head(&sync, &shared, &fault).await;
                fault
            }
        };
        if once {
            return Some(Err(fault));
        }
        tokio::select! {
            () = told(&mut stop) => return None,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}
