//! What pods may say and what may be asked about labels: rules of single values.

use serde_json::{Value, json};

use super::{DEPLOYMENTS, Group, MAPS, WEB, web, with};
use crate::conformance::requests::ask::Ask;

/// One value of a pod template each, tried out.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn pods() -> Group {
    let post = |body| Ask::new("POST", format!("{DEPLOYMENTS}?dryRun=All"), body);
    let pod = |key: &str, value: Value| {
        let pointer = format!("/spec/template/spec/{key}");
        post(with(web(None), &pointer, value))
    };
    let container = |key: &str, value: Value| {
        let pointer = format!("/spec/template/spec/containers/0/{key}");
        post(with(web(None), &pointer, value))
    };
    let meta = |key: &str, value: Value| post(with(web(None), &format!("/metadata/{key}"), value));
    let spread = json!([{"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "x"}]);
    let volumes = json!([{"name": "v", "emptyDir": {}},
        {"name": "v", "configMap": {"name": "c"}, "secret": {"secretName": "s"}}]);
    vec![
        (
            "a key of two prefixes",
            meta("annotations", json!({"a/b/c": "d"})),
        ),
        ("an empty prefix", meta("labels", json!({"/a": "b"}))),
        ("a bad finalizer", meta("finalizers", json!(["foo"]))),
        ("a finalizer", meta("finalizers", json!(["a.b/c"]))),
        ("a bad way to names", pod("dnsPolicy", json!("X"))),
        ("a bad node label", pod("nodeSelector", json!({"a b": "c"}))),
        (
            "a bad account",
            pod("serviceAccountName", json!("Bad Name")),
        ),
        (
            "a bad operator",
            pod("tolerations", json!([{"operator": "Foo"}])),
        ),
        (
            "a bad effect",
            pod(
                "tolerations",
                json!([{"key": "a", "operator": "Exists", "effect": "Never"}]),
            ),
        ),
        (
            "an effect that cannot last",
            pod(
                "tolerations",
                json!([{"key": "a", "operator": "Exists", "tolerationSeconds": 3}]),
            ),
        ),
        ("a bad spread", pod("topologySpreadConstraints", spread)),
        ("an end", pod("activeDeadlineSeconds", json!(1))),
        ("two of a name, one of two kinds", pod("volumes", volumes)),
        (
            "a volume of nothing",
            pod("volumes", json!([{"name": "v"}])),
        ),
        (
            "nobody",
            container("securityContext", json!({"runAsUser": -1})),
        ),
        (
            "an init container that restarts sometimes",
            pod(
                "initContainers",
                json!([{"name": "i", "image": "x", "restartPolicy": "Sometimes"}]),
            ),
        ),
        (
            "another port of the host's network",
            post(with(
                with(web(None), "/spec/template/spec/hostNetwork", true),
                "/spec/template/spec/containers/0/ports",
                json!([{"containerPort": 80, "hostPort": 81}]),
            )),
        ),
        (
            "a secret that is no base64",
            Ask::apply(
                "/api/v1/namespaces/NS/secrets/s?fieldManager=one",
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
                    "data": {"a": "notbase64!"}}),
            ),
        ),
        (
            "a budget of both",
            Ask::apply(
                "/apis/policy/v1/namespaces/NS/poddisruptionbudgets/b?fieldManager=one",
                json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                    "metadata": {"name": "b"}, "spec": {"minAvailable": 1, "maxUnavailable": 1,
                    "selector": {"matchLabels": {"a": "b"}}}}),
            ),
        ),
        (
            "a variable from nowhere",
            container("env", json!([{"name": "A", "valueFrom": {}}])),
        ),
        (
            "a variable from two places",
            container(
                "env",
                json!([{"name": "A", "valueFrom": {
                "fieldRef": {"fieldPath": "metadata.name"},
                "configMapKeyRef": {"name": "c", "key": "k"}}}]),
            ),
        ),
    ]
}

/// Selectors by labels, names in paths, and patches of what is told apart by a key.
pub(super) fn queries() -> Group {
    let by = |selector: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(selector.as_bytes()).collect();
        Ask::get(format!(
            "{MAPS}?labelSelector={encoded}&limit=1&fieldSelector=metadata.name=none"
        ))
    };
    let scale = |body| Ask::merge(format!("{WEB}/scale"), body);
    let containers = |containers: Value| {
        let change = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        Ask::strategic(WEB, change)
    };
    vec![
        ("a bad key", by("-bad=1")),
        ("two prefixes", by("a/b/c=d")),
        ("a bad value", by("app=-b")),
        ("two values", by("app=a b")),
        ("a comma", by(",")),
        ("a comma at the end", by("a,")),
        ("an absent one with a value", by("!a=b")),
        ("no operator", by("a b c")),
        ("no parenthesis", by("a in b")),
        ("an open parenthesis", by("a in (b")),
        ("an empty set", by("a in ()")),
        ("above nothing", by("a>x")),
        (
            "all of it",
            by("a in (x,y),b notin (z),!c,d,e!=f,g==h,i>1,j<2"),
        ),
        ("a name with a star", Ask::get(format!("{MAPS}/nope%2A"))),
        ("a deployment", Ask::new("POST", DEPLOYMENTS, web(Some(0)))),
        (
            "a container without a name",
            containers(json!([{"image": "nokey"}])),
        ),
        (
            "a scale with something else",
            scale(json!({"spec": {"replicas": 1}, "foo": 1})),
        ),
    ]
}
