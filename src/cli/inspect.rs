//! `tidegate inspect`: the policy in force, and where each value was said.

use serde::Serialize;

use crate::object::{ObjectId, write_duration};
use crate::policy::{Approval, Batches, Mode, OnFailure, Order, Policy, Resolved};

use super::Exit;
use super::failure::Failure;
use super::reach::Target;
use super::show::Show;
use super::table::{Cell, columns, plain};

/// What is to be shown.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// One workload; by default all.
    #[arg(value_name = "KIND/NAME", requires = "app")]
    workload: Option<String>,
    #[command(flatten)]
    show: Show,
}

/// One workload with its policy; its JSON is what `-o json` prints.
#[derive(Serialize)]
struct Inspected<'a> {
    workload: &'a ObjectId,
    path: &'a str,
    #[serde(flatten)]
    resolved: Resolved,
}

impl<'a> Inspected<'a> {
    /// Fills in what is in force where nobody said it.
    fn new(workload: &'a ObjectId, path: &'a str, resolved: &Resolved) -> Self {
        let mut resolved = resolved.clone();
        resolved.policy.order = resolved.policy.order_in_force();
        Self {
            workload,
            path,
            resolved,
        }
    }
}

pub(super) async fn run(asked: Arguments) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let wanted = |id: &ObjectId| {
        let written = asked.workload.as_ref();
        written.is_none_or(|written| written.eq_ignore_ascii_case(&id.short()))
    };
    let inspected: Vec<Inspected<'_>> = found
        .ledger
        .inventory
        .iter()
        .filter(|(id, _)| wanted(id))
        .filter_map(|(id, entry)| {
            let resolved = entry.policy.as_ref()?;
            Some(Inspected::new(id, &entry.path, resolved))
        })
        .collect();
    match &asked.workload {
        Some(written) if inspected.is_empty() => {
            return Err(Failure::NoSuchWorkload(written.clone()));
        }
        Some(_) | None => {}
    }
    asked
        .show
        .all(&inspected, || text(&inspected, asked.show.is_colourful()))?;
    Ok(Exit::Done)
}

fn text(inspected: &[Inspected<'_>], is_colourful: bool) -> String {
    let sections: Vec<String> = inspected
        .iter()
        .map(|one| section(one, is_colourful))
        .collect();
    sections.join("\n")
}

fn section(one: &Inspected<'_>, is_colourful: bool) -> String {
    let mut text = format!("{}  ({})\n", one.workload, plain(one.path));
    let mut rows = vec![
        ["FIELD", "VALUE", "FROM"]
            .into_iter()
            .map(Cell::from)
            .collect::<Vec<_>>(),
    ];
    for (field, value) in fields(&one.resolved.policy) {
        let origin = one.resolved.origins.get(field);
        let origin = origin.map_or_else(|| "default".to_owned(), ToString::to_string);
        rows.push(vec![field.into(), value.into(), origin.into()]);
    }
    text.push_str(&columns(&rows, is_colourful));
    for note in &one.resolved.notes {
        text.push_str(&format!("note: {}\n", plain(note)));
    }
    text
}

/// The fields as people write them.
fn fields(policy: &Policy) -> Vec<(&'static str, String)> {
    let own = "by the workload's own strategy";
    let by_default =
        |value: Option<String>, otherwise: &str| value.unwrap_or_else(|| otherwise.to_owned());
    let batches = match &policy.batches {
        Batches::Own => ("batchSize", own.to_owned()),
        Batches::Size(size) => ("batchSize", size.to_string()),
        Batches::Steps(steps) => {
            let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
            ("steps", steps.join(", "))
        }
    };
    let surge = match policy.batches {
        Batches::Own => own,
        Batches::Size(_) | Batches::Steps(_) => "the batch",
    };
    vec![
        ("strategy", mode(policy.strategy).to_owned()),
        batches,
        (
            "order",
            by_default(policy.order.map(|o| order(o).to_owned()), own),
        ),
        (
            "maxSurge",
            by_default(policy.max_surge.map(|surge| surge.to_string()), surge),
        ),
        ("soak", write_duration(policy.soak)),
        ("monitor", write_duration(policy.monitor)),
        ("approval", approval(policy.approval).to_owned()),
        ("windows", list(&policy.windows, "always open")),
        ("onFailure", on_failure(policy.on_failure).to_owned()),
        ("maxFailureRatio", policy.max_failure_ratio.to_string()),
        (
            "noRollbackAfter",
            match policy.no_rollback_after {
                Some(batch) => format!("batch {batch}"),
                None => "never".to_owned(),
            },
        ),
        (
            "healthyDeadline",
            by_default(
                policy.healthy_deadline.map(write_duration),
                "5m, or less by the workload",
            ),
        ),
        (
            "progressDeadline",
            by_default(
                policy.progress_deadline.map(write_duration),
                "the workload's own",
            ),
        ),
        ("rollback.maxSurge", policy.rollback.max_surge.to_string()),
        ("rollback.order", order(policy.rollback.order).to_owned()),
        ("group", by_default(policy.group.clone(), "none")),
        ("wave", policy.wave.to_string()),
        ("dependsOn", list(&policy.depends_on, "nothing")),
    ]
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Rolling => "Rolling",
        Mode::Native => "Native",
    }
}

fn order(order: Order) -> &'static str {
    match order {
        Order::SurgeFirst => "SurgeFirst",
        Order::StopFirst => "StopFirst",
    }
}

/// A list in one line.
fn list(items: &[impl ToString], none: &str) -> String {
    if items.is_empty() {
        return none.to_owned();
    }
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

fn approval(approval: Approval) -> &'static str {
    match approval {
        Approval::None => "None",
        Approval::Before => "Before",
        Approval::EveryBatch => "EveryBatch",
        Approval::BeforeFull => "BeforeFull",
    }
}

fn on_failure(on_failure: OnFailure) -> &'static str {
    match on_failure {
        OnFailure::Continue => "Continue",
        OnFailure::Rollback => "Rollback",
        OnFailure::Pause => "Pause",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::object::Amount;
    use crate::policy::Provenance;

    #[test]
    fn each_value_is_shown_with_where_it_was_said() {
        let policy = Policy {
            batches: Batches::steps([Amount::Count(1), Amount::Percent(50), Amount::Percent(100)]),
            ..Policy::default()
        };
        let place = "apps/web/deployment.yaml:8".to_owned();
        let origins = BTreeMap::from([
            ("steps".to_owned(), Provenance::Annotation(place)),
            ("onFailure".to_owned(), Provenance::GitSync),
        ]);
        let resolved = Resolved {
            policy,
            origins,
            notes: vec!["an HPA scales it".to_owned()],
        };
        let id = "apps/Deployment/shop/web".parse().unwrap();
        let one = Inspected::new(&id, "apps/web/deployment.yaml", &resolved);
        let json = serde_json::to_value(&one).unwrap();
        assert_eq!(json["policy"]["order"], "SurgeFirst");
        assert_eq!(
            text(&[one], false),
            "\
Deployment/shop/web  (apps/web/deployment.yaml)
FIELD              VALUE                        FROM
strategy           Rolling                      default
steps              1, 50%, 100%                 annotation apps/web/deployment.yaml:8
order              SurgeFirst                   default
maxSurge           the batch                    default
soak               0s                           default
monitor            5s                           default
approval           None                         default
windows            always open                  default
onFailure          Pause                        spec.rollout
maxFailureRatio    0                            default
noRollbackAfter    never                        default
healthyDeadline    5m, or less by the workload  default
progressDeadline   the workload's own           default
rollback.maxSurge  25%                          default
rollback.order     SurgeFirst                   default
group              none                         default
wave               0                            default
dependsOn          nothing                      default
note: an HPA scales it
"
        );
    }
}
