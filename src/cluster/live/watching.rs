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
        objects::{object, selector},
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
                following.down(&refusal);
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
        let from = match self.from.clone() {
            Some(from) => from,
            None => self.list(&kind, &home).await?,
        };
        self.from = Some(from.clone());
        match self.follow(&call, &home, &from).await {
            Err(Refusal {
                cause: Cause::Expired,
                ..
            }) => {
                self.from = None;
                Ok(())
            }
            ended => ended,
        }
    }

    async fn list(&mut self, kind: &Kind, home: &Request) -> Result<String, Refusal> {
        let place = self.watch.namespace.as_deref();
        let call = Call::over("list", &kind.api_version, &kind.kind, place);
        let mut all = Vec::new();
        let keep = |object: Object| all.push(trim(object));
        let from = self
            .shared
            .cluster
            .pages(&call, kind, home, &self.watch.labels, keep)
            .await?;
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
