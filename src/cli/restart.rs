//! `tidegate restart`: new pods without a commit, in batches.

use serde_json::json;

use crate::clock;
use crate::ledger::Ledger;
use crate::object::mark::request;

use super::Exit;
use super::ask::{Person, Request, ask};
use super::failure::Failure;
use super::reach::Target;
use super::show::{Report, Voice};

/// What is to be restarted.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// One workload; by default all.
    #[arg(value_name = "KIND/NAME", requires = "app")]
    workload: Option<String>,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    report: Report,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let app = &found.app;
    let workloads = workloads(&found.ledger, asked.workload.as_deref());
    if workloads.is_empty() {
        return Err(match asked.workload {
            Some(written) => Failure::NoSuchWorkload(written),
            None => Failure::NothingToDo(format!("{app} has no workloads that could be restarted")),
        });
    }
    let value = json!({"by": asked.person.by, "at": clock::now(), "workloads": workloads});
    let request = Request {
        annotation: request::RESTART,
        value: Some(value.to_string()),
        undo: None,
    };
    ask(&found.cluster, app, &request, asked.report, voice).await?;
    if let Some(aim) = found.ledger.failed_aim() {
        let short = aim.revision.id.short();
        voice.say(&format!("  it waits: {short} failed and is held as it is"));
    }
    voice.say("  the pods are replaced in batches, by the policy of each workload");
    voice.say(&format!("  follow it: tidegate watch {app}"));
    voice.say(&format!("  hold it: tidegate pause {app} --reason TEXT"));
    Ok(Exit::Done)
}

/// The names of the workloads that are meant, as the ledger writes them.
fn workloads(ledger: &Ledger, only: Option<&str>) -> Vec<String> {
    let names = ledger
        .inventory
        .keys()
        .filter(|id| id.is_workload())
        .map(crate::object::ObjectId::short);
    names
        .filter(|name| only.is_none_or(|only| only.eq_ignore_ascii_case(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Entry;

    #[test]
    fn all_workloads_are_meant_or_the_one_that_is_named() {
        let mut ledger = Ledger::new("tidegate", "agent", json!({}));
        let commit = "a".repeat(40).parse().unwrap();
        for key in [
            "/ConfigMap/shop/flags",
            "apps/Deployment/shop/api",
            "apps/Deployment/shop/web",
        ] {
            let entry = Entry::intended("v1", &commit, "a.yaml");
            ledger.inventory.insert(key.parse().unwrap(), entry);
        }
        assert_eq!(
            workloads(&ledger, None),
            ["Deployment/api", "Deployment/web"]
        );
        assert_eq!(
            workloads(&ledger, Some("deployment/web")),
            ["Deployment/web"]
        );
        assert!(workloads(&ledger, Some("ConfigMap/flags")).is_empty());
    }
}
