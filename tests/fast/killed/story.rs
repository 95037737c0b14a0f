//! The stories that are broken: each of the main job's.

use futures::future::LocalBoxFuture;

use super::run::Run;
use crate::shop::{config_map, deployment};

/// What happens, and what the pods of `web` may do meanwhile.
pub(super) struct Story {
    pub(super) name: &'static str,
    /// Fewest Ready pods at any moment.
    pub(super) ready: usize,
    /// Most pods asked for at any moment.
    pub(super) pods: usize,
    pub(super) play: for<'a> fn(&'a mut Run) -> LocalBoxFuture<'a, ()>,
}

pub(super) const STORIES: &[Story] = &[
    Story {
        name: "roll forward",
        ready: 4,
        pods: 6,
        play: |run| Box::pin(roll_forward(run)),
    },
    Story {
        name: "failure and rollback",
        ready: 4,
        pods: 5,
        play: |run| Box::pin(failure(run)),
    },
    Story {
        name: "revert in mid-rollout",
        ready: 4,
        pods: 5,
        play: |run| Box::pin(revert(run)),
    },
    Story {
        name: "adoption and hand-over of replicas",
        ready: 4,
        pods: 6,
        play: |run| Box::pin(adoption(run)),
    },
    Story {
        name: "prune",
        ready: 4,
        pods: 6,
        play: |run| Box::pin(prune(run)),
    },
];

const STEPS: &str = "steps: [1, 50%, 100%]\nmonitor: 0s\nonFailure: Rollback";

fn web(tag: &str, policy: &str) -> String {
    deployment("web", tag, policy).replace("replicas: 10", "replicas: 4")
}

async fn roll_forward(run: &mut Run) {
    let flags = |value: &str| config_map("flags", value);
    run.install(&[
        ("web.yaml", Some(&web("1", STEPS))),
        ("flags.yaml", Some(&flags("1"))),
    ])
    .await;
    run.begin().await;
    let second = run.push(&[
        ("web.yaml", Some(&web("2", STEPS))),
        ("flags.yaml", Some(&flags("2"))),
        ("more.yaml", Some(&config_map("more", "1"))),
    ]);
    run.until_outcome(&second, "Succeeded").await;
}

async fn failure(run: &mut Run) {
    run.install(&[
        ("web.yaml", Some(&web("1", STEPS))),
        ("flags.yaml", Some(&config_map("flags", "1"))),
    ])
    .await;
    run.begin().await;
    let second = run.push(&[
        ("web.yaml", Some(&web("2-crash", STEPS))),
        ("flags.yaml", Some(&config_map("flags", "2"))),
        ("more.yaml", Some(&config_map("more", "1"))),
    ]);
    run.until_outcome(&second, "RolledBack").await;
}

async fn revert(run: &mut Run) {
    let policy = "steps: [1, 50%, 100%]\nsoak: 30m\nmonitor: 0s";
    run.install(&[("web.yaml", Some(&web("1", policy)))]).await;
    run.begin().await;
    let second = run.push(&[
        ("web.yaml", Some(&web("2", policy))),
        ("more.yaml", Some(&config_map("more", "1"))),
    ]);
    run.until("batch 1 to soak", |shop| {
        shop.checkpoint("web")["healthySince"].is_string()
    })
    .await;
    let third = run.revert(&second);
    run.until_outcome(&third, "Succeeded").await;
}

async fn adoption(run: &mut Run) {
    run.shop.make(&["apply"], &web("1", ""));
    run.shop
        .until("four pods", || {
            run.shop.get("deployment/web")["status"]["readyReplicas"] == 4
        })
        .await;
    run.install(&[("flags.yaml", Some(&config_map("flags", "1")))])
        .await;
    run.begin().await;
    let second = run.push(&[("web.yaml", Some(&web("2", STEPS)))]);
    run.until_outcome(&second, "Succeeded").await;
    let unscaled = web("2", STEPS).replace("  replicas: 4\n", "");
    let third = run.push(&[("web.yaml", Some(&unscaled))]);
    run.until_outcome(&third, "Succeeded").await;
}

async fn prune(run: &mut Run) {
    run.install(&[
        ("web.yaml", Some(&web("1", STEPS))),
        ("flags.yaml", Some(&config_map("flags", "1"))),
        ("more.yaml", Some(&config_map("more", "1"))),
        ("rest.yaml", Some(&config_map("rest", "1"))),
    ])
    .await;
    run.begin().await;
    let second = run.push(&[
        ("web.yaml", Some(&web("2", STEPS))),
        ("flags.yaml", None),
        ("more.yaml", None),
    ]);
    run.until_outcome(&second, "Succeeded").await;
}
