//! `tidegate retry`: lifts the quarantine of a commit.

use serde_json::json;

use crate::clock;
use crate::ledger::{Ledger, Outcome, Trouble};
use crate::object::mark::request;
use crate::revision::CommitId;

use super::Exit;
use super::ask::{Request, ask};
use super::failure::Failure;
use super::reach::Target;
use super::show::{Report, Voice};

/// What is to be tried again.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The commit or its beginning; by default the newest that failed.
    #[arg(value_name = "SHA", requires = "app")]
    commit: Option<String>,
    #[command(flatten)]
    report: Report,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let app = &found.app;
    let commit = match &asked.commit {
        Some(beginning) => {
            let commit = found.commit(beginning)?;
            if !may_help(&found.ledger, &commit) {
                let short = commit.short();
                let text = format!(
                    "{short} of {app} has not failed and nothing of it is held, so there is \
                     nothing to try again"
                );
                return Err(Failure::NothingToDo(text));
            }
            commit
        }
        None => newest_failed(&found.ledger).ok_or_else(|| {
            let text = format!("no commit of {app} has failed, so there is nothing to try again");
            Failure::NothingToDo(text)
        })?,
    };
    // The time tells it from an earlier request for the same commit, which was served.
    let value = json!({"commit": commit, "at": clock::now()}).to_string();
    let request = Request {
        annotation: request::RETRY,
        value: Some(value),
        undo: Some(format!("tidegate abort {app}")),
    };
    ask(&found.cluster, app, &request, asked.report, voice).await?;
    Ok(Exit::Done)
}

/// Says whether something of a commit failed, was rejected, is held or is left to others.
fn may_help(ledger: &Ledger, commit: &CommitId) -> bool {
    let is_held = ledger.quarantine.culprit(commit).is_some();
    let has_ended_badly = ledger
        .deployed(commit)
        .is_some_and(|deployed| match deployed.outcome {
            Outcome::Failed
            | Outcome::RolledBack
            | Outcome::Aborted
            | Outcome::Rejected
            | Outcome::Held => true,
            Outcome::Pending
            | Outcome::InProgress
            | Outcome::Succeeded
            | Outcome::CompletedWithFailures
            | Outcome::Superseded => false,
        });
    is_held || has_ended_badly || obstructed(ledger).as_ref() == Some(commit)
}

/// What is wanted, where writes of it are refused or others fight for it.
fn obstructed(ledger: &Ledger) -> Option<CommitId> {
    let is_obstructed = [Trouble::ApplyFailed, Trouble::DriftFight]
        .into_iter()
        .any(|reason| ledger.problem(reason).is_some());
    let aim = ledger.aim.as_ref().filter(|_| is_obstructed)?;
    Some(aim.revision.id.clone())
}

/// A rejected tip, else what is quarantined, else the newest that failed, else what others fight
/// for. A commit that was rejected before the tip came is over.
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
        .or_else(|| obstructed(ledger))
}
