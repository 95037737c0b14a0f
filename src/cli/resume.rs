//! `tidegate resume`: ends a pause by taking its request away.

use crate::object::mark::request;

use super::Exit;
use super::ask::{ask, undo};
use super::failure::Failure;
use super::reach::Target;
use super::show::Voice;
use super::table::{plain, quoted};

/// What is to go on.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    ask(&found.cluster, &found.app, request::PAUSE, None).await?;
    match &found.ledger.pause {
        Some(pause) => {
            let again = format!(
                "tidegate pause {} --reason {}",
                found.app,
                quoted(&plain(&pause.reason))
            );
            undo(voice, &again);
        }
        None => voice.say("  it was not paused by what the ledger records"),
    }
    Ok(Exit::Done)
}
