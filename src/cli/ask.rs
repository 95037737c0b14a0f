//! Writes a request: an annotation on the head of the ledger, which the agent serves.

use serde_json::{Value, json};

use crate::cluster::{Cluster, Records};
use crate::object::mark;

use super::failure::Failure;
use super::reach::App;
use super::show::{Voice, print};

/// Sets the annotation `key`, or with `None` takes it away, and prints what was written.
pub(super) async fn ask(
    cluster: &Cluster,
    app: &App,
    key: &str,
    value: Option<&str>,
) -> Result<(), Failure> {
    let head = Records::head(&app.namespace, &app.name);
    let value_json = value.map_or(Value::Null, |value| json!(value));
    let patch = json!({"metadata": {"annotations": {key: value_json}}});
    cluster
        .merge("v1", &head, &patch, mark::CLI_MANAGER)
        .await?;
    let text = match value {
        Some(value) => format!("{app}: set {key}={value} on {head}\n"),
        None => format!("{app}: took {key} from {head}\n"),
    };
    print(&text)
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
