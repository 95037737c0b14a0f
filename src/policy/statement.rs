//! What one source says: an annotation, a file or a default.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{
    Batches, Mode, OnFailure, Order, Provenance,
    field::{self, Field},
};
use crate::{
    object::{Amount, hint, read_duration},
    revision::{Fault, Place, Position},
    yaml::{Key, Node},
};

/// Most steps of a policy.
const MAX_STEPS: usize = 50;

/// A value, and where it was said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said<T> {
    pub(super) value: T,
    pub(super) origin: Provenance,
    pub(super) place: Place,
}

/// The values that one source, or several merged ones, give.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Statement {
    pub(super) strategy: Option<Said<Mode>>,
    pub(super) batches: Option<Said<Batches>>,
    pub(super) order: Option<Said<Order>>,
    pub(super) max_surge: Option<Said<Amount>>,
    pub(super) soak: Option<Said<Duration>>,
    pub(super) monitor: Option<Said<Duration>>,
    pub(super) on_failure: Option<Said<OnFailure>>,
    pub(super) healthy_deadline: Option<Said<Duration>>,
    pub(super) progress_deadline: Option<Said<Duration>>,
    pub(super) rollback_max_surge: Option<Said<Amount>>,
    pub(super) rollback_order: Option<Said<Order>>,
}

/// Where a source stands and how its values and faults are named.
pub(super) struct Source<'a> {
    /// Path of the file, or `spec.rollout`.
    pub(super) path: &'a str,
    /// Put before the name of a field in messages.
    pub(super) prefix: &'a str,
    /// Origin of the field of that name at that position.
    pub(super) origin: &'a dyn Fn(&str, Position) -> Provenance,
}

impl Statement {
    /// Reads the fields of a source. Null says nothing.
    pub(super) fn read<'n>(
        entries: impl IntoIterator<Item = &'n (Key, Node)>,
        source: &Source<'_>,
    ) -> Result<Self, Vec<Fault>> {
        let mut statement = Self::default();
        let mut faults = Vec::new();
        let mut given: BTreeMap<&str, &str> = BTreeMap::new();
        let mut has_batches = false;
        for (key, node) in entries {
            let mut fault = |message: String| {
                let message = format!("{}{}: {message}", source.prefix, key.text);
                faults.push(Fault::new(source.path, key.position, message));
            };
            let (name, field) = match field::find(&key.text) {
                Ok(found) => found,
                Err(message) => {
                    fault(message);
                    continue;
                }
            };
            if let Some(other) = given.insert(name, &key.text) {
                fault(format!("is the same field as `{other}`: keep one"));
                continue;
            }
            let is_batches = matches!(field, Field::Steps | Field::BatchSize) && !node.is_null();
            if is_batches && std::mem::replace(&mut has_batches, true) {
                fault("`steps` and `batchSize` exclude each other: keep one".to_owned());
                continue;
            }
            let place = Place::new(source.path, key.position);
            let said = Saying {
                name,
                node,
                place,
                source,
            };
            if let Err(message) = statement.take(field, &said) {
                fault(message);
            }
        }
        if faults.is_empty() {
            Ok(statement)
        } else {
            Err(faults)
        }
    }

    /// Returns what both say; `self`, the nearer one, wins.
    pub(super) fn or(self, farther: Self) -> Self {
        Self {
            strategy: self.strategy.or(farther.strategy),
            batches: self.batches.or(farther.batches),
            order: self.order.or(farther.order),
            max_surge: self.max_surge.or(farther.max_surge),
            soak: self.soak.or(farther.soak),
            monitor: self.monitor.or(farther.monitor),
            on_failure: self.on_failure.or(farther.on_failure),
            healthy_deadline: self.healthy_deadline.or(farther.healthy_deadline),
            progress_deadline: self.progress_deadline.or(farther.progress_deadline),
            rollback_max_surge: self.rollback_max_surge.or(farther.rollback_max_surge),
            rollback_order: self.rollback_order.or(farther.rollback_order),
        }
    }

    fn take(&mut self, field: Field, said: &Saying<'_>) -> Result<(), String> {
        if said.node.is_null() {
            return Ok(());
        }
        match field {
            Field::Strategy => self.strategy = Some(said.read(mode)?),
            Field::Steps => self.batches = Some(said.read(steps)?),
            Field::BatchSize => self.batches = Some(said.read(size)?),
            Field::Order => self.order = Some(said.read(order)?),
            Field::MaxSurge => self.max_surge = Some(said.read(amount)?),
            Field::Soak => self.soak = Some(said.read(duration)?),
            Field::Monitor => self.monitor = Some(said.read(duration)?),
            Field::OnFailure => self.on_failure = Some(said.read(on_failure)?),
            Field::HealthyDeadline => self.healthy_deadline = Some(said.read(deadline)?),
            Field::ProgressDeadline => self.progress_deadline = Some(said.read(deadline)?),
            Field::Rollback => self.take_rollback(said)?,
            Field::Later if field::is_default(said.name, &said.node.value()) => {}
            Field::Later => return Err("is not supported yet: leave it out".to_owned()),
        }
        Ok(())
    }

    fn take_rollback(&mut self, said: &Saying<'_>) -> Result<(), String> {
        if !said.node.is_map() {
            return Err(format!(
                "is {}: write a map of maxSurge and order",
                said.node.noun()
            ));
        }
        for (key, node) in said.node.entries() {
            let place = Place::new(said.source.path, key.position);
            let inner = Saying {
                name: &format!("rollback.{}", key.text),
                node,
                place,
                source: said.source,
            };
            let named = |message: String| format!("{}: {message}", key.text);
            match key.text.as_str() {
                _ if node.is_null() => {}
                "maxSurge" => self.rollback_max_surge = Some(inner.read(amount).map_err(named)?),
                "order" => self.rollback_order = Some(inner.read(order).map_err(named)?),
                "steps" => return Err("`steps` is not supported yet: leave it out".to_owned()),
                other => {
                    let hint = hint(other, ["maxSurge", "order", "steps"]);
                    return Err(format!("`{other}` is no field of it{hint}"));
                }
            }
        }
        Ok(())
    }
}

/// One field as a source gives it.
struct Saying<'a> {
    name: &'a str,
    node: &'a Node,
    place: Place,
    source: &'a Source<'a>,
}

impl Saying<'_> {
    fn read<T>(&self, reading: fn(&Node) -> Result<T, String>) -> Result<Said<T>, String> {
        Ok(Said {
            value: reading(self.node)?,
            origin: (self.source.origin)(self.name, self.place.position),
            place: self.place.clone(),
        })
    }
}

fn mode(node: &Node) -> Result<Mode, String> {
    word(
        node,
        &[("Rolling", Mode::Rolling), ("Native", Mode::Native)],
        &["BlueGreen", "Canary"],
    )
}

fn order(node: &Node) -> Result<Order, String> {
    let words = [
        ("SurgeFirst", Order::SurgeFirst),
        ("StopFirst", Order::StopFirst),
        ("start-first", Order::SurgeFirst),
        ("stop-first", Order::StopFirst),
    ];
    word(node, &words, &[])
}

fn on_failure(node: &Node) -> Result<OnFailure, String> {
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

fn amount(node: &Node) -> Result<Amount, String> {
    Amount::try_from(node.value()).map_err(|fault| fault.to_string())
}

/// A share of the pods: at least one, at most all.
fn share(node: &Node) -> Result<Amount, String> {
    match amount(node)? {
        Amount::Count(0) | Amount::Percent(0) => {
            Err("0 would never move a pod: write at least 1".to_owned())
        }
        Amount::Percent(percent) if percent > 100 => Err(format!(
            "`{percent}%` is more than all pods: write at most 100%"
        )),
        amount => Ok(amount),
    }
}

fn size(node: &Node) -> Result<Batches, String> {
    share(node).map(Batches::Size)
}

fn steps(node: &Node) -> Result<Batches, String> {
    let Some(items) = node.items() else {
        return Err(format!(
            "is {}: write a list such as [1, 50%, 100%]",
            node.noun()
        ));
    };
    if items.iter().any(Node::is_map) {
        return Err(
            "steps with gates or traffic are not supported yet: write counts or percents"
                .to_owned(),
        );
    }
    let steps: Vec<Amount> = items.iter().map(share).collect::<Result<_, _>>()?;
    if steps.len() > MAX_STEPS {
        return Err(format!(
            "has {} steps: write at most {MAX_STEPS}",
            steps.len()
        ));
    }
    let unit = |wanted: bool| {
        steps
            .iter()
            .filter(move |step| matches!(step, Amount::Percent(_)) == wanted)
    };
    for steps in [unit(true).collect::<Vec<_>>(), unit(false).collect()] {
        for pair in steps.windows(2) {
            if pair[1].rounded_up(100) <= pair[0].rounded_up(100) {
                return Err(format!(
                    "`{}` after `{}` does not rise: steps are cumulative",
                    pair[1], pair[0]
                ));
            }
        }
    }
    match steps.last() {
        None => Err("is empty: write at least `100%`".to_owned()),
        Some(Amount::Percent(percent)) if *percent != 100 => Err(format!(
            "ends with `{percent}%`: the last step must be `100%`"
        )),
        Some(_) => Ok(Batches::Steps(steps)),
    }
}

fn duration(node: &Node) -> Result<Duration, String> {
    let text = match node.value() {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return Err(format!("is {}: write a duration such as 30s", node.noun())),
    };
    read_duration(&text).map_err(|fault| fault.to_string())
}

fn deadline(node: &Node) -> Result<Duration, String> {
    match duration(node)? {
        Duration::ZERO => {
            Err("a deadline of 0s fails at once: write more or leave it out".to_owned())
        }
        duration => Ok(duration),
    }
}
