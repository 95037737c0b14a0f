//! What waits for a person, and the commands that help.

use serde::Serialize;

use crate::health::Cause;
use crate::ledger::{Course, Ledger, Outcome, Trouble};
use crate::object::ObjectId;
use crate::revision::CommitId;
use crate::rollout::Phase;

use super::state::rejected_tip;
use super::workload::Workload;

/// Something that waits for an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The value of the annotation that gives it.
    pub token: String,
    /// What is approved, one sentence.
    pub what: String,
    /// The objects that it is about.
    pub objects: Vec<ObjectId>,
}

/// Returns what waits for an approval.
#[must_use]
pub fn approvals(ledger: &Ledger) -> Vec<Approval> {
    let prune = ledger.held_prune.as_ref().map(|held| Approval {
        token: format!("{}/prune/{}", held.commit, held.digest),
        what: format!(
            "{} deletes {} objects: {}",
            held.commit.short(),
            held.objects.len(),
            held.why
        ),
        objects: held.objects.clone(),
    });
    let rewrite = ledger
        .problem(Trouble::HistoryRewritten)
        .zip(ledger.tip.as_ref())
        .map(|(problem, tip)| Approval {
            token: format!("{}/rewrite", tip.revision.id),
            what: problem.message.clone(),
            objects: Vec::new(),
        });
    let given = |approval: &Approval| ledger.approvals.contains(&approval.token);
    prune
        .into_iter()
        .chain(rewrite)
        .chain(batches(ledger))
        .filter(|approval| !given(approval))
        .collect()
}

/// The batches that wait for a person; the first ones of a commit are approved together.
fn batches(ledger: &Ledger) -> Vec<Approval> {
    let mut approvals: Vec<Approval> = Vec::new();
    for (id, wait) in ledger.waiting().filter(|(_, wait)| wait.until.is_none()) {
        let token = wait.approval(id);
        if let Some(same) = approvals.iter_mut().find(|known| known.token == token) {
            same.objects.push(id.clone());
            continue;
        }
        let short = wait.commit.short();
        let what = match ledger.rolling(id) {
            Some(kept) => format!(
                "{short}: batch {} of {} of {} waits for an approval",
                wait.batch,
                kept.batches,
                id.short()
            ),
            None => format!("{short} waits for an approval before its first pod"),
        };
        approvals.push(Approval {
            token,
            what,
            objects: vec![id.clone()],
        });
    }
    approvals
}

/// Says whether a container of the pod has ended at least once, so that it left a log.
fn has_run(reason: &str) -> bool {
    matches!(reason, "CrashLoopBackOff" | "Restarting")
}

/// Returns the command that shows what a failed pod has to say.
fn look_at(workload: &Workload, cause: &Cause) -> Option<String> {
    let pod = cause.pod.as_ref()?;
    let namespace = workload.namespace.as_deref().unwrap_or_default();
    let container = cause
        .container
        .as_ref()
        .map_or_else(String::new, |name| format!(" -c {name}"));
    Some(if has_run(&cause.reason) {
        format!("kubectl -n {namespace} logs {pod}{container} --previous")
    } else {
        format!("kubectl -n {namespace} describe pod {pod}")
    })
}

/// What may be done with a commit that failed and is held: another try, or a way back where there
/// is one. An abort acts on what is on its way: a newer commit, or its revert, is none of it.
fn ways_on(ledger: &Ledger, app: &str, commit: &CommitId) -> Vec<String> {
    let short = commit.short();
    let mut ways = vec![format!("tidegate retry {app} {short}")];
    if ledger.last_good.is_some() {
        let aim = ledger.abortable();
        let is_its_own = aim.is_some_and(|aim| aim.revision.id == *commit);
        if is_its_own || ledger.failed_aim().is_some() {
            ways.push(format!("tidegate abort {app}"));
        }
        ways.push(format!("git revert {short}"));
    }
    ways
}

/// Returns what helps where something failed, is held or went back.
fn after_failure(ledger: &Ledger, app: &str, workloads: &[Workload]) -> Vec<String> {
    let mut commands = Vec::new();
    let course = ledger.aim.as_ref().map(|aim| &aim.course);
    let goes_back = matches!(course, Some(Course::Back { .. }));
    let is_failed =
        |workload: &&Workload| matches!(workload.state, Phase::Failed | Phase::RollbackFailed);
    let failed = workloads
        .iter()
        .filter(is_failed)
        .find_map(|workload| Some((workload, workload.failure.as_ref()?)));
    if let Some((workload, cause)) = failed {
        commands.extend(look_at(workload, cause));
        if workload.state == Phase::RollbackFailed && commands.is_empty() {
            commands.push(format!("tidegate explain {app}"));
        }
        if workload.state == Phase::Failed {
            commands.extend(ways_on(ledger, app, &workload.to));
        }
    } else if let Some(aim) = ledger.failed_aim() {
        commands.extend(ways_on(ledger, app, &aim.revision.id));
    } else if let Some(aim) = ledger
        .aim
        .as_ref()
        .filter(|aim| !goes_back && !aim.held.is_empty())
    {
        // It lifts whatever holds a part of it, be that of this commit or of earlier ones.
        commands.push(format!("tidegate retry {app} {}", aim.revision.id.short()));
    } else if goes_back && let Some(culprit) = ledger.quarantine.culprits().last() {
        let short = culprit.commit.short();
        if ledger.has_left(&culprit.commit) {
            // Until then Git and the cluster say different things.
            commands.push(format!("git revert {short}"));
        }
        commands.push(format!("tidegate retry {app} {short}"));
    }
    let record = ledger.aim.as_ref();
    let record = record.and_then(|aim| ledger.deployed(&aim.revision.id));
    if let Some(record) = record.filter(|it| it.outcome == Outcome::CompletedWithFailures) {
        commands.push(format!("git revert {}", record.revision.id.short()));
    }
    commands
}

/// Returns the commands that help now, the most useful first.
pub(super) fn commands(ledger: &Ledger, app: &str, workloads: &[Workload]) -> Vec<String> {
    if ledger.released.is_some() {
        return vec![format!("tidegate release {app} --undo")];
    }
    let mut commands = after_failure(ledger, app, workloads);
    let refused = ledger.tip.as_ref().and_then(|tip| tip.refused.as_ref());
    let takes_back = refused.is_some_and(|refused| refused.takes_back);
    if takes_back && ledger.aim.as_ref().is_some_and(|aim| !aim.is_done) {
        commands.push(format!("tidegate abort {app}"));
    }
    if refused.is_some_and(|refused| refused.by_cluster) {
        commands.push(format!("tidegate sync {app}"));
    }
    if let Some(aim) = &ledger.aim
        && ledger.problem(Trouble::DriftFight).is_some()
    {
        commands.push(format!("tidegate retry {app} {}", aim.revision.id.short()));
    }
    // A revert that the cluster refuses is not to be reverted.
    if let Some(rejected) = rejected_tip(ledger).filter(|_| !takes_back) {
        commands.push(format!("git revert {}", rejected.revision.id.short()));
    }
    let waits = [
        ("approve", !approvals(ledger).is_empty()),
        ("promote", ledger.waiting().next().is_some()),
        ("resume", ledger.pause.is_some()),
    ];
    let open = waits.into_iter().filter(|(_, waits)| *waits);
    let open = open.map(|(verb, _)| format!("tidegate {verb} {app}"));
    // What Git wants next comes before what failed earlier.
    let place = if ledger.before_tip().next().is_some() {
        0
    } else {
        commands.len()
    };
    commands.splice(place..place, open);
    commands
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ROLLING: &str = include_str!("../../tests/fixtures/ledger.json");

    /// The commands for a rollout of 9f3c2e1 that failed, in this phase.
    fn commands_in(phase: &str) -> Vec<String> {
        commands_with(phase, &[])
    }

    /// The same with other changes of the ledger.
    fn commands_with(phase: &str, changes: &[(&str, Value)]) -> Vec<String> {
        let mut json: Value = serde_json::from_str(ROLLING).unwrap();
        let web = &mut json["rollouts"]["apps/Deployment/shop/web"];
        web["phase"] = json!(phase);
        web["failure"] = json!({
            "at": "2026-11-21T10:43:00Z", "batch": 2,
            "cause": {"class": "Revision", "pod": "web-x", "container": "web",
                "reason": "CrashLoopBackOff", "message": ""},
        });
        for (pointer, value) in changes {
            *json.pointer_mut(pointer).unwrap() = value.clone();
        }
        let ledger: Ledger = serde_json::from_value(json).unwrap();
        let read = |(id, kept)| Workload::read(id, kept, None);
        let workloads: Vec<Workload> = ledger.rollouts.iter().map(read).collect();
        commands(&ledger, "shop/web", &workloads)
    }

    #[test]
    fn a_failure_offers_its_logs_another_try_and_the_way_back() {
        assert_eq!(
            commands_in("Failed"),
            [
                "kubectl -n shop logs web-x -c web --previous",
                "tidegate retry shop/web 9f3c2e1",
                "tidegate abort shop/web",
                "git revert 9f3c2e1",
            ]
        );
    }

    #[test]
    fn under_a_newer_commit_an_abort_would_be_of_that_one() {
        let newer = json!("7a7a7a7".to_owned() + &"0".repeat(33));
        let commands = commands_with("Failed", &[("/aim/revision/id", newer)]);
        let words = ["abort", "retry", "revert"];
        let offered = words.map(|word| commands.iter().any(|command| command.contains(word)));
        assert_eq!(offered, [false, true, true], "{commands:?}");
    }

    #[test]
    fn a_pod_that_never_ran_has_no_log_to_look_at() {
        let cause = "/rollouts/apps~1Deployment~1shop~1web/failure/cause/reason";
        let commands = commands_with("Failed", &[(cause, json!("ImagePullBackOff"))]);
        assert_eq!(commands[0], "kubectl -n shop describe pod web-x");
    }

    #[test]
    fn what_the_cluster_has_left_is_to_be_reverted_in_git() {
        let id = "9f3c2e1".to_owned() + &"0".repeat(33);
        let culprit = json!([{
            "commit": id, "why": "it failed", "at": "2026-11-21T10:45:00Z",
            "pairs": [], "objects": {}, "changed": {},
        }]);
        let back = json!({"Back": {"from": id, "outcome": "RolledBack"}});
        let changes = [("/quarantine", culprit), ("/aim/course", back)];
        assert_eq!(
            commands_with("RolledBack", &changes),
            ["git revert 9f3c2e1", "tidegate retry shop/web 9f3c2e1"]
        );
    }

    #[test]
    fn what_is_on_its_way_back_needs_neither() {
        assert_eq!(commands_in("RollingBack"), [""; 0]);
        assert_eq!(commands_in("RolledBack"), [""; 0]);
        assert_eq!(
            commands_in("RollbackFailed"),
            ["kubectl -n shop logs web-x -c web --previous"]
        );
    }

    #[test]
    fn without_a_good_revision_no_way_back_is_offered() {
        let first = commands_with("Failed", &[("/lastGood", Value::Null)]);
        assert_eq!(
            first,
            [
                "kubectl -n shop logs web-x -c web --previous",
                "tidegate retry shop/web 9f3c2e1",
            ]
        );
    }

    #[test]
    fn while_released_only_the_way_into_our_hands_is_offered() {
        let by = json!({"by": "ada", "at": "2026-11-21T10:44:00Z"});
        let released = commands_with("Failed", &[("/released", by)]);
        assert_eq!(released, ["tidegate release shop/web --undo"]);
    }

    #[test]
    fn an_old_quarantine_that_holds_nothing_asks_for_no_retry() {
        let id = "3d4e5f6".to_owned() + &"0".repeat(33);
        let culprits = json!([{
            "commit": id, "why": "it failed", "at": "2026-11-19T15:15:00Z",
            "pairs": [], "objects": {}, "changed": {},
        }]);
        let old = ("/quarantine", culprits);
        assert_eq!(
            commands_with("Succeeded", std::slice::from_ref(&old)),
            [""; 0]
        );
        let held = ("/aim/held", json!({"apps/Deployment/shop/web": null}));
        assert_eq!(
            commands_with("Succeeded", &[old, held]),
            ["tidegate retry shop/web 9f3c2e1"],
            "the commit that is held: which one holds it may be any"
        );
    }
}
