//! Whether what was told has happened. Pure.

use crate::ledger::{Ledger, Outcome, Trouble};
use crate::revision::{CommitId, Revision};
use crate::status::{Picture, Verdict, Waits, verdict};

use super::script::{Mishap, Promise, Step};
use super::shop::{BATCHES, NAME, PODS};
use super::witness::Account;

/// How a promise stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not yet; what is missing.
    Open(String),
    /// It happened; what came of it.
    Kept(String),
    /// It will not happen any more; why.
    Broken(String),
}

/// What is known of a step.
pub(super) struct Known<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) picture: &'a Picture,
    pub(super) account: &'a Account,
    /// Its commit; `None` where it is none.
    pub(super) commit: Option<&'a Revision>,
    /// The newest commit of the repository.
    pub(super) tip: Option<&'a CommitId>,
}

/// Judges the promise of a step.
pub(super) fn judge(step: &Step, known: &Known<'_>) -> Standing {
    let standing = match step.promise {
        Promise::RollsOut => rolls_out(step, known),
        Promise::IsHeld => is_held(step, known),
        Promise::GoesBack => goes_back(step, known),
        Promise::IsUndone => is_undone(step, known),
        Promise::IsTakenBack => is_taken_back(step, known),
    };
    let standing = match (standing, overtaken(known)) {
        (Standing::Open(_), Some(why)) => Standing::Broken(why),
        (standing, _) => standing,
    };
    // Whoever loses a node, or changes things past Git, loses pods by that.
    let is_whole = step.mishap != Some(Mishap::NodeLost) && step.promise != Promise::IsTakenBack;
    match (standing, known.account.fewest) {
        (Standing::Open(_) | Standing::Kept(_), Some(fewest)) if is_whole && fewest < PODS => {
            Standing::Broken(format!(
                "only {fewest} of {PODS} pods were ready at one moment"
            ))
        }
        (standing, _) => standing,
    }
}

/// Why nothing more can come of a commit that the branch has left.
fn overtaken(known: &Known<'_>) -> Option<String> {
    let commit = known.commit?;
    if let Some(problem) = known.ledger.problem(Trouble::HistoryRewritten) {
        return Some(problem.message.clone());
    }
    let seen = known.ledger.tip.as_ref().map(|tip| &tip.revision.id);
    let has_gone_on = known.tip.is_some_and(|tip| *tip != commit.id) && seen == known.tip;
    let is_unseen = verdict(known.ledger, &commit.id) == Verdict::Unseen;
    (has_gone_on && is_unseen).then(|| {
        let name = commit.id.short();
        format!("a newer commit came before the agent had seen {name}")
    })
}

/// Why all pods cannot be as many as was told.
fn resized(known: &Known<'_>) -> Option<Standing> {
    let replicas = known.account.now.replicas?;
    (replicas != PODS).then(|| {
        Standing::Broken(format!(
            "Git asks for {replicas} pods of {NAME} now, and this was told of {PODS}"
        ))
    })
}

/// Who goes on serving beside a tag: `all 12 of 1.0`.
fn serving(known: &Known<'_>, tag: &str) -> String {
    match known.account.now.serving_beside(tag).as_slice() {
        [(other, PODS)] => format!("all {PODS} of {other}"),
        others => {
            let each: Vec<String> = others
                .iter()
                .map(|(other, ready)| format!("{ready} of {other}"))
                .collect();
            each.join(" and ")
        }
    }
}

fn rolls_out(step: &Step, known: &Known<'_>) -> Standing {
    let (name, fate) = fate(known);
    match fate {
        Verdict::Done(_) => {}
        Verdict::Going | Verdict::Unseen => return Standing::Open(format!("{name} to roll out")),
        Verdict::Failed(why) | Verdict::Waiting(_, why) => {
            return Standing::Broken(format!("{name} did not roll out: {why}"));
        }
        Verdict::Superseded => return superseded(&name),
    }
    if let Some(broken) = resized(known) {
        return broken;
    }
    let (pods, now) = (&step.to, &known.account.now);
    if now.ready(pods) != PODS || now.others(pods) != 0 {
        return Standing::Open(format!("all {PODS} pods to be those of {name}"));
    }
    match record(known).map(|record| record.batches) {
        Some((BATCHES, BATCHES)) => Standing::Kept(format!(
            "{name} runs on all {PODS} pods, after {BATCHES} batches in {}{}",
            known.picture.took,
            never_fewer(step, known)
        )),
        batches => Standing::Broken(format!(
            "{name} was to take {BATCHES} batches, and took {}",
            batches.map_or(0, |(closed, _)| closed)
        )),
    }
}

fn is_held(step: &Step, known: &Known<'_>) -> Standing {
    let (name, fate) = fate(known);
    match fate {
        Verdict::Waiting(Waits::Failure, _) => {}
        Verdict::Going | Verdict::Unseen => return Standing::Open(format!("{name} to fail")),
        Verdict::Done(why) | Verdict::Failed(why) | Verdict::Waiting(_, why) => {
            return Standing::Broken(format!("{name} was to fail and be held: {why}"));
        }
        Verdict::Superseded => return superseded(&name),
    }
    match known.account.most(&step.to) {
        1 => Standing::Kept(format!(
            "{name} failed with its first pod and is held; {} go on serving",
            serving(known, &step.to)
        )),
        most => exposed(&name, most),
    }
}

fn goes_back(step: &Step, known: &Known<'_>) -> Standing {
    let (name, fate) = fate(known);
    match fate {
        Verdict::Failed(_) => {}
        Verdict::Going | Verdict::Unseen => return Standing::Open(format!("{name} to go back")),
        Verdict::Done(why) | Verdict::Waiting(_, why) => {
            return Standing::Broken(format!("{name} was to fail and go back: {why}"));
        }
        Verdict::Superseded => return superseded(&name),
    }
    let outcome = record(known).map(|record| record.outcome);
    if outcome != Some(Outcome::RolledBack) {
        return Standing::Broken(format!("{name} was to be rolled back, and was {outcome:?}"));
    }
    let now = &known.account.now;
    if now.pods(&step.to) != 0 || now.all_ready() != PODS {
        return Standing::Open(format!("nothing of {} to be left", step.to));
    }
    match known.account.most(&step.to) {
        1 => Standing::Kept(format!(
            "{name} failed with its first pod and the agent went back; {} went on serving",
            serving(known, &step.to)
        )),
        most => exposed(&name, most),
    }
}

fn is_undone(step: &Step, known: &Known<'_>) -> Standing {
    let (name, fate) = fate(known);
    match fate {
        Verdict::Done(_) => {}
        Verdict::Going | Verdict::Unseen => return Standing::Open(format!("{name} to be done")),
        Verdict::Failed(why) | Verdict::Waiting(_, why) => {
            return Standing::Broken(format!("{name} did not bring {} back: {why}", step.to));
        }
        Verdict::Superseded => return superseded(&name),
    }
    if let Some(broken) = resized(known) {
        return broken;
    }
    let now = &known.account.now;
    if now.ready(&step.to) != PODS || now.others(&step.to) != 0 {
        return Standing::Open(format!("all {PODS} pods to be of {}", step.to));
    }
    Standing::Kept(format!(
        "{name}: Git and all {PODS} pods say {} again{}",
        step.to,
        never_fewer(step, known)
    ))
}

fn is_taken_back(step: &Step, known: &Known<'_>) -> Standing {
    let account = known.account;
    if account.most(&step.to) == 0 {
        return Standing::Open(format!("pods of {} to appear", step.to));
    }
    let is_moving = known.picture.strips.iter().any(|strip| !strip.is_over());
    let is_back = account.now.wanted.as_deref() == Some(step.from.as_str())
        && account.now.ready(&step.from) == PODS
        && account.now.others(&step.from) == 0;
    if is_moving || !is_back {
        return Standing::Open(format!("all {PODS} pods to be of {} again", step.from));
    }
    Standing::Kept(format!(
        "{} reached {} pods by hand; Git says {}, and so do all {PODS} pods again",
        step.to,
        account.most(&step.to),
        step.from
    ))
}

/// The commit as people call it, and its fate.
fn fate(known: &Known<'_>) -> (String, Verdict) {
    match known.commit {
        Some(commit) => (
            format!("{} \"{}\"", commit.id.short(), commit.subject),
            verdict(known.ledger, &commit.id),
        ),
        None => ("it".to_owned(), Verdict::Unseen),
    }
}

fn record<'a>(known: &Known<'a>) -> Option<&'a crate::ledger::Deployed> {
    known.ledger.deployed(&known.commit?.id)
}

fn superseded(name: &str) -> Standing {
    Standing::Broken(format!("a newer commit took over from {name}"))
}

fn exposed(name: &str, most: usize) -> Standing {
    Standing::Broken(format!("{name} was to reach one pod, and reached {most}"))
}

fn never_fewer(step: &Step, known: &Known<'_>) -> String {
    match known.account.fewest {
        Some(fewest) if step.mishap != Some(Mishap::NodeLost) => {
            format!("; never fewer than {fewest} were ready")
        }
        Some(fewest) => format!("; {fewest} or more were ready throughout"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::script::{Scenario, script};
    use super::super::witness::Census;
    use super::*;
    use crate::status::picture;

    /// A rollout of 9f3c2e1 that runs.
    const ROLLING: &str = include_str!("../../../tests/fixtures/ledger.json");

    fn ledger(outcome: &str, batches: [u32; 2]) -> Ledger {
        let mut json: Value = serde_json::from_str(ROLLING).unwrap();
        json["history"][0]["outcome"] = outcome.into();
        json["history"][0]["batches"] = json!(batches);
        serde_json::from_value(json).unwrap()
    }

    /// What was seen one after the other: tag, pods, Ready ones.
    fn account(seen: &[&[(&str, usize, usize)]]) -> Account {
        let mut account = Account::default();
        for tags in seen {
            account.add(Census::of(tags, tags.last().unwrap().0));
        }
        account
    }

    fn judged(step: &Step, ledger: &Ledger, account: &Account) -> Standing {
        let now = "2026-11-21T10:42:30Z".parse().unwrap();
        let commit = ledger.history[0].revision.clone();
        let known = Known {
            ledger,
            picture: &picture("shop/web", ledger, &BTreeMap::new(), now),
            account,
            commit: Some(&commit),
            tip: ledger.tip.as_ref().map(|tip| &tip.revision.id),
        };
        judge(step, &known)
    }

    fn first_of(scenario: Scenario) -> Step {
        script(Some(scenario)).remove(0)
    }

    fn is_broken_by(standing: Standing, words: &str) {
        match standing {
            Standing::Broken(why) => assert!(why.contains(words), "{why}"),
            Standing::Open(_) | Standing::Kept(_) => panic!("`{words}` expected: {standing:?}"),
        }
    }

    #[test]
    fn a_good_commit_is_kept_only_with_all_pods_new_and_after_all_its_batches() {
        let step = first_of(Scenario::Good);
        let (mixed, new) = ([("1.0", 12, 12), ("1.1", 1, 0)], [("1.1", 12, 12)]);
        let rolled = account(&[&mixed, &new]);
        let running = judged(&step, &ledger("InProgress", [1, 4]), &rolled);
        assert!(matches!(running, Standing::Open(_)), "{running:?}");
        let done = ledger("Succeeded", [4, 4]);
        let kept = judged(&step, &done, &rolled);
        assert!(matches!(&kept, Standing::Kept(words) if words.contains("never fewer than 12")));
        let early = judged(&step, &done, &account(&[&mixed]));
        assert!(matches!(early, Standing::Open(_)), "{early:?}");
        let at_once = judged(&step, &ledger("Succeeded", [1, 1]), &rolled);
        is_broken_by(at_once, "was to take 4 batches");
        let failed = judged(&step, &ledger("Failed", [0, 4]), &rolled);
        is_broken_by(failed, "did not roll out");
    }

    #[test]
    fn a_pod_less_than_ready_breaks_every_promise_but_where_a_node_is_lost() {
        let seen: [&[_]; 2] = [&[("1.0", 12, 11)], &[("1.1", 12, 12)]];
        let done = ledger("Succeeded", [4, 4]);
        let good = judged(&first_of(Scenario::Good), &done, &account(&seen));
        is_broken_by(good, "only 11 of 12 pods were ready");
        let lost = judged(&first_of(Scenario::NodeLoss), &done, &account(&seen));
        assert!(matches!(&lost, Standing::Kept(words) if words.contains("11 or more")));
    }

    #[test]
    fn a_broken_commit_may_reach_one_pod_and_no_more() {
        let step = first_of(Scenario::CrashLoop);
        let failed = ledger("Failed", [0, 4]);
        let one = account(&[&[("1.0", 12, 12), ("1.1-crash", 1, 0)]]);
        assert!(matches!(judged(&step, &failed, &one), Standing::Kept(_)));
        let three = account(&[&[("1.0", 12, 12), ("1.1-crash", 3, 0)]]);
        is_broken_by(judged(&step, &failed, &three), "reached 3");
        let passed = judged(&step, &ledger("Succeeded", [4, 4]), &one);
        is_broken_by(passed, "was to fail and be held");
    }

    #[test]
    fn a_way_back_is_kept_once_nothing_of_the_commit_is_left() {
        let step = first_of(Scenario::BadImage);
        let back = ledger("RolledBack", [0, 4]);
        let with_one: &[_] = &[("1.0", 12, 12), ("1.1-pull", 1, 0)];
        let open = judged(&step, &back, &account(&[with_one]));
        assert!(matches!(open, Standing::Open(_)), "{open:?}");
        let gone = account(&[with_one, &[("1.0", 12, 12)]]);
        assert!(matches!(judged(&step, &back, &gone), Standing::Kept(_)));
        let aborted = judged(&step, &ledger("Aborted", [0, 4]), &gone);
        is_broken_by(aborted, "was to be rolled back");
    }

    #[test]
    fn a_revert_is_kept_once_all_pods_are_of_the_old_tag() {
        let step = script(None).remove(2);
        let done = ledger("Succeeded", [0, 0]);
        let left: &[_] = &[("1.1", 12, 12), ("1.2-crash", 1, 0)];
        let open = judged(&step, &done, &account(&[left]));
        assert!(matches!(open, Standing::Open(_)), "{open:?}");
        let kept = judged(&step, &done, &account(&[left, &[("1.1", 12, 12)]]));
        assert!(matches!(&kept, Standing::Kept(words) if words.contains("say 1.1 again")));
        let newer = judged(&step, &ledger("Superseded", [0, 0]), &account(&[left]));
        is_broken_by(newer, "a newer commit took over");
    }

    #[test]
    fn an_end_that_can_no_longer_come_is_known_at_once() {
        let step = first_of(Scenario::Good);
        let mut rewritten = ledger("InProgress", [1, 4]);
        rewritten.problems.push(crate::ledger::Problem {
            reason: Trouble::HistoryRewritten,
            message: "the branch main was rewritten".to_owned(),
            since: "2026-11-21T10:42:00Z".parse().unwrap(),
        });
        let whole = account(&[&[("1.0", 12, 12)]]);
        is_broken_by(judged(&step, &rewritten, &whole), "was rewritten");

        let mut unseen = ledger("InProgress", [1, 4]);
        let commit = unseen.history.remove(0).revision;
        let newer = "a".repeat(40).parse().unwrap();
        unseen.tip.as_mut().unwrap().revision.id = newer;
        let now = "2026-11-21T10:42:30Z".parse().unwrap();
        let known = Known {
            ledger: &unseen,
            picture: &picture("shop/web", &unseen, &BTreeMap::new(), now),
            account: &whole,
            commit: Some(&commit),
            tip: unseen.tip.as_ref().map(|tip| &tip.revision.id),
        };
        is_broken_by(judge(&step, &known), "a newer commit came before");

        let mut fewer = account(&[&[("1.1", 12, 12)]]);
        fewer.now.replicas = Some(20);
        let done = ledger("Succeeded", [4, 4]);
        is_broken_by(judged(&step, &done, &fewer), "asks for 20 pods");
    }

    #[test]
    fn who_goes_on_serving_is_counted_by_tags() {
        let step = first_of(Scenario::CrashLoop);
        let failed = ledger("Failed", [0, 4]);
        let mixed = [("1.0", 11, 11), ("1.1-crash", 1, 0), ("2.0", 1, 1)];
        let kept = judged(&step, &failed, &account(&[&mixed]));
        let Standing::Kept(words) = kept else {
            panic!("{kept:?}");
        };
        assert!(
            words.ends_with("11 of 1.0 and 1 of 2.0 go on serving"),
            "{words}"
        );
    }

    #[test]
    fn a_change_past_git_is_kept_once_it_was_there_and_is_gone() {
        let step = first_of(Scenario::Drift);
        let mut still: Value = serde_json::from_str(ROLLING).unwrap();
        still["rollouts"]["apps/Deployment/shop/web"]["phase"] = "Succeeded".into();
        let still: Ledger = serde_json::from_value(still).unwrap();
        let by_hand: &[_] = &[("1.0", 9, 9), ("9.9", 6, 3)];
        let before = judged(&step, &still, &account(&[&[("1.0", 12, 12)]]));
        assert!(matches!(before, Standing::Open(_)), "{before:?}");
        let amid = judged(&step, &still, &account(&[by_hand]));
        assert!(matches!(amid, Standing::Open(_)), "{amid:?}");
        let after = account(&[by_hand, &[("1.0", 12, 12)]]);
        let kept = judged(&step, &still, &after);
        assert!(matches!(&kept, Standing::Kept(words) if words.contains("reached 6 pods")));
        let moving = judged(&step, &ledger("InProgress", [1, 4]), &after);
        assert!(matches!(moving, Standing::Open(_)), "{moving:?}");
    }
}
