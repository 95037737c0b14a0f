//! The agent is killed at each transition: the pods stay where the last write left them, and the
//! next agent ends the rollout as if nothing had been.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use crate::cluster::bridge::{Break, Bridge};
use crate::cluster::trace::Counts;
use crate::shop::{Agent, Shop, deployment};

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
    first: String,
}

impl Scene {
    async fn open(prefix: &str, manifest: &str) -> Self {
        let mut shop = Shop::open(prefix).await;
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
            first,
        }
    }
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
async fn killed_at(write: usize, at: Break, rest: (usize, usize)) {
    let what = format!("killed {at:?} write {write}");
    let Scene {
        shop,
        bridge,
        agent,
        ..
    } = Scene::open("crash", &deployment("web", "1", STEPS)).await;
    let trace = shop.trace("web").await;
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
    trace
        .until_settled(&what, LONG, |counts| sides(counts) == (0, 10))
        .await;
    let stood: Vec<(usize, usize)> = trace.stood(STOOD).iter().map(sides).collect();
    assert_eq!(
        stood,
        [(10, 0), (10, 1), (9, 5), (5, 10), (0, 10)],
        "{what}: {trace}"
    );
    assert_eq!(trace.pods_seen(), 20, "{what}, no pod moves twice: {trace}");
    assert!(trace.fewest_ready() >= 10, "{what}: {trace}");
    assert_eq!(batches(&shop, &second).to_string(), "[3,3]", "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_write_the_pods_stay_and_the_next_agent_ends_the_rollout() {
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
    let all = cases.map(|(write, at, rest)| tokio::spawn(killed_at(write, at, rest)));
    for ended in join_all(all).await {
        ended.unwrap();
    }
}
