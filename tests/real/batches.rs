//! A push over HTTPS rolls a Deployment in batches.

use crate::shop::{SOON, Shop, deployment};

const STEPS: &str = "steps: [1, 50%, 100%]\nmaxSurge: 100%\nsoak: 2s\nmonitor: 1s";

#[tokio::test(flavor = "multi_thread")]
async fn a_push_rolls_surge_first_in_the_steps_of_the_policy() {
    let shop = Shop::open("batches").await;
    let first = shop.repository.push(
        "web 1",
        &[("web.yaml", Some(&deployment("web", "1", STEPS)))],
    );
    let _agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    let trace = shop.trace("web").await;
    let second = shop.repository.push(
        "web 2",
        &[("web.yaml", Some(&deployment("web", "2", STEPS)))],
    );
    shop.until_outcome(&second, "Succeeded").await;
    trace
        .until_settled("all pods to be new", SOON, |counts| {
            counts.with_tag("2") == 10 && counts.total() == 10
        })
        .await;
    let settled: Vec<(usize, usize)> = trace
        .settled()
        .iter()
        .map(|counts| (counts.with_tag("1"), counts.with_tag("2")))
        .collect();
    assert_eq!(
        settled,
        [(10, 0), (10, 1), (9, 5), (5, 10), (0, 10)],
        "{trace}"
    );
    assert!(trace.fewest_ready() >= 10, "{trace}");
}
