//! Whole documents: what is refused and in which words; lists and their pages.

use serde_json::json;

use super::{DEPLOYMENTS, Group, MAPS, WEB, map, web, with};
use crate::conformance::requests::ask::{Ask, JSON, PARTIAL, PARTIALS, TABLE};

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn documents() -> Group {
    let named = |name: &str| json!({"metadata": {"name": name}});
    let post = |body| Ask::new("POST", MAPS, body);
    vec![
        ("a map", post(map("m", &json!({"a": "b"})))),
        ("a name that is taken", post(named("m"))),
        ("a bad name", post(named("Bad_Name"))),
        ("no name", post(json!({"metadata": {}}))),
        ("too long a name", post(named(&"x".repeat(300)))),
        (
            "a bad label",
            post(json!({"metadata": {"name": "l", "labels": {"a": "b c"}}})),
        ),
        (
            "a bad annotation",
            post(json!({"metadata": {"name": "l", "annotations": {"a b": "c"}}})),
        ),
        ("a bad key", post(map("l", &json!({"a b": "c"})))),
        (
            "another namespace",
            post(json!({"metadata": {"name": "l", "namespace": "default"}})),
        ),
        (
            "another kind",
            post(json!({"apiVersion": "v1", "kind": "Secret"})),
        ),
        (
            "another version",
            post(json!({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "l"}})),
        ),
        (
            "a version of the object",
            post(json!({"metadata": {"name": "l", "resourceVersion": "7"}})),
        ),
        (
            "a made-up name",
            post(json!({"metadata": {"generateName": "l-"}})),
        ),
        (
            "no such namespace",
            Ask::new("POST", "/api/v1/namespaces/nowhere/configmaps", named("l")),
        ),
        (
            "as YAML",
            post(json!(0)).raw("application/yaml", "metadata: {name: yaml}\ndata: {a: b}\n"),
        ),
        ("as text", post(json!(0)).raw("text/plain", "hello")),
        ("no JSON", post(json!(0)).raw(JSON, "{")),
        ("a list", post(json!([1]))),
        ("nothing", post(json!(0)).raw(JSON, "")),
        (
            "a map that never changes",
            post(json!({"metadata": {"name": "fixed"}, "immutable": true})),
        ),
        (
            "a change of it",
            Ask::merge(format!("{MAPS}/fixed"), json!({"data": {"a": "b"}})),
        ),
        (
            "a service",
            Ask::new(
                "POST",
                "/api/v1/namespaces/NS/services",
                json!({"metadata": {"name": "s"}, "spec": {"selector": {"a": "b"},
                       "ports": [{"port": 80}]}}),
            ),
        ),
        (
            "a service without ports",
            Ask::new(
                "POST",
                "/api/v1/namespaces/NS/services",
                json!({"metadata": {"name": "t"}, "spec": {"selector": {"a": "b"}}}),
            ),
        ),
        (
            "a secret of texts",
            Ask::new(
                "POST",
                "/api/v1/namespaces/NS/secrets",
                json!({"metadata": {"name": "p"}, "stringData": {"a": "b"}}),
            ),
        ),
        (
            "a secret that is no base64",
            Ask::new(
                "POST",
                "/api/v1/namespaces/NS/secrets",
                json!({"metadata": {"name": "q"}, "data": {"a": "?"}}),
            ),
        ),
        ("what is not there", Ask::get(format!("{DEPLOYMENTS}/nope"))),
        (
            "a resource that is not there",
            Ask::get("/apis/apps/v1/namespaces/NS/boats"),
        ),
        (
            "a group that is not there",
            Ask::get("/apis/sea.dev/v1/namespaces/NS/boats"),
        ),
        (
            "a version that is not there",
            Ask::get("/apis/apps/v1beta1/namespaces/NS/deployments"),
        ),
        (
            "a sub-resource that is not there",
            Ask::get(format!("{MAPS}/m/status")),
        ),
        (
            "a method that is not there",
            Ask::new("POST", WEB, json!({})),
        ),
        (
            "nothing that can be answered",
            Ask::get(MAPS).accepting("text/html"),
        ),
        (
            "protobuf first, then JSON",
            Ask::get(format!("{MAPS}/m"))
                .accepting("application/vnd.kubernetes.protobuf;q=0.1,application/json"),
        ),
        (
            "as metadata",
            Ask::get(format!("{MAPS}/m")).accepting(PARTIAL),
        ),
        ("as a list of metadata", Ask::get(MAPS).accepting(PARTIALS)),
        ("as a table", Ask::get(format!("{MAPS}/m")).accepting(TABLE)),
        (
            "as a table with its objects",
            Ask::get(format!("{MAPS}?includeObject=Object&limit=1")).accepting(TABLE),
        ),
        (
            "as a table of bare rows",
            Ask::get(format!("{MAPS}?includeObject=None&limit=1")).accepting(TABLE),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn validation() -> Group {
    let unknown = with(web(None), "/spec/replica", 1);
    let by = |mode: &str| format!("{DEPLOYMENTS}?dryRun=All&fieldValidation={mode}");
    let twice = r#"{"metadata": {"name": "t"}, "data": {"a": "b", "a": "c"}}"#;
    let bare = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "bare"},
        "spec": {"selector": {"matchLabels": {"app": "web"}},
                 "template": {"metadata": {"labels": {"app": "web"}}, "spec": {}}}});
    let post = |body| Ask::new("POST", format!("{DEPLOYMENTS}?dryRun=All"), body);
    let spec = |pointer: &str, value| post(with(web(None), &format!("/spec{pointer}"), value));
    let container = "/template/spec/containers/0";
    vec![
        (
            "unknown, strictly",
            Ask::new("POST", by("Strict"), unknown.clone()),
        ),
        (
            "unknown, with a warning",
            Ask::new("POST", by("Warn"), unknown.clone()),
        ),
        (
            "unknown, ignored",
            Ask::new("POST", by("Ignore"), unknown.clone()),
        ),
        (
            "unknown, by default",
            Ask::new("POST", format!("{DEPLOYMENTS}?dryRun=All"), unknown),
        ),
        ("no known way", Ask::new("POST", by("Sometimes"), web(None))),
        (
            "twice, strictly",
            Ask::new("POST", format!("{MAPS}?fieldValidation=Strict"), json!(0)).raw(JSON, twice),
        ),
        (
            "twice, with a warning",
            Ask::new("POST", MAPS, json!(0)).raw(JSON, twice),
        ),
        ("a text for a number", spec("/replicas", json!("three"))),
        (
            "a number for a text",
            spec(&format!("{container}/image"), json!(3)),
        ),
        (
            "a text for a list",
            spec(&format!("{container}/args"), json!("a")),
        ),
        ("a list for an object", spec("/template", json!([]))),
        ("a fraction", spec("/replicas", json!(1.5))),
        ("below zero", spec("/replicas", json!(-1))),
        ("no containers", post(bare)),
        ("no image", spec(&format!("{container}/image"), json!(""))),
        (
            "a bad container name",
            spec(&format!("{container}/name"), json!("A_B")),
        ),
        (
            "a bad port",
            spec(&format!("{container}/ports/0/containerPort"), json!(99999)),
        ),
        (
            "a bad policy",
            spec(&format!("{container}/imagePullPolicy"), json!("Maybe")),
        ),
        (
            "a bad quantity",
            spec(
                &format!("{container}/resources"),
                json!({"limits": {"cpu": "lots"}}),
            ),
        ),
        (
            "more wanted than allowed",
            spec(
                &format!("{container}/resources"),
                json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            ),
        ),
        (
            "an unknown volume",
            spec(
                &format!("{container}/volumeMounts"),
                json!([{"name": "v", "mountPath": "/v"}]),
            ),
        ),
        (
            "a bad restart policy",
            spec("/template/spec/restartPolicy", json!("Never")),
        ),
        (
            "a selector of others",
            spec("/selector/matchLabels", json!({"app": "other"})),
        ),
        ("no selector", spec("/selector", json!(null))),
        (
            "a bad strategy",
            spec("/strategy", json!({"type": "Sometimes"})),
        ),
        (
            "recreate with limits",
            spec(
                "/strategy",
                json!({"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            ),
        ),
        (
            "a bad percentage",
            spec("/strategy", json!({"rollingUpdate": {"maxSurge": "x"}})),
        ),
        (
            "a probe of two kinds",
            spec(
                &format!("{container}/readinessProbe"),
                json!({"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}),
            ),
        ),
        (
            "a probe of no kind",
            spec(
                &format!("{container}/readinessProbe"),
                json!({"periodSeconds": 1}),
            ),
        ),
        (
            "doubled names",
            spec(
                "/template/spec/containers",
                json!([{"name": "a", "image": "x"}, {"name": "a", "image": "y"}]),
            ),
        ),
        ("a good one", post(web(None))),
    ]
}

pub(super) fn lists() -> Group {
    let mut group: Group = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let labels = json!({"metadata": {"name": name, "labels": {"n": name, "app": "x"}}});
        group.push(("one of five", Ask::new("POST", MAPS, labels)));
    }
    let list = |query: &str| Ask::get(format!("{MAPS}?{query}"));
    group.extend([
        ("the first two", list("limit=2")),
        ("the next two", list("limit=2&continue={NEXT}")),
        ("the last", list("limit=2&continue={NEXT}")),
        ("a bad token", list("limit=2&continue=nonsense")),
        ("any version", list("resourceVersion=0")),
        (
            "that version or a newer one",
            list("resourceVersion={VERSION}"),
        ),
        (
            "exactly that version",
            list("resourceVersion={VERSION}&resourceVersionMatch=Exact"),
        ),
        (
            "exactly version 0",
            list("resourceVersion=0&resourceVersionMatch=Exact"),
        ),
        (
            "a match without a version",
            list("resourceVersionMatch=Exact"),
        ),
        (
            "an unknown match",
            list("resourceVersion=1&resourceVersionMatch=Roughly"),
        ),
        ("no version", list("resourceVersion=x")),
        ("labels", list("labelSelector=n%20in%20(a,b),app%3Dx")),
        ("other labels", list("labelSelector=n!%3Da,n!%3Db,!nothing")),
        ("labels above a number", list("labelSelector=n%3E1")),
        ("bad labels", list("labelSelector=n%20among%20(a)")),
        ("a name", list("fieldSelector=metadata.name%3Da")),
        ("another name", list("fieldSelector=metadata.name!%3Da")),
        ("an unknown field", list("fieldSelector=data.a%3Db")),
        ("a bad field selector", list("fieldSelector=nonsense")),
        ("a bad limit", list("limit=x")),
        (
            "one from the cache",
            Ask::get(format!("{MAPS}/a?resourceVersion=0")),
        ),
        (
            "all namespaces",
            Ask::get("/api/v1/configmaps?fieldSelector=metadata.namespace%3DNS,metadata.name%3Da"),
        ),
        (
            "some are deleted",
            Ask::delete(format!("{MAPS}?labelSelector=n%20in%20(a,b)")),
        ),
        ("the rest", list("")),
        ("all are deleted", Ask::delete(MAPS)),
        ("an empty list", list("")),
        ("an empty table", list("").accepting(TABLE)),
    ]);
    group
}
