//! `tidegate resume`: ends a pause by taking its request away.

use crate::object::mark::request;

use super::Exit;
use super::ask::{Request, ask};
use super::failure::Failure;
use super::reach::Target;
use super::show::{Report, Voice};
use super::table::{plain, quoted};

/// What is to go on.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    report: Report,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let again = found.ledger.pause.as_ref().map(|pause| {
        let reason = quoted(&plain(&pause.reason));
        format!("tidegate pause {} --reason {reason}", found.app)
    });
    let request = Request {
        annotation: request::PAUSE,
        value: None,
        undo: again,
    };
    ask(&found.cluster, &found.app, &request, asked.report, voice).await?;
    if found.ledger.pause.is_none() {
        voice.say("  it was not paused by what the ledger records");
    }
    Ok(Exit::Done)
}
