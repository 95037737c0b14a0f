//! One image changes in a repository of 1,000 applications: what it costs, and what nothing costs.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::ControlPlane;
use crate::cluster::audit::Call;
use crate::real;
use crate::shop::{Agent, Shop, deployment};

const APPS: usize = 1000;
/// The first sync writes a thousand Deployments, on a machine that others use too.
const LONG: Duration = Duration::from_secs(600);
const POLICY: &str = "steps: [1, 50%, 100%]\nmaxSurge: 100%\nmonitor: 1s";

/// The calls of the agent since a mark, by what they are for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bill {
    dry_runs: usize,
    workload: usize,
    /// Writes of the workload that met a newer version of it, and how often it was read again.
    refused: (usize, usize),
    ledger: BTreeMap<String, usize>,
    events: usize,
    rest: Vec<Call>,
}

impl Bill {
    fn of(calls: Vec<Call>) -> Self {
        let mut bill = Self::default();
        for call in calls {
            let is_ledger = call.resource == "configmaps"
                && (call.name.starts_with("tidegate-web") || call.name.is_empty());
            match call.resource.as_str() {
                "leases" => {}
                _ if call.verb == "watch" => {}
                "deployments" if call.dry_run => bill.dry_runs += 1,
                "deployments" if call.verb == "patch" && call.code == 409 => bill.refused.0 += 1,
                "deployments" if call.verb == "get" => bill.refused.1 += 1,
                "deployments" if call.verb == "patch" => bill.workload += 1,
                "events" => bill.events += 1,
                _ if is_ledger => *bill.ledger.entry(call.verb).or_default() += 1,
                _ => bill.rest.push(call),
            }
        }
        bill
    }
}

/// Waits until the image of `web` is stored with this tag.
async fn stored(client: Client, namespace: String, tag: &'static str) -> Instant {
    let only_it = watcher::Config::default().fields("metadata.name=web");
    let deployments: Api<Deployment> = Api::namespaced(client, &namespace);
    let mut seen = watcher(deployments, only_it).applied_objects().boxed();
    let end = format!(":{tag}");
    while let Ok(Some(found)) = seen.try_next().await {
        let pods = found.spec.and_then(|spec| spec.template.spec);
        let image = pods.and_then(|pods| pods.containers.into_iter().next()?.image);
        if image.is_some_and(|image| image.ends_with(&end)) {
            break;
        }
    }
    Instant::now()
}

/// Resident memory in MiB, now and at most.
fn memory(agent: &Agent) -> (u64, u64) {
    (agent.present_memory(), agent.most_memory())
}

/// Waits until the agent makes no calls any more.
async fn until_quiet(shop: &Shop) {
    let audit = ControlPlane::shared().audit();
    loop {
        let mark = audit.mark();
        sleep(Duration::from_secs(3)).await;
        let bill = Bill::of(audit.calls(&shop.account.user, mark));
        if bill == Bill::default() {
            return;
        }
    }
}

/// Waits until a configuration with these words is in force and the tip is judged by it.
async fn until_taken_up(shop: &Shop, words: &str) {
    shop.until(&format!("{words} to be taken up"), || {
        let ledger = shop.ledger();
        ledger["spec"].to_string().contains(words) && ledger["tip"]["isJudged"] == true
    })
    .await;
}

fn web(tag: &str) -> String {
    deployment("web", tag, POLICY).replace("replicas: 10", "replicas: 4")
}

/// Pushes `web` with a tag, lets `ask` do what is left, and tells the time until it is stored.
async fn push(shop: &Shop, tag: &'static str, ask: impl FnOnce()) -> String {
    let (client, namespace) = (
        ControlPlane::shared().client().await,
        shop.namespace.clone(),
    );
    let waiting = tokio::spawn(stored(client, namespace, tag));
    let manifest = web(tag);
    let files = [("web.yaml", Some(manifest.as_str()))];
    let commit = shop.repository.commit("web", &files);
    let pushing = Instant::now();
    shop.repository.git(&["push", "-q", "origin", "main"]);
    let pushed = Instant::now();
    ask();
    let asked = Instant::now();
    let at = timeout(LONG, waiting).await.unwrap().unwrap();
    println!(
        "tag {tag}: {:?} from the end of the push to stored, of it {:?} to ask; the push itself took {:?}",
        at.saturating_duration_since(pushed),
        asked - pushed,
        pushed - pushing
    );
    shop.until_outcome(&commit, "Succeeded").await;
    commit
}

/// Pushes `web` with a tag and checks what the whole rollout costs.
async fn costs(shop: &Shop, agent: &Agent, tag: &'static str, ask: impl FnOnce()) {
    until_quiet(shop).await;
    let (mark, before) = (ControlPlane::shared().audit().mark(), agent.work());
    push(shop, tag, ask).await;
    until_quiet(shop).await;
    let bill = Bill::of(
        ControlPlane::shared()
            .audit()
            .calls(&shop.account.user, mark),
    );
    println!("tag {tag}: calls {bill:?}");
    println!("tag {tag}: memory {:?} MiB (now, at most)", memory(agent));
    println!("tag {tag}: processor time {:?}", agent.work() - before);
    assert_eq!(bill.dry_runs, 1, "{bill:?}");
    assert_eq!(bill.workload, 4, "three batches and the end: {bill:?}");
    // On a busy machine its controller writes between a look and the write that follows.
    assert_eq!(bill.refused.0, bill.refused.1, "{bill:?}");
    assert_eq!(bill.rest, [], "{bill:?}");
    let reads = ["get", "list"].map(|verb| bill.ledger.get(verb));
    assert_eq!(reads, [None, None], "the ledger is written, never read");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_image_among_a_thousand_applications_costs_what_one_application_does() {
    let shop = Shop::open(&real(), "thousand").await;
    let idle: Vec<(String, String)> = (1..APPS)
        .map(|number| {
            let name = format!("app-{number:04}");
            let text = deployment(&name, "1", "").replace("replicas: 10", "replicas: 0");
            (format!("{name}.yaml"), text)
        })
        .collect();
    let first = web("1");
    let mut files: Vec<(&str, Option<&str>)> = idle
        .iter()
        .map(|(name, text)| (name.as_str(), Some(text.as_str())))
        .collect();
    files.push(("web.yaml", Some(&first)));
    let commit = shop.repository.push("a thousand", &files);

    // A local repository, watched.
    let local = format!("file://{}", shop.repository.bare().display());
    shop.configure(&json!({"source": {"url": local, "secretRef": null, "interval": "1h"}}));
    let began = Instant::now();
    let mut command = shop.run_command("cache");
    command.arg("--allow-file-urls");
    let agent = shop.start_as(command);
    shop.until_within(LONG, "the first sync", || {
        shop.outcome(&commit) == "Succeeded"
    })
    .await;
    println!("first sync of {APPS} applications: {:?}", began.elapsed());
    println!(
        "it took {:?} of processor time and {:?} MiB of memory (now, at most)",
        agent.work(),
        memory(&agent)
    );
    costs(&shop, &agent, "2", || {}).await;
    costs(&shop, &agent, "3", || {}).await;

    // HTTPS, asked to look.
    shop.configure(&json!({"source": {"interval": "1h"}}));
    until_taken_up(&shop, r#""url":"https"#).await;
    costs(&shop, &agent, "4", || {
        shop.sync();
    })
    .await;

    // Polls that bring nothing new.
    shop.configure(&json!({}));
    until_taken_up(&shop, r#""interval":"5s""#).await;
    until_quiet(&shop).await;
    let audit = ControlPlane::shared().audit();
    let (mark, polls) = (audit.mark(), shop.server.requests());
    let (before, began) = (agent.work(), Instant::now());
    // A fetch that finds nothing new is one request.
    shop.until("three polls", || shop.server.requests() >= polls + 3)
        .await;
    let bill = Bill::of(audit.calls(&shop.account.user, mark));
    println!(
        "{} requests of polls in {:?}: processor time {:?}",
        shop.server.requests() - polls,
        began.elapsed(),
        agent.work() - before
    );
    assert_eq!(bill, Bill::default(), "a poll without news calls nobody");
}
