//! `tidegate promote`: lets the next batch open as soon as its pods allow it.

use serde_json::json;

use crate::clock;
use crate::ledger::{Ledger, promotion};
use crate::object::{ObjectId, mark::request};

use super::Exit;
use super::ask::{Person, Request, ask};
use super::failure::Failure;
use super::reach::Target;
use super::show::{Report, Voice};

/// What is to go on.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// One workload; by default all that are on their way.
    #[arg(value_name = "KIND/NAME", requires = "app")]
    workload: Option<String>,
    /// Lets all batches that are left open, one after the other, as soon as the one before is
    /// healthy.
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    report: Report,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let app = &found.app;
    let only = asked.workload.as_deref();
    let batches = batches(&found.ledger, only);
    let Some(commit) = found.ledger.forward().filter(|_| !batches.is_empty()) else {
        let what = only.map_or_else(|| app.to_string(), |only| format!("{only} of {app}"));
        let text = format!("no batch of {what} is still to open, so there is nothing to promote");
        return Err(Failure::NothingToDo(text));
    };
    let tokens: Vec<String> = batches
        .iter()
        .map(|(id, batch)| promotion(commit, id, (!asked.full).then_some(*batch)))
        .collect();
    for (id, batch) in &batches {
        let id = id.short();
        voice.say(&if asked.full {
            format!("{id}: batch {batch} and all after it open as soon as the pods are healthy")
        } else {
            format!("{id}: batch {batch} opens as soon as the pods before it are healthy")
        });
    }
    let value = json!({"by": asked.person.by, "at": clock::now(), "promote": tokens});
    let request = Request {
        annotation: request::PROMOTE,
        value: Some(value.to_string()),
        undo: Some(format!("tidegate pause {app} --reason TEXT")),
    };
    ask(&found.cluster, app, &request, asked.report, voice).await?;
    Ok(Exit::Done)
}

/// The workloads that are meant, each with the batch that would open next.
fn batches<'a>(ledger: &'a Ledger, only: Option<&str>) -> Vec<(&'a ObjectId, u32)> {
    let waiting = ledger.waiting().map(|(id, _)| id);
    let ids = ledger.inventory.keys().chain(waiting);
    let is_meant = |id: &&ObjectId| only.is_none_or(|only| id.short().eq_ignore_ascii_case(only));
    let mut found: Vec<(&ObjectId, u32)> = ids
        .filter(is_meant)
        .filter_map(|id| Some((id, ledger.promotable(id)?)))
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::Entry;

    /// A rollout of 9f3c2e1 over 41aa0d7, in batch 2 of 3.
    const ROLLING: &str = include_str!("../../tests/fixtures/ledger.json");

    #[test]
    fn the_batch_after_the_open_one_is_meant_and_none_after_the_last() {
        let mut json: Value = serde_json::from_str(ROLLING).unwrap();
        let read = |json: &Value| {
            let mut ledger: Ledger = serde_json::from_value(json.clone()).unwrap();
            let ids: Vec<ObjectId> = ledger.rollouts.keys().cloned().collect();
            let commit = ledger.forward().unwrap().clone();
            for id in ids {
                let entry = Entry::intended("apps/v1", &commit, "web.yaml");
                ledger.inventory.insert(id, entry);
            }
            ledger
        };
        let next = |json: &Value, only: Option<&str>| -> Vec<u32> {
            let ledger = read(json);
            batches(&ledger, only)
                .into_iter()
                .map(|(_, batch)| batch)
                .collect()
        };
        assert_eq!(next(&json, None), [3]);
        assert_eq!(next(&json, Some("deployment/web")), [3]);
        assert_eq!(next(&json, Some("Deployment/api")), [] as [u32; 0]);
        json["rollouts"]["apps/Deployment/shop/web"]["batch"] = json!(3);
        assert_eq!(next(&json, None), [] as [u32; 0]);
    }
}
