//! `tidegate retry`: lifts the quarantine of a commit.

use serde_json::json;

use crate::clock;
use crate::ledger::{Ledger, Outcome};
use crate::object::mark::request;
use crate::revision::CommitId;

use super::Exit;
use super::ask::{ask, undo};
use super::failure::Failure;
use super::reach::Target;
use super::show::Voice;

/// What is to be tried again.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The commit or its beginning; by default the newest that failed.
    #[arg(value_name = "SHA", requires = "app")]
    commit: Option<String>,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let app = &found.app;
    let commit = match &asked.commit {
        Some(beginning) => found.commit(beginning)?,
        None => newest_failed(&found.ledger).ok_or_else(|| {
            let text = format!("no commit of {app} has failed, so there is nothing to try again");
            Failure::NothingToDo(text)
        })?,
    };
    // The time tells it from an earlier request for the same commit, which was served.
    let value = json!({"commit": commit, "at": clock::now()}).to_string();
    ask(&found.cluster, app, request::RETRY, Some(&value)).await?;
    undo(voice, &format!("tidegate abort {app}"));
    Ok(Exit::Done)
}

/// A rejected tip, else what is quarantined, else the newest that failed. A commit that was rejected
/// before the tip came is over.
fn newest_failed(ledger: &Ledger) -> Option<CommitId> {
    let tip = ledger.tip.as_ref().map(|tip| &tip.revision.id);
    let tip = tip.and_then(|tip| ledger.deployed(tip));
    if let Some(rejected) = tip.filter(|tip| tip.outcome == Outcome::Rejected) {
        return Some(rejected.revision.id.clone());
    }
    let failed = ledger.history.iter().find(|deployed| {
        matches!(
            deployed.outcome,
            Outcome::Failed | Outcome::RolledBack | Outcome::Aborted
        )
    });
    let culprit = ledger.quarantine.culprits().last();
    culprit
        .map(|culprit| culprit.commit.clone())
        .or_else(|| Some(failed?.revision.id.clone()))
}
