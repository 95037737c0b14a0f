//! Whether a write let more pods be new than it says, from a watch of a Deployment and its
//! ReplicaSets: law I1 of frozen rollouts, whoever wrote.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::background::Record;

/// `minReadySeconds` of a frozen Deployment.
const FROZEN: i32 = 2_147_483_646;

/// The record of a Deployment and its ReplicaSets since it was started.
pub(crate) struct Exposure(Record<News>);

/// One stored version of an object.
struct News {
    version: u64,
    what: What,
}

enum What {
    Deployment(Box<Deployment>),
    ReplicaSet {
        hash: String,
        template: Value,
        replicas: i32,
    },
}

/// What the last write of the Deployment allows.
#[derive(Clone, Copy)]
struct Bound {
    /// Pods of the live template; `None` where nothing is frozen.
    most: Option<i32>,
    /// What it was before the controller saw the write: it may still act by that.
    before: Option<i32>,
    target: i32,
    is_observed: bool,
}

impl Exposure {
    /// Starts with the Deployment as it is now.
    pub(crate) fn start(client: Client, namespace: &str, deployment: &str) -> Self {
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
        let sets: Api<ReplicaSet> = Api::namespaced(client, namespace);
        let only_it = watcher::Config::default().fields(&format!("metadata.name={deployment}"));
        let its_sets = watcher::Config::default().labels(&format!("app={deployment}"));
        let changes = stream::select(
            watcher(deployments, only_it)
                .filter_map(async |event| Some(of_deployment(event.ok()?)?))
                .boxed(),
            watcher(sets, its_sets)
                .filter_map(async |event| Some(of_set(event.ok()?)?))
                .boxed(),
        );
        Self(Record::start(changes))
    }

    /// # Panics
    /// Where more pods than the levers allow became new while the Deployment was frozen, those
    /// apart that were new already when it was written.
    pub(crate) fn assert_never_enlarged(&self) {
        let mut news = self.0.news();
        news.sort_by_key(|news| news.version);
        let mut sets: HashMap<String, (Value, i32)> = HashMap::new();
        let mut live: Option<Deployment> = None;
        let mut bound = Bound {
            most: None,
            before: None,
            target: 0,
            is_observed: true,
        };
        for change in news.iter() {
            match &change.what {
                What::ReplicaSet {
                    hash,
                    template,
                    replicas,
                } => {
                    sets.insert(hash.clone(), (template.clone(), *replicas));
                }
                What::Deployment(next) => {
                    let new = new_pods(next, &sets);
                    if generation(next) != live.as_ref().map_or(0, generation) {
                        bound = written(next, live.as_ref(), new, bound);
                    }
                    if !bound.is_observed && observed(next) >= generation(next) {
                        bound.most = bound.most.map(|_| new.max(bound.target));
                        bound.is_observed = true;
                    }
                    live = Some(Deployment::clone(next));
                }
            }
            let Some(live) = &live else { continue };
            let (new, most) = (new_pods(live, &sets), bound.limit());
            assert!(
                most.is_none_or(|most| new <= most),
                "{new} pods are new at {}, at most {most:?} may be:\n{}",
                change.version,
                Story(&news),
            );
        }
    }
}

impl Bound {
    fn limit(self) -> Option<i32> {
        if self.is_observed {
            self.most
        } else {
            Some(self.most?.max(self.before?))
        }
    }
}

/// A new generation of the Deployment. One pod more than planned after a scale-up is no fault.
fn written(next: &Deployment, last: Option<&Deployment>, new: i32, bound: Bound) -> Bound {
    let last_replicas = last.map_or(i32::MAX, replicas);
    let more = i32::from(replicas(next) > last_replicas);
    let target = target(next) + more;
    let same = last.is_some_and(|last| template(last) == template(next));
    Bound {
        most: is_frozen(next).then_some(new.max(target)),
        before: if same { bound.limit() } else { Some(0) },
        target,
        is_observed: last.is_none(),
    }
}

fn is_frozen(deployment: &Deployment) -> bool {
    deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.min_ready_seconds)
        == Some(FROZEN)
}

fn generation(deployment: &Deployment) -> i64 {
    deployment.metadata.generation.unwrap_or_default()
}

fn observed(deployment: &Deployment) -> i64 {
    let status = deployment.status.as_ref();
    status
        .and_then(|status| status.observed_generation)
        .unwrap_or_default()
}

fn replicas(deployment: &Deployment) -> i32 {
    deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1)
}

fn template(deployment: &Deployment) -> Value {
    let spec = deployment.spec.as_ref().expect("a Deployment has a spec");
    bare(json!(spec.template))
}

fn bare(mut template: Value) -> Value {
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove("pod-template-hash");
    }
    template
}

/// maxSurge + maxUnavailable as the controller resolves them.
fn target(deployment: &Deployment) -> i32 {
    let all = replicas(deployment);
    let strategy = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.strategy.as_ref());
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let amount = |value: Option<&IntOrString>, up: bool| match value {
        Some(IntOrString::Int(count)) => *count,
        Some(IntOrString::String(text)) => {
            let percent: i32 = text.trim_end_matches('%').parse().expect("it is a percent");
            (percent * all + if up { 99 } else { 0 }) / 100
        }
        None => all / 4,
    };
    let surge = amount(rolling.and_then(|rolling| rolling.max_surge.as_ref()), true);
    let gone = amount(
        rolling.and_then(|rolling| rolling.max_unavailable.as_ref()),
        false,
    );
    (surge + gone).clamp(1, all.max(1))
}

fn new_pods(deployment: &Deployment, sets: &HashMap<String, (Value, i32)>) -> i32 {
    let template = template(deployment);
    let same = sets.values().filter(|(other, _)| *other == template);
    same.map(|(_, replicas)| replicas).sum()
}

fn of_deployment(event: Event<Deployment>) -> Option<News> {
    let (Event::Apply(found) | Event::InitApply(found)) = event else {
        return None;
    };
    Some(News {
        version: found.resource_version()?.parse().ok()?,
        what: What::Deployment(Box::new(found)),
    })
}

fn of_set(event: Event<ReplicaSet>) -> Option<News> {
    let (Event::Apply(found) | Event::InitApply(found)) = event else {
        return None;
    };
    let spec = found.spec.as_ref()?;
    Some(News {
        version: found.resource_version()?.parse().ok()?,
        what: What::ReplicaSet {
            hash: found.name_any(),
            template: bare(json!(spec.template)),
            replicas: spec.replicas.unwrap_or_default(),
        },
    })
}

/// One line a stored version.
struct Story<'a>(&'a [News]);

impl Display for Story<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for news in self.0 {
            write!(out, "{}  ", news.version)?;
            match &news.what {
                What::ReplicaSet { hash, replicas, .. } => writeln!(out, "{hash}: {replicas}")?,
                What::Deployment(found) => writeln!(
                    out,
                    "generation {} (observed {}), R={} target {} {}",
                    generation(found),
                    observed(found),
                    replicas(found),
                    target(found),
                    if is_frozen(found) { "frozen" } else { "" },
                )?,
            }
        }
        Ok(())
    }
}
