//! `plan`, `diff` and `run --dry-run` say what would be done, and do none of it.

use crate::cluster::ControlPlane;
use crate::cluster::accounts::secrets_rules;
use crate::real;
use crate::shop::{Shop, config_map, deployment};

const POLICY: &str = "steps: [1, 50%, 100%]\nmonitor: 0s";

/// Exit code and standard output of a verb on the work tree.
fn look(shop: &Shop, verb: &str) -> (Option<i32>, String) {
    let work = shop.folder().join("work");
    let output = shop.tidegate(&[verb, "web", "--local", work.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = format!("{}{errors}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_tells_batches_fields_and_faults_and_writes_nothing() {
    let shop = Shop::open(&real(), "previews").await;
    let files = [
        ("web.yaml", deployment("web", "1", POLICY)),
        ("map.yaml", config_map("flags", "1")),
    ];
    let files: Vec<(&str, Option<&str>)> = files
        .iter()
        .map(|(name, text)| (*name, Some(text.as_str())))
        .collect();
    let first = shop.repository.push("web 1", &files);
    let _agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    assert_eq!(look(&shop, "plan").0, Some(0), "{}", look(&shop, "plan").1);
    let pushed = shop.tidegate_with_git(&["plan", "web", "--revision", first.as_str()]);
    let text = String::from_utf8_lossy(&pushed.stdout);
    assert_eq!(pushed.status.code(), Some(0), "{text}{pushed:?}");
    assert!(text.contains("\"web 1\""), "{text}");
    let before = (
        shop.ledger()["epoch"].clone(),
        shop.get("deployment/web")["metadata"]["resourceVersion"].clone(),
    );

    let second = deployment("web", "2", POLICY);
    shop.repository
        .commit("web 2", &[("web.yaml", Some(&second)), ("map.yaml", None)]);
    let (code, plan) = look(&shop, "plan");
    assert_eq!(code, Some(1), "{plan}");
    assert!(plan.contains("10 pods, 3 batches: 1 · 4 · 5"), "{plan}");
    assert!(plan.contains("prune"), "{plan}");
    let (code, diff) = look(&shop, "diff");
    assert_eq!(code, Some(1), "{diff}");
    assert!(
        diff.contains("containers[web].image\n      - shop/web:1\n      + shop/web:2"),
        "{diff}"
    );

    let wrong = second.replace("containers:", "container:");
    shop.repository
        .commit("web 3", &[("web.yaml", Some(&wrong))]);
    let (code, refused) = look(&shop, "plan");
    assert_eq!(code, Some(3), "{refused}");
    assert!(refused.contains("apps/web/web.yaml:"), "{refused}");
    let after = (
        shop.ledger()["epoch"].clone(),
        shop.get("deployment/web")["metadata"]["resourceVersion"].clone(),
    );
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_of_the_agent_lists_what_it_would_create_and_leaves_no_ledger() {
    let shop = Shop::open(&real(), "rehearsal").await;
    shop.repository.push(
        "web 1",
        &[("web.yaml", Some(&deployment("web", "1", POLICY)))],
    );
    let output = shop.run_command("cache").arg("--dry-run").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}{errors}");
    assert!(text.contains("create  Deployment/"), "{text}{errors}");
    assert!(shop.ledger().is_null());
    assert!(shop.get("deployment/web").is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_and_not_ours_would_be_adopted_and_its_fields_are_told() {
    let shop = Shop::open(&real(), "adoptions").await;
    ControlPlane::shared()
        .grant(&shop.account, &shop.namespace, "secrets", secrets_rules())
        .await;
    let first = shop.repository.push(
        "web 1",
        &[("web.yaml", Some(&deployment("web", "1", POLICY)))],
    );
    let _agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    shop.kubectl(&[
        "create",
        "configmap",
        "flags",
        "--from-literal=value=old",
        "--from-literal=more=x",
    ]);
    shop.kubectl(&[
        "create",
        "secret",
        "generic",
        "token",
        "--from-literal=key=old",
    ]);
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: token}\nstringData: {key: new}\n";
    shop.repository.commit(
        "map",
        &[
            ("map.yaml", Some(&config_map("flags", "new"))),
            ("secret.yaml", Some(secret)),
        ],
    );
    let (code, plan) = look(&shop, "plan");
    assert_eq!(code, Some(1), "{plan}");
    assert!(plan.contains("adopt  ConfigMap/"), "{plan}");
    assert!(plan.contains("adopt  Secret/"), "{plan}");
    assert!(!plan.contains("create"), "{plan}");
    let (_, diff) = look(&shop, "diff");
    assert!(
        diff.contains("data.value\n      - old\n      + new"),
        "{diff}"
    );
    assert!(diff.contains("data.more\n      - x\n"), "{diff}");
    assert!(diff.contains("data.key\n      - (not shown)"), "{diff}");
    assert!(!diff.contains("will be created"), "{diff}");
}
