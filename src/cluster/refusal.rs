//! Why the API server did not do what it was asked.

use std::{fmt, time::Duration};

/// A call that did not end as asked: what was asked, and why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// What was asked: ``apply of `Deployment/shop/web` ``.
    pub call: String,
    /// Why it was not done.
    pub cause: Cause,
}

/// Why a call was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The object is wrong: unknown fields, wrong types, validation.
    Invalid {
        /// The API server's words.
        message: String,
        /// The fields it named; may be empty.
        fields: Vec<FieldFault>,
        /// A field that cannot be changed on a live object would have changed.
        immutable: bool,
    },
    /// The live object is no longer the one (resource version, UID) that the call expected.
    Conflict,
    /// An object of that name exists.
    AlreadyExists,
    /// The object does not exist.
    NotFound,
    /// The namespace does not exist.
    NamespaceMissing,
    /// The namespace is being deleted.
    NamespaceEnding,
    /// The API server does not serve the kind in that version.
    KindUnknown {
        /// `Kind` of `apiVersion`.
        kind: String,
    },
    /// A right is missing.
    Forbidden {
        /// The right: `patch resource "deployments" in API group "apps" in the namespace "shop"`.
        right: String,
    },
    /// Admission (a webhook, a policy, a quota) denied it.
    Denied {
        /// The API server's words.
        message: String,
    },
    /// The API server did not accept the credentials.
    Unauthenticated,
    /// The resource version asked for is too old; list again.
    Expired,
    /// The API server has too much to do.
    TooMany {
        /// How long it asks to wait; 1 s where it says nothing, at most 30 s.
        retry_after: Duration,
    },
    /// It was not reached, or a read was not answered: nothing was changed.
    Unreachable {
        /// What failed.
        reason: String,
    },
    /// A write was sent and not answered: it may have been done. Read before it is repeated.
    OutcomeUnknown {
        /// What failed.
        reason: String,
    },
    /// It was not sent, since this process no longer holds the Lease.
    NotLeader,
    /// Anything else that the API server answered.
    Fault {
        /// HTTP status.
        code: u16,
        /// The API server's words.
        message: String,
    },
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// Path, as the API server writes it: `spec.selector`, `.spec.containers[name="c"].imagge`.
    pub field: String,
    /// `FieldValueInvalid` and the like; empty where the API server gives none.
    pub reason: String,
    /// The API server's words.
    pub message: String,
}

impl Refusal {
    /// Says whether the same call may succeed later without anyone changing anything. After
    /// [`Cause::OutcomeUnknown`] the object has to be read first.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match &self.cause {
            Cause::TooMany { .. } | Cause::Unreachable { .. } | Cause::OutcomeUnknown { .. } => {
                true
            }
            Cause::Fault { code, .. } => *code >= 500,
            Cause::Invalid { .. }
            | Cause::Conflict
            | Cause::AlreadyExists
            | Cause::NotFound
            | Cause::NamespaceMissing
            | Cause::NamespaceEnding
            | Cause::KindUnknown { .. }
            | Cause::Forbidden { .. }
            | Cause::Denied { .. }
            | Cause::Unauthenticated
            | Cause::Expired
            | Cause::NotLeader => false,
        }
    }

    /// Says whether the API server looked at the object and will refuse it again as long as nobody
    /// changes anything.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        match &self.cause {
            Cause::Invalid { .. }
            | Cause::Denied { .. }
            | Cause::Forbidden { .. }
            | Cause::KindUnknown { .. }
            | Cause::NamespaceMissing
            | Cause::NamespaceEnding => true,
            Cause::Fault { code, .. } => *code < 500,
            Cause::Conflict
            | Cause::AlreadyExists
            | Cause::NotFound
            | Cause::TooMany { .. }
            | Cause::Unreachable { .. }
            | Cause::OutcomeUnknown { .. }
            | Cause::Unauthenticated
            | Cause::Expired
            | Cause::NotLeader => false,
        }
    }

    /// Returns how long the API server asked to wait, at most 30 s.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.cause {
            Cause::TooMany { retry_after } => Some(retry_after),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, cause } = self;
        match cause {
            Cause::Unreachable { reason } => write!(f, "{call} got no answer: {reason}"),
            Cause::OutcomeUnknown { reason } => {
                write!(
                    f,
                    "{call} has an unknown outcome, it may have been done: {reason}"
                )
            }
            Cause::NotLeader => {
                write!(
                    f,
                    "{call} was not sent: this process does not hold the lease"
                )
            }
            Cause::Fault { code, message } => write!(f, "{call} failed with {code}: {message}"),
            Cause::Invalid { .. }
            | Cause::Conflict
            | Cause::AlreadyExists
            | Cause::NotFound
            | Cause::NamespaceMissing
            | Cause::NamespaceEnding
            | Cause::KindUnknown { .. }
            | Cause::Forbidden { .. }
            | Cause::Denied { .. }
            | Cause::Unauthenticated
            | Cause::Expired
            | Cause::TooMany { .. } => write!(f, "{call} was refused: {cause}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { message, .. } | Self::Denied { message } => f.write_str(message),
            Self::Conflict => f.write_str("it was changed or replaced meanwhile"),
            Self::AlreadyExists => f.write_str("it exists already"),
            Self::NotFound => f.write_str("it does not exist"),
            Self::NamespaceMissing => f.write_str("its namespace does not exist"),
            Self::NamespaceEnding => f.write_str("its namespace is being deleted"),
            Self::KindUnknown { kind } => {
                write!(
                    f,
                    "the cluster does not serve {kind}; is its CRD installed?"
                )
            }
            Self::Forbidden { right } => write!(f, "the right to {right} is missing"),
            Self::Unauthenticated => {
                f.write_str("the API server did not accept the credentials (401)")
            }
            Self::Expired => f.write_str("the resource version is too old"),
            Self::TooMany { retry_after } => {
                write!(
                    f,
                    "the API server has too much to do, retry after {retry_after:?}"
                )
            }
            Self::Unreachable { reason } | Self::OutcomeUnknown { reason } => f.write_str(reason),
            Self::NotLeader => f.write_str("this process does not hold the lease"),
            Self::Fault { code, message } => write!(f, "{code}: {message}"),
        }
    }
}
