//! What can be wrong with the documents.

use crate::object::{DurationFault, KindNameFault};

/// Says what is wrong, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no document at all. A caller that follows the file keeps what it had.
    #[error("{file}: there is no GitSync in it; write at least one document of that kind")]
    Empty {
        /// The file as the caller names it.
        file: String,
    },
    /// The text is no YAML; what follows is not read.
    #[error("{file}{position}: {cause}")]
    Syntax {
        /// The file as the caller names it.
        file: String,
        /// `:line:column`, both from 1; empty where the parser gives none.
        position: String,
        /// What the parser says.
        cause: String,
    },
    /// One field of one document.
    #[error("{file}: {subject}: {field}: {cause}")]
    Field {
        /// The file as the caller names it.
        file: String,
        /// `GitSync namespace/name`, or `document 2` where it has no name.
        subject: String,
        /// The field, such as `spec.source.url`.
        field: String,
        /// What is wrong with it and what to write.
        cause: String,
    },
    /// Two documents have the same namespace and name.
    #[error("{file}: {subject}: is there twice; a namespace and name must be unique")]
    Duplicate {
        /// The file as the caller names it.
        file: String,
        /// `GitSync namespace/name`.
        subject: String,
    },
}

/// What is wrong with one field, before it is known whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldFault {
    pub(super) field: String,
    pub(super) cause: Cause,
}

/// What is wrong with one value, as the end of a sentence that begins with its field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Cause(String);

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Cause {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<DurationFault> for Cause {
    fn from(fault: DurationFault) -> Self {
        Self(fault.to_string())
    }
}

impl From<KindNameFault> for Cause {
    fn from(fault: KindNameFault) -> Self {
        Self(fault.to_string())
    }
}
