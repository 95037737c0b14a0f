//! What the pods of a StatefulSet or a DaemonSet did, place by place, from watches of it and of them.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::background::Record;
use super::counts::{is_ready, tag};
use super::look::objects;

/// The record of a workload and its pods since it was started.
pub(crate) struct Ladder(Record<(u64, News)>);

/// Where a DaemonSet writes the node of a pod.
const NODE: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";

#[derive(Clone)]
enum News {
    /// Generation and update strategy.
    Set(i64, Value),
    /// A pod by its place: image tag and readiness; `None` once it is being deleted.
    Pod(u32, Option<(String, bool)>),
}

impl Ladder {
    /// Starts with `kind/name` as it is now; its pods carry `app: NAME`.
    pub(crate) fn start(client: Client, namespace: &str, (kind, name): (&str, &str)) -> Self {
        let sets = objects(client.clone(), namespace, kind);
        let pods: Api<Pod> = Api::namespaced(client, namespace);
        let only_it = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let its_pods = watcher::Config::default().labels(&format!("app={name}"));
        let changes = stream::select(
            watcher(sets, only_it)
                .filter_map(async |event| of_set(event.ok()?))
                .boxed(),
            watcher(pods, its_pods)
                .filter_map(async |event| of_pod(event.ok()?))
                .boxed(),
        );
        Self(Record::start(changes))
    }

    /// The pods from the lowest place up, by their tags, before each write that changed the
    /// specification, and now: `4: 1 1 1 2` where the partition was 4. `-` stands for a pod on its
    /// way out, `OnDelete` for the partition where that is the strategy. A place is the number of a
    /// pod, or of its node in a DaemonSet.
    pub(crate) fn rests(&self) -> Vec<String> {
        let mut rests = Vec::new();
        let mut pods = BTreeMap::new();
        let mut written: Option<(i64, String)> = None;
        for news in self.in_order() {
            match news {
                News::Set(generation, strategy) => {
                    if let Some((before, levers)) = &written
                        && generation != *before
                    {
                        rests.push(rest(levers, &pods));
                    }
                    written = Some((generation, levers(&strategy)));
                }
                News::Pod(place, is) => {
                    pods.insert(place, is);
                }
            }
        }
        rests.extend(written.map(|(_, levers)| rest(&levers, &pods)));
        rests
    }

    /// The least number of Ready pods at any moment since all were.
    pub(crate) fn fewest_ready(&self) -> usize {
        let (mut pods, mut fewest, mut all) = (BTreeMap::new(), usize::MAX, 0);
        for news in self.in_order() {
            let News::Pod(place, is) = news else {
                continue;
            };
            pods.insert(place, is.is_some_and(|(_, is_ready)| is_ready));
            let ready = pods.values().filter(|is_ready| **is_ready).count();
            if ready < all {
                fewest = fewest.min(ready);
            }
            all = all.max(ready);
        }
        fewest.min(all)
    }

    fn in_order(&self) -> Vec<News> {
        let mut news = self.0.news().clone();
        news.sort_by_key(|(version, _)| *version);
        news.into_iter().map(|(_, news)| news).collect()
    }
}

fn rest(levers: &str, pods: &BTreeMap<u32, Option<(String, bool)>>) -> String {
    let tags = pods
        .values()
        .map(|is| is.as_ref().map_or("-", |(tag, _)| tag));
    format!("{levers}: {}", tags.collect::<Vec<_>>().join(" "))
}

fn levers(strategy: &Value) -> String {
    match strategy["type"].as_str() {
        Some("OnDelete") => "OnDelete".to_owned(),
        _ => match &strategy["rollingUpdate"]["partition"] {
            Value::Null => "RollingUpdate".to_owned(),
            partition => partition.to_string(),
        },
    }
}

/// The number at the end of the name of a pod's node, where a DaemonSet chose it, or of its own.
fn place(pod: &Pod) -> u32 {
    let name = json!(pod)
        .pointer(NODE)
        .and_then(Value::as_str)
        .map_or_else(|| pod.name_any(), ToOwned::to_owned);
    let number = name.rsplit_once('-').map(|(_, number)| number);
    let number = number.and_then(|number| number.parse().ok());
    number.expect("the name ends with a number")
}

fn of_set(event: Event<DynamicObject>) -> Option<(u64, News)> {
    let (Event::Apply(found) | Event::InitApply(found)) = event else {
        return None;
    };
    let version = found.resource_version()?.parse().ok()?;
    let generation = found.metadata.generation.unwrap_or_default();
    let strategy = found.data["spec"]["updateStrategy"].clone();
    Some((version, News::Set(generation, strategy)))
}

fn of_pod(event: Event<Pod>) -> Option<(u64, News)> {
    let (found, is_there) = match event {
        Event::Apply(found) | Event::InitApply(found) => (found, true),
        Event::Delete(found) => (found, false),
        Event::Init | Event::InitDone => return None,
    };
    let version = found.resource_version()?.parse().ok()?;
    let is_there = is_there && found.metadata.deletion_timestamp.is_none();
    let is = is_there.then(|| (tag(&found).to_owned(), is_ready(&found)));
    Some((version, News::Pod(place(&found), is)))
}
