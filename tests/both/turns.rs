//! Whose turn it is among the workloads of a commit.

use crate::play;
use crate::shop::{Shop, Stage, deployment, stateful_set};

const QUICK: &str = "batchSize: 100%\nmonitor: 0s";

/// How many pods of a workload have a tag.
fn pods(shop: &Shop, app: &str, tag: &str) -> usize {
    shop.pods(app, tag).len()
}

#[test]
fn lower_waves_and_what_a_workload_depends_on_are_rolled_before_it() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "turns").await;
        let _agent = shop.start();
        let manifest = |tag: &str| {
            let after = format!("{QUICK}\nwave: 1\ndependsOn: [Deployment/web]");
            [
                deployment("api", tag, &after),
                deployment("web", tag, &format!("{QUICK}\nwave: 1")),
                stateful_set("db", tag, QUICK, ""),
            ]
            .join("---\n")
        };
        shop.begin(&[("web.yaml", Some(&manifest("1")))]).await;
        let second = shop.push_web("2", &manifest("2"));
        let in_turn = || {
            // From the last one back, since others go on meanwhile.
            let api = pods(&shop, "api", "2");
            let web = (pods(&shop, "web", "2"), pods(&shop, "web", "1"));
            let db = (pods(&shop, "db", "2"), pods(&shop, "db", "1"));
            assert!(api == 0 || web == (10, 0), "api {api}, web {web:?}");
            assert!(web.0 == 0 || db == (5, 0), "web {web:?}, db {db:?}");
            shop.outcome(&second) == "Succeeded"
        };
        shop.until("all three to be rolled", in_turn).await;
        assert_eq!(pods(&shop, "api", "2"), 10);
    });
}

#[test]
fn two_workloads_of_a_group_are_never_rolled_at_once() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "group").await;
        let _agent = shop.start();
        let manifest = |tag: &str| {
            let names = ["a", "b", "c"];
            let policy = format!("{QUICK}\nsoak: 1s\ngroup: stores");
            names
                .map(|name| deployment(name, tag, &policy))
                .join("---\n")
        };
        shop.begin(&[("web.yaml", Some(&manifest("1")))]).await;
        let second = shop.push_web("2", &manifest("2"));
        let mut most = 0;
        shop.until("all three to be rolled", || {
            let ledger = shop.ledger();
            let rollouts = ledger["rollouts"].as_object();
            let rolls = |kept: &&serde_json::Value| kept["phase"] != "Succeeded";
            let rolling = rollouts.map_or(0, |all| all.values().filter(rolls).count());
            most = most.max(rolling);
            shop.outcome(&second) == "Succeeded"
        })
        .await;
        assert_eq!(most, 1, "one after the other");
    });
}

#[test]
fn dependencies_that_can_never_be_met_are_refused() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "circle").await;
        let _agent = shop.start();
        shop.begin(&[("web.yaml", Some(&deployment("web", "1", QUICK)))])
            .await;
        let after = |name: &str| format!("{QUICK}\ndependsOn: [Deployment/{name}]");
        let circle = [
            deployment("web", "2", &after("api")),
            deployment("api", "2", &after("web")),
        ];
        let bad = shop.push_web("a circle", &circle.join("---\n"));
        shop.until_outcome(&bad, "Rejected").await;
        let told = shop.until_problem("Rejected").await;
        assert!(told.contains("neither would ever begin"), "{told}");
        assert_eq!(pods(&shop, "web", "1"), 10);
    });
}
