//! The kinds that there are at the moment: built-in ones and those of CustomResourceDefinitions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::{Kind, builtin};
use crate::sim::schema::Schema;

/// One kind and how it is served.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its group and kind.
    pub kind: Kind,
    /// Its name in paths, as `deployments`.
    pub plural: String,
    /// Its name in the singular, as `deployment`.
    pub singular: String,
    /// Short names, as `deploy`.
    pub short: Vec<String>,
    /// Groups of kinds that it is listed with, as `all`.
    pub categories: Vec<String>,
    /// Whether its objects live in namespaces.
    pub is_namespaced: bool,
    /// Whether `status` is written apart from the rest.
    pub has_status: bool,
    /// Where its replicas stand, if it can be scaled.
    pub scale: Option<ScalePaths>,
    /// Whether `metadata.generation` counts changes of the spec.
    pub counts_spec: bool,
    /// Whether it counts changes of annotations too.
    pub counts_annotations: bool,
    /// Whether a `create` is only answered and nothing is kept.
    pub only_answers: bool,
    /// Whether an update must say the resourceVersion.
    pub needs_version_to_update: bool,
    /// Whether a CustomResourceDefinition made it.
    pub is_custom: bool,
    /// Its served versions, the one that is kept first.
    pub versions: Vec<Version>,
}

/// One served version of a kind.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its name, as `v1`.
    pub name: String,
    /// The shape of its objects.
    pub schema: Arc<Schema>,
    /// The name of its OpenAPI definition; `None` for a custom one.
    pub definition: Option<String>,
    /// The OpenAPI schema of a custom one.
    pub custom_schema: Option<Value>,
    /// `additionalPrinterColumns` of a custom one.
    pub columns: Vec<Value>,
    /// Fields of a custom one that field selectors may ask about (`selectableFields`), as
    /// `spec.kind`.
    pub selectable: Vec<String>,
    /// Whether `status` is written apart from the rest.
    pub has_status: bool,
}

/// Where the sub-resource `scale` finds what it shows, as JSON pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// The wanted replicas.
    pub wanted: String,
    /// The existing replicas.
    pub existing: String,
    /// The selector: an object for built-in kinds, a text for custom ones.
    pub selector: Option<String>,
}

impl ScalePaths {
    pub(super) fn builtin() -> Self {
        Self {
            wanted: "/spec/replicas".to_owned(),
            existing: "/status/replicas".to_owned(),
            selector: Some("/spec/selector".to_owned()),
        }
    }
}

impl Resource {
    /// Returns the version that is kept.
    #[must_use]
    pub fn kept(&self) -> &Version {
        &self.versions[0]
    }

    /// Returns the version of that name.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.name == name)
    }

    /// Returns `apiVersion` of its objects in one of its versions.
    #[must_use]
    pub fn api_version(&self, version: &str) -> String {
        if self.kind.group.is_empty() {
            version.to_owned()
        } else {
            format!("{}/{version}", self.kind.group)
        }
    }
}

/// All kinds.
#[derive(Debug)]
pub struct Registry {
    by_kind: BTreeMap<Kind, Arc<Resource>>,
    by_plural: HashMap<(String, String), Kind>,
}

impl Registry {
    /// Returns the built-in kinds.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Self {
            by_kind: BTreeMap::new(),
            by_plural: HashMap::new(),
        };
        builtin::all().for_each(|resource| registry.insert(resource));
        registry
    }

    fn insert(&mut self, resource: Resource) {
        let name = (resource.kind.group.to_string(), resource.plural.clone());
        self.by_plural.insert(name, resource.kind.clone());
        self.by_kind
            .insert(resource.kind.clone(), Arc::new(resource));
    }

    /// Returns a kind.
    #[must_use]
    pub fn get(&self, kind: &Kind) -> Option<&Arc<Resource>> {
        self.by_kind.get(kind)
    }

    /// Returns the kind with that group and plural name.
    #[must_use]
    pub fn find(&self, group: &str, plural: &str) -> Option<&Arc<Resource>> {
        let kind = self.by_plural.get(&(group.to_owned(), plural.to_owned()))?;
        self.get(kind)
    }

    /// Returns all kinds by group and kind.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.by_kind.values()
    }

    /// Takes up the kind that a CustomResourceDefinition defines, in place of what it defined.
    pub fn define(&mut self, definition: &Value) {
        if let Some(resource) = custom(definition) {
            self.insert(resource);
        }
    }

    /// Drops the kind that a CustomResourceDefinition defines.
    pub fn forget(&mut self, definition: &Value) {
        if let Some(resource) = custom(definition) {
            let name = (resource.kind.group.to_string(), resource.plural);
            self.by_plural.remove(&name);
            self.by_kind.remove(&resource.kind);
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

fn custom(definition: &Value) -> Option<Resource> {
    let spec = definition.get("spec")?;
    let text = |pointer: &str| spec.pointer(pointer).and_then(Value::as_str);
    let texts = |pointer: &str| -> Vec<String> {
        let items = spec.pointer(pointer).and_then(Value::as_array);
        let texts = items.into_iter().flatten().filter_map(Value::as_str);
        texts.map(ToOwned::to_owned).collect()
    };
    let (group, name) = (text("/group")?.to_owned(), text("/names/kind")?.to_owned());
    let mut versions: Vec<&Value> = spec.get("versions")?.as_array()?.iter().collect();
    versions.retain(|version| version["served"] == true || version["storage"] == true);
    versions.sort_by_key(|version| version["storage"] != true);
    let kept = *versions.first()?;
    let singular = text("/names/singular").filter(|name| !name.is_empty());
    Some(Resource {
        plural: text("/names/plural")?.to_owned(),
        singular: singular.map_or_else(|| name.to_lowercase(), ToOwned::to_owned),
        short: texts("/names/shortNames"),
        categories: texts("/names/categories"),
        is_namespaced: text("/scope") != Some("Cluster"),
        has_status: kept.pointer("/subresources/status").is_some(),
        scale: kept.pointer("/subresources/scale").and_then(custom_scale),
        counts_spec: true,
        counts_annotations: false,
        only_answers: false,
        needs_version_to_update: true,
        is_custom: true,
        versions: versions.iter().filter_map(|one| version(one)).collect(),
        kind: Kind {
            group: group.into(),
            name: name.into(),
        },
    })
}

fn version(version: &Value) -> Option<Version> {
    let schema = version.pointer("/schema/openAPIV3Schema")?;
    let columns = version.get("additionalPrinterColumns");
    let selectable = version.get("selectableFields").and_then(Value::as_array);
    let paths = selectable.into_iter().flatten();
    let paths = paths.filter_map(|field| field["jsonPath"].as_str()?.strip_prefix('.'));
    Some(Version {
        selectable: paths.map(ToOwned::to_owned).collect(),
        name: version.get("name")?.as_str()?.to_owned(),
        schema: Schema::of_custom(schema),
        definition: None,
        custom_schema: Some(schema.clone()),
        columns: columns
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default(),
        has_status: version.pointer("/subresources/status").is_some(),
    })
}

fn custom_scale(scale: &Value) -> Option<ScalePaths> {
    let pointer = |key: &str| Some(scale.get(key)?.as_str()?.replace('.', "/"));
    Some(ScalePaths {
        wanted: pointer("specReplicasPath")?,
        existing: pointer("statusReplicasPath")?,
        selector: pointer("labelSelectorPath"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition() -> Value {
        json!({"spec": {
            "group": "tidegate.dev", "scope": "Namespaced",
            "names": {"kind": "GitSync", "plural": "gitsyncs", "shortNames": ["gsync"]},
            "versions": [
                {"name": "v1alpha1", "served": true, "storage": false,
                 "schema": {"openAPIV3Schema": {"type": "object"}}},
                {"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                 "schema": {"openAPIV3Schema": {"type": "object"}}},
            ],
        }})
    }

    #[test]
    fn a_definition_makes_a_kind_and_takes_it_away_again() {
        let mut registry = Registry::new();
        registry.define(&definition());
        let found = registry.find("tidegate.dev", "gitsyncs").expect("defined");
        assert_eq!(found.kept().name, "v1");
        assert_eq!(found.singular, "gitsync");
        assert!(found.has_status && found.is_namespaced);
        registry.forget(&definition());
        assert!(registry.find("tidegate.dev", "gitsyncs").is_none());
    }

    #[test]
    fn built_in_kinds_are_found_by_their_plural() {
        let registry = Registry::new();
        let deployments = registry.find("apps", "deployments").expect("built in");
        assert_eq!(deployments.kind, Kind::DEPLOYMENT);
        assert_eq!(deployments.api_version("v1"), "apps/v1");
        assert!(registry.find("", "deployments").is_none());
    }
}
