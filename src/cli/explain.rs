//! `tidegate explain`: why it is not as Git says, and what helps.

use std::fmt::Write as _;

use serde_json::Value;

use crate::clock;
use crate::ledger::Ledger;
use crate::object::ObjectId;
use crate::plan::diff;
use crate::rollout::Phase;
use crate::status::{Explanation, Why, explain};

use super::Exit;
use super::failure::Failure;
use super::leader::Seat;
use super::live::{Eyes, readable};
use super::reach::{Found, Target};
use super::show::{Show, age};
use super::table::{Tint, paint, plain};

/// Fields of a template that are shown at most.
const FIELDS: usize = 8;

/// What is to be explained.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// One workload; by default everything.
    #[arg(value_name = "KIND/NAME", requires = "app")]
    workload: Option<String>,
    #[command(flatten)]
    show: Show,
}

pub(super) async fn run(asked: Arguments) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let only = asked
        .workload
        .as_deref()
        .map(|written| workload(&found.ledger, written))
        .transpose()?;
    let changed = changed(&found, only.as_ref()).await?;
    let silence = Seat::of(&found.ledger).silence(&found.cluster).await;
    let mut eyes = Eyes::new(found);
    let now = clock::now();
    let picture = eyes.look(now).await?;
    let mut explanation = explain(&eyes.ledger, &picture, only.as_ref());
    explanation.changed.splice(0..0, changed);
    explanation.causes.splice(0..0, silence.map(no_agent));
    let show = asked.show;
    show.one(&explanation, || {
        let since = |why: &Why| why.since.map(|since| age(now.duration_since(since)));
        text(&explanation, &since, show.is_colourful())
    })?;
    Ok(Exit::Done)
}

/// Without an agent nothing else matters.
fn no_agent(message: String) -> Why {
    Why {
        about: None,
        pod: None,
        container: None,
        reason: "Agent".to_owned(),
        message,
        since: None,
        commit: None,
    }
}

/// Finds the workload that is meant by `Kind/name`.
fn workload(ledger: &Ledger, written: &str) -> Result<ObjectId, Failure> {
    let known = ledger.rollouts.keys().chain(ledger.inventory.keys());
    let mut meant = known.filter(|id| id.short().eq_ignore_ascii_case(written));
    meant
        .next()
        .cloned()
        .ok_or_else(|| Failure::NoSuchWorkload(written.to_owned()))
}

/// The fields in which the live templates of workloads on their way differ from what ran before.
async fn changed(found: &Found, only: Option<&ObjectId>) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for (id, kept) in &found.ledger.rollouts {
        let is_forward = !kept.is_going_back() && kept.phase != Phase::RolledBack;
        let is_meant = only.is_none_or(|only| only == id);
        let Some(before) = kept.engagement.as_ref().filter(|_| is_forward && is_meant) else {
            continue;
        };
        let Some(after) = readable(found.cluster.get("apps/v1", id).await)? else {
            continue;
        };
        let mut old = after.clone();
        old.set(&["spec", "template"], before.template.clone());
        let fields = diff(&old, &after);
        let side = |value: &Option<Value>| match value {
            None => "nothing".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        lines.extend(fields.iter().take(FIELDS).map(|field| {
            let (from, to) = (side(&field.from), side(&field.to));
            format!("{}: {}: {from} -> {to}", id.short(), field.path)
        }));
        if fields.len() > FIELDS {
            lines.push(format!(
                "{}: {} more fields",
                id.short(),
                fields.len() - FIELDS
            ));
        }
    }
    Ok(lines)
}

/// The explanation for people: a sentence, then what, each under its label.
fn text(
    explanation: &Explanation,
    since: &dyn Fn(&Why) -> Option<String>,
    is_colourful: bool,
) -> String {
    let Explanation {
        app,
        causes,
        changed,
        effect,
        next,
        ..
    } = explanation;
    let head = if causes.is_empty() {
        format!("{app}: nothing is wrong. {}", explanation.message)
    } else {
        format!(
            "{app} is {} (Ready: {}).",
            explanation.state, explanation.ready
        )
    };
    let mut text = format!("{}\n", plain(&head));
    let causes: Vec<String> = causes.iter().map(|why| cause(why, since(why))).collect();
    let parts = [
        ("cause", &causes, Tint::Bad),
        ("changed", changed, Tint::Plain),
        ("effect", effect, Tint::Plain),
        ("next", next, Tint::Plain),
    ];
    for (label, lines, tint) in parts {
        if !lines.is_empty() {
            text.push('\n');
        }
        let rows = lines.iter().flat_map(|line| {
            let mut rows = line.lines();
            let first = rows.next().map(plain);
            // The further faults of one commit, one a line.
            first
                .into_iter()
                .chain(rows.map(|row| format!("  {}", plain(row))))
        });
        for (number, row) in rows.enumerate() {
            let label = if number == 0 { label } else { "" };
            let row = paint(&row, tint, is_colourful);
            let _ = writeln!(text, "  {label:<9}{row}");
        }
    }
    text
}

/// A cause with all that is known of it; faults one a line.
fn cause(why: &Why, since: Option<String>) -> String {
    let mut words = String::new();
    let commit = why.commit.as_ref().map(|commit| commit.short().to_owned());
    for part in [commit, why.about.clone()].into_iter().flatten() {
        words.push_str(&format!("{part}: "));
    }
    if let Some(pod) = &why.pod {
        let container = why.container.as_ref();
        let container = container.map_or_else(String::new, |name| format!(", container {name}"));
        words.push_str(&format!("pod {pod}{container}: "));
    }
    words.push_str(&why.reason);
    let since = since.map_or_else(String::new, |since| format!(" ({since} ago)"));
    match (why.message.is_empty(), why.message.contains('\n')) {
        (true, _) => words.push_str(&since),
        (false, false) => words.push_str(&format!(": {}{since}", why.message)),
        (false, true) => words.push_str(&format!("{since}:\n{}", why.message)),
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Reason, Truth};

    #[test]
    fn many_faults_of_one_commit_stand_one_a_line() {
        let why = Why {
            about: None,
            pod: None,
            container: None,
            reason: "Rejected".to_owned(),
            message: "a.yaml:1:1: one\nb.yaml:2:2: two".to_owned(),
            since: None,
            commit: Some("9f3c2e1".repeat(6)[..40].parse().unwrap()),
        };
        let explanation = Explanation {
            app: "shop/web".to_owned(),
            ready: Truth::False,
            state: Reason::Rejected,
            message: "m".to_owned(),
            causes: vec![why],
            changed: Vec::new(),
            effect: Vec::new(),
            next: vec!["git revert 9f3c2e1".to_owned()],
        };
        assert_eq!(
            text(&explanation, &|_| Some("6m".to_owned()), false),
            "\
shop/web is Rejected (Ready: False).

  cause    9f3c2e1: Rejected (6m ago):
             a.yaml:1:1: one
             b.yaml:2:2: two

  next     git revert 9f3c2e1
"
        );
    }

    #[test]
    fn causes_changes_effects_and_commands_stand_under_their_labels() {
        let why = |reason: &str| Why {
            about: Some("Deployment/web".to_owned()),
            pod: Some("web-x".to_owned()),
            container: Some("web".to_owned()),
            reason: reason.to_owned(),
            message: "exit 1\u{1b}[2J".to_owned(),
            since: None,
            commit: Some("9f3c2e1".repeat(6)[..40].parse().unwrap()),
        };
        let explanation = Explanation {
            app: "shop/web".to_owned(),
            ready: Truth::False,
            state: Reason::RolloutFailed,
            message: "m".to_owned(),
            causes: vec![why("CrashLoopBackOff"), why("Second")],
            changed: vec!["Deployment/web: image: web:1 -> web:2".to_owned()],
            effect: vec!["Deployment/web: 1 of 10 pods".to_owned()],
            next: vec!["tidegate abort shop/web".to_owned()],
        };
        assert_eq!(
            text(&explanation, &|_| Some("6m".to_owned()), false),
            "\
shop/web is RolloutFailed (Ready: False).

  cause    9f3c2e1: Deployment/web: pod web-x, container web: CrashLoopBackOff: exit 1 [2J (6m ago)
           9f3c2e1: Deployment/web: pod web-x, container web: Second: exit 1 [2J (6m ago)

  changed  Deployment/web: image: web:1 -> web:2

  effect   Deployment/web: 1 of 10 pods

  next     tidegate abort shop/web
"
        );
        let calm = Explanation {
            causes: Vec::new(),
            changed: Vec::new(),
            effect: Vec::new(),
            next: Vec::new(),
            message: "2 objects, no drift".to_owned(),
            ..explanation
        };
        assert_eq!(
            text(&calm, &|_| None, false),
            "shop/web: nothing is wrong. 2 objects, no drift\n"
        );
    }
}
