//! The newest commit wins, or the rollout carries on under it.

use serde_json::json;

use crate::play;
use crate::shop::{Agent, Counts, SOON, Shop, Stage, Trace, deployment};

const STEPS: &str = "steps: [1, 50%, 100%]\nsoak: 3s\nmonitor: 1s";
const QUICK: &str = "steps: [50%, 100%]\nmonitor: 1s";

/// A shop that stands in the middle of batch 2 of [`STEPS`], kept there by a pod that is not Ready:
/// 9 pods of tag 1, 5 of tag 2.
struct Amid {
    shop: Shop,
    _agent: Agent,
    trace: Trace,
    /// The commit of tag 2.
    second: String,
}

impl Amid {
    async fn open(stage: &Stage, prefix: &str) -> Self {
        let (shop, agent) = Shop::installed(stage, prefix, &deployment("web", "1", STEPS)).await;
        let trace = shop.trace_at_rest("web").await;
        let second = shop.push_web("web 2", &deployment("web", "2", STEPS));
        shop.until("batch 2 to open", || shop.checkpoint("web")["batch"] == 2)
            .await;
        let amid = |counts: &Counts| counts.with_tag("1") == 9 && counts.with_tag("2") == 5;
        trace.until("five new pods", SOON, amid).await;
        // One of the first batch counts as Ready while the others of this one are not yet.
        shop.set_ready(&shop.newest_pod("web", "2"), false);
        Self {
            shop,
            _agent: agent,
            trace,
            second,
        }
    }

    /// Lets the rollout go on under a commit until it has succeeded and all pods are of tag 2.
    async fn end(&self, commit: &str, pods: usize) {
        heal(&self.shop);
        self.shop.until_outcome(commit, "Succeeded").await;
        let all = |counts: &Counts| counts.with_tag("2") == pods && counts.total() == pods;
        self.trace
            .until_settled("all pods to be new", SOON, all)
            .await;
    }
}

/// Replaces the pod that is not Ready.
fn heal(shop: &Shop) {
    let pods = shop.pods("web", "2");
    let is_ready = |pod: &&serde_json::Value| {
        let conditions = pod["status"]["conditions"].as_array();
        conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    for pod in pods.iter().filter(|pod| !is_ready(pod)) {
        shop.set_ready(pod, true);
    }
}

fn rests(trace: &Trace) -> Vec<(usize, usize)> {
    let pair = |counts: &Counts| (counts.without_tag("2"), counts.with_tag("2"));
    let mut rests: Vec<_> = trace.settled().iter().map(pair).collect();
    rests.dedup();
    rests
}

#[test]
fn of_three_commits_within_a_second_the_last_one_wins() {
    play(async |stage: Stage| {
        let (shop, _agent) =
            Shop::installed(&stage, "three-commits", &deployment("web", "1", QUICK)).await;
        let trace = shop.trace_at_rest("web").await;
        // A poll may bring each of them for a moment.
        trace.leave_out();
        let commits = ["2", "3", "4"].map(|tag| {
            let manifest = deployment("web", tag, QUICK);
            let subject = format!("web {tag}");
            let files = [("web.yaml", Some(manifest.as_str()))];
            shop.repository.push(&subject, &files)
        });
        shop.sync();
        shop.until_outcome(&commits[2], "Succeeded").await;
        let all = |counts: &Counts| counts.with_tag("4") == 10 && counts.total() == 10;
        trace.until_settled("the last to run", SOON, all).await;
        assert_eq!(shop.outcome(&commits[0]), "Superseded");
        assert_eq!(shop.outcome(&commits[1]), "Superseded");
        let history = shop.ledger()["history"].take();
        let order: Vec<_> = (0..3).map(|at| &history[at]["revision"]["id"]).collect();
        assert_eq!(order, [&commits[2], &commits[1], &commits[0]]);
        let codes = commits.each_ref().map(|commit| shop.wait(commit));
        assert_eq!(codes, [Some(6), Some(6), Some(0)]);
        assert!(trace.fewest_ready() >= 10, "{trace}");
    });
}

#[test]
fn of_three_commits_seen_one_by_one_the_last_one_wins_too() {
    play(async |stage: Stage| {
        let (shop, _agent) =
            Shop::installed(&stage, "three-tips", &deployment("web", "1", QUICK)).await;
        let trace = shop.trace_at_rest("web").await;
        let mut commits = Vec::new();
        for tag in ["2-slow", "3-slow", "4"] {
            let commit = shop.push_web(tag, &deployment("web", tag, QUICK));
            shop.until("the commit to be the aim", || {
                shop.ledger()["aim"]["revision"]["id"] == *commit
            })
            .await;
            commits.push(commit);
        }
        shop.until_outcome(&commits[2], "Succeeded").await;
        let all = |counts: &Counts| counts.with_tag("4") == 10 && counts.total() == 10;
        trace.until_settled("the last to run", SOON, all).await;
        assert_eq!(shop.outcome(&commits[0]), "Superseded");
        assert_eq!(shop.outcome(&commits[1]), "Superseded");
        assert!(trace.fewest_ready() >= 10, "{trace}");
    });
}

#[test]
fn a_third_template_takes_over_in_mid_batch_without_losing_a_ready_pod() {
    play(async |stage: Stage| {
        let amid = Amid::open(&stage, "third").await;
        let (shop, trace) = (&amid.shop, &amid.trace);
        let third = shop.push_web("web 3", &deployment("web", "3", STEPS));
        shop.until_outcome(&third, "Succeeded").await;
        let all = |counts: &Counts| counts.with_tag("3") == 10 && counts.total() == 10;
        trace.until_settled("the third to run", SOON, all).await;
        assert_eq!(shop.outcome(&amid.second), "Superseded");
        assert!(trace.fewest_ready() >= 10, "{trace}");
        let thirds: Vec<usize> = trace.settled().iter().map(|c| c.with_tag("3")).collect();
        assert!(thirds.contains(&1), "batch 1 of the new plan: {trace}");
        assert!(thirds.contains(&5), "batch 2 of the new plan: {trace}");
    });
}

#[test]
fn a_commit_to_another_file_lets_the_rollout_carry_on() {
    play(async |stage: Stage| {
        let amid = Amid::open(&stage, "another-file").await;
        let (shop, trace) = (&amid.shop, &amid.trace);
        let moved = shop.pod_uids("web", "2");
        let flags = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flags}\ndata: {a: '1'}\n";
        let third = shop.push("flags", &[("flags.yaml", Some(flags))]);
        shop.until("the ConfigMap", || !shop.get("configmap/flags").is_null())
            .await;
        assert_eq!(shop.outcome(&amid.second), "Superseded");
        assert_eq!(shop.checkpoint("web")["batch"], 2);
        amid.end(&third, 10).await;
        assert_eq!(
            rests(trace),
            [(10, 0), (10, 1), (9, 5), (5, 10), (0, 10)],
            "{trace}"
        );
        assert!(shop.pod_uids("web", "2").is_superset(&moved), "{trace}");
        let live = shop.get("deployment/web");
        let cause = &live["metadata"]["annotations"]["kubernetes.io/change-cause"];
        assert!(cause.as_str().unwrap().ends_with("web 2"), "{cause}");
    });
}

#[test]
fn a_commit_of_other_replicas_keeps_the_share_of_new_pods() {
    play(async |stage: Stage| {
        for (replicas, new) in [(6, 3), (14, 7)] {
            let amid = Amid::open(&stage, "replicas").await;
            let (shop, trace) = (&amid.shop, &amid.trace);
            let scaled = deployment("web", "2", STEPS)
                .replace("replicas: 10", &format!("replicas: {replicas}"));
            let third = shop.push_web("scale", &scaled);
            let share = |counts: &Counts| counts.with_tag("2") == new;
            trace.until_settled("half to be new", SOON, share).await;
            assert_eq!(shop.outcome(&amid.second), "Superseded");
            amid.end(&third, replicas).await;
            assert!(trace.fewest_ready() >= replicas.min(10), "{trace}");
        }
    });
}

#[test]
fn a_commit_of_another_policy_counts_from_the_next_batch_on() {
    play(async |stage: Stage| {
        let amid = Amid::open(&stage, "policy").await;
        let (shop, trace) = (&amid.shop, &amid.trace);
        let moved = shop.pod_uids("web", "2");
        let tighter = "steps: [1, 50%, 70%, 100%]\nsoak: 2s\nmonitor: 1s";
        let third = shop.push_web("tighter", &deployment("web", "2", tighter));
        shop.until("the plan to have four batches", || {
            shop.checkpoint("web")["batches"] == 4
        })
        .await;
        assert_eq!(shop.outcome(&amid.second), "Superseded");
        amid.end(&third, 10).await;
        assert_eq!(
            rests(trace),
            [(10, 0), (10, 1), (9, 5), (5, 7), (3, 10), (0, 10)],
            "{trace}"
        );
        assert!(shop.pod_uids("web", "2").is_superset(&moved), "{trace}");
        assert_eq!(shop.record(&third)["batches"], json!([4, 4]));
    });
}

#[test]
fn a_commit_that_does_not_touch_the_path_is_no_revision() {
    play(async |stage: Stage| {
        let (shop, _agent) =
            Shop::installed(&stage, "elsewhere", &deployment("web", "1", QUICK)).await;
        let before = shop.get("deployment/web");
        let commit = shop.push("readme", &[("../../README", Some("hello"))]);
        shop.until("the commit to be seen", || {
            shop.ledger()["untouched"] == json!([commit])
        })
        .await;
        assert!(shop.record(&commit).is_null());
        assert_eq!(shop.wait(&commit), Some(0), "nothing to wait for");
        let version = |live: &serde_json::Value| live["metadata"]["resourceVersion"].clone();
        assert_eq!(version(&shop.get("deployment/web")), version(&before));
    });
}
