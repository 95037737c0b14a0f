//! Watches: what changes from a revision on, as a stream.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use futures::stream;
use http::Response;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::call::Call;
use super::reply::{self, Body};
use super::view::{self, View};
use super::{read, table};
use crate::object::Object;
use crate::sim::hall::Hall;
use crate::sim::refusal::Refusal;
use crate::sim::selector::{FieldsOf, Labels};
use crate::sim::store::{Change, Store};

/// How long a watch goes on that does not say (`--min-request-timeout`).
const LONG: Duration = Duration::from_secs(1800);
/// Between two bookmarks (`storage/cacher/ready.go`, `bookmarkFrequency`).
const BOOKMARK: Duration = Duration::from_secs(60);
/// Says that all that was there at the beginning has been told.
const INITIAL_END: &str = "k8s.io/initial-events-end";

/// A watch at work.
struct Watch {
    hall: Hall,
    call: Call,
    labels: Labels,
    fields: FieldsOf,
    seen: u64,
    waiting: VecDeque<Value>,
    bell: watch::Receiver<u64>,
    ends: Instant,
    bookmark: Instant,
    has_bookmarks: bool,
    has_columns: bool,
    is_over: bool,
}

/// Begins a watch.
///
/// # Errors
/// 400 for selectors or a revision that cannot be read; 410 comes as an event of the stream.
pub(super) fn watch(hall: &Hall, call: &Call) -> Result<Response<Body>, Refusal> {
    let (labels, fields) = call.selectors()?;
    let version = call.parameter("resourceVersion").unwrap_or_default();
    let from: u64 = match version {
        "" => 0,
        text => text
            .parse()
            .map_err(|_| Refusal::unnamed(500, &read::no_version(text)))?,
    };
    let wants_all = call.is("sendInitialEvents");
    let timeout = call
        .parameter("timeoutSeconds")
        .and_then(|text| text.parse().ok());
    let timeout = timeout
        .filter(|seconds| *seconds > 0)
        .map_or(LONG, Duration::from_secs);
    let now = Instant::now();
    let mut watch = Watch {
        hall: hall.clone(),
        call: call.clone(),
        labels,
        fields,
        seen: from,
        waiting: VecDeque::new(),
        bell: hall.bell(),
        ends: now + timeout,
        bookmark: now + BOOKMARK,
        has_bookmarks: call.is("allowWatchBookmarks"),
        has_columns: false,
        is_over: false,
    };
    hall.enter(|store| {
        // Without a revision, and from 0, a watch begins with what there is.
        if wants_all || from == 0 && call.parameter("sendInitialEvents") != Some("false") {
            watch.tell_all(store, wants_all && watch.has_bookmarks);
        }
    });
    Ok(reply::lines(stream::unfold(watch, |mut watch| async {
        let line = watch.next().await?;
        Some((line, watch))
    })))
}

/// Answers a request whose revision is too old.
pub(super) fn expired(call: &Call) -> Response<Body> {
    let refusal = Refusal::expired("too old resource version: a fault that was asked for");
    match call.verb {
        crate::sim::fault::Verb::Watch => {
            let event = json!({"type": "ERROR", "object": refusal.status()});
            reply::lines(stream::iter([event]))
        }
        _ => reply::refused(&refusal),
    }
}

impl Watch {
    /// Waits for the next event; `None` when the watch is over.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            self.bell.mark_unchanged();
            let hall = self.hall.clone();
            hall.enter(|store| self.take(store));
            if !self.waiting.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.bell.changed() => {
                    if changed.is_err() {
                        self.is_over = true;
                    }
                }
                () = tokio::time::sleep_until(self.ends) => self.is_over = true,
                () = tokio::time::sleep_until(self.bookmark), if self.has_bookmarks => {
                    self.bookmark += BOOKMARK;
                    let event = self.mark(false);
                    self.waiting.push_back(event);
                }
            }
        }
    }

    /// Takes what has changed since.
    fn take(&mut self, store: &Store) {
        let changes: Vec<Value> = match store.changes(self.seen) {
            Ok(changes) => {
                let kind = self.call.kind();
                let own = changes.filter(|change| change.kind == kind);
                let mut events = Vec::new();
                for change in own {
                    if let Some((word, object)) = self.event(change) {
                        let object = self.shown(&object);
                        events.push(json!({"type": word, "object": object}));
                    }
                }
                events
            }
            Err(refusal) => {
                self.is_over = true;
                vec![json!({"type": "ERROR", "object": refusal.status()})]
            }
        };
        self.seen = store.revision();
        self.waiting.extend(changes);
    }

    /// Tells of all that is there.
    fn tell_all(&mut self, store: &Store, ends_with_mark: bool) {
        let namespace = Some(self.call.namespace.clone()).filter(|namespace| !namespace.is_empty());
        let found: Vec<_> = store
            .list(&self.call.kind(), namespace.as_deref())
            .filter(|object| self.fits(object))
            .cloned()
            .collect();
        for object in found {
            let object = self.shown(&object);
            self.waiting
                .push_back(json!({"type": "ADDED", "object": object}));
        }
        self.seen = store.revision();
        if ends_with_mark {
            let event = self.mark(true);
            self.waiting.push_back(event);
        }
    }

    fn fits(&self, object: &Object) -> bool {
        let namespace = &self.call.namespace;
        let labels = object.at("/metadata/labels").and_then(Value::as_object);
        (namespace.is_empty() || object.namespace() == Some(namespace))
            && self.labels.fit(labels)
            && self.fields.fit(object.value())
    }

    /// Says what a change means to who sees only what fits the selectors.
    fn event<'a>(&self, change: &'a Change) -> Option<(&'static str, Cow<'a, Object>)> {
        let was = change.was.as_ref().is_some_and(|was| self.fits(was));
        let is = !change.is_gone && self.fits(&change.now);
        match (was, is) {
            (false, true) => Some(("ADDED", Cow::Borrowed(&change.now))),
            (true, true) => Some(("MODIFIED", Cow::Borrowed(&change.now))),
            (true, false) if change.is_gone => Some(("DELETED", Cow::Borrowed(&change.now))),
            // Who does not see what it became is shown what it was.
            (true, false) => {
                let mut was = change.was.as_deref()?.clone();
                let version = change.revision.to_string().into();
                was.set(&["metadata", "resourceVersion"], version);
                Some(("DELETED", Cow::Owned(was)))
            }
            (false, false) => None,
        }
    }

    fn shown(&mut self, object: &Object) -> Value {
        match self.call.view {
            View::Whole => view::versioned(&self.call, object),
            View::Metadata => view::metadata(object),
            View::Table => {
                let mut table = table::of(&self.call, &[object], object.resource_version());
                if self.has_columns
                    && let Some(table) = table.as_object_mut()
                {
                    table.insert("columnDefinitions".to_owned(), Value::Null);
                }
                self.has_columns = true;
                table
            }
        }
    }

    /// Returns a bookmark at what has been seen.
    fn mark(&self, is_initial_end: bool) -> Value {
        let mut metadata = json!({"resourceVersion": self.seen.to_string()});
        if is_initial_end {
            metadata["annotations"] = json!({INITIAL_END: "true"});
        }
        let object = match self.call.view {
            View::Whole => json!({"kind": self.call.resource.kind.name,
                "apiVersion": self.call.api_version(), "metadata": metadata}),
            View::Metadata => json!({"kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1", "metadata": metadata}),
            View::Table => {
                let row = json!({"cells": [], "object": {"kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1", "metadata": metadata}});
                json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1",
                    "metadata": {"resourceVersion": self.seen.to_string()},
                    "columnDefinitions": null, "rows": [row]})
            }
        };
        json!({"type": "BOOKMARK", "object": object})
    }
}
