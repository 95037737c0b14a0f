//! Events as the real controllers record them: a repeated one counts up instead of coming again,
//! many similar ones become one, and an object that has too much to tell is not heard for a while
//! (`EventCorrelator` in `client-go/tools/record`).

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::json;

use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::store::{Actor, Store};
use crate::sim::time::seconds;

/// The most subjects that are remembered.
const REMEMBERED: usize = 4096;
/// So many different messages with one reason become one Event.
const SIMILAR: usize = 10;
/// How long similar ones are counted after the last one, in seconds.
const SIMILAR_WITHIN: i64 = 600;
/// The Events that an object may tell at once.
const BURST: f64 = 25.0;
/// How long it takes until it may tell one more, in seconds.
const REFILL: f64 = 300.0;

/// The Events told so far.
#[derive(Debug, Default)]
pub(crate) struct Events {
    names: HashMap<Told, String>,
    similar: HashMap<Told, Similar>,
    allowances: HashMap<(String, String), Allowance>,
    number: u64,
}

/// What makes two Events the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Told {
    component: String,
    /// UID of the object.
    about: String,
    reason: String,
    message: String,
}

/// Messages with one reason.
#[derive(Debug)]
struct Similar {
    messages: BTreeSet<String>,
    last: i64,
}

/// How many Events an object may still tell.
#[derive(Debug)]
struct Allowance {
    left: f64,
    at: i64,
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
            component: component.to_owned(),
            about: about.uid().unwrap_or_default().to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        let now = store.now().as_second();
        let is_one_of_many = self.is_one_of_many(&told, now);
        let (told, message) = if is_one_of_many {
            let message = format!("(combined from similar events): {message}");
            let told = Told {
                message: String::new(),
                ..told
            };
            (told, message)
        } else {
            (told, message.to_owned())
        };
        if !self.allows(&told, now) {
            return;
        }
        let event = Event {
            kind,
            reason,
            message: &message,
        };
        if !self.count_up(store, about, &told, &event) {
            self.create(store, about, told, &event);
        }
    }

    /// Notes a message; says whether there are too many with this reason to tell each.
    fn is_one_of_many(&mut self, told: &Told, now: i64) -> bool {
        let key = Told {
            message: String::new(),
            ..told.clone()
        };
        forget(&mut self.similar);
        let similar = self.similar.entry(key).or_insert(Similar {
            messages: BTreeSet::new(),
            last: now,
        });
        if now - similar.last > SIMILAR_WITHIN {
            similar.messages.clear();
        }
        similar.last = now;
        similar.messages.insert(told.message.clone());
        let is_one_of_many = similar.messages.len() >= SIMILAR;
        if is_one_of_many {
            similar.messages.pop_first();
        }
        is_one_of_many
    }

    /// Says whether an object may tell one more.
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds between two Events are few"
    )]
    fn allows(&mut self, told: &Told, now: i64) -> bool {
        let key = (told.component.clone(), told.about.clone());
        forget(&mut self.allowances);
        let allowance = self.allowances.entry(key).or_insert(Allowance {
            left: BURST,
            at: now,
        });
        let gained = (now - allowance.at) as f64 / REFILL;
        allowance.left = (allowance.left + gained).min(BURST);
        allowance.at = now;
        let is_allowed = allowance.left >= 1.0;
        if is_allowed {
            allowance.left -= 1.0;
        }
        is_allowed
    }

    /// Counts up an Event that was told before; says whether there is one.
    fn count_up(&self, store: &mut Store, about: &Object, told: &Told, event: &Event<'_>) -> bool {
        let Some(name) = self.names.get(told) else {
            return false;
        };
        let namespace = about.namespace().unwrap_or("default");
        let now = seconds(store.now());
        let place = (&Kind::EVENT, namespace, name.as_str());
        let counted = store.change(&Actor::new(manager(&told.component)), place, |known| {
            let count = known["count"].as_u64().unwrap_or(1);
            known["count"] = (count + 1).into();
            known["lastTimestamp"] = now.as_str().into();
            known["message"] = event.message.into();
        });
        counted.is_ok()
    }

    fn create(&mut self, store: &mut Store, about: &Object, told: Told, event: &Event<'_>) {
        self.number += 1;
        let name = event.name(about, store.now(), self.number);
        let document = event.document(about, &told.component, &name, store.now());
        forget(&mut self.names);
        if store
            .create(&Actor::new(manager(&told.component)), document)
            .is_ok()
        {
            self.names.insert(told, name);
        }
    }
}

/// The field manager of a component: the program that it is part of.
fn manager(component: &str) -> &'static str {
    match component {
        "default-scheduler" => "kube-scheduler",
        "kubelet" => "kubelet",
        _ => "kube-controller-manager",
    }
}

/// Begins anew where too much is remembered.
fn forget<K, V>(memory: &mut HashMap<K, V>) {
    if memory.len() >= REMEMBERED {
        memory.clear();
    }
}

struct Event<'a> {
    kind: &'a str,
    reason: &'a str,
    message: &'a str,
}

impl Event<'_> {
    fn name(&self, about: &Object, now: Timestamp, number: u64) -> String {
        let stem = about.text("/metadata/name").unwrap_or_default();
        let nanoseconds = u64::try_from(now.as_nanosecond()).unwrap_or_default();
        format!("{stem}.{:x}", nanoseconds.wrapping_add(number))
    }

    fn document(
        &self,
        about: &Object,
        component: &str,
        name: &str,
        now: Timestamp,
    ) -> serde_json::Value {
        let now = seconds(now);
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": about.namespace().unwrap_or("default")},
            "involvedObject": {
                "apiVersion": about.api_version(),
                "kind": about.kind(),
                "name": about.text("/metadata/name"),
                "namespace": about.namespace(),
                "resourceVersion": about.resource_version(),
                "uid": about.uid(),
            },
            "type": self.kind,
            "reason": self.reason,
            "message": self.message,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": "",
        })
    }
}
