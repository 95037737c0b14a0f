//! `tidegate sync`: asks for a fetch and a pass now.

use std::time::Duration;

use crate::clock;
use crate::object::{mark::request, read_duration};

use super::Exit;
use super::ask::{Request, ask, write};
use super::failure::Failure;
use super::reach::Target;
use super::show::{Report, Voice};
use super::wait::{Watching, follow};

/// What is to be synced.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Waits until Git was fetched, then for the fate of the newest commit.
    #[arg(long)]
    wait: bool,
    /// How long to wait.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = read_duration, requires = "wait")]
    timeout: Duration,
    #[command(flatten)]
    report: Report,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let token = clock::now().to_string();
    let request = Request {
        annotation: request::SYNC,
        value: Some(token.clone()),
        undo: None,
    };
    // To a program that waits, the fate alone is told.
    if asked.wait && !asked.report.is_table() {
        write(&found.cluster, &found.app, &request).await?;
    } else {
        ask(&found.cluster, &found.app, &request, asked.report, voice).await?;
    }
    if !asked.wait {
        voice.say(&format!("  follow it: tidegate status {}", found.app));
        return Ok(Exit::Done);
    }
    let mut watching = Watching::new(found.cluster, found.app, asked.timeout, asked.report, voice);
    loop {
        let Some(ledger) = watching.next().await? else {
            return watching.timeout(None).await;
        };
        if ledger.served.get(request::SYNC) != Some(&token) {
            continue;
        }
        if let Some(problem) = ledger.unreachable() {
            return Err(Failure::GitUnreachable(problem.message.clone()));
        }
        let Some(tip) = &ledger.tip else { continue };
        let commit = tip.revision.id.as_str().to_owned();
        return follow(&mut watching, ledger, &commit).await;
    }
}
