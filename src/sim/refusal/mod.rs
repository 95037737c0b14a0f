//! Why the simulated API server refuses a request: what a `metav1.Status` of failure says.

mod cause;

pub use cause::Cause;

use serde_json::{Value, json};

/// One refusal, in the words of the real API server (`apimachinery/pkg/api/errors`).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// HTTP status, 400 to 599.
    pub code: u16,
    /// `metav1.StatusReason`, as `NotFound`.
    pub reason: &'static str,
    /// What people read.
    pub message: String,
    /// `details` of the Status; `null` for none.
    pub details: Value,
}

/// What a refusal is about: `details` of the Status and the name in its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// API group; empty for the core API.
    pub group: String,
    /// The resource, as `deployments`.
    pub plural: String,
    /// The kind, as `Deployment`.
    pub kind: String,
    /// The object's name.
    pub name: String,
}

impl Subject {
    /// Returns `deployments.apps`, or `pods` for the core API.
    #[must_use]
    pub fn resource(&self) -> String {
        qualified(&self.plural, &self.group)
    }

    fn details(&self, kind: &str) -> Value {
        let mut details = json!({});
        if !kind.is_empty() {
            details["kind"] = json!(kind);
        }
        if !self.name.is_empty() {
            details["name"] = json!(self.name);
        }
        if !self.group.is_empty() {
            details["group"] = json!(self.group);
        }
        details
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>, details: Value) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details,
        }
    }

    /// 404: no such object.
    #[must_use]
    pub fn not_found(subject: &Subject) -> Self {
        let message = format!("{} {:?} not found", subject.resource(), subject.name);
        Self::new(404, "NotFound", message, subject.details(&subject.plural))
    }

    /// 404: no such path.
    #[must_use]
    pub fn no_such_path() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(404, "NotFound", message, json!({}))
    }

    /// 409: the name is taken.
    #[must_use]
    pub fn already_exists(subject: &Subject) -> Self {
        let message = format!("{} {:?} already exists", subject.resource(), subject.name);
        Self::new(
            409,
            "AlreadyExists",
            message,
            subject.details(&subject.plural),
        )
    }

    /// 409: the object is not what the writer thinks it is.
    #[must_use]
    pub fn conflict(subject: &Subject, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {:?}: {why}",
            subject.resource(),
            subject.name
        );
        Self::new(409, "Conflict", message, subject.details(&subject.plural))
    }

    /// 409: the writer's resourceVersion is not the live one.
    #[must_use]
    pub fn stale(subject: &Subject) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version \
                   and try again";
        Self::conflict(subject, why)
    }

    /// 409: an apply would change what others own.
    #[must_use]
    pub fn apply_conflict(message: String, causes: &[Value]) -> Self {
        Self::new(409, "Conflict", message, json!({"causes": causes}))
    }

    /// 500: a configuration that cannot be merged, as the real server answers it.
    #[must_use]
    pub fn malformed_apply(
        (namespace, name): (&str, &str),
        (api_version, kind): (&str, &str),
        place: &str,
    ) -> Self {
        // The group stands there even where it is none.
        let slash = if api_version.contains('/') { "" } else { "/" };
        let message = format!(
            "failed to create typed patch object ({namespace}/{name}; {slash}{api_version}, \
             Kind={kind}): {place}"
        );
        Self::new(500, "", message, Value::Null)
    }

    /// 422: fields do not hold what they must.
    #[must_use]
    pub fn invalid(subject: &Subject, causes: &[Cause]) -> Self {
        let texts: Vec<String> = causes
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect();
        let text = match texts.as_slice() {
            [one] => one.clone(),
            all => format!("[{}]", all.join(", ")),
        };
        let kind = qualified(&subject.kind, &subject.group);
        let mut details = subject.details(&subject.kind);
        details["causes"] = causes
            .iter()
            .map(|cause| {
                json!({"reason": cause.reason, "message": cause.message, "field": cause.field})
            })
            .collect();
        let message = format!("{kind} {:?} is invalid: {text}", subject.name);
        Self::new(422, "Invalid", message, details)
    }

    /// 400: the request cannot be understood.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message, Value::Null)
    }

    /// 403: admission or a rule of the resource says no.
    #[must_use]
    pub fn forbidden(subject: &Subject, why: &str) -> Self {
        let message = format!(
            "{} {:?} is forbidden: {why}",
            subject.resource(),
            subject.name
        );
        Self::new(403, "Forbidden", message, subject.details(&subject.plural))
    }

    /// 405: the resource has no such verb.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message, json!({}))
    }

    /// 406: the answer cannot be given in any form that is accepted.
    #[must_use]
    pub fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json";
        Self::new(406, "NotAcceptable", message, json!({}))
    }

    /// 413: the body is too large.
    #[must_use]
    pub fn too_large(message: &str) -> Self {
        Self::new(413, "RequestEntityTooLarge", message, json!({}))
    }

    /// 422: parameters of the request are wrong; `kind` as `PatchOptions`.
    #[must_use]
    pub fn options(kind: &str, causes: &[Cause]) -> Self {
        let options = Subject {
            group: "meta.k8s.io".to_owned(),
            plural: String::new(),
            kind: kind.to_owned(),
            name: String::new(),
        };
        Self::invalid(&options, causes)
    }

    /// 422: what a patch makes cannot be kept; the object is not named, as on the real server.
    #[must_use]
    pub fn invalid_patch(causes: &[Cause]) -> Self {
        let nobody = Subject {
            group: String::new(),
            plural: String::new(),
            kind: String::new(),
            name: String::new(),
        };
        let mut refusal = Self::invalid(&nobody, causes);
        if let Some(details) = refusal.details.as_object_mut() {
            details.retain(|key, _| key == "causes");
        }
        refusal
    }

    /// 422: a JSON patch does not fit the object.
    #[must_use]
    pub fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::new(422, "Invalid", message, json!({}))
    }

    /// 504: a revision that is not there yet.
    #[must_use]
    pub fn too_large_revision(wanted: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {wanted}, current: {current}");
        let cause =
            json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        let details = json!({"causes": [cause], "retryAfterSeconds": 1});
        Self::new(504, "Timeout", message, details)
    }

    /// A failure without a reason, as the real server answers what it did not foresee.
    #[must_use]
    pub fn unnamed(code: u16, message: &str) -> Self {
        Self::new(code, "", message, Value::Null)
    }

    /// Any status of failure, in its usual words.
    #[must_use]
    pub fn failure(code: u16) -> Self {
        let (reason, message) = match code {
            401 => ("Unauthorized", "Unauthorized"),
            403 => ("Forbidden", "forbidden: a fault that was asked for"),
            409 => ("Conflict", "a conflict that was asked for"),
            500 => (
                "InternalError",
                "Internal error occurred: etcdserver: request timed out",
            ),
            503 => ("ServiceUnavailable", "apiserver is shutting down"),
            504 => (
                "Timeout",
                "Timeout: request did not complete within the allotted timeout",
            ),
            _ => ("", "a fault that was asked for"),
        };
        Self::new(code, reason, message, json!({}))
    }

    /// 410: the resourceVersion is older than what is kept.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message, Value::Null)
    }

    /// 415: the body's type is not known here.
    #[must_use]
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message, Value::Null)
    }

    /// 429: come back later; `seconds` goes into `Retry-After` and the details.
    #[must_use]
    pub fn too_many_requests(message: impl Into<String>, seconds: u32) -> Self {
        let details = json!({"retryAfterSeconds": seconds});
        Self::new(429, "TooManyRequests", message, details)
    }

    /// 500: the server failed.
    #[must_use]
    pub fn internal(message: impl std::fmt::Display) -> Self {
        let message = format!("Internal error occurred: {message}");
        let details = json!({"causes": [{"message": message}]});
        Self::new(500, "InternalError", message, details)
    }

    /// 503: the server is not there for now.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message, Value::Null)
    }

    /// Returns the seconds that `Retry-After` says, where it says any.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        self.details.get("retryAfterSeconds")?.as_u64()
    }

    /// Returns the `Status` object of the answer.
    #[must_use]
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> Subject {
        Subject {
            group: "apps".to_owned(),
            plural: "deployments".to_owned(),
            kind: "Deployment".to_owned(),
            name: "web".to_owned(),
        }
    }

    #[test]
    fn a_missing_object_is_named_by_resource_and_group() {
        let refusal = Refusal::not_found(&web());
        assert_eq!(refusal.to_string(), "deployments.apps \"web\" not found");
        let details = json!({"name": "web", "group": "apps", "kind": "deployments"});
        assert_eq!(refusal.status()["details"], details);
    }

    #[test]
    fn one_cause_stands_bare_and_several_in_brackets() {
        let one = [Cause::required("spec.selector", "")];
        let text = "Deployment.apps \"web\" is invalid: spec.selector: Required value";
        assert_eq!(Refusal::invalid(&web(), &one).message, text);
        let two = [
            Cause::required("spec.selector", ""),
            Cause::invalid(
                "spec.replicas",
                &json!(-1),
                "must be greater than or equal to 0",
            ),
        ];
        let text = "Deployment.apps \"web\" is invalid: [spec.selector: Required value, \
                    spec.replicas: Invalid value: -1: must be greater than or equal to 0]";
        assert_eq!(Refusal::invalid(&web(), &two).message, text);
    }
}
