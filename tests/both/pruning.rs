//! What a commit no longer has is deleted last, within a budget, and only what may be.

use kube::api::ListParams;
use serde_json::{Value, json};

use crate::play;
use crate::shop::{Agent, Counts, SOON, Shop, Stage, config_map, deployment};

const QUICK: &str = "monitor: 0s\nprogressDeadline: 20s\nhealthyDeadline: 15s";

/// A shop at rest with `web` and this many ConfigMaps `map-N`.
async fn at_rest(stage: &Stage, prefix: &str, maps: usize) -> (Shop, Agent) {
    let shop = Shop::open(stage, prefix).await;
    push_maps(&shop, maps, Some(&deployment("web", "1", QUICK)));
    let agent = shop.start();
    shop.until_outcome(&shop.repository.head(), "Succeeded")
        .await;
    (shop, agent)
}

fn push_maps(shop: &Shop, maps: usize, web: Option<&str>) -> String {
    let texts: Vec<(String, String)> = (0..maps)
        .map(|number| {
            (
                format!("map-{number}.yaml"),
                config_map(&format!("map-{number}"), "1"),
            )
        })
        .collect();
    let mut files: Vec<(&str, Option<&str>)> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), Some(text.as_str())))
        .collect();
    if web.is_some() {
        files.push(("web.yaml", web));
    }
    shop.push("maps", &files)
}

fn remove(shop: &Shop, subject: &str, numbers: std::ops::Range<usize>) -> String {
    let names: Vec<String> = numbers.map(|number| format!("map-{number}.yaml")).collect();
    let files: Vec<(&str, Option<&str>)> = names.iter().map(|name| (name.as_str(), None)).collect();
    shop.push(subject, &files)
}

fn maps(shop: &Shop) -> usize {
    let all = shop.list("configmap", &ListParams::default());
    let name = |map: &Value| {
        map["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    all.iter()
        .filter(|map| name(map).starts_with("map-"))
        .count()
}

#[test]
fn a_removed_file_is_pruned_only_after_the_rest_is_healthy() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "prune", 1).await;
        let trace = shop.trace_at_rest("web").await;
        let never = shop.push(
            "never ready",
            &[
                ("map-0.yaml", None),
                ("web.yaml", Some(&deployment("web", "2-never", QUICK))),
            ],
        );
        shop.until_outcome(&never, "Failed").await;
        assert_eq!(maps(&shop), 1);
        let good = shop.push(
            "good",
            &[("web.yaml", Some(&deployment("web", "3", QUICK)))],
        );
        shop.until("the map to go", || maps(&shop) == 0).await;
        trace
            .until("no old pod to be left", SOON, |counts| {
                counts.with_tag("3") == 10 && counts.with_tag("1") == 0
            })
            .await;
        shop.until_outcome(&good, "Succeeded").await;
        shop.until_note("tidegate-web", "ObjectPruned", "map-0")
            .await;
        assert!(shop.get("configmap/tidegate-web").is_object());
    });
}

#[test]
fn what_its_finalizers_keep_is_told_and_holds_up_no_commit_for_good() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "finalizer").await;
        shop.configure(&json!({"healthTimeout": "5s"}));
        push_maps(&shop, 2, Some(&deployment("web", "1", QUICK)));
        let _agent = shop.start();
        shop.until_outcome(&shop.repository.head(), "Succeeded")
            .await;
        shop.keep("configmap/map-0", true);
        let gone = remove(&shop, "one goes", 0..1);
        shop.until("the stage to be told", || {
            let status = shop.verb(&["status", "web"]);
            status.contains("Prune waits") && status.contains("shop.example/keep")
        })
        .await;
        assert_eq!(shop.outcome(&gone), "InProgress");
        let told = shop.until_problem("PruneStuck").await;
        assert!(
            told.contains("map-0") && told.contains("shop.example/keep"),
            "{told}"
        );
        shop.until_outcome(&gone, "Succeeded").await;
        let explained = shop.verb(&["explain", "web"]);
        assert!(explained.contains("shop.example/keep"), "{explained}");
        shop.keep("configmap/map-0", false);
        shop.until("nothing to be told any more", || {
            shop.problem().0.is_empty() && maps(&shop) == 1
        })
        .await;
    });
}

#[test]
fn more_deletes_than_the_budget_wait_for_an_approval_of_just_these() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "budget", 12).await;
        let many = remove(&shop, "five", 0..5);
        shop.until("the prune to be held", || {
            shop.ledger()["heldPrune"].is_object()
        })
        .await;
        shop.until_note("tidegate-web", "PruneHeld", "5").await;
        shop.until_served().await;
        assert_eq!(maps(&shop), 12);
        assert_ne!(shop.outcome(&many), "Succeeded");
        let digest = |shop: &Shop| {
            shop.ledger()["heldPrune"]["digest"]
                .as_str()
                .expect("it is a digest")
                .to_owned()
        };
        let five = digest(&shop);
        let more = remove(&shop, "six", 5..6);
        shop.until("another prune to be held", || {
            shop.ledger()["heldPrune"]["commit"] == more.as_str()
        })
        .await;
        let six = digest(&shop);
        assert_ne!(five, six);
        for wrong in [
            format!("{many}/prune/{five}"),
            format!("{more}/prune/{five}"),
            format!("{many}/prune/{six}"),
            "garbage".to_owned(),
        ] {
            shop.ask("approve", &wrong);
            shop.until_served().await;
            assert_eq!(maps(&shop), 12, "{wrong}");
            shop.until_note("tidegate-web", "RequestRefused", &wrong)
                .await;
        }
        let approvals = || shop.ledger()["approvals"].take();
        assert_eq!(approvals(), json!([]), "what opens nothing is not kept");
        shop.ask("approve", &format!("{more}/prune/{six}"));
        shop.until("six of twelve to be gone", || maps(&shop) == 6)
            .await;
        shop.until_outcome(&more, "Succeeded").await;
        assert!(shop.ledger()["heldPrune"].is_null());
    });
}

#[test]
fn what_rolled_while_deletes_wait_for_an_approval_is_what_a_later_failure_goes_back_to() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "budget-good", 12).await;
        let web = |tag: &str| deployment("web", tag, "monitor: 0s\nonFailure: Rollback");
        let first = shop.push_web("web 1", &web("1"));
        shop.until_outcome(&first, "Succeeded").await;
        let waits = remove(&shop, "five", 0..5);
        shop.until("the prune to be held", || {
            shop.ledger()["heldPrune"]["commit"] == waits.as_str()
        })
        .await;
        let second = shop.push_web("web 2", &web("2"));
        shop.until("the second prune to be held", || {
            shop.ledger()["heldPrune"]["commit"] == second.as_str()
        })
        .await;
        let trace = shop.trace_at_rest("web").await;
        let bad = shop.push_web("breaks", &web("3-crash"));
        shop.until("the way back", || {
            shop.record(&bad)["rollbackTo"] == *second
        })
        .await;
        let back = |counts: &Counts| counts.with_tag("2") == 10 && counts.total() == 10;
        trace
            .until_settled("the pods of the second", SOON, back)
            .await;
        assert_eq!(trace.most_with("1"), 0, "{trace}");
        shop.until_outcome(&bad, "RolledBack").await;
        assert_eq!(maps(&shop), 12, "the deletes wait all the same");
        shop.verb(&["approve", "web"]);
        shop.until("the deletes", || maps(&shop) == 7).await;
    });
}

#[test]
fn what_is_protected_stays() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "protected").await;
        shop.configure(&json!({"prune": {"maxObjects": 20, "protectedKinds": ["Service"]}}));
        let existing = config_map("adopted", "1");
        shop.make(&["apply"], &existing);
        let disabled = |name: &str| {
            config_map(name, "1").replace(
                "\ndata:",
                "\n  annotations:\n    tidegate.dev/prune: Disabled\ndata:",
            )
        };
        let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: front\nspec:\n  ports:\n  - port: 80\n";
        let first = shop.push(
            "all",
            &[
                ("adopted.yaml", Some(&existing)),
                ("changed.yaml", Some(&config_map("changed", "1"))),
                ("in-git.yaml", Some(&disabled("in-git"))),
                ("live.yaml", Some(&config_map("live", "1"))),
                ("plain.yaml", Some(&config_map("plain", "1"))),
                ("front.yaml", Some(service)),
                ("rest.yaml", Some(&config_map("rest", "1"))),
            ],
        );
        let _agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        shop.kubectl(&["annotate", "configmap/live", "tidegate.dev/prune=Disabled"]);
        let second = shop.push(
            "only the rest",
            &[
                ("adopted.yaml", None),
                ("changed.yaml", None),
                ("in-git.yaml", None),
                ("live.yaml", None),
                ("plain.yaml", None),
                ("front.yaml", None),
            ],
        );
        shop.until_outcome(&second, "Succeeded").await;
        let there = |name: &str| shop.get(&format!("configmap/{name}")).is_object();
        assert!(there("adopted") && there("in-git") && there("live") && there("rest"));
        assert!(!there("changed") && !there("plain"));
        assert!(shop.get("service/front").is_object());
    });
}

#[test]
fn an_adopted_object_that_a_commit_has_changed_is_pruned() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "adopted").await;
        shop.make(&["apply"], &config_map("adopted", "0"));
        let first = shop.push(
            "adopt",
            &[
                ("adopted.yaml", Some(&config_map("adopted", "1"))),
                ("rest.yaml", Some(&config_map("rest", "1"))),
            ],
        );
        let _agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        let second = shop.push(
            "change",
            &[("adopted.yaml", Some(&config_map("adopted", "2")))],
        );
        shop.until_outcome(&second, "Succeeded").await;
        let third = shop.push("remove", &[("adopted.yaml", None)]);
        shop.until_outcome(&third, "Succeeded").await;
        shop.until("it to be gone", || shop.get("configmap/adopted").is_null())
            .await;
    });
}
