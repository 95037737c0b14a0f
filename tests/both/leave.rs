//! What people and the clock let a rollout do: approvals, promotions, windows.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::play;
use crate::shop::{Counts, SOON, Shop, Stage, deployment, settings};

const STEPS: &str = "steps: [1, {target: 50%, soak: 1s}, {target: 100%, approval: true}]\n\
                     maxSurge: 100%\nmonitor: 1s\napproval: Before";
const SLOW: &str = "steps: [1, 50%, 100%]\nmaxSurge: 100%\nsoak: 30m\nmonitor: 1s\n\
                    approval: EveryBatch";
const QUICK: &str = "steps: [1, 50%, 100%]\nmaxSurge: 100%\nmonitor: 0s";

/// A policy with a window of an hour that opens in twelve.
fn closed(policy: &str) -> String {
    let opens = (Timestamp::now() + 12.hours()).to_zoned(TimeZone::UTC);
    let (minute, hour) = (opens.minute(), opens.hour());
    format!(
        "{policy}\nwindows: [{{kind: Allow, schedule: \"{minute} {hour} * * *\", duration: 1h}}]"
    )
}

fn new(count: usize) -> impl Fn(&Counts) -> bool {
    move |counts| counts.with_tag("2") == count
}

/// The state in one word.
fn state(shop: &Shop) -> String {
    let status = shop.verb(&["status", "web", "-o", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    status["summary"]["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_rollout_and_its_last_batch_open_once_a_person_approves_them() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "approved").await;
        let agent = shop.start();
        shop.begin(&[("web.yaml", Some(&deployment("web", "1", STEPS)))])
            .await;
        let trace = shop.trace_at_rest("web").await;
        let second = shop.push_web("web 2", &deployment("web", "2", STEPS));
        assert_eq!(shop.wait(&second), Some(5), "nothing of it begins");
        assert_eq!(state(&shop), "AwaitingPromotion");
        // An approval of another commit opens nothing.
        shop.ask("approve", &format!("{}/rollout", "0".repeat(40)));
        shop.until_served().await;
        assert_eq!(shop.pods("web", "2").len(), 0);
        shop.verb(&["approve", "web"]);
        trace.until_settled("half of the pods", SOON, new(5)).await;
        assert_eq!(shop.wait(&second), Some(5), "the last batch waits");
        let status = shop.verb(&["status", "web"]);
        assert!(status.contains("batch 3 waits for an approval"), "{status}");
        assert!(status.contains("tidegate approve"), "{status}");
        // The one that takes over waits as well.
        agent.kill();
        let _agent = shop.start();
        shop.until_served().await;
        assert_eq!(shop.pods("web", "2").len(), 5);
        shop.verb(&["approve", "web"]);
        shop.until_outcome(&second, "Succeeded").await;
        trace.until_settled("all pods", SOON, new(10)).await;
        let rests: Vec<(usize, usize)> = trace
            .rests()
            .iter()
            .map(|rest| (rest.with_tag("1"), rest.with_tag("2")))
            .collect();
        assert_eq!(
            rests,
            [(10, 0), (10, 1), (9, 5), (5, 10), (0, 10)],
            "{trace}"
        );
        assert!(trace.fewest_ready() >= 10, "{trace}");
    });
}

#[test]
fn before_it_is_approved_nothing_of_a_commit_is_in_force_and_what_runs_is_looked_after() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "not-begun").await;
        let _agent = shop.start();
        let quick = format!("{QUICK}\napproval: Before");
        shop.begin(&[
            ("web.yaml", Some(&deployment("web", "1", &quick))),
            ("settings.yaml", Some(&settings(false))),
        ])
        .await;
        let trace = shop.trace_at_rest("web").await;
        trace.leave_out();
        shop.verb(&["restart", "web"]);
        shop.until("the restart to be over", || {
            let web = shop.get("deployment/web");
            let (spec, status) = (&web["spec"], &web["status"]);
            spec["template"]["metadata"]["annotations"]["tidegate.dev/restarted-at"].is_string()
                && spec["minReadySeconds"].is_null()
                && status["updatedReplicas"] == 10
                && status["replicas"] == 10
        })
        .await;
        let second = shop.push(
            "web 2",
            &[
                ("web.yaml", Some(&deployment("web", "2", &quick))),
                ("settings.yaml", Some(&settings(true))),
            ],
        );
        assert_eq!(
            shop.wait(&second),
            Some(5),
            "a restart before opens nothing"
        );
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "false");
        shop.kubectl(&["set", "image", "deployment/web", "web=shop/web:3"]);
        shop.until_note("web", "DriftCorrected", "`kubectl-set`")
            .await;
        shop.until("the pods of Git", || {
            shop.pods("web", "1").len() == 10 && shop.pods("web", "3").is_empty()
        })
        .await;
        assert_eq!(shop.pods("web", "2").len(), 0);
        shop.verb(&["approve", "web"]);
        shop.until_outcome(&second, "Succeeded").await;
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "true");
        assert_eq!(shop.pods("web", "2").len(), 10);
    });
}

#[test]
fn a_promotion_opens_batches_without_their_approval_and_the_rest_of_the_soak() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "promoted").await;
        let _agent = shop.start();
        shop.begin(&[("web.yaml", Some(&deployment("web", "1", SLOW)))])
            .await;
        let trace = shop.trace_at_rest("web").await;
        let second = shop.push_web("web 2", &deployment("web", "2", SLOW));
        assert_eq!(shop.wait(&second), Some(5));
        shop.verb(&["promote", "web"]);
        trace.until_settled("batch 1", SOON, new(1)).await;
        shop.verb(&["promote", "web", "Deployment/web"]);
        trace.until_settled("batch 2", SOON, new(5)).await;
        // What names a batch that is open already opens no other one.
        let late = format!("{second}/Deployment/{}/web/2", shop.namespace);
        shop.ask("promote", &late);
        shop.until_served().await;
        assert_eq!(shop.pods("web", "2").len(), 5);
        shop.verb(&["promote", "web", "--full"]);
        shop.until_outcome(&second, "Succeeded").await;
        trace.until_settled("all pods", SOON, new(10)).await;
        assert!(trace.fewest_ready() >= 10, "{trace}");
    });
}

#[test]
fn outside_its_windows_a_rollout_neither_begins_nor_goes_on_and_a_revert_goes_back() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "windows").await;
        let _agent = shop.start();
        shop.begin(&[("web.yaml", Some(&deployment("web", "1", QUICK)))])
            .await;
        let trace = shop.trace_at_rest("web").await;
        let second = shop.push_web("web 2", &deployment("web", "2", &closed(QUICK)));
        shop.until("a closed window", || state(&shop) == "WindowClosed")
            .await;
        let arguments = ["wait", "--commit", &second, "--timeout", "1s"];
        let waited = shop.tidegate(&arguments);
        assert_eq!(waited.status.code(), Some(4), "windows go on waiting");
        assert_eq!(shop.pods("web", "2").len(), 0);
        // A person who is sure opens the first batch all the same.
        shop.verb(&["promote", "web"]);
        trace.until_settled("batch 1", SOON, new(1)).await;
        shop.until("a closed window", || state(&shop) == "WindowClosed")
            .await;
        let revert = shop.revert(&second);
        shop.until_outcome(&revert, "Succeeded").await;
        trace.until_settled("the old pods", SOON, new(0)).await;
        let third = shop.push_web("web 2, now", &deployment("web", "2", QUICK));
        shop.until_outcome(&third, "Succeeded").await;
        trace.until_settled("all pods", SOON, new(10)).await;
        assert!(trace.fewest_ready() >= 10, "{trace}");
    });
}
