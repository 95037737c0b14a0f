//! Namespaces in Git, which the agent may touch by rights of the whole cluster only.

use serde_json::json;

use crate::real;
use crate::shop::{Shop, config_map};

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_never_pruned() {
    let shop = Shop::open(&real(), "spaces").await;
    let role = format!("{}-namespaces", shop.namespace);
    let user = format!("--user={}", shop.account.user);
    shop.kubectl(&[
        "create",
        "clusterrole",
        &role,
        "--verb=*",
        "--resource=namespaces",
    ]);
    shop.kubectl(&[
        "create",
        "clusterrolebinding",
        &role,
        &format!("--clusterrole={role}"),
        &user,
    ]);
    shop.configure(&json!({
        "allow": {"clusterScoped": true, "kinds": ["Namespace"]},
        "prune": {"maxObjects": 9},
    }));
    let more = format!("{}-more", shop.namespace);
    let space = format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {more}\n");
    let first = shop.repository.push(
        "with a namespace",
        &[
            ("rest.yaml", Some(&config_map("rest", "1"))),
            ("space.yaml", Some(&space)),
        ],
    );
    let _agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    let what = format!("namespace/{more}");
    assert!(shop.get(&what).is_object());
    let second = shop.repository.push("without", &[("space.yaml", None)]);
    shop.until_outcome(&second, "Succeeded").await;
    assert!(shop.get(&what)["metadata"]["deletionTimestamp"].is_null());
    assert!(shop.get(&what).is_object());
}
