//! One watch: list, then follow, for ever.
//!
//! kube's own watcher is not used, since it has no deadline for lists, is blind for up to five
//! minutes when a connection freezes, and logs what it cannot decode, which may be a Secret.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{AsyncBufReadExt as _, StreamExt as _};
use kube::{
    core::{Request, Status, params::WatchParams},
    runtime::watcher::DefaultBackoff,
};
use serde_json::{Value, json};

use super::{Condition, Shared, Watch, trim::trim};
use crate::{
    clock,
    cluster::{
        Cause, Kind, Refusal,
        call::Call,
        kinds::collection,
        objects::{Selection, object, selector},
        seal,
    },
    object::Object,
};

/// The API server ends each watch after this time, with a bookmark before; the watch is resumed
/// where it ended. So a frozen connection is noticed within [`SILENCE`].
const TERM: u32 = 29;
/// A watch that is silent for longer is frozen.
const SILENCE: Duration = Duration::from_secs(34);
/// A watch that ends sooner than this is not resumed at once.
const BRIEF: Duration = Duration::from_secs(1);

/// Keeps a watch going until its task is aborted.
pub(super) async fn keep(shared: Arc<Shared>, watch: Watch, number: u64) {
    let mut following = Following {
        shared,
        watch,
        number,
        from: None,
    };
    let mut backoff = DefaultBackoff::default();
    loop {
        let began = clock::since_boot();
        let pause = match following.turn().await {
            Ok(()) if clock::since_boot().saturating_sub(began) > BRIEF => continue,
            Ok(()) => BRIEF,
            Err(refusal) => {
                if matches!(refusal.cause, Cause::KindUnknown { .. }) {
                    following.none();
                } else {
                    following.down(&refusal);
                }
                let own = backoff.next().unwrap_or(SILENCE);
                own.max(refusal.retry_after().unwrap_or_default())
            }
        };
        tokio::time::sleep(pause).await;
    }
}

struct Following {
    shared: Arc<Shared>,
    watch: Watch,
    number: u64,
    /// The resource version to go on from; `None` where a list has to come first.
    from: Option<String>,
}

/// What one line of a watch means for the rest of it.
enum Next {
    More,
    ListAgain,
}

impl Following {
    /// Lists where that is needed, then follows until the API server ends the watch.
    async fn turn(&mut self) -> Result<(), Refusal> {
        let watch = &self.watch;
        let place = watch.namespace.as_deref();
        let call = Call::over("watch", &watch.api_version, &watch.kind, place);
        let kind = self
            .shared
            .cluster
            .served(&call, &watch.api_version, &watch.kind)
            .await?;
        let home = collection(&call, &kind, place)?;
        let resumed = self.from.clone();
        let is_resumed = resumed.is_some();
        let from = match resumed {
            Some(from) => from,
            None => self.list(&kind).await?,
        };
        self.from = Some(from.clone());
        let ended = self.follow(&call, &home, &from).await;
        let has_expired = matches!(&ended, Err(refusal) if refusal.cause == Cause::Expired);
        if has_expired {
            self.from = None;
        }
        // What was listed just now and is too old all the same is a fault.
        if has_expired && is_resumed {
            return Ok(());
        }
        ended
    }

    async fn list(&mut self, kind: &Kind) -> Result<String, Refusal> {
        let Watch {
            namespace, labels, ..
        } = &self.watch;
        let namespace = namespace.as_deref();
        let call = Call::over("list", &kind.api_version, &kind.kind, namespace);
        let selection = Selection {
            kind,
            namespace,
            labels,
        };
        let mut all = Vec::new();
        let keep = |object: Object| all.push(trim(object));
        let from = self.shared.cluster.pages(&call, selection, keep).await?;
        let at = from.parse().unwrap_or_default();
        let changed = self.shared.shelf().relist(self.number, all, at);
        changed
            .into_iter()
            .for_each(|object| self.shared.tell(self.shared.changed(&object)));
        self.up();
        Ok(from)
    }

    async fn follow(&mut self, call: &Call, home: &Request, from: &str) -> Result<(), Refusal> {
        let cluster = self.shared.cluster.clone();
        let mut options = WatchParams::default().timeout(TERM);
        options.label_selector = selector(&self.watch.labels);
        let request = cluster.prepare(call, home.watch(&options, from))?;
        let opening =
            tokio::time::timeout(cluster.deadline(), cluster.client.request_stream(request));
        let stream = opening
            .await
            .map_err(|_| call.too_late(cluster.deadline()))?;
        let stream = pin!(stream.map_err(|fault| call.broken(&fault))?);
        let mut lines = stream.lines();
        self.up();
        loop {
            let line = match tokio::time::timeout(SILENCE, lines.next()).await {
                Ok(Some(Ok(line))) => line,
                // Connections end; the watch goes on from where it was.
                Ok(Some(Err(_)) | None) => return Ok(()),
                Err(_) => return Err(call.too_late(SILENCE)),
            };
            match self.take(call, &line)? {
                Next::More => {}
                Next::ListAgain => return Err(call.refused(Cause::Expired)),
            }
        }
    }

    fn take(&mut self, call: &Call, line: &str) -> Result<Next, Refusal> {
        // Cut off by the end of the connection, say: nothing is lost, it comes again.
        let mut event: Value = serde_json::from_str(line)
            .map_err(|fault| call.unanswered(format!("a line is no JSON: {fault}")))?;
        let mut value = event["object"].take();
        match event["type"].as_str().unwrap_or_default() {
            "ERROR" => {
                let status: Status = serde_json::from_value(value).unwrap_or_default();
                let refusal = call.answered(&status, None);
                return if refusal.cause == Cause::Expired {
                    Ok(Next::ListAgain)
                } else {
                    Err(refusal)
                };
            }
            "BOOKMARK" => {
                let at = value["metadata"]["resourceVersion"]
                    .as_str()
                    .unwrap_or_default();
                self.shared
                    .shelf()
                    .reached(self.number, at.parse().unwrap_or_default());
                self.from = Some(at.to_owned());
            }
            kind => {
                value["apiVersion"] = json!(self.watch.api_version);
                value["kind"] = json!(self.watch.kind);
                seal(&mut value);
                self.change(trim(object(call, value)?), kind == "DELETED");
            }
        }
        Ok(Next::More)
    }

    fn change(&mut self, object: Object, has_left: bool) {
        self.from = object.resource_version().map(ToOwned::to_owned);
        let changed = self.shared.changed(&object);
        if has_left {
            self.shared.shelf().take_out(self.number, &object);
            self.shared.tell(changed);
        } else if self.shared.shelf().put(self.number, object) {
            self.shared.tell(changed);
        }
    }

    /// The cluster does not serve the kind: there are no objects of it.
    fn none(&mut self) {
        self.from = None;
        let left = self.shared.shelf().empty(self.number);
        left.into_iter()
            .for_each(|object| self.shared.tell(self.shared.changed(&object)));
        self.up();
    }

    fn up(&self) {
        self.condition(|condition| {
            *condition = Condition {
                is_listed: true,
                fault: None,
            }
        });
    }

    fn down(&self, refusal: &Refusal) {
        let since = clock::now();
        tracing::debug!(watch = ?self.watch, %refusal, "a watch is down");
        self.condition(|condition| condition.fail(refusal.to_string(), since));
    }

    fn condition(&self, change: impl FnOnce(&mut Condition)) {
        self.shared.conditions.send_modify(|all| {
            // An unfollowed watch has no condition any more.
            if let Some(condition) = all.get_mut(&self.number) {
                change(condition);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        sync::{Mutex, PoisonError},
    };

    use bytes::Bytes;
    use futures::{Stream, stream};
    use kube::client::Body;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::cluster::{Cluster, Live};

    type Chunks = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, Infallible>> + Send>>;

    /// An API server that knows ConfigMaps, gives these lists, then these watches, then a watch
    /// that is open and says nothing.
    fn cluster(lists: Vec<Value>, watches: Vec<Value>) -> Cluster {
        let lists = Arc::new(Mutex::new(VecDeque::from(lists)));
        let watches = Arc::new(Mutex::new(VecDeque::from(watches)));
        let next = |of: &Mutex<VecDeque<Value>>| {
            of.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
        };
        let server = tower::service_fn(move |request: http::Request<Body>| {
            let kinds = json!({"resources": [{"name": "configmaps", "kind": "ConfigMap",
                "namespaced": true, "verbs": ["list", "watch"]}]});
            let query = request.uri().query().unwrap_or_default();
            let answer = match (request.uri().path(), query.contains("watch=true")) {
                ("/api/v1", _) => Some(kinds),
                (_, true) => next(&watches),
                (_, false) => next(&lists),
            };
            let chunks: Chunks = match answer {
                Some(answer) => {
                    stream::once(async move { Ok(format!("{answer}\n").into()) }).boxed()
                }
                None => stream::pending().boxed(),
            };
            async {
                Ok::<_, Infallible>(http::Response::new(axum::body::Body::from_stream(chunks)))
            }
        });
        Cluster::new(kube::Client::new(server, "default"), "default")
    }

    fn list(version: &str, names: &[&str]) -> Value {
        let item = |name: &&str| json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": "5"}});
        let items: Vec<Value> = names.iter().map(item).collect();
        json!({"metadata": {"resourceVersion": version}, "items": items})
    }

    fn names(live: &Live) -> Vec<String> {
        live.list("", "ConfigMap", None)
            .iter()
            .map(|object| object.id().name)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_frozen_watch_is_noticed_within_35_seconds() {
        let live = Live::new(&cluster(vec![list("10", &["a"])], vec![]));
        live.settle(&[Watch::of("v1", "ConfigMap")].into())
            .await
            .unwrap();
        assert!(live.faults().is_empty());
        let frozen = Instant::now();
        while live.faults().is_empty() {
            sleep(Duration::from_millis(100)).await;
        }
        assert!(
            frozen.elapsed() <= Duration::from_secs(35),
            "{:?}",
            frozen.elapsed()
        );
        assert_eq!(names(&live), ["a"], "what was known is still shown");
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_expired_version_objects_absent_from_the_new_list_leave() {
        let expired = json!({"type": "ERROR", "object": {"kind": "Status", "code": 410,
            "reason": "Expired", "message": "too old resource version"}});
        let lists = vec![list("10", &["a", "b"]), list("20", &["b", "c"])];
        let live = Live::new(&cluster(lists, vec![expired]));
        live.settle(&[Watch::of("v1", "ConfigMap")].into())
            .await
            .unwrap();
        assert_eq!(names(&live), ["a", "b"]);
        let mut changes = live.subscribe();
        assert_eq!(
            changes.recv().await.unwrap().id.name,
            "a",
            "who leaves is told"
        );
        assert_eq!(changes.recv().await.unwrap().id.name, "c");
        assert_eq!(names(&live), ["b", "c"]);
        assert!(live.faults().is_empty(), "an expired version is no fault");
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_was_cut_off_goes_on() {
        let event = |kind: &str, name: &str, version: &str| {
            let meta = json!({"name": name, "namespace": "shop", "resourceVersion": version});
            json!({"type": kind, "object": {"metadata": meta}})
        };
        let watches = vec![event("ADDED", "b", "11"), event("DELETED", "a", "12")];
        let live = Live::new(&cluster(vec![list("10", &["a"])], watches));
        live.follow(Watch::of("v1", "ConfigMap"));
        while names(&live) != ["b"] {
            sleep(Duration::from_millis(100)).await;
        }
        assert!(live.faults().is_empty());
    }
}
