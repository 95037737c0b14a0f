//! Objects and fields that were there before, or that others own.

use serde_json::{Value, json};

use crate::play;
use crate::shop::{SOON, Shop, Stage, config_map, deployment};

const TWO: &str = "steps: [2, 100%]\nsoak: 2s\nmonitor: 0s";

/// What the managers of an object are, but for its status.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let main = entries
        .iter()
        .filter(|entry| entry["subresource"].is_null());
    main.map(|entry| entry["manager"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_deployment_of_the_same_template_is_adopted_without_a_new_pod() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "same").await;
        shop.make(&["create"], &deployment("web", "1", ""));
        shop.until("ten pods", || {
            shop.get("deployment/web")["status"]["readyReplicas"] == 10
        })
        .await;
        let trace = shop.trace_at_rest("web").await;
        let template = shop.get("deployment/web")["spec"]["template"].clone();
        let first = shop.push("web 1", &[("web.yaml", Some(&deployment("web", "1", TWO)))]);
        let _agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        let web = shop.get("deployment/web");
        assert_eq!(web["spec"]["template"], template);
        assert!(web["metadata"]["annotations"]["tidegate.dev/owner"].is_string());
        assert_eq!(trace.settled().len(), 1, "{trace}");
        // Nothing in the spec is kubectl's any more.
        let entries = web["metadata"]["managedFields"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let foreign = entries.iter().find(|entry| {
            entry["manager"] == "kubectl-create" && entry["fieldsV1"].get("f:spec").is_some()
        });
        assert!(foreign.is_none(), "{entries:?}");
    });
}

#[test]
fn a_deployment_of_another_template_is_adopted_in_batches_and_what_git_has_not_goes() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "other").await;
        let by_hand = deployment("web", "1", "")
            .replace(
                "shop/web:1\n",
                "shop/web:1\n        env: [{name: HAND, value: \"1\"}]\n",
            )
            .replace(
                "  replicas: 10",
                "  replicas: 10\n  revisionHistoryLimit: 3\n  minReadySeconds: 1",
            );
        shop.make(&["apply"], &by_hand);
        shop.until("ten pods", || {
            shop.get("deployment/web")["status"]["availableReplicas"] == 10
        })
        .await;
        let trace = shop.trace("web").await;
        let exposure = shop.exposure("web").await;
        let first = shop.push("web 2", &[("web.yaml", Some(&deployment("web", "2", TWO)))]);
        let _agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
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
        assert!(settled.contains(&(10, 2)), "{trace}");
        assert!(trace.fewest_ready() >= 10, "{trace}");
        exposure.assert_never_enlarged();
        let web = shop.get("deployment/web");
        assert!(
            web["spec"]["template"]["spec"]["containers"][0]
                .get("env")
                .is_none()
        );
        assert!(web["spec"]["minReadySeconds"].is_null());
        assert_eq!(web["spec"]["revisionHistoryLimit"], 10);
    });
}

#[test]
fn ten_pods_stay_where_replicas_leave_git_and_an_autoscaler_comes() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "autoscaler").await;
        let first = shop.push("web 1", &[("web.yaml", Some(&deployment("web", "1", TWO)))]);
        let _agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        let trace = shop.trace_at_rest("web").await;
        let without = deployment("web", "1", TWO).replace("  replicas: 10\n", "");
        let scaler = "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: web
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 20
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}
";
        let second = shop.push(
            "autoscaled",
            &[("web.yaml", Some(&without)), ("scaler.yaml", Some(scaler))],
        );
        shop.until_outcome(&second, "Succeeded").await;
        assert!(shop.get("horizontalpodautoscaler/web").is_object());
        let third = shop.push(
            "web 2",
            &[(
                "web.yaml",
                Some(&deployment("web", "2", TWO).replace("  replicas: 10\n", "")),
            )],
        );
        shop.until_outcome(&third, "Succeeded").await;
        assert_eq!(shop.get("deployment/web")["spec"]["replicas"], 10);
        assert!(trace.fewest_ready() >= 10, "{trace}");
        assert!(managers(&shop.get("deployment/web")).contains(&"tidegate-replicas".to_owned()));
    });
}

#[test]
fn an_object_of_another_gitsync_is_not_touched() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "shared").await;
        let first = shop.push("web", &[("flags.yaml", Some(&config_map("flags", "1")))]);
        let work = |path: &str, text: &str| {
            let file = format!("../{path}/flags.yaml");
            shop.push(path, &[(file.as_str(), Some(text))])
        };
        let document = |name: &str, path: &str| shop.gitsync(name, path, &json!({})).to_string();
        let (web, other) = (document("web", "apps/web"), document("other", "apps/other"));
        let _agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        let second = work("other", &config_map("flags", "other"));
        shop.write_config(&format!("{web}\n---\n{other}"));
        let problem = || shop.ledger_of("other")["problems"][0].clone();
        shop.until("the other to be refused", || {
            problem()["reason"] == "SharedResource"
        })
        .await;
        let message = problem()["message"].to_string();
        assert!(
            message.contains("apps/other/flags.yaml:1:1") && message.contains("/web"),
            "{message}"
        );
        assert_eq!(shop.get("configmap/flags")["data"]["value"], "1");
        assert_eq!(
            shop.ledger_of("other")["history"][0]["revision"]["id"],
            second.as_str()
        );
        assert_eq!(shop.ledger_of("other")["history"][0]["outcome"], "Rejected");
        // Once the first is gone from the configuration, its objects are free.
        shop.write_config(&other);
        shop.until("the first to be released", || {
            shop.ledger()["released"].is_object()
        })
        .await;
        let third = work("other", &config_map("flags", "free"));
        shop.until("the other to have it", || {
            shop.ledger_of("other")["history"][0]["outcome"] == "Succeeded"
        })
        .await;
        assert_eq!(
            shop.ledger_of("other")["history"][0]["revision"]["id"],
            third.as_str()
        );
        assert_eq!(shop.get("configmap/flags")["data"]["value"], "free");
    });
}

#[test]
fn fields_of_helm_are_not_taken_unless_it_is_allowed() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "helm").await;
        let theirs = config_map("flags", "helm").replace("\ndata:", "\ndata:\n  theirs: \"1\"");
        shop.make(&["create", "--field-manager=helm"], &theirs);
        let first = shop.push("flags", &[("flags.yaml", Some(&config_map("flags", "1")))]);
        let _agent = shop.start();
        let message = shop.until_problem("FieldConflict").await;
        assert!(
            message.contains("helm") && message.contains("takeFrom"),
            "{message}"
        );
        assert!(message.contains("apps/web/flags.yaml:1:1"), "{message}");
        assert_eq!(shop.outcome(&first), "Rejected");
        assert_eq!(shop.get("configmap/flags")["data"]["value"], "helm");
        shop.configure(&json!({"takeFrom": ["helm"]}));
        shop.until_outcome(&first, "Succeeded").await;
        assert_eq!(shop.get("configmap/flags")["data"], json!({"value": "1"}));
    });
}
