//! How objects change, in turn, and end.

use serde_json::{Value, json};

use super::{DEPLOYMENTS, Group, MAPS, WEB, map, web, with};
use crate::conformance::requests::ask::Ask;

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn locking() -> Group {
    let put = |extra: Value, path: &str| {
        let mut object = map("m", &json!({"a": "x"}));
        for (key, value) in extra.as_object().unwrap() {
            object["metadata"][key] = value.clone();
        }
        Ask::new("PUT", format!("{MAPS}/{path}"), object)
    };
    let delete = |preconditions: Value| {
        Ask::new(
            "DELETE",
            format!("{MAPS}/m"),
            json!({"preconditions": preconditions}),
        )
    };
    let lease = "/apis/coordination.k8s.io/v1/namespaces/NS/leases";
    vec![
        (
            "a map",
            Ask::new("POST", MAPS, map("m", &json!({"a": "b"}))),
        ),
        (
            "a change",
            Ask::merge(format!("{MAPS}/m"), json!({"data": {"a": "c"}})),
        ),
        (
            "an old version",
            put(json!({"resourceVersion": "{STALE}"}), "m"),
        ),
        (
            "the present version",
            put(json!({"resourceVersion": "{VERSION}"}), "m"),
        ),
        (
            "nothing changes",
            put(json!({"resourceVersion": "{VERSION}"}), "m"),
        ),
        ("no version", put(json!({}), "m")),
        (
            "a version that is none",
            put(json!({"resourceVersion": "x"}), "m"),
        ),
        ("another UID", put(json!({"uid": "1234"}), "m")),
        ("what is not there", {
            let mut object = map("n", &json!({}));
            object["metadata"]["resourceVersion"] = json!("1");
            Ask::new("PUT", format!("{MAPS}/n"), object)
        }),
        (
            "what is not there, without a version",
            Ask::new("PUT", format!("{MAPS}/n"), map("n", &json!({}))),
        ),
        ("another name", put(json!({}), "n")),
        (
            "a patch of an old version",
            Ask::merge(
                format!("{MAPS}/m"),
                json!({"metadata": {"resourceVersion": "{STALE}"}, "data": {"z": "z"}}),
            ),
        ),
        (
            "a patch of another UID",
            Ask::merge(format!("{MAPS}/m"), json!({"metadata": {"uid": "1234"}})),
        ),
        (
            "a patch of its birth",
            Ask::merge(
                format!("{MAPS}/m"),
                json!({"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z", "generation": 77,
                                    "selfLink": "x", "deletionGracePeriodSeconds": 3}}),
            ),
        ),
        (
            "a lease",
            Ask::new(
                "POST",
                lease,
                json!({"metadata": {"name": "l"}, "spec": {}}),
            ),
        ),
        (
            "a lease without a version",
            Ask::new(
                "PUT",
                format!("{lease}/l"),
                json!({"metadata": {"name": "l"}, "spec": {}}),
            ),
        ),
        ("the map once more", Ask::get(format!("{MAPS}/m"))),
        ("a deletion of another UID", delete(json!({"uid": "1234"}))),
        (
            "a deletion of an old version",
            delete(json!({"resourceVersion": "{STALE}"})),
        ),
        (
            "a deletion",
            delete(json!({"uid": "{UID}", "resourceVersion": "{VERSION}"})),
        ),
        ("a deletion of nothing", delete(json!({}))),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn generations() -> Group {
    let merge = |body| Ask::merge(WEB, body);
    let status = |body| Ask::merge(format!("{WEB}/status"), body);
    let pdb = "/apis/policy/v1/namespaces/NS/poddisruptionbudgets";
    vec![
        ("a deployment", Ask::new("POST", DEPLOYMENTS, web(Some(0)))),
        (
            "a label",
            merge(json!({"metadata": {"labels": {"a": "b"}}})),
        ),
        (
            "an annotation",
            merge(json!({"metadata": {"annotations": {"a": "b"}}})),
        ),
        ("a field", merge(json!({"spec": {"minReadySeconds": 1}}))),
        (
            "the same field",
            merge(json!({"spec": {"minReadySeconds": 1}})),
        ),
        (
            "a default that is written down",
            merge(json!({"spec": {"revisionHistoryLimit": 10}})),
        ),
        (
            "a status is not written",
            merge(json!({"status": {"replicas": 9}})),
        ),
        ("a status", status(json!({"status": {"replicas": 9}}))),
        (
            "a field is not written with a status",
            status(json!({"spec": {"replicas": 9}})),
        ),
        (
            "labels are with a status",
            status(json!({"metadata": {"labels": {"a": "c"}, "annotations": {"x": "y"}}})),
        ),
        ("the status", Ask::get(format!("{WEB}/status"))),
        (
            "a scale",
            Ask::merge(format!("{WEB}/scale"), json!({"spec": {"replicas": 1}})),
        ),
        (
            "a map has none",
            Ask::new("POST", MAPS, map("m", &json!({"a": "b"}))),
        ),
        (
            "also when changed",
            Ask::merge(format!("{MAPS}/m"), json!({"data": {"a": "c"}})),
        ),
        (
            "a budget has",
            Ask::new(
                "POST",
                pdb,
                json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1}}),
            ),
        ),
        (
            "a budget that changes",
            Ask::merge(format!("{pdb}/b"), json!({"spec": {"minAvailable": 2}})),
        ),
        (
            "its owner",
            Ask::merge(
                WEB,
                json!({"metadata": {"finalizers": ["example.com/hold"]}}),
            ),
        ),
        ("a deletion that waits", Ask::delete(WEB)),
        (
            "a change meanwhile",
            merge(json!({"metadata": {"labels": {"x": "y"}}})),
        ),
        (
            "no more finalizers",
            merge(json!({"metadata": {"finalizers": null}})),
        ),
        ("it is gone", Ask::get(WEB)),
    ]
}

pub(super) fn dry_runs() -> Group {
    let dry = |path: &str| format!("{path}?dryRun=All&fieldManager=one");
    let one = format!("{MAPS}/m");
    vec![
        (
            "a creation",
            Ask::new("POST", dry(MAPS), map("m", &json!({"a": "b"}))),
        ),
        ("nothing is there", Ask::get(&one)),
        (
            "an apply",
            Ask::apply(dry(&one), map("m", &json!({"a": "b"}))),
        ),
        ("nothing is there still", Ask::get(&one)),
        (
            "a creation in earnest",
            Ask::new("POST", MAPS, map("m", &json!({"a": "b"}))),
        ),
        (
            "a patch",
            Ask::merge(dry(&one), json!({"data": {"a": "c"}})),
        ),
        (
            "a replacement",
            Ask::new("PUT", dry(&one), map("m", &json!({"z": "z"}))),
        ),
        (
            "an apply with a conflict",
            Ask::apply(dry(&one), map("m", &json!({"a": "c"}))),
        ),
        ("a deletion", Ask::delete(dry(&one))),
        (
            "a deletion as the body says",
            Ask::new("DELETE", one.clone(), json!({"dryRun": ["All"]})),
        ),
        ("a deletion of all", Ask::delete(dry(MAPS))),
        ("another word", Ask::delete(format!("{one}?dryRun=Some"))),
        ("it is as it was", Ask::get(&one)),
        ("a deployment", Ask::apply(dry(WEB), web(Some(3)))),
        ("no deployment is there", Ask::get(WEB)),
        (
            "a service",
            Ask::new(
                "POST",
                dry("/api/v1/namespaces/NS/services"),
                json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}),
            ),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn deletions() -> Group {
    let pod = "/api/v1/namespaces/NS/pods";
    let owned = json!({"metadata": {"name": "owned", "ownerReferences": [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "{UID}"}]}});
    let bad = json!({"metadata": {"name": "bad", "ownerReferences": [{"name": "owner"}]}});
    let two = json!({"metadata": {"name": "two", "ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "1", "controller": true},
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "p", "uid": "2", "controller": true}]}});
    let delete =
        |path: String, policy: &str| Ask::new("DELETE", path, json!({"propagationPolicy": policy}));
    let owner = || Ask::new("POST", MAPS, map("owner", &json!({})));
    let at = |name: &str| format!("{MAPS}/{name}");
    let solo = json!({"metadata": {"name": "solo"}, "spec": {"terminationGracePeriodSeconds": 0,
        "nodeSelector": {"no": "where"}, "containers": [{"name": "a", "image": "x"}]}});
    vec![
        ("an owner", owner()),
        ("what it owns", Ask::new("POST", MAPS, owned.clone())),
        ("half an owner", Ask::new("POST", MAPS, bad)),
        ("two masters", Ask::new("POST", MAPS, two)),
        ("an unknown policy", delete(at("owner"), "Sideways")),
        ("the owner goes", delete(at("owner"), "Background")),
        ("what it owned goes too", Ask::get(at("owned")).until(404)),
        ("another owner", owner()),
        ("what that owns", Ask::new("POST", MAPS, owned.clone())),
        ("it goes alone", delete(at("owner"), "Orphan")),
        ("it is gone", Ask::get(at("owner")).until(404)),
        ("what it owned stays", Ask::get(at("owned"))),
        (
            "a third owner",
            Ask::new("POST", MAPS, map("owner", &json!({"a": "b"}))),
        ),
        (
            "what blocks it",
            Ask::new(
                "PUT",
                at("owned"),
                with(
                    owned,
                    "/metadata/ownerReferences/0/blockOwnerDeletion",
                    true,
                ),
            ),
        ),
        ("it goes last", delete(at("owner"), "Foreground")),
        ("both are gone", Ask::get(at("owner")).until(404)),
        ("also what blocked", Ask::get(at("owned"))),
        ("a pod", Ask::new("POST", pod, solo.clone())),
        (
            "an eviction of another",
            Ask::new(
                "POST",
                format!("{pod}/solo/eviction"),
                json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "x"}}),
            ),
        ),
        (
            "an eviction",
            Ask::new(
                "POST",
                format!("{pod}/solo/eviction"),
                json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "solo"}}),
            ),
        ),
        (
            "the pod is gone",
            Ask::get(format!("{pod}/solo")).until(404),
        ),
        (
            "a namespace that stays",
            Ask::delete("/api/v1/namespaces/kube-system"),
        ),
    ]
}
