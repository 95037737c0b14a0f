//! The identity of an object, its version apart.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Names one object of a cluster: group, kind, namespace and name.
///
/// The API version is no part of it, so that a move from `v1beta1` to `v1` is not a delete and a
/// create. Its text form, also used as JSON key, is `group/Kind/namespace/name`; the group of the
/// core API and the namespace of a cluster-scoped object are empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ObjectId {
    /// API group; empty for the core API.
    pub group: String,
    /// Kind in CamelCase.
    pub kind: String,
    /// Namespace; `None` for a cluster-scoped object.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// Says why a text is no object key.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no object key of the form group/Kind/namespace/name")]
pub struct ObjectIdFault(String);

/// Says whether workloads of this kind are rolled in batches.
#[must_use]
pub fn is_rolled(kind: &str) -> bool {
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet")
}

impl ObjectId {
    /// Returns the key `group/Kind/namespace/name`.
    #[must_use]
    pub fn key(&self) -> String {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        format!("{}/{}/{namespace}/{}", self.group, self.kind, self.name)
    }

    /// Returns the short form `Kind/name`.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// Says whether this is a workload that is rolled in batches: a `Deployment`, a `StatefulSet`
    /// or a `DaemonSet` of the group `apps`.
    #[must_use]
    pub fn is_workload(&self) -> bool {
        self.group == "apps" && is_rolled(&self.kind)
    }
}

/// `Deployment/shop/web`, `Namespace/shop`: as people write it.
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.key()
    }
}

impl TryFrom<String> for ObjectId {
    type Error = ObjectIdFault;

    fn try_from(text: String) -> Result<Self, ObjectIdFault> {
        text.parse()
    }
}

impl FromStr for ObjectId {
    type Err = ObjectIdFault;

    fn from_str(text: &str) -> Result<Self, ObjectIdFault> {
        let parts: Vec<&str> = text.split('/').collect();
        let [group, kind, namespace, name] = parts[..] else {
            return Err(ObjectIdFault(text.to_owned()));
        };
        if kind.is_empty() || name.is_empty() {
            return Err(ObjectIdFault(text.to_owned()));
        }
        Ok(Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_the_same_identity() {
        for key in [
            "apps/Deployment/shop/web",
            "/ConfigMap/shop/flags",
            "/Namespace//shop",
        ] {
            let id: ObjectId = key.parse().unwrap();
            assert_eq!(id.key(), key);
        }
    }

    #[test]
    fn a_text_of_another_form_is_refused() {
        for text in [
            "",
            "a/b/c",
            "a/b/c/d/e",
            "apps//shop/web",
            "apps/Deployment/shop/",
        ] {
            assert!(text.parse::<ObjectId>().is_err(), "{text}");
        }
    }
}
