//! `tidegate events`: what happened, in the order of time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use crate::clock;
use crate::cluster::{Cluster, Records};
use crate::ledger::Ledger;
use crate::object::read_duration;
use crate::status::{Happening, timeline};

use super::Exit;
use super::failure::Failure;
use super::reach::{App, Target, read};
use super::show::{Form, Show, age};
use super::table::{Cell, Tint, columns};

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// What is to be shown.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Goes on with what happens from now, until interrupted.
    #[arg(short, long)]
    watch: bool,
    /// Only what happened within this time.
    #[arg(long, value_name = "DURATION", value_parser = read_duration)]
    since: Option<Duration>,
    #[command(flatten)]
    show: Show,
}

pub(super) async fn run(asked: Arguments) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    if asked.watch && matches!(asked.show.output, Form::Json | Form::Yaml) {
        return Err(Failure::NoStream);
    }
    let all = happened(&found.cluster, &found.app, &found.ledger).await?;
    let now = clock::now();
    let is_recent = |it: &&Happening| {
        let age = Duration::try_from(now.duration_since(it.time)).unwrap_or_default();
        asked.since.is_none_or(|since| age <= since)
    };
    let recent: Vec<Happening> = all.iter().filter(is_recent).cloned().collect();
    show(&recent, asked.show, now, true)?;
    if asked.watch {
        return follow(&found.cluster, &found.app, all, asked.show).await;
    }
    Ok(Exit::Done)
}

/// Shows what is new, for ever.
async fn follow(
    cluster: &Cluster,
    app: &App,
    shown: Vec<Happening>,
    form: Show,
) -> Result<Exit, Failure> {
    let mut known: BTreeSet<Happening> = shown.into_iter().collect();
    loop {
        sleep(LOOK).await;
        let all = async { happened(cluster, app, &read(cluster, app).await?).await };
        let all = match all.await {
            Ok(all) => all,
            Err(Failure::Refused(refusal)) if refusal.is_transient() => continue,
            Err(failure) => return Err(failure),
        };
        let news: Vec<Happening> = all.into_iter().filter(|it| !known.contains(it)).collect();
        show(&news, form, clock::now(), false)?;
        known.extend(news);
    }
}

/// Everything that is known, of every namespace that has objects.
async fn happened(
    cluster: &Cluster,
    app: &App,
    ledger: &Ledger,
) -> Result<Vec<Happening>, Failure> {
    let head = Records::head(&app.namespace, &app.name);
    let objects = ledger.inventory.keys().chain(ledger.rollouts.keys());
    let namespaces: BTreeSet<&str> = objects
        .filter_map(|id| id.namespace.as_deref())
        .chain([app.namespace.as_str()])
        .collect();
    let mut events = Vec::new();
    for namespace in namespaces {
        let found = cluster
            .list(
                "events.k8s.io/v1",
                "Event",
                Some(namespace),
                &BTreeMap::new(),
            )
            .await?;
        events.extend(found);
    }
    Ok(timeline(&app.name, &head, ledger, &events))
}

fn show(
    happenings: &[Happening],
    show: Show,
    now: Timestamp,
    has_header: bool,
) -> Result<(), Failure> {
    show.all(happenings, || {
        table(happenings, now, has_header, show.is_colourful())
    })
}

fn table(happenings: &[Happening], now: Timestamp, has_header: bool, is_colourful: bool) -> String {
    let header = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    if has_header {
        rows.push(header.into_iter().map(Cell::from).collect());
    }
    for it in happenings {
        let tint = if it.tone == "Warning" {
            Tint::Bad
        } else {
            Tint::Plain
        };
        let message = if it.count > 1 {
            format!("{} (x{})", it.message, it.count)
        } else {
            it.message.clone()
        };
        rows.push(vec![
            age(now.duration_since(it.time)).into(),
            Cell::tinted(it.tone.as_str(), tint),
            it.reason.as_str().into(),
            it.object.as_str().into(),
            message.into(),
        ]);
    }
    columns(&rows, is_colourful)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_age_tone_reason_object_and_how_often() {
        let now: Timestamp = "2026-11-21T10:45:00Z".parse().unwrap();
        let happening = |tone: &str, reason: &str, count| Happening {
            time: "2026-11-21T10:42:00Z".parse().unwrap(),
            tone: tone.to_owned(),
            reason: reason.to_owned(),
            object: "Deployment/web".to_owned(),
            message: "batch 1 of 3".to_owned(),
            count,
        };
        let happenings = [
            happening("Normal", "BatchStarted", 1),
            happening("Warning", "RolloutFailed", 3),
        ];
        assert_eq!(
            table(&happenings, now, true, false),
            "\
LAST SEEN  TYPE     REASON         OBJECT          MESSAGE
3m         Normal   BatchStarted   Deployment/web  batch 1 of 3
3m         Warning  RolloutFailed  Deployment/web  batch 1 of 3 (x3)
"
        );
    }
}
