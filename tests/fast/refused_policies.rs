//! Policies that are refused, each with the exact words.

use std::fmt::Write as _;

use serde_json::Value;
use tidegate::{
    manifest::{self, KindScope, Scope},
    policy::{self, Baseline},
    revision::{Fault, File, Tree},
};

/// Where a bad policy is said.
enum Source {
    /// Annotations `tidegate.dev/…` of the Deployment `web`, and its `spec`.
    Annotations(&'static [(&'static str, &'static str)], &'static str),
    /// `.tidegate.yaml` next to it.
    File(&'static str),
    /// `spec.rollout`, as JSON.
    Default(&'static str),
}

use Source::{Annotations, Default as Fallback, File as PolicyFile};

const CASES: &[(&str, Source, &[&str])] = &[
    (
        "an unknown field",
        Annotations(&[("rollout.sok", "30s")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.sok: is no field of a rollout policy; did you mean `soak`?",
        ],
    ),
    (
        "a field in other letters",
        Annotations(&[("rollout.batchsize", "5")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.batchsize: is no field of a rollout policy; did you mean `batchSize`?",
        ],
    ),
    (
        "a field of nothing",
        Annotations(&[("rollout.colour", "red")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.colour: is no field of a rollout policy"],
    ),
    (
        "an unknown field in the document",
        Annotations(
            &[("rollout", "soak: 5s\nonFialure: Pause\n")],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout: onFialure: is no field of a rollout policy; did you mean `onFailure`?",
        ],
    ),
    (
        "a document that is a string",
        Annotations(&[("rollout", "fast")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout: is a string: write a map of policy fields"],
    ),
    (
        "a document that is broken",
        Annotations(&[("rollout", "soak: 5s\nsteps: [1\n")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout: unclosed bracket '[' (in its line 2)"],
    ),
    (
        "two documents",
        Annotations(&[("rollout", "soak: 5s\n---\nsoak: 6s\n")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout: it holds more than one YAML document"],
    ),
    (
        "a value that is broken",
        Annotations(&[("rollout.steps", "[1, ")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.steps: unclosed bracket '['"],
    ),
    (
        "a batch of 0",
        Annotations(&[("rollout.batchSize", "0")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.batchSize: 0 would never move a pod: write at least 1",
        ],
    ),
    (
        "a batch of 0%",
        Annotations(&[("rollout.batchSize", "0%")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.batchSize: 0 would never move a pod: write at least 1",
        ],
    ),
    (
        "a batch of 101%",
        Annotations(&[("rollout.batchSize", "101%")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.batchSize: `101%` is more than all pods: write at most 100%",
        ],
    ),
    (
        "a batch below 0",
        Annotations(&[("rollout.batchSize", "-1")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.batchSize: `-1` is neither a count such as 3 nor a percent such as 25%",
        ],
    ),
    (
        "a percent with a space",
        Annotations(&[("rollout.batchSize", "10 %")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.batchSize: `10 %` is neither a count such as 3 nor a percent such as 25%",
        ],
    ),
    (
        "a fraction of a pod",
        Annotations(&[("rollout.batchSize", "2.5")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.batchSize: `2.5` is neither a count such as 3 nor a percent such as 25%",
        ],
    ),
    (
        "a batch that is a list",
        Annotations(&[("rollout.batchSize", "[1]")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.batchSize: `[1]` is neither a count such as 3 nor a percent such as 25%",
        ],
    ),
    (
        "an empty list of steps",
        Annotations(&[("rollout.steps", "[]")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.steps: is empty: write at least `100%`"],
    ),
    (
        "steps that are no list",
        Annotations(&[("rollout.steps", "25%")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.steps: is a string: write a list such as [1, 50%, 100%]",
        ],
    ),
    (
        "steps that fall",
        Annotations(&[("rollout.steps", "[50%, 25%, 100%]")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.steps: `25%` after `50%` does not rise: steps are cumulative",
        ],
    ),
    (
        "steps that stand still",
        Annotations(&[("rollout.steps", "[2, 2, 100%]")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.steps: `2` after `2` does not rise: steps are cumulative",
        ],
    ),
    (
        "steps that end early",
        Annotations(&[("rollout.steps", "[1, 50%]")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.steps: ends with `50%`: the last step must be `100%`",
        ],
    ),
    (
        "steps that end with too few pods",
        Annotations(&[("rollout.steps", "[1, 5]")], "replicas: 10"),
        &["app/web.yaml:7:5: steps: ends with `5`: the last step must be `100%`"],
    ),
    (
        "a step of 0",
        Annotations(&[("rollout.steps", "[0, 100%]")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.steps: 0 would never move a pod: write at least 1",
        ],
    ),
    (
        "a step that is a word",
        Annotations(&[("rollout.steps", "[1, half, 100%]")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.steps: `half` is neither a count such as 3 nor a percent such as 25%",
        ],
    ),
    (
        "a step with gates",
        Annotations(
            &[("rollout.steps", "[{target: 1, gates: [a]}, 100%]")],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.steps: `gates` of a step is not supported yet: leave it out",
        ],
    ),
    (
        "a step without a target",
        Annotations(&[("rollout.steps", "[{soak: 5s}, 100%]")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.steps: a step needs a `target` such as 25%"],
    ),
    (
        "a step with a typo",
        Annotations(
            &[("rollout.steps", "[{target: 1, sok: 5s}, 100%]")],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.steps: `sok` is no field of it; did you mean `soak`?",
        ],
    ),
    (
        "a step whose approval is a word",
        Annotations(
            &[("rollout.steps", "[{target: 1, approval: Before}, 100%]")],
            "replicas: 10",
        ),
        &["app/web.yaml:7:5: tidegate.dev/rollout.steps: approval: write true or false"],
    ),
    (
        "a step that falls, in a map",
        Annotations(
            &[("rollout.steps", "[{target: 50%}, {target: 25%}, 100%]")],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.steps: `25%` after `50%` does not rise: steps are cumulative",
        ],
    ),
    (
        "51 steps",
        Annotations(
            &[(
                "rollout.steps",
                "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, \"100%\"]",
            )],
            "replicas: 10",
        ),
        &["app/web.yaml:7:5: tidegate.dev/rollout.steps: has 51 steps: write at most 50"],
    ),
    (
        "mixed steps that fall at the replicas",
        Annotations(&[("rollout.steps", "[5, 25%, 100%]")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: steps: `25%` after `5` falls from 5 to 3 of 10 pods: steps are cumulative",
        ],
    ),
    (
        "steps and batchSize in one document",
        Annotations(
            &[("rollout", "steps: [1, 100%]\nbatchSize: 5\n")],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout: steps: `steps` and `batchSize` exclude each other: keep one",
        ],
    ),
    (
        "steps and batchSize in two annotations",
        Annotations(
            &[("rollout.steps", "[1, 100%]"), ("rollout.batchSize", "5")],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.steps: `steps` and `batchSize` exclude each other: keep one",
        ],
    ),
    (
        "one field by two names",
        Annotations(
            &[("rollout", "batchSize: 5\nparallelism: 5\n")],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout: parallelism: is the same field as `batchSize`: keep one",
        ],
    ),
    (
        "an unknown strategy",
        Annotations(&[("rollout.strategy", "Roling")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.strategy: `Roling` is unknown; did you mean `Rolling`?",
        ],
    ),
    (
        "a strategy of later",
        Annotations(&[("rollout.strategy", "BlueGreen")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.strategy: `BlueGreen` is not supported yet: write one of Rolling, Native",
        ],
    ),
    (
        "a strategy of nothing",
        Annotations(&[("rollout.strategy", "5")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.strategy: is a number: write one of Rolling, Native",
        ],
    ),
    (
        "an unknown order",
        Annotations(&[("rollout.order", "LastFirst")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.order: `LastFirst` is unknown: write one of SurgeFirst, StopFirst, start-first, stop-first",
        ],
    ),
    (
        "an unknown end",
        Annotations(&[("rollout.onFailure", "Explode")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.onFailure: `Explode` is unknown: write one of Pause, Rollback, Continue",
        ],
    ),
    (
        "a duration without a unit",
        Annotations(&[("rollout.soak", "30")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.soak: `30` has no unit: write `30s` if seconds are meant",
        ],
    ),
    (
        "a negative duration",
        Annotations(&[("rollout.soak", "-5s")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.soak: `-5s` is negative: write a duration of 0s or more",
        ],
    ),
    (
        "a duration with an exponent",
        Annotations(&[("rollout.soak", "1e9h")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.soak: `1e9h` is no duration such as 30s, 1m30s or 2h",
        ],
    ),
    (
        "a duration in words",
        Annotations(&[("rollout.soak", "5 minutes")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.soak: `5 minutes` is no duration such as 30s, 1m30s or 2h",
        ],
    ),
    (
        "a duration that overflows",
        Annotations(&[("rollout.soak", "9999999h")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.soak: `9999999h` is longer than 292 years: write a shorter duration",
        ],
    ),
    (
        "a duration that is a list",
        Annotations(&[("rollout.monitor", "[5s]")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.monitor: is a list: write a duration such as 30s",
        ],
    ),
    (
        "a deadline of 0",
        Annotations(&[("rollout.healthyDeadline", "0s")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.healthyDeadline: a deadline of 0s fails at once: write more or leave it out",
        ],
    ),
    (
        "surge-first without surge",
        Annotations(
            &[("rollout", "order: SurgeFirst\nmaxSurge: 0\n")],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: maxSurge: 0 leaves surge-first no room for new pods: write `order: StopFirst`, or a maxSurge of at least 1",
        ],
    ),
    (
        "the built-in order without surge",
        Annotations(&[("rollout.maxSurge", "0%")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: maxSurge: 0 leaves surge-first no room for new pods: write `order: StopFirst`, or a maxSurge of at least 1",
        ],
    ),
    (
        "going back without surge",
        Annotations(&[("rollout", "rollback: {maxSurge: 0}\n")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: rollback.maxSurge: 0 leaves surge-first no room for new pods: write `order: StopFirst` there, or a maxSurge of at least 1",
        ],
    ),
    (
        "rollback that is a word",
        Annotations(&[("rollout.rollback", "now")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.rollback: is a string: write a map of maxSurge and order",
        ],
    ),
    (
        "an unknown field of rollback",
        Annotations(&[("rollout", "rollback: {maxsurge: 1}\n")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout: rollback: `maxsurge` is no field of it; did you mean `maxSurge`?",
        ],
    ),
    (
        "steps of rollback",
        Annotations(
            &[("rollout", "rollback: {steps: [1, 100%]}\n")],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout: rollback: `steps` is not supported yet: leave it out",
        ],
    ),
    (
        "a healthy deadline beyond the progress deadline",
        Annotations(
            &[("rollout", "healthyDeadline: 10m\nprogressDeadline: 5m\n")],
            "replicas: 10",
        ),
        &["app/web.yaml:7:5: healthyDeadline 600s must be shorter than the progress deadline 300s"],
    ),
    (
        "a healthy deadline beyond the workload's own",
        Annotations(
            &[("rollout.healthyDeadline", "10m")],
            "progressDeadlineSeconds: 300",
        ),
        &["app/web.yaml:7:5: healthyDeadline 600s must be shorter than the progress deadline 300s"],
    ),
    (
        "a healthy deadline within minReadySeconds",
        Annotations(&[("rollout.healthyDeadline", "30s")], "minReadySeconds: 30"),
        &["app/web.yaml:7:5: healthyDeadline 30s must be longer than minReadySeconds 30s"],
    ),
    (
        "a progress deadline within minReadySeconds",
        Annotations(
            &[("rollout.progressDeadline", "30s")],
            "minReadySeconds: 60",
        ),
        &["app/web.yaml:7:5: progressDeadline 30s must be longer than minReadySeconds 60s"],
    ),
    (
        "a preset that there is not",
        Annotations(&[("rollout.preset", "quick")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.preset: `quick` is unknown: it is one of conservative, balanced, fast",
        ],
    ),
    (
        "pacing of later",
        Annotations(&[("rollout.pacing", "Window")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.pacing: is not supported yet: leave it out"],
    ),
    (
        "gates of later",
        Annotations(&[("rollout.gates", "[{name: a}]")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.gates: is not supported yet: leave it out"],
    ),
    (
        "a ratio above one",
        Annotations(&[("rollout.maxFailureRatio", "1.5")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.maxFailureRatio: is no share of pods: write a number from 0 to 1, or 25%",
        ],
    ),
    (
        "a ratio below zero",
        Annotations(&[("rollout.maxFailureRatio", "-10%")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.maxFailureRatio: is no share of pods: write a number from 0 to 1, or 25%",
        ],
    ),
    (
        "no way back after nothing",
        Annotations(&[("rollout.noRollbackAfter", "0")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.noRollbackAfter: is no batch: write its number, counted from 1",
        ],
    ),
    (
        "no way back after a hook",
        Annotations(&[("rollout.noRollbackAfter", "preDeploy")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.noRollbackAfter: `preDeploy` is not supported yet: write a batch such as 2",
        ],
    ),
    (
        "an unknown approval",
        Annotations(&[("rollout.approval", "Always")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.approval: `Always` is unknown: write one of None, Before, EveryBatch, BeforeFull",
        ],
    ),
    (
        "a window that says too little",
        Annotations(&[("rollout.windows", "[{kind: Deny}]")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.windows: [0]: schedule: is missing"],
    ),
    (
        "a window with a typo",
        Annotations(
            &[(
                "rollout.windows",
                "[{kind: Deny, schedule: \"@daily\", duraton: 1h}]",
            )],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.windows: [0]: `duraton` is no field of it; did you mean `duration`?",
        ],
    ),
    (
        "a window of a moment",
        Annotations(
            &[(
                "rollout.windows",
                "[{kind: Deny, schedule: \"@daily\", duration: 5s}]",
            )],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.windows: [0]: duration: 5s is shorter than a minute, cron's own step",
        ],
    ),
    (
        "a window in no time zone",
        Annotations(
            &[(
                "rollout.windows",
                "[{kind: Deny, schedule: \"@daily\", duration: 1h, timeZone: Berlin}]",
            )],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.windows: [0]: timeZone: `Berlin` is no IANA time zone such as Europe/Berlin",
        ],
    ),
    (
        "a window of six fields",
        Annotations(
            &[(
                "rollout.windows",
                "[{kind: Allow, schedule: \"0 0 9 * * 1\", duration: 1h}]",
            )],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.windows: [0]: schedule: `0 0 9 * * 1` is no cron expression such as `0 9 * * 1-5`: it has five fields: minute, hour, day, month, day of the week",
        ],
    ),
    (
        "windows that never open",
        Annotations(
            &[(
                "rollout.windows",
                "[{kind: Deny, schedule: \"* * * * *\", duration: 1h}]",
            )],
            "replicas: 10",
        ),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.windows: leave no minute open in any week: nothing would ever be rolled",
        ],
    ),
    (
        "preDeploy of later",
        Annotations(&[("rollout.preDeploy", "job")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.preDeploy: is not supported yet: leave it out"],
    ),
    (
        "configTracking of later",
        Annotations(&[("rollout.configTracking", "Restart")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.configTracking: is not supported yet: leave it out",
        ],
    ),
    (
        "a group without a name",
        Annotations(&[("rollout.group", "\"\"")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.group: is empty: write a name, or leave it out"],
    ),
    (
        "a wave that is no number",
        Annotations(&[("rollout.wave", "first")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.wave: is a string: write a whole number such as 1",
        ],
    ),
    (
        "dependencies that are no workloads",
        Annotations(&[("rollout.dependsOn", "[db, Service/db]")], "replicas: 10"),
        &[
            "app/web.yaml:7:5: tidegate.dev/rollout.dependsOn: `db` is no workload: write one as `Deployment/name`, `StatefulSet/name` or `DaemonSet/name`",
            "app/web.yaml:7:5: tidegate.dev/rollout.dependsOn: `Service/db` is no workload: write one as `Deployment/name`, `StatefulSet/name` or `DaemonSet/name`",
        ],
    ),
    (
        "blueGreen of later",
        Annotations(&[("rollout.blueGreen", "{service: web}")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.blueGreen: is not supported yet: leave it out"],
    ),
    (
        "canary of later",
        Annotations(&[("rollout.canary", "{route: none}")], "replicas: 10"),
        &["app/web.yaml:7:5: tidegate.dev/rollout.canary: is not supported yet: leave it out"],
    ),
    (
        "an unknown field of a file",
        PolicyFile("soak: 5s\nbatchSzie: 5\n"),
        &[
            "app/.tidegate.yaml:2:1: batchSzie: is no field of a rollout policy; did you mean `batchSize`?",
        ],
    ),
    (
        "a bad value of a file",
        PolicyFile("\n  soak: 30\n"),
        &["app/.tidegate.yaml:2:3: soak: `30` has no unit: write `30s` if seconds are meant"],
    ),
    (
        "a file that is a list",
        PolicyFile("- soak: 5s\n"),
        &["app/.tidegate.yaml:1:1: the file is a list: write a map of policy fields"],
    ),
    (
        "an entry without a name",
        PolicyFile("workloads:\n- {kind: Deployment, soak: 5s}\n"),
        &["app/.tidegate.yaml:2:3: an entry of workloads needs kind and name"],
    ),
    (
        "an entry of another kind",
        PolicyFile("workloads:\n- {kind: ReplicaSet, name: web}\n"),
        &[
            "app/.tidegate.yaml:2:3: kind ReplicaSet has no policy: only a Deployment, a StatefulSet or a DaemonSet is rolled",
        ],
    ),
    (
        "a bad field of an entry",
        PolicyFile(
            "workloads:\n- kind: Deployment\n  name: web\n  steps: [1, 2]\n- kind: Deployment\n  name: web\n  sok: 1s\n",
        ),
        &[
            "app/.tidegate.yaml:5:3: Deployment/web is here twice: keep one",
            "app/.tidegate.yaml:7:3: sok: is no field of a rollout policy; did you mean `soak`?",
        ],
    ),
    (
        "workloads that are a map",
        PolicyFile("workloads: {web: {soak: 5s}}\n"),
        &["app/.tidegate.yaml:1:1: workloads is a map: write a list of {kind, name, …}"],
    ),
    (
        "two faults of a file",
        PolicyFile("soak: 5\nmonitor: 5\n"),
        &[
            "app/.tidegate.yaml:1:1: soak: `5` has no unit: write `5s` if seconds are meant",
            "app/.tidegate.yaml:2:1: monitor: `5` has no unit: write `5s` if seconds are meant",
        ],
    ),
    (
        "an unknown field of the default",
        Fallback("{\"sok\": \"5s\"}"),
        &["spec.rollout: sok: is no field of a rollout policy; did you mean `soak`?"],
    ),
    (
        "a bad value of the default",
        Fallback("{\"soak\": 5, \"steps\": [\"1\", \"5\"]}"),
        &["spec.rollout: soak: `5` has no unit: write `5s` if seconds are meant"],
    ),
    (
        "steps of the default that end with a count",
        Fallback("{\"steps\": [\"1\", \"5\"]}"),
        &["spec.rollout: steps: ends with `5`: the last step must be `100%`"],
    ),
    (
        "a default that is a list",
        Fallback("[1]"),
        &["spec.rollout: is a list: write a map of policy fields"],
    ),
];

#[test]
fn every_bad_policy_is_refused_in_these_words() {
    for (name, source, messages) in CASES {
        let said: Vec<String> = match resolved(source) {
            Ok(accepted) => vec![format!("accepted: {accepted:?}")],
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(said, *messages, "{name}");
    }
}

fn resolved(source: &Source) -> Result<policy::Resolved, Vec<Fault>> {
    let (mut annotations, mut spec, mut file, mut default) = (String::new(), "{}", "", None);
    match source {
        Annotations(given, own) => {
            spec = own;
            for (key, value) in *given {
                write!(
                    annotations,
                    "\n    tidegate.dev/{key}: {}",
                    Value::from(*value)
                )
                .expect("a String takes all");
            }
        }
        PolicyFile(text) => file = text,
        Fallback(json) => default = Some(serde_json::from_str::<Value>(json).expect("it is JSON")),
    }
    let web = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    a: b{annotations}\nspec:\n  {spec}\n"
    );
    let file_of = |path: &str, text: &str| File {
        path: path.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let files = vec![
        file_of("app/.tidegate.yaml", file),
        file_of("app/web.yaml", &web),
    ];
    let tree = Tree {
        root: "app".to_owned(),
        files,
        unread: Vec::new(),
        notes: Vec::new(),
    };
    let scope = Scope {
        target_namespace: "shop".to_owned(),
        ..Scope::default()
    };
    let desired = manifest::open(&tree).judge(&scope, &|_, _| Some(KindScope::Namespaced))?;
    let baseline = Baseline::read(default.as_ref())?;
    policy::resolve(&desired.objects[0], &desired.policies, &baseline)
}
