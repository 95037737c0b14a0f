//! What an admission policy of the cluster refuses for good acts as a failure of its commit.

use std::time::Duration;

use serde_json::json;

use crate::cluster::ControlPlane;
use crate::real;
use crate::shop::{Agent, Counts, SOON, Shop, daemon_set, deployment, outcome_of, settings};

/// Denies writes of one kind with `denied: "true"` in its labels, dry runs apart.
fn denial(namespace: &str, group: &str, resource: &str) -> String {
    let name = format!("{namespace}-{resource}");
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [group], "apiVersions": ["v1"], "resources": [resource],
                "operations": ["CREATE", "UPDATE"],
            }]},
            "validations": [{
                "expression": "request.dryRun || !has(object.metadata.labels) || !('denied' in object.metadata.labels)",
                "message": "denied for good",
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
        },
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [policy, binding]}).to_string()
}

/// Denies updates of the ledgers in a namespace.
fn ledger_denial(namespace: &str) -> String {
    denial(namespace, "", "configmaps").replace(
        "request.dryRun || !has(object.metadata.labels) || !('denied' in object.metadata.labels)",
        "!object.metadata.name.startsWith('tidegate-web')",
    )
}

/// Waits until the API server denies what it is to deny.
async fn until_denied(shop: &Shop, manifest: &str) {
    shop.until("the policy to be in force", || {
        // Without pods, which would count among those of the Deployment in question.
        let probe = manifest
            .replace("replicas: 10", "replicas: 0")
            .replace("name: web", "name: probe")
            .replace("name: settings", "name: probe");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), probe).unwrap();
        let path = file.path().to_str().unwrap();
        let done = ControlPlane::shared().kubectl(&["-n", &shop.namespace, "create", "-f", path]);
        if done.status.success() {
            ControlPlane::shared().kubectl(&["-n", &shop.namespace, "delete", "-f", path]);
        }
        !done.status.success()
    })
    .await;
}

/// A shop of this default policy, in which `web:1` and its settings have succeeded.
async fn under_policy(prefix: &str, on_failure: &str) -> (Shop, Agent) {
    let shop = Shop::open(&real(), &format!("{prefix}-{}", on_failure.to_lowercase())).await;
    shop.configure(&json!({"rollout": {"onFailure": on_failure}}));
    let agent = shop.start();
    shop.begin(&[
        ("web.yaml", Some(&deployment("web", "1", "monitor: 0s"))),
        ("settings.yaml", Some(&settings(false))),
    ])
    .await;
    (shop, agent)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_is_refused_for_good_acts_by_the_default_policy() {
    let under = async |on_failure: &'static str| {
        let (shop, _agent) = under_policy("refused", on_failure).await;
        let text = |tag: &str| deployment("web", tag, "monitor: 0s");
        let trace = shop.trace("web").await;
        let denied = settings(true).replace(
            "{name: settings}",
            "{name: settings, labels: {denied: \"true\"}}",
        );
        ControlPlane::shared().apply(&shop.namespace, &denial(&shop.namespace, "", "configmaps"));
        until_denied(&shop, &denied).await;
        let bad = shop.repository.push(
            "breaks",
            &[
                ("web.yaml", Some(&text("2"))),
                ("settings.yaml", Some(&denied)),
            ],
        );
        shop.until_outcome(&bad, outcome_of(on_failure)).await;
        let message = shop.record(&bad)["message"].as_str().unwrap().to_owned();
        assert!(message.contains("denied for good"), "{message}");
        assert_eq!(trace.most_pods(), 10, "{trace}");
        let fix = shop
            .repository
            .push("mends", &[("settings.yaml", Some(&settings(true)))]);
        shop.until_outcome(&fix, "Succeeded").await;
    };
    tokio::join!(under("Pause"), under("Rollback"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_that_is_refused_for_good_acts_by_the_default_policy() {
    let under = async |on_failure: &'static str| {
        let (shop, _agent) = under_policy("denied", on_failure).await;
        let text = |tag: &str| deployment("web", tag, "monitor: 0s");
        let trace = shop.trace("web").await;
        let denied = text("2").replace(
            "  name: web\n  ann",
            "  name: web\n  labels: {denied: \"true\"}\n  ann",
        );
        assert!(denied.contains("denied"));
        ControlPlane::shared().apply(
            &shop.namespace,
            &denial(&shop.namespace, "apps", "deployments"),
        );
        until_denied(&shop, &denied).await;
        let bad = shop.repository.push(
            "breaks",
            &[
                ("web.yaml", Some(&denied)),
                ("settings.yaml", Some(&settings(true))),
            ],
        );
        shop.until_outcome(&bad, outcome_of(on_failure)).await;
        let message = shop.record(&bad)["message"].as_str().unwrap().to_owned();
        assert!(message.contains("denied for good"), "{message}");
        let fixed = if on_failure == "Rollback" {
            "false"
        } else {
            "true"
        };
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], fixed);
        assert_eq!(trace.most_pods(), 10, "{trace}");
        let fix = shop
            .repository
            .push("mends", &[("web.yaml", Some(&text("2")))]);
        shop.until_outcome(&fix, "Succeeded").await;
    };
    tokio::join!(under("Pause"), under("Rollback"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_takes_pods_back_at_once_and_is_not_failed_for_what_it_may_not_write_yet() {
    let shop = Shop::open(&real(), "refused-revert").await;
    shop.configure(&json!({"rollout": {"onFailure": "Rollback"}}));
    let _agent = shop.start();
    let web = |tag: &str| deployment("web", tag, "steps: [1, 100%]\nsoak: 30m\nmonitor: 0s");
    let labelled = settings(false).replace(
        "{name: settings}",
        "{name: settings, labels: {denied: \"true\"}}",
    );
    let before = [
        ("web.yaml", Some(web("1"))),
        ("settings.yaml", Some(labelled.clone())),
    ];
    let before: Vec<(&str, Option<&str>)> = before
        .iter()
        .map(|(name, text)| (*name, text.as_deref()))
        .collect();
    shop.begin(&before).await;
    let trace = shop.trace("web").await;
    shop.repository.push(
        "web 2",
        &[
            ("web.yaml", Some(&web("2"))),
            ("settings.yaml", Some(&settings(true))),
        ],
    );
    let one = |counts: &Counts| counts.with_tag("2") == 1;
    trace.until_settled("batch 1", SOON, one).await;
    ControlPlane::shared().apply(&shop.namespace, &denial(&shop.namespace, "", "configmaps"));
    until_denied(&shop, &labelled).await;
    let revert = shop.repository.push("Revert \"web 2\"", &before);
    trace
        .until_settled("the pods to be back", SOON, |counts| {
            counts.with_tag("1") == 10 && counts.total() == 10
        })
        .await;
    shop.until_problem("ApplyFailed").await;
    // Longer than the API server may refuse what a commit brings.
    trace
        .until_rest("nothing more to move", Duration::from_secs(15), SOON)
        .await;
    assert_eq!(shop.outcome(&revert), "InProgress");
    let binding = format!("{}-configmaps", shop.namespace);
    ControlPlane::shared().kubectl(&["delete", "validatingadmissionpolicybinding", &binding]);
    shop.until_outcome(&revert, "Succeeded").await;
    assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "false");
    assert!(trace.fewest_ready() >= 10, "{trace}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_may_not_be_written_speaks_against_no_commit() {
    let shop = Shop::open(&real(), "refused-ledger").await;
    let policy = "steps: [1, 50%, 100%]\nsoak: 4s\nmonitor: 0s";
    shop.configure(&json!({"rollout": {"onFailure": "Rollback"}}));
    let _agent = shop.start();
    shop.begin(&[("web.yaml", Some(&deployment("web", "1", policy)))])
        .await;
    let trace = shop.trace("web").await;
    let next = shop.push_web("web 2", &deployment("web", "2", policy));
    let one = |counts: &Counts| counts.with_tag("2") == 1;
    trace.until_settled("batch 1", SOON, one).await;
    let plane = ControlPlane::shared();
    plane.apply(&shop.namespace, &ledger_denial(&shop.namespace));
    // Longer than the API server may refuse what a commit brings.
    let rest = trace
        .until_rest("nothing to move", Duration::from_secs(15), SOON)
        .await;
    assert!(rest.with_tag("2") <= 5, "{trace}");
    let binding = format!("{}-configmaps", shop.namespace);
    plane.kubectl(&["delete", "validatingadmissionpolicybinding", &binding]);
    shop.until_outcome(&next, "Succeeded").await;
    assert!(trace.fewest_ready() >= 10, "{trace}");
}

/// Denies that pods of a namespace are deleted.
fn pods_stay(namespace: &str) -> String {
    denial(namespace, "", "pods")
        .replace(r#"["CREATE","UPDATE"]"#, r#"["DELETE"]"#)
        .replace(
            "request.dryRun || !has(object.metadata.labels) || !('denied' in object.metadata.labels)",
            "false",
        )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_the_agent_may_not_delete_is_told_and_fails_the_commit() {
    let shop = Shop::open(&real(), "pods-stay").await;
    let _agent = shop.start();
    let manifest = |tag: &str| daemon_set("web", tag, "batchSize: 1\nmonitor: 0s", "");
    shop.begin(&[("web.yaml", Some(&manifest("1")))]).await;
    let plane = ControlPlane::shared();
    let may_delete = || {
        let one = shop.pods("web", "1")[0]["metadata"]["name"].clone();
        let pod = format!("pod/{}", one.as_str().unwrap());
        let arguments = ["-n", &shop.namespace, "delete", &pod, "--dry-run=server"];
        plane.kubectl(&arguments).status.success()
    };
    plane.apply(&shop.namespace, &pods_stay(&shop.namespace));
    shop.until("the policy to be in force", || !may_delete())
        .await;
    let second = shop.push_web("web 2", &manifest("2"));
    let told = shop.until_problem("ApplyFailed").await;
    assert!(told.contains("denied for good"), "{told}");
    shop.until_outcome(&second, "Failed").await;
    let message = shop.message(&second);
    assert!(message.contains("denied for good"), "{message}");
    assert_eq!(shop.pods("web", "1").len(), 5);
    let binding = format!("validatingadmissionpolicybinding/{}-pods", shop.namespace);
    plane.kubectl(&["delete", &binding]);
    shop.until("the policy to be gone", may_delete).await;
    shop.verb(&["retry", "web", &second]);
    shop.until_outcome(&second, "Succeeded").await;
    assert_eq!(shop.pods("web", "2").len(), 5);
}
