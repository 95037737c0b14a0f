//! One run of a story, undisturbed or broken at a write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use kube::api::ListParams;
use serde_json::{Value, json};
use tidegate::sim::fault::{Fate, Faults, Request, Verb};
use tidegate::sim::kind::Kind;
use tidegate::sim::store::Actor;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use super::story::Story;
use crate::shop::{Agent, Exposure, Ground, Shop, Simulated, Stage, Trace, until};

const LONG: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(30);
/// Without a write for so long, the agent has no more to do.
const QUIET: Duration = Duration::from_millis(600);

/// How a run is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The agent is killed, the write never arrives.
    KilledBefore,
    /// The agent is killed, the write took effect.
    KilledAfter,
    /// The write took effect; the agent lives and never hears of it.
    AnswerLost,
}

/// What the API server does to the agent.
#[derive(Default)]
struct Breach {
    /// The agent's writes that count.
    writes: AtomicUsize,
    is_broken: AtomicBool,
    /// No further write of this agent arrives: it is about to be killed.
    is_cut: AtomicBool,
}

impl Breach {
    fn arm(self: &Arc<Self>, faults: &Faults, place: Option<(usize, Way)>) {
        let breach = Arc::clone(self);
        faults.on_write(move |_, request| {
            if !is_of_agent(request) {
                return Fate::Done;
            }
            if breach.is_cut.load(Ordering::SeqCst) {
                return Fate::LostBefore;
            }
            if ["leases", "events"].contains(&request.resource.as_str()) {
                return Fate::Done;
            }
            let number = breach.writes.fetch_add(1, Ordering::SeqCst) + 1;
            let Some((_, way)) = place.filter(|(write, _)| *write == number) else {
                return Fate::Done;
            };
            breach
                .is_cut
                .store(way != Way::AnswerLost, Ordering::SeqCst);
            breach.is_broken.store(true, Ordering::SeqCst);
            match way {
                Way::KilledBefore => Fate::LostBefore,
                Way::KilledAfter | Way::AnswerLost => Fate::LostAfter,
            }
        });
    }
}

/// Field managers of the agent begin so; a delete has none. People here delete nothing.
fn is_of_agent(request: &Request) -> bool {
    request.manager.starts_with("tidegate") || request.verb == Verb::Delete
}

/// A story that is being played.
pub(super) struct Run {
    pub(super) shop: Shop,
    ground: Arc<Simulated>,
    breach: Arc<Breach>,
    place: Option<(usize, Way)>,
    agent: Option<Agent>,
    commits: Vec<String>,
    watched: Option<(Trace, Exposure)>,
}

/// What came of it.
pub(super) struct Played {
    pub(super) writes: usize,
    pub(super) is_broken: bool,
    pub(super) end: End,
}

/// Plays a story on a cluster of its own.
pub(super) fn play(story: &Story, place: Option<(usize, Way)>) -> Played {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("the machine has threads left");
    runtime.block_on(async {
        let ground = Arc::new(Simulated::found());
        let shared: Arc<dyn Ground> = Arc::clone(&ground) as _;
        let shop = Shop::open(&Stage::on(shared), "shop").await;
        let local = format!("file://{}", shop.repository.bare().display());
        shop.configure(&json!({"source": {"url": local, "secretRef": null, "interval": "1h"}}));
        let mut run = Run {
            shop,
            ground,
            breach: Arc::default(),
            place,
            agent: None,
            commits: Vec::new(),
            watched: None,
        };
        (story.play)(&mut run).await;
        run.ended(story).await
    })
}

impl Run {
    /// Commits and pushes.
    pub(super) fn push(&mut self, files: &[(&str, Option<&str>)]) -> String {
        let subject = format!("commit {}", self.commits.len() + 1);
        let commit = self.shop.repository.push(&subject, files);
        self.commits.push(commit.clone());
        commit
    }

    /// Reverts a commit and pushes.
    pub(super) fn revert(&mut self, commit: &str) -> String {
        let commit = self.shop.repository.revert(commit);
        self.commits.push(commit.clone());
        commit
    }

    /// Commits what the story begins with and waits until it runs.
    pub(super) async fn install(&mut self, files: &[(&str, Option<&str>)]) {
        let first = self.push(files);
        self.start();
        self.until_outcome(&first, "Succeeded").await;
    }

    /// Starts an agent.
    pub(super) fn start(&mut self) {
        let mut command = self.shop.run_command("cache");
        command.arg("--allow-file-urls");
        self.agent = Some(self.shop.start_as(command));
    }

    /// From here on writes count, and the pods of `web` are watched.
    pub(super) async fn begin(&mut self) {
        self.until_quiet().await;
        let trace = self.shop.trace_at_rest("web").await;
        self.watched = Some((trace, self.shop.exposure("web").await));
        self.breach.writes.store(0, Ordering::SeqCst);
        self.breach.arm(self.ground.town.faults(), self.place);
    }

    /// Waits until a commit has an outcome, with one agent after the other.
    pub(super) async fn until_outcome(&mut self, commit: &str, outcome: &str) {
        self.until(&format!("{commit} to be {outcome}"), |shop| {
            shop.outcome(commit) == outcome
        })
        .await;
    }

    /// Waits until something holds, with one agent after the other.
    pub(super) async fn until(&mut self, what: &str, mut holds: impl FnMut(&Shop) -> bool) {
        let end = Instant::now() + LONG;
        while !holds(&self.shop) {
            self.replace_the_killed();
            assert!(
                Instant::now() < end,
                "broken at {:?}: waited in vain for {what}; ledger: {:#}",
                self.place,
                self.shop.ledger()
            );
            sleep(PAUSE).await;
        }
    }

    /// Kills the agent whose connection is cut, lets its Lease run out, and starts the next.
    fn replace_the_killed(&mut self) {
        if !self.breach.is_cut.load(Ordering::SeqCst) {
            return;
        }
        if let Some(agent) = self.agent.take() {
            agent.kill();
        }
        self.ground.town.enter(|store| {
            let place = (
                &Kind::of("coordination.k8s.io", "Lease"),
                self.shop.namespace.as_str(),
                "tidegate.tidegate",
            );
            let released = store.change(&Actor::new("time"), place, |lease| {
                lease["spec"]["holderIdentity"] = json!("");
            });
            released.expect("the Lease is there");
        });
        self.breach.is_cut.store(false, Ordering::SeqCst);
        self.start();
    }

    /// Waits until the agent writes no more.
    async fn until_quiet(&mut self) {
        let (mut seen, mut since) = (usize::MAX, Instant::now());
        let end = since + LONG;
        while since.elapsed() < QUIET {
            self.replace_the_killed();
            let writes = self.breach.writes.load(Ordering::SeqCst);
            if writes != seen {
                (seen, since) = (writes, Instant::now());
            }
            assert!(Instant::now() < end, "the agent never rests");
            sleep(PAUSE).await;
        }
    }

    async fn ended(mut self, story: &Story) -> Played {
        self.until_quiet().await;
        let (trace, exposure) = self.watched.take().expect("the story has begun");
        // The watches may be behind.
        let pods = self.pods();
        let is_up_to_date = || {
            let rests = trace.rests();
            rests.last().is_some_and(|last| last.to_string() == pods)
        };
        let in_vain = || format!("the pods are {pods}, and not as watched: {trace}");
        until(LONG, is_up_to_date, in_vain).await;
        let course = trace.rests().iter().map(ToString::to_string).collect();
        exposure.assert_never_enlarged();
        let what = format!("{}, broken at {:?}: {trace}", story.name, self.place);
        assert!(trace.fewest_ready() >= story.ready, "{what}");
        assert!(trace.most_asked() <= story.pods, "{what}");
        Played {
            writes: self.breach.writes.load(Ordering::SeqCst),
            is_broken: self.breach.is_broken.load(Ordering::SeqCst),
            end: End {
                course,
                pods: trace.pods_seen(),
                objects: self.objects(),
                ledger: self.ledger(),
            },
        }
    }

    /// The pods of `web` as they are, in the words of a rest.
    fn pods(&self) -> String {
        let mut by_tag: BTreeMap<String, usize> = BTreeMap::new();
        let of_web = ListParams::default().labels("app=web");
        let all = self.shop.list("pod", &of_web).into_iter();
        for pod in all.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()) {
            let image = pod["spec"]["containers"][0]["image"].as_str();
            let tag = image.and_then(|image| image.rsplit(':').next());
            *by_tag
                .entry(tag.unwrap_or_default().to_owned())
                .or_default() += 1;
        }
        let told: Vec<String> = by_tag
            .iter()
            .map(|(tag, pods)| format!("{pods} of {tag}"))
            .collect();
        told.join(", ")
    }

    /// All objects of the namespace but pods, Events and records, without what chance and the clock
    /// decide.
    fn objects(&self) -> BTreeMap<String, Value> {
        let kinds = ["Deployment", "ReplicaSet"].map(|kind| Kind::of("apps", kind));
        let scaler = Kind::of("autoscaling", "HorizontalPodAutoscaler");
        let kinds = kinds
            .into_iter()
            .chain([Kind::CONFIG_MAP, Kind::SERVICE, scaler]);
        let namespace = Some(self.shop.namespace.as_str());
        let found: Vec<Value> = self.ground.town.enter(|store| {
            let all = kinds.flat_map(|kind| {
                let found: Vec<_> = store.list(&kind, namespace).cloned().collect();
                found
            });
            all.map(|object| object.value().clone()).collect()
        });
        let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or("").to_owned();
        found
            .into_iter()
            .filter(|object| !name(object).starts_with("tidegate"))
            .map(|object| {
                let key = format!("{}/{}", object["kind"], name(&object));
                (key, self.plain(&object))
            })
            .collect()
    }

    fn plain(&self, object: &Value) -> Value {
        let metadata = &object["metadata"];
        let mut managers: Vec<Value> = metadata["managedFields"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|entry| entry["subresource"] != "status")
            .map(|entry| json!([entry["manager"], entry["operation"], entry["fieldsV1"]]))
            .collect();
        // They stand in the order of their last writes, by the second.
        managers.sort_by_key(ToString::to_string);
        let plain = json!({
            "labels": metadata["labels"], "annotations": metadata["annotations"],
            "managers": managers, "spec": object["spec"], "data": object["data"],
        });
        // Fields of owners are named by UIDs, which follow the order in which all was made.
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let text = owners.fold(self.with_names(&plain).to_string(), |text, owner| {
            let told = |key: &str| owner[key].as_str().unwrap_or_default();
            text.replace(told("uid"), told("name"))
        });
        serde_json::from_str(&text).expect("it was JSON")
    }

    /// What the ledger says, without times and names of processes.
    fn ledger(&self) -> Value {
        let ledger = self.shop.ledger();
        let history: Vec<Value> = ledger["history"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| {
                json!([
                    one["revision"]["id"],
                    one["outcome"],
                    one["batches"],
                    one["images"],
                    one["rollbackTo"],
                    one["ended"].is_string()
                ])
            })
            .collect();
        let culprits: Vec<&Value> = ledger["quarantine"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|culprit| &culprit["commit"])
            .collect();
        let phases: BTreeMap<&String, &Value> = ledger["rollouts"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(id, kept)| (id, &kept["phase"]))
            .collect();
        let inventory = self.inventory();
        self.with_names(&json!({
            "history": history, "quarantine": culprits, "rollouts": phases,
            "inventory": inventory, "lastGood": ledger["lastGood"]["id"],
            "aim": [ledger["aim"]["revision"]["id"], ledger["aim"]["course"], ledger["aim"]["isDone"]],
            "heldPrune": ledger["heldPrune"], "drifted": ledger["drifted"],
            "problems": ledger["problems"],
        }))
    }

    /// The objects that the ledger knows as its own. A shard that its head does not name any more
    /// is no part of it: one that an agent died over goes with the next save.
    fn inventory(&self) -> Vec<String> {
        let namespace = Some(self.shop.namespace.as_str());
        let head = self.shop.get("configmap/tidegate-web");
        let named = head["data"]["shards"].as_str().unwrap_or_default();
        self.ground.town.enter(|store| {
            let maps = store.list(&Kind::CONFIG_MAP, namespace);
            let shards = maps.filter(|map| named.split(' ').any(|name| map.id().name == name));
            let texts = shards.filter_map(|shard| {
                let data = shard.at("/data")?.as_object()?;
                Some(data.values().filter_map(Value::as_str).collect::<Vec<_>>())
            });
            let mut ids: Vec<String> = texts
                .flatten()
                .filter_map(|text| serde_json::from_str::<Value>(text).ok())
                .filter_map(|shard| Some(shard["inventory"].as_object()?.keys().cloned().collect()))
                .flat_map(|ids: Vec<String>| ids)
                .collect();
            ids.sort();
            ids
        })
    }

    /// The same with the numbers of commits instead of their ids.
    fn with_names(&self, value: &Value) -> Value {
        let mut text = value.to_string();
        for (number, commit) in self.commits.iter().enumerate() {
            let name = format!("commit-{}", number + 1);
            text = text.replace(commit.as_str(), &name);
            text = text.replace(&commit[..7], &name);
        }
        serde_json::from_str(&text).expect("it was JSON")
    }
}

/// How a run ended.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    /// The counts at which the pods came to rest.
    course: Vec<String>,
    /// How many pods there were in all.
    pods: usize,
    objects: BTreeMap<String, Value>,
    ledger: Value,
}

impl End {
    /// # Panics
    /// Where another run ended otherwise.
    pub(super) fn assert_same(&self, whole: &Self, what: &str) {
        assert_eq!(self.course, whole.course, "{what}: another course");
        assert_eq!(self.pods, whole.pods, "{what}: pods moved twice");
        let keys = |end: &Self| end.objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(self), keys(whole), "{what}: an orphan, or a loss");
        for (key, object) in &whole.objects {
            let is = &self.objects[key];
            assert_eq!(is, object, "{what}: {key}\nis    {is}\nnot   {object}");
        }
        let (is, expected) = (&self.ledger, &whole.ledger);
        assert_eq!(is, expected, "{what}: the ledger\nis  {is}\nnot {expected}");
    }
}
