//! What the server has: groups, versions, kinds and verbs, in both forms of discovery.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Response;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use serde_json::{Value, json};

use super::reply::{Body, json as answer_json};
use crate::sim::kind::{Kind, Registry, Resource, Version};

const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
/// In the order of the server of custom kinds.
const CUSTOM_VERBS: &[&str] = &[
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Returns the answer to `/version`.
pub(super) fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "gitVersion": "v1.36.2+tidegate.simulated",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "simulated",
    })
}

/// Answers a path of discovery; `None` where it is none.
pub(super) fn answer(registry: &Registry, path: &str, head: &Parts) -> Option<Response<Body>> {
    let accept = head
        .headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok());
    let wants_all = accept.is_some_and(wants_aggregated);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["api"] if wants_all => Some(aggregated(registry, true)),
        ["apis"] if wants_all => Some(aggregated(registry, false)),
        ["api"] => Some(answer_json(200, &legacy())),
        ["apis"] => {
            let groups: Vec<Value> = groups(registry)
                .iter()
                .filter(|(name, _)| !name.is_empty())
                .map(|(name, versions)| group(name, versions))
                .collect();
            let list = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups});
            Some(answer_json(200, &list))
        }
        ["api", version] => resources(registry, "", version),
        ["apis", name] => {
            let groups = groups(registry);
            let mut found = group(name, groups.get(*name)?);
            found["kind"] = json!("APIGroup");
            found["apiVersion"] = json!("v1");
            Some(answer_json(200, &found))
        }
        ["apis", group, version] => resources(registry, group, version),
        _ => None,
    }
}

/// Says whether an `Accept` header takes everything at once, in the form that is given here.
fn wants_aggregated(accept: &str) -> bool {
    accept.split(',').any(|choice| {
        let parts: Vec<&str> = choice.split(';').map(str::trim).collect();
        parts.first() == Some(&"application/json")
            && parts.contains(&"as=APIGroupDiscoveryList")
            && parts.contains(&"v=v2")
    })
}

fn legacy() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// Returns the groups with their versions, the preferred one first.
pub(super) fn groups(registry: &Registry) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for resource in registry.all() {
        let versions = groups.entry(resource.kind.group.to_string()).or_default();
        for version in &resource.versions {
            if !versions.contains(&version.name) {
                versions.push(version.name.clone());
            }
        }
    }
    groups
}

fn group(name: &str, versions: &[String]) -> Value {
    let version =
        |version: &String| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let all: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": name, "versions": all, "preferredVersion": all.first()})
}

/// Returns the kinds of one group and version.
pub(super) fn of_version<'a>(
    registry: &'a Registry,
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = (&'a Arc<Resource>, &'a Version)> {
    registry
        .all()
        .filter(move |resource| resource.kind.group == group)
        .filter_map(move |resource| Some((resource, resource.version(version)?)))
}

fn resources(registry: &Registry, group: &str, version: &str) -> Option<Response<Body>> {
    let mut list = Vec::new();
    for (resource, version) in of_version(registry, group, version) {
        let mut entry = json!({
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.is_namespaced,
            "kind": resource.kind.name,
            "verbs": verbs(resource),
        });
        if !resource.short.is_empty() {
            entry["shortNames"] = json!(resource.short);
        }
        if !resource.categories.is_empty() {
            entry["categories"] = json!(resource.categories);
        }
        list.push(entry);
        for Subresource(name, kind, verbs) in subresources(resource, version) {
            let mut entry = json!({
                "name": format!("{}/{name}", resource.plural),
                "singularName": "",
                "namespaced": resource.is_namespaced,
                "kind": kind.name,
                "verbs": verbs,
            });
            if kind.group != resource.kind.group {
                entry["group"] = json!(kind.group);
                entry["version"] = json!("v1");
            }
            list.push(entry);
        }
    }
    if list.is_empty() {
        return None;
    }
    let name = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let list = json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name,
                      "resources": list});
    Some(answer_json(200, &list))
}

fn verbs(resource: &Resource) -> Vec<&'static str> {
    if resource.only_answers {
        vec!["create"]
    } else if resource.is_custom {
        CUSTOM_VERBS.to_vec()
    } else if resource.kind == Kind::NAMESPACE {
        // They go one by one.
        let all = VERBS.iter().copied();
        all.filter(|verb| *verb != "deletecollection").collect()
    } else {
        VERBS.to_vec()
    }
}

/// A sub-resource: its name, the kind that it speaks of, its verbs.
pub(super) struct Subresource(
    pub(super) &'static str,
    pub(super) Kind,
    pub(super) &'static [&'static str],
);

pub(super) fn subresources(resource: &Resource, version: &Version) -> Vec<Subresource> {
    const CHANGED: &[&str] = &["get", "patch", "update"];
    let mut list = Vec::new();
    if resource.kind == Kind::POD {
        list.push(Subresource("binding", Kind::of("", "Binding"), &["create"]));
        list.push(Subresource(
            "eviction",
            Kind::of("policy", "Eviction"),
            &["create"],
        ));
        list.push(Subresource("log", Kind::POD, &["get"]));
    }
    if resource.kind == Kind::NAMESPACE {
        list.push(Subresource("finalize", Kind::NAMESPACE, &["update"]));
    }
    if resource.scale.is_some() {
        list.push(Subresource(
            "scale",
            Kind::of("autoscaling", "Scale"),
            CHANGED,
        ));
    }
    if version.has_status {
        list.push(Subresource("status", resource.kind.clone(), CHANGED));
    }
    list
}

/// Answers with everything at once (`apidiscovery.k8s.io/v2`).
fn aggregated(registry: &Registry, is_core: bool) -> Response<Body> {
    let mut items = Vec::new();
    for (name, versions) in groups(registry) {
        if name.is_empty() != is_core {
            continue;
        }
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| {
                let kinds = of_version(registry, &name, version);
                let resources: Vec<Value> =
                    kinds.map(|(kind, version)| entry(kind, version)).collect();
                json!({"version": version, "resources": resources, "freshness": "Current"})
            })
            .collect();
        let metadata = if name.is_empty() {
            json!({})
        } else {
            json!({"name": name})
        };
        items.push(json!({"metadata": metadata, "versions": versions}));
    }
    let list = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
                      "metadata": {}, "items": items});
    let mut answer = answer_json(200, &list);
    let kind = HeaderValue::from_static(AGGREGATED);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn entry(resource: &Resource, version: &Version) -> Value {
    let scope = if resource.is_namespaced {
        "Namespaced"
    } else {
        "Cluster"
    };
    let kind = |kind: &Kind| {
        let is_own = kind.group == resource.kind.group;
        json!({"group": if is_own { "" } else { kind.group.as_ref() },
               "version": if is_own { "" } else { "v1" }, "kind": kind.name})
    };
    let below: Vec<Value> = subresources(resource, version)
        .iter()
        .map(|Subresource(name, of, verbs)| {
            json!({"subresource": name, "responseKind": kind(of), "verbs": verbs})
        })
        .collect();
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": kind(&resource.kind),
        "scope": scope,
        "singularResource": resource.singular,
        "verbs": verbs(resource),
    });
    for (key, list) in [
        ("shortNames", json!(resource.short)),
        ("categories", json!(resource.categories)),
        ("subresources", json!(below)),
    ] {
        if list.as_array().is_some_and(|list| !list.is_empty()) {
            entry[key] = list;
        }
    }
    entry
}
