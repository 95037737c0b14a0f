//! A commit that fails: it is held or gone back on, held off while it comes again, and never in
//! the way of the commit that fixes it.

use serde_json::{Value, json};

use super::NEEDS_SETTINGS;
use crate::play;
use crate::shop::{Counts, SOON, Shop, Stage, config_map, deployment, outcome_of, settings};

const FIXED: &str = "        env:\n        - {name: FIXED, value: \"1\"}\n";

/// A Deployment in two batches of 1 and the rest.
fn web(tag: &str, on_failure: &str) -> String {
    let policy = format!("steps: [1, 100%]\nmaxSurge: 100%\nmonitor: 0s\nonFailure: {on_failure}");
    deployment("web", tag, &policy)
}

fn culprits(shop: &Shop) -> Vec<Value> {
    let ledger = shop.ledger();
    ledger["quarantine"].as_array().cloned().unwrap_or_default()
}

fn is_quarantined(shop: &Shop, commit: &str) -> bool {
    culprits(shop)
        .iter()
        .any(|culprit| culprit["commit"] == commit)
}

#[test]
fn under_pause_the_batch_stays_and_the_ledger_names_pod_container_and_reason() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "paused").await;
        let agent = shop.start();
        shop.begin(&[("web.yaml", Some(&web("1", "Pause")))]).await;
        let trace = shop.trace_at_rest("web").await;
        let bad = shop.push("breaks", &[("web.yaml", Some(&web("2-crash", "Pause")))]);
        shop.until_outcome(&bad, "Failed").await;

        let kept =
            shop.ledger()["rollouts"][format!("apps/Deployment/{}/web", shop.namespace)].clone();
        let cause = &kept["failure"]["cause"];
        let pod = cause["pod"].as_str().unwrap();
        assert!(shop.get(&format!("pod/{pod}"))["metadata"]["uid"].is_string());
        assert_eq!(cause["container"], "web", "{cause}");
        assert_eq!(cause["reason"], "CrashLoopBackOff", "{cause}");
        assert_eq!(kept["failure"]["batch"], 1);
        let message = shop.record(&bad)["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains(pod) && message.contains("CrashLoopBackOff"),
            "{message}"
        );
        assert!(is_quarantined(&shop, &bad));
        let status = shop.verb(&["status", "web"]);
        for told in [pod, "container web", "CrashLoopBackOff"] {
            assert!(status.contains(told), "{told} is missing: {status}");
        }
        assert_eq!(shop.wait(&bad), Some(5));

        agent.kill();
        let _agent = shop.start();
        shop.until_served().await;
        let settled: Vec<_> = trace
            .settled()
            .iter()
            .map(|counts| (counts.with_tag("1"), counts.with_tag("2-crash")))
            .collect();
        assert_eq!(settled, [(10, 0), (10, 1)], "{trace}");
        assert!(trace.fewest_ready() >= 10, "{trace}");
        assert_eq!(shop.outcome(&bad), "Failed");
    });
}

#[test]
fn under_rollback_pods_and_objects_of_the_whole_commit_are_back_and_it_is_not_tried_again() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "rolled-back").await;
        let agent = shop.start();
        shop.begin(&[
            ("web.yaml", Some(&web("1", "Rollback"))),
            ("settings.yaml", Some(&settings(false))),
        ])
        .await;
        let trace = shop.trace_at_rest("web").await;
        let extra = settings(true).replace("settings", "extra");
        let worker = deployment("worker", "1", "").replace("replicas: 10", "replicas: 2");
        let bad = shop.push(
            "breaks",
            &[
                ("web.yaml", Some(&web("2-crash", "Rollback"))),
                ("settings.yaml", Some(&settings(true))),
                ("extra.yaml", Some(&extra)),
                ("worker.yaml", Some(&worker)),
            ],
        );
        shop.until_outcome(&bad, "RolledBack").await;
        trace
            .until_settled("the old pods", SOON, |counts| {
                counts.with_tag("1") == 10 && counts.total() == 10
            })
            .await;
        assert!(trace.fewest_ready() >= 10, "{trace}");
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "false");
        assert_eq!(shop.get("configmap/extra"), Value::Null);
        assert_eq!(shop.get("deployment/worker"), Value::Null);
        let record = shop.record(&bad);
        assert!(
            record["message"]
                .as_str()
                .unwrap()
                .contains("CrashLoopBackOff"),
            "{record}"
        );

        assert_eq!(shop.wait(&bad), Some(3));

        agent.kill();
        let trace = shop.trace_at_rest("web").await;
        let _agent = shop.start();
        shop.until_served().await;
        assert_eq!(trace.most_pods(), 10, "{trace}");
        assert_eq!(shop.outcome(&bad), "RolledBack");
    });
}

/// What works, what breaks it and what mends it: manifests by their names.
struct Mending<'a> {
    name: &'a str,
    good: &'a str,
    bad: [(&'a str, &'a str); 1],
    fix: [(&'a str, &'a str); 1],
    /// Tag of the image in the end.
    tag: &'a str,
}

/// Breaks a shop, mends it, and nobody clears anything in between.
async fn mends(stage: &Stage, mending: &Mending<'_>) {
    let Mending {
        name,
        good,
        bad,
        fix,
        tag,
    } = mending;
    let under = async |on_failure: &'static str| {
        let shop = Shop::open(stage, &format!("{name}-{}", on_failure.to_lowercase())).await;
        let _agent = shop.start();
        let fill = |text: &str| {
            text.replace("ON-FAILURE", on_failure)
                .replace("replicas: 10", "replicas: 3")
        };
        let push = |subject: &str, files: &[(&str, &str)]| {
            let files: Vec<(&str, String)> =
                files.iter().map(|(n, text)| (*n, fill(text))).collect();
            let files: Vec<(&str, Option<&str>)> = files
                .iter()
                .map(|(n, text)| (*n, Some(text.as_str())))
                .collect();
            shop.push(subject, &files)
        };
        let settings = settings(false);
        let first = push("works", &[("web.yaml", good), ("settings.yaml", &settings)]);
        shop.until_outcome(&first, "Succeeded").await;
        let trace = shop.trace_at_rest("web").await;
        let bad = push("breaks", bad);
        shop.until_outcome(&bad, outcome_of(on_failure)).await;
        let fix = push("mends", fix);
        shop.until_outcome(&fix, "Succeeded").await;
        trace
            .until_settled("the mended pods", SOON, |counts| {
                counts.with_tag(tag) == 3 && counts.total() == 3
            })
            .await;
        assert!(trace.fewest_ready() >= 3, "{trace}");
        assert_eq!(shop.outcome(&bad), outcome_of(on_failure));
        assert!(shop.record(&bad)["ended"].is_string(), "its time is over");
        let comment = fill(&format!("# a word\n{}", web(tag, "ON-FAILURE")));
        let comment = push("says a word", &[("note.txt", &comment)]);
        shop.until_outcome(&comment, "Succeeded").await;
        assert!(shop.record(&comment)["rollbackTo"].is_null());
        let status = shop.verb(&["status", "web"]);
        assert!(!status.contains("tidegate retry"), "{status}");
    };
    tokio::join!(under("Pause"), under("Rollback"));
}

#[test]
fn another_image_mends_it() {
    play(async |stage: Stage| {
        let bad = web("2-crash", "ON-FAILURE") + NEEDS_SETTINGS;
        let fix = web("3", "ON-FAILURE") + NEEDS_SETTINGS;
        mends(
            &stage,
            &Mending {
                name: "image",
                good: &(web("1", "ON-FAILURE") + NEEDS_SETTINGS),
                bad: [("web.yaml", &bad)],
                fix: [("web.yaml", &fix)],
                tag: "3",
            },
        )
        .await;
    });
}

#[test]
fn the_same_image_with_one_more_variable_mends_it() {
    play(async |stage: Stage| {
        let bad = web("2-needsenv", "ON-FAILURE") + NEEDS_SETTINGS;
        let fix = format!("{bad}{FIXED}");
        mends(
            &stage,
            &Mending {
                name: "variable",
                good: &(web("1", "ON-FAILURE") + NEEDS_SETTINGS),
                bad: [("web.yaml", &bad)],
                fix: [("web.yaml", &fix)],
                tag: "2-needsenv",
            },
        )
        .await;
    });
}

#[test]
fn a_variable_that_the_failed_commit_took_away_mends_it() {
    play(async |stage: Stage| {
        let bad = web("2-needsenv", "ON-FAILURE") + NEEDS_SETTINGS;
        let fix = format!("{bad}{FIXED}");
        mends(
            &stage,
            &Mending {
                name: "restored",
                good: &(web("1-needsenv", "ON-FAILURE") + NEEDS_SETTINGS + FIXED),
                bad: [("web.yaml", &bad)],
                fix: [("web.yaml", &fix)],
                tag: "2-needsenv",
            },
        )
        .await;
    });
}

#[test]
fn the_config_map_alone_mends_it() {
    play(async |stage: Stage| {
        let bad = web("2-needsmap", "ON-FAILURE") + NEEDS_SETTINGS;
        let fix = settings(true);
        mends(
            &stage,
            &Mending {
                name: "map",
                good: &(web("1", "ON-FAILURE") + NEEDS_SETTINGS),
                bad: [("web.yaml", &bad)],
                fix: [("settings.yaml", &fix)],
                tag: "2-needsmap",
            },
        )
        .await;
    });
}

#[test]
fn a_commit_that_touches_a_comment_stays_held_until_a_retry_lifts_it() {
    play(async |stage: Stage| {
        let under = async |on_failure: &'static str| {
            let shop = Shop::open(&stage, &format!("comment-{}", on_failure.to_lowercase())).await;
            let agent = shop.start();
            shop.begin(&[("web.yaml", Some(&web("1", on_failure)))])
                .await;
            let trace = shop.trace_at_rest("web").await;
            let bad_text = web("2-crash", on_failure);
            let bad = shop.push("breaks", &[("web.yaml", Some(&bad_text))]);
            shop.until_outcome(&bad, outcome_of(on_failure)).await;
            agent.kill();
            let _agent = shop.start();
            let commented = format!("# a word\n{bad_text}");
            let comment = shop.push("comments", &[("web.yaml", Some(&commented))]);
            shop.until_outcome(&comment, "Held").await;
            assert_eq!(shop.wait(&comment), Some(5));
            let new = usize::from(on_failure == "Pause");
            trace
                .until_settled("the pods as they were", SOON, |counts| {
                    (counts.with_tag("1"), counts.with_tag("2-crash")) == (10, new)
                })
                .await;
            shop.verb(&["retry", "web", &bad]);
            shop.until(&format!("{comment} to be tried"), || {
                shop.outcome(&comment) == outcome_of(on_failure)
            })
            .await;
            assert!(is_quarantined(&shop, &comment), "it failed by itself now");
            assert!(trace.fewest_ready() >= 10, "{trace}");
            let told = |word: &str| {
                let events = shop.events("Deployment", "web");
                let short = &comment[..7];
                events
                    .iter()
                    .any(|(reason, note)| reason == word && note.contains(short))
            };
            let word = if new == 1 {
                "JudgedAfresh"
            } else {
                "RolloutStarted"
            };
            shop.until(word, || told(word)).await;
        };
        tokio::join!(under("Pause"), under("Rollback"));
    });
}

#[test]
fn a_retry_of_what_is_held_in_place_judges_it_afresh() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "retried").await;
        let _agent = shop.start();
        shop.begin(&[("web.yaml", Some(&web("1", "Pause")))]).await;
        let trace = shop.trace_at_rest("web").await;
        let bad = shop.push("breaks", &[("web.yaml", Some(&web("2-needsmap", "Pause")))]);
        shop.until_outcome(&bad, "Failed").await;
        let failed_at = || shop.checkpoint("web")["failure"]["at"].take();
        let first = failed_at();
        shop.verb(&["retry", "web", &bad]);
        shop.until("another failure", || {
            ![Value::Null, first.clone()].contains(&failed_at())
        })
        .await;
        shop.make(&["apply"], &settings(true));
        shop.verb(&["retry", "web", &bad]);
        shop.until_outcome(&bad, "Succeeded").await;
        assert!(!is_quarantined(&shop, &bad));
        assert!(trace.fewest_ready() >= 10, "{trace}");
    });
}

#[test]
fn a_first_commit_that_fails_is_held_since_there_is_nothing_to_go_back_to() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "first").await;
        let _agent = shop.start();
        let bad = shop.push("breaks", &[("web.yaml", Some(&web("1-crash", "Rollback")))]);
        shop.until_outcome(&bad, "Failed").await;
        let message = shop.record(&bad)["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains("no revision has succeeded yet"),
            "{message}"
        );
        let status = shop.verb(&["status", "web"]);
        assert!(status.contains("tidegate retry"), "{status}");
        assert!(!status.contains("tidegate abort"), "{status}");
        let abort = shop.tidegate(&["abort", "web"]);
        let said = String::from_utf8_lossy(&abort.stderr);
        assert_eq!(abort.status.code(), Some(2), "{said}");
        assert!(said.contains("none to go back to"), "{said}");
        let fix = shop.push("mends", &[("web.yaml", Some(&web("2", "Rollback")))]);
        shop.until_outcome(&fix, "Succeeded").await;
    });
}

#[test]
fn of_two_workloads_that_fail_pause_wins_over_rollback() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "two").await;
        let _agent = shop.start();
        let pair = |tag: &str, api: &str| {
            let api = web(api, "Pause").replace("web", "api");
            let web = web(tag, "Rollback");
            [("api.yaml", api), ("web.yaml", web)]
        };
        let push = |subject: &str, files: [(&str, String); 2]| {
            let files = files
                .each_ref()
                .map(|(name, text)| (*name, Some(text.as_str())));
            shop.push(subject, &files)
        };
        let first = push("works", pair("1", "1"));
        shop.until_outcome(&first, "Succeeded").await;
        let (web, api) = (
            shop.trace_at_rest("web").await,
            shop.trace_at_rest("api").await,
        );
        let bad = push("breaks", pair("2-pull", "2-crash"));
        shop.until_outcome(&bad, "Failed").await;
        for trace in [&web, &api] {
            trace
                .until_settled("one new pod", SOON, |counts| {
                    counts.with_tag("1") == 10 && counts.total() == 11
                })
                .await;
        }
    });
}

#[test]
fn an_abort_takes_the_pods_back_and_the_commit_is_held_off() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "abort").await;
        let _agent = shop.start();
        let slow =
            |tag: &str| deployment("web", tag, "steps: [3, 100%]\nmaxSurge: 100%\nsoak: 10m");
        shop.begin(&[
            ("web.yaml", Some(&deployment("web", "1", "monitor: 0s"))),
            ("settings.yaml", Some(&settings(false))),
        ])
        .await;
        let trace = shop.trace_at_rest("web").await;
        let text = slow("2");
        let aborted = shop.push(
            "is aborted",
            &[
                ("web.yaml", Some(&text)),
                ("settings.yaml", Some(&settings(true))),
            ],
        );
        trace
            .until_settled("three new pods", SOON, |counts| counts.with_tag("2") == 3)
            .await;
        shop.verb(&["abort", "web"]);
        shop.until_outcome(&aborted, "Aborted").await;
        let is_back = |counts: &Counts| counts.with_tag("1") == 10 && counts.total() == 10;
        trace.until_settled("the old pods", SOON, is_back).await;
        assert!(trace.fewest_ready() >= 10, "{trace}");
        assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "false");
        assert!(is_quarantined(&shop, &aborted));
        assert_eq!(shop.wait(&aborted), Some(3));
        let commented = format!("# a word\n{text}");
        let comment = shop.push("comments", &[("web.yaml", Some(&commented))]);
        shop.until_outcome(&comment, "Held").await;
        trace.until_settled("the old pods", SOON, is_back).await;
    });
}

/// A load balancer that nothing here gives an address.
fn service(kind: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec:\n  type: {kind}\n  \
         selector: {{app: web}}\n  ports: [{{port: 80}}]\n"
    )
}

#[test]
fn a_stage_that_does_not_become_healthy_acts_by_the_default_policy() {
    play(async |stage: Stage| {
        let under = async |on_failure: &'static str| {
            let shop = Shop::open(&stage, &format!("stage-{}", on_failure.to_lowercase())).await;
            shop.configure(&json!({"healthTimeout": "3s", "rollout": {"onFailure": on_failure}}));
            let agent = shop.start();
            let text = |tag: &str| deployment("web", tag, "monitor: 0s");
            shop.begin(&[
                ("web.yaml", Some(&text("1"))),
                ("settings.yaml", Some(&settings(false))),
            ])
            .await;
            let trace = shop.trace_at_rest("web").await;
            let bad = shop.push(
                "breaks",
                &[
                    ("web.yaml", Some(&text("2"))),
                    ("settings.yaml", Some(&settings(true))),
                    ("service.yaml", Some(&service("LoadBalancer"))),
                ],
            );
            shop.until_outcome(&bad, outcome_of(on_failure)).await;
            let message = shop.record(&bad)["message"].as_str().unwrap().to_owned();
            assert!(message.contains("Service/"), "{message}");
            let went_back = on_failure == "Rollback";
            let fixed = if went_back { "false" } else { "true" };
            assert_eq!(shop.get("configmap/settings")["data"]["fixed"], fixed);
            assert_eq!(shop.get("service/web").is_null(), went_back);
            agent.kill();
            let _agent = shop.start();
            let commented = format!("# a word\n{}", text("2"));
            let comment = shop.push("comments", &[("web.yaml", Some(&commented))]);
            shop.until_outcome(&comment, "Held").await;
            assert_eq!(trace.most_pods(), 10, "{trace}");
            let fix = shop.push("mends", &[("service.yaml", Some(&service("ClusterIP")))]);
            shop.until_outcome(&fix, "Succeeded").await;
            trace
                .until_settled("the new pods", SOON, |counts| {
                    counts.with_tag("2") == 10 && counts.total() == 10
                })
                .await;
            assert_eq!(shop.get("configmap/settings")["data"]["fixed"], "true");
        };
        tokio::join!(under("Pause"), under("Rollback"));
    });
}

#[test]
fn commits_to_other_paths_after_a_rollback_change_nothing_of_what_is_told() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "docs").await;
        let _agent = shop.start();
        shop.begin(&[("web.yaml", Some(&web("1", "Rollback")))])
            .await;
        let bad = shop.push("breaks", &[("web.yaml", Some(&web("2-crash", "Rollback")))]);
        shop.until_outcome(&bad, "RolledBack").await;
        let state = || {
            let view = shop.verb(&["status", "web", "-o", "json"]);
            let view: Value = serde_json::from_str(&view).unwrap();
            let part = |pointer: &str| view.pointer(pointer).cloned().unwrap_or_default();
            [
                part("/summary/state"),
                part("/summary/ready"),
                part("/quarantined/0/commit"),
                part("/applied/id"),
            ]
        };
        let before = state();
        assert_eq!(before[0], "RolledBack");
        for number in ["1", "2"] {
            let docs = shop.push("docs", &[("../../docs/a.md", Some(number))]);
            assert_eq!(shop.wait(&docs), Some(0), "it does not touch the path");
            shop.until_served().await;
            assert_eq!(state(), before, "after docs {number}");
        }
        assert_eq!(shop.wait(&bad), Some(3));
        // A person's word still reaches the failed commit through them.
        let trace = shop.trace_at_rest("web").await;
        trace.leave_out();
        shop.verb(&["retry", "web", &bad]);
        shop.until("another try", || trace.most_with("2-crash") == 1)
            .await;
        let fix = shop.push("mends", &[("web.yaml", Some(&web("3", "Rollback")))]);
        shop.until_outcome(&fix, "Succeeded").await;
    });
}

#[test]
fn a_commit_held_while_pods_go_back_does_not_keep_them_from_it() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "held-amid").await;
        let _agent = shop.start();
        let web = |tag: &str, policy: &str| {
            deployment(
                "web",
                tag,
                &format!("steps: [50%, 100%]\nmonitor: 0s\n{policy}"),
            )
        };
        shop.begin(&[("web.yaml", Some(&web("1-slow", "soak: 0s")))])
            .await;
        let trace = shop.trace_at_rest("web").await;
        let bad = shop.push_web("web 2", &web("2", "soak: 6s"));
        trace
            .until("the last batch", SOON, |counts| {
                counts.with_tag("2") == 10 && counts.with_tag("1-slow") == 5
            })
            .await;
        shop.verb(&["abort", "web"]);
        shop.until("the way back to begin", || {
            shop.ledger()["aim"]["course"] != "Forward"
        })
        .await;
        let comment = format!("# a word\n{}", web("2", "soak: 6s"));
        let comment = shop.push_web("comments", &comment);
        shop.until("the comment to be held", || {
            shop.ledger()["aim"]["revision"]["id"] == *comment
        })
        .await;
        assert_eq!(shop.checkpoint("web")["phase"], "RollingBack");
        shop.until_outcome(&comment, "Held").await;
        trace
            .until_settled("the old pods", SOON, |counts| {
                counts.with_tag("1-slow") == 10 && counts.total() == 10
            })
            .await;
        assert_eq!(shop.outcome(&bad), "Aborted");
        let fix = shop.push_web("web 3", &web("3", "soak: 0s"));
        shop.until_outcome(&fix, "Succeeded").await;
    });
}

#[test]
fn a_retry_tries_what_is_no_longer_held_beside_what_an_earlier_commit_left_in_quarantine() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "retry-beside").await;
        shop.configure(&json!({"drift": "Ignore"}));
        let _agent = shop.start();
        let small = |name: &str, tag: &str| {
            let policy = "monitor: 0s\nonFailure: Rollback";
            deployment(name, tag, policy).replace("replicas: 10", "replicas: 2")
        };
        let manifests = |web: &str, api: &str| {
            format!(
                "{}{NEEDS_SETTINGS}---\n{}",
                small("web", web),
                small("api", api)
            )
        };
        let push = |subject: &str, text: &str| shop.push_web(subject, text);
        shop.begin(&[
            ("web.yaml", Some(&manifests("1", "1"))),
            ("settings.yaml", Some(&settings(false))),
        ])
        .await;
        let first = push("api 2", &manifests("1", "2-crash"));
        shop.until_outcome(&first, "RolledBack").await;
        let second = push("web 3", &manifests("3-needsmap", "2-crash"));
        shop.until_outcome(&second, "RolledBack").await;
        shop.kubectl(&[
            "patch",
            "configmap/settings",
            "--type=merge",
            "-p",
            "{\"data\":{\"fixed\":\"true\"}}",
        ]);
        shop.verb(&["retry", "web", &second]);
        shop.until_outcome(&second, "Held").await;
        shop.until("the pods of web to be new", || {
            shop.pods("web", "3-needsmap").len() == 2
        })
        .await;
        assert!(shop.pods("api", "2-crash").is_empty());
        assert_eq!(shop.wait(&second), Some(5), "a part of it is held");
    });
}

/// The Deployments `web`, `api` and `job` of two pods with these tags.
fn three(tags: [&str; 3]) -> String {
    let named = ["web", "api", "job"].into_iter().zip(tags);
    let all = named.map(|(name, tag)| {
        let policy = "monitor: 0s\nonFailure: Rollback";
        deployment(name, tag, policy).replace("replicas: 10", "replicas: 2")
    });
    all.collect::<Vec<_>>().join("---\n")
}

#[test]
fn a_revert_beside_something_held_is_what_a_failure_goes_back_to_before_its_pods_are_back() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "revert-held").await;
        let _agent = shop.start();
        let push = |web, api, job| shop.push_web("tags", &three([web, api, job]));
        shop.begin(&[("web.yaml", Some(&three(["1-slow", "1", "1"])))])
            .await;
        let taken_back = push("2", "1", "1");
        shop.until_outcome(&taken_back, "Succeeded").await;
        let bad = push("2", "2-crash", "1");
        shop.until_outcome(&bad, "RolledBack").await;
        let revert = push("1-slow", "2-crash", "1");
        shop.until("the way back", || {
            shop.checkpoint("web")["phase"] == "RollingBack"
        })
        .await;
        let worse = push("1-slow", "2-crash", "4-crash");
        shop.until_outcome(&worse, "RolledBack").await;
        assert_eq!(shop.record(&worse)["rollbackTo"], *revert);
        shop.until("the pods of the revert", || {
            shop.pods("web", "1-slow").len() == 2 && shop.pods("web", "2").is_empty()
        })
        .await;
    });
}

#[test]
fn a_revert_takes_back_what_rolled_since_although_something_beside_it_failed_before() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "revert-beside").await;
        let _agent = shop.start();
        let text = |tags: [&str; 3]| three(tags).replace("Rollback", "Pause");
        let push = |subject: &str, tags| {
            let text = text(tags);
            shop.push(subject, &[("web.yaml", Some(&text))])
        };
        let first = push("breaks", ["1-crash", "1", "1"]);
        shop.until_outcome(&first, "Failed").await;
        let second = push("api 2", ["1-crash", "2", "1"]);
        shop.until_outcome(&second, "Held").await;
        assert_eq!(shop.pods("api", "2").len(), 2);
        let revert = shop.revert(&second);
        shop.until_outcome(&revert, "Held").await;
        shop.until("the pods of before", || {
            shop.pods("api", "1").len() == 2 && shop.pods("api", "2").is_empty()
        })
        .await;
    });
}

#[test]
fn a_revert_takes_back_what_changed_since_although_a_workload_beside_it_failed_before() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "config-beside").await;
        let _agent = shop.start();
        let push = |subject: &str, tag: &str, value: &str| {
            let files = [
                ("web.yaml", Some(web(tag, "Rollback"))),
                ("flags.yaml", Some(config_map("flags", value))),
            ];
            let files = files.iter().map(|(name, text)| (*name, text.as_deref()));
            shop.push(subject, &files.collect::<Vec<_>>())
        };
        let flags = || shop.get("configmap/flags")["data"]["value"].clone();
        let first = push("works", "1", "1");
        shop.until_outcome(&first, "Succeeded").await;
        let failed = push("breaks", "2-crash", "3");
        shop.until_outcome(&failed, "RolledBack").await;
        assert_eq!(flags(), "1");
        let other = push("other flags", "2-crash", "4");
        shop.until_outcome(&other, "Held").await;
        assert_eq!(flags(), "4");
        let revert = shop.revert(&other);
        shop.until_outcome(&revert, "Held").await;
        assert_eq!(flags(), "3");
        assert_eq!(shop.pods("web", "1").len(), 10);
    });
}

/// `1` ran with its settings, then `2`; `1` comes back and fails, since other settings came with one
/// of these two commits.
async fn old_template_fails(stage: &Stage, prefix: &str, settings_come_with: &str) {
    let shop = Shop::open(stage, prefix).await;
    let _agent = shop.start();
    let text = |tag: &str| web(tag, "Rollback") + NEEDS_SETTINGS;
    let push = |tag: &str| {
        let (text, other) = (text(tag), settings(false));
        let mut files = vec![("web.yaml", Some(text.as_str()))];
        if tag == settings_come_with {
            files.push(("settings.yaml", Some(&other)));
        }
        shop.push(&format!("web {tag}"), &files)
    };
    shop.begin(&[
        ("web.yaml", Some(&text("1-needsmap"))),
        ("settings.yaml", Some(&settings(true))),
    ])
    .await;
    let good = push("2");
    shop.until_outcome(&good, "Succeeded").await;
    let bad = push("1-needsmap");
    shop.until_outcome(&bad, "RolledBack").await;
    assert!(is_quarantined(&shop, &bad));
    assert_eq!(shop.record(&bad)["rollbackTo"], *good);
    assert_eq!(shop.pods("web", "2").len(), 10);
}

#[test]
fn a_commit_that_brings_an_old_template_with_new_configuration_may_fail() {
    play(async |stage: Stage| old_template_fails(&stage, "no-revert", "1-needsmap").await);
}

#[test]
fn a_template_and_configuration_that_were_here_only_apart_may_fail_together() {
    play(async |stage: Stage| old_template_fails(&stage, "apart", "2").await);
}

#[test]
fn what_rolled_beside_something_held_is_what_a_later_failure_goes_back_to() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "beside-held").await;
        let _agent = shop.start();
        let push = |web, api, job| shop.push_web("tags", &three([web, api, job]));
        shop.begin(&[("web.yaml", Some(&three(["1", "1", "1"])))])
            .await;
        let bad = push("1", "2-crash", "1");
        shop.until_outcome(&bad, "RolledBack").await;
        let held = push("3", "2-crash", "1");
        shop.until_outcome(&held, "Held").await;
        let trace = shop.trace_at_rest("web").await;
        let worse = push("3", "2-crash", "4-crash");
        shop.until_outcome(&worse, "RolledBack").await;
        assert_eq!(shop.record(&worse)["rollbackTo"], *held);
        assert_eq!(trace.most_with("1"), 0, "{trace}");
        assert_eq!(shop.pods("web", "3").len(), 2);
        assert_eq!(shop.pods("api", "1").len(), 2);
        assert_eq!(shop.pods("job", "1").len(), 2);
        let revert = shop.revert(&worse);
        shop.until_outcome(&revert, "Held").await;
        let mended = push("3", "5", "1");
        shop.until_outcome(&mended, "Succeeded").await;
    });
}

#[test]
fn what_is_on_its_way_goes_back_once_git_has_neither_it_nor_anything_that_may_run() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "two-bad").await;
        let agent = shop.start();
        let web = |tag: &str| web(tag, "Pause");
        shop.begin(&[("web.yaml", Some(&web("1")))]).await;
        let trace = shop.trace_at_rest("web").await;
        let first = shop.push_web("breaks", &web("2-crash"));
        shop.until_outcome(&first, "Failed").await;
        let second = shop.push_web("breaks more", &web("3-crash"));
        shop.until_outcome(&second, "Failed").await;
        let revert = shop.revert(&second);
        shop.until_outcome(&revert, "Held").await;
        let back = |counts: &Counts| counts.with_tag("1") == 10 && counts.total() == 10;
        trace.until_settled("the good pods", SOON, back).await;
        agent.kill();
        let _agent = shop.start();
        shop.verb(&["release", "web"]);
        shop.verb(&["release", "web", "--undo"]);
        shop.until("it to work again", || shop.ledger()["released"].is_null())
            .await;
        shop.until_served().await;
        trace.until_settled("the good pods still", SOON, back).await;
        assert_eq!(shop.outcome(&revert), "Held");
        assert!(trace.fewest_ready() >= 10, "{trace}");
    });
}

#[test]
fn what_vanishes_while_its_failed_commit_is_held_is_made_again() {
    play(async |stage: Stage| {
        let shop = Shop::open(&stage, "vanishes").await;
        shop.configure(&json!({"healthTimeout": "3s"}));
        let _agent = shop.start();
        shop.begin(&[
            ("web.yaml", Some(&deployment("web", "1", "monitor: 0s"))),
            ("settings.yaml", Some(&settings(false))),
        ])
        .await;
        shop.keep("configmap/settings", true);
        shop.kubectl(&["delete", "configmap/settings", "--wait=false"]);
        let stuck = shop.push("settings", &[("settings.yaml", Some(&settings(true)))]);
        shop.until_outcome(&stuck, "Failed").await;
        shop.keep("configmap/settings", false);
        shop.until("the settings to be there again", || {
            shop.get("configmap/settings")["data"]["fixed"] == "true"
        })
        .await;
        assert_eq!(shop.outcome(&stuck), "Failed", "a person decides");
    });
}

#[test]
fn an_abort_that_cannot_read_its_commits_yet_waits_for_them() {
    play(async |stage: Stage| {
        let mut shop = Shop::open(&stage, "abort-away").await;
        let policy = "steps: [1, 50%, 100%]\nsoak: 30m\nmonitor: 0s";
        let agent = shop.start();
        shop.begin(&[("web.yaml", Some(&deployment("web", "1", policy)))])
            .await;
        let trace = shop.trace_at_rest("web").await;
        let bad = shop.push(
            "web 2",
            &[("web.yaml", Some(&deployment("web", "2", policy)))],
        );
        let one = |counts: &Counts| counts.with_tag("2") == 1;
        trace.until_settled("batch 1", SOON, one).await;
        agent.kill();
        shop.server.stop().await;
        // The mirror is lost as well.
        let _agent = shop.start_as(shop.run_command("another-cache"));
        shop.verb(&["abort", "web"]);
        shop.until_problem("GitUnreachable").await;
        assert!(shop.ledger()["served"]["tidegate.dev/abort"].is_null());
        shop.server.resume().await;
        shop.until_outcome(&bad, "Aborted").await;
        let back = |counts: &Counts| counts.with_tag("1") == 10 && counts.total() == 10;
        trace.until_settled("the old pods", SOON, back).await;
        assert!(trace.fewest_ready() >= 10, "{trace}");
    });
}
