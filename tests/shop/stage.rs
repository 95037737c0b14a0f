//! Where a scenario is played, and the comparison of the courses that its Deployments took.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use kube::Client;
use tokio::runtime::Builder;

use super::background::wait_for;
use super::course::Rest;
use super::{Ground, Trace};

/// A ground with the traces that a scenario starts on it. Clones are the same stage.
#[derive(Clone)]
pub(crate) struct Stage(Arc<Inner>);

struct Inner {
    ground: Arc<dyn Ground>,
    /// For the runtime of the stand-ins.
    client: Client,
    traces: Mutex<Vec<(String, Trace)>>,
}

impl Stage {
    /// Sets up a stage on a ground.
    pub(crate) fn on(ground: Arc<dyn Ground>) -> Self {
        let client = ground.client();
        Self(Arc::new(Inner {
            ground,
            client: wait_for(client),
            traces: Mutex::default(),
        }))
    }

    /// Returns what it stands on.
    pub(crate) fn ground(&self) -> &dyn Ground {
        &*self.0.ground
    }

    /// Returns a client that may do everything, for the runtime of the stand-ins.
    pub(crate) fn client(&self) -> Client {
        self.0.client.clone()
    }

    /// Keeps a trace for the comparison; traces of the same key stay in order.
    pub(super) fn keep(&self, key: String, trace: &Trace) {
        let mut traces = self.0.traces.lock().unwrap_or_else(PoisonError::into_inner);
        traces.push((key, trace.clone()));
    }

    /// The traces by key and number.
    fn traces(&self) -> BTreeMap<(String, usize), Trace> {
        let traces = self.0.traces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = BTreeMap::new();
        for (key, trace) in traces.iter() {
            let number = all.keys().filter(|(other, _)| other == key).count();
            all.insert((key.clone(), number), trace.clone());
        }
        all
    }
}

/// Plays a scenario on each ground, side by side and each on threads of its own.
///
/// # Panics
/// Where it does on one of them, and where a Deployment took different courses: the sequences of
/// pod counts at which it came to rest.
pub(crate) fn play(
    grounds: Vec<Arc<dyn Ground>>,
    scenario: impl AsyncFn(Stage) + Send + Sync + 'static,
) {
    let scenario = Arc::new(scenario);
    let plays: Vec<_> = grounds
        .into_iter()
        .map(|ground| {
            let scenario = Arc::clone(&scenario);
            let thread = thread::Builder::new().name(format!("on {}", ground.name()));
            let play = move || {
                let runtime = Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()
                    .expect("the machine has threads left");
                let stage = Stage::on(ground);
                runtime.block_on(scenario(stage.clone()));
                stage
            };
            thread.spawn(play).expect("the machine has threads left")
        })
        .collect();
    let played: Vec<_> = plays.into_iter().map(thread::JoinHandle::join).collect();
    let stages: Vec<Stage> = played
        .into_iter()
        .map(|stage| stage.unwrap_or_else(|panic| resume_unwind(panic)))
        .collect();
    if let [first, others @ ..] = stages.as_slice() {
        for other in others {
            compare(first, other);
        }
    }
}

fn compare(one: &Stage, other: &Stage) {
    let (ours, theirs) = (one.traces(), other.traces());
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        theirs.keys().collect::<Vec<_>>(),
        "the same Deployments were traced"
    );
    for (key, ours) in &ours {
        let theirs = &theirs[key];
        let (left, right): (Vec<Rest>, Vec<Rest>) = (ours.rests(), theirs.rests());
        let told = |rests: &[Rest]| {
            rests
                .iter()
                .map(|rest| format!("\n  {rest}"))
                .collect::<String>()
        };
        assert!(
            left == right,
            "{key:?} came to rest otherwise; on {}:{}\non {}:{}\n{}:\n{ours}\n{}:\n{theirs}",
            one.ground().name(),
            told(&left),
            other.ground().name(),
            told(&right),
            one.ground().name(),
            other.ground().name(),
        );
    }
}
