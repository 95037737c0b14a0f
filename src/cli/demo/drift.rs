//! Changes past Git by the user's own hands, and what the agent does about them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::paper::Mark;
use super::play::{Play, Scene};
use super::shop::{NAME, NAMESPACE, PODS};
use crate::cli::failure::Failure;
use crate::clock::since_boot;
use crate::object::Object;
use crate::status::Picture;

/// Between two looks at the agent's Events.
const LOOK: Duration = Duration::from_secs(1);
/// The Events that tell of changes past Git.
const REASONS: [&str; 2] = ["DriftDetected", "DriftCorrected"];

/// What was told of them so far.
#[derive(Debug, Default)]
pub(super) struct Drift {
    told: BTreeSet<String>,
    /// When the Events were last looked at, since boot.
    looked: Option<Duration>,
}

impl Drift {
    /// Returns what these Events tell that was not told before.
    fn news(&mut self, events: &[Object]) -> Vec<String> {
        let mut news = Vec::new();
        for event in events {
            let is_drift = event
                .text("/reason")
                .is_some_and(|it| REASONS.contains(&it));
            let (Some(uid), Some(note)) = (event.text("/metadata/uid"), event.text("/note")) else {
                continue;
            };
            if is_drift && self.told.insert(uid.to_owned()) {
                news.push(note.to_owned());
            }
        }
        news
    }
}

impl Play {
    /// Tells what was changed past Git, and when pods were missing at rest and are there again.
    pub(super) async fn tell_drift(&mut self, picture: Option<&Picture>) -> Result<(), Failure> {
        let recovery = self.recovery(picture);
        // What was changed is told before its end.
        let is_due = self.drift.looked.is_none_or(|at| since_boot() >= at + LOOK);
        if picture.is_some() && (is_due || recovery.is_some()) {
            self.tell_changes().await?;
        }
        if let Some(words) = recovery {
            self.stage.witness.begin();
            self.paper.tell(Mark::Done, &words)?;
        }
        Ok(())
    }

    async fn tell_changes(&mut self) -> Result<(), Failure> {
        self.drift.looked = Some(since_boot());
        let (version, kind) = ("events.k8s.io/v1", "Event");
        let (cluster, all) = (&self.stage.cluster, BTreeMap::new());
        // What cannot be read is told at the next look.
        let Ok(events) = cluster.list(version, kind, Some(NAMESPACE), &all).await else {
            return Ok(());
        };
        for note in self.drift.news(&events) {
            self.paper.tell(Mark::Busy, &format!("past Git: {note}"))?;
        }
        Ok(())
    }

    /// What is to be told where pods were missing at rest and are there again.
    fn recovery(&self, picture: Option<&Picture>) -> Option<String> {
        let is_rest = matches!(self.scene, Scene::Rest);
        let is_moving =
            picture.is_none_or(|picture| picture.strips.iter().any(|strip| !strip.is_over()));
        let account = self.stage.witness.account();
        let fewest = account.fewest.filter(|fewest| *fewest < PODS);
        let is_whole = account.now.all_ready() >= PODS;
        let fewest = fewest.filter(|_| is_rest && !is_moving && is_whole)?;
        let words =
            format!("all {PODS} pods of {NAME} are ready again; for a moment {fewest} were");
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_change_past_git_is_told_once() {
        let event = |uid: &str, reason: &str| {
            let event = json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event",
                "metadata": {"name": uid, "uid": uid}, "reason": reason, "note": uid,
            });
            Object::new(event).unwrap()
        };
        let mut drift = Drift::default();
        let first = [event("a", "DriftCorrected"), event("b", "BatchStarted")];
        assert_eq!(drift.news(&first), ["a"]);
        let second = [event("a", "DriftCorrected"), event("c", "DriftDetected")];
        assert_eq!(drift.news(&second), ["c"]);
    }
}
