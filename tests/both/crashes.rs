//! The agent is killed at each transition: the pods stay where the last write left them, and the
//! next agent ends the rollout as if nothing had been.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use crate::play;
use crate::shop::bridge::{Break, Bridge};
use crate::shop::{Agent, Counts, Shop, Stage, Trace, deployment};

/// A killed agent's lease has to run out first.
const LONG: Duration = Duration::from_secs(180);
/// How long pods without an agent are watched.
const ALONE: Duration = Duration::from_secs(10);
/// Less than the soak, and more than a busy machine pauses in the middle of a batch.
const STOOD: Duration = Duration::from_secs(2);
const STEPS: &str = "steps: [1, 50%, 100%]\nmaxSurge: 100%\nsoak: 4s\nmonitor: 1s";

/// A shop whose agent goes over a bridge, with `web` at tag 1 rolled out.
struct Scene {
    shop: Shop,
    bridge: Bridge,
    agent: Agent,
}

impl Scene {
    async fn open(stage: &Stage, prefix: &str, manifest: &str) -> Self {
        let mut shop = Shop::open(stage, prefix).await;
        let bridge = Bridge::build(&shop.account, shop.folder()).await;
        shop.account = bridge.account();
        let first = shop
            .repository
            .push("web 1", &[("web.yaml", Some(manifest))]);
        let agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        Self {
            shop,
            bridge,
            agent,
        }
    }
}

/// Checks that the pods went through the batches one by one and came to rest, and none moved twice.
async fn went_through(trace: &Trace, what: &str) {
    trace.until_rest(what, STOOD, LONG).await;
    let stood: Vec<(usize, usize)> = trace.stood(STOOD).iter().map(sides).collect();
    assert_eq!(
        stood,
        [(10, 0), (10, 1), (9, 5), (5, 10), (0, 10)],
        "{what}: {trace}"
    );
    assert_eq!(trace.pods_seen(), 20, "{what}, no pod moves twice: {trace}");
    assert!(trace.fewest_ready() >= 10, "{what}: {trace}");
}

/// Old and new pods.
fn sides(counts: &Counts) -> (usize, usize) {
    (counts.with_tag("1"), counts.without_tag("1"))
}

/// The batches of a commit as the history has them: done, and in all.
fn batches(shop: &Shop, commit: &str) -> Value {
    let ledger = shop.ledger();
    let history = ledger["history"].as_array().cloned().unwrap_or_default();
    let record = history.iter().find(|one| one["revision"]["id"] == commit);
    record.map_or(Value::Null, |record| record["batches"].clone())
}

/// Kills the agent at a write of the rollout and says where the pods came to rest without it.
async fn killed_at(stage: Stage, write: usize, at: Break, rest: (usize, usize)) {
    let what = format!("killed {at:?} write {write}");
    let Scene {
        shop,
        bridge,
        agent,
        ..
    } = Scene::open(
        &stage,
        &format!("crash-{write}-{}", format!("{at:?}").to_lowercase()),
        &deployment("web", "1", STEPS),
    )
    .await;
    let trace = shop.trace("web").await;
    trace.until_rest(&what, STOOD, LONG).await;
    bridge.break_at(write, at);
    let web = deployment("web", "2", STEPS);
    let second = shop.repository.push("web 2", &[("web.yaml", Some(&web))]);
    bridge.broken().await;
    agent.kill();
    let alone = trace.until_rest(&what, ALONE, LONG).await;
    assert_eq!(sides(&alone), rest, "{what}: {trace}");

    let _next = shop.start();
    shop.until_within(LONG, &what, || shop.outcome(&second) == "Succeeded")
        .await;
    went_through(&trace, &what).await;
    assert_eq!(batches(&shop, &second).to_string(), "[3,3]", "{what}");
}

#[test]
#[cfg_attr(
    not(feature = "e2e"),
    ignore = "Leases run out: the real lane, on both"
)]
fn killed_at_any_write_the_pods_stay_and_the_next_agent_ends_the_rollout() {
    play(async |stage: Stage| {
        let cases = [
            (1, Break::Before, (10, 0)),
            (1, Break::After, (10, 1)),
            (2, Break::Before, (10, 1)),
            (2, Break::After, (9, 5)),
            (3, Break::Before, (9, 5)),
            (3, Break::After, (5, 10)),
            (4, Break::Before, (5, 10)),
            (4, Break::After, (0, 10)),
        ];
        let all =
            cases.map(|(write, at, rest)| tokio::spawn(killed_at(stage.clone(), write, at, rest)));
        for ended in join_all(all).await {
            ended.unwrap();
        }
    });
}

/// Kills the agent while the second batch soaks.
#[test]
#[cfg_attr(
    not(feature = "e2e"),
    ignore = "Leases run out: the real lane, on both"
)]
fn killed_during_soak_the_next_agent_soaks_and_goes_on() {
    play(async |stage: Stage| {
        let Scene { shop, agent, .. } =
            Scene::open(&stage, "soak", &deployment("web", "1", STEPS)).await;
        let trace = shop.trace("web").await;
        trace.until_rest("ten old pods", STOOD, LONG).await;
        let web = deployment("web", "2", STEPS);
        let second = shop.repository.push("web 2", &[("web.yaml", Some(&web))]);
        let rollout = format!("apps/Deployment/{}/web", shop.namespace);
        shop.until("the second batch to soak", || {
            let kept = shop.ledger()["rollouts"][&rollout].clone();
            kept["batch"] == 2 && kept["healthySince"].is_string()
        })
        .await;
        agent.kill();
        let alone = trace.until_rest("killed in soak", ALONE, LONG).await;
        assert_eq!(sides(&alone), (9, 5), "{trace}");

        let _next = shop.start();
        shop.until_within(LONG, "the end", || shop.outcome(&second) == "Succeeded")
            .await;
        went_through(&trace, "killed in soak").await;
    });
}

/// Kills the agent at the write that goes back, in batch 1 of a broken image or in batch 2 of a
/// good one that is reverted.
async fn killed_going_back(stage: Stage, at: Break, broken: bool) {
    let what = format!("killed {at:?} the way back, broken: {broken}");
    // Long enough for a poll to bring the revert.
    let policy = STEPS.replace("4s", "12s") + "\nonFailure: Rollback";
    let manifest = |tag: &str| deployment("web", tag, &policy);
    let Scene {
        shop,
        bridge,
        agent,
        ..
    } = Scene::open(
        &stage,
        &format!("back-{broken}-{}", format!("{at:?}").to_lowercase()),
        &manifest("1"),
    )
    .await;
    let trace = shop.trace("web").await;
    let (tag, write, new) = if broken {
        ("2-crash", 2, 1)
    } else {
        ("2", 3, 5)
    };
    bridge.break_at(write, at);
    let second = shop
        .repository
        .push("web 2", &[("web.yaml", Some(&manifest(tag)))]);
    let last = if broken {
        second
    } else {
        trace
            .until(&what, LONG, |counts| sides(counts) == (9, 5))
            .await;
        shop.repository.revert(&second)
    };
    bridge.broken().await;
    agent.kill();
    let alone = trace.until_rest(&what, ALONE, LONG).await;
    let old = if broken { 10 } else { 9 };
    let rest = match at {
        Break::Before => (old, new),
        Break::After => (10, 0),
    };
    assert_eq!(sides(&alone), rest, "{what}: {trace}");

    let _next = shop.start();
    let end = if broken { "RolledBack" } else { "Succeeded" };
    shop.until_within(LONG, &what, || shop.outcome(&last) == end)
        .await;
    trace
        .until_settled(&what, LONG, |counts| sides(counts) == (10, 0))
        .await;
    let moved = 10 + new + (10 - old);
    assert_eq!(
        trace.pods_seen(),
        moved,
        "{what}, no pod moves twice: {trace}"
    );
    assert!(trace.fewest_ready() >= 10, "{what}: {trace}");
}

#[test]
#[cfg_attr(
    not(feature = "e2e"),
    ignore = "Leases run out: the real lane, on both"
)]
fn killed_on_the_way_back_the_pods_that_moved_and_no_others_go_back() {
    play(async |stage: Stage| {
        let cases = [
            (Break::Before, true),
            (Break::After, true),
            (Break::Before, false),
            (Break::After, false),
        ];
        let all =
            cases.map(|(at, broken)| tokio::spawn(killed_going_back(stage.clone(), at, broken)));
        for ended in join_all(all).await {
            ended.unwrap();
        }
    });
}

/// A manifest that leaves the number of pods to a scaler.
fn unscaled(tag: &str, policy: &str) -> String {
    deployment("web", tag, policy).replace("  replicas: 10\n", "")
}

/// Kills the agent with half of the pods new, lets a scaler act, and starts the next agent.
async fn scaled_without_an_agent(stage: Stage, replicas: usize) {
    let what = format!("10 scaled to {replicas}");
    let Scene {
        shop,
        bridge,
        agent,
        ..
    } = Scene::open(&stage, &format!("scaled-{replicas}"), &unscaled("1", STEPS)).await;
    let trace = shop.trace("web").await;
    shop.kubectl(&["scale", "deployment/web", "--replicas=10"]);
    trace
        .until_settled(&what, LONG, |counts| sides(counts) == (10, 0))
        .await;
    bridge.break_at(3, Break::Before);
    let second = unscaled("2", STEPS);
    let second = shop
        .repository
        .push("web 2", &[("web.yaml", Some(&second))]);
    bridge.broken().await;
    agent.kill();
    let alone = trace.until_rest(&what, STOOD, LONG).await;
    assert_eq!(sides(&alone), (9, 5), "{what}: {trace}");

    shop.kubectl(&["scale", "deployment/web", &format!("--replicas={replicas}")]);
    trace
        .until(&what, LONG, |counts| counts.total() != 14)
        .await;
    let scaled = trace.until_rest(&what, ALONE, LONG).await;
    let share = replicas / 2;
    let new = sides(&scaled).1;
    assert!(
        (share - 1..=share + 1).contains(&new),
        "{what}: {new} new: {trace}"
    );
    let _next = shop.start();
    shop.until_within(LONG, &what, || shop.outcome(&second) == "Succeeded")
        .await;
    trace
        .until_settled(&what, LONG, |counts| sides(counts) == (0, replicas))
        .await;
}

#[test]
#[cfg_attr(
    not(feature = "e2e"),
    ignore = "Leases run out: the real lane, on both"
)]
fn a_scaler_keeps_the_share_of_new_pods_while_no_agent_lives() {
    play(async |stage: Stage| {
        let all =
            [6, 14].map(|replicas| tokio::spawn(scaled_without_an_agent(stage.clone(), replicas)));
        for ended in join_all(all).await {
            ended.unwrap();
        }
    });
}

#[test]
#[cfg_attr(
    not(feature = "e2e"),
    ignore = "Leases run out: the real lane, on both"
)]
fn two_hundred_pods_move_exactly_and_a_scale_down_never_has_more_new_ones() {
    play(async |stage: Stage| {
        const WAYS: &str = "steps: [1, 25%, 55%, 100%]\nmaxSurge: 20%\nsoak: 1s\nmonitor: 1s";
        const SLOW: Duration = Duration::from_secs(400);
        let Scene {
            shop,
            bridge,
            agent,
            ..
        } = Scene::open(&stage, "many", &unscaled("1", WAYS)).await;
        let trace = shop.trace("web").await;
        shop.kubectl(&["scale", "deployment/web", "--replicas=200"]);
        trace
            .until_settled("200 pods", SLOW, |counts| sides(counts) == (200, 0))
            .await;
        // 1, then 41 and 50, then 90 and 110; the sixth write would open the last batch.
        bridge.break_at(6, Break::Before);
        let second = shop
            .repository
            .push("web 2", &[("web.yaml", Some(&unscaled("2", WAYS)))]);
        bridge.broken().await;
        agent.kill();
        let alone = trace.until_rest("110 of 200", ALONE, SLOW).await;
        assert_eq!(sides(&alone), (110, 110), "{trace}");
        assert_eq!(trace.most_with("2"), 110, "never more: {trace}");
        let seen = trace.counts();
        for target in [1, 41, 50, 90] {
            let is_full = |counts: &Counts| counts.ready_with("2") == target;
            let full = seen.iter().position(is_full);
            let beyond = seen.iter().position(|counts| sides(counts).1 > target);
            assert!(
                full.is_some() && full < beyond,
                "no further one before {target} are Ready: {trace}"
            );
        }

        shop.kubectl(&["scale", "deployment/web", "--replicas=100"]);
        trace
            .until("the scale-down", SLOW, |counts| counts.total() < 190)
            .await;
        // 45 % and 20: exactly 65 new pods, on top of 55 old ones; never more new ones than before.
        let scaled = trace.until_rest("100 pods", ALONE, SLOW).await;
        assert_eq!(sides(&scaled), (55, 65), "{trace}");
        assert_eq!(trace.most_with("2"), 110, "{trace}");

        let _next = shop.start();
        shop.until_within(SLOW, "the end", || shop.outcome(&second) == "Succeeded")
            .await;
        trace
            .until_settled("the end", SLOW, |counts| sides(counts) == (0, 100))
            .await;
    });
}
