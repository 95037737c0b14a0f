//! Kinds that only answer: who am I, may I.

use http::Response;
use serde_json::{Value, json};

use super::body;
use super::call::Call;
use super::reply::{self, Body};
use crate::sim::refusal::{Cause, Refusal, Subject};

/// Whoever speaks to a simulated cluster may do everything.
pub(super) fn answer(call: &Call) -> Result<Response<Body>, Refusal> {
    let mut review = body::object(call)?;
    let spec = &review["spec"];
    let kind = call.resource.kind.name.as_ref();
    if kind.ends_with("SubjectAccessReview")
        && spec["resourceAttributes"].is_null()
        && spec["nonResourceAttributes"].is_null()
    {
        let subject = Subject {
            kind: String::new(),
            name: String::new(),
            ..call.subject()
        };
        let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        let cause = Cause::invalid("spec.resourceAttributes", &Value::Null, detail);
        return Err(Refusal::invalid(&subject, &[cause]));
    }
    let metadata = review["metadata"].as_object_mut();
    if let Some(metadata) = metadata
        && !call.resource.is_namespaced
    {
        metadata.remove("namespace");
    }
    review["status"] = status(call, &review);
    Ok(reply::json(201, &review))
}

fn status(call: &Call, review: &Value) -> Value {
    match call.resource.kind.name.as_ref() {
        "SelfSubjectReview" => json!({"userInfo": {
            "username": "simulated:admin",
            "groups": ["system:masters", "system:authenticated"],
        }}),
        "TokenReview" => json!({"authenticated": false, "user": {},
            "error": "a simulated cluster has no tokens"}),
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        _ => {
            let is_said = review.get("spec").is_some_and(Value::is_object);
            json!({"allowed": is_said})
        }
    }
}
