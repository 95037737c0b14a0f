//! From what is said in several places to the one policy of a workload.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Batches, GoingBack, Policy, PolicyFile, Provenance, Resolved,
    contradiction::{contradictions, notes},
    statement::{Said, Source, Statement},
};
use crate::{
    object::{Amount, mark},
    revision::{Fault, Located, Position},
    yaml::{self, Key, Node},
};

/// Returns the policy of a Deployment. Nearer words win: single annotations, the annotation
/// document, the nearest of `files` (its entry for the workload, then the rest of it), farther
/// ones, `default` (the `spec.rollout` of the `GitSync`), what is built in.
///
/// # Errors
///
/// Returns everything that is unknown, unsupported, wrong or contradictory, each with its place.
pub fn resolve(
    workload: &Located,
    files: &[PolicyFile],
    default: Option<&Value>,
) -> Result<Resolved, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut said = Statement::default();
    let mut add = |statement: Result<Statement, Vec<Fault>>| match statement {
        Ok(statement) => said = std::mem::take(&mut said).or(statement),
        Err(found) => faults.extend(found),
    };
    add(single_annotations(workload));
    add(annotation(workload));
    let mut near: Vec<&PolicyFile> = files
        .iter()
        .filter(|file| file.covers(&workload.place.path))
        .collect();
    near.sort_by_key(|file| std::cmp::Reverse(file.path().len()));
    let id = workload.object.id();
    for file in near {
        add(Ok(file.of(&id.kind, &id.name)));
    }
    if let Some(default) = default {
        add(read_default(default));
    }
    faults.extend(contradictions(&said, workload));
    if faults.is_empty() {
        Ok(settled(said, workload))
    } else {
        Err(faults)
    }
}

/// Checks a `spec.rollout` by itself, as far as no workload is needed.
///
/// # Errors
///
/// Returns all faults; their path is `spec.rollout`.
pub fn check_default(rollout: &Value) -> Result<(), Vec<Fault>> {
    read_default(rollout).map(|_| ())
}

/// Returns what people should know where a scaler sets the replicas of a workload with this
/// policy.
#[must_use]
pub fn scaler_note(policy: &Policy) -> Option<String> {
    let is_count = |amount: &Amount| matches!(amount, Amount::Count(_));
    let counts = match &policy.batches {
        Batches::Own => false,
        Batches::Size(size) => is_count(size),
        Batches::Steps(steps) => steps.iter().any(is_count),
    };
    counts.then(|| {
        "its batches are counts while a scaler sets its replicas: percents keep their share"
            .to_owned()
    })
}

fn read_default(rollout: &Value) -> Result<Statement, Vec<Fault>> {
    let path = "spec.rollout";
    let node = Node::of(rollout, Position::default());
    if !node.is_map() && !node.is_null() {
        let message = format!("is {}: write a map of policy fields", node.noun());
        return Err(vec![Fault::new(path, node.position, message)]);
    }
    let origin = |_: &str, _| Provenance::GitSync;
    Statement::read(
        node.entries(),
        &Source {
            path,
            prefix: "",
            origin: &origin,
        },
    )
}

/// Reads the annotation that holds a whole policy.
fn annotation(workload: &Located) -> Result<Statement, Vec<Fault>> {
    let Some(text) = workload.object.annotation(mark::ROLLOUT) else {
        return Ok(Statement::default());
    };
    let path = &workload.place.path;
    let position = position_of(workload, mark::ROLLOUT);
    let prefix = format!("{}: ", mark::ROLLOUT);
    let fault = |message: String| vec![Fault::new(path, position, format!("{prefix}{message}"))];
    let node = yaml::read_text(text, position).map_err(fault)?;
    if !node.is_map() && !node.is_null() {
        return Err(fault(format!(
            "is {}: write a map of policy fields",
            node.noun()
        )));
    }
    let origin = |_: &str, at: Position| written_at(mark::ROLLOUT, path, at);
    Statement::read(
        node.entries(),
        &Source {
            path,
            prefix: &prefix,
            origin: &origin,
        },
    )
}

/// Reads the annotations that hold one field each.
fn single_annotations(workload: &Located) -> Result<Statement, Vec<Fault>> {
    let path = &workload.place.path;
    let prefix = format!("{}.", mark::ROLLOUT);
    let annotations = workload
        .object
        .at("/metadata/annotations")
        .and_then(Value::as_object);
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    for (key, value) in annotations.into_iter().flatten() {
        let (Some(field), Some(text)) = (key.strip_prefix(&prefix), value.as_str()) else {
            continue;
        };
        let position = position_of(workload, key);
        match yaml::read_text(text, position) {
            Ok(node) => entries.push((
                Key {
                    text: field.to_owned(),
                    position,
                },
                node,
            )),
            Err(message) => faults.push(Fault::new(path, position, format!("{key}: {message}"))),
        }
    }
    let origin = |name: &str, at: Position| {
        let field = name.split('.').next().unwrap_or(name);
        written_at(&format!("{prefix}{field}"), path, at)
    };
    let source = Source {
        path,
        prefix: &prefix,
        origin: &origin,
    };
    match Statement::read(&entries, &source) {
        Ok(statement) if faults.is_empty() => Ok(statement),
        Ok(_) => Err(faults),
        Err(found) => Err(faults.into_iter().chain(found).collect()),
    }
}

fn position_of(workload: &Located, annotation: &str) -> Position {
    workload
        .annotations
        .get(annotation)
        .copied()
        .unwrap_or(workload.place.position)
}

fn written_at(key: &str, path: &str, at: Position) -> Provenance {
    Provenance::Annotation(format!("{key} at {path}:{}", at.line))
}

/// Fills in what nobody said, and notes what people should know.
fn settled(said: Statement, workload: &Located) -> Resolved {
    let notes = notes(&said, workload);
    let built_in = Policy::default();
    let mut origins = Origins(BTreeMap::new());
    let own = |is_own: bool| {
        if is_own {
            Provenance::Workload
        } else {
            Provenance::Default
        }
    };
    let is_own = said.batches.is_none();
    let batches_name = match said.batches.as_ref().map(|batches| &batches.value) {
        Some(Batches::Steps(_)) => "steps",
        Some(Batches::Size(_) | Batches::Own) | None => "batchSize",
    };
    let policy = Policy {
        strategy: origins.built_in("strategy", said.strategy, built_in.strategy),
        batches: origins
            .take(batches_name, said.batches, Provenance::Workload)
            .unwrap_or(Batches::Own),
        order: origins.take("order", said.order, own(is_own)),
        max_surge: origins.take("maxSurge", said.max_surge, own(is_own)),
        soak: origins.built_in("soak", said.soak, built_in.soak),
        monitor: origins.built_in("monitor", said.monitor, built_in.monitor),
        on_failure: origins.built_in("onFailure", said.on_failure, built_in.on_failure),
        healthy_deadline: origins.take(
            "healthyDeadline",
            said.healthy_deadline,
            Provenance::Default,
        ),
        progress_deadline: origins.take(
            "progressDeadline",
            said.progress_deadline,
            Provenance::Workload,
        ),
        rollback: GoingBack {
            max_surge: origins.built_in(
                "rollback.maxSurge",
                said.rollback_max_surge,
                built_in.rollback.max_surge,
            ),
            order: origins.built_in(
                "rollback.order",
                said.rollback_order,
                built_in.rollback.order,
            ),
        },
    };
    Resolved {
        policy,
        origins: origins.0,
        notes,
    }
}

struct Origins(BTreeMap<String, Provenance>);

impl Origins {
    /// Records where the field comes from, `otherwise` where nobody said it.
    fn take<T>(&mut self, name: &str, said: Option<Said<T>>, otherwise: Provenance) -> Option<T> {
        let (value, origin) = match said {
            Some(Said { value, origin, .. }) => (Some(value), origin),
            None => (None, otherwise),
        };
        self.0.insert(name.to_owned(), origin);
        value
    }

    fn built_in<T>(&mut self, name: &str, said: Option<Said<T>>, value: T) -> T {
        self.take(name, said, Provenance::Default).unwrap_or(value)
    }
}
