//! Follows one GitSync: a picture that is painted over and over on a terminal, elsewhere one line a
//! change.

mod bars;
mod draw;
mod eyes;
mod line;
mod overview;
mod screen;
mod sheet;

use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, sleep, timeout};

use super::Exit;
use super::failure::Failure;
use super::reach::Found;
use super::show::{Show, Voice};
use super::wait::outcome;
use crate::clock;
use crate::cluster::Changed;
use crate::status::{Picture, Verdict, subject, verdict};

pub(super) use self::draw::{Canvas, draw};
pub(super) use self::eyes::{Eyes, readable};
pub(super) use self::line::{Line, wrapped};
pub(super) use self::overview::Overview;
pub(super) use self::screen::{Screen, Size};
pub(super) use self::sheet::{Sheet, is_live};

/// Time between two frames: five a second at most.
const FRAME: Duration = Duration::from_millis(200);
/// Time between two looks at the ledger while no pod changes; elapsed times go on too.
const LOOK: Duration = Duration::from_millis(500);

/// When watching ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With the fate of what is under way, else of the next commit.
    Fate,
    /// When interrupted.
    Never,
}

/// Shows a GitSync until the end; being interrupted ends the watching, never the rollout.
pub(super) async fn follow(
    found: Found,
    end: End,
    limit: Option<Duration>,
    show: Show,
    voice: Voice,
) -> Result<Exit, Failure> {
    let app = found.app.to_string();
    let sheet = Sheet::new(show, &app)?;
    let watching = watch(Eyes::new(found), end, sheet);
    let limited = async {
        match limit {
            Some(limit) => timeout(limit, watching).await.ok(),
            None => Some(watching.await),
        }
    };
    tokio::select! {
        exit = limited => exit.unwrap_or_else(|| {
            voice.say(&format!("{app}  timeout; the work goes on"));
            Ok(Exit::Timeout)
        }),
        _ = tokio::signal::ctrl_c() => {
            // The terminal has just shown `^C`.
            voice.say("");
            voice.say(&format!(
                "no longer watching; the rollout goes on. Look again: tidegate watch {app}"
            ));
            Ok(Exit::Interrupted)
        }
    }
}

async fn watch(mut eyes: Eyes, end: End, mut sheet: Sheet) -> Result<Exit, Failure> {
    let mut changes = eyes.changes();
    let mut has_begun = false;
    let mut first = None;
    loop {
        let started = Instant::now();
        match eyes.look(clock::now()).await {
            Ok(picture) => {
                let fate = fate(&eyes, &picture);
                let shown = subject(&eyes.ledger).map(|revision| revision.id.clone());
                let is_new = *first.get_or_insert_with(|| shown.clone()) != shown;
                let is_open = matches!(
                    fate,
                    Verdict::Going | Verdict::Unseen | Verdict::Waiting(..)
                );
                has_begun |= is_new || is_open;
                let ended = outcome(&fate).filter(|_| has_begun && end == End::Fate);
                if let Some((exit, words)) = ended {
                    sheet.end(&picture, exit, &words)?;
                    return Ok(exit);
                }
                sheet.show(&picture, has_begun || end == End::Never)?;
            }
            Err(Failure::Refused(refusal)) if refusal.is_transient() => {
                sheet.trouble(&refusal.to_string())?;
            }
            Err(failure) => return Err(failure),
        }
        sleep(FRAME.saturating_sub(started.elapsed())).await;
        changed(&mut changes).await;
    }
}

/// What becomes of the commit that is shown.
fn fate(eyes: &Eyes, picture: &Picture) -> Verdict {
    let Some(shown) = subject(&eyes.ledger) else {
        return Verdict::Unseen;
    };
    match verdict(&eyes.ledger, &shown.id) {
        // A restart, or drift of a template that is taken back.
        Verdict::Done(_) if picture.strips.iter().any(|strip| !strip.is_over()) => Verdict::Going,
        fate => fate,
    }
}

/// Waits until a pod or workload changes, but not for long.
async fn changed(changes: &mut broadcast::Receiver<Changed>) {
    match timeout(LOOK, changes.recv()).await {
        Ok(Ok(_) | Err(RecvError::Lagged(_))) => {
            // Whatever else has changed will be seen by the same look.
            while changes.try_recv().is_ok() {}
        }
        Ok(Err(RecvError::Closed)) => sleep(LOOK).await,
        Err(_) => {}
    }
}
