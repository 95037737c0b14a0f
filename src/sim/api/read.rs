//! Reading one object, and lists of them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Response;
use serde_json::{Value, json};

use super::call::Call;
use super::reply::{Body, json as answer};
use super::view::{self, View};
use crate::object::Object;
use crate::sim::refusal::Refusal;
use crate::sim::store::Store;

/// What is told where the first page of a list is too long ago.
const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent \
    list result. You can start a new list without the continue parameter.";
/// What is told where an exact list is too long ago.
const LIST_EXPIRED: &str = "The resourceVersion for the provided list is too old.";

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
    refuse_future(store, call)?;
    let last = match call.parameter("continue").filter(|text| !text.is_empty()) {
        Some(text) => Some(Token::decode(text)?),
        None => None,
    };
    let revision = revision(store, call, last.as_ref())?;
    let namespace = Some(call.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let mut found = store.list_at(&call.kind(), namespace, revision);
    found.retain(|object| {
        let own = object.at("/metadata/labels").and_then(Value::as_object);
        labels.fit(own) && fields.fit(object.value())
    });
    if let Some(last) = last {
        found.retain(|object| place(object) > last.place);
    }
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    let limit = limit(call);
    if limit > 0 && found.len() > limit {
        let rest = found.split_off(limit);
        if let Some(last) = found.last() {
            let token = Token {
                revision,
                place: place(last),
            };
            metadata["continue"] = json!(token.encode());
            // How many of the rest would fit is not known there.
            if !is_selective(call) {
                metadata["remainingItemCount"] = json!(rest.len());
            }
        }
    }
    if call.resource.is_custom && call.view == View::Whole && metadata.get("continue").is_none() {
        metadata["continue"] = json!("");
    }
    let shown: Vec<&Object> = found.iter().map(AsRef::as_ref).collect();
    Ok(answer(200, &view::many(call, &shown, &metadata)))
}

/// Returns the revision that a list shows: that of its first page, an exact one, or the present.
fn revision(store: &Store, call: &Call, last: Option<&Token>) -> Result<u64, Refusal> {
    let wanted = call.parameter("resourceVersion").unwrap_or_default();
    let wanted: u64 = wanted.parse().unwrap_or_default();
    let is_exact = call.parameter("resourceVersionMatch") == Some("Exact");
    let (revision, words) = match last {
        Some(token) => (token.revision, CONTINUE_EXPIRED),
        None if is_exact => (wanted, LIST_EXPIRED),
        None => return Ok(store.earlier(call.behind)),
    };
    if revision < store.earlier(u64::MAX) {
        return Err(Refusal::expired(words));
    }
    Ok(revision)
}

/// A list from the cache, which is one with `resourceVersion=0`, has all at once.
fn limit(call: &Call) -> usize {
    if call.parameter("resourceVersion") == Some("0") {
        return 0;
    }
    let limit = call.parameter("limit").and_then(|limit| limit.parse().ok());
    limit.unwrap_or_default()
}

fn is_selective(call: &Call) -> bool {
    let selectors = ["labelSelector", "fieldSelector"].into_iter();
    selectors
        .filter_map(|name| call.parameter(name))
        .any(|selector| !selector.is_empty())
}

/// A revision that is not there yet cannot be waited for here.
fn refuse_future(store: &Store, call: &Call) -> Result<(), Refusal> {
    let wanted = call.parameter("resourceVersion").unwrap_or_default();
    let Ok(wanted) = wanted.parse::<u64>() else {
        return if wanted.is_empty() {
            Ok(())
        } else {
            Err(Refusal::bad_request(format!(
                "invalid resource version: {}",
                no_version(wanted)
            )))
        };
    };
    if wanted > store.revision() {
        return Err(Refusal::too_large_revision(wanted, store.revision()));
    }
    Ok(())
}

/// Says that a text is no revision.
pub(super) fn no_version(text: &str) -> String {
    format!(
        "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid \
         syntax"
    )
}

/// Where an object stands in a list: namespace and name.
fn place(object: &Object) -> (String, String) {
    (
        object.namespace().unwrap_or_default().to_owned(),
        object.text("/metadata/name").unwrap_or_default().to_owned(),
    )
}

/// Where a list that goes on has come to, and the revision that all its pages show.
struct Token {
    revision: u64,
    place: (String, String),
}

impl Token {
    fn encode(&self) -> String {
        let (namespace, name) = &self.place;
        URL_SAFE_NO_PAD.encode(format!("{}/{namespace}/{name}", self.revision))
    }

    fn decode(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::bad_request("invalid continue token: continue key is not valid");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let parts: Vec<&str> = text.split('/').collect();
        let [revision, namespace, name] = parts.as_slice() else {
            return Err(wrong());
        };
        Ok(Self {
            revision: revision.parse().map_err(|_| wrong())?,
            place: ((*namespace).to_owned(), (*name).to_owned()),
        })
    }
}
