//! What the agent needs where there is much: 10,000 objects, 100 rollouts at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate::sim::fault::Sort;
use tidegate::sim::kind::Kind;

use crate::shop::{Agent, Shop, Simulated, Stage, config_map, deployment, until};

/// A commit rolls four workloads at once, so there are many `GitSync`s.
const SYNCS: usize = 25;
const WORKLOADS: usize = 4;
const MAPS: usize = 396;
const LONG: Duration = Duration::from_secs(1800);
const POLICY: &str = "steps: [1, 50%, 100%]\nmaxSurge: 100%\nsoak: 1s\nmonitor: 1s";

fn name(sync: usize) -> String {
    format!("app-{sync:02}")
}

/// Writes the files of all paths: four Deployments of four pods and the ConfigMaps of each.
fn push(shop: &Shop, tag: &str, with_maps: bool) -> String {
    let mut files = Vec::new();
    for sync in 0..SYNCS {
        let app = name(sync);
        for number in 0..WORKLOADS {
            let web = format!("{app}-web-{number}");
            let text = deployment(&web, tag, POLICY).replace("replicas: 10", "replicas: 4");
            files.push((format!("../{app}/web-{number}.yaml"), text));
        }
        for number in (0..MAPS).filter(|_| with_maps) {
            let map = format!("{app}-map-{number}");
            files.push((format!("../{app}/map-{number}.yaml"), config_map(&map, "1")));
        }
    }
    let files: Vec<(&str, Option<&str>)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), Some(text.as_str())))
        .collect();
    shop.repository.push(tag, &files)
}

/// How many `GitSync`s have this outcome of the commit; read past the API, whose calls are counted.
fn done(ground: &Simulated, namespace: &str, commit: &str) -> usize {
    let has_succeeded = |sync: usize| {
        let head = format!("tidegate-{}", name(sync));
        let head = ground
            .town
            .enter(|store| store.get(&Kind::CONFIG_MAP, namespace, &head).cloned());
        let text = head.as_ref().and_then(|head| head.text("/data/ledger"));
        let ledger: Value = serde_json::from_str(text.unwrap_or("null")).expect("it is JSON");
        let newest = &ledger["ledger"]["history"][0];
        newest["revision"]["id"] == commit && newest["outcome"] == "Succeeded"
    };
    (0..SYNCS).filter(|sync| has_succeeded(*sync)).count()
}

/// How many Deployments are held back by levers just now.
fn rolling(ground: &Simulated, namespace: &str) -> usize {
    ground.town.enter(|store| {
        let all = store.list(&Kind::DEPLOYMENT, Some(namespace));
        all.filter(|web| web.at("/spec/minReadySeconds") == Some(&json!(2_147_483_646_i64)))
            .count()
    })
}

/// What the agent has used so far: calls by sort, processor time, and peak memory in MiB.
fn used(ground: &Simulated, agent: &Agent) -> (Vec<(Sort, u64)>, Duration, u64) {
    let calls = ground.town.faults().calls().into_iter().collect();
    (calls, agent.work(), agent.most_memory())
}

fn tell(what: &str, began: Instant, ground: &Simulated, agent: &Agent, before: &[(Sort, u64)]) {
    let (calls, work, memory) = used(ground, agent);
    println!(
        "{what}: {:.1} s; so far {work:?} of processor time, at most {memory} MiB",
        began.elapsed().as_secs_f32()
    );
    let earlier = |sort: &Sort| {
        before
            .iter()
            .find(|(one, _)| one == sort)
            .map_or(0, |one| one.1)
    };
    for (sort, count) in &calls {
        let new = count - earlier(sort);
        let ((verb, resource, is_tried), tried) = (sort, ["", ", dry run"]);
        if new > 0 {
            println!(
                "  {new:>6} {verb:?} {resource}{}",
                tried[usize::from(*is_tried)]
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement; the command is in CONTRIBUTING.md"]
async fn a_hundred_rollouts_at_once_among_ten_thousand_objects() {
    let ground = Arc::new(Simulated::found());
    let shop = Shop::open(&Stage::on(Arc::clone(&ground) as _), "load").await;
    let url = format!("file://{}", shop.repository.bare().display());
    let source = json!({"source": {"url": url, "secretRef": null, "interval": "1h"}});
    let documents = (0..SYNCS).map(|sync| {
        let app = name(sync);
        shop.gitsync(&app, &format!("apps/{app}"), &source)
            .to_string()
    });
    shop.write_config(&documents.collect::<Vec<_>>().join("\n---\n"));
    let first = push(&shop, "1", true);
    let began = Instant::now();
    let mut command = shop.run_command("cache");
    command.arg("--allow-file-urls");
    let agent = shop.start_as(command);
    let waiting = |what: &str, commit: &str| {
        format!("{what}: {} done", done(&ground, &shop.namespace, commit))
    };
    let all = |commit: &str| done(&ground, &shop.namespace, commit) == SYNCS;
    until(LONG, || all(&first), || waiting("first sync", &first)).await;
    tell("first sync of 10,000 objects", began, &ground, &agent, &[]);

    let (before, _, _) = used(&ground, &agent);
    let began = Instant::now();
    let second = push(&shop, "2", false);
    let mut most = 0;
    let rolled = || {
        most = most.max(rolling(&ground, &shop.namespace));
        all(&second)
    };
    until(LONG, rolled, || waiting("rollouts", &second)).await;
    println!("at most {most} rollouts at once");
    tell(
        "100 rollouts of three batches",
        began,
        &ground,
        &agent,
        &before,
    );
    assert!(most > SYNCS * WORKLOADS / 2, "{most} at once");

    let (before, work, _) = used(&ground, &agent);
    let began = Instant::now();
    let resting = Instant::now();
    until(
        LONG,
        || resting.elapsed() > Duration::from_secs(30),
        String::new,
    )
    .await;
    tell("at rest", began, &ground, &agent, &before);
    println!(
        "at rest for 30 s: {:?} of processor time",
        agent.work() - work
    );
}
