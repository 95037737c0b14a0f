//! Reading one object, and lists of them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Response;
use serde_json::{Value, json};

use super::call::Call;
use super::reply::{Body, json as answer};
use super::view;
use crate::object::Object;
use crate::sim::refusal::Refusal;
use crate::sim::store::Store;

pub(super) fn get(store: &Store, call: &Call) -> Result<Response<Body>, Refusal> {
    let object = find(store, call)?;
    Ok(answer(200, &view::one(call, &object)))
}

/// Returns the object of a call, in the state that the call is to see.
pub(super) fn find(store: &Store, call: &Call) -> Result<Arc<Object>, Refusal> {
    let kind = call.kind();
    let found = if call.behind == 0 {
        store.get(&kind, &call.namespace, &call.name).cloned()
    } else {
        let revision = store.earlier(call.behind);
        let listed = store.list_at(&kind, Some(&call.namespace), revision);
        listed
            .into_iter()
            .find(|object| object.text("/metadata/name") == Some(&call.name))
    };
    found.ok_or_else(|| Refusal::not_found(&call.subject()))
}

pub(super) fn list(store: &Store, call: &Call) -> Result<Response<Body>, Refusal> {
    let (labels, fields) = call.selectors()?;
    let revision = store.earlier(call.behind);
    refuse_future(store, call)?;
    let namespace = Some(call.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let mut found = store.list_at(&call.kind(), namespace, revision);
    found.retain(|object| {
        let own = object.at("/metadata/labels").and_then(Value::as_object);
        labels.fit(own) && fields.fit(object.value())
    });
    let token = call.parameter("continue").unwrap_or_default();
    if !token.is_empty() {
        let last = Token::decode(token)?;
        found.retain(|object| Token::of(object) > last);
    }
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    let limit = call.parameter("limit").and_then(|limit| limit.parse().ok());
    let limit: usize = limit.unwrap_or_default();
    if limit > 0 && found.len() > limit {
        let rest = found.split_off(limit);
        if let Some(last) = found.last() {
            metadata["continue"] = json!(Token::of(last).encode());
            metadata["remainingItemCount"] = json!(rest.len());
        }
    }
    let shown: Vec<&Object> = found.iter().map(AsRef::as_ref).collect();
    Ok(answer(200, &view::many(call, &shown, &metadata)))
}

/// A revision that is not there yet cannot be waited for here.
fn refuse_future(store: &Store, call: &Call) -> Result<(), Refusal> {
    let wanted = call.parameter("resourceVersion").unwrap_or_default();
    let Ok(wanted) = wanted.parse::<u64>() else {
        return if wanted.is_empty() {
            Ok(())
        } else {
            Err(Refusal::bad_request(format!(
                "invalid resource version {wanted:?}"
            )))
        };
    };
    if wanted > store.revision() {
        return Err(Refusal::too_large_revision(wanted, store.revision()));
    }
    Ok(())
}

/// Where a list that goes on has come to: namespace and name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Token(String, String);

impl Token {
    fn of(object: &Object) -> Self {
        Self(
            object.namespace().unwrap_or_default().to_owned(),
            object.text("/metadata/name").unwrap_or_default().to_owned(),
        )
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}/{}", self.0, self.1))
    }

    fn decode(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::bad_request("continue key is not valid: unable to decode");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
        Ok(Self(namespace.to_owned(), name.to_owned()))
    }
}
