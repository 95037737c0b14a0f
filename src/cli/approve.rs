//! `tidegate approve`: lets go on what waits for it. What is approved names the commit and the set
//! of deletes, so a late approval opens nothing else.

use serde_json::json;

use crate::clock;
use crate::object::mark::request;
use crate::status::{Approval, approvals};

use super::Exit;
use super::ask::{Request, ask};
use super::failure::Failure;
use super::reach::Target;
use super::show::{Report, Voice};
use super::table::plain;

/// What is to be approved.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// What waits, or its beginning, as `tidegate status -o json` names it; needed where several
    /// things wait.
    #[arg(value_name = "TOKEN", requires = "app")]
    token: Option<String>,
    #[command(flatten)]
    report: Report,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let app = &found.app;
    let waiting = approvals(&found.ledger);
    let Some(approval) = choose(&waiting, asked.token.as_deref(), &app.to_string())? else {
        let text = format!("nothing of {app} waits for an approval");
        return Err(Failure::NothingToDo(text));
    };
    voice.say(&approval.what);
    for object in &approval.objects {
        voice.say(&format!("  - {object}"));
    }
    let annotation = request::APPROVE;
    let (namespace, name) = (&app.namespace, &app.name);
    // The time tells it from an earlier approval of the same, which was spent.
    let value = json!({"approve": approval.token, "at": clock::now()}).to_string();
    let request = Request {
        annotation,
        value: Some(value),
        undo: Some(format!(
            "kubectl -n {namespace} annotate configmap tidegate-{name} {annotation}-  (until it is served)"
        )),
    };
    ask(&found.cluster, app, &request, asked.report, voice).await?;
    Ok(Exit::Done)
}

/// The one thing that waits, or the one that is named.
fn choose<'a>(
    waiting: &'a [Approval],
    token: Option<&str>,
    app: &str,
) -> Result<Option<&'a Approval>, Failure> {
    let is_meant =
        |approval: &&Approval| token.is_none_or(|token| approval.token.starts_with(token));
    let meant: Vec<&Approval> = waiting.iter().filter(is_meant).collect();
    match (meant.as_slice(), token) {
        ([], Some(asked)) if !waiting.is_empty() => Err(Failure::NoSuchApproval {
            app: app.to_owned(),
            asked: asked.to_owned(),
        }),
        ([], _) => Ok(None),
        ([one], _) => Ok(Some(one)),
        (several, _) => {
            let line = |one: &&Approval| format!("  {}  {}", one.token, plain(&one.what));
            Err(Failure::WhichApproval(several.iter().map(line).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(token: &str) -> Approval {
        Approval {
            token: token.to_owned(),
            what: "w".to_owned(),
            objects: Vec::new(),
        }
    }

    #[test]
    fn one_thing_that_waits_is_meant_and_of_several_one_is_named() {
        let one = [approval("aaaa/prune/1")];
        let two = [approval("aaaa/prune/1"), approval("bbbb/rewrite")];
        let token = |waiting: &[Approval], token: Option<&str>| {
            choose(waiting, token, "shop/web").map(|found| found.map(|a| a.token.clone()))
        };
        assert_eq!(token(&[], None).unwrap(), None);
        assert_eq!(token(&one, None).unwrap().unwrap(), "aaaa/prune/1");
        assert_eq!(token(&two, Some("bbbb")).unwrap().unwrap(), "bbbb/rewrite");
        assert!(matches!(token(&two, None), Err(Failure::WhichApproval(_))));
        assert!(matches!(
            token(&one, Some("cccc")),
            Err(Failure::NoSuchApproval { .. })
        ));
    }
}
