//! What is sent.

use serde_json::Value;

pub(crate) const JSON: &str = "application/json";
pub(crate) const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
pub(crate) const PARTIAL: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
pub(crate) const PARTIALS: &str =
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// One request. `NS` stands for the namespace, `{UID}`, `{VERSION}`, `{STALE}` and `{NEXT}` for what
/// earlier answers said.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) media_type: &'static str,
    pub(crate) accept: &'static str,
    pub(crate) body: String,
    /// It is sent again and again until this is the status.
    pub(crate) until: Option<u16>,
}

impl Ask {
    /// Sends JSON.
    pub(crate) fn new(
        method: &'static str,
        path: impl Into<String>,
        body: impl Into<Value>,
    ) -> Self {
        Self {
            method,
            path: path.into(),
            media_type: JSON,
            accept: JSON,
            body: body.into().to_string(),
            until: None,
        }
    }

    /// Asks for something.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            body: String::new(),
            ..Self::new("GET", path, Value::Null)
        }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self {
            method: "DELETE",
            ..Self::get(path)
        }
    }

    fn patch(path: impl Into<String>, media_type: &'static str, body: Value) -> Self {
        Self {
            media_type,
            ..Self::new("PATCH", path, body)
        }
    }

    pub(crate) fn apply(path: impl Into<String>, body: Value) -> Self {
        Self::patch(path, "application/apply-patch+yaml", body)
    }

    pub(crate) fn merge(path: impl Into<String>, body: Value) -> Self {
        Self::patch(path, "application/merge-patch+json", body)
    }

    pub(crate) fn strategic(path: impl Into<String>, body: Value) -> Self {
        Self::patch(path, "application/strategic-merge-patch+json", body)
    }

    pub(crate) fn operations(path: impl Into<String>, body: Value) -> Self {
        Self::patch(path, "application/json-patch+json", body)
    }

    /// As this media type, and these bytes.
    pub(crate) fn raw(self, media_type: &'static str, body: &str) -> Self {
        Self {
            media_type,
            body: body.to_owned(),
            ..self
        }
    }

    pub(crate) fn accepting(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    pub(crate) fn until(self, code: u16) -> Self {
        Self {
            until: Some(code),
            ..self
        }
    }
}
