//! The course of a Deployment: the pod counts at which it came to rest before each write that
//! changed its specification, and after the last. It follows from the order in which the API server
//! stored everything, not from the time that something stood.
//!
//! Where the agent answers something else than pods at rest, it races the controllers: how far they
//! get before its write is chance on either ground. A scenario leaves that out.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display, Formatter};

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use super::counts::tag;

/// Pods by the tag of their image, those that are being deleted left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rest(BTreeMap<String, usize>);

impl Rest {
    /// Returns the number of pods whose image has this tag.
    pub(crate) fn with_tag(&self, tag: &str) -> usize {
        self.0.get(tag).copied().unwrap_or_default()
    }
}

/// `10 of 1, 2 of 2`
impl Display for Rest {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (number, (tag, pods)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(out, "{comma}{pods} of {tag}")?;
        }
        Ok(())
    }
}

/// All that was stored of a Deployment, its ReplicaSets and its pods.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    /// The newest version of what was there from the beginning.
    start: u64,
    facts: Vec<(u64, Fact)>,
    /// Versions after which nothing counts, and up to which where it counts again.
    gaps: Vec<(u64, Option<u64>)>,
}

#[derive(Debug, Clone)]
enum Fact {
    Deployment {
        generation: Option<i64>,
        observed: Option<i64>,
    },
    /// Pods asked of a ReplicaSet; none of one that is gone.
    Set { uid: String, asked: Option<usize> },
    /// A pod that is there and not being deleted, with its ReplicaSet and its tag.
    Pod {
        uid: String,
        there: Option<(String, String)>,
    },
}

impl Course {
    pub(super) fn learn_of_deployment(&mut self, event: &Event<Deployment>) {
        let (Event::Apply(found) | Event::InitApply(found)) = event else {
            return;
        };
        let status = found.status.as_ref();
        let fact = Fact::Deployment {
            generation: found.metadata.generation,
            observed: status.and_then(|status| status.observed_generation),
        };
        self.add(found, matches!(event, Event::InitApply(_)), fact);
    }

    pub(super) fn learn_of_set(&mut self, event: &Event<ReplicaSet>) {
        let (Event::Apply(found) | Event::InitApply(found) | Event::Delete(found)) = event else {
            return;
        };
        let is_gone = matches!(event, Event::Delete(_));
        let asked = found.spec.as_ref().and_then(|spec| spec.replicas);
        let asked = usize::try_from(asked.unwrap_or(1)).expect("it is not negative");
        let fact = Fact::Set {
            uid: found.uid().unwrap_or_default(),
            asked: (!is_gone).then_some(asked),
        };
        self.add(found, matches!(event, Event::InitApply(_)), fact);
    }

    pub(super) fn learn_of_pod(&mut self, event: &Event<Pod>) {
        let (Event::Apply(found) | Event::InitApply(found) | Event::Delete(found)) = event else {
            return;
        };
        let is_gone =
            matches!(event, Event::Delete(_)) || found.metadata.deletion_timestamp.is_some();
        let owner = found.owner_references().first();
        let owner = owner.map(|owner| owner.uid.clone()).unwrap_or_default();
        let fact = Fact::Pod {
            uid: found.uid().unwrap_or_default(),
            there: (!is_gone).then(|| (owner, tag(found).to_owned())),
        };
        self.add(found, matches!(event, Event::InitApply(_)), fact);
    }

    fn add(&mut self, object: &impl ResourceExt, was_there: bool, fact: Fact) {
        let version = object.resource_version().unwrap_or_default();
        let version = version.parse().expect("the server numbers its versions");
        if was_there {
            self.start = self.start.max(version);
        }
        self.facts.push((version, fact));
    }

    /// Leaves out what stands from now on.
    pub(super) fn leave_out(&mut self) {
        self.gaps.push((self.newest(), None));
    }

    /// Takes up again what stands from now on.
    pub(super) fn take_up(&mut self) {
        let newest = self.newest();
        if let Some(gap) = self.gaps.last_mut() {
            gap.1 = Some(newest);
        }
    }

    fn newest(&self) -> u64 {
        let versions = self.facts.iter().map(|(version, _)| *version);
        versions.max().unwrap_or_default()
    }

    /// Whether a rest before this version is part of the course.
    fn counts_at(&self, version: u64) -> bool {
        let is_within =
            |&(from, to): &(u64, Option<u64>)| version > from && to.is_none_or(|to| version <= to);
        version > self.start && !self.gaps.iter().any(is_within)
    }

    /// Returns how much was stored.
    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }

    /// Returns the counts at which the pods came to rest, in order.
    pub(super) fn rests(&self) -> Vec<Rest> {
        let mut facts: Vec<&(u64, Fact)> = self.facts.iter().collect();
        facts.sort_by_key(|(version, _)| version);
        let mut now = Standing::default();
        let mut rests = Vec::new();
        for (version, fact) in facts {
            if now.would_change(fact) && self.counts_at(*version) {
                rests.extend(now.rest());
            }
            now.learn(fact);
        }
        rests.extend(now.rest());
        rests.dedup();
        rests
    }

    /// Says whether the pods are at rest as far as is known.
    pub(super) fn is_at_rest(&self) -> bool {
        let mut facts: Vec<&(u64, Fact)> = self.facts.iter().collect();
        facts.sort_by_key(|(version, _)| version);
        let mut now = Standing::default();
        facts.iter().for_each(|(_, fact)| now.learn(fact));
        now.rest().is_some()
    }
}

/// What is there at one version.
#[derive(Default)]
struct Standing<'a> {
    generation: Option<i64>,
    observed: Option<i64>,
    sets: HashMap<&'a str, usize>,
    pods: HashMap<&'a str, (&'a str, &'a str)>,
}

impl<'a> Standing<'a> {
    fn would_change(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Deployment { generation, .. } => *generation != self.generation,
            Fact::Set { .. } | Fact::Pod { .. } => false,
        }
    }

    fn learn(&mut self, fact: &'a Fact) {
        match fact {
            Fact::Deployment {
                generation,
                observed,
            } => {
                self.generation = *generation;
                self.observed = *observed;
            }
            Fact::Set { uid, asked } => {
                match asked {
                    Some(asked) => self.sets.insert(uid, *asked),
                    None => self.sets.remove(uid.as_str()),
                };
            }
            Fact::Pod { uid, there } => {
                match there {
                    Some((set, tag)) => self.pods.insert(uid, (set, tag)),
                    None => self.pods.remove(uid.as_str()),
                };
            }
        }
    }

    /// The counts, where every controller has done what it was asked.
    fn rest(&self) -> Option<Rest> {
        let of = |set: &str| self.pods.values().filter(|(its, _)| *its == set).count();
        let is_at_rest = self.observed >= self.generation
            && self.sets.iter().all(|(set, asked)| of(set) == *asked);
        let mut rest = Rest::default();
        for (_, tag) in self.pods.values() {
            *rest.0.entry((*tag).to_owned()).or_default() += 1;
        }
        is_at_rest.then_some(rest)
    }
}
