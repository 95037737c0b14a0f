//! What the cluster serves, asked one group and version at a time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Request;
use serde_json::Value;

use super::{Cause, Cluster, Refusal, call::Call};
use crate::{clock, object::ObjectId};

/// A missing kind is asked for again after this time, so that a new CRD is seen soon and a kind
/// that nobody installs costs little.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A kind that the cluster serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Group and version: `apps/v1`, `v1`.
    pub api_version: String,
    /// Kind in CamelCase.
    pub kind: String,
    /// Name of the resource in URLs and rights: `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it: `get`, `patch`, `watch` and so on.
    pub verbs: Vec<String>,
}

/// The kinds of the groups that were asked for.
#[derive(Default)]
pub(super) struct Kinds(Mutex<BTreeMap<String, Known>>);

struct Known {
    asked: Duration,
    kinds: Vec<Kind>,
}

impl Kinds {
    /// Forgets a group and version, after the API server has denied serving it.
    pub(super) fn forget(&self, api_version: &str) {
        self.known().remove(api_version);
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the answer where none has to be asked for.
    fn recall(&self, api_version: &str, kind: &str, now: Duration) -> Option<Option<Kind>> {
        let known = self.known();
        let group = known.get(api_version)?;
        match group.kinds.iter().find(|one| one.kind == kind) {
            Some(found) => Some(Some(found.clone())),
            None => (now.saturating_sub(group.asked) < ASK_AGAIN).then_some(None),
        }
    }
}

impl Cluster {
    /// Returns how the cluster serves a kind, `None` where it does not. Answers are kept; a missing
    /// kind is asked for again, at most every 5 s.
    ///
    /// # Errors
    /// Where the group's own server does not answer: that never means "no such kind".
    pub async fn kind(&self, api_version: &str, kind: &str) -> Result<Option<Kind>, Refusal> {
        let now = clock::since_boot();
        if let Some(answer) = self.kinds.recall(api_version, kind, now) {
            return Ok(answer);
        }
        let call = Call::over("discovery", api_version, kind, None);
        let root = if api_version.contains('/') {
            "/apis"
        } else {
            "/api"
        };
        let request = Request::get(format!("{root}/{}", segment(&call, api_version, "/")?))
            .body(Vec::new())
            .map_err(kube::core::request::Error::BuildRequest);
        let kinds = match self.ask(&call, request).await {
            Ok(list) => read(api_version, &list),
            Err(Refusal {
                cause: Cause::KindUnknown { .. } | Cause::NotFound,
                ..
            }) => Vec::new(),
            Err(refusal) => return Err(refusal),
        };
        let found = kinds.iter().find(|one| one.kind == kind).cloned();
        self.kinds
            .known()
            .insert(api_version.to_owned(), Known { asked: now, kinds });
        Ok(found)
    }

    /// Returns the kind, or the refusal of a call that needs it.
    pub(super) async fn served(
        &self,
        call: &Call,
        api_version: &str,
        kind: &str,
    ) -> Result<Kind, Refusal> {
        self.kind(api_version, kind)
            .await?
            .ok_or_else(|| call.unknown_kind())
    }

    /// Returns the request builder of the collection in which `id` lives.
    pub(super) async fn home(
        &self,
        call: &Call,
        api_version: &str,
        id: &ObjectId,
    ) -> Result<kube::core::Request, Refusal> {
        let kind = self.served(call, api_version, &id.kind).await?;
        if kind.namespaced && id.namespace.is_none() {
            return Err(call.malformed("objects of its kind need a namespace".to_owned()));
        }
        segment(call, &id.name, "")?;
        collection(call, &kind, id.namespace.as_deref())
    }
}

/// Returns the request builder of a kind's objects, in one namespace or in all.
pub(super) fn collection(
    call: &Call,
    kind: &Kind,
    namespace: Option<&str>,
) -> Result<kube::core::Request, Refusal> {
    let root = if kind.api_version.contains('/') {
        "/apis"
    } else {
        "/api"
    };
    let mut url = format!("{root}/{}", kind.api_version);
    if let Some(namespace) = namespace.filter(|_| kind.namespaced) {
        url.push_str("/namespaces/");
        url.push_str(segment(call, namespace, "")?);
    }
    Ok(kube::core::Request::new(format!("{url}/{}", kind.plural)))
}

/// Names come from manifests: one that would change the URL is refused here, not by the server.
fn segment<'a>(call: &Call, name: &'a str, also: &str) -> Result<&'a str, Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c) || also.contains(c);
    if name.is_empty() || name.contains("..") || name == "." || !name.chars().all(fits) {
        return Err(call.malformed(format!("`{name}` can be no part of an object's URL")));
    }
    Ok(name)
}

fn read(api_version: &str, list: &Value) -> Vec<Kind> {
    let resources = list["resources"].as_array().into_iter().flatten();
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts
            .filter_map(|text| text.as_str().map(ToOwned::to_owned))
            .collect()
    };
    resources
        .filter_map(|resource| {
            let plural = resource["name"]
                .as_str()
                .filter(|name| !name.contains('/'))?;
            Some(Kind {
                api_version: api_version.to_owned(),
                kind: resource["kind"].as_str()?.to_owned(),
                plural: plural.to_owned(),
                namespaced: resource["namespaced"].as_bool()?,
                verbs: texts(&resource["verbs"]),
            })
        })
        .collect()
}
