//! A push over HTTPS rolls a Deployment in batches.

use crate::play;
use crate::shop::{Agent, SOON, Shop, Stage, Trace, deployment};

const STEPS: &str = "steps: [1, 50%, 100%]\nmaxSurge: 100%\nsoak: 2s\nmonitor: 1s";
const STOP_FIRST: &str = "steps: [1, 50%, 100%]\norder: StopFirst\nsoak: 2s\nmonitor: 1s";
const ONE_EXTRA: &str = "batchSize: 5\nmaxSurge: 1\nsoak: 2s\nmonitor: 1s";

/// A shop in which `1` succeeded and `2` was rolled out under a policy; what its pods did.
struct Rolled {
    shop: Shop,
    second: String,
    trace: Trace,
    _agent: Agent,
}

/// Installs a manifest of `web:1`, then rolls `web:2`, and waits until all is over.
async fn roll(stage: &Stage, prefix: &str, manifest: impl Fn(&str) -> String) -> Rolled {
    let shop = Shop::open(stage, prefix).await;
    let install = [("web.yaml", Some(manifest("1")))];
    let first = shop.push("web 1", &files(&install));
    let agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    let trace = shop.trace_at_rest("web").await;
    let pods = shop.get("deployment/web")["spec"]["replicas"].clone();
    let update = [("web.yaml", Some(manifest("2")))];
    let second = shop.push("web 2", &files(&update));
    shop.until_outcome(&second, "Succeeded").await;
    trace
        .until_settled("all pods to be new", SOON, |counts| {
            pods == counts.with_tag("2") && pods == counts.total()
        })
        .await;
    Rolled {
        shop,
        second,
        trace,
        _agent: agent,
    }
}

fn files<'a>(files: &'a [(&'a str, Option<String>)]) -> Vec<(&'a str, Option<&'a str>)> {
    files
        .iter()
        .map(|(name, content)| (*name, content.as_deref()))
        .collect()
}

/// Old and new pods at each rest.
fn rests(trace: &Trace) -> Vec<(usize, usize)> {
    let rests = trace.rests();
    rests
        .iter()
        .map(|rest| (rest.with_tag("1"), rest.with_tag("2")))
        .collect()
}

/// A manifest whose own strategy is the policy.
fn with_strategy(tag: &str, replicas: u32, surge: &str, unavailable: &str) -> String {
    deployment("web", tag, "").replace(
        "  replicas: 10\n",
        &format!(
            "  replicas: {replicas}\n  strategy:\n    rollingUpdate: {{maxSurge: {surge}, maxUnavailable: {unavailable}}}\n"
        ),
    )
}

#[test]
fn a_push_rolls_surge_first_in_the_steps_of_the_policy() {
    play(async |stage: Stage| {
        let rolled = roll(&stage, "batches", |tag| deployment("web", tag, STEPS)).await;
        let trace = &rolled.trace;
        assert_eq!(
            rests(trace),
            [(10, 0), (10, 1), (9, 5), (5, 10), (0, 10)],
            "{trace}"
        );
        assert!(trace.fewest_ready() >= 10, "{trace}");
        told(&rolled).await;
    });
}

/// History, Events and `kubectl rollout history` tell the rollout.
async fn told(rolled: &Rolled) {
    let (shop, second) = (&rolled.shop, &rolled.second);
    let history = shop.verb(&["history", "-o", "wide"]);
    let newest = history.lines().nth(1).unwrap_or_default();
    for word in [&second[..7], "succeeded", "3/3", "web 2  <- last good"] {
        assert!(newest.contains(word), "{word}: {history}");
    }
    let causes = shop.kubectl(&["rollout", "history", "deployment/web"]);
    let lines: Vec<&str> = causes
        .lines()
        .filter(|line| line.contains(" web "))
        .collect();
    assert_eq!(lines.len(), 2, "{causes}");
    assert!(lines[0].contains("web 1"), "{causes}");
    assert!(
        lines[1].contains("web 2") && lines[1].contains(&second[..7]),
        "{causes}"
    );
    let wanted = [
        ("RolloutStarted", 1),
        ("BatchStarted", 2),
        ("BatchHealthy", 3),
        ("Finalizing", 1),
        ("RolloutCompleted", 2),
    ];
    let all_told = || {
        let events = shop.events("Deployment", "web");
        wanted
            .iter()
            .all(|(reason, times)| events.iter().filter(|(r, _)| r == reason).count() == *times)
    };
    shop.until("the Events of the rollout", all_told).await;
}

#[test]
fn stop_first_takes_the_old_pods_of_a_batch_before_the_new_ones_come() {
    play(async |stage: Stage| {
        let rolled = roll(&stage, "stop-first", |tag| {
            deployment("web", tag, STOP_FIRST)
        })
        .await;
        let trace = &rolled.trace;
        assert_eq!(rests(trace), [(10, 0), (9, 1), (5, 5), (0, 10)], "{trace}");
        assert_eq!(trace.most_asked(), 10, "{trace}");
        let floor = |old: std::ops::RangeInclusive<usize>| {
            trace.fewest_ready_where(|counts| old.contains(&counts.with_tag("1")))
        };
        assert!(floor(9..=10) >= 9, "{trace}");
        assert!(floor(5..=8) >= 6, "{trace}");
        assert!(floor(0..=4) >= 5, "{trace}");
    });
}

#[test]
fn a_surge_smaller_than_the_batch_opens_it_in_slices() {
    play(async |stage: Stage| {
        let rolled = roll(&stage, "one-extra", |tag| deployment("web", tag, ONE_EXTRA)).await;
        let trace = &rolled.trace;
        assert!(trace.fewest_ready() >= 10, "{trace}");
        assert!(trace.most_asked() <= 11, "{trace}");
        let rests = rests(trace);
        assert!(rests.contains(&(6, 5)), "the first batch soaks: {trace}");
        assert_eq!(rests.last(), Some(&(0, 10)), "{trace}");
    });
}

#[test]
fn without_a_policy_the_own_percents_are_the_batches() {
    play(async |stage: Stage| {
        let rolled = roll(&stage, "own-percents", |tag| {
            with_strategy(tag, 10, "25%", "25%")
        })
        .await;
        let trace = &rolled.trace;
        assert!(trace.fewest_ready() >= 10, "{trace}");
        assert!(trace.most_asked() <= 13, "{trace}");
        assert_eq!(rolled.batches(), [2, 2]);
    });
}

#[test]
fn without_a_policy_one_extra_pod_means_one_pod_a_batch() {
    play(async |stage: Stage| {
        let rolled = roll(&stage, "own-surge", |tag| with_strategy(tag, 4, "1", "0")).await;
        let trace = &rolled.trace;
        assert!(trace.fewest_ready() >= 4, "{trace}");
        assert!(trace.most_asked() <= 5, "{trace}");
        assert_eq!(rolled.batches(), [4, 4]);
    });
}

#[test]
fn without_a_policy_and_without_surge_one_pod_stops_at_a_time() {
    play(async |stage: Stage| {
        let rolled = roll(&stage, "own-stop", |tag| with_strategy(tag, 4, "0", "1")).await;
        let trace = &rolled.trace;
        assert!(trace.fewest_ready() >= 3, "{trace}");
        assert!(trace.most_asked() <= 4, "{trace}");
        assert_eq!(rolled.batches(), [4, 4]);
    });
}

impl Rolled {
    /// Batches closed and planned of the second commit.
    fn batches(&self) -> [u64; 2] {
        let record = self.shop.record(&self.second);
        [0, 1].map(|index| record["batches"][index].as_u64().unwrap_or_default())
    }
}
