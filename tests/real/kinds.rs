//! Kinds that come with a commit, that the cluster does not serve, or that the agent may not see.

use serde_json::json;

use crate::cluster::ControlPlane;
use crate::cluster::accounts::definitions_rules;
use crate::real;
use crate::shop::{Agent, Shop, config_map};

/// A definition of `Widget` in a group of its own; what it defines has a `spec.size`.
fn definition(group: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: widgets.{group}}}\n\
         spec:\n  group: {group}\n  scope: Namespaced\n  names: {{kind: Widget, plural: widgets, singular: widget}}\n  \
         versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        \
         type: object\n        properties:\n          spec:\n            type: object\n            properties:\n              \
         size: {{type: integer}}\n"
    )
}

fn widget(group: &str, name: &str, size: u32) -> String {
    format!(
        "apiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: {name}}}\nspec: {{size: {size}}}\n"
    )
}

/// A shop that may have widgets of a group of its own, with the ConfigMap `flags` at rest.
async fn at_rest(prefix: &str) -> (Shop, Agent, String) {
    let shop = Shop::open(&real(), prefix).await;
    let group = format!("{}.example.com", shop.namespace);
    ControlPlane::shared()
        .grant_everywhere(&shop.account, "widgets", definitions_rules(&group))
        .await;
    shop.configure(&json!({
        "allow": {"kinds": ["CustomResourceDefinition", "Widget"], "clusterScoped": true},
        "prune": {"maxObjects": 10},
    }));
    let first = shop
        .repository
        .push("flags", &[("flags.yaml", Some(&config_map("flags", "1")))]);
    let agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    (shop, agent, group)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_and_its_objects_come_and_go_with_one_commit() {
    let (shop, _agent, group) = at_rest("definition").await;
    let kind = format!("widget.{group}/one");
    let second = shop.repository.push(
        "widgets",
        &[
            ("a-widget.yaml", Some(&widget(&group, "one", 1))),
            ("definition.yaml", Some(&definition(&group))),
        ],
    );
    shop.until_outcome(&second, "Succeeded").await;
    assert_eq!(shop.get(&kind)["spec"]["size"], 1);
    let third = shop.repository.push(
        "a larger one",
        &[("a-widget.yaml", Some(&widget(&group, "one", 2)))],
    );
    shop.until_outcome(&third, "Succeeded").await;
    assert_eq!(shop.get(&kind)["spec"]["size"], 2);
    let fourth = shop.repository.push("no more", &[("a-widget.yaml", None)]);
    shop.until_outcome(&fourth, "Succeeded").await;
    shop.until("the widget to be gone", || shop.get(&kind).is_null())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_changes_is_in_force_before_its_objects_are_judged() {
    let (shop, _agent, group) = at_rest("redefined").await;
    let kind = format!("widget.{group}/one");
    let files = |definition: &str, widget: &str| {
        shop.repository.push(
            "widgets",
            &[
                ("definition.yaml", Some(definition)),
                ("widget.yaml", Some(widget)),
            ],
        )
    };
    let second = files(&definition(&group), &widget(&group, "one", 1));
    shop.until_outcome(&second, "Succeeded").await;
    let wider = definition(&group).replace(
        "size: {type: integer}",
        "size: {type: integer}\n              weight: {type: integer}",
    );
    let heavy = widget(&group, "one", 1).replace("size: 1", "size: 1, weight: 7");
    let third = files(&wider, &heavy);
    shop.until_outcome(&third, "Succeeded").await;
    assert_eq!(shop.get(&kind)["spec"]["weight"], 7);
    let wrong = heavy.replace("weight: 7", "weight: heavy");
    let fourth = files(&wider, &wrong);
    shop.until_outcome(&fourth, "Rejected").await;
    // Where its definition changes as well, it is found out only after that.
    let widest = wider.replace(
        "weight: {",
        "colour: {type: string}\n              weight: {",
    );
    let fifth = files(&widest, &wrong);
    shop.until_outcome(&fifth, "Failed").await;
    let message = shop.message(&fifth);
    assert!(message.contains("spec.weight"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_whose_definition_was_deleted_by_hand_are_told_and_leave_with_the_next_commit() {
    let (shop, _agent, group) = at_rest("undefined").await;
    let second = shop.repository.push(
        "widgets",
        &[
            ("definition.yaml", Some(&definition(&group))),
            ("widget.yaml", Some(&widget(&group, "one", 1))),
        ],
    );
    shop.until_outcome(&second, "Succeeded").await;
    let third = shop.repository.push(
        "no more",
        &[("definition.yaml", None), ("widget.yaml", None)],
    );
    // What a commit leaves out of definitions is protected: a person deletes it.
    shop.until_outcome(&third, "Succeeded").await;
    shop.kubectl(&["delete", "crd", &format!("widgets.{group}")]);
    let fourth = shop
        .repository
        .push("flags", &[("flags.yaml", Some(&config_map("flags", "2")))]);
    shop.until_outcome(&fourth, "Succeeded").await;
    let inventory = shop.ledger()["inventory"].to_string();
    assert!(!inventory.contains("Widget"), "{inventory}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_the_cluster_does_not_serve_is_refused_and_the_next_commit_mends_it() {
    let (shop, _agent, group) = at_rest("unserved").await;
    let second = shop.repository.push(
        "widget",
        &[("widget.yaml", Some(&widget(&group, "one", 1)))],
    );
    shop.until_outcome(&second, "Rejected").await;
    let message = shop.message(&second);
    assert!(
        message.contains("apps/web/widget.yaml:1:1") && message.contains("does not serve"),
        "{message}"
    );
    let third = shop.repository.push(
        "mend",
        &[
            ("flags.yaml", Some(&config_map("flags", "2"))),
            ("widget.yaml", None),
        ],
    );
    shop.until_outcome(&third, "Succeeded").await;
    assert_eq!(shop.get("configmap/flags")["data"]["value"], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gitsync_that_may_not_see_its_kinds_holds_nobody_else_up() {
    let shop = Shop::open(&real(), "blind").await;
    let elsewhere = ControlPlane::shared().namespace("blind-target").await;
    let document = |name: &str, target: &str| {
        shop.gitsync(name, "apps/web", &json!({"targetNamespace": target}))
    };
    let [blind, seeing] = [
        document("blind", &elsewhere),
        document("web", &shop.namespace),
    ];
    shop.write_config(&format!("{blind}\n---\n{seeing}"));
    let first = shop
        .repository
        .push("flags", &[("flags.yaml", Some(&config_map("flags", "1")))]);
    let _agent = shop.start();
    let problem = || shop.ledger_of("blind")["problems"][0].clone();
    shop.until("the blind one to say so", || {
        problem()["reason"] == "WatchFailed"
    })
    .await;
    let message = problem()["message"].to_string();
    assert!(
        message.contains(&elsewhere) && message.contains("right to list"),
        "{message}"
    );
    shop.until_outcome(&first, "Succeeded").await;
    let second = shop.repository.push(
        "flags 2",
        &[("flags.yaml", Some(&config_map("flags", "2")))],
    );
    shop.until_outcome(&second, "Succeeded").await;
    assert_eq!(problem()["reason"], "WatchFailed");
}
