//! What the value of a field may be.

use std::time::Duration;

use serde_json::Value;

use super::{Approval, Batches, Mode, OnFailure, Order, Step, Window, WindowKind, window};
use crate::{
    object::{Amount, hint, is_rolled, read_duration},
    yaml::{Key, Node},
};

/// Most steps of a policy.
const MAX_STEPS: usize = 50;

pub(super) fn group(node: &Node) -> Result<String, String> {
    match node.text() {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        Some(_) => Err("is empty: write a name, or leave it out".to_owned()),
        None => Err(format!("is {}: write a name", node.noun())),
    }
}

pub(super) fn wave(node: &Node) -> Result<i32, String> {
    let number = node.value().as_i64();
    let number = number.and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| format!("is {}: write a whole number such as 1", node.noun()))
}

/// Reads workloads as `Kind/name`.
pub(super) fn workloads(node: &Node) -> Result<Vec<String>, Vec<String>> {
    let Some(items) = node.items() else {
        let noun = node.noun();
        return Err(vec![format!(
            "is {noun}: write a list such as [StatefulSet/db]"
        )]);
    };
    let (mut names, mut faults) = (Vec::new(), Vec::new());
    for item in items {
        let parts = item.text().and_then(|text| text.split_once('/'));
        match parts.filter(|(kind, name)| is_rolled(kind) && !name.is_empty()) {
            Some((kind, name)) => names.push(format!("{kind}/{name}")),
            None => faults.push(format!(
                "`{}` is no workload: write one as `Deployment/name`, `StatefulSet/name` or \
                 `DaemonSet/name`",
                item.text().unwrap_or_else(|| item.noun())
            )),
        }
    }
    if faults.is_empty() {
        Ok(names)
    } else {
        Err(faults)
    }
}

pub(super) fn mode(node: &Node) -> Result<Mode, String> {
    word(
        node,
        &[("Rolling", Mode::Rolling), ("Native", Mode::Native)],
        &["BlueGreen", "Canary"],
    )
}

pub(super) fn order(node: &Node) -> Result<Order, String> {
    let words = [
        ("SurgeFirst", Order::SurgeFirst),
        ("StopFirst", Order::StopFirst),
        ("start-first", Order::SurgeFirst),
        ("stop-first", Order::StopFirst),
    ];
    word(node, &words, &[])
}

pub(super) fn on_failure(node: &Node) -> Result<OnFailure, String> {
    let words = [
        ("Pause", OnFailure::Pause),
        ("Rollback", OnFailure::Rollback),
        ("Continue", OnFailure::Continue),
    ];
    word(node, &words, &[])
}

pub(super) fn approval(node: &Node) -> Result<Approval, String> {
    let words = [
        ("None", Approval::None),
        ("Before", Approval::Before),
        ("EveryBatch", Approval::EveryBatch),
        ("BeforeFull", Approval::BeforeFull),
    ];
    word(node, &words, &[])
}

/// Reads a share of failed pods, as a number from 0 to 1 or in percent.
pub(super) fn ratio(node: &Node) -> Result<f64, String> {
    let share = match node.value() {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let percent = text
                .strip_suffix('%')
                .and_then(|text| text.parse::<f64>().ok());
            percent.map(|percent| percent / 100.0)
        }
        _ => None,
    };
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "is no share of pods: write a number from 0 to 1, or 25%".to_owned())
}

/// Reads the batch after which nothing goes back.
pub(super) fn last_way_back(node: &Node) -> Result<u32, String> {
    if node.text() == Some("preDeploy") {
        return Err("`preDeploy` is not supported yet: write a batch such as 2".to_owned());
    }
    let number = node.value().as_u64();
    let number = number.and_then(|number| u32::try_from(number).ok());
    let batch = number.filter(|number| *number > 0);
    batch.ok_or_else(|| "is no batch: write its number, counted from 1".to_owned())
}

/// Reads when batches may open.
pub(super) fn windows(node: &Node) -> Result<Vec<Window>, Vec<String>> {
    let Some(items) = node.items() else {
        let noun = node.noun();
        let example = "[{kind: Allow, schedule: \"0 9 * * 1-5\", duration: 8h}]";
        return Err(vec![format!("is {noun}: write a list such as {example}")]);
    };
    let (mut windows, mut faults) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        match one_window(item) {
            Ok(window) => windows.push(window),
            Err(message) => faults.push(format!("[{index}]: {message}")),
        }
    }
    if faults.is_empty() && window::are_never_open(&windows) {
        faults.push("leave no minute open in any week: nothing would ever be rolled".to_owned());
    }
    if faults.is_empty() {
        Ok(windows)
    } else {
        Err(faults)
    }
}

fn one_window(node: &Node) -> Result<Window, String> {
    const FIELDS: [&str; 4] = ["kind", "schedule", "duration", "timeZone"];
    only(node, &FIELDS)?;
    let field = |name: &'static str| {
        let found = node.at(&[name]).filter(|found| !found.is_null());
        found.ok_or_else(|| format!("{name}: is missing"))
    };
    let text = |name: &'static str, node: &Node| {
        let text = node.text().map(str::to_owned);
        text.ok_or_else(|| format!("{name}: is {}: write a text", node.noun()))
    };
    let kinds = [("Allow", WindowKind::Allow), ("Deny", WindowKind::Deny)];
    let window = Window {
        kind: word(field("kind")?, &kinds, &[]).map_err(|why| format!("kind: {why}"))?,
        schedule: text("schedule", field("schedule")?)?,
        duration: duration(field("duration")?).map_err(|why| format!("duration: {why}"))?,
        time_zone: match field("timeZone") {
            Ok(zone) => text("timeZone", zone)?,
            Err(_) => "UTC".to_owned(),
        },
    };
    window.check()?;
    Ok(window)
}

/// Refuses what is no map of these fields.
fn only(node: &Node, fields: &[&str]) -> Result<(), String> {
    if !node.is_map() {
        let noun = node.noun();
        return Err(format!("is {noun}: write a map of {}", fields.join(", ")));
    }
    let unknown = |(key, _): &&(Key, Node)| !fields.contains(&key.text.as_str());
    match node.entries().iter().find(unknown) {
        Some((key, _)) => {
            let hint = hint(&key.text, fields.iter().copied());
            Err(format!("`{}` is no field of it{hint}", key.text))
        }
        None => Ok(()),
    }
}

/// Reads one of `words`; those of `later` are part of the schema but not supported yet.
fn word<T: Copy>(node: &Node, words: &[(&str, T)], later: &[&str]) -> Result<T, String> {
    let names = || words.iter().map(|(name, _)| *name);
    let list = || names().collect::<Vec<_>>().join(", ");
    let Some(text) = node.text() else {
        return Err(format!("is {}: write one of {}", node.noun(), list()));
    };
    if let Some((_, value)) = words.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    if later.contains(&text) {
        return Err(format!(
            "`{text}` is not supported yet: write one of {}",
            list()
        ));
    }
    match hint(text, names()) {
        hint if hint.is_empty() => Err(format!("`{text}` is unknown: write one of {}", list())),
        hint => Err(format!("`{text}` is unknown{hint}")),
    }
}

pub(super) fn amount(node: &Node) -> Result<Amount, String> {
    Amount::try_from(node.value()).map_err(|fault| fault.to_string())
}

/// A share of the pods: at least one, at most all.
fn share(node: &Node) -> Result<Amount, String> {
    match amount(node)? {
        amount if amount.is_zero() => Err("0 would never move a pod: write at least 1".to_owned()),
        Amount::Percent(percent) if percent > 100 => Err(format!(
            "`{percent}%` is more than all pods: write at most 100%"
        )),
        amount => Ok(amount),
    }
}

pub(super) fn size(node: &Node) -> Result<Batches, String> {
    share(node).map(Batches::Size)
}

pub(super) fn steps(node: &Node) -> Result<Batches, Vec<String>> {
    let Some(items) = node.items() else {
        let noun = node.noun();
        return Err(vec![format!(
            "is {noun}: write a list such as [1, 50%, 100%]"
        )]);
    };
    let (mut steps, mut faults) = (Vec::new(), Vec::new());
    for item in items {
        match step(item) {
            Ok(step) => steps.push(step),
            Err(message) => faults.push(message),
        }
    }
    if items.len() > MAX_STEPS {
        faults.push(format!(
            "has {} steps: write at most {MAX_STEPS}",
            items.len()
        ));
    }
    if faults.is_empty() {
        faults = misplaced(&steps);
    }
    faults.dedup();
    if faults.is_empty() {
        Ok(Batches::Steps(steps))
    } else {
        Err(faults)
    }
}

/// Reads one step: its target, or a map that says more of it.
fn step(node: &Node) -> Result<Step, String> {
    if !node.is_map() {
        return share(node).map(Step::from);
    }
    for later in ["traffic", "gates"] {
        if node.at(&[later]).is_some_and(|found| !found.is_null()) {
            return Err(format!(
                "`{later}` of a step is not supported yet: leave it out"
            ));
        }
    }
    only(node, &["target", "soak", "approval", "traffic", "gates"])?;
    let said = |name: &str| node.at(&[name]).filter(|found| !found.is_null());
    let target = said("target").ok_or("a step needs a `target` such as 25%")?;
    let soak = said("soak").map(duration).transpose();
    let approval = match said("approval").map(Node::value) {
        None => false,
        Some(Value::Bool(approval)) => approval,
        Some(_) => return Err("approval: write true or false".to_owned()),
    };
    Ok(Step {
        target: share(target).map_err(|why| format!("target: {why}"))?,
        soak: soak.map_err(|why| format!("soak: {why}"))?,
        approval,
    })
}

/// Says which steps do not rise, by counts and by percents, and whether the last is not all pods.
fn misplaced(steps: &[Step]) -> Vec<String> {
    let unit = |wanted: bool| -> Vec<&Amount> {
        let steps = steps.iter().map(|step| &step.target);
        steps
            .filter(|step| matches!(step, Amount::Percent(_)) == wanted)
            .collect()
    };
    let mut faults = Vec::new();
    for steps in [unit(true), unit(false)] {
        let falls = steps
            .windows(2)
            .filter(|pair| pair[1].rounded_up(100) <= pair[0].rounded_up(100));
        faults.extend(falls.map(|pair| {
            format!(
                "`{}` after `{}` does not rise: steps are cumulative",
                pair[1], pair[0]
            )
        }));
    }
    match steps.last().map(|step| &step.target) {
        None => faults.push("is empty: write at least `100%`".to_owned()),
        Some(Amount::Percent(percent)) if *percent != 100 => faults.push(format!(
            "ends with `{percent}%`: the last step must be `100%`"
        )),
        Some(_) => {}
    }
    faults
}

pub(super) fn duration(node: &Node) -> Result<Duration, String> {
    let text = match node.value() {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return Err(format!("is {}: write a duration such as 30s", node.noun())),
    };
    read_duration(&text).map_err(|fault| fault.to_string())
}

pub(super) fn deadline(node: &Node) -> Result<Duration, String> {
    match duration(node)? {
        Duration::ZERO => {
            Err("a deadline of 0s fails at once: write more or leave it out".to_owned())
        }
        duration => Ok(duration),
    }
}
