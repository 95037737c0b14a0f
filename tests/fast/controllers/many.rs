//! Many workloads at once.

use serde_json::json;
use tidegate::clock;
use tidegate::sim::kind::Kind;

use super::{Town, set_tag, tags, workload};

/// `DEPLOYMENTS` of 20 pods each are made and rolled at the same time.
fn roll_at_once(deployments: usize) -> Town {
    let mut town = Town::new();
    let names: Vec<String> = (0..deployments)
        .map(|number| format!("web-{number}"))
        .collect();
    for name in &names {
        let mut web = workload("apps/v1", "Deployment", name, &json!({"replicas": 20}));
        for labels in [
            "/spec/selector/matchLabels",
            "/spec/template/metadata/labels",
        ] {
            let labels = web.pointer_mut(labels).expect("it has labels");
            labels["app"] = name.as_str().into();
        }
        town.create(web);
    }
    town.seconds(5);
    for name in &names {
        town.edit(&Kind::DEPLOYMENT, name, |web| set_tag(web, "2"));
    }
    town.seconds(10);
    town
}

#[test]
fn workloads_that_roll_at_once_do_not_mix() {
    let town = roll_at_once(5);
    assert_eq!(town.counts(), tags([("2", 100, 100)]));
}

#[test]
#[ignore = "a measurement; cargo test --release --test fast rolls_of_a_hundred -- --ignored --nocapture"]
fn rolls_of_a_hundred_deployments_of_20_pods_take_seconds() {
    let begin = clock::since_boot();
    let town = roll_at_once(100);
    let seconds = (clock::since_boot() - begin).as_secs_f64();
    let writes = town.store.revision();
    println!("100 Deployments made and rolled in {seconds:.2} s, {writes} writes");
    assert_eq!(town.counts(), tags([("2", 2000, 2000)]));
}
