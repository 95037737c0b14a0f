//! `tidegate abort`: back to the last good revision.

use serde_json::json;

use crate::clock;
use crate::ledger::Ledger;
use crate::object::mark::request;

use super::Exit;
use super::ask::{Person, Request, ask};
use super::failure::Failure;
use super::reach::Target;
use super::show::{Report, Voice};

/// What is to be aborted, and why.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Why; it is written with the request.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    report: Report,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let app = &found.app;
    let Some(aim) = found.ledger.abortable() else {
        return Err(Failure::NothingToDo(nothing(
            &app.to_string(),
            &found.ledger,
        )));
    };
    let commit = &aim.revision.id;
    let Some(good) = &found.ledger.last_good else {
        let (app, commit) = (app.to_string(), commit.short());
        return Err(Failure::NoWayBack {
            app,
            commit: commit.to_owned(),
        });
    };
    let mut value = json!({"commit": commit, "by": asked.person.by, "at": clock::now()});
    if let Some(reason) = asked.reason {
        value["reason"] = json!(reason);
    }
    let request = Request {
        annotation: request::ABORT,
        value: Some(value.to_string()),
        undo: Some(format!("tidegate retry {app} {}", commit.short())),
    };
    ask(&found.cluster, app, &request, asked.report, voice).await?;
    let (commit, good) = (commit.short(), good.revision.id.short());
    voice.say(&format!(
        "  the pods go back to {good}; {commit} is quarantined"
    ));
    voice.say(&format!(
        "  Git still contains it. Make it permanent: git revert {commit}"
    ));
    Ok(Exit::Done)
}

/// Why there is nothing to abort.
fn nothing(app: &str, ledger: &Ledger) -> String {
    let mut rolling = ledger.rollouts.values().filter(|kept| !kept.is_over());
    if let Some(failed) = rolling.find(|kept| kept.failure.is_some()) {
        let commit = failed.write.commit.short();
        format!(
            "nothing of {app} is on its way; what failed of {commit} is held as it is under a newer \
             commit: git revert {commit} takes it back"
        )
    } else if ledger.rollouts.values().any(|kept| !kept.is_over()) {
        format!(
            "what rolls of {app} brings no other content: it is a restart, or takes back what was \
             changed past Git; tidegate pause {app} --reason TEXT holds a restart"
        )
    } else {
        format!("nothing of {app} is on its way or failed, so there is nothing to abort")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rollout of 9f3c2e1 over 41aa0d7, in batch 2 of 3.
    const ROLLING: &str = include_str!("../../tests/fixtures/ledger.json");

    #[test]
    fn a_restart_is_not_aborted_and_what_holds_it_is_said() {
        let mut ledger: Ledger = serde_json::from_str(ROLLING).unwrap();
        assert!(ledger.abortable().is_some());
        ledger.aim.as_mut().unwrap().is_done = true;
        assert!(ledger.abortable().is_none());
        let words = nothing("shop/web", &ledger);
        assert!(words.contains("tidegate pause shop/web"), "{words}");
        ledger.rollouts.clear();
        assert!(nothing("shop/web", &ledger).contains("nothing to abort"));
    }
}
