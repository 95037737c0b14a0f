//! Events as the real controllers record them: a repeated one counts up instead of coming again
//! (`client-go/tools/record`).

use std::collections::HashMap;

use serde_json::json;

use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::store::{Actor, Store};
use crate::sim::time::seconds;

/// The most Events that are remembered for counting; the real one remembers as many.
const REMEMBERED: usize = 4096;

/// The Events told so far.
#[derive(Debug, Default)]
pub(crate) struct Events {
    names: HashMap<Told, String>,
    number: u64,
}

/// What makes two Events the same: the object's UID, reason and message.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Told {
    about: String,
    reason: String,
    message: String,
}

impl Events {
    /// Tells something: type, reason and message. Events are for people: where the API refuses one,
    /// as in a namespace that is going, it is lost.
    pub(crate) fn tell(
        &mut self,
        store: &mut Store,
        component: &str,
        about: &Object,
        (kind, reason, message): (&str, &str, &str),
    ) {
        let told = Told {
            about: about.uid().unwrap_or_default().to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        let now = seconds(store.now());
        let namespace = about.namespace().unwrap_or("default").to_owned();
        let actor = Actor::new(component);
        if let Some(name) = self.names.get(&told) {
            let place = (&Kind::EVENT, namespace.as_str(), name.as_str());
            let counted = store.change(&actor, place, |event| {
                let count = event["count"].as_u64().unwrap_or(1);
                event["count"] = (count + 1).into();
                event["lastTimestamp"] = now.as_str().into();
            });
            if counted.is_ok() {
                return;
            }
        }
        self.number += 1;
        let stem = about.text("/metadata/name").unwrap_or_default();
        let nanoseconds = u64::try_from(store.now().as_nanosecond()).unwrap_or_default();
        let name = format!("{stem}.{:x}", nanoseconds.wrapping_add(self.number));
        let event = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": about.api_version(),
                "kind": about.kind(),
                "name": stem,
                "namespace": about.namespace(),
                "resourceVersion": about.resource_version(),
                "uid": about.uid(),
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": "",
        });
        if self.names.len() >= REMEMBERED {
            self.names.clear();
        }
        if store.create(&actor, event).is_ok() {
            self.names.insert(told, name);
        }
    }
}
