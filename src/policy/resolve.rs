//! From what is said in several places to the one policy of a workload.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Batches, GoingBack, OnFailure, Order, Policy, PolicyFile, Provenance, Resolved,
    contradiction::{contradictions, general_contradictions, notes, stops_first},
    statement::{Said, Source, Statement},
};
use crate::{
    object::{Amount, mark},
    revision::{Fault, Located, Position},
    yaml::{self, Key, Node},
};

/// Returns the policy of a workload. Nearer words win: single annotations, the annotation
/// document, the nearest of `files` (its entry for the workload, then the rest of it), farther
/// ones, the baseline, what is built in.
///
/// # Errors
///
/// Returns everything that is unknown, unsupported, wrong or contradictory, each with its place.
pub fn resolve(
    workload: &Located,
    files: &[PolicyFile],
    baseline: &Baseline,
) -> Result<Resolved, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut said = Statement::default();
    for statement in [single_annotations(workload), annotation(workload)] {
        match statement {
            Ok(statement) => said = said.or(&statement),
            Err(found) => faults.extend(found),
        }
    }
    let mut near: Vec<&PolicyFile> = files
        .iter()
        .filter(|file| file.covers(&workload.place.path))
        .collect();
    near.sort_by_key(|file| std::cmp::Reverse(file.path().len()));
    let id = workload.object.id();
    for statement in near
        .into_iter()
        .flat_map(|file| file.of(&id.kind, &id.name))
    {
        said = said.or(statement);
    }
    said = said.or(&baseline.0);
    if faults.is_empty() {
        // What could not be read may be what a farther word seems to contradict.
        faults = contradictions(&said, workload);
    }
    if faults.is_empty() {
        Ok(settled(said, workload))
    } else {
        Err(faults)
    }
}

/// What the `spec.rollout` of a `GitSync` says: of all its workloads, and of failures that no
/// workload is to blame for. The default says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline(Statement);

impl Baseline {
    /// Reads a `spec.rollout`, as far as no workload is needed to judge it: what contradicts itself
    /// is a fault here and not of each commit.
    ///
    /// # Errors
    ///
    /// Returns all faults; their path is `spec.rollout`.
    pub fn read(rollout: Option<&Value>) -> Result<Self, Vec<Fault>> {
        let path = "spec.rollout";
        let node = Node::of(rollout.unwrap_or(&Value::Null), Position::default());
        if !node.is_map() && !node.is_null() {
            let message = format!("is {}: write a map of policy fields", node.noun());
            return Err(vec![Fault::new(path, node.position, message)]);
        }
        let source = Source {
            path,
            prefix: "",
            origin: &|_, _| Provenance::GitSync,
        };
        let said = Statement::read(node.entries(), &source)?;
        let faults = general_contradictions(&said);
        if faults.is_empty() {
            Ok(Self(said))
        } else {
            Err(faults)
        }
    }

    /// Returns what happens where no workload is at fault: a stage that does not become healthy, an
    /// apply that is refused. Built in where nothing is said.
    #[must_use]
    pub fn on_failure(&self) -> OnFailure {
        let said = self.0.on_failure.as_ref();
        said.map_or(Policy::default().on_failure, |said| said.value)
    }
}

/// Returns what people should know where a scaler sets the replicas of a workload with this
/// policy.
#[must_use]
pub fn scaler_note(policy: &Policy) -> Option<String> {
    let is_count = |amount: &Amount| matches!(amount, Amount::Count(_));
    let counts = match &policy.batches {
        Batches::Own => false,
        Batches::Size(size) => is_count(size),
        Batches::Steps(steps) => steps.iter().any(|step| is_count(&step.target)),
    };
    counts.then(|| {
        "its batches are counts while a scaler sets its replicas: percents keep their share"
            .to_owned()
    })
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
    let origin = |field: &str, at: Position| written_at(&format!("{prefix}{field}"), path, at);
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
    let own = if said.batches.is_none() {
        Provenance::Workload
    } else {
        Provenance::Default
    };
    let batches_name = match said.batches.as_ref().map(|batches| &batches.value) {
        Some(Batches::Steps(_)) => "steps",
        Some(Batches::Size(_) | Batches::Own) | None => "batchSize",
    };
    let mut policy = Policy {
        strategy: origins.built_in("strategy", said.strategy, built_in.strategy),
        batches: origins
            .take(batches_name, said.batches, Provenance::Workload)
            .unwrap_or(Batches::Own),
        order: origins.take("order", said.order, own.clone()),
        max_surge: origins.take("maxSurge", said.max_surge, own),
        soak: origins.built_in("soak", said.soak, built_in.soak),
        monitor: origins.built_in("monitor", said.monitor, built_in.monitor),
        approval: origins.built_in("approval", said.approval, built_in.approval),
        windows: origins.built_in("windows", said.windows, built_in.windows),
        on_failure: origins.built_in("onFailure", said.on_failure, built_in.on_failure),
        max_failure_ratio: origins.built_in(
            "maxFailureRatio",
            said.max_failure_ratio,
            built_in.max_failure_ratio,
        ),
        no_rollback_after: origins.take(
            "noRollbackAfter",
            said.no_rollback_after,
            Provenance::Default,
        ),
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
        rollback: origins.going_back(said.rollback_max_surge, said.rollback_order),
        group: origins.take("group", said.group, Provenance::Default),
        wave: origins.built_in("wave", said.wave, built_in.wave),
        depends_on: origins.built_in("dependsOn", said.depends_on, built_in.depends_on),
    };
    if stops_first(workload) {
        (policy.order, policy.max_surge) = origins.stop_first();
    }
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

    fn going_back(&mut self, surge: Option<Said<Amount>>, order: Option<Said<Order>>) -> GoingBack {
        let built_in = Policy::default().rollback;
        GoingBack {
            max_surge: self.built_in("rollback.maxSurge", surge, built_in.max_surge),
            order: self.built_in("rollback.order", order, built_in.order),
        }
    }

    /// Records that the kind of the workload decides about extra pods; returns order and maxSurge.
    fn stop_first(&mut self) -> (Option<Order>, Option<Amount>) {
        for field in ["order", "maxSurge"] {
            self.0.insert(field.to_owned(), Provenance::Workload);
        }
        (Some(Order::StopFirst), None)
    }

    fn built_in<T>(&mut self, name: &str, said: Option<Said<T>>, value: T) -> T {
        self.take(name, said, Provenance::Default).unwrap_or(value)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        object::Object,
        policy::{Batches, Mode, OnFailure, Order},
        revision::Place,
    };

    const AT: Position = Position { line: 7, column: 5 };

    fn web(annotations: &[(&str, &str)], spec: &Value) -> Located {
        let metadata = json!({"name": "web", "namespace": "shop"});
        let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec});
        let mut object = Object::new(value).unwrap();
        for (key, value) in annotations {
            object.annotate(key, value);
        }
        Located {
            object,
            place: Place::new("apps/web/deploy.yaml", Position { line: 1, column: 1 }),
            annotations: annotations
                .iter()
                .map(|(key, _)| ((*key).to_owned(), AT))
                .collect(),
        }
    }

    fn file(path: &str, text: &str) -> PolicyFile {
        let mut budget = yaml::Budget::default();
        let nodes = yaml::read(path, text.as_bytes(), &mut budget).unwrap();
        PolicyFile::read(path, &nodes[0]).unwrap()
    }

    fn baseline(rollout: &Value) -> Baseline {
        Baseline::read(Some(rollout)).unwrap()
    }

    fn origin(resolved: &Resolved, field: &str) -> String {
        resolved.origins[field].to_string()
    }

    #[test]
    fn kinds_without_extra_pods_stop_first_whatever_is_said_and_that_is_noted() {
        let said = baseline(&json!({"order": "SurgeFirst", "maxSurge": 2}));
        for kind in ["StatefulSet", "DaemonSet"] {
            let mut set = web(&[], &json!({}));
            set.object.set(&["kind"], kind.into());
            let resolved = resolve(&set, &[], &said).unwrap();
            let policy = &resolved.policy;
            assert_eq!(
                (policy.order, policy.max_surge),
                (Some(Order::StopFirst), None)
            );
            assert_eq!(origin(&resolved, "order"), "the workload's own strategy");
            assert_eq!(
                resolved.notes,
                [
                    format!(
                        "{kind}/shop/web: a {kind} goes by order StopFirst, always: the SurgeFirst of spec.rollout is not used"
                    ),
                    format!(
                        "{kind}/shop/web: a {kind} makes no extra pods: the maxSurge of spec.rollout is not used"
                    ),
                ]
            );
        }
    }

    #[test]
    fn what_is_said_beside_a_preset_wins_and_a_nearer_preset_over_farther_words() {
        let farther = baseline(&json!({"soak": "5s", "monitor": "9s"}));
        let beside = [
            ("tidegate.dev/rollout.preset", "conservative"),
            ("tidegate.dev/rollout.maxSurge", "2"),
        ];
        let resolved = resolve(&web(&beside, &json!({})), &[], &farther).unwrap();
        let policy = &resolved.policy;
        assert_eq!(policy.batches, Batches::Size(Amount::Count(1)));
        assert_eq!(policy.max_surge, Some(Amount::Count(2)));
        assert_eq!(policy.soak, Duration::from_secs(30));
        assert_eq!(policy.monitor, Duration::from_secs(9));
        let by = "annotation tidegate.dev/rollout.preset at apps/web/deploy.yaml:7 (preset conservative)";
        assert_eq!(origin(&resolved, "soak"), by);
    }

    #[test]
    fn without_a_word_the_workload_itself_is_the_policy() {
        let resolved = resolve(&web(&[], &json!({})), &[], &Baseline::default()).unwrap();
        assert_eq!(resolved.policy, Policy::default());
        let own = "the workload's own strategy";
        for (field, said) in [
            ("strategy", "default"),
            ("batchSize", own),
            ("order", own),
            ("maxSurge", own),
            ("soak", "default"),
            ("monitor", "default"),
            ("onFailure", "default"),
            ("healthyDeadline", "default"),
            ("progressDeadline", own),
            ("rollback.maxSurge", "default"),
            ("rollback.order", "default"),
            ("group", "default"),
            ("wave", "default"),
            ("dependsOn", "default"),
            ("approval", "default"),
            ("windows", "default"),
            ("maxFailureRatio", "default"),
            ("noRollbackAfter", "default"),
        ] {
            assert_eq!(origin(&resolved, field), said, "{field}");
        }
        assert_eq!(resolved.origins.len(), 18);
    }

    #[test]
    fn the_nearest_word_wins_and_each_value_tells_where_it_was_said() {
        let files = [
            file(
                ".tidegate.yaml",
                "soak: 1s\nmonitor: 1s\norder: stop-first\n",
            ),
            file(
                "apps/.tidegate.yaml",
                "soak: 2s\nmonitor: 2s\nworkloads:\n- {kind: Deployment, name: web, monitor: 3s}\n",
            ),
            file("other/.tidegate.yaml", "soak: 9s\n"),
        ];
        let default = json!({"soak": "7s", "onFailure": "Rollback", "maxSurge": 2, "rollback": {"maxSurge": "50%"}});
        let annotations = [
            ("tidegate.dev/rollout", "soak: 4s\nhealthyDeadline: 1m\n"),
            ("tidegate.dev/rollout.soak", "5s"),
        ];
        let resolved =
            resolve(&web(&annotations, &json!({})), &files, &baseline(&default)).unwrap();
        let policy = &resolved.policy;
        assert_eq!(policy.soak, Duration::from_secs(5));
        assert_eq!(policy.monitor, Duration::from_secs(3));
        assert_eq!(policy.order, Some(Order::StopFirst));
        assert_eq!(policy.on_failure, OnFailure::Rollback);
        assert_eq!(policy.rollback.max_surge.to_string(), "50%");
        assert_eq!(policy.healthy_deadline, Some(Duration::from_secs(60)));
        for (field, said) in [
            (
                "soak",
                "annotation tidegate.dev/rollout.soak at apps/web/deploy.yaml:7",
            ),
            (
                "healthyDeadline",
                "annotation tidegate.dev/rollout at apps/web/deploy.yaml:7",
            ),
            ("monitor", "apps/.tidegate.yaml:4:33"),
            ("order", ".tidegate.yaml:3:1"),
            ("onFailure", "spec.rollout"),
            ("rollback.maxSurge", "spec.rollout"),
            ("rollback.order", "default"),
        ] {
            assert_eq!(origin(&resolved, field), said, "{field}");
        }
    }

    #[test]
    fn steps_and_batch_size_replace_each_other_across_sources() {
        let default = json!({"steps": ["1", "50%", "100%"], "batchSize": null});
        let near = [("tidegate.dev/rollout.parallelism", "25%")];
        let resolved = resolve(&web(&near, &json!({})), &[], &baseline(&default)).unwrap();
        assert_eq!(resolved.policy.batches, Batches::Size(Amount::Percent(25)));
        assert_eq!(
            origin(&resolved, "batchSize"),
            "annotation tidegate.dev/rollout.parallelism at apps/web/deploy.yaml:7"
        );
        assert!(!resolved.origins.contains_key("steps"));
        let resolved = resolve(&web(&[], &json!({})), &[], &baseline(&default)).unwrap();
        let steps = ["1", "50%", "100%"].map(|step| step.parse().unwrap());
        assert_eq!(resolved.policy.batches, Batches::steps(steps));
        assert_eq!(origin(&resolved, "steps"), "spec.rollout");
    }

    #[test]
    fn the_whole_schema_with_its_defaults_is_accepted() {
        let text = "preset: null\nstrategy: Rolling\nsteps: null\nbatchSize: null\npacing: Barrier\norder: SurgeFirst\nmaxSurge: null\nsoak: 0s\nmonitor: 5s\ngates: []\nonFailure: Pause\nmaxFailureRatio: 0\nhealthyDeadline: null\nprogressDeadline: null\nnoRollbackAfter: null\napproval: None\nwindows: []\npreDeploy: null\npostDeploy: null\npreRollback: null\nconfigTracking: Off\ngroup: null\nwave: 0\nrollback: {steps: null, maxSurge: 25%, order: SurgeFirst}\nblueGreen: null\ncanary: null\n";
        let resolved = resolve(
            &web(&[("tidegate.dev/rollout", text)], &json!({})),
            &[],
            &Baseline::default(),
        )
        .unwrap();
        assert_eq!(
            resolved.policy,
            Policy {
                order: Some(Order::SurgeFirst),
                ..Policy::default()
            }
        );
    }

    #[test]
    fn steps_may_end_with_all_replicas_and_fall_in_a_policy_for_many() {
        let all = [("tidegate.dev/rollout.steps", "[1, 4]")];
        assert!(
            resolve(
                &web(&all, &json!({"replicas": 4})),
                &[],
                &Baseline::default()
            )
            .is_ok()
        );
        let default = json!({"steps": [5, "25%", "100%"]});
        let resolved =
            resolve(&web(&[], &json!({"replicas": 8})), &[], &baseline(&default)).unwrap();
        assert_eq!(
            resolved.notes,
            [
                "Deployment/shop/web: `25%` after `5` falls from 5 to 2 of 8 pods: steps are cumulative; that step moves nothing"
            ]
        );
    }

    #[test]
    fn what_has_no_effect_is_noted() {
        let said = |text, spec| {
            resolve(
                &web(&[("tidegate.dev/rollout", text)], &spec),
                &[],
                &Baseline::default(),
            )
            .unwrap()
        };
        let recreate = said("batchSize: 2\n", json!({"strategy": {"type": "Recreate"}}));
        assert!(
            recreate.notes[0].contains("cannot be cut into batches"),
            "{:?}",
            recreate.notes
        );
        let native = said("strategy: Native\nbatchSize: 2\n", json!({}));
        assert_eq!(native.policy.strategy, Mode::Native);
        assert!(
            native.notes[0].contains("leaves the pace to Kubernetes"),
            "{:?}",
            native.notes
        );
        let stop = said("order: StopFirst\nmaxSurge: 2\n", json!({}));
        assert!(
            stop.notes[0].contains("makes no extra pods"),
            "{:?}",
            stop.notes
        );
        assert!(scaler_note(&native.policy).is_some());
        assert!(scaler_note(&stop.policy).is_none());
    }

    #[test]
    fn a_baseline_is_checked_by_itself() {
        assert!(Baseline::read(Some(&json!({"soak": "30s"}))).is_ok());
        assert_eq!(Baseline::read(None), Ok(Baseline::default()));
        assert_eq!(
            Baseline::read(Some(&json!({"sok": 1, "soak": true})))
                .unwrap_err()
                .len(),
            2
        );
        let on_failure = |rollout| baseline(&rollout).on_failure();
        assert_eq!(on_failure(json!({})), OnFailure::Pause);
        assert_eq!(
            on_failure(json!({"onFailure": "Rollback"})),
            OnFailure::Rollback
        );
    }

    #[test]
    fn an_alias_within_rollback_tells_the_annotation_that_holds_it() {
        let near = [("tidegate.dev/rollout.rollback", "{maxSurge: 1}")];
        let resolved = resolve(&web(&near, &json!({})), &[], &Baseline::default()).unwrap();
        assert_eq!(
            origin(&resolved, "rollback.maxSurge"),
            "annotation tidegate.dev/rollout.rollback at apps/web/deploy.yaml:7"
        );
    }

    #[test]
    fn nothing_is_judged_against_words_that_could_not_be_read() {
        let near = [("tidegate.dev/rollout.order", "StopFrist")];
        let farther = baseline(&json!({"maxSurge": 0}));
        let faults = resolve(&web(&near, &json!({})), &[], &farther).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].message.contains("StopFrist"), "{faults:?}");
    }

    #[test]
    fn everything_that_is_wrong_with_a_field_is_told() {
        let messages = |key: &str, text: &str| -> Vec<String> {
            let near = [(key, text)];
            let faults = resolve(&web(&near, &json!({})), &[], &Baseline::default());
            let faults = faults.unwrap_err().into_iter();
            faults.map(|fault| fault.message).collect()
        };
        let steps = messages("tidegate.dev/rollout.steps", "[0, 200%, 100%]");
        assert_eq!(steps.len(), 2, "{steps:?}");
        let falls = messages("tidegate.dev/rollout.steps", "[3, 2, 50%, 40%]");
        assert_eq!(falls.len(), 3, "{falls:?}");
        let back = messages(
            "tidegate.dev/rollout.rollback",
            "{maxSurge: x, order: y, steps: [1], z: 1}",
        );
        assert_eq!(back.len(), 4, "{back:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "((steps|soak|rollback|batchSize|maxSurge)?[-: {}\\[\\],\"0-9%smh.\n]{0,6}){0,12}") {
            let annotations = [("tidegate.dev/rollout", text.as_str()), ("tidegate.dev/rollout.soak", &text)];
            let _ = resolve(&web(&annotations, &json!({})), &[], &Baseline::default());
        }
    }
}
