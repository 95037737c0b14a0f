//! Scheduler and kubelets: each pod gets a node and goes through what its image tag says; when it
//! is being deleted it goes after a short grace.
//!
//! A status that was reported is not reported again, so that a test may patch the status of a pod
//! that has come to rest and so break or heal it by hand.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::conduct::{Conduct, Course, GRACE, Turn};
use super::machines;
use super::pace::Pace;
use super::pods::{complain, conduct, end, evict, has_settings, say};
use super::report::Report;
use super::scheduler::{self, Scheduler};
use crate::object::Object;
use crate::sim::controller::Events;
use crate::sim::kind::Kind;
use crate::sim::seed::Seed;
use crate::sim::store::Store;
use crate::sim::time::later;

/// The scheduler and all kubelets.
pub struct Kubelet {
    scheduler: Scheduler,
    lost: BTreeSet<String>,
    events: Events,
    seen: Option<u64>,
    addresses: u32,
    pods: HashMap<String, Life>,
    timers: BTreeMap<(Timestamp, u64), String>,
    timer: u64,
    pace: Pace,
    chance: Seed,
}

/// What is known of one pod.
struct Life {
    namespace: String,
    name: String,
    /// `None` until it has been reported on.
    report: Option<Report>,
    stage: Stage,
}

/// Where a pod is.
enum Stage {
    /// No node took it.
    Homeless,
    /// On a node, with what becomes of it next.
    Placed { course: Course, next: Option<Turn> },
    /// On a node that is lost, until it is deleted; `None` where it waits for ever.
    Lost { until: Option<Timestamp> },
    /// Its deletion has begun.
    Ending,
}

impl Kubelet {
    /// Returns the kubelets of these nodes, which they register at their first run. Pods go to the
    /// nodes in turn, and the seed says with which it begins.
    #[must_use]
    pub fn new(seed: u64, nodes: &[String]) -> Self {
        Self {
            scheduler: Scheduler::new(seed, nodes),
            lost: BTreeSet::new(),
            events: Events::default(),
            seen: None,
            addresses: Ipv4Addr::new(10, 64, 0, 1).into(),
            pods: HashMap::new(),
            timers: BTreeMap::new(),
            timer: 0,
            pace: Pace::default(),
            chance: Seed::new(seed),
        }
    }

    /// Returns the same kubelets with pods that start at that pace.
    #[must_use]
    pub fn at(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Brings pods further as far as they have come by now. Returns when the next one moves.
    pub fn run(&mut self, store: &mut Store) -> Option<Timestamp> {
        self.look(store);
        while let Some(first) = self.timers.first_entry()
            && first.key().0 <= store.now()
        {
            let uid = first.remove();
            self.turn(store, &uid);
            self.look(store);
        }
        self.timers.first_key_value().map(|((due, _), _)| *due)
    }

    /// Loses a node: it answers no more. Its pods are not Ready, and after the time for which they
    /// tolerate that they are deleted, though nobody there ends them.
    pub fn lose(&mut self, store: &mut Store, node: &str) {
        if !self.lost.insert(node.to_owned()) {
            return;
        }
        machines::answer(store, node, true);
        for (uid, pod) in self.on_node(store, node) {
            self.unready(store, &pod);
            let patience = machines::patience(&pod).map(Duration::from_secs);
            if let Some(life) = self.pods.get_mut(&uid)
                && !pod.is_terminating()
            {
                let until = patience.map(|patience| later(store.now(), patience));
                life.stage = Stage::Lost { until };
            }
            if let Some(patience) = patience {
                self.wake(store, &uid, patience);
            }
        }
    }

    /// Finds a lost node again: its pods are Ready again, those that were deleted go.
    pub fn find(&mut self, store: &mut Store, node: &str) {
        if !self.lost.remove(node) {
            return;
        }
        machines::answer(store, node, false);
        for (uid, pod) in self.on_node(store, node) {
            if pod.is_terminating() {
                self.wake(store, &uid, GRACE);
            } else if let Some(life) = self.pods.get_mut(&uid) {
                // It starts over: the last thing that it said holds again.
                life.stage = Stage::Homeless;
                self.take(store, &pod);
            }
        }
    }

    /// The live pods on a node, by UID.
    fn on_node(&self, store: &Store, node: &str) -> Vec<(String, Arc<Object>)> {
        let pods = store.list(&Kind::POD, None);
        pods.filter(|pod| pod.text("/spec/nodeName") == Some(node))
            .map(|pod| (pod.uid().unwrap_or_default().to_owned(), Arc::clone(pod)))
            .collect()
    }

    /// Takes notice of pods that came or are being deleted, and of nodes that may take more.
    fn look(&mut self, store: &mut Store) {
        let Some(seen) = self.seen else {
            for (number, node) in self.scheduler.nodes().iter().enumerate() {
                machines::register(store, node, number);
            }
            self.look_at_all(store);
            return;
        };
        let changed: Option<Vec<(Arc<Object>, bool)>> = store.changes(seen).ok().map(|changes| {
            let pods =
                changes.filter(|change| change.kind == Kind::POD || change.kind == Kind::NODE);
            pods.map(|change| (Arc::clone(&change.now), change.is_gone))
                .collect()
        });
        self.seen = Some(store.revision());
        let Some(changed) = changed else {
            self.look_at_all(store);
            return;
        };
        for (object, is_gone) in changed {
            match (object.kind(), is_gone) {
                ("Node", _) => self.place_the_homeless(store),
                (_, true) => {
                    self.pods.remove(object.uid().unwrap_or_default());
                }
                (_, false) => self.see(store, &object),
            }
        }
    }

    fn look_at_all(&mut self, store: &mut Store) {
        self.seen = Some(store.revision());
        let pods: Vec<Arc<Object>> = store.list(&Kind::POD, None).cloned().collect();
        for pod in pods {
            self.see(store, &pod);
        }
    }

    fn place_the_homeless(&mut self, store: &mut Store) {
        let homeless = self
            .pods
            .iter()
            .filter(|(_, life)| matches!(life.stage, Stage::Homeless));
        let mut uids: Vec<String> = homeless.map(|(uid, _)| uid.clone()).collect();
        uids.sort();
        for uid in uids {
            if let Some(pod) = store.by_uid(&uid).cloned() {
                self.take(store, &pod);
            }
        }
    }

    fn see(&mut self, store: &mut Store, pod: &Arc<Object>) {
        let uid = pod.uid().unwrap_or_default();
        let known = self
            .pods
            .get(uid)
            .map(|life| matches!(life.stage, Stage::Ending));
        match (known, pod.is_terminating()) {
            (None, false) => {
                let life = Life {
                    namespace: pod.namespace().unwrap_or_default().to_owned(),
                    name: pod.text("/metadata/name").unwrap_or_default().to_owned(),
                    report: None,
                    stage: Stage::Homeless,
                };
                self.pods.insert(uid.to_owned(), life);
                self.take(store, pod);
            }
            (None | Some(false), true) => self.begin_end(store, pod),
            (Some(_), false) | (Some(true), true) => {}
        }
    }

    /// Begins the end of a pod, unless its node is lost: then nobody ends it.
    fn begin_end(&mut self, store: &Store, pod: &Object) {
        let uid = pod.uid().unwrap_or_default();
        let life = self.pods.entry(uid.to_owned()).or_insert_with(|| Life {
            namespace: pod.namespace().unwrap_or_default().to_owned(),
            name: pod.text("/metadata/name").unwrap_or_default().to_owned(),
            report: None,
            stage: Stage::Ending,
        });
        life.stage = Stage::Ending;
        let node = pod.text("/spec/nodeName").unwrap_or_default();
        if !self.lost.contains(node) {
            self.wake(store, uid, GRACE);
        }
    }

    /// Gives a pod a node, where one takes it, and begins its course.
    fn take(&mut self, store: &mut Store, pod: &Arc<Object>) {
        let uid = pod.uid().unwrap_or_default();
        let (conduct, image) = conduct(pod);
        let now = store.now();
        let is_placed = pod
            .text("/spec/nodeName")
            .is_some_and(|node| !node.is_empty());
        let node = match pod.text("/spec/nodeName") {
            Some(node) if is_placed => Some(node.to_owned()),
            _ if conduct == Conduct::Unschedulable => None,
            _ => self.scheduler.choose(store, pod),
        };
        let mut report = match self.pods.get_mut(uid).and_then(|life| life.report.take()) {
            Some(report) => report,
            None => {
                self.addresses += 1;
                Report::of(pod.value(), self.addresses.into(), now)
            }
        };
        let Some(node) = node else {
            let why = self.scheduler.why_none(store, pod);
            let status = report.unschedulable(why, now);
            let message = status["status"]["conditions"][0]["message"].clone();
            self.keep(uid, report, Stage::Homeless);
            if pod.condition("PodScheduled").is_none() {
                say(store, pod, "kube-scheduler", &status);
                let message = message.as_str().unwrap_or_default();
                scheduler::refuse(store, &mut self.events, pod, message);
            }
            return;
        };
        if !is_placed {
            scheduler::bind(store, &mut self.events, pod, &node);
        }
        let has_settings = conduct == Conduct::NeedsSettings && has_settings(store, pod);
        let ends = pod
            .text("/spec/restartPolicy")
            .is_some_and(|policy| policy != "Always");
        let mut course = conduct.course(image, has_settings, ends);
        let mut next = course.next();
        if let Some(turn) = &mut next {
            turn.after += self.pace.draw(&mut self.chance);
            self.wake(store, uid, turn.after);
        }
        self.keep(uid, report, Stage::Placed { course, next });
    }

    fn keep(&mut self, uid: &str, report: Report, stage: Stage) {
        if let Some(life) = self.pods.get_mut(uid) {
            life.report = Some(report);
            life.stage = stage;
        }
    }

    fn wake(&mut self, store: &Store, uid: &str, after: Duration) {
        self.timer += 1;
        let due = later(store.now(), after);
        self.timers.insert((due, self.timer), uid.to_owned());
    }

    /// A pod's time has come: it says the next thing, or it is gone.
    fn turn(&mut self, store: &mut Store, uid: &str) {
        let now = store.now();
        let Some(life) = self.pods.get_mut(uid) else {
            return;
        };
        let place = (life.namespace.clone(), life.name.clone());
        let Some(pod) = store.get(&Kind::POD, &place.0, &place.1).cloned() else {
            return;
        };
        let node = pod.text("/spec/nodeName").unwrap_or_default();
        match &mut life.stage {
            Stage::Lost { until: Some(until) } if *until <= now => evict(store, &pod),
            Stage::Homeless | Stage::Lost { .. } => {}
            // Nobody there ends it.
            Stage::Ending if self.lost.contains(node) => {}
            Stage::Ending => end(store, uid, &place),
            Stage::Placed { course, next } => {
                let Some(turn) = next.take() else {
                    return;
                };
                *next = course.next();
                let wait = next.as_ref().map(|turn| turn.after);
                if let Some(report) = &mut life.report {
                    let status = report.says(&turn.look, now);
                    say(store, &pod, "kubelet", &status);
                }
                complain(store, &mut self.events, &pod, &turn.look);
                if let Some(wait) = wait {
                    self.wake(store, uid, wait);
                }
            }
        }
    }

    /// Says that a pod is not Ready, since its node does not answer.
    fn unready(&mut self, store: &mut Store, pod: &Object) {
        let Some(now) = pod
            .condition("Ready")
            .filter(|ready| ready["status"] == "True")
        else {
            return;
        };
        let mut condition = now.clone();
        condition["status"] = "False".into();
        condition["lastTransitionTime"] = crate::sim::time::seconds(store.now()).into();
        let others = pod.at("/status/conditions").and_then(Value::as_array);
        let mut conditions: Vec<Value> = others.into_iter().flatten().cloned().collect();
        conditions.retain(|one| one["type"] != "Ready");
        conditions.push(condition);
        let status = json!({"status": {"conditions": conditions}});
        say(store, pod, "kube-controller-manager", &status);
        let told = ("Warning", "NodeNotReady", "Node is not ready");
        self.events.tell(store, "node-controller", pod, told);
    }
}
