//! What the value of a field may be.

use std::time::Duration;

use serde_json::Value;

use super::{Batches, Mode, OnFailure, Order};
use crate::{
    object::{Amount, hint, is_rolled, read_duration},
    yaml::Node,
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
    ];
    word(node, &words, &["Continue"])
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
    if items.iter().any(Node::is_map) {
        let message = "steps with gates or traffic are not supported yet: write counts or percents";
        return Err(vec![message.to_owned()]);
    }
    let (mut steps, mut faults) = (Vec::new(), Vec::new());
    for item in items {
        match share(item) {
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

/// Says which steps do not rise, by counts and by percents, and whether the last is not all pods.
fn misplaced(steps: &[Amount]) -> Vec<String> {
    let unit = |wanted: bool| -> Vec<&Amount> {
        let steps = steps.iter();
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
    match steps.last() {
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
