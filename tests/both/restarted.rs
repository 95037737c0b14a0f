//! A restart on request: new pods in batches, no commit, and nothing that comes back later.

use crate::play;
use crate::shop::{Shop, Stage, config_map, deployment};

const POLICY: &str = "steps: [1, 50%, 100%]\nmaxSurge: 100%\nsoak: 1s\nmonitor: 0s";

/// Says whether no lever is on the Deployment.
fn is_given_back(shop: &Shop) -> bool {
    shop.get("deployment/web")["spec"]["minReadySeconds"].is_null()
}

#[test]
fn a_restart_rolls_in_batches_and_content_is_known_again_afterwards() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "restarted").await;
        let manifest = |tag| deployment("web", tag, POLICY);
        let first = shop.push("web 1", &[("web.yaml", Some(&manifest("1")))]);
        let _agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        let trace = shop.trace_at_rest("web").await;
        let old = shop.pod_uids("web", "1");
        let mut watch = shop.program();
        watch.args(["watch", "web", "--timeout", "60s", "-n", &shop.namespace]);
        let watch = watch
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let said = shop.verb(&["restart", "web", "deployment/web"]);
        assert!(said.contains("set tidegate.dev/restart="), "{said}");
        shop.until("all pods to be new", || {
            let new = shop.pod_uids("web", "1");
            new.len() == 10 && new.is_disjoint(&old) && is_given_back(&shop)
        })
        .await;
        assert!(trace.fewest_ready() >= 10, "{trace}");
        shop.until_note("web", "BatchHealthy", "batch 3 of 3").await;
        let opened = shop.notes("web", "BatchStarted");
        assert_eq!(
            opened.len(),
            2,
            "the second and the third batch: {opened:?}"
        );
        assert_eq!(shop.outcome(&first), "Succeeded");
        let watched = tokio::task::spawn_blocking(|| watch.wait_with_output().unwrap());
        let watched = watched.await.unwrap();
        let lines = String::from_utf8_lossy(&watched.stdout);
        assert_eq!(watched.status.code(), Some(0), "{lines}");
        assert!(lines.contains("2/3    started, 4 pods"), "{lines}");
        assert!(shop.ledger()["quarantine"].as_array().unwrap().is_empty());

        let generation = || shop.get("deployment/web")["metadata"]["generation"].clone();
        let before = generation();
        shop.until_served().await;
        assert_eq!(generation(), before, "it is restarted once");
        let second = shop.push("web 2", &[("web.yaml", Some(&manifest("2")))]);
        shop.until_outcome(&second, "Succeeded").await;
        let back = shop.revert(&second);
        shop.until_outcome(&back, "Succeeded").await;
        let earlier = shop.record(&back)["rollbackTo"].clone();
        assert_eq!(earlier, *first, "the whole of it too");
        shop.until("what ran before the restart to be known again", || {
            shop.notes("web", "RolledBack").len() == 1
        })
        .await;
        let unknown = shop.tidegate(&["restart", "web", "deployment/nobody"]);
        assert_eq!(unknown.status.code(), Some(2));
    });
}

#[test]
fn a_restart_that_fails_is_held_and_speaks_not_against_its_commit() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "stuck").await;
        let fragile = deployment("web", "1", POLICY).replace(
        "image: shop/web:1\n",
        "image: shop/web:1-needsmap\n        envFrom:\n        - configMapRef: {name: settings}\n",
    );
        let settings = |fixed: bool| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{fixed: \"{fixed}\"}}\n"
            )
        };
        let first = shop.push(
            "web 1",
            &[
                ("web.yaml", Some(&fragile)),
                ("settings.yaml", Some(&settings(true))),
            ],
        );
        let _agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        let broken = shop.push(
            "breaks settings",
            &[("settings.yaml", Some(&settings(false)))],
        );
        shop.until_outcome(&broken, "Succeeded").await;
        shop.verb(&["restart", "web"]);
        shop.until_outcome(&broken, "Failed").await;
        assert!(shop.ledger()["quarantine"].as_array().unwrap().is_empty());
        assert_eq!(shop.pods("web", "1-needsmap").len(), 11, "one extra pod");
        let fixed = shop.push(
            "fixes settings",
            &[("settings.yaml", Some(&settings(true)))],
        );
        shop.until_outcome(&fixed, "Succeeded").await;
    });
}

#[test]
fn a_restart_goes_on_although_a_commit_comes_by_which_its_workload_is_held() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "restart-held").await;
        let _agent = shop.start();
        let manifest = |tag| deployment("web", tag, &format!("{POLICY}\nonFailure: Rollback"));
        shop.begin(&[("web.yaml", Some(&manifest("1")))]).await;
        let failed = shop.push_web("breaks", &manifest("2-crash"));
        shop.until_outcome(&failed, "RolledBack").await;
        let old = shop.pod_uids("web", "1");
        shop.verb(&["restart", "web"]);
        shop.until("the restart to begin", || {
            shop.checkpoint("web")["batch"] == 1
        })
        .await;
        let flags = config_map("flags", "on");
        let other = shop.push("flags", &[("flags.yaml", Some(&flags))]);
        shop.until_outcome(&other, "Held").await;
        shop.until("all pods to be new", || {
            let new = shop.pod_uids("web", "1");
            new.len() == 10 && new.is_disjoint(&old) && is_given_back(&shop)
        })
        .await;
    });
}
