//! One request for objects, understood.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{Method, request};
use jiff::Timestamp;

use super::body;
use super::options::{self, LONGEST_MANAGER};
use super::view::View;
use crate::sim::fault::{Request, Verb};
use crate::sim::kind::{Kind, Registry, Resource, Version};
use crate::sim::refusal::{Refusal, Subject};
use crate::sim::selector::{FieldsOf, Labels};
use crate::sim::store::{Actor, Part};

/// What a request is about.
pub(super) enum Sought {
    /// Objects of a kind.
    Objects(Box<Call>),
    /// The server itself.
    Elsewhere,
}

/// One request for objects.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) verb: Verb,
    pub(super) resource: Arc<Resource>,
    pub(super) version: Version,
    /// Empty for all namespaces and for cluster-scoped kinds.
    pub(super) namespace: String,
    /// Empty for a collection.
    pub(super) name: String,
    pub(super) subresource: Option<String>,
    pub(super) view: View,
    pub(super) media_type: String,
    pub(super) body: Bytes,
    /// How many changes ago the state is that a read shows.
    pub(super) behind: u64,
    /// When it came.
    pub(super) now: Timestamp,
    query: Vec<(String, String)>,
    agent: String,
    warnings: RefCell<Vec<String>>,
}

/// The parts of a path of objects.
struct Route<'a> {
    group: &'a str,
    version: &'a str,
    namespace: &'a str,
    plural: &'a str,
    name: &'a str,
    subresource: Option<String>,
}

impl Call {
    /// Reads a request.
    ///
    /// # Errors
    /// 404 for an unknown resource of a known version, 405 for a method that it does not have, 406
    /// where nothing that is asked for can be answered.
    pub(super) fn read(
        head: &request::Parts,
        body: Bytes,
        (registry, now): (&Registry, Timestamp),
    ) -> Result<Sought, Refusal> {
        let Some(route) = Route::of(head.uri.path()) else {
            return Ok(Sought::Elsewhere);
        };
        let Some((resource, version)) = route.find(registry) else {
            return if route.has_group(registry) {
                Err(Refusal::no_such_path())
            } else {
                Ok(Sought::Elsewhere)
            };
        };
        let text = head.uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect();
        let header = |name| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let media_type = header(CONTENT_TYPE);
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let mut call = Self {
            verb: Verb::Get,
            namespace: decoded(route.namespace),
            name: decoded(route.name),
            subresource: route.subresource.clone(),
            view: View::accepted(&header(ACCEPT))?,
            media_type: media_type.to_owned(),
            body,
            behind: 0,
            now,
            query,
            agent: header(USER_AGENT),
            warnings: RefCell::default(),
            resource,
            version,
        };
        call.verb = call.verb_of(&head.method)?;
        call.warn_of_age();
        call.check_scope()?;
        options::check(&call)?;
        call.body = body::readable(&call)?;
        Ok(Sought::Objects(Box::new(call)))
    }

    fn verb_of(&self, method: &Method) -> Result<Verb, Refusal> {
        let is_one = !self.name.is_empty();
        let verb = match (method.as_str(), is_one) {
            ("GET", true) if self.is("watch") => Verb::Watch,
            ("GET", true) => Verb::Get,
            ("GET", false) if self.is("watch") => Verb::Watch,
            ("GET", false) => Verb::List,
            ("POST", false) => Verb::Create,
            ("POST", true) if self.subresource.is_some() => Verb::Create,
            ("PUT", true) => Verb::Update,
            ("PATCH", true) => Verb::Patch,
            ("DELETE", true) => Verb::Delete,
            ("DELETE", false) => Verb::DeleteCollection,
            _ => return Err(Refusal::method_not_allowed()),
        };
        if self.resource.only_answers && verb != Verb::Create {
            return Err(Refusal::method_not_allowed());
        }
        Ok(verb)
    }

    /// Tells of kinds that have a successor.
    fn warn_of_age(&self) {
        if self.resource.kind == Kind::of("", "Endpoints") {
            let text =
                "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
            self.warn(text.to_owned());
        }
    }

    /// One object of a namespaced kind needs its namespace, one of another kind has none.
    fn check_scope(&self) -> Result<(), Refusal> {
        let is_one = !self.name.is_empty() || self.verb == Verb::Create;
        let is_lost = self.resource.is_namespaced && self.namespace.is_empty() && is_one;
        let is_misplaced = !self.resource.is_namespaced && !self.namespace.is_empty();
        if is_lost || is_misplaced {
            return Err(Refusal::no_such_path());
        }
        Ok(())
    }

    /// Returns a parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Says whether a parameter is set.
    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self.parameter(name), Some("true" | "1" | ""))
    }

    /// Says whether it asks for the rest of a list.
    pub(super) fn continues(&self) -> bool {
        self.parameter("continue")
            .is_some_and(|token| !token.is_empty())
    }

    /// Says whether nothing is to be kept.
    pub(super) fn is_dry_run(&self) -> bool {
        self.parameter("dryRun") == Some("All")
    }

    /// Returns who writes.
    pub(super) fn actor(&self, part: Part) -> Actor {
        Actor::new(&self.manager())
            .on(part)
            .rehearsing(self.is_dry_run())
    }

    /// Returns the field manager, else the first word of `User-Agent` (`handlers/create.go`).
    fn manager(&self) -> String {
        let named = self.parameter("fieldManager").unwrap_or_default();
        if !named.is_empty() {
            return named.to_owned();
        }
        let agent = self.agent.split('/').next().unwrap_or_default();
        let agent = if agent.is_empty() { "unknown" } else { agent };
        agent.chars().take(LONGEST_MANAGER).collect()
    }

    /// Returns the selectors of a list.
    ///
    /// # Errors
    /// 400 where they cannot be read, or ask about a field that is not known.
    pub(super) fn selectors(&self) -> Result<(Labels, FieldsOf), Refusal> {
        let labels = Labels::parse(self.parameter("labelSelector").unwrap_or_default())?;
        let asked = self.parameter("fieldSelector").unwrap_or_default();
        let mut fields =
            FieldsOf::parse(&super::eventing::kept_fields(&self.resource.kind, asked))?;
        if !self.name.is_empty() {
            fields = FieldsOf::parse(&format!("metadata.name={}", self.name))?;
        }
        super::view::check_fields((&self.resource, &self.version), &fields)?;
        Ok((labels, fields))
    }

    /// Returns the kind under which its objects are kept.
    pub(super) fn kind(&self) -> Kind {
        super::eventing::kept_as(&self.resource.kind)
    }

    /// Returns `apiVersion` of the request.
    pub(super) fn api_version(&self) -> String {
        self.resource.api_version(&self.version.name)
    }

    /// Returns what a refusal says about the object.
    pub(super) fn subject(&self) -> Subject {
        Subject {
            group: self.resource.kind.group.to_string(),
            plural: self.resource.plural.clone(),
            kind: self.resource.kind.name.to_string(),
            name: self.name.clone(),
        }
    }

    /// Remembers something that people should read beside the answer.
    pub(super) fn warn(&self, text: String) {
        self.warnings.borrow_mut().push(text);
    }

    /// Returns what was remembered.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }

    /// Returns what faults choose by.
    pub(super) fn as_request(&self) -> Request {
        let resource = match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource.plural),
            None => self.resource.plural.clone(),
        };
        Request {
            verb: self.verb,
            resource,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            manager: self.manager(),
            is_dry_run: self.is_dry_run(),
        }
    }
}

/// Returns a part of a path as it was meant (RFC 3986, 2.1); what is no encoding stays.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl<'a> Route<'a> {
    /// Takes a path apart; `None` where it is no path of objects.
    fn of(path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", _, "status" | "finalize"] => ("", rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let (plural, rest) = rest.split_first()?;
        let subresource = rest.get(1..).filter(|rest| !rest.is_empty());
        Some(Self {
            group,
            version,
            namespace,
            plural,
            name: rest.first().copied().unwrap_or_default(),
            subresource: subresource.map(|parts| parts.join("/")),
        })
    }

    fn find(&self, registry: &Registry) -> Option<(Arc<Resource>, Version)> {
        let resource = registry.find(self.group, self.plural)?;
        let version = resource.version(self.version)?;
        Some((Arc::clone(resource), version.clone()))
    }

    fn has_group(&self, registry: &Registry) -> bool {
        registry
            .all()
            .any(|resource| resource.kind.group == self.group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_is_decoded() {
        for (part, meant) in [
            ("nope%2A", "nope*"),
            ("a%20b%2fc", "a b/c"),
            ("100%", "100%"),
            ("%zz", "%zz"),
            ("%C3%A9", "é"),
        ] {
            assert_eq!(decoded(part), meant);
        }
    }

    #[test]
    fn paths_of_objects_are_taken_apart() {
        let route = Route::of("/apis/apps/v1/namespaces/shop/deployments/web/scale");
        let route = route.expect("a path of objects");
        let parts = (route.group, route.namespace, route.plural, route.name);
        assert_eq!(parts, ("apps", "shop", "deployments", "web"));
        assert_eq!(route.subresource.as_deref(), Some("scale"));
        let route = Route::of("/api/v1/namespaces/shop").expect("a namespace");
        assert_eq!(
            (route.namespace, route.plural, route.name),
            ("", "namespaces", "shop")
        );
        let route = Route::of("/api/v1/namespaces/shop/status").expect("a namespace");
        assert_eq!((route.plural, route.name), ("namespaces", "shop"));
        assert!(Route::of("/apis/apps/v1").is_none());
        assert!(Route::of("/version").is_none());
    }
}
