//! `tidegate release`: gives the workloads back to Kubernetes.

use crate::sync::{How, release};

use super::Exit;
use super::ask::{Person, undo};
use super::failure::Failure;
use super::reach::Target;
use super::show::{Voice, print};

/// What is to be released, and which way.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Takes rollouts under way back to the last good template; else healthy ones go on natively.
    #[arg(long, conflicts_with = "undo")]
    back: bool,
    /// Takes the mark of a release away: the agent goes on.
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    person: Person,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let cluster = asked.target.reach.cluster().await?;
    let app = asked.target.app(&cluster).await?;
    let how = match (asked.undo, asked.back) {
        (true, _) => How::Undo,
        (false, true) => How::Back,
        (false, false) => How::Onward,
    };
    let done = release(&cluster, &app.namespace, &app.name, &asked.person.by, how).await?;
    let head = format!("ConfigMap/{}/tidegate-{}", app.namespace, app.name);
    let mark = match (how, done.is_news) {
        (How::Undo, true) => format!("{app}: took the mark `released` from the ledger {head}\n"),
        (How::Undo, false) => format!("{app}: was not released\n"),
        (How::Onward | How::Back, true) => {
            format!("{app}: wrote the mark `released` into the ledger {head}\n")
        }
        (How::Onward | How::Back, false) => format!("{app}: was marked as released before\n"),
    };
    let mut text = mark;
    for (workload, with_template) in &done.workloads {
        let what = if *with_template {
            "its own times and strategy and the last good template are back"
        } else {
            "its own times and strategy are back; what was begun goes on"
        };
        text.push_str(&format!("{workload}: {what}\n"));
    }
    print(&text)?;
    match how {
        How::Undo => voice.say("  the agent goes on with its next pass"),
        How::Onward | How::Back => undo(voice, &format!("tidegate release {app} --undo")),
    }
    Ok(Exit::Done)
}
