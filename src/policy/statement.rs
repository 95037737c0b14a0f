//! What one source says: an annotation, a file or a default.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Approval, Batches, Mode, OnFailure, Order, Provenance, Window,
    field::{self, Field},
    preset::{self, Preset},
    value::{
        amount, approval, deadline, duration, group, last_way_back, mode, on_failure, order, ratio,
        size, steps, wave, windows, workloads,
    },
};
use crate::{
    object::{Amount, hint},
    revision::{Fault, Place, Position},
    yaml::{Key, Node},
};

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
    pub(super) group: Option<Said<String>>,
    pub(super) wave: Option<Said<i32>>,
    pub(super) depends_on: Option<Said<Vec<String>>>,
    pub(super) approval: Option<Said<Approval>>,
    pub(super) windows: Option<Said<Vec<Window>>>,
    pub(super) max_failure_ratio: Option<Said<f64>>,
    pub(super) no_rollback_after: Option<Said<u32>>,
}

/// Where a source stands and how its values and faults are named.
pub(super) struct Source<'a> {
    /// Path of the file, or `spec.rollout`.
    pub(super) path: &'a str,
    /// Put before the name of a field in messages.
    pub(super) prefix: &'a str,
    /// Origin of the field that is written under that name at that position.
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
        let mut preset = None;
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
                written: &key.text,
                node,
                place,
                source,
            };
            let taken = if field == Field::Preset && !node.is_null() {
                said.read(preset::find).map(|said| preset = Some(said))
            } else {
                statement.take(field, &said)
            };
            if let Err(messages) = taken {
                messages.into_iter().for_each(fault);
            }
        }
        if faults.is_empty() {
            Ok(match preset {
                // What the same source says beside it is meant.
                Some(preset) => statement.or(&Self::of(&preset)),
                None => statement,
            })
        } else {
            Err(faults)
        }
    }

    /// What a preset stands for.
    fn of(preset: &Said<Preset>) -> Self {
        let origin = preset.origin.by_preset(preset.value.name);
        let place = &preset.place;
        Self {
            batches: Some(Said::new(preset.value.size(), &origin, place)),
            max_surge: Some(Said::new(preset.value.surge, &origin, place)),
            soak: Some(Said::new(preset.value.soak, &origin, place)),
            ..Self::default()
        }
    }

    /// Returns what both say; `self`, the nearer one, wins.
    pub(super) fn or(self, farther: &Self) -> Self {
        Self {
            strategy: self.strategy.or_else(|| farther.strategy.clone()),
            batches: self.batches.or_else(|| farther.batches.clone()),
            order: self.order.or_else(|| farther.order.clone()),
            max_surge: self.max_surge.or_else(|| farther.max_surge.clone()),
            soak: self.soak.or_else(|| farther.soak.clone()),
            monitor: self.monitor.or_else(|| farther.monitor.clone()),
            on_failure: self.on_failure.or_else(|| farther.on_failure.clone()),
            healthy_deadline: self
                .healthy_deadline
                .or_else(|| farther.healthy_deadline.clone()),
            progress_deadline: self
                .progress_deadline
                .or_else(|| farther.progress_deadline.clone()),
            rollback_max_surge: self
                .rollback_max_surge
                .or_else(|| farther.rollback_max_surge.clone()),
            rollback_order: self
                .rollback_order
                .or_else(|| farther.rollback_order.clone()),
            group: self.group.or_else(|| farther.group.clone()),
            wave: self.wave.or_else(|| farther.wave.clone()),
            depends_on: self.depends_on.or_else(|| farther.depends_on.clone()),
            approval: self.approval.or_else(|| farther.approval.clone()),
            windows: self.windows.or_else(|| farther.windows.clone()),
            max_failure_ratio: self
                .max_failure_ratio
                .or_else(|| farther.max_failure_ratio.clone()),
            no_rollback_after: self
                .no_rollback_after
                .or_else(|| farther.no_rollback_after.clone()),
        }
    }

    fn take(&mut self, field: Field, said: &Saying<'_>) -> Result<(), Vec<String>> {
        if said.node.is_null() {
            return Ok(());
        }
        match field {
            Field::Strategy => self.strategy = Some(said.read(mode)?),
            Field::Steps => self.batches = Some(said.read_all(steps)?),
            Field::BatchSize => self.batches = Some(said.read(size)?),
            Field::Order => self.order = Some(said.read(order)?),
            Field::MaxSurge => self.max_surge = Some(said.read(amount)?),
            Field::Soak => self.soak = Some(said.read(duration)?),
            Field::Monitor => self.monitor = Some(said.read(duration)?),
            Field::OnFailure => self.on_failure = Some(said.read(on_failure)?),
            Field::HealthyDeadline => self.healthy_deadline = Some(said.read(deadline)?),
            Field::ProgressDeadline => self.progress_deadline = Some(said.read(deadline)?),
            Field::Rollback => self.take_rollback(said)?,
            Field::Group => self.group = Some(said.read(group)?),
            Field::Wave => self.wave = Some(said.read(wave)?),
            Field::DependsOn => self.depends_on = Some(said.read_all(workloads)?),
            Field::Approval => self.approval = Some(said.read(approval)?),
            Field::Windows => self.windows = Some(said.read_all(windows)?),
            Field::MaxFailureRatio => self.max_failure_ratio = Some(said.read(ratio)?),
            Field::NoRollbackAfter => self.no_rollback_after = Some(said.read(last_way_back)?),
            // Read apart: what stands beside it wins.
            Field::Preset => {}
            Field::Later if field::is_default(said.name, &said.node.value()) => {}
            Field::Later => return Err(vec!["is not supported yet: leave it out".to_owned()]),
        }
        Ok(())
    }

    fn take_rollback(&mut self, said: &Saying<'_>) -> Result<(), Vec<String>> {
        if !said.node.is_map() {
            let noun = said.node.noun();
            return Err(vec![format!(
                "is {noun}: write a map of maxSurge and order"
            )]);
        }
        let mut faults = Vec::new();
        for (key, node) in said.node.entries() {
            let inner = Saying {
                name: &key.text,
                written: said.written,
                node,
                place: Place::new(said.source.path, key.position),
                source: said.source,
            };
            if let Err(messages) = self.take_back(&inner) {
                faults.extend(messages);
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// Takes one field of `rollback`.
    fn take_back(&mut self, said: &Saying<'_>) -> Result<(), Vec<String>> {
        let name = said.name;
        let named = |messages: Vec<String>| -> Vec<String> {
            let named = messages
                .into_iter()
                .map(|message| format!("{name}: {message}"));
            named.collect()
        };
        match name {
            _ if said.node.is_null() => {}
            "maxSurge" => self.rollback_max_surge = Some(said.read(amount).map_err(named)?),
            "order" => self.rollback_order = Some(said.read(order).map_err(named)?),
            "steps" => {
                return Err(vec![
                    "`steps` is not supported yet: leave it out".to_owned(),
                ]);
            }
            other => {
                let hint = hint(other, ["maxSurge", "order", "steps"]);
                return Err(vec![format!("`{other}` is no field of it{hint}")]);
            }
        }
        Ok(())
    }
}

/// One field as a source gives it.
struct Saying<'a> {
    /// Canonical name.
    name: &'a str,
    /// Name of the field of the source that holds it, as people wrote it.
    written: &'a str,
    node: &'a Node,
    place: Place,
    source: &'a Source<'a>,
}

impl Saying<'_> {
    fn read<T>(&self, reading: fn(&Node) -> Result<T, String>) -> Result<Said<T>, Vec<String>> {
        let value = reading(self.node).map_err(|message| vec![message])?;
        Ok(self.said(value))
    }

    /// Reads a value that may be wrong in several ways.
    fn read_all<T>(
        &self,
        reading: fn(&Node) -> Result<T, Vec<String>>,
    ) -> Result<Said<T>, Vec<String>> {
        Ok(self.said(reading(self.node)?))
    }

    fn said<T>(&self, value: T) -> Said<T> {
        Said {
            value,
            origin: (self.source.origin)(self.written, self.place.position),
            place: self.place.clone(),
        }
    }
}

impl<T> Said<T> {
    fn new(value: T, origin: &Provenance, place: &Place) -> Self {
        Self {
            value,
            origin: origin.clone(),
            place: place.clone(),
        }
    }
}
