//! The HTTP API: requests → store → answers, as kube-apiserver 1.36 gives them.

mod body;
mod call;
mod change;
mod discovery;
mod eventing;
mod openapi;
mod patching;
mod read;
mod reply;
mod review;
mod subresource;
mod table;
mod view;
mod watching;

pub use reply::{Body, Reset};

use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Limited};

use super::fault::{Fault, Faults, Verb};
use super::hall::Hall;
use super::refusal::Refusal;
use call::{Call, Sought};

/// The most bytes of a request's body (`--max-request-bytes` of etcd is less, the API server's own
/// limit is this).
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// The API server of a simulated cluster. Cheap to clone; clones share the cluster.
#[derive(Clone)]
pub struct Api {
    hall: Hall,
    faults: Faults,
}

impl Api {
    /// Returns the API server of a hall, which goes wrong as `faults` say.
    #[must_use]
    pub const fn new(hall: Hall, faults: Faults) -> Self {
        Self { hall, faults }
    }

    /// Answers one request.
    ///
    /// # Errors
    /// Where a fault breaks the connection: there is no answer then.
    pub async fn answer<B>(&self, request: Request<B>) -> Result<Response<Body>, Reset>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
            let message = "Request entity too large: limit is 3145728";
            return Ok(reply::refused(&Refusal::too_large(message)));
        };
        let sought = self
            .hall
            .enter(|store| Call::read(&head, body.to_bytes(), (store.registry(), store.now())));
        match sought {
            Ok(Sought::Elsewhere) => Ok(self.elsewhere(&head)),
            Ok(Sought::Objects(call)) => self.befallen(*call).await,
            Err(refusal) => Ok(reply::refused(&refusal)),
        }
    }

    /// Answers a request for objects with the faults that befall it.
    async fn befallen(&self, mut call: Call) -> Result<Response<Body>, Reset> {
        let mut after = None;
        for fault in self.faults.befall(&call.as_request()) {
            match fault {
                Fault::Delay(wait) => tokio::time::sleep(wait).await,
                Fault::ErrorBefore(code) => return Ok(reply::refused(&Refusal::failure(code))),
                Fault::Conflict => return Ok(reply::refused(&Refusal::stale(&call.subject()))),
                Fault::TooManyRequests(seconds) => {
                    let message = "the server is currently overloaded, please try again later";
                    let refusal = Refusal::too_many_requests(message, seconds);
                    return Ok(reply::refused(&refusal));
                }
                Fault::Expired if call.verb == Verb::Watch || call.continues() => {
                    return Ok(watching::expired(&call));
                }
                Fault::Expired => {}
                Fault::Stale(changes) => call.behind = changes,
                Fault::ResetBefore => return Err(Reset),
                Fault::ErrorAfter(_) | Fault::ResetAfter => after = Some(fault),
            }
        }
        let answer = self.perform(&call);
        match after {
            Some(Fault::ErrorAfter(code)) => Ok(reply::refused(&Refusal::failure(code))),
            Some(Fault::ResetAfter) => Err(Reset),
            Some(_) | None => Ok(answer),
        }
    }

    fn perform(&self, call: &Call) -> Response<Body> {
        let done = match (call.verb, call.subresource.as_deref()) {
            (Verb::Watch, None) => watching::watch(&self.hall, call),
            (_, Some(subresource)) => self
                .hall
                .enter(|store| subresource::perform(store, call, subresource)),
            (Verb::Create, None) if call.resource.only_answers => review::answer(call),
            (verb, None) => self.hall.enter(|store| match verb {
                Verb::Get => read::get(store, call),
                Verb::List | Verb::Watch => read::list(store, call),
                Verb::Create => change::create(store, call),
                Verb::Update => change::update(store, call),
                Verb::Patch => patching::patch(store, call),
                Verb::Delete => change::delete(store, call),
                Verb::DeleteCollection => change::delete_all(store, call),
            }),
        };
        let mut answer = done.unwrap_or_else(|refusal| reply::refused(&refusal));
        reply::warn(&mut answer, &call.warnings());
        answer
    }

    /// Answers what is about the server and not about objects.
    fn elsewhere(&self, head: &http::request::Parts) -> Response<Body> {
        let path = head.uri.path().trim_end_matches('/');
        if head.method != Method::GET {
            return reply::refused(&Refusal::method_not_allowed());
        }
        match path {
            "/healthz" | "/livez" | "/readyz" => reply::text(200, "ok"),
            "/version" => reply::json(200, &discovery::version()),
            _ => self.hall.enter(|store| {
                let registry = store.registry();
                discovery::answer(registry, path, head)
                    .or_else(|| openapi::answer(registry, path))
                    .unwrap_or_else(|| reply::text(404, "404 page not found\n"))
            }),
        }
    }
}
