//! Two agents of one installation: one works, the other stands by and takes over.

use std::time::Duration;

use rustix::process::Signal;

use crate::cluster::ControlPlane;
use crate::cluster::audit::{Call, Mark};
use crate::real;
use crate::shop::bridge::{Break, Bridge};
use crate::shop::ground::Account;
use crate::shop::{Agent, Counts, Shop, deployment};

/// A dead agent's lease has to run out first.
const LONG: Duration = Duration::from_secs(180);
/// Less than the soak, and more than a busy machine pauses in the middle of a batch.
const STOOD: Duration = Duration::from_secs(2);
const STEPS: &str = "steps: [1, 50%, 100%]\nmaxSurge: 100%\nsoak: 4s\nmonitor: 1s";

/// Old and new pods.
fn sides(counts: &Counts) -> (usize, usize) {
    (counts.with_tag("1"), counts.without_tag("1"))
}

/// Starts another agent of the same installation, with an account and a cache of its own.
async fn start_second(shop: &Shop) -> (Agent, Account) {
    let spaces = [shop.namespace.as_str()];
    let account = ControlPlane::shared().agent(&spaces, &shop.namespace).await;
    let mut command = shop.run_command("second");
    command.env("KUBECONFIG", &account.kubeconfig);
    (shop.start_as(command), account)
}

/// Calls of an account that are neither for the Lease nor discovery.
fn work(account: &Account, since: Mark) -> Vec<Call> {
    let mut calls = ControlPlane::shared().audit().calls(&account.user, since);
    calls.retain(|call| call.resource != "leases" && !call.resource.is_empty());
    calls
}

fn lease(shop: &Shop) -> String {
    let lease = shop.get("lease/tidegate.tidegate");
    let holder = lease["spec"]["holderIdentity"].as_str();
    holder.unwrap_or_default().to_owned()
}

/// Rolls out tag 1, with a first agent at work and a second one that stands by.
async fn pair(shop: &Shop) -> (Agent, Agent, Account) {
    let mark = ControlPlane::shared().audit().mark();
    let web = deployment("web", "1", STEPS);
    let first = shop.repository.push("web 1", &[("web.yaml", Some(&web))]);
    let worker = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    let (other, account) = start_second(shop).await;
    shop.until("the second to look at the lease", || {
        let calls = ControlPlane::shared().audit().calls(&account.user, mark);
        calls.iter().any(|call| call.resource == "leases")
    })
    .await;
    (worker, other, account)
}

fn push(shop: &Shop, tag: &str) -> String {
    let web = deployment("web", tag, STEPS);
    shop.repository.push("web", &[("web.yaml", Some(&web))])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_only_looks_at_the_lease_and_takes_over_when_the_first_is_killed() {
    let shop = Shop::open(&real(), "standby").await;
    let mark = ControlPlane::shared().audit().mark();
    let (worker, other, account) = pair(&shop).await;
    let trace = shop.trace("web").await;
    trace.until_rest("ten old pods", STOOD, LONG).await;
    let commit = push(&shop, "2");
    trace
        .until_settled("half of the pods to be new", LONG, |counts| {
            sides(counts) == (9, 5)
        })
        .await;
    assert_eq!(work(&account, mark), [], "the second stands by");
    worker.kill();
    shop.until_within(LONG, "the second to end it", || {
        shop.outcome(&commit) == "Succeeded"
    })
    .await;
    trace.until_rest("the end", STOOD, LONG).await;
    let stood: Vec<(usize, usize)> = trace.stood(STOOD).iter().map(sides).collect();
    assert_eq!(
        stood,
        [(10, 0), (10, 1), (9, 5), (5, 10), (0, 10)],
        "{trace}"
    );
    assert_eq!(trace.pods_seen(), 20, "no pod moves twice: {trace}");
    let holder = shop.ledger()["holder"].clone();
    let expected = format!(".{}", other.id());
    assert!(
        holder
            .as_str()
            .is_some_and(|name| name.ends_with(&expected)),
        "{holder} is not the second, {expected}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_told_to_end_gives_the_lease_back() {
    let shop = Shop::open(&real(), "handover").await;
    let (mut worker, mut other, _) = pair(&shop).await;
    let trace = shop.trace("web").await;
    let commit = push(&shop, "2");
    trace
        .until_settled("half of the pods to be new", LONG, |counts| {
            sides(counts) == (9, 5)
        })
        .await;
    let before = lease(&shop);
    worker.signal(Signal::TERM);
    let status = worker.ended().await;
    let after = lease(&shop);
    assert!(status.success(), "{status}");
    assert_ne!(before, after, "it was given back before the process ended");
    shop.until_within(LONG, "the second to end it", || {
        shop.outcome(&commit) == "Succeeded"
    })
    .await;
    let holder = lease(&shop);
    let expected = format!(".{}_", other.id());
    assert!(holder.contains(&expected), "{holder} is not {expected}");
    assert_eq!(trace.pods_seen(), 20, "no pod moves twice: {trace}");
    let status = shop.verb(&["status", "web"]);
    assert!(status.contains("last sign of life"), "{status}");
    other.signal(Signal::TERM);
    other.ended().await;
    let status = shop.verb(&["status", "web"]);
    assert!(status.contains("gave its Lease back"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_leader_that_wakes_late_changes_nothing() {
    let mut shop = Shop::open(&real(), "late").await;
    let bridge = Bridge::build(&shop.account, shop.folder()).await;
    shop.account = bridge.account();
    let (sleeper, other, _) = pair(&shop).await;
    let trace = shop.trace("web").await;
    bridge.break_at(2, Break::Before);
    let commit = push(&shop, "2");
    // Its write of batch 2 is on the way, and it is stopped.
    bridge.broken().await;
    sleeper.signal(Signal::STOP);
    shop.until_within(LONG, "the second to end it", || {
        shop.outcome(&commit) == "Succeeded"
    })
    .await;
    trace
        .until_settled("the end", LONG, |counts| sides(counts) == (0, 10))
        .await;

    let mark = ControlPlane::shared().audit().mark();
    let (before, ledger) = (shop.get("deployment/web"), shop.ledger());
    bridge.release();
    sleeper.signal(Signal::CONT);
    shop.until("the sleeper to stand by", || {
        sleeper.log().contains("the lease was lost; standing by")
    })
    .await;
    let mut writes = work(&shop.account, mark);
    let reads = ["get", "list", "watch"];
    writes.retain(|call| !reads.contains(&call.verb.as_str()) && !call.dry_run);
    let told: Vec<(&str, u16)> = writes
        .iter()
        .map(|call| (call.resource.as_str(), call.code))
        .collect();
    assert_eq!(told, [("deployments", 409)], "the late write is refused");
    let after = shop.get("deployment/web");
    assert_eq!(
        before["metadata"]["resourceVersion"],
        after["metadata"]["resourceVersion"]
    );
    assert_eq!(ledger, shop.ledger());
    assert_eq!(trace.pods_seen(), 20, "no pod moves twice: {trace}");

    // It is as good a second as any.
    other.kill();
    let commit = push(&shop, "3");
    shop.until_within(LONG, "the sleeper to lead again", || {
        shop.outcome(&commit) == "Succeeded"
    })
    .await;
}
