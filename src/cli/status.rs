//! `tidegate status`: all GitSyncs in a table, or one in detail.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use crate::clock;
use crate::cluster::Cluster;
use crate::ledger::{Ledger, Outcome, Problem};
use crate::revision::Revision;
use crate::rollout::Phase;
use crate::status::{Leader, Truth, View, Workload, view};

use super::failure::Failure;
use super::leader::{Leases, words};
use super::live::{End, Overview, follow};
use super::reach::{App, Reach, Target, read_all};
use super::show::{Form, Show, Voice, age};
use super::table::{Cell, Tint, columns, cut, paint, plain};
use super::{Exit, unless_interrupted};

/// Time between two looks at all GitSyncs.
const LOOK: Duration = Duration::from_secs(2);
/// Longest message in the narrow table.
const MESSAGE: usize = 60;

/// What is to be shown.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// All namespaces, whichever one is in force.
    #[arg(short = 'A', long, conflicts_with = "app")]
    all_namespaces: bool,
    /// Goes on showing it until interrupted: the batches of one, the table of several.
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    show: Show,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    if asked.watch && asked.target.app.is_some() {
        let found = asked.target.find().await?;
        return follow(found, End::Never, None, asked.show, voice).await;
    }
    unless_interrupted(show(asked, voice)).await
}

async fn show(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let now = clock::now();
    let show = asked.show;
    if asked.target.app.is_some() {
        let found = asked.target.find().await?;
        let mut view = view(&found.app.namespace, &found.app.name, &found.ledger);
        view.leader = Leases::default()
            .leader(&found.cluster, &found.ledger, now)
            .await;
        show.one(&view, || detail(&view, now, show))?;
        return Ok(Exit::Done);
    }
    let reach = &asked.target.reach;
    let cluster = reach.cluster().await?;
    let namespace = (!asked.all_namespaces).then(|| reach.namespace(&cluster).to_owned());
    let is_wide = show.output == Form::Wide;
    if asked.watch {
        let mut overview = Overview::new(show);
        loop {
            let ledgers = all(&cluster, reach, namespace.as_deref()).await?;
            let now = clock::now();
            overview.show(&ledgers, &table(&views(&ledgers), now, is_wide, false), now)?;
            sleep(LOOK).await;
        }
    }
    let ledgers = all(&cluster, reach, namespace.as_deref()).await?;
    if ledgers.is_empty() && show.is_table() {
        let place =
            namespace.map_or_else(|| "any namespace".to_owned(), |n| format!("namespace {n}"));
        return Err(Failure::NoApps(place));
    }
    let mut views = views(&ledgers);
    let mut leases = Leases::default();
    for ((_, ledger), view) in ledgers.iter().zip(&mut views) {
        view.leader = leases.leader(&cluster, ledger, now).await;
    }
    show.all(&views, || table(&views, now, is_wide, show.is_colourful()))?;
    let mut silent: Vec<&Leader> = Vec::new();
    for found in views.iter().filter_map(|view| view.leader.as_ref()) {
        if found.is_silent && !silent.contains(&found) {
            silent.push(found);
        }
    }
    for found in silent {
        voice.say(&format!("Agent: {}", words(found, now)));
    }
    Ok(Exit::Done)
}

/// All ledgers of a namespace, or of all.
async fn all(
    cluster: &Cluster,
    reach: &Reach,
    namespace: Option<&str>,
) -> Result<Vec<(App, Ledger)>, Failure> {
    let apps = reach.apps(cluster, namespace).await?;
    read_all(cluster, apps).await
}

fn views(ledgers: &[(App, Ledger)]) -> Vec<View> {
    let view = |(app, ledger): &(App, Ledger)| view(&app.namespace, &app.name, ledger);
    ledgers.iter().map(view).collect()
}

/// One line for each GitSync.
fn table(views: &[View], now: Timestamp, is_wide: bool, is_colourful: bool) -> String {
    let mut header = vec![
        "NAMESPACE",
        "NAME",
        "READY",
        "STATE",
        "REVISION",
        "BATCH",
        "AGE",
    ];
    if is_wide {
        header.extend(["LAST-GOOD", "PAUSED", "PATH"]);
    }
    header.push("MESSAGE");
    let mut rows = vec![header.into_iter().map(Cell::from).collect::<Vec<_>>()];
    for view in views {
        let summary = &view.summary;
        let tint = tint(summary.ready);
        let mut row: Vec<Cell> = vec![
            view.namespace.as_str().into(),
            view.name.as_str().into(),
            Cell::tinted(summary.ready.to_string(), tint),
            Cell::tinted(summary.state.to_string(), tint),
            summary.revision.as_str().into(),
            summary.batch.as_deref().unwrap_or("-").into(),
            summary
                .since
                .map_or_else(|| "-".to_owned(), |since| ago(now, since))
                .into(),
        ];
        if is_wide {
            row.push(
                view.last_good
                    .as_ref()
                    .map_or("-", |good| good.id.short())
                    .into(),
            );
            row.push(
                view.pause
                    .as_ref()
                    .map_or("-", |pause| pause.by.as_str())
                    .into(),
            );
            row.push(view.source.path.as_str().into());
        }
        let message = plain(&summary.message);
        row.push(
            if is_wide {
                message
            } else {
                cut(&message, MESSAGE)
            }
            .into(),
        );
        rows.push(row);
    }
    columns(&rows, is_colourful)
}

/// Everything about one GitSync.
fn detail(view: &View, now: Timestamp, show: Show) -> String {
    let is_colourful = show.is_colourful();
    let mut text = head(view, now, is_colourful);
    if let Some(rollout) = view
        .rollout
        .as_ref()
        .filter(|rollout| !rollout.workloads.is_empty())
    {
        text.push('\n');
        text.push_str(&workloads(&rollout.workloads, show.ascii, is_colourful));
    }
    let mut rest: Vec<String> = Vec::new();
    for workload in view.rollout.iter().flat_map(|rollout| &rollout.workloads) {
        if let Some(cause) = &workload.failure {
            rest.push(format!(
                "Cause:        {}/{}: {cause}",
                workload.kind, workload.name
            ));
        }
    }
    for held in &view.quarantined {
        rest.push(format!(
            "Quarantined:  {}  {}",
            held.commit.short(),
            held.why
        ));
    }
    for approval in &view.approvals {
        rest.push(format!("Waits:        {}", approval.what));
        rest.extend(
            approval
                .objects
                .iter()
                .map(|object| format!("              - {object}")),
        );
    }
    for (number, command) in view.next.iter().enumerate() {
        let label = if number == 0 { "Next:" } else { "" };
        rest.push(format!("{label:<14}{command}"));
    }
    if !rest.is_empty() {
        text.push('\n');
    }
    for line in rest {
        text.push_str(&plain(&line));
        text.push('\n');
    }
    text
}

fn head(view: &View, now: Timestamp, is_colourful: bool) -> String {
    let summary = &view.summary;
    let tint = tint(summary.ready);
    let state = paint(
        &format!("{} (Ready: {})", summary.state, summary.ready),
        tint,
        is_colourful,
    );
    let fetched = view.source.fetched_at.map_or_else(
        || "not fetched yet".to_owned(),
        |at| format!("newest commit fetched {} ago", ago(now, at)),
    );
    let source = &view.source;
    let mut lines = vec![
        format!("Name:         {}/{}", view.namespace, view.name),
        format!("State:        {state}"),
    ];
    let message = summary
        .message
        .lines()
        .map(|line| format!("              {}", plain(line)));
    lines.extend(message);
    if let Some(leader) = &view.leader {
        let words = words(leader, now);
        let tint = if leader.is_silent {
            Tint::Bad
        } else {
            Tint::Plain
        };
        lines.push(format!(
            "Agent:        {}",
            paint(&plain(&words), tint, is_colourful)
        ));
    }
    lines.push(format!(
        "Source:       {}  branch {}  path {}  {fetched}",
        plain(&source.url),
        source.branch,
        source.path
    ));
    lines.extend(revisions(view, now));
    lines.push(format!("Paused:       {}", paused(view, now)));
    lines.extend(view.problems.iter().flat_map(|found| problem(found, now)));
    let count = view.inventory;
    lines.push(format!(
        "Objects:      {} recorded · {} rolling · {} drifted · {} to prune after approval",
        count.objects, count.rolling, count.drifted, count.held
    ));
    lines.join("\n") + "\n"
}

/// What runs, what is to run, and what a failure leads back to.
fn revisions(view: &View, now: Timestamp) -> [String; 3] {
    let held = if is_held(view) {
        "; what quarantine holds stays as it was"
    } else {
        ""
    };
    let named = |name: &str, known: &Option<Revision>| {
        format!("{name:<14}{}", revision(known.as_ref(), now))
    };
    [
        named("Running:", &view.applied) + held,
        named("Target:", &view.target),
        named("Last good:", &view.last_good),
    ]
}

/// Says whether a part of what runs as a whole is held back.
fn is_held(view: &View) -> bool {
    let applied = view.applied.as_ref().map(|applied| &applied.id);
    let mut history = view.history.iter();
    history.any(|record| Some(&record.revision.id) == applied && record.outcome == Outcome::Held)
}

fn paused(view: &View, now: Timestamp) -> String {
    let Some(pause) = &view.pause else {
        return "no".to_owned();
    };
    let until = pause
        .until
        .map_or_else(String::new, |until| format!(", until {until:.0}"));
    let since = ago(now, pause.at);
    plain(&format!(
        "by {}, {since} ago{until}: {}",
        pause.by, pause.reason
    ))
}

/// What keeps the agent from following the tip, faults one a line.
fn problem(problem: &Problem, now: Timestamp) -> Vec<String> {
    let head = format!(
        "Problem:      {} for {}",
        problem.reason,
        ago(now, problem.since)
    );
    let words = problem.message.lines();
    let words = words.map(|line| format!("              {}", plain(line)));
    std::iter::once(plain(&head)).chain(words).collect()
}

fn workloads(workloads: &[Workload], ascii: bool, is_colourful: bool) -> String {
    let header = [
        "WORKLOAD",
        "KIND",
        "REVISION",
        "BATCH",
        "NEW/TOTAL",
        "HEALTHY",
        "STATE",
    ];
    let mut rows = vec![header.into_iter().map(Cell::from).collect::<Vec<_>>()];
    let arrow = if ascii { "->" } else { "→" };
    for one in workloads {
        let from = one.from.as_ref().filter(|from| **from != one.to);
        let from = from.map_or_else(String::new, |from| format!("{}{arrow}", from.short()));
        let batch = if one.batch > 0 {
            format!("{}/{}", one.batch, one.batches)
        } else {
            "-".to_owned()
        };
        rows.push(vec![
            one.name.as_str().into(),
            one.kind.as_str().into(),
            format!("{from}{}", one.to.short()).into(),
            batch.into(),
            format!("{}/{}", one.updated, one.desired).into(),
            one.healthy.to_string().into(),
            Cell::tinted(one.message.as_str(), phase_tint(one.state)),
        ]);
    }
    columns(&rows, is_colourful)
}

fn tint(ready: Truth) -> Tint {
    match ready {
        Truth::True => Tint::Good,
        Truth::Unknown => Tint::Busy,
        Truth::False => Tint::Bad,
    }
}

fn phase_tint(phase: Phase) -> Tint {
    match phase {
        Phase::Succeeded | Phase::RolledBack => Tint::Good,
        Phase::Progressing
        | Phase::Monitoring
        | Phase::Finalizing
        | Phase::Native
        | Phase::RollingBack => Tint::Busy,
        Phase::Failed | Phase::RollbackFailed => Tint::Bad,
    }
}

fn revision(revision: Option<&Revision>, now: Timestamp) -> String {
    let Some(revision) = revision else {
        return "-".to_owned();
    };
    let (author, age) = (&revision.author, ago(now, revision.time));
    plain(&format!(
        "{}  \"{}\"  {author}, {age} ago",
        revision.id.short(),
        revision.subject
    ))
}

fn ago(now: Timestamp, then: Timestamp) -> String {
    age(now.duration_since(then))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::show::Colour;
    use crate::object::Digest;
    use crate::plan::{Entry, Good};

    /// A rollout of 9f3c2e1 over 41aa0d7, in batch 2 of 3.
    const ROLLING: &str = include_str!("../../tests/fixtures/ledger.json");

    fn shown(changes: &[(&str, Value)]) -> View {
        let mut json: Value = serde_json::from_str(ROLLING).unwrap();
        for (pointer, value) in changes {
            *json.pointer_mut(pointer).unwrap() = value.clone();
        }
        let mut ledger: Ledger = serde_json::from_value(json).unwrap();
        let good = ledger.last_good.clone().unwrap().revision.id;
        let mut entry = Entry::intended("apps/v1", &good, "apps/web/deployment.yaml");
        let template = Digest::of(&json!("t"));
        entry.goods = vec![Good {
            template,
            commit: good.clone(),
        }];
        ledger
            .inventory
            .insert("apps/Deployment/shop/web".parse().unwrap(), entry);
        let map = Entry::intended("v1", &good, "apps/web/map.yaml");
        ledger
            .inventory
            .insert("/ConfigMap/shop/web".parse().unwrap(), map);
        view("shop", "web", &ledger)
    }

    fn now() -> Timestamp {
        "2026-11-21T10:43:00Z".parse().unwrap()
    }

    fn show() -> Show {
        Show {
            output: Form::Table,
            color: Colour::Never,
            ascii: false,
        }
    }

    #[test]
    fn the_table_has_a_line_for_each_gitsync() {
        let mut other = shown(&[("/aim/isDone", json!(true)), ("/rollouts", json!({}))]);
        other.name = "cart".to_owned();
        assert_eq!(
            table(&[shown(&[]), other], now(), false, false),
            "\
NAMESPACE  NAME  READY    STATE       REVISION      BATCH  AGE  MESSAGE
shop       web   Unknown  RollingOut  main@9f3c2e1  2/3    2m   Deployment/web: 5 of 10 pods may be new
shop       cart  True     Synced      main@9f3c2e1  -      42h  2 objects, no drift
"
        );
    }

    #[test]
    fn the_detail_of_a_healthy_rollout_tells_where_each_workload_is() {
        assert_eq!(
            detail(&shown(&[]), now(), show()),
            "\
Name:         shop/web
State:        RollingOut (Ready: Unknown)
              Deployment/web: 5 of 10 pods may be new
Source:       https://git.example/shop/deploy.git  branch main  path apps/web  newest commit fetched 42s ago
Running:      41aa0d7  \"web 1.7.3\"  Grace H., 42h ago
Target:       9f3c2e1  \"bump web to 1.8.0\"  Ada L., 3m ago
Last good:    41aa0d7  \"web 1.7.3\"  Grace H., 42h ago
Paused:       no
Objects:      2 recorded · 1 rolling · 0 drifted · 0 to prune after approval

WORKLOAD  KIND        REVISION         BATCH  NEW/TOTAL  HEALTHY  STATE
web       Deployment  41aa0d7→9f3c2e1  2/3    5/10       1        waits for 5 healthy new pods
"
        );
    }

    #[test]
    fn the_detail_of_a_failure_names_its_cause_and_what_to_do() {
        let web = "/rollouts/apps~1Deployment~1shop~1web";
        let cause = json!({
            "class": "Revision", "pod": "web-x", "container": "web",
            "reason": "CrashLoopBackOff", "message": "exit 1\u{1b}[2J",
        });
        let failure = json!({"cause": cause, "at": "2026-11-21T10:42:30Z", "batch": 2});
        let failed = shown(&[
            (&*format!("{web}/phase"), json!("Failed")),
            (&*format!("{web}/failure"), failure),
        ]);
        let text = detail(&failed, now(), show());
        let end = text.split_once("WORKLOAD").unwrap().1;
        assert_eq!(
            end,
            "  KIND        REVISION         BATCH  NEW/TOTAL  HEALTHY  STATE
web       Deployment  41aa0d7→9f3c2e1  2/3    5/10       1        failed, held as it is

Cause:        Deployment/web: pod web-x, container web: CrashLoopBackOff: exit 1 [2J
Next:         kubectl -n shop logs web-x -c web --previous
              tidegate retry shop/web 9f3c2e1
              tidegate abort shop/web
              git revert 9f3c2e1
"
        );
        assert!(text.contains("State:        RolloutFailed (Ready: False)"));
    }

    #[test]
    fn what_is_released_is_told_as_that_and_not_by_its_last_batch() {
        let by = json!({"by": "ada", "at": "2026-11-21T10:43:00Z"});
        let text = detail(&shown(&[("/released", by)]), now(), show());
        assert!(
            text.contains("released by ada; nothing is written"),
            "{text}"
        );
        assert!(
            text.contains("0 rolling") && !text.contains("WORKLOAD"),
            "{text}"
        );
        assert!(
            text.ends_with("\nNext:         tidegate release shop/web --undo\n"),
            "{text}"
        );
    }

    #[test]
    fn json_has_the_documented_fields() {
        let json = serde_json::to_value(shown(&[])).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "applied",
                "approvals",
                "conditions",
                "history",
                "inventory",
                "lastGood",
                "leader",
                "name",
                "namespace",
                "next",
                "pause",
                "problems",
                "quarantined",
                "released",
                "rollout",
                "source",
                "summary",
                "target",
            ]
        );
        let rollout = &json["rollout"];
        assert_eq!(rollout["startedAt"], "2026-11-21T10:41:00Z");
        assert_eq!(
            rollout["workloads"][0],
            json!({
                "kind": "Deployment", "namespace": "shop", "name": "web",
                "state": "Progressing", "held": false, "batch": 2, "batches": 3,
                "desired": 10, "updated": 5, "healthy": 1,
                "from": format!("41aa0d7{}", "0".repeat(33)), "to": format!("9f3c2e1{}", "0".repeat(33)),
                "failure": null, "message": "waits for 5 healthy new pods",
            })
        );
    }
}
