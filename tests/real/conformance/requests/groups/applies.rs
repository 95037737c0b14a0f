//! Server-side apply, patches, and who owns what.

use serde_json::json;

use super::{DEPLOYMENTS, Group, MAPS, WEB, map, web, with};
use crate::conformance::requests::ask::Ask;

const CONTAINER: &str = "/spec/template/spec/containers/0";

fn by(manager: &str) -> String {
    format!("{WEB}?fieldManager={manager}")
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn applies() -> Group {
    let unknown = with(web(Some(3)), "/spec/replica", 1);
    let image = with(web(Some(5)), &format!("{CONTAINER}/image"), "x:2");
    let doubled = json!([{"name": "a", "image": "x"}, {"name": "a", "image": "y"}]);
    let doubled = with(web(None), "/spec/template/spec/containers", doubled);
    let forced = by("other&force=true");
    let named = with(web(None), "/metadata/name", "b");
    let managed = with(web(None), "/metadata/managedFields", json!([]));
    let versioned = with(web(None), "/apiVersion", "apps/v2");
    vec![
        ("an unknown field", Ask::apply(by("one"), unknown)),
        (
            "a wrong type",
            Ask::apply(by("one"), with(web(None), "/spec/replicas", "three")),
        ),
        ("two containers of one name", Ask::apply(by("one"), doubled)),
        ("no manager", Ask::apply(WEB, web(Some(3)))),
        (
            "no force for another patch",
            Ask::merge(forced.clone(), json!({})),
        ),
        ("a new object", Ask::apply(by("one"), web(Some(3)))),
        ("the same once more", Ask::apply(by("one"), web(Some(3)))),
        ("one conflict", Ask::apply(by("other"), web(Some(4)))),
        ("two conflicts", Ask::apply(by("other"), image.clone())),
        ("the same by another", Ask::apply(by("other"), web(Some(3)))),
        ("by force", Ask::apply(&forced, image)),
        (
            "a shared field is withdrawn",
            Ask::apply(&forced, web(None)),
        ),
        ("the object then", Ask::get(WEB)),
        ("another name", Ask::apply(by("one"), named)),
        ("managed fields", Ask::apply(by("one"), managed)),
        ("another version", Ask::apply(by("one"), versioned)),
        ("no configuration", Ask::apply(by("one"), json!({}))),
        (
            "no YAML",
            Ask::apply(by("one"), json!({})).raw("application/apply-patch+yaml", "a: b: c"),
        ),
        (
            "a bad manager",
            Ask::apply(format!("{WEB}?fieldManager={}", "x".repeat(200)), web(None)),
        ),
        (
            "no such object and an UID",
            Ask::apply(
                format!("{DEPLOYMENTS}/new?fieldManager=one"),
                with(
                    with(web(None), "/metadata/name", "new"),
                    "/metadata/uid",
                    "1234",
                ),
            ),
        ),
        (
            "an old version of the object",
            Ask::apply(
                by("one"),
                with(web(Some(3)), "/metadata/resourceVersion", "{STALE}"),
            ),
        ),
        (
            "the status",
            Ask::apply(
                format!("{WEB}/status?fieldManager=teller"),
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                       "status": {"conditions": [{"type": "Shiny", "status": "True"}]}}),
            ),
        ),
        (
            "the scale",
            Ask::apply(
                format!("{WEB}/scale?fieldManager=scaler&force=true"),
                json!({"apiVersion": "autoscaling/v1", "kind": "Scale",
                       "metadata": {"name": "web"}, "spec": {"replicas": 8}}),
            ),
        ),
        ("the object at last", Ask::get(WEB)),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn patches() -> Group {
    let hand = by("hand");
    let merge = |body| Ask::merge(by("hand"), body);
    let added = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "b", "image": "y", "env": [{"name": "E", "value": ""}]}]}}}});
    let removed = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "b", "$patch": "delete"}]}}}});
    let recreate = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    let surge = json!({"spec": {"strategy": {"type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}});
    let replace = |path: &str, value| json!([{"op": "replace", "path": path, "value": value}]);
    vec![
        ("a new object", Ask::new("POST", DEPLOYMENTS, web(Some(2)))),
        ("a container is added", Ask::strategic(&hand, added)),
        ("a container is removed", Ask::strategic(&hand, removed)),
        ("one key is kept", Ask::strategic(&hand, recreate)),
        ("a merge", merge(json!({"spec": {"minReadySeconds": 5}}))),
        (
            "an operation",
            Ask::operations(&hand, replace("/spec/minReadySeconds", 7)),
        ),
        (
            "an operation on nothing",
            Ask::operations(&hand, replace("/spec/nothing/there", 7)),
        ),
        (
            "a test that fails",
            Ask::operations(
                &hand,
                json!([{"op": "test", "path": "/spec/replicas", "value": 77}]),
            ),
        ),
        (
            "an unknown operation",
            Ask::operations(&hand, json!([{"op": "jump"}])),
        ),
        ("an unknown field", merge(json!({"spec": {"x": 1}}))),
        (
            "an unknown field, strictly",
            Ask::merge(
                format!("{WEB}?fieldValidation=Strict"),
                json!({"spec": {"x": 1}}),
            ),
        ),
        ("surge and unavailable of zero", merge(surge)),
        (
            "too short a deadline",
            merge(json!({"spec": {"minReadySeconds": 600}})),
        ),
        (
            "another selector",
            merge(json!({"spec": {"selector": {"matchLabels": {"b": "c"}}}})),
        ),
        ("another name", merge(json!({"metadata": {"name": "c"}}))),
        ("another kind", merge(json!({"kind": "Pod"}))),
        (
            "scale",
            Ask::merge(
                format!("{WEB}/scale?fieldManager=scaler"),
                json!({"spec": {"replicas": 9}}),
            ),
        ),
        ("the scale", Ask::get(format!("{WEB}/scale"))),
        (
            "a scale below zero",
            Ask::merge(format!("{WEB}/scale"), json!({"spec": {"replicas": -1}})),
        ),
        ("the object then", Ask::get(WEB)),
        (
            "no known kind of patch",
            merge(json!({})).raw("text/plain", "{}"),
        ),
        (
            "no JSON",
            merge(json!({})).raw("application/merge-patch+json", "{"),
        ),
        (
            "no such object",
            Ask::merge(format!("{DEPLOYMENTS}/nope"), json!({})),
        ),
    ]
}

/// Who owns which field, after each step.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn owners() -> Group {
    let one = format!("{MAPS}/m?fieldManager=one");
    let other = format!("{MAPS}/m?fieldManager=other");
    let forced = format!("{other}&force=true");
    vec![
        (
            "one applies two",
            Ask::apply(&one, map("m", &json!({"a": "1", "b": "1"}))),
        ),
        (
            "other applies one of them",
            Ask::apply(&other, map("m", &json!({"b": "1"}))),
        ),
        (
            "one withdraws it",
            Ask::apply(&one, map("m", &json!({"a": "1"}))),
        ),
        (
            "other withdraws it too",
            Ask::apply(&other, map("m", &json!({}))),
        ),
        (
            "a hand changes",
            Ask::merge(
                format!("{MAPS}/m?fieldManager=hand"),
                json!({"data": {"a": "2", "c": "3"}}),
            ),
        ),
        (
            "one is in conflict",
            Ask::apply(&one, map("m", &json!({"a": "1"}))),
        ),
        ("one agrees", Ask::apply(&one, map("m", &json!({"a": "2"})))),
        (
            "a hand takes away",
            Ask::merge(
                format!("{MAPS}/m?fieldManager=hand"),
                json!({"data": {"a": null}}),
            ),
        ),
        (
            "other takes by force",
            Ask::apply(&forced, map("m", &json!({"c": "4"}))),
        ),
        (
            "labels and annotations",
            Ask::apply(
                &one,
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m",
                       "labels": {"x": "y"}, "annotations": {"x/y": "z"},
                       "finalizers": ["example.com/hold"]}}),
            ),
        ),
        (
            "a document replaces",
            Ask::new(
                "PUT",
                format!("{MAPS}/m?fieldManager=put"),
                map("m", &json!({"z": "1"})),
            ),
        ),
        (
            "the owners are forgotten",
            Ask::merge(
                format!("{MAPS}/m?fieldManager=hand"),
                json!({"metadata": {"managedFields": [{}]}}),
            ),
        ),
        (
            "an apply where nobody owns",
            Ask::apply(&one, map("m", &json!({"z": "2"}))),
        ),
        (
            "by the name of the client",
            Ask::merge(format!("{MAPS}/m"), json!({"data": {"k": "v"}})),
        ),
    ]
}
