//! Kinds as people name them in documents.

use std::{fmt, str::FromStr};

use super::ObjectId;

/// Names a kind, with or without its group: `Deployment`, `networking.k8s.io/Ingress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindName {
    /// API group; `None` means any. The core group cannot be written, it has no name.
    pub group: Option<String>,
    /// Kind in CamelCase.
    pub kind: String,
}

/// Says that a text names no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind such as Deployment or apps/Deployment")]
pub struct KindNameFault(String);

impl KindName {
    /// Returns the name of an object's kind: with its group, where that is not the core group.
    #[must_use]
    pub fn of(id: &ObjectId) -> Self {
        Self {
            group: (!id.group.is_empty()).then(|| id.group.clone()),
            kind: id.kind.clone(),
        }
    }

    /// Says whether the object is of this kind.
    #[must_use]
    pub fn matches(&self, id: &ObjectId) -> bool {
        self.kind == id.kind && self.group.as_ref().is_none_or(|group| *group == id.group)
    }
}

impl FromStr for KindName {
    type Err = KindNameFault;

    fn from_str(text: &str) -> Result<Self, KindNameFault> {
        let (group, kind) = match text.split_once('/') {
            Some((group, kind)) => (Some(group.to_owned()), kind),
            None => (None, text),
        };
        let is_kind = kind.starts_with(|first: char| first.is_ascii_uppercase())
            && kind.chars().all(|letter| letter.is_ascii_alphanumeric());
        if !is_kind || group.as_deref() == Some("") {
            return Err(KindNameFault(text.to_owned()));
        }
        Ok(Self {
            group,
            kind: kind.to_owned(),
        })
    }
}

/// `apps/Deployment` or `Deployment`: as documents have it.
impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.group {
            Some(group) => write!(f, "{group}/{}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_without_a_group_is_meant_in_every_group() {
        let role: ObjectId = "rbac.authorization.k8s.io/Role/shop/reader"
            .parse()
            .unwrap();
        let [bare, full, other] = ["Role", "rbac.authorization.k8s.io/Role", "example.com/Role"]
            .map(|text| text.parse::<KindName>().unwrap());
        assert!(bare.matches(&role) && full.matches(&role) && !other.matches(&role));
        assert_eq!(KindName::of(&role), full);
        assert_eq!(full.to_string(), "rbac.authorization.k8s.io/Role");
    }

    #[test]
    fn what_names_no_kind_is_refused() {
        for text in [
            "",
            "role",
            "/Role",
            "a/b/C",
            "Role.rbac.authorization.k8s.io",
            "pods/log",
        ] {
            let fault = text.parse::<KindName>().unwrap_err();
            assert_eq!(
                fault.to_string(),
                format!("`{text}` is no kind such as Deployment or apps/Deployment")
            );
        }
    }
}
