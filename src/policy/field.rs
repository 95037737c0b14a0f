//! The fields of a policy, as people may write them.

use serde_json::{Value, json};

use crate::object::hint;

/// A field that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Strategy,
    Steps,
    BatchSize,
    Order,
    MaxSurge,
    Soak,
    Monitor,
    OnFailure,
    HealthyDeadline,
    ProgressDeadline,
    Rollback,
    Preset,
    Group,
    Wave,
    DependsOn,
    Approval,
    Windows,
    MaxFailureRatio,
    NoRollbackAfter,
    /// Part of the schema, but only its default is possible so far.
    Later,
}

/// Names that mean a field; the first of each field is the canonical one.
const NAMES: [(&str, Field); 26] = [
    ("strategy", Field::Strategy),
    ("steps", Field::Steps),
    ("batchSize", Field::BatchSize),
    ("parallelism", Field::BatchSize),
    ("windowSize", Field::BatchSize),
    ("maxParallel", Field::BatchSize),
    ("order", Field::Order),
    ("maxSurge", Field::MaxSurge),
    ("soak", Field::Soak),
    ("delay", Field::Soak),
    ("waitTime", Field::Soak),
    ("bakeTime", Field::Soak),
    ("monitor", Field::Monitor),
    ("onFailure", Field::OnFailure),
    ("failureAction", Field::OnFailure),
    ("healthyDeadline", Field::HealthyDeadline),
    ("progressDeadline", Field::ProgressDeadline),
    ("rollback", Field::Rollback),
    ("preset", Field::Preset),
    ("group", Field::Group),
    ("wave", Field::Wave),
    ("dependsOn", Field::DependsOn),
    ("approval", Field::Approval),
    ("windows", Field::Windows),
    ("maxFailureRatio", Field::MaxFailureRatio),
    ("noRollbackAfter", Field::NoRollbackAfter),
];

/// Fields of the schema that are not supported yet.
const LATER: [&str; 8] = [
    "pacing",
    "gates",
    "preDeploy",
    "postDeploy",
    "preRollback",
    "configTracking",
    "blueGreen",
    "canary",
];

/// Returns the field that `name` means, with its canonical name.
pub(super) fn find(name: &str) -> Result<(&'static str, Field), String> {
    if let Some((_, field)) = NAMES.iter().find(|(known, _)| *known == name) {
        let canonical = NAMES.iter().find(|(_, known)| known == field);
        return Ok(*canonical.expect("the field was found in this table"));
    }
    match LATER.iter().find(|later| **later == name) {
        Some(later) => Ok((*later, Field::Later)),
        None => Err(unknown(name)),
    }
}

/// Says whether `value` is what a field that is not supported yet has by default.
pub(super) fn is_default(name: &str, value: &Value) -> bool {
    let accepted: &[Value] = match name {
        "pacing" => &[json!("Barrier")],
        "gates" => &[json!([])],
        // A bare `Off` is a boolean in YAML 1.1.
        "configTracking" => &[json!("Off"), json!(false)],
        _ => &[],
    };
    value.is_null() || accepted.contains(value)
}

fn unknown(name: &str) -> String {
    let known = NAMES.iter().map(|(name, _)| *name).chain(LATER);
    format!("is no field of a rollout policy{}", hint(name, known))
}
