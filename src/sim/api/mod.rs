//! The HTTP API: requests → store → answers, as kube-apiserver 1.36 gives them.

mod body;
mod call;
mod change;
mod discovery;
mod eventing;
mod openapi;
mod options;
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
                    .or_else(|| openapi::answer(registry, path, head))
                    .unwrap_or_else(|| reply::text(404, "404 page not found\n"))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::Full;
    use serde_json::{Value, json};

    use super::*;
    use crate::sim::fault::Rule;
    use crate::sim::time::Time;

    const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";
    const APPLY: &str = "application/apply-patch+yaml";
    const MERGE: &str = "application/merge-patch+json";
    const JSON: &str = "application/json";

    struct Server(Api);

    impl Server {
        async fn new() -> Self {
            let start = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
            let hall = Hall::new(Time::driven(start), 1);
            let server = Self(Api::new(hall, Faults::default()));
            let shop = json!({"metadata": {"name": "shop"}});
            let (code, _) = server
                .send("POST", "/api/v1/namespaces", (JSON, &shop))
                .await;
            assert_eq!(code, 201);
            server
        }

        async fn ask(&self, request: Request<Full<Bytes>>) -> (u16, Value) {
            let answer = self.0.answer(request).await.expect("an answer");
            let code = answer.status().as_u16();
            let body = answer
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            (
                code,
                serde_json::from_str(&text).unwrap_or(Value::String(text)),
            )
        }

        async fn get(&self, path: &str, accept: &str) -> (u16, Value) {
            let request = Request::get(path).header("accept", accept);
            let request = request.body(Full::default()).expect("a request");
            self.ask(request).await
        }

        async fn send(
            &self,
            method: &str,
            path: &str,
            (kind, body): (&str, &Value),
        ) -> (u16, Value) {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("content-type", kind)
                .header("user-agent", "curl/8");
            let body = Full::from(body.to_string());
            self.ask(request.body(body).expect("a request")).await
        }

        async fn apply(&self, config: &Value, query: &str) -> (u16, Value) {
            let path = format!("{DEPLOYMENTS}/web?{query}");
            self.send("PATCH", &path, (APPLY, config)).await
        }
    }

    fn web(replicas: u32) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}},
                             "spec": {"containers": [{"name": "a", "image": "x:1"}]}}}})
    }

    #[tokio::test]
    async fn an_apply_creates_then_changes_then_conflicts() {
        let server = Server::new().await;
        assert_eq!(server.apply(&web(3), "fieldManager=one").await.0, 201);
        assert_eq!(server.apply(&web(4), "fieldManager=one").await.0, 200);
        let (code, refusal) = server.apply(&web(5), "fieldManager=other").await;
        assert_eq!(code, 409);
        let text = "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas";
        assert_eq!(refusal["message"], text);
        assert_eq!(refusal["details"]["causes"][0]["field"], ".spec.replicas");
        let (code, forced) = server.apply(&web(5), "fieldManager=other&force=true").await;
        assert_eq!((code, &forced["spec"]["replicas"]), (200, &json!(5)));
        let (code, _) = server.apply(&web(6), "").await;
        assert_eq!(code, 422, "an apply names its manager");
    }

    #[tokio::test]
    async fn a_dry_run_changes_nothing() {
        let server = Server::new().await;
        let (code, tried) = server.apply(&web(3), "fieldManager=one&dryRun=All").await;
        assert_eq!(
            (code, &tried["spec"]["progressDeadlineSeconds"]),
            (201, &json!(600))
        );
        assert_eq!(server.get(&format!("{DEPLOYMENTS}/web"), "").await.0, 404);
    }

    #[tokio::test]
    async fn unknown_and_mistyped_fields_are_refused_in_the_real_servers_words() {
        let server = Server::new().await;
        let mut wrong = web(3);
        wrong["spec"]["replica"] = json!(1);
        let (code, refusal) = server.apply(&wrong, "fieldManager=one").await;
        let text = "failed to create typed patch object (/web; apps/v1, Kind=Deployment): \
                    .spec.replica: field not declared in schema";
        assert_eq!((code, refusal["message"].as_str()), (500, Some(text)));
        let path = format!("{DEPLOYMENTS}?fieldValidation=Strict");
        let (code, refusal) = server.send("POST", &path, (JSON, &wrong)).await;
        let text = "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding \
                    error: unknown field \"spec.replica\"";
        assert_eq!((code, refusal["message"].as_str()), (400, Some(text)));
        assert_eq!(
            server.send("POST", DEPLOYMENTS, (JSON, &wrong)).await.0,
            201
        );
        let mut wrong = web(3);
        wrong["spec"]["replicas"] = json!("three");
        let (_, refusal) = server.apply(&wrong, "fieldManager=one").await;
        let text = "failed to create typed patch object (/web; apps/v1, Kind=Deployment): \
                    .spec.replicas: expected numeric (int or float), got string";
        assert_eq!(refusal["message"], text);
    }

    #[tokio::test]
    async fn scale_is_read_and_written_through_its_subresource() {
        let server = Server::new().await;
        server.apply(&web(3), "fieldManager=one").await;
        let path = format!("{DEPLOYMENTS}/web/scale");
        let (_, scale) = server.get(&path, "").await;
        assert_eq!(scale["status"]["selector"], "app=web");
        let change = json!({"spec": {"replicas": 7}});
        let (code, scale) = server.send("PATCH", &path, (MERGE, &change)).await;
        assert_eq!((code, &scale["spec"]["replicas"]), (200, &json!(7)));
        let (_, web) = server.get(&format!("{DEPLOYMENTS}/web"), "").await;
        let entries = web["metadata"]["managedFields"]
            .as_array()
            .expect("entries");
        let by_scale = entries.iter().find(|entry| entry["subresource"] == "scale");
        let fields = by_scale.expect("an entry")["fieldsV1"].clone();
        assert_eq!(fields, json!({"f:spec": {"f:replicas": {}}}));
    }

    #[tokio::test]
    async fn a_definition_serves_its_kind_at_once() {
        let server = Server::new().await;
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "boats.sea.dev"}, "spec": {"group": "sea.dev", "scope": "Namespaced",
            "names": {"kind": "Boat", "plural": "boats"}, "versions": [{"name": "v1", "served": true,
            "storage": true, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": {
                    "sails": {"type": "integer", "default": 2}}}}}}}]}});
        let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let (code, made) = server.send("POST", crds, (JSON, &definition)).await;
        assert_eq!(
            (code, &made["status"]["conditions"][1]["type"]),
            (201, &json!("Established"))
        );
        let boats = "/apis/sea.dev/v1/namespaces/shop/boats";
        let boat = json!({"metadata": {"name": "a"}, "spec": {"oars": 1}});
        let (code, boat) = server.send("POST", boats, (JSON, &boat)).await;
        assert_eq!(
            (code, &boat["spec"]),
            (201, &json!({"sails": 2})),
            "pruned and defaulted"
        );
        let (_, list) = server.get("/apis/sea.dev/v1", "").await;
        assert_eq!(list["resources"][0]["name"], "boats");
        let (_, document) = server.get("/openapi/v3/apis/sea.dev/v1", "").await;
        assert!(document["components"]["schemas"]["dev.sea.v1.Boat"].is_object());
        let one = format!("{crds}/boats.sea.dev");
        assert_eq!(server.send("DELETE", &one, (JSON, &json!({}))).await.0, 200);
        assert_eq!(server.get(boats, "").await.0, 404);
    }

    #[tokio::test]
    async fn a_table_has_the_columns_that_kubectl_prints() {
        let server = Server::new().await;
        server.apply(&web(3), "fieldManager=one").await;
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        let (_, table) = server.get(DEPLOYMENTS, accept).await;
        let columns = table["columnDefinitions"].as_array().expect("columns");
        let names: Vec<&str> = columns
            .iter()
            .filter_map(|one| one["name"].as_str())
            .collect();
        assert_eq!(
            names[..5],
            ["Name", "Ready", "Up-to-date", "Available", "Age"]
        );
        let cells = &table["rows"][0]["cells"];
        assert_eq!(
            *cells,
            json!(["web", "0/3", 0, 0, "0s", "a", "x:1", "app=web"])
        );
    }

    #[tokio::test]
    async fn discovery_tells_everything_in_both_forms() {
        let server = Server::new().await;
        let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let (_, all) = server.get("/apis", accept).await;
        let groups = all["items"].as_array().expect("groups");
        let apps = groups
            .iter()
            .find(|group| group["metadata"]["name"] == "apps");
        let kinds = apps.expect("apps")["versions"][0]["resources"]
            .as_array()
            .expect("kinds");
        assert!(kinds.iter().any(|kind| kind["resource"] == "deployments"));
        let (_, list) = server.get("/apis/apps/v1", "").await;
        let names: Vec<_> = list["resources"].as_array().into_iter().flatten().collect();
        assert!(names.iter().any(|one| one["name"] == "deployments/scale"));
        assert_eq!(server.get("/apis/nowhere.dev/v1", "").await.0, 404);
    }

    #[tokio::test]
    async fn a_list_goes_on_where_it_was_cut_off() {
        let server = Server::new().await;
        let maps = "/api/v1/namespaces/shop/configmaps";
        for name in ["a", "b", "c"] {
            let map = json!({"metadata": {"name": name}});
            assert_eq!(server.send("POST", maps, (JSON, &map)).await.0, 201);
        }
        let (_, first) = server.get(&format!("{maps}?limit=2"), "").await;
        assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
        let token = first["metadata"]["continue"].as_str().expect("more");
        let (_, rest) = server
            .get(&format!("{maps}?limit=2&continue={token}"), "")
            .await;
        assert_eq!(rest["items"][0]["metadata"]["name"], "c");
    }

    #[tokio::test]
    async fn faults_befall_the_requests_that_they_name() {
        let server = Server::new().await;
        let path = format!("{DEPLOYMENTS}/web");
        let faults = &server.0.faults;
        faults.add(Rule::next(
            1,
            Verb::Patch,
            "deployments",
            Fault::TooManyRequests(7),
        ));
        let (code, refusal) = server.apply(&web(3), "fieldManager=one").await;
        assert_eq!(
            (code, &refusal["details"]["retryAfterSeconds"]),
            (429, &json!(7))
        );
        faults.add(Rule::next(
            1,
            Verb::Patch,
            "deployments",
            Fault::ErrorAfter(500),
        ));
        assert_eq!(server.apply(&web(3), "fieldManager=one").await.0, 500);
        assert_eq!(server.get(&path, "").await.0, 200, "the effect is there");
        faults.add(Rule::next(1, Verb::Get, "deployments", Fault::ResetBefore));
        let request = Request::get(&path)
            .body(Full::<Bytes>::default())
            .expect("a request");
        assert_eq!(server.0.answer(request).await.err(), Some(Reset));
    }

    #[tokio::test]
    async fn an_eviction_keeps_to_the_budget() {
        let server = Server::new().await;
        let pods = "/api/v1/namespaces/shop/pods";
        let pod = json!({"metadata": {"name": "a", "labels": {"app": "web"}},
                         "spec": {"containers": [{"name": "a", "image": "x"}]}});
        server.send("POST", pods, (JSON, &pod)).await;
        let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        server
            .send("PATCH", &format!("{pods}/a/status"), (MERGE, &ready))
            .await;
        let budget = json!({"metadata": {"name": "one"}, "spec": {"minAvailable": 1,
                            "selector": {"matchLabels": {"app": "web"}}}});
        let budgets = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets";
        assert_eq!(server.send("POST", budgets, (JSON, &budget)).await.0, 201);
        let eviction = json!({"metadata": {"name": "a"}});
        let path = format!("{pods}/a/eviction");
        assert_eq!(server.send("POST", &path, (JSON, &eviction)).await.0, 429);
        server
            .send("DELETE", &format!("{budgets}/one"), (JSON, &json!({})))
            .await;
        assert_eq!(server.send("POST", &path, (JSON, &eviction)).await.0, 201);
    }

    #[tokio::test]
    async fn both_kinds_of_events_are_the_same_objects() {
        let server = Server::new().await;
        let event = json!({"metadata": {"name": "e"}, "eventTime": "2026-01-01T00:00:00.000000Z",
            "note": "began", "reason": "Began", "type": "Normal", "action": "Begin",
            "reportingController": "tidegate", "reportingInstance": "a",
            "regarding": {"kind": "Deployment", "name": "web", "namespace": "shop"}});
        let new = "/apis/events.k8s.io/v1/namespaces/shop/events";
        assert_eq!(server.send("POST", new, (JSON, &event)).await.0, 201);
        let core = "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.name%3Dweb";
        let (_, list) = server.get(core, "").await;
        assert_eq!(list["items"][0]["message"], "began");
        let (_, shown) = server
            .get(&format!("{new}?fieldSelector=regarding.name%3Dweb"), "")
            .await;
        assert_eq!(shown["items"][0]["note"], "began");
    }
}
