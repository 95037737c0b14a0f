//! Image references, as far as people need to read them.

use std::fmt;

/// An image reference split at its tag and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// Registry and repository.
    pub repository: String,
    /// Tag; `None` where only a digest or nothing is given.
    pub tag: Option<String>,
    /// Digest such as `sha256:…`.
    pub digest: Option<String>,
}

impl ImageReference {
    /// Splits `text`; a colon before the last slash belongs to the registry's port.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag.to_owned())),
            _ => (name, None),
        };
        Self {
            repository: repository.to_owned(),
            tag,
            digest,
        }
    }
}

/// The last part of the repository with its tag: `web 1.8.0`.
impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self
            .repository
            .rsplit('/')
            .next()
            .unwrap_or(&self.repository);
        let version = self
            .tag
            .as_deref()
            .or(self.digest.as_deref())
            .unwrap_or("latest");
        write!(f, "{name} {version}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        let image = ImageReference::read("registry.example:5000/shop/web");
        assert_eq!(image.repository, "registry.example:5000/shop/web");
        assert_eq!(image.tag, None);
        assert_eq!(
            ImageReference::read("a:5000/web:1.8@sha256:00").to_string(),
            "web 1.8"
        );
    }
}
