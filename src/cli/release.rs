//! `tidegate release`: gives the workloads back to Kubernetes.

use serde::Serialize;

use crate::object::ObjectId;
use crate::sync::{How, release};

use super::Exit;
use super::ask::{Person, undo as undo_by};
use super::failure::Failure;
use super::reach::Target;
use super::show::{Report, Voice};

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
    #[command(flatten)]
    report: Report,
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
    let undo = match how {
        How::Undo => None,
        How::Onward | How::Back => Some(format!("tidegate release {app} --undo")),
    };
    let given = Given {
        gitsync: app.to_string(),
        object: format!("ConfigMap/{}/tidegate-{}", app.namespace, app.name),
        is_released: how != How::Undo,
        is_news: done.is_news,
        workloads: done.workloads.iter().map(Workload::of).collect(),
        undo,
    };
    asked.report.one(&given, || given.text())?;
    match given.undo.as_ref().filter(|_| asked.report.is_table()) {
        Some(command) => undo_by(voice, command),
        None if how == How::Undo => voice.say("  the agent goes on with its next pass"),
        None => {}
    }
    Ok(Exit::Done)
}

/// What was given back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    gitsync: String,
    /// The head of the ledger, where the mark is.
    object: String,
    is_released: bool,
    /// Whether the mark was changed by this call.
    is_news: bool,
    workloads: Vec<Workload>,
    undo: Option<String>,
}

/// One workload that was given back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Workload {
    workload: String,
    /// Whether the last good template is back; else what was begun goes on.
    is_back: bool,
}

impl Workload {
    fn of((id, is_back): &(ObjectId, bool)) -> Self {
        Self {
            workload: id.to_string(),
            is_back: *is_back,
        }
    }
}

impl Given {
    fn text(&self) -> String {
        let (app, head) = (&self.gitsync, &self.object);
        let mut text = match (self.is_released, self.is_news) {
            (false, true) => format!("{app}: took the mark `released` from the ledger {head}\n"),
            (false, false) => format!("{app}: was not released\n"),
            (true, true) => format!("{app}: wrote the mark `released` into the ledger {head}\n"),
            (true, false) => format!("{app}: was marked as released before\n"),
        };
        for Workload { workload, is_back } in &self.workloads {
            let what = if *is_back {
                "its own times and strategy and the last good template are back"
            } else {
                "its own times and strategy are back; what was begun goes on"
            };
            text.push_str(&format!("{workload}: {what}\n"));
            if *is_back && workload.starts_with("StatefulSet/") {
                text.push_str(
                    "  its pods that are not Ready stay until somebody deletes them \
                     (kubernetes#67250): kubectl delete pod NAME\n",
                );
            }
        }
        text
    }
}
