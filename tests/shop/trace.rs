//! What a Deployment's pods did, from a watch of them: independent of what the agent says.
//!
//! A watch tells every change in the order in which it was stored, so no state is missed, unless
//! the API server was stopped meanwhile.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::background::Background;
use super::counts::Counts;
use super::course::{Course, Rest};

/// How long counts must stand, with nothing left to observe for the Deployment controller, to be
/// called settled.
const SETTLED_AFTER: Duration = Duration::from_millis(500);
/// Between two looks at a condition that no event announces, and after a watch that failed.
const PAUSE: Duration = Duration::from_millis(50);
/// How long controllers may still be at work when a course is asked for.
const LAST_WORK: Duration = Duration::from_secs(10);

/// The record of a Deployment's pods since the trace was started. Clones are the same record.
#[derive(Clone)]
pub(crate) struct Trace {
    moments: watch::Receiver<Vec<Moment>>,
    course: Arc<Mutex<Course>>,
    _watching: Arc<Background>,
}

#[derive(Debug, Clone)]
struct Moment {
    at: Instant,
    counts: Counts,
    /// Pods that the Deployment controller asks of all ReplicaSets.
    asked: usize,
    /// Whether the Deployment controller has observed the Deployment's newest generation.
    observed: bool,
    /// How many pods there have been so far.
    seen: usize,
}

impl Trace {
    /// Starts with the pods as they are now. The Deployment exists already; its pods are those that
    /// its selector selects.
    pub(crate) async fn start(client: Client, namespace: &str, deployment: &str) -> Self {
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
        let selector = selector(&deployments, deployment).await;
        let only_it = watcher::Config::default().fields(&format!("metadata.name={deployment}"));
        let its_pods = watcher::Config::default().labels(&selector);
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let sets: Api<ReplicaSet> = Api::namespaced(client, namespace);
        let pods = watcher(pods, its_pods.clone()).map(Box::new);
        let sets = watcher(sets, its_pods).map(Box::new);
        let deployments = watcher(deployments, only_it).map(Box::new);
        let mut news = stream::select_all([
            pods.map(News::Pod).boxed(),
            sets.map(News::Set).boxed(),
            deployments.map(News::Deployment).boxed(),
        ]);
        let (record, mut moments) = watch::channel(Vec::new());
        let course = Arc::new(Mutex::new(Course::default()));
        let taken = Arc::clone(&course);
        let watching = Background::start(async move {
            let mut world = World::default();
            while let Some(news) = news.next().await {
                note_course(&taken, &news);
                if world.learn(news).is_err() {
                    sleep(PAUSE).await;
                }
                record.send_if_modified(|moments| note(moments, &world));
            }
        });
        moments
            .wait_for(|moments| !moments.is_empty())
            .await
            .expect("the watch goes on");
        Self {
            moments,
            course,
            _watching: Arc::new(watching),
        }
    }

    /// Leaves out of the course what stands from now on: the agent is going to race the controllers.
    pub(crate) fn leave_out(&self) {
        self.course().leave_out();
    }

    /// Takes up the course again, with the pods at rest.
    pub(crate) fn take_up(&self) {
        self.course().take_up();
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the counts at which the pods came to rest: before each write that changed the
    /// Deployment's specification, and now, where the controllers may first end what they do.
    pub(crate) fn rests(&self) -> Vec<Rest> {
        let end = Instant::now() + LAST_WORK;
        loop {
            let seen = self.course().clone();
            std::thread::sleep(PAUSE);
            if seen.is_at_rest() && seen.len() == self.course().len() || Instant::now() > end {
                return seen.rests();
            }
        }
    }

    /// Waits until the counts are as wanted, be it for a moment, and returns them.
    ///
    /// # Panics
    /// After `within`, telling `what` was awaited and all that was seen instead.
    pub(crate) async fn until(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Counts) -> bool,
    ) -> Counts {
        let mut moments = self.moments.clone();
        let last = |moments: &Vec<Moment>| moments.last().is_some_and(|now| wanted(&now.counts));
        let Ok(moments) = timeout(within, moments.wait_for(last)).await else {
            panic!("{what}: not within {within:?}; the pods were\n{self}");
        };
        let moments = moments.expect("the watch goes on");
        moments.last().expect("it is as wanted").counts.clone()
    }

    /// Waits until counts as wanted have settled.
    ///
    /// # Panics
    /// As [`Self::until`].
    pub(crate) async fn until_settled(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Counts) -> bool,
    ) {
        let settled = async {
            while !self.at_rest().is_some_and(|counts| wanted(&counts)) {
                sleep(PAUSE).await;
            }
        };
        if timeout(within, settled).await.is_err() {
            panic!("{what}: not settled within {within:?}; the pods were\n{self}");
        }
    }

    /// Waits until the counts have stood for a time, and returns them.
    ///
    /// # Panics
    /// As [`Self::until`].
    pub(crate) async fn until_rest(&self, what: &str, stood: Duration, within: Duration) -> Counts {
        let rest = async {
            loop {
                if let Some(counts) = self.at_rest_for(stood) {
                    return counts;
                }
                sleep(PAUSE).await;
            }
        };
        timeout(within, rest).await.unwrap_or_else(|_| {
            panic!("{what}: not at rest within {within:?}; the pods were\n{self}")
        })
    }

    /// Returns how many pods there have been in all.
    pub(crate) fn pods_seen(&self) -> usize {
        self.moments.borrow().last().map_or(0, |last| last.seen)
    }

    /// Returns the counts that settled, in order.
    pub(crate) fn settled(&self) -> Vec<Counts> {
        self.stood(SETTLED_AFTER)
    }

    /// Returns the counts that stood for a time, in order.
    pub(crate) fn stood(&self, time: Duration) -> Vec<Counts> {
        let moments = self.moments.borrow();
        let ends = moments.iter().skip(1).map(|next| next.at);
        let mut settled: Vec<Counts> = moments
            .iter()
            .zip(ends.chain([Instant::now()]))
            .filter(|(moment, end)| moment.observed && *end - moment.at >= time)
            .map(|(moment, _)| moment.counts.clone())
            .collect();
        settled.dedup();
        settled
    }

    /// Returns the least number of Ready pods at any moment.
    pub(crate) fn fewest_ready(&self) -> usize {
        self.fewest_ready_where(|_| true)
    }

    /// Returns the least number of Ready pods at any moment whose counts are as wanted.
    ///
    /// # Panics
    /// Where there was none.
    pub(crate) fn fewest_ready_where(&self, wanted: impl Fn(&Counts) -> bool) -> usize {
        let moments = self.moments.borrow();
        let counts = moments.iter().map(|moment| &moment.counts);
        let ready = counts.filter(|counts| wanted(counts)).map(Counts::ready);
        ready.min().expect("there was such a moment")
    }

    /// Returns the greatest number of pods at any moment.
    pub(crate) fn most_pods(&self) -> usize {
        let moments = self.moments.borrow();
        let totals = moments.iter().map(|moment| moment.counts.total());
        totals.max().unwrap_or_default()
    }

    /// Returns the greatest number of pods that the Deployment controller asked for at any moment.
    /// The ReplicaSets follow each in its own time, so for some milliseconds there may be more.
    pub(crate) fn most_asked(&self) -> usize {
        let moments = self.moments.borrow();
        let asked = moments.iter().map(|moment| moment.asked);
        asked.max().unwrap_or_default()
    }

    /// Returns all counts that there were, in order.
    pub(crate) fn counts(&self) -> Vec<Counts> {
        let moments = self.moments.borrow();
        moments.iter().map(|moment| moment.counts.clone()).collect()
    }

    /// Returns the greatest number of pods with this tag at any moment.
    pub(crate) fn most_with(&self, tag: &str) -> usize {
        let moments = self.moments.borrow();
        let tagged = moments.iter().map(|moment| moment.counts.with_tag(tag));
        tagged.max().unwrap_or_default()
    }

    fn at_rest(&self) -> Option<Counts> {
        self.at_rest_for(SETTLED_AFTER)
    }

    fn at_rest_for(&self, stood: Duration) -> Option<Counts> {
        let moments = self.moments.borrow();
        let last = moments.last()?;
        (last.observed && last.at.elapsed() >= stood).then(|| last.counts.clone())
    }
}

/// One line a moment: milliseconds since the first, and the counts.
impl Display for Trace {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let moments = self.moments.borrow();
        for moment in moments.iter() {
            let since_first = moment.at - moments[0].at;
            writeln!(out, "{:>7} ms  {}", since_first.as_millis(), moment.counts)?;
        }
        Ok(())
    }
}

async fn selector(deployments: &Api<Deployment>, name: &str) -> String {
    let deployment = deployments.get(name).await.expect("the Deployment exists");
    let selector = deployment
        .spec
        .map(|spec| spec.selector)
        .unwrap_or_default();
    let labels = selector.match_labels.unwrap_or_default();
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

enum News {
    Pod(Box<watcher::Result<Event<Pod>>>),
    Set(Box<watcher::Result<Event<ReplicaSet>>>),
    Deployment(Box<watcher::Result<Event<Deployment>>>),
}

/// What is known of the pods, and of the Deployment.
#[derive(Default)]
struct World {
    /// By UID.
    pods: HashMap<String, Pod>,
    /// Pods asked of each ReplicaSet, by its UID.
    sets: HashMap<String, usize>,
    /// Whether all pods have been listed.
    complete: bool,
    observed: Option<bool>,
    /// UIDs of all pods that there ever were.
    ever: HashSet<String>,
}

impl World {
    fn learn(&mut self, news: News) -> watcher::Result<()> {
        match news {
            News::Pod(event) => self.learn_of_pod((*event)?),
            News::Set(event) => self.learn_of_set((*event)?),
            News::Deployment(event) => {
                if let Event::Apply(deployment) | Event::InitApply(deployment) = (*event)? {
                    let status = deployment.status.as_ref();
                    let observed = status.and_then(|status| status.observed_generation);
                    self.observed = Some(observed >= deployment.metadata.generation);
                }
            }
        }
        Ok(())
    }

    fn learn_of_set(&mut self, event: Event<ReplicaSet>) {
        match event {
            Event::Apply(set) | Event::InitApply(set) => {
                let asked = set.spec.as_ref().and_then(|spec| spec.replicas);
                let asked = usize::try_from(asked.unwrap_or(1)).expect("it is not negative");
                self.sets.insert(set.uid().unwrap_or_default(), asked);
            }
            Event::Delete(set) => {
                self.sets.remove(&set.uid().unwrap_or_default());
            }
            Event::Init => self.sets.clear(),
            Event::InitDone => {}
        }
    }

    fn learn_of_pod(&mut self, event: Event<Pod>) {
        match event {
            Event::Apply(pod) | Event::InitApply(pod) => {
                self.ever.insert(pod.uid().unwrap_or_default());
                self.pods.insert(pod.uid().unwrap_or_default(), pod);
            }
            Event::Delete(pod) => {
                self.pods.remove(&pod.uid().unwrap_or_default());
            }
            Event::Init => {
                self.pods.clear();
                self.complete = false;
            }
            Event::InitDone => self.complete = true,
        }
    }
}

/// Adds what a watch told to the course.
fn note_course(course: &Mutex<Course>, news: &News) {
    let mut course = course.lock().unwrap_or_else(PoisonError::into_inner);
    match news {
        News::Pod(event) => event.iter().for_each(|event| course.learn_of_pod(event)),
        News::Set(event) => event.iter().for_each(|event| course.learn_of_set(event)),
        News::Deployment(event) => {
            event
                .iter()
                .for_each(|event| course.learn_of_deployment(event));
        }
    }
}

/// Adds the world as it is now, where it is known and differs from the last moment.
fn note(moments: &mut Vec<Moment>, world: &World) -> bool {
    let (true, Some(observed)) = (world.complete, world.observed) else {
        return false;
    };
    let now = Moment {
        at: Instant::now(),
        counts: Counts::of(world.pods.values()),
        asked: world.sets.values().sum(),
        observed,
        seen: world.ever.len(),
    };
    let differs = moments.last().is_none_or(|last| {
        last.counts != now.counts || last.asked != now.asked || last.observed != now.observed
    });
    if differs {
        moments.push(now);
    }
    differs
}
