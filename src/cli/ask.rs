//! Writes a request: an annotation on the head of the ledger, which the agent serves.

use serde::Serialize;
use serde_json::json;

use crate::cluster::{Cluster, Records};
use crate::object::mark;

use super::failure::Failure;
use super::reach::App;
use super::show::{Report, Voice};

/// What is asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    /// The annotation.
    pub(super) annotation: &'static str,
    /// Its value; `None` takes it away.
    pub(super) value: Option<String>,
    /// The command that undoes it, where there is one.
    pub(super) undo: Option<String>,
}

/// A request as it was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written<'a> {
    gitsync: String,
    object: String,
    #[serde(flatten)]
    request: &'a Request,
}

/// Sets the annotation or takes it away, and tells what was written and how it is undone.
pub(super) async fn ask(
    cluster: &Cluster,
    app: &App,
    request: &Request,
    report: Report,
    voice: Voice,
) -> Result<(), Failure> {
    let written = write(cluster, app, request).await?;
    report.one(&written, || written.text())?;
    if let Some(command) = request.undo.as_ref().filter(|_| report.is_table()) {
        undo(voice, command);
    }
    Ok(())
}

/// Sets the annotation or takes it away; tells nothing.
pub(super) async fn write<'a>(
    cluster: &Cluster,
    app: &App,
    request: &'a Request,
) -> Result<Written<'a>, Failure> {
    let head = Records::head(&app.namespace, &app.name);
    let patch = json!({"metadata": {"annotations": {request.annotation: request.value}}});
    cluster
        .merge("v1", &head, &patch, mark::CLI_MANAGER)
        .await?;
    Ok(Written {
        gitsync: app.to_string(),
        object: head.to_string(),
        request,
    })
}

impl Written<'_> {
    fn text(&self) -> String {
        let Request {
            annotation, value, ..
        } = self.request;
        let (gitsync, object) = (&self.gitsync, &self.object);
        match value {
            Some(value) => format!("{gitsync}: set {annotation}={value} on {object}\n"),
            None => format!("{gitsync}: took {annotation} from {object}\n"),
        }
    }
}

/// Says how a request is undone.
pub(super) fn undo(voice: Voice, command: &str) {
    voice.say(&format!("  undo: {command}"));
}

/// Who is asking.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Person {
    /// Who asks, as it is shown to others.
    #[arg(
        long,
        value_name = "NAME",
        env = "USER",
        hide_env_values = true,
        default_value = "someone"
    )]
    pub(super) by: String,
}
