//! One call: what it is called in errors, and what its answer means.

use std::{error::Error, time::Duration};

use kube::core::Status;

use super::{Cause, FieldFault, Refusal};
use crate::object::ObjectId;

/// The longest wait that is taken from the API server.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Longer words of the API server are cut in the middle: strict merge patches quote whole objects.
const LONGEST_MESSAGE: usize = 1000;
const WITHHELD: &str = "the API server's words are withheld, since they may quote a value";

/// What a call may change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: reads and dry runs.
    Nothing,
    /// The cluster.
    Writes,
}

/// One call to the API server, for errors and for the meaning of its answer.
pub(super) struct Call {
    text: String,
    kind: String,
    pub(super) api_version: String,
    secret: bool,
    namespace: bool,
    pub(super) effect: Effect,
}

impl Call {
    /// `verb` of one object.
    pub(super) fn on(verb: &str, api_version: &str, id: &ObjectId, effect: Effect) -> Self {
        Self {
            text: format!("{verb} of `{id}`"),
            kind: id.kind.clone(),
            api_version: api_version.to_owned(),
            secret: id.group.is_empty() && id.kind == "Secret",
            namespace: id.group.is_empty() && id.kind == "Namespace",
            effect,
        }
    }

    /// `verb` of all objects of a kind, in one namespace or in all.
    pub(super) fn over(verb: &str, api_version: &str, kind: &str, place: Option<&str>) -> Self {
        let place = place.map_or_else(String::new, |namespace| format!(" in `{namespace}`"));
        Self {
            text: format!("{verb} of `{kind}`{place}"),
            kind: kind.to_owned(),
            api_version: api_version.to_owned(),
            secret: api_version == "v1" && kind == "Secret",
            namespace: false,
            effect: Effect::Nothing,
        }
    }

    pub(super) fn refused(&self, cause: Cause) -> Refusal {
        Refusal {
            call: self.text.clone(),
            cause,
        }
    }

    /// The kind is not served.
    pub(super) fn unknown_kind(&self) -> Refusal {
        let kind = format!("{} of {}", self.kind, self.api_version);
        self.refused(Cause::KindUnknown { kind })
    }

    /// The request itself could not be made.
    pub(super) fn malformed(&self, message: String) -> Refusal {
        self.refused(Cause::Invalid {
            message,
            fields: Vec::new(),
            immutable: false,
        })
    }

    /// No answer came within the deadline.
    pub(super) fn too_late(&self, deadline: Duration) -> Refusal {
        self.unanswered(format!("no answer within {deadline:?}"))
    }

    /// The answer is missing or cannot be read.
    pub(super) fn unanswered(&self, reason: String) -> Refusal {
        self.refused(match self.effect {
            Effect::Nothing => Cause::Unreachable { reason },
            Effect::Writes => Cause::OutcomeUnknown { reason },
        })
    }

    /// The transport failed; a write that never left has a known outcome.
    pub(super) fn broken(&self, fault: &kube::Error) -> Refusal {
        if let kube::Error::Api(status) = fault {
            return self.answered(status, None);
        }
        let reason = chain(fault);
        if matches!(fault, kube::Error::Auth(_)) || reason.contains("(Connect)") {
            return self.refused(Cause::Unreachable { reason });
        }
        self.unanswered(reason)
    }

    /// The API server said no.
    pub(super) fn answered(&self, status: &Status, retry_after: Option<Duration>) -> Refusal {
        self.refused(self.cause(status, retry_after))
    }

    fn cause(&self, status: &Status, retry_after: Option<Duration>) -> Cause {
        let asked = status
            .details
            .as_ref()
            .map_or(0, |details| details.retry_after_seconds);
        let asked = (asked > 0).then(|| Duration::from_secs(asked.into()));
        match (status.code, status.reason.as_str()) {
            (401, _) => Cause::Unauthenticated,
            (400..=422, _) if is_denial(&status.message) => Cause::Denied {
                message: self.said(&status.message),
            },
            (403, _) => self.forbidden(status),
            (404, _) => self.absent(status),
            (409, "AlreadyExists") => Cause::AlreadyExists,
            (409, _) => Cause::Conflict,
            (410, _) => Cause::Expired,
            (429, _) => {
                let wait = retry_after.or(asked).unwrap_or(Duration::from_secs(1));
                Cause::TooMany {
                    retry_after: wait.min(LONGEST_WAIT),
                }
            }
            (422, _) | (400, _) => self.invalid(status),
            (500, _) if typed_fault(&status.message).is_some() => self.mistyped(&status.message),
            (500 | 504, _) if self.is_lost_write(&status.message) => {
                let reason = format!("{}: {}", status.code, self.said(&status.message));
                Cause::OutcomeUnknown { reason }
            }
            (code, _) => Cause::Fault {
                code,
                message: self.said(&status.message),
            },
        }
    }

    /// A write that failed inside the API server may have been stored, unless admission ended it.
    fn is_lost_write(&self, message: &str) -> bool {
        self.effect == Effect::Writes && !message.contains("failed calling webhook")
    }

    fn forbidden(&self, status: &Status) -> Cause {
        let causes = status.details.iter().flat_map(|details| &details.causes);
        if causes
            .into_iter()
            .any(|cause| cause.reason == "NamespaceTerminating")
        {
            return Cause::NamespaceEnding;
        }
        let right = status
            .message
            .split_once("\" cannot ")
            .filter(|_| status.message.contains("is forbidden: User \""));
        match right {
            Some((_, right)) => Cause::Forbidden {
                right: right.replace(" in API group \"\"", ""),
            },
            None => Cause::Denied {
                message: self.said(&status.message),
            },
        }
    }

    fn absent(&self, status: &Status) -> Cause {
        let (kind, name) = status.details.as_ref().map_or(("", ""), |details| {
            (details.kind.as_str(), details.name.as_str())
        });
        if kind == "namespaces" && !self.namespace {
            Cause::NamespaceMissing
        } else if name.is_empty() {
            self.unknown_kind().cause
        } else {
            Cause::NotFound
        }
    }

    fn invalid(&self, status: &Status) -> Cause {
        let causes = status.details.iter().flat_map(|details| &details.causes);
        let fields: Vec<FieldFault> = causes
            .map(|cause| FieldFault {
                field: cause.field.clone(),
                reason: cause.reason.clone(),
                message: self.said(&cause.message),
            })
            .collect();
        if !fields.is_empty() && fields.iter().all(|fault| fault.field == "metadata.uid") {
            return Cause::Conflict;
        }
        let immutable = is_immutable(&status.message);
        Cause::Invalid {
            message: self.said(&status.message),
            fields,
            immutable,
        }
    }

    /// Server-side apply answers fields it cannot type with 500 and no reason (measured on 1.36).
    fn mistyped(&self, message: &str) -> Cause {
        let faults = typed_fault(message).unwrap_or_default();
        let fields = faults
            .lines()
            .filter_map(|line| line.trim().split_once(": "))
            .filter(|(field, _)| field.starts_with('.'))
            .map(|(field, fault)| FieldFault {
                field: field.to_owned(),
                reason: String::new(),
                message: self.said(fault),
            })
            .collect();
        Cause::Invalid {
            message: self.said(faults),
            fields,
            immutable: false,
        }
    }

    /// The API server's words, cut where they may quote a value of a Secret or whole objects.
    fn said(&self, message: &str) -> String {
        let undeclared = message.trim().ends_with("field not declared in schema");
        if self.secret && !(undeclared && message.trim().lines().count() == 1) {
            return WITHHELD.to_owned();
        }
        if message.len() <= LONGEST_MESSAGE {
            return message.to_owned();
        }
        let chars: Vec<char> = message.chars().collect();
        let part = |range: &[char]| range.iter().collect::<String>();
        let tail = chars.len().saturating_sub(LONGEST_MESSAGE / 2);
        let head = tail.min(LONGEST_MESSAGE / 2);
        format!("{} … {}", part(&chars[..head]), part(&chars[tail..]))
    }
}

/// What follows the prefix of server-side apply's own faults; `None` for other messages.
fn typed_fault(message: &str) -> Option<&str> {
    let ours = [
        "failed to create typed patch object (",
        "failed to convert new object (",
    ];
    let rest = ours
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))?;
    rest.split_once(')')
        .map(|(_, fault)| fault.trim_start_matches(": ").trim_start())
}

/// Words of a webhook and of a ValidatingAdmissionPolicy; both choose their own code.
fn is_denial(message: &str) -> bool {
    message.contains("denied the request") || message.contains("denied request")
}

fn is_immutable(message: &str) -> bool {
    [
        "is immutable",
        "may not change once set",
        "updates to statefulset spec",
        "pod updates may not",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// The error with all its causes, each said once.
fn chain(fault: &dyn Error) -> String {
    let mut text = fault.to_string();
    let mut next = fault.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(kind: &str, effect: Effect, status: Value) -> Refusal {
        let id = format!("/{kind}/shop/web").parse().unwrap();
        let status: Status = serde_json::from_value(status).unwrap();
        Call::on("apply", "v1", &id, effect).answered(&status, None)
    }

    fn cause(code: u16, reason: &str, message: &str) -> Cause {
        let status = json!({"code": code, "reason": reason, "message": message,
            "details": {"name": "web"}});
        answer("Pod", Effect::Writes, status).cause
    }

    #[test]
    fn an_unknown_field_of_an_apply_is_named_though_the_code_is_500() {
        let message = "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): \
            .spec.template.spec.containers[name=\"c\"].imagge: field not declared in schema";
        let refusal = answer(
            "Pod",
            Effect::Writes,
            json!({"code": 500, "message": message}),
        );
        assert!(!refusal.is_transient());
        assert_eq!(
            refusal.to_string(),
            "apply of `Pod/shop/web` was refused: \
            .spec.template.spec.containers[name=\"c\"].imagge: field not declared in schema"
        );
        let Cause::Invalid { fields, .. } = refusal.cause else {
            panic!("not invalid")
        };
        assert_eq!(
            fields[0].field,
            ".spec.template.spec.containers[name=\"c\"].imagge"
        );
    }

    #[test]
    fn an_immutable_field_is_told_from_others() {
        let cause = |message| cause(422, "Invalid", message);
        let immutable = |cause| {
            matches!(
                cause,
                Cause::Invalid {
                    immutable: true,
                    ..
                }
            )
        };
        assert!(immutable(cause(
            "spec.selector: Invalid value: {}: field is immutable"
        )));
        assert!(!immutable(cause(
            "spec.replicas: Invalid value: -1: must be at least 0"
        )));
    }

    #[test]
    fn conflicts_of_version_and_of_uid_are_one_cause() {
        assert_eq!(
            cause(409, "Conflict", "the object has been modified"),
            Cause::Conflict
        );
        let status = json!({"code": 422, "reason": "Invalid", "message": "", "details": {"causes":
            [{"field": "metadata.uid", "message": "field is immutable"}]}});
        assert_eq!(answer("Pod", Effect::Writes, status).cause, Cause::Conflict);
        assert_eq!(cause(409, "AlreadyExists", ""), Cause::AlreadyExists);
    }

    #[test]
    fn a_missing_right_is_told_from_a_denial() {
        let message = "secrets \"web\" is forbidden: User \"bob\" cannot get resource \"secrets\" in \
            API group \"\" in the namespace \"shop\"";
        let right = "get resource \"secrets\" in the namespace \"shop\"".to_owned();
        assert_eq!(cause(403, "Forbidden", message), Cause::Forbidden { right });
        for (code, message) in [
            (403, "pods \"web\" is forbidden: exceeded quota: pods"),
            (400, "admission webhook \"a.b\" denied the request: no"),
            (
                422,
                "pods \"web\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: no",
            ),
        ] {
            assert!(
                matches!(cause(code, "", message), Cause::Denied { .. }),
                "{message}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let absent = |details| {
            let status = json!({"code": 404, "reason": "NotFound", "details": details});
            answer("Pod", Effect::Writes, status).cause
        };
        assert_eq!(
            absent(json!({"kind": "pods", "name": "web"})),
            Cause::NotFound
        );
        let namespace = json!({"kind": "namespaces", "name": "shop"});
        assert_eq!(absent(namespace), Cause::NamespaceMissing);
        assert!(matches!(absent(json!({})), Cause::KindUnknown { .. }));
    }

    #[test]
    fn waits_are_capped_and_never_zero() {
        let wait = |header: Option<u64>| {
            let id = "/Pod/shop/web".parse().unwrap();
            let status = Status {
                code: 429,
                ..Status::default()
            };
            let call = Call::on("apply", "v1", &id, Effect::Writes);
            call.answered(&status, header.map(Duration::from_secs))
                .retry_after()
        };
        assert_eq!(wait(Some(3600)), Some(Duration::from_secs(30)));
        assert_eq!(wait(Some(7)), Some(Duration::from_secs(7)));
        assert_eq!(wait(None), Some(Duration::from_secs(1)));
    }

    #[test]
    fn only_a_write_has_an_unknown_outcome() {
        let timeout = json!({"code": 504, "reason": "Timeout", "message": "timed out"});
        let of = |effect| answer("Pod", effect, timeout.clone()).cause;
        assert!(matches!(of(Effect::Writes), Cause::OutcomeUnknown { .. }));
        assert!(matches!(
            of(Effect::Nothing),
            Cause::Fault { code: 504, .. }
        ));
        let webhook = cause(500, "InternalError", "failed calling webhook \"a.b\"");
        assert!(
            matches!(webhook, Cause::Fault { .. }),
            "admission ends a write"
        );
    }

    #[test]
    fn words_that_may_quote_a_value_of_a_secret_are_withheld() {
        for (code, message) in [
            (
                500,
                "failed to create typed patch object (s; /v1, Kind=Secret): .data.p: got canary",
            ),
            (
                500,
                "failed to convert new object (s; /v1, Kind=Secret) to x: bigger ...canary",
            ),
            (
                422,
                "Secret \"web\" is invalid: data[p]: Invalid value: \"canary\"",
            ),
            (
                403,
                "admission webhook \"a.b\" denied the request: canary is weak",
            ),
            (500, "canary"),
        ] {
            let details = json!({"causes": [{"field": "data[p]", "message": "canary"}]});
            let status = json!({"code": code, "message": message, "details": details});
            let refusal = answer("Secret", Effect::Writes, status);
            assert!(
                !format!("{refusal} {refusal:?}").contains("canary"),
                "{refusal:?}"
            );
        }
        let message = "failed to create typed patch object (s; /v1, Kind=Secret): .dataa: \
            field not declared in schema";
        let refusal = answer(
            "Secret",
            Effect::Writes,
            json!({"code": 500, "message": message}),
        );
        assert!(refusal.to_string().contains(".dataa"), "{refusal}");
    }

    #[test]
    fn long_words_are_cut_in_the_middle() {
        let message = format!(
            "{} strict decoding error: unknown field \"spec.foo\"",
            "ü".repeat(9000)
        );
        let Cause::Invalid { message, .. } = cause(422, "Invalid", &message) else {
            panic!()
        };
        assert!(message.len() < 3000 && message.ends_with("unknown field \"spec.foo\""));
    }
}
