//! A simulated cluster in the hands of a test: store, controllers and kubelets, no API in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate::object::Object;
use tidegate::sim::controller::Controllers;
use tidegate::sim::kind::Kind;
use tidegate::sim::kubelet::{Kubelet, tag};
use tidegate::sim::store::{Actor, Deletion, Propagation, Store};
use tidegate::sim::time::Time;

pub(crate) const NAMESPACE: &str = "shop";

/// A simulated cluster of five nodes with one namespace.
pub(crate) struct Town {
    pub(crate) time: Time,
    pub(crate) store: Store,
    pub(crate) controllers: Controllers,
    pub(crate) kubelet: Kubelet,
}

impl Town {
    pub(crate) fn new() -> Self {
        let start = Timestamp::from_second(1_800_000_000).expect("a timestamp");
        let time = Time::driven(start);
        let nodes: Vec<String> = (0..5).map(|number| format!("node-{number}")).collect();
        let mut town = Self {
            store: Store::new(time.clone(), 1),
            time,
            controllers: Controllers::new(),
            kubelet: Kubelet::new(1, &nodes),
        };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
                               "metadata": {"name": NAMESPACE}});
        town.create(namespace);
        town
    }

    /// Lets all work that is due now be done; returns when the next is.
    pub(crate) fn settle(&mut self) -> Option<Timestamp> {
        for _ in 0..1000 {
            let dues = [
                self.controllers.run(&mut self.store),
                self.kubelet.run(&mut self.store),
            ];
            let before = self.store.revision();
            let due = dues.into_iter().flatten().min();
            let more = self.controllers.run(&mut self.store);
            let due = due.into_iter().chain(more).min();
            let is_still = before == self.store.revision();
            if is_still && due.is_none_or(|due| due > self.time.now()) {
                return due;
            }
        }
        panic!("it does not come to rest");
    }

    /// Lets time pass, from one thing that is due to the next.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.time.now() + jiff::SignedDuration::try_from(time).expect("a short time");
        loop {
            let due = self.settle().filter(|due| *due <= end);
            let next = due.unwrap_or(end);
            let step = next.duration_since(self.time.now());
            self.time
                .advance(Duration::try_from(step).expect("it goes forward"));
            if due.is_none() {
                self.settle();
                return;
            }
        }
    }

    pub(crate) fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    pub(crate) fn create(&mut self, object: Value) {
        let created = self.store.create(&Actor::new("test"), object);
        created.expect("a good object");
    }

    pub(crate) fn edit(&mut self, kind: &Kind, name: &str, edit: impl FnOnce(&mut Value)) {
        let place = (kind, NAMESPACE, name);
        let edited = self.store.change(&Actor::new("test"), place, edit);
        edited.expect("a good edit");
    }

    pub(crate) fn delete(&mut self, kind: &Kind, name: &str, propagation: Propagation) {
        let deletion = Deletion {
            propagation: Some(propagation),
            ..Deletion::default()
        };
        let deleted = self.store.delete(kind, NAMESPACE, name, &deletion);
        deleted.expect("it is there");
    }

    pub(crate) fn get(&self, kind: &Kind, name: &str) -> Arc<Object> {
        let found = self.store.get(kind, NAMESPACE, name);
        Arc::clone(found.expect("it is there"))
    }

    pub(crate) fn all(&self, kind: &Kind) -> Vec<Arc<Object>> {
        self.store.list(kind, Some(NAMESPACE)).cloned().collect()
    }

    /// The pods that are not being deleted.
    pub(crate) fn pods(&self) -> Vec<Arc<Object>> {
        let mut pods = self.all(&Kind::POD);
        pods.retain(|pod| !pod.is_terminating());
        pods
    }

    /// Pods and Ready pods by image tag, without those that are being deleted.
    pub(crate) fn counts(&self) -> BTreeMap<String, (usize, usize)> {
        let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for pod in self.pods() {
            let image = pod.text("/spec/containers/0/image").unwrap_or_default();
            let (pods, ready) = counts.entry(tag(image).to_owned()).or_default();
            *pods += 1;
            *ready += usize::from(is_ready(&pod));
        }
        counts
    }

    /// The messages of Events with this reason, oldest first.
    pub(crate) fn told(&self, reason: &str) -> Vec<String> {
        let mut events = self.all(&Kind::EVENT);
        events.retain(|event| event.text("/reason") == Some(reason));
        events.sort_by_key(|event| {
            let version = event.resource_version().unwrap_or_default();
            version.parse::<u64>().unwrap_or_default()
        });
        events
            .iter()
            .map(|event| event.text("/message").unwrap_or_default().to_owned())
            .collect()
    }
}

pub(crate) fn is_ready(pod: &Object) -> bool {
    pod.condition("Ready")
        .is_some_and(|ready| ready["status"] == "True")
}

/// A pod template of this image tag.
pub(crate) fn template(tag: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": format!("shop/web:{tag}")}]},
    })
}

pub(crate) fn workload(api_version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template("1")},
    });
    for (key, value) in spec.as_object().expect("a map") {
        object["spec"][key] = value.clone();
    }
    object
}

pub(crate) fn set_tag(object: &mut Value, tag: &str) {
    let image = &mut object["spec"]["template"]["spec"]["containers"][0]["image"];
    *image = format!("shop/web:{tag}").into();
}

/// What [`Town::counts`] should say.
pub(crate) fn tags<const N: usize>(
    counts: [(&str, usize, usize); N],
) -> BTreeMap<String, (usize, usize)> {
    let counts = counts.map(|(tag, pods, ready)| (tag.to_owned(), (pods, ready)));
    BTreeMap::from(counts)
}
