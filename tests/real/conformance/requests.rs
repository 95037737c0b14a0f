//! Single requests, raw: status, words, warnings, defaults, who owns which field.

pub(super) mod ask;
mod groups;

use std::time::{Duration, Instant};

use futures::future::join_all;
use http::{Request, Response, header};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tidegate::sim::town::{Plan, Town};
use tokio::time::sleep;

use super::{Case, calm};
use crate::cluster::ControlPlane;
use ask::Ask;

/// How long what controllers do may take.
const SOON: Duration = Duration::from_secs(30);

/// Both clusters, and a namespace that is in both.
pub(super) struct Both {
    pub(super) real: Client,
    pub(super) simulated: Client,
    pub(super) namespace: String,
}

impl Both {
    pub(super) async fn with_namespace(town: &Town, name: &str) -> Self {
        let plane = ControlPlane::shared();
        let both = Self {
            real: plane.client().await,
            simulated: town.client("default"),
            namespace: plane.namespace(name).await,
        };
        let made = json!({"metadata": {"name": both.namespace}});
        let made = Ask::new("POST", "/api/v1/namespaces", made);
        let mut side = Side::new(&both.simulated, &both.namespace);
        assert_eq!(side.send(&made).await.0, 201);
        both
    }
}

pub(super) fn town() -> Town {
    Town::found(&Plan::real(1, 1))
}

/// The names of all groups of requests.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    groups::all().into_iter().map(|(name, _)| name)
}

/// Sends all groups of requests to both.
pub(super) async fn all() -> Vec<Case> {
    let town = town();
    let _work = town.start();
    let groups = groups::all();
    let answered = groups.into_iter().map(|(name, asks)| {
        let town = &town;
        async move {
            let both = Both::with_namespace(town, name).await;
            let mut real = Side::new(&both.real, &both.namespace);
            let mut simulated = Side::new(&both.simulated, &both.namespace);
            let mut cases = Vec::new();
            for (what, ask) in asks {
                let (real, simulated) = tokio::join!(real.ask(&ask), simulated.ask(&ask));
                cases.push(Case {
                    story: name,
                    call: what.to_owned(),
                    real,
                    simulated,
                });
            }
            cases
        }
    });
    join_all(answered).await.into_iter().flatten().collect()
}

/// One of the two, and what its last answers said.
pub(super) struct Side<'a> {
    client: &'a Client,
    namespace: &'a str,
    /// Of the last object.
    uid: String,
    version: String,
    /// Of the object before.
    stale: String,
    /// Where the last list goes on.
    next: String,
}

impl<'a> Side<'a> {
    pub(super) fn new(client: &'a Client, namespace: &'a str) -> Self {
        Self {
            client,
            namespace,
            uid: String::new(),
            version: String::new(),
            stale: String::new(),
            next: String::new(),
        }
    }

    /// Fills in what an ask leaves open.
    fn fill(&self, text: &str) -> String {
        text.replace("NS", self.namespace)
            .replace("{UID}", &self.uid)
            .replace("{VERSION}", &self.version)
            .replace("{STALE}", &self.stale)
            .replace("{NEXT}", &self.next)
    }

    fn request(&self, ask: &Ask) -> Request<Body> {
        Request::builder()
            .method(ask.method)
            .uri(self.fill(&ask.path))
            .header(header::CONTENT_TYPE, ask.media_type)
            .header(header::ACCEPT, ask.accept)
            .header(header::USER_AGENT, "answers/1")
            .body(Body::from(self.fill(&ask.body).into_bytes()))
            .unwrap()
    }

    /// Sends a request whose answer goes on.
    pub(super) async fn begin(&self, ask: &Ask) -> Response<Body> {
        self.client.send(self.request(ask)).await.unwrap()
    }

    /// Sends a request and returns status, body and warnings as they are.
    pub(super) async fn send(&mut self, ask: &Ask) -> (u16, String, Vec<String>) {
        let answer = self.client.send(self.request(ask)).await.unwrap();
        let code = answer.status().as_u16();
        let warnings = answer.headers().get_all(header::WARNING);
        let warnings = warnings.iter().map(|value| value.to_str().unwrap().into());
        let warnings = warnings.collect();
        let body = answer.into_body().collect_bytes().await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        if let Ok(value) = serde_json::from_str(&body) {
            self.remember(&value);
        }
        (code, body, warnings)
    }

    fn remember(&mut self, value: &Value) {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        if let Some(uid) = text("/metadata/uid") {
            self.uid = uid.to_owned();
        }
        if let Some(version) = text("/metadata/resourceVersion")
            && version != self.version
        {
            self.stale = std::mem::replace(&mut self.version, version.to_owned());
        }
        if let Some(next) = text("/metadata/continue") {
            self.next = next.to_owned();
        }
    }

    /// Sends a request, again and again where it waits for something, and makes the answer
    /// comparable.
    async fn ask(&mut self, ask: &Ask) -> String {
        let end = Instant::now() + SOON;
        loop {
            let (code, body, warnings) = self.send(ask).await;
            if ask.until.is_none_or(|until| until == code) || Instant::now() > end {
                return self.comparable(code, &body, &warnings);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn comparable(&self, code: u16, body: &str, warnings: &[String]) -> String {
        let body = body.replace(self.namespace, "NS");
        let mut lines = vec![code.to_string()];
        match serde_json::from_str::<Value>(&body) {
            Ok(mut value) => {
                calm::document(&mut value);
                flatten("", &value, &mut lines);
            }
            Err(_) => lines.push(body),
        }
        lines.extend(
            warnings
                .iter()
                .map(|text| text.replace(self.namespace, "NS")),
        );
        calm::text(&lines.join("\n"))
    }
}

/// One line a value, so that a difference can be seen.
pub(super) fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                flatten(&format!("{path}.{key}"), value, lines);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, value) in items.iter().enumerate() {
                flatten(&format!("{path}[{at}]"), value, lines);
            }
        }
        _ => lines.push(format!("{path} = {value}")),
    }
}
