//! What the server fills in for each kind; kinds of people's own.

use serde_json::{Value, json};

use super::{Group, WEB};
use crate::conformance::requests::ask::{Ask, TABLE};

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn kinds() -> Group {
    let template = |image: &str| {
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"nodeSelector": {"no": "where"}, "containers": [{
            "name": "c", "image": image,
            "resources": {"limits": {"cpu": 1, "memory": "1024Mi"}, "requests": {"cpu": "0.5"}},
            "livenessProbe": {"httpGet": {"port": 80}, "initialDelaySeconds": 0}}]}})
    };
    let selector = json!({"matchLabels": {"a": "b"}});
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    let claim = json!({"metadata": {"name": "d"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}}}});
    let stateful = json!({"metadata": {"name": "s"}, "spec": {"replicas": 0, "selector": selector,
        "serviceName": "s", "updateStrategy": rolling, "template": template("nginx"),
        "volumeClaimTemplates": [claim]}});
    let daemon = json!({"metadata": {"name": "s"}, "spec": {"selector": selector,
        "template": template("nginx:1")}});
    let job = json!({"metadata": {"name": "j"}, "spec": {"suspend": true, "template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "nginx:1"}]}}}});
    let apps = |plural: &str| format!("/apis/apps/v1/namespaces/NS/{plural}");
    let post = |path: String, body: Value| Ask::new("POST", path, body);
    vec![
        ("a stateful set", post(apps("statefulsets"), stateful)),
        (
            "another service name",
            Ask::merge(
                format!("{}/s", apps("statefulsets")),
                json!({"spec": {"serviceName": "x"}}),
            ),
        ),
        ("a daemon set", post(apps("daemonsets"), daemon)),
        (
            "another selector of it",
            Ask::merge(
                format!("{}/s", apps("daemonsets")),
                json!({"spec": {"selector": {"matchLabels": {"c": "d"}}}}),
            ),
        ),
        (
            "a job",
            post("/apis/batch/v1/namespaces/NS/jobs".into(), job.clone()),
        ),
        (
            "another template of it",
            Ask::merge(
                "/apis/batch/v1/namespaces/NS/jobs/j",
                json!({"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}),
            ),
        ),
        (
            "a job that always restarts",
            post(
                "/apis/batch/v1/namespaces/NS/jobs".into(),
                json!({"metadata": {"name": "k"}, "spec": {"template": {"spec": {
                    "containers": [{"name": "c", "image": "x"}]}}}}),
            ),
        ),
        (
            "a pod",
            post(
                "/api/v1/namespaces/NS/pods?dryRun=All".into(),
                json!({"metadata": {"name": "p"}, "spec": template("nginx")["spec"]}),
            ),
        ),
        (
            "a budget",
            post(
                "/apis/policy/v1/namespaces/NS/poddisruptionbudgets".into(),
                json!({"metadata": {"name": "b"}, "spec": {"minAvailable": "50%", "selector": selector}}),
            ),
        ),
        (
            "a scaler",
            post(
                "/apis/autoscaling/v2/namespaces/NS/horizontalpodautoscalers".into(),
                json!({"metadata": {"name": "h"}, "spec": {"maxReplicas": 3,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
            ),
        ),
        (
            "a lease",
            post(
                "/apis/coordination.k8s.io/v1/namespaces/NS/leases".into(),
                json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}}),
            ),
        ),
        (
            "an ingress",
            post(
                "/apis/networking.k8s.io/v1/namespaces/NS/ingresses".into(),
                json!({"metadata": {"name": "i"}, "spec": {"defaultBackend": {"service": {
                    "name": "web", "port": {"number": 80}}}}}),
            ),
        ),
        (
            "a network policy",
            post(
                "/apis/networking.k8s.io/v1/namespaces/NS/networkpolicies".into(),
                json!({"metadata": {"name": "n"}, "spec": {"podSelector": {}}}),
            ),
        ),
        (
            "a role",
            post(
                "/apis/rbac.authorization.k8s.io/v1/namespaces/NS/roles".into(),
                json!({"metadata": {"name": "r"}, "rules": [{"apiGroups": [""],
                       "resources": ["pods"], "verbs": ["get"]}]}),
            ),
        ),
        (
            "a claim",
            post(
                "/api/v1/namespaces/NS/persistentvolumeclaims".into(),
                claim.clone(),
            ),
        ),
        (
            "an event",
            post(
                "/apis/events.k8s.io/v1/namespaces/NS/events".into(),
                json!({"metadata": {"name": "e"}, "eventTime": "2026-01-01T00:00:00.000000Z",
                       "action": "Act", "reason": "Because", "note": "n", "type": "Normal",
                       "regarding": {"kind": "ConfigMap", "name": "m", "namespace": "NS"},
                       "reportingController": "c", "reportingInstance": "i"}),
            ),
        ),
        (
            "it among the old ones",
            Ask::get("/api/v1/namespaces/NS/events/e"),
        ),
        (
            "a table of stateful sets",
            Ask::get(apps("statefulsets")).accepting(TABLE),
        ),
        ("no deployment", Ask::delete(WEB)),
        (
            "may I",
            post(
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".into(),
                json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}),
            ),
        ),
        (
            "may nobody",
            post(
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".into(),
                json!({"spec": {}}),
            ),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn custom() -> Group {
    const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const SHIPS: &str = "/apis/NS.dev/v1/namespaces/NS/ships";
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object",
            "x-kubernetes-validations": [{"rule": "self.oars >= self.crew", "message": "not enough oars"}],
            "properties": {
                "oars": {"type": "integer", "default": 4}, "crew": {"type": "integer", "default": 1},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "port": {"x-kubernetes-int-or-string": true},
                "kind": {"type": "string", "enum": ["tug", "tanker"]},
                "built": {"type": "string", "format": "date-time"},
                "names": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set",
                          "maxItems": 2}}},
        "status": {"type": "object", "properties": {"afloat": {"type": "boolean"}}}}});
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "ships.NS.dev"}, "spec": {"group": "NS.dev", "scope": "Namespaced",
        "names": {"kind": "Ship", "plural": "ships"}, "versions": [{"name": "v1", "served": true,
        "storage": true, "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.oars",
        "statusReplicasPath": ".status.oars"}}, "schema": {"openAPIV3Schema": schema},
        "selectableFields": [{"jsonPath": ".spec.kind"}]}]}});
    let nameless = json!({"metadata": {"name": "wrong"}, "spec": definition["spec"]});
    let ship = |spec: Value| json!({"apiVersion": "NS.dev/v1", "kind": "Ship", "metadata": {"name": "a"}, "spec": spec});
    let merge = |body| Ask::merge(format!("{SHIPS}/a"), body);
    let apply =
        |spec: Value| Ask::apply(format!("{SHIPS}/a?fieldManager=one&force=true"), ship(spec));
    vec![
        (
            "a definition of another name",
            Ask::new("POST", CRDS, nameless),
        ),
        ("a definition", Ask::new("POST", CRDS, definition)),
        ("the empty list", Ask::get(SHIPS).until(200)),
        (
            "a ship",
            Ask::new(
                "POST",
                SHIPS,
                ship(json!({"oars": 5, "sails": 1, "free": {"any": [1]}})),
            )
            .until(201),
        ),
        (
            "an unknown field, strictly",
            Ask::new(
                "POST",
                format!("{SHIPS}?fieldValidation=Strict"),
                ship(json!({"sails": 1})),
            ),
        ),
        ("an apply", apply(json!({"crew": 2, "names": ["x"]}))),
        ("an apply of an unknown field", apply(json!({"sails": 2}))),
        ("a wrong type", merge(json!({"spec": {"crew": "nine"}}))),
        (
            "a word that is not listed",
            merge(json!({"spec": {"kind": "submarine"}})),
        ),
        ("its scale", Ask::get(format!("{SHIPS}/a/scale"))),
        (
            "a time that is none",
            merge(json!({"spec": {"built": "yesterday"}})),
        ),
        (
            "a field to select by",
            Ask::get(format!("{SHIPS}?fieldSelector=spec.kind%3Dtug")),
        ),
        (
            "another field to select by",
            Ask::get(format!("{SHIPS}?fieldSelector=spec.oars%3D5")),
        ),
        (
            "a doubled item",
            merge(json!({"spec": {"names": ["x", "x"]}})),
        ),
        (
            "too many items",
            merge(json!({"spec": {"names": ["x", "y", "z"]}})),
        ),
        ("a number or a text", merge(json!({"spec": {"port": true}}))),
        (
            "a status is not written",
            merge(json!({"status": {"afloat": true}})),
        ),
        (
            "a status",
            Ask::merge(
                format!("{SHIPS}/a/status"),
                json!({"status": {"afloat": true}, "spec": {"crew": 3}}),
            ),
        ),
        ("the ship then", Ask::get(format!("{SHIPS}/a"))),
        ("a table", Ask::get(SHIPS).accepting(TABLE)),
        (
            "a strategic patch",
            Ask::strategic(format!("{SHIPS}/a"), json!({})),
        ),
        ("no scale", Ask::get(format!("{SHIPS}/a/scale"))),
        (
            "a rule that does not hold",
            merge(json!({"spec": {"crew": 9}})),
        ),
        ("a ship goes", Ask::delete(format!("{SHIPS}/a"))),
        (
            "the definition goes",
            Ask::delete(format!("{CRDS}/ships.NS.dev")),
        ),
        ("no more ships", Ask::get(SHIPS).until(404)),
    ]
}
