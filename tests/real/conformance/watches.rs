//! The rules of watches.

use std::io;
use std::time::Duration;

use futures::future::join_all;
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::requests::ask::Ask;
use super::requests::{Both, Side, flatten, town};
use super::{Case, calm};

/// How long a watch may take to tell what it has to tell.
const SOON: Duration = Duration::from_secs(10);

const MAPS: &str = "/api/v1/namespaces/NS/configmaps";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const PARTIAL: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";

/// One watch: what is there before, what it asks for, what is done then, and how many events are
/// awaited; 0 for all until the server ends it.
struct Watch {
    name: &'static str,
    query: &'static str,
    accept: &'static str,
    /// Events that are told before anything is done.
    first: usize,
    events: usize,
}

const fn watch(name: &'static str, query: &'static str, events: usize) -> Watch {
    Watch {
        name,
        query,
        accept: "application/json",
        first: 0,
        events,
    }
}

/// How far back a watch may begin is not among them: that goes by the age of a server.
///
/// Before each there are the maps `a` and `b`; then `b` is labelled, `c` comes, `b` loses its label
/// and `a` goes.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn watches() -> Vec<Watch> {
    vec![
        watch("from a version", "resourceVersion={VERSION}", 4),
        Watch {
            first: 2,
            ..watch("from the present on, told first", "resourceVersion=0", 6)
        },
        Watch {
            first: 2,
            ..watch("from nowhere", "", 6)
        },
        watch(
            "what comes and goes by its labels",
            "resourceVersion={VERSION}&labelSelector=tier%3Dx",
            2,
        ),
        watch(
            "one by its name",
            "resourceVersion={VERSION}&fieldSelector=metadata.name%3Da",
            1,
        ),
        Watch {
            first: 3,
            ..watch(
                "initial events",
                "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
                7,
            )
        },
        watch(
            "no initial events",
            "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion={VERSION}",
            4,
        ),
        Watch {
            first: 2,
            ..watch(
                "initial events without bookmarks",
                "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                6,
            )
        },
        watch(
            "initial events without a match",
            "sendInitialEvents=true",
            0,
        ),
        watch(
            "a match without initial events",
            "resourceVersionMatch=NotOlderThan&resourceVersion=0",
            0,
        ),
        watch("no version", "resourceVersion=x", 0),
        watch("an end", "resourceVersion={VERSION}&timeoutSeconds=1", 0),
        watch("bad labels", "labelSelector=a%20among%20b", 0),
        watch("an unknown field", "fieldSelector=data.a%3Db", 0),
        Watch {
            accept: TABLE,
            ..watch("as tables", "resourceVersion={VERSION}", 4)
        },
        Watch {
            accept: PARTIAL,
            ..watch("as metadata", "resourceVersion={VERSION}", 4)
        },
    ]
}

pub(super) async fn all() -> Vec<Case> {
    let town = town();
    let seen = watches().into_iter().map(|watch| {
        let town = &town;
        async move {
            let both = Both::with_namespace(town, "watches").await;
            let mut real = Side::new(&both.real, &both.namespace);
            let mut simulated = Side::new(&both.simulated, &both.namespace);
            let (real, simulated) =
                tokio::join!(see(&mut real, &watch), see(&mut simulated, &watch));
            Case {
                story: "watches",
                call: watch.name.to_owned(),
                real: real.replace(&both.namespace, "NS"),
                simulated: simulated.replace(&both.namespace, "NS"),
            }
        }
    });
    join_all(seen).await
}

async fn see(side: &mut Side<'_>, watch: &Watch) -> String {
    for name in ["a", "b"] {
        let map = json!({"metadata": {"name": name}});
        side.send(&Ask::new("POST", MAPS, map)).await;
    }
    let ask = Ask::get(format!("{MAPS}?watch=true&{}", watch.query)).accepting(watch.accept);
    let answer = side.begin(&ask).await;
    let mut lines = vec![answer.status().as_u16().to_string()];
    let body = answer.into_body().into_data_stream();
    let mut events = body.map_err(io::Error::other).into_async_read().lines();
    let (mut told, mut has_changed) = (0, watch.events == 0);
    while told < watch.events || watch.events == 0 {
        // A reminder may come before anything is told: the changes are made once all the same.
        if told == watch.first && !has_changed {
            has_changed = true;
            change(side).await;
        }
        let next = tokio::time::timeout(SOON, events.try_next()).await;
        match next {
            // When the server tells how far it is, it chooses itself.
            Ok(Ok(Some(line))) if is_reminder(&line) => continue,
            Ok(Ok(Some(line))) => tell(&line, &mut lines),
            Ok(Ok(None)) => {
                lines.push("the end".to_owned());
                break;
            }
            Ok(Err(fault)) => {
                lines.push(fault.to_string());
                break;
            }
            Err(_) => {
                lines.push(format!("nothing more after {told}"));
                break;
            }
        }
        told += 1;
    }
    calm::text(&lines.join("\n"))
}

async fn change(side: &mut Side<'_>) {
    let label = |value: Value| json!({"metadata": {"labels": {"tier": value}}});
    let asks = [
        Ask::merge(format!("{MAPS}/b"), label(json!("x"))),
        Ask::new("POST", MAPS, json!({"metadata": {"name": "c"}})),
        Ask::merge(format!("{MAPS}/b"), label(Value::Null)),
        Ask::delete(format!("{MAPS}/a")),
    ];
    for ask in asks {
        let (code, body, _) = side.send(&ask).await;
        assert!(code < 300, "{body}");
    }
}

/// Says whether an event is a bookmark other than the one at the end of the initial events.
fn is_reminder(line: &str) -> bool {
    line.contains("\"BOOKMARK\"") && !line.contains("initial-events-end")
}

fn tell(line: &str, lines: &mut Vec<String>) {
    match serde_json::from_str::<Value>(line) {
        Ok(mut event) => {
            calm::document(&mut event);
            flatten("", &event, lines);
        }
        Err(_) => lines.push(line.to_owned()),
    }
}
