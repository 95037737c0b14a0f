//! OpenAPI v3, as far as `kubectl` reads it: for `explain` and to learn that the server validates
//! fields.

use http::Response;
use http::header::ACCEPT;
use http::request::Parts;
use serde_json::{Map, Value, json};

use super::discovery::{groups, of_version, subresources};
use super::reply::{self, Body, json as answer_json};
use crate::sim::kind::{Registry, Resource, Version};
use crate::sim::schema::{OBJECT_META, definition, names_of};

const ROOT: &str = "/openapi/v3";
const OLD_ROOT: &str = "/openapi/v2";
/// What stands in the media type of OpenAPI v2 that `kubectl` asks for.
const PROTOBUF: &str = "protobuf";
/// Parameters of writes that `kubectl` looks for.
const PARAMETERS: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "pretty"];

/// Answers a path of OpenAPI; `None` where it is none.
pub(super) fn answer(registry: &Registry, path: &str, head: &Parts) -> Option<Response<Body>> {
    if path == OLD_ROOT {
        return Some(old(head));
    }
    let rest = path.strip_prefix(ROOT)?.trim_start_matches('/');
    if rest.is_empty() {
        return Some(answer_json(200, &index(registry)));
    }
    let parts: Vec<&str> = rest.split('/').collect();
    let (group, version) = match parts.as_slice() {
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => return None,
    };
    of_version(registry, group, version).next()?;
    Some(answer_json(200, &document(registry, group, version)))
}

/// Answers with a document of version 2 that has nothing in it: `kubectl` looks there for what it does
/// not find in version 3, and is to be told that it is not there either.
fn old(head: &Parts) -> Response<Body> {
    let accept = head.headers.get(ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains(PROTOBUF)) {
        return reply::old_openapi();
    }
    answer_json(
        200,
        &json!({"swagger": "2.0", "info": {"title": "Kubernetes"}, "paths": {}}),
    )
}

fn index(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for (group, versions) in groups(registry) {
        for version in versions {
            let path = if group.is_empty() {
                format!("api/{version}")
            } else {
                format!("apis/{group}/{version}")
            };
            let hash = hash(registry, &group, &version);
            let url = format!("{ROOT}/{path}?hash={hash}");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// Tells documents apart for the cache of `kubectl`: those of custom kinds change.
fn hash(registry: &Registry, group: &str, version: &str) -> String {
    use sha2::Digest as _;
    let mut digest = sha2::Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    for (resource, version) in of_version(registry, group, version) {
        digest.update(resource.plural.as_bytes());
        if let Some(schema) = &version.custom_schema {
            digest.update(schema.to_string());
        }
    }
    hex::encode_upper(digest.finalize())
}

fn document(registry: &Registry, group: &str, version: &str) -> Value {
    let kinds: Vec<_> = of_version(registry, group, version).collect();
    let mut paths = Map::new();
    let mut schemas = Map::new();
    let mut roots = vec![OBJECT_META.to_owned()];
    for (resource, version) in &kinds {
        add_paths(resource, version, &mut paths);
        match (&version.definition, &version.custom_schema) {
            (Some(name), _) => roots.push(name.clone()),
            (None, Some(schema)) => {
                let schema = custom(resource, version, schema);
                schemas.insert(custom_name(resource, version), schema);
            }
            (None, None) => {}
        }
    }
    for name in names_of(roots.iter().map(String::as_str)) {
        if let Some(definition) = definition(&name) {
            schemas.insert(name, definition.clone());
        }
    }
    for (resource, version) in &kinds {
        let name = version.definition.as_ref();
        if let Some(schema) = name.and_then(|name| schemas.get_mut(name)) {
            schema["x-kubernetes-group-version-kind"] = json!([identity(resource, version)]);
        }
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.2+tidegate.simulated"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn identity(resource: &Resource, version: &Version) -> Value {
    json!({"group": resource.kind.group, "version": version.name, "kind": resource.kind.name})
}

/// Returns the name of a custom schema, as `dev.tidegate.v1alpha1.GitSync`.
fn custom_name(resource: &Resource, version: &Version) -> String {
    let mut group: Vec<&str> = resource.kind.group.split('.').collect();
    group.reverse();
    format!(
        "{}.{}.{}",
        group.join("."),
        version.name,
        resource.kind.name
    )
}

/// Returns the schema of a custom kind with what every object has.
fn custom(resource: &Resource, version: &Version, schema: &Value) -> Value {
    let mut schema = schema.clone();
    let texts = [
        ("apiVersion", "The version of the schema of this object."),
        ("kind", "The kind of this object."),
    ];
    for (key, description) in texts {
        schema["properties"][key] = json!({"type": "string", "description": description});
    }
    schema["properties"]["metadata"] = json!({
        "description": "Standard object's metadata.",
        "allOf": [{"$ref": format!("#/components/schemas/{OBJECT_META}")}],
    });
    schema["x-kubernetes-group-version-kind"] = json!([identity(resource, version)]);
    schema
}

fn add_paths(resource: &Resource, version: &Version, paths: &mut Map<String, Value>) {
    let api_version = resource.api_version(&version.name);
    let root = if resource.kind.group.is_empty() {
        format!("/api/{api_version}")
    } else {
        format!("/apis/{api_version}")
    };
    let plural = &resource.plural;
    let home = if resource.is_namespaced {
        let all = operations(resource, version, &[("get", "list")]);
        paths.insert(format!("{root}/{plural}"), all);
        format!("{root}/namespaces/{{namespace}}/{plural}")
    } else {
        format!("{root}/{plural}")
    };
    if resource.only_answers {
        paths.insert(home, operations(resource, version, &[("post", "post")]));
        return;
    }
    let many = [
        ("get", "list"),
        ("post", "post"),
        ("delete", "deletecollection"),
    ];
    let one = [
        ("get", "get"),
        ("put", "put"),
        ("patch", "patch"),
        ("delete", "delete"),
    ];
    let of_one = operations(resource, version, &one);
    for below in subresources(resource, version) {
        let path = format!("{home}/{{name}}/{}", below.0);
        let methods: &[(&str, &str)] = if below.2 == ["create"] {
            &[("post", "post")]
        } else {
            &[("get", "get"), ("put", "put"), ("patch", "patch")]
        };
        paths.insert(path, operations(resource, version, methods));
    }
    paths.insert(format!("{home}/{{name}}"), of_one);
    paths.insert(home, operations(resource, version, &many));
}

fn operations(resource: &Resource, version: &Version, methods: &[(&str, &str)]) -> Value {
    let parameters: Vec<Value> = PARAMETERS
        .iter()
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}}))
        .collect();
    let name = match &version.definition {
        Some(name) => name.clone(),
        None => custom_name(resource, version),
    };
    let schema = json!({"$ref": format!("#/components/schemas/{name}")});
    let content = json!({"application/json": {"schema": schema}});
    let mut operations = Map::new();
    for (method, action) in methods {
        let mut operation = json!({
            "responses": {"200": {"description": "OK", "content": content}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": identity(resource, version),
        });
        if matches!(*method, "post" | "put" | "patch") {
            operation["parameters"] = json!(parameters);
            operation["requestBody"] = json!({"content": content, "required": true});
        }
        operations.insert((*method).to_owned(), operation);
    }
    Value::Object(operations)
}
