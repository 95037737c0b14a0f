//! `tidegate pause`: holds a GitSync.

use std::time::Duration;

use jiff::SignedDuration;

use crate::clock;
use crate::ledger::Pause;
use crate::object::{mark::request, read_duration};

use super::Exit;
use super::ask::{Person, Request, ask};
use super::failure::Failure;
use super::reach::Target;
use super::show::{Report, Voice};

/// What is to be held, and why.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Why; it is shown wherever the pause is.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How long, such as 30m or 2h; by default until `tidegate resume`.
    #[arg(long = "for", value_name = "DURATION", value_parser = read_duration)]
    span: Option<Duration>,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    report: Report,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let at = clock::now();
    let end = |span| at.checked_add(SignedDuration::try_from(span).ok()?).ok();
    let pause = Pause {
        by: asked.person.by,
        at,
        reason: asked.reason,
        until: asked.span.and_then(end),
    };
    let value = serde_json::to_string(&pause).expect("texts and times are JSON");
    let request = Request {
        annotation: request::PAUSE,
        value: Some(value),
        undo: Some(format!("tidegate resume {}", found.app)),
    };
    ask(&found.cluster, &found.app, &request, asked.report, voice).await?;
    Ok(Exit::Done)
}
