//! Revisions: numbers and annotations of ReplicaSets, and how many old ones are kept.

use std::sync::Arc;

use serde_json::Value;

use super::super::desk::{Desk, count, number};
use super::super::pod::{created, replicas};
use crate::object::Object;
use crate::sim::refusal::Refusal;

const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";

/// Annotations that a set does not get from its Deployment (`annotationsToSkip`).
const OWN: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    super::DESIRED,
    super::MAX,
    "deprecated.deployment.rollback.to",
];

/// Letters of the longest revision history.
const LONGEST_HISTORY: usize = 2000;

fn revision(object: &Object) -> i64 {
    let revision = object.annotation(REVISION);
    revision
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

/// Gives the set of the current template the Deployment's annotations and minReadySeconds and the
/// highest revision; says whether that changed it.
pub(super) fn hand_on(
    desk: &mut Desk<'_>,
    live: &Object,
    sets: &[Arc<Object>],
    new: usize,
) -> Result<bool, Refusal> {
    let set = &sets[new];
    let mut handed = set.value().clone();
    copy_annotations(live, &mut handed);
    number_newest(sets, Some(new), &mut handed);
    let min_ready = number(live, "/spec/minReadySeconds");
    if number(set, "/spec/minReadySeconds") != min_ready {
        handed["spec"]["minReadySeconds"] = min_ready.into();
    }
    let changes = handed != *set.value();
    if changes {
        desk.update(set, |set| *set = handed)?;
    }
    Ok(changes)
}

/// `copyDeploymentAnnotationsToReplicaSet`.
pub(super) fn copy_annotations(live: &Object, set: &mut Value) {
    let annotations = live.at("/metadata/annotations").and_then(Value::as_object);
    for (key, value) in annotations.into_iter().flatten() {
        if !OWN.contains(&key.as_str()) {
            set["metadata"]["annotations"][key] = value.clone();
        }
    }
}

/// Gives a set, the one at `new` or one to be made, a revision above all others, and keeps the one
/// that it had in its history.
pub(super) fn number_newest(sets: &[Arc<Object>], new: Option<usize>, set: &mut Value) {
    let others = sets.iter().enumerate().filter(|(at, _)| Some(*at) != new);
    let next = 1 + others
        .map(|(_, set)| revision(set))
        .max()
        .unwrap_or_default();
    let annotations = &mut set["metadata"]["annotations"];
    let before = annotations[REVISION].as_str().map(ToOwned::to_owned);
    let had = before.as_deref().and_then(|text| text.parse::<i64>().ok());
    if had.unwrap_or_default() >= next {
        return;
    }
    annotations[REVISION] = next.to_string().into();
    if let Some(before) = before {
        let history = annotations[HISTORY].as_str().unwrap_or_default();
        annotations[HISTORY] = lengthened(history, &before).into();
    }
}

/// A history with one more revision, without the first ones where it becomes too long.
fn lengthened(history: &str, revision: &str) -> String {
    let mut all: Vec<&str> = history.split(',').filter(|text| !text.is_empty()).collect();
    all.push(revision);
    while all.len() > 1 && all.join(",").len() > LONGEST_HISTORY {
        all.remove(0);
    }
    all.join(",")
}

/// Writes the revision of its current set on the Deployment.
pub(super) fn note(
    desk: &mut Desk<'_>,
    live: &Arc<Object>,
    set: &Object,
) -> Result<Arc<Object>, Refusal> {
    let revision = set.annotation(REVISION);
    if revision.is_none() || live.annotation(REVISION) == revision {
        return Ok(Arc::clone(live));
    }
    desk.update_status(live, |live| {
        live["metadata"]["annotations"][REVISION] = revision.into();
    })
}

/// Deletes old sets without pods beyond `revisionHistoryLimit` (`cleanupDeployment`).
pub(super) fn forget_old(
    desk: &mut Desk<'_>,
    live: &Object,
    sets: &[Arc<Object>],
    new: Option<usize>,
) -> Result<(), Refusal> {
    let kept = count(live, "/spec/revisionHistoryLimit").unwrap_or(10) as usize;
    let others = sets.iter().enumerate().filter(|(at, _)| Some(*at) != new);
    let mut old: Vec<&Arc<Object>> = others
        .map(|(_, set)| set)
        .filter(|set| !set.is_terminating())
        .collect();
    old.sort_by_key(|set| (revision(set), created(set)));
    let beyond = old.len().saturating_sub(kept);
    for set in old.into_iter().take(beyond) {
        let is_empty = replicas(set) == 0 && count(set, "/status/replicas").unwrap_or(0) == 0;
        if is_empty && number(set, "/status/observedGeneration") >= set.generation() {
            desk.delete(set)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(name: &str, revision: &str) -> Arc<Object> {
        let set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": name, "annotations": {REVISION: revision}},
        });
        Arc::new(Object::new(set).unwrap())
    }

    #[test]
    fn a_set_that_becomes_current_again_gets_the_highest_revision_and_keeps_the_old_one() {
        let sets = [set("a", "1"), set("b", "2")];
        let mut back = sets[0].value().clone();
        number_newest(&sets, Some(0), &mut back);
        assert_eq!(back["metadata"]["annotations"][REVISION], "3");
        assert_eq!(back["metadata"]["annotations"][HISTORY], "1");
        let mut again = back.clone();
        number_newest(&sets, Some(0), &mut again);
        assert_eq!(again, back);
    }

    #[test]
    fn a_history_forgets_its_beginning_where_it_becomes_too_long() {
        let long = vec!["1000"; 400].join(",");
        let history = lengthened(&long, "7");
        assert!(history.len() <= LONGEST_HISTORY && history.ends_with(",7"));
        assert_eq!(lengthened("", "7"), "7");
    }

    #[test]
    fn a_set_gets_the_annotations_of_its_deployment_but_for_those_of_its_own() {
        let live = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "annotations": {"a": "1", REVISION: "4", OWN[0]: "{}"}},
        });
        let mut set = json!({"metadata": {"annotations": {}}});
        copy_annotations(&Object::new(live).unwrap(), &mut set);
        assert_eq!(set["metadata"]["annotations"], json!({"a": "1"}));
    }
}
