//! A push rolls a StatefulSet from the highest pod down, batch by batch, by its partition.

use super::{NEEDS_SETTINGS, laddered};
use crate::play;
use crate::shop::{Agent, Ladder, Shop, Stage, settings, stateful_set};

const STEPS: &str = "steps: [1, 60%, 100%]\nsoak: 1s\nmonitor: 0s";
/// The course of a healthy rollout by these steps.
const COURSE: [&str; 4] = [
    "0: 1 1 1 1 1",
    "4: 1 1 1 1 2",
    "2: 1 1 2 2 2",
    "0: 2 2 2 2 2",
];

/// The StatefulSet `web` by these steps.
fn web(tag: &str, on_failure: &str, more: &str) -> String {
    stateful_set(
        "web",
        tag,
        &format!("{STEPS}\nonFailure: {on_failure}"),
        more,
    )
}

/// A shop in which `1` has succeeded, with a record of its pods from then on.
async fn installed(stage: &Stage, prefix: &str, manifest: &str) -> (Shop, Agent, Ladder) {
    laddered(stage, prefix, ("statefulset/web", manifest)).await
}

/// Installs `1`, pushes `2` and returns the course.
async fn rolled(stage: &Stage, prefix: &str, more: &str) -> (Vec<String>, usize) {
    let (shop, _agent, ladder) = installed(stage, prefix, &web("1", "Pause", more)).await;
    let second = shop.push_web("web 2", &web("2", "Pause", more));
    shop.until_outcome(&second, "Succeeded").await;
    (ladder.rests(), ladder.fewest_ready())
}

#[test]
fn a_push_rolls_a_stateful_set_from_the_highest_pod_in_the_steps_of_the_policy() {
    play(async |stage: Stage| {
        let (rests, fewest_ready) = rolled(&stage, "stateful", "").await;
        assert_eq!(rests, COURSE);
        assert_eq!(fewest_ready, 4, "one at a time");
    });
}

#[test]
fn without_a_policy_one_pod_of_a_stateful_set_goes_at_a_time() {
    play(async |stage: Stage| {
        let manifest = |tag| stateful_set("web", tag, "", "");
        let (shop, _agent, ladder) = installed(&stage, "stateful-own", &manifest("1")).await;
        let second = shop.push_web("web 2", &manifest("2"));
        shop.until_outcome(&second, "Succeeded").await;
        let course = [
            "0: 1 1 1 1 1",
            "4: 1 1 1 1 2",
            "3: 1 1 1 2 2",
            "2: 1 1 2 2 2",
            "1: 1 2 2 2 2",
            "0: 2 2 2 2 2",
        ];
        assert_eq!(ladder.rests(), course);
    });
}

#[test]
fn pods_that_come_in_parallel_from_another_ordinal_take_the_same_course() {
    play(async |stage: Stage| {
        let more = "  podManagementPolicy: Parallel\n  ordinals: {start: 3}\n";
        let (rests, fewest_ready) = rolled(&stage, "stateful-par", more).await;
        assert_eq!(rests, COURSE);
        assert_eq!(fewest_ready, 4);
    });
}

#[test]
fn pods_that_are_replaced_on_delete_are_deleted_batch_by_batch() {
    play(async |stage: Stage| {
        let more = "  updateStrategy: {type: OnDelete}\n";
        let (shop, _agent, ladder) =
            installed(&stage, "stateful-del", &web("1", "Rollback", more)).await;
        let second = shop.push_web("web 2", &web("2", "Rollback", more));
        shop.until_outcome(&second, "Succeeded").await;
        assert_eq!(
            ladder.rests(),
            ["OnDelete: 1 1 1 1 1", "OnDelete: 2 2 2 2 2"]
        );
        assert_eq!(ladder.fewest_ready(), 4, "one at a time");
        shop.until_note("web", "BatchHealthy", "batch 3 of 3: 5 new pods")
            .await;
        assert_eq!(shop.notes("web", "BatchHealthy").len(), 3);
        let third = shop.push_web("web 3", &web("3-crash", "Rollback", more));
        shop.until_outcome(&third, "RolledBack").await;
        let rests = ladder.rests();
        assert_eq!(rests[2], "OnDelete: 2 2 2 2 3-crash");
        assert_eq!(rests.last().unwrap(), "OnDelete: 2 2 2 2 2");
    });
}

#[test]
fn git_may_change_from_a_rolling_update_to_on_delete_and_back() {
    play(async |stage: Stage| {
        let (shop, _agent, ladder) =
            installed(&stage, "stateful-turn", &web("1", "Pause", "")).await;
        let more = "  updateStrategy: {type: OnDelete}\n";
        let second = shop.push_web("web 2", &web("2", "Pause", more));
        shop.until_outcome(&second, "Succeeded").await;
        let third = shop.push_web("web 3", &web("3", "Pause", ""));
        shop.until_outcome(&third, "Succeeded").await;
        let rests = ladder.rests();
        assert_eq!(rests[1], "OnDelete: 2 2 2 2 2");
        assert_eq!(rests.last().unwrap(), "0: 3 3 3 3 3");
    });
}

#[test]
fn a_partition_in_git_is_as_far_as_a_rollout_goes() {
    play(async |stage: Stage| {
        let more = "  updateStrategy: {rollingUpdate: {partition: 2}}\n";
        let (rests, _) = rolled(&stage, "stateful-part", more).await;
        let course = ["2: 1 1 1 1 1", "4: 1 1 1 1 2", "2: 1 1 2 2 2"];
        assert_eq!(rests, course);
    });
}

#[test]
fn a_wedged_pod_is_deleted_once_its_template_is_back() {
    play(async |stage: Stage| {
        let (shop, _agent, ladder) =
            installed(&stage, "stateful-fail", &web("1", "Rollback", "")).await;
        let old = shop.pod_uids("web", "1");
        let bad = shop.push_web("web 2", &web("2-crash", "Rollback", ""));
        shop.until_outcome(&bad, "RolledBack").await;
        let course = ["0: 1 1 1 1 1", "4: 1 1 1 1 2-crash", "0: 1 1 1 1 1"];
        assert_eq!(ladder.rests(), course);
        let back = shop.pod_uids("web", "1");
        assert_eq!(back.intersection(&old).count(), 4, "the others never moved");
        assert_eq!(shop.wait(&bad), Some(3));
    });
}

#[test]
fn a_fix_takes_over_from_a_wedged_pod() {
    play(async |stage: Stage| {
        let (shop, _agent, ladder) =
            installed(&stage, "stateful-fix", &web("1", "Pause", "")).await;
        let bad = shop.push_web("web 2", &web("2-crash", "Pause", ""));
        shop.until_outcome(&bad, "Failed").await;
        let fix = shop.push_web("web 3", &web("3", "Pause", ""));
        shop.until_outcome(&fix, "Succeeded").await;
        let course = [
            "0: 1 1 1 1 1",
            "4: 1 1 1 1 2-crash",
            "4: 1 1 1 1 3",
            "2: 1 1 3 3 3",
            "0: 3 3 3 3 3",
        ];
        assert_eq!(ladder.rests(), course);
    });
}

#[test]
fn a_commit_fixes_a_stateful_set_that_never_ran() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "stateful-never").await;
        let _agent = shop.start();
        let broken = web("1-crash", "Rollback", "");
        let first = shop.push("breaks", &[("web.yaml", Some(&broken))]);
        shop.until_outcome(&first, "Failed").await;
        let fix = shop.push_web("fixes", &web("2", "Rollback", ""));
        shop.until_outcome(&fix, "Succeeded").await;
        assert_eq!(shop.pods("web", "2").len(), 5);
    });
}

#[test]
fn a_commit_fixes_the_lowest_pod_although_the_highest_has_its_turn_first() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "stateful-low").await;
        let _agent = shop.start();
        let manifest = |tag| web(tag, "Pause", "") + NEEDS_SETTINGS;
        let files = |fixed| ("settings.yaml", Some(settings(fixed)));
        let (name, good) = files(true);
        shop.begin(&[
            ("web.yaml", Some(&manifest("1-needsmap"))),
            (name, good.as_deref()),
        ])
        .await;
        let (name, bad) = files(false);
        let broken = shop.push("breaks settings", &[(name, bad.as_deref())]);
        shop.until_outcome(&broken, "Succeeded").await;
        shop.kubectl(&["delete", "pod/web-0"]);
        shop.until("the lowest pod to crash", || {
            let pod = shop.get("pod/web-0");
            let state = &pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"];
            *state == "CrashLoopBackOff"
        })
        .await;
        let fix = shop.push_web("fixes", &manifest("2"));
        shop.until_outcome(&fix, "Succeeded").await;
        assert_eq!(shop.pods("web", "2").len(), 5);
        shop.until_note("web", "SliceStarted", "pod web-0 does not serve")
            .await;
    });
}

#[test]
fn a_revert_in_the_middle_moves_only_the_pods_that_had_moved() {
    play(async |stage: Stage| {
        let manifest = |tag| stateful_set("web", tag, "steps: [2, 100%]\nsoak: 5m", "");
        let (shop, _agent, ladder) = installed(&stage, "stateful-rev", &manifest("1")).await;
        let old = shop.pod_uids("web", "1");
        let second = shop.push_web("web 2", &manifest("2"));
        shop.until("two new pods", || {
            !shop.checkpoint_of("StatefulSet", "web")["healthySince"].is_null()
        })
        .await;
        let revert = shop.revert(&second);
        shop.until_outcome(&revert, "Succeeded").await;
        let course = ["0: 1 1 1 1 1", "3: 1 1 1 2 2", "0: 1 1 1 1 1"];
        assert_eq!(ladder.rests(), course);
        assert_eq!(shop.pod_uids("web", "1").intersection(&old).count(), 3);
        assert_eq!(ladder.fewest_ready(), 4, "one at a time");
    });
}

#[test]
#[cfg_attr(
    not(feature = "e2e"),
    ignore = "Leases run out: the real lane, on both"
)]
fn an_agent_that_was_killed_goes_on_with_the_batch_that_is_open() {
    play(async |stage: Stage| {
        let (shop, agent, ladder) =
            installed(&stage, "stateful-kill", &web("1", "Pause", "")).await;
        let second = shop.push_web("web 2", &web("2-slow", "Pause", ""));
        shop.until("the second batch", || {
            shop.checkpoint_of("StatefulSet", "web")["batch"] == 2
        })
        .await;
        agent.kill();
        let _agent = shop.start();
        shop.until_outcome(&second, "Succeeded").await;
        assert_eq!(
            ladder.rests(),
            COURSE.map(|rest| rest.replace('2', "2-slow").replacen("2-slow:", "2:", 1))
        );
    });
}

#[test]
fn a_release_gives_the_partition_back_and_kubernetes_goes_on() {
    play(async |stage: Stage| {
        let manifest = |tag| stateful_set("web", tag, "steps: [1, 100%]\nsoak: 5m", "");
        let (shop, agent, ladder) = installed(&stage, "stateful-rel", &manifest("1")).await;
        shop.push_web("web 2", &manifest("2"));
        shop.until("the first batch", || {
            !shop.checkpoint_of("StatefulSet", "web")["healthySince"].is_null()
        })
        .await;
        agent.kill();
        shop.verb(&["release", "web"]);
        shop.until("all pods to be new", || shop.pods("web", "2").len() == 5)
            .await;
        assert_eq!(ladder.rests()[..2], COURSE[..2]);
        assert!(ladder.rests().last().unwrap().starts_with("0:"));
    });
}
