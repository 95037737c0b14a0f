//! What people change by hand: in mid-rollout it is told and taken back without more new pods, at
//! rest it is repaired.

use std::time::Duration;

use serde_json::{Value, json};

use crate::play;
use crate::shop::{Agent, Counts, Exposure, SOON, Shop, Stage, Trace, config_map, deployment};

/// Half of the pods, then a soak that no test waits for.
const HALF: &str = "steps: [50%, 100%]\nsoak: 30m\nmonitor: 0s";
/// The same steps, without the soak.
const ON: &str = "steps: [50%, 100%]\nsoak: 0s\nmonitor: 0s";

/// A shop whose Deployment `web` rests at 5 pods of tag 2 and 10 of tag 1.
struct Half {
    shop: Shop,
    _agent: Agent,
    trace: Trace,
    exposure: Exposure,
    manifest: fn(&str, &str) -> String,
}

fn of_ten(tag: &str, policy: &str) -> String {
    deployment("web", tag, policy)
}

fn scaled_by_others(tag: &str, policy: &str) -> String {
    of_ten(tag, policy).replace("  replicas: 10\n", "")
}

impl Half {
    async fn open(stage: &Stage, prefix: &str, manifest: fn(&str, &str) -> String) -> Self {
        let shop = Shop::open(stage, prefix).await;
        let first = shop.push("web 1", &[("web.yaml", Some(&manifest("1", HALF)))]);
        let agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        shop.kubectl(&["scale", "deployment/web", "--replicas=10"]);
        shop.until("ten pods", || {
            shop.get("deployment/web")["status"]["readyReplicas"] == 10
        })
        .await;
        let trace = shop.trace_at_rest("web").await;
        let exposure = shop.exposure("web").await;
        shop.push("web 2", &[("web.yaml", Some(&manifest("2", HALF)))]);
        let half = Self {
            shop,
            _agent: agent,
            trace,
            exposure,
            manifest,
        };
        half.until_half().await;
        half.trace.leave_out();
        half
    }

    async fn until_half(&self) {
        let at_half = |counts: &Counts| {
            counts.with_tag("1") == 10 && counts.with_tag("2") == 5 && counts.total() == 15
        };
        self.trace
            .until_settled("half of the rollout", SOON, at_half)
            .await;
        self.shop
            .until("the levers of half of the rollout", || {
                let spec = self.shop.get("deployment/web")["spec"].clone();
                spec["minReadySeconds"] == 2_147_483_646_i64
                    && spec["strategy"]["rollingUpdate"]
                        == json!({"maxSurge": "50%", "maxUnavailable": "0%"})
                    && spec["replicas"] == 10
                    && spec.get("paused").is_none()
            })
            .await;
    }

    /// Does something by hand: it is told with its manager, taken back without a Ready pod less, and
    /// the rollout goes on to its end.
    async fn takes_back(&self, command: &[&str], manager: &str) {
        self.shop.kubectl(command);
        self.shop.until_note("web", "DriftDetected", manager).await;
        self.until_half().await;
        assert!(self.trace.fewest_ready() >= 10, "{}", self.trace);
        self.end(10).await;
    }

    /// Lets the rollout go on to its end.
    async fn end(&self, pods: usize) {
        self.trace.take_up();
        let manifest = (self.manifest)("2", ON);
        let last = self.shop.push("on", &[("web.yaml", Some(&manifest))]);
        self.shop.until_outcome(&last, "Succeeded").await;
        self.trace
            .until_settled("all pods to be new", SOON, |counts| {
                counts.with_tag("2") == pods && counts.total() == pods
            })
            .await;
        self.exposure.assert_never_enlarged();
        let spec = self.shop.get("deployment/web")["spec"].clone();
        assert!(spec["minReadySeconds"].is_null(), "{spec}");
        assert_eq!(spec["progressDeadlineSeconds"], 600);
        assert_eq!(
            spec["strategy"]["rollingUpdate"],
            json!({"maxSurge": "25%", "maxUnavailable": "25%"})
        );
    }

    /// The container as it is now.
    fn container(&self) -> Value {
        self.shop.get("deployment/web")["spec"]["template"]["spec"]["containers"][0].clone()
    }
}

#[test]
fn an_image_set_by_hand_in_mid_rollout_is_taken_back() {
    play(async |stage: Stage| {
        let half = Half::open(&stage, "set-image", of_ten).await;
        half.takes_back(
            &["set", "image", "deployment/web", "web=shop/web:3"],
            "`kubectl-set`",
        )
        .await;
    });
}

#[test]
fn a_rollout_undo_by_hand_in_mid_rollout_is_taken_back() {
    play(async |stage: Stage| {
        let half = Half::open(&stage, "undo", of_ten).await;
        half.takes_back(&["rollout", "undo", "deployment/web"], "`kubectl`")
            .await;
    });
}

#[test]
fn a_variable_set_by_hand_in_mid_rollout_is_removed() {
    play(async |stage: Stage| {
        let half = Half::open(&stage, "set-env", of_ten).await;
        half.shop
            .kubectl(&["set", "env", "deployment/web", "HAND=1"]);
        half.shop
            .until_note("web", "DriftDetected", "`kubectl-set`")
            .await;
        half.shop
            .until("the variable to be gone", || {
                half.container().get("env").is_none()
            })
            .await;
        half.until_half().await;
        assert!(half.trace.fewest_ready() >= 10, "{}", half.trace);
        half.end(10).await;
    });
}

#[test]
fn replicas_in_git_that_are_scaled_by_hand_in_mid_rollout_come_back() {
    play(async |stage: Stage| {
        let half = Half::open(&stage, "scale", of_ten).await;
        half.shop
            .kubectl(&["scale", "deployment/web", "--replicas=6"]);
        half.shop
            .until_note("web", "DriftDetected", "`kubectl`")
            .await;
        half.until_half().await;
        half.end(10).await;
    });
}

#[test]
fn replicas_outside_of_git_are_the_scalers_and_the_share_of_new_pods_stays() {
    play(async |stage: Stage| {
        let half = Half::open(&stage, "scaler", scaled_by_others).await;
        half.shop
            .kubectl(&["scale", "deployment/web", "--replicas=6"]);
        half.shop.until_note("web", "Rescaled", "10 to 6").await;
        half.trace
            .until_settled("the same share", SOON, |counts| {
                counts.with_tag("2") == 3 && counts.with_tag("1") == 6
            })
            .await;
        half.shop
            .kubectl(&["scale", "deployment/web", "--replicas=14"]);
        half.shop.until_note("web", "Rescaled", "6 to 14").await;
        half.trace
            .until_settled("the same share", SOON, |counts| {
                (7..=8).contains(&counts.with_tag("2")) && counts.with_tag("1") == 14
            })
            .await;
        assert!(half.shop.notes("web", "DriftDetected").is_empty());
        half.end(14).await;
    });
}

#[test]
fn a_surge_raised_by_hand_in_mid_rollout_comes_back() {
    play(async |stage: Stage| {
        let half = Half::open(&stage, "surge", of_ten).await;
        let wide = r#"{"spec":{"strategy":{"rollingUpdate":{"maxSurge":"70%"}}}}"#;
        half.shop.kubectl(&[
            "patch",
            "deployment/web",
            "--field-manager=kubectl-edit",
            "-p",
            wide,
        ]);
        half.shop
            .until_note("web", "DriftDetected", "`kubectl-edit`")
            .await;
        half.shop
            .until("the recorded surge", || {
                half.shop.get("deployment/web")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
                    == "50%"
            })
            .await;
        assert!(half.trace.fewest_ready() >= 10, "{}", half.trace);
        half.end(10).await;
    });
}

#[test]
fn times_edited_by_hand_in_mid_rollout_come_back_before_the_next_batch() {
    play(async |stage: Stage| {
        let half = Half::open(&stage, "min-ready", of_ten).await;
        let edit = r#"{"spec":{"minReadySeconds":5,"progressDeadlineSeconds":90}}"#;
        half.shop.kubectl(&[
            "patch",
            "deployment/web",
            "--field-manager=kubectl-edit",
            "-p",
            edit,
        ]);
        half.shop
            .until_note("web", "DriftDetected", "`kubectl-edit`")
            .await;
        half.shop
            .until("the recorded times", || {
                let spec = half.shop.get("deployment/web")["spec"].clone();
                spec["minReadySeconds"] == 2_147_483_646_i64
                    && spec["progressDeadlineSeconds"] == 2_147_483_647_i64
            })
            .await;
        half.end(10).await;
    });
}

#[test]
fn a_pause_by_hand_in_mid_rollout_is_taken_back() {
    play(async |stage: Stage| {
        let half = Half::open(&stage, "rollout-pause", of_ten).await;
        half.takes_back(&["rollout", "pause", "deployment/web"], "`kubectl-rollout`")
            .await;
    });
}

#[test]
fn a_restart_by_hand_in_mid_rollout_is_let_through_and_its_pods_are_watched_anew() {
    play(async |stage: Stage| {
        let half = Half::open(&stage, "restart", of_ten).await;
        let restarted = || {
            let template = half.shop.get("deployment/web")["spec"]["template"].clone();
            template["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_string()
        };
        let opened = half.shop.ledger()["rollouts"].clone();
        half.shop.kubectl(&["rollout", "restart", "deployment/web"]);
        half.shop
            .until_note("web", "Restarted", "`kubectl-rollout`")
            .await;
        half.until_half().await;
        half.shop
            .until("the checks to start afresh", || {
                half.shop.ledger()["rollouts"] != opened
            })
            .await;
        assert!(restarted());
        assert!(half.shop.notes("web", "DriftDetected").is_empty());
        half.end(10).await;
        assert!(restarted());
        assert!(half.trace.fewest_ready() >= 10, "{}", half.trace);
    });
}

/// Two extra pods, none missing, as the Deployment itself says.
const CAREFUL: &str =
    "  strategy:\n    rollingUpdate: {maxSurge: 2, maxUnavailable: 0}\n  template:";

fn careful(tag: &str) -> String {
    deployment("web", tag, "monitor: 0s").replace("  template:", CAREFUL)
}

/// A shop at rest: `web` with ten pods, the ConfigMap `flags` and the Service `front`.
async fn at_rest(stage: &Stage, prefix: &str, more: &Value) -> (Shop, Agent) {
    let shop = Shop::open(stage, prefix).await;
    shop.configure(more);
    let front = "apiVersion: v1\nkind: Service\nmetadata:\n  name: front\nspec:\n  selector: {app: web}\n  ports:\n  - port: 80\n";
    let files = [
        ("flags.yaml", Some(config_map("flags", "1"))),
        ("front.yaml", Some(front.to_owned())),
        ("web.yaml", Some(careful("1"))),
    ];
    let files: Vec<(&str, Option<&str>)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_deref()))
        .collect();
    let first = shop.push("web 1", &files);
    let agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    (shop, agent)
}

#[test]
fn a_template_changed_by_hand_at_rest_is_repaired_in_batches() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "rest-image", &json!({})).await;
        let trace = shop.trace_at_rest("web").await;
        let exposure = shop.exposure("web").await;
        trace.leave_out();
        shop.kubectl(&["set", "image", "deployment/web", "web=shop/web:3-never"]);
        shop.until_note("web", "DriftCorrected", "`kubectl-set`")
            .await;
        shop.until_note("web", "RolloutCompleted", "10 of 10").await;
        trace
            .until_settled("the pods of Git", SOON, |counts| {
                counts.with_tag("1") == 10 && counts.total() == 10
            })
            .await;
        exposure.assert_never_enlarged();
        assert!(trace.fewest_ready() >= 10, "{trace}");
        shop.kubectl(&["set", "env", "deployment/web", "HAND=1"]);
        shop.until("the variable to be gone", || {
            let web = shop.get("deployment/web");
            web["spec"]["template"]["spec"]["containers"][0]
                .get("env")
                .is_none()
                && web["spec"]["minReadySeconds"].is_null()
                && web["status"]["updatedReplicas"] == 10
                && web["status"]["replicas"] == 10
        })
        .await;
        exposure.assert_never_enlarged();
        assert!(trace.fewest_ready() >= 10, "{trace}");
    });
}

/// Sets another image by hand at rest: Git's comes back for all pods, and the levers are given back.
async fn repairs_the_image(shop: &Shop) {
    let trace = shop.trace_at_rest("web").await;
    trace.leave_out();
    let exposure = shop.exposure("web").await;
    shop.kubectl(&["set", "image", "deployment/web", "web=shop/web:3-never"]);
    shop.until_note("web", "DriftCorrected", "`kubectl-set`")
        .await;
    trace
        .until_settled("the pods of Git", SOON, |counts| {
            counts.with_tag("1") == 10 && counts.total() == 10
        })
        .await;
    shop.until("the levers to be given back", || {
        shop.get("deployment/web")["spec"]["minReadySeconds"].is_null()
            && shop.ledger()["drifted"]
                .as_object()
                .is_none_or(serde_json::Map::is_empty)
    })
    .await;
    assert!(trace.fewest_ready() >= 10, "{trace}");
    exposure.assert_never_enlarged();
    let told = shop.notes("web", "DriftCorrected");
    let once = told.iter().filter(|note| note.contains("is taken back"));
    assert!(once.count() <= 2, "{told:#?}");
}

#[test]
fn a_template_changed_by_hand_while_a_person_pauses_is_repaired() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "paused-image", &json!({})).await;
        shop.verb(&["pause", "web", "--reason", "a look"]);
        shop.until("the pause", || !shop.ledger()["pause"].is_null())
            .await;
        let waits = shop.push("web 2", &[("web.yaml", Some(&careful("2")))]);
        repairs_the_image(&shop).await;
        shop.verb(&["resume", "web"]);
        shop.until_outcome(&waits, "Succeeded").await;
    });
}

#[test]
fn a_workload_deleted_while_a_person_pauses_its_rollout_is_made_again() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "paused-delete", &json!({})).await;
        let bold = deployment("web", "2", "steps: [1, 100%]\nsoak: 30m\nmonitor: 0s");
        let next = shop.push_web("web 2", &bold);
        shop.until("batch 1", || shop.pods("web", "2").len() == 1)
            .await;
        shop.verb(&["pause", "web", "--reason", "a look"]);
        shop.until("the rollout to be held", || {
            shop.checkpoint("web")["isHeld"] == true
        })
        .await;
        shop.kubectl(&["delete", "deployment/web"]);
        shop.until("its pods to be there again", || {
            shop.pods("web", "2").len() == 10
        })
        .await;
        shop.verb(&["resume", "web"]);
        shop.until_outcome(&next, "Succeeded").await;
    });
}

#[test]
fn a_failed_workload_that_is_deleted_while_it_is_held_is_told_and_waits_for_a_person() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "held-delete", &json!({})).await;
        let bad = deployment("web", "2-crash", "steps: [1, 100%]\nmonitor: 0s");
        let fails = shop.push_web("breaks", &bad);
        shop.until_outcome(&fails, "Failed").await;
        shop.kubectl(&["delete", "deployment/web"]);
        shop.until_note("tidegate-web", "DriftDetected", "it was deleted while")
            .await;
        assert!(shop.get("deployment/web").is_null());
        let status = shop.verb(&["status", "web"]);
        assert!(status.contains("1 drifted"), "{status}");
        shop.verb(&["abort", "web"]);
        shop.until_outcome(&fails, "Aborted").await;
        assert_eq!(shop.pods("web", "1").len(), 10);
        shop.until("nothing to drift", || shop.ledger()["drifted"] == json!({}))
            .await;
    });
}

#[test]
fn a_template_changed_by_hand_while_the_tip_is_held_is_repaired() {
    play(async |stage: Stage| {
        let back = json!({"rollout": {"onFailure": "Rollback"}});
        let (shop, _agent) = at_rest(&stage, "held-image", &back).await;
        let bad = careful("2-crash");
        let fails = shop.push("breaks", &[("web.yaml", Some(&bad))]);
        shop.until_outcome(&fails, "RolledBack").await;
        let comment = format!("# a word\n{bad}");
        let held = shop.push("comments", &[("web.yaml", Some(&comment))]);
        shop.until_outcome(&held, "Held").await;
        repairs_the_image(&shop).await;
    });
}

/// What `kubectl edit` does.
fn edit(shop: &Shop, what: &str, patch: &str) {
    let manager = "--field-manager=kubectl-edit";
    shop.kubectl(&["patch", what, "--type=merge", manager, "-p", patch]);
}

#[test]
fn what_is_edited_or_deleted_by_hand_at_rest_is_put_back_at_once() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "rest", &json!({})).await;
        let edit = |what: &str, patch: &str| edit(&shop, what, patch);
        edit("configmap/flags", r#"{"data":{"value":"2"}}"#);
        shop.until("the value of Git", || {
            shop.get("configmap/flags")["data"]["value"] == "1"
        })
        .await;
        shop.until_note("flags", "DriftCorrected", "`kubectl-edit`")
            .await;
        edit("service/front", r#"{"spec":{"selector":{"app":"other"}}}"#);
        shop.until("the selector of Git", || {
            shop.get("service/front")["spec"]["selector"]["app"] == "web"
        })
        .await;
        edit(
            "deployment/web",
            r#"{"spec":{"strategy":{"rollingUpdate":{"maxSurge":7}}}}"#,
        );
        shop.until("the surge of Git", || {
            shop.get("deployment/web")["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 2
        })
        .await;
        edit("deployment/web", r#"{"spec":{"minReadySeconds":9}}"#);
        shop.until("no minReadySeconds", || {
            let seconds = shop.get("deployment/web")["spec"]["minReadySeconds"].clone();
            seconds.is_null() || seconds == 0
        })
        .await;
        shop.kubectl(&["rollout", "pause", "deployment/web"]);
        shop.until("no pause", || {
            shop.get("deployment/web")["spec"].get("paused").is_none()
        })
        .await;
        shop.kubectl(&["scale", "deployment/web", "--replicas=3"]);
        shop.until("ten replicas", || {
            shop.get("deployment/web")["spec"]["replicas"] == 10
        })
        .await;
        shop.kubectl(&[
            "delete",
            "configmap/flags",
            "service/front",
            "deployment/web",
        ]);
        shop.until("all that was deleted", || {
            shop.get("configmap/flags")["data"]["value"] == "1"
                && shop.get("service/front")["spec"]["selector"]["app"] == "web"
                && shop.get("deployment/web")["status"]["readyReplicas"] == 10
        })
        .await;
    });
}

#[test]
fn replicas_outside_of_git_are_the_scalers_at_rest_too() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "rest-scaler").await;
        let first = shop.push("web 1", &[("web.yaml", Some(&scaled_by_others("1", ON)))]);
        let _agent = shop.start();
        shop.until_outcome(&first, "Succeeded").await;
        shop.kubectl(&["scale", "deployment/web", "--replicas=4"]);
        shop.until_served().await;
        shop.until("four pods", || {
            shop.get("deployment/web")["status"]["readyReplicas"] == 4
        })
        .await;
        shop.kubectl(&["rollout", "restart", "deployment/web"]);
        shop.until_served().await;
        let web = shop.get("deployment/web");
        assert_eq!(web["spec"]["replicas"], 4);
        assert!(shop.notes("web", "DriftCorrected").is_empty());
    });
}

#[test]
fn against_a_manager_that_comes_back_a_fourth_time_nothing_is_taken_back() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "fight", &json!({})).await;
        let meddle = |who: &str, value: usize| {
            let patch = json!({"data": {"value": format!("by-{who}-{value}")}}).to_string();
            let manager = format!("--field-manager={who}");
            shop.kubectl(&[
                "patch",
                "configmap/flags",
                "--type=merge",
                &manager,
                "-p",
                &patch,
            ]);
        };
        let value = || shop.get("configmap/flags")["data"]["value"].clone();
        for round in 0..3 {
            meddle("meddler", round);
            shop.until("the value of Git", || value() == "1").await;
        }
        meddle("meddler", 3);
        let told = shop.until_problem("DriftFight").await;
        assert!(
            told.contains("`meddler`") && told.contains("tidegate") && told.contains("flags"),
            "{told}"
        );
        shop.until_served().await;
        assert_eq!(value(), "by-meddler-3");
        meddle("another", 0);
        shop.until("the value of Git", || value() == "1").await;
        shop.until("the problem to be over", || shop.problem().0.is_empty())
            .await;
    });
}

#[test]
fn a_fight_in_mid_rollout_holds_it_under_its_own_levers_until_a_person_ends_it() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "fight-amid").await;
        let _agent = shop.start();
        let web = |tag: &str| of_ten(tag, "steps: [1, 100%]\nsoak: 8s\nmonitor: 0s");
        shop.begin(&[("web.yaml", Some(&web("1")))]).await;
        let trace = shop.trace_at_rest("web").await;
        trace.leave_out();
        let next = shop.push_web("web 2", &web("2"));
        trace
            .until("batch 1", SOON, |counts| counts.with_tag("2") == 1)
            .await;
        let frozen = || shop.get("deployment/web")["spec"]["minReadySeconds"] == 2_147_483_646_i64;
        // So long that no pod counts as available before the levers are back.
        for second in 1001..=1004 {
            shop.until("the levers to be there", frozen).await;
            let patch = json!({"spec": {"minReadySeconds": second}}).to_string();
            let manager = "--field-manager=meddler";
            shop.kubectl(&["patch", "deployment/web", manager, "-p", &patch]);
            shop.until("it to be seen", || {
                frozen() || shop.problem().0 == "DriftFight"
            })
            .await;
        }
        let told = shop.until_problem("DriftFight").await;
        assert!(told.contains("`meddler`"), "{told}");
        shop.until("the levers to be back", frozen).await;
        trace
            .until_rest("no further batch", Duration::from_secs(10), SOON)
            .await;
        assert_eq!(trace.most_with("2"), 1, "{trace}");
        assert_eq!(shop.wait(&next), Some(5));
        shop.verb(&["retry", "web", &next]);
        shop.until_outcome(&next, "Succeeded").await;
        assert_eq!(shop.problem().0, "");
    });
}

#[test]
fn drift_that_is_to_be_reported_is_told_and_left() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "report", &json!({"drift": "Report"})).await;
        let patch = r#"{"data":{"value":"2"}}"#;
        shop.kubectl(&[
            "patch",
            "configmap/flags",
            "--type=merge",
            "--field-manager=kubectl-edit",
            "-p",
            patch,
        ]);
        shop.until_note("flags", "DriftDetected", "`kubectl-edit`")
            .await;
        shop.kubectl(&["set", "image", "deployment/web", "web=shop/web:3"]);
        shop.until_note("web", "DriftDetected", "`kubectl-set`")
            .await;
        shop.until("both to be recorded", || {
            let drifted = shop.ledger()["drifted"].clone();
            drifted
                .as_object()
                .is_some_and(|drifted| drifted.len() == 2)
        })
        .await;
        shop.until_served().await;
        assert_eq!(shop.get("configmap/flags")["data"]["value"], "2");
        let web = shop.get("deployment/web");
        assert_eq!(
            web["spec"]["template"]["spec"]["containers"][0]["image"],
            "shop/web:3"
        );
        let back = r#"{"data":{"value":"1"}}"#;
        shop.kubectl(&[
            "patch",
            "configmap/flags",
            "--type=merge",
            "--field-manager=kubectl-edit",
            "-p",
            back,
        ]);
        let second = shop.push("web 2", &[("web.yaml", Some(&careful("2")))]);
        shop.until_outcome(&second, "Succeeded").await;
        let web = shop.get("deployment/web");
        assert_eq!(
            web["spec"]["template"]["spec"]["containers"][0]["image"],
            "shop/web:2"
        );
        shop.until("Git's own image to be no drift", || {
            shop.ledger()["drifted"]
                .get("apps/Deployment/shop/web")
                .is_none()
        })
        .await;
    });
}

#[test]
fn drift_that_is_to_be_ignored_is_left_without_a_word() {
    play(async |stage: Stage| {
        let (shop, _agent) = at_rest(&stage, "ignore", &json!({"drift": "Ignore"})).await;
        let patch = r#"{"data":{"value":"2"}}"#;
        shop.kubectl(&["patch", "configmap/flags", "--type=merge", "-p", patch]);
        shop.until_served().await;
        assert_eq!(shop.get("configmap/flags")["data"]["value"], "2");
        assert!(shop.notes("flags", "DriftDetected").is_empty());
        assert!(shop.notes("flags", "DriftCorrected").is_empty());
    });
}
