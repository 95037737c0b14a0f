//! Commits that are refused as a whole, and a Git that cannot be reached: what runs keeps running
//! and nothing is deleted.

use serde_json::{Value, json};

use crate::cluster::ControlPlane;
use crate::cluster::accounts::secrets_rules;
use crate::real;
use crate::shop::{Agent, Shop, config_map, deployment};

/// A shop at rest with `web` and the ConfigMap `flags`.
async fn at_rest(prefix: &str, more: &Value) -> (Shop, Agent) {
    let shop = Shop::open(&real(), prefix).await;
    shop.configure(more);
    let first = shop.repository.push(
        "web 1",
        &[
            ("flags.yaml", Some(&config_map("flags", "1"))),
            ("web.yaml", Some(&deployment("web", "1", "monitor: 0s"))),
        ],
    );
    let agent = shop.start();
    shop.until_outcome(&first, "Succeeded").await;
    (shop, agent)
}

/// What must not change: generation and resource version of what runs.
fn versions(shop: &Shop) -> [Value; 3] {
    let meta = |what: &str, key: &str| shop.get(what)["metadata"][key].clone();
    [
        meta("deployment/web", "generation"),
        meta("deployment/web", "uid"),
        meta("configmap/flags", "resourceVersion"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_manifest_of_twenty_keeps_the_whole_commit_out_and_all_faults_are_listed() {
    let (shop, _agent) = at_rest("twenty", &json!({})).await;
    let before = versions(&shop);
    let more: Vec<(String, String)> = (0..18)
        .map(|number| {
            (
                format!("more-{number}.yaml"),
                config_map(&format!("more-{number}"), "1"),
            )
        })
        .collect();
    let bad = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: Bad_Name\n---\napiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n";
    let web = deployment("web", "2", "");
    let mut files: Vec<(&str, Option<&str>)> = more
        .iter()
        .map(|(name, text)| (name.as_str(), Some(text.as_str())))
        .collect();
    files.extend([("bad.yaml", Some(bad)), ("web.yaml", Some(web.as_str()))]);
    let second = shop.repository.push("twenty", &files);
    shop.until_outcome(&second, "Rejected").await;
    let message = shop.message(&second);
    assert!(message.contains("apps/web/bad.yaml:4:3"), "{message}");
    assert!(message.contains("apps/web/bad.yaml:6:1"), "{message}");
    assert_eq!(shop.problem().0, "Rejected");
    assert_eq!(versions(&shop), before);
    assert!(shop.get("configmap/more-0").is_null());
    let third = shop.repository.push("without it", &[("bad.yaml", None)]);
    shop.until_outcome(&third, "Succeeded").await;
    assert_eq!(shop.problem().0, "");
    assert!(shop.get("configmap/more-17").is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_with_a_typo_keeps_the_whole_commit_out() {
    let (shop, _agent) = at_rest("policy", &json!({})).await;
    let before = versions(&shop);
    let second = shop.repository.push(
        "typo",
        &[
            ("flags.yaml", Some(&config_map("flags", "2"))),
            ("web.yaml", Some(&deployment("web", "2", "step: [1, 100%]"))),
        ],
    );
    shop.until_outcome(&second, "Rejected").await;
    let message = shop.message(&second);
    assert!(message.contains("apps/web/web.yaml:"), "{message}");
    assert!(
        message.contains("step") && message.contains("steps"),
        "{message}"
    );
    assert_eq!(versions(&shop), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_server_refuses_keeps_the_whole_commit_out() {
    let (shop, _agent) = at_rest("dry-run", &json!({})).await;
    let before = versions(&shop);
    let selector = deployment("web", "2", "").replace("{app: web}", "{app: web, tier: front}");
    let unknown = config_map("flags", "2").replace("\ndata:", "\ndota:");
    let second = shop.repository.push(
        "refused",
        &[
            ("flags.yaml", Some(&unknown)),
            ("more.yaml", Some(&config_map("more", "1"))),
            ("web.yaml", Some(&selector)),
        ],
    );
    shop.until_outcome(&second, "Rejected").await;
    let message = shop.message(&second);
    assert!(
        message.contains("apps/web/flags.yaml:5:1") && message.contains("dota"),
        "{message}"
    );
    assert!(message.contains("apps/web/web.yaml:7:3"), "{message}");
    assert!(
        message.contains("spec.selector") && message.contains("immutable"),
        "{message}"
    );
    assert_eq!(versions(&shop), before);
    assert!(shop.get("configmap/more").is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_files_policies_and_the_api_server_are_listed_together_by_place() {
    let (shop, _agent) = at_rest("together", &json!({})).await;
    let before = versions(&shop);
    let web = deployment("web", "2", "step: [1, 100%]");
    let api = deployment("api", "1", "").replace("      - name: api", "      - name: Bad_Name");
    let homeless = config_map("homeless", "1").replace("  name:", "  namespace: gone\n  name:");
    let second = shop.repository.push(
        "in four ways",
        &[
            ("api.yaml", Some(&api)),
            ("broken.yaml", Some("kind: [\n")),
            ("flags.yaml", Some(&config_map("flags", "2"))),
            ("homeless.yaml", Some(&homeless)),
            ("web.yaml", Some(&web)),
        ],
    );
    shop.until_outcome(&second, "Rejected").await;
    let message = shop.message(&second);
    let places: Vec<&str> = message
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(place, _)| place)
        .collect();
    assert_eq!(
        places,
        [
            "apps/web/api.yaml:14:9",
            "apps/web/broken.yaml:1:7",
            "apps/web/homeless.yaml:4:3",
            "apps/web/web.yaml:6:5",
        ],
        "{message}"
    );
    assert_eq!(versions(&shop), before);
    assert!(shop.get("deployment/api").is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_any_object_is_refused() {
    let (shop, _agent) = at_rest("empty", &json!({})).await;
    let before = versions(&shop);
    let emptied = shop.repository.push(
        "only comments",
        &[("flags.yaml", Some("# nothing\n")), ("web.yaml", None)],
    );
    shop.until_outcome(&emptied, "Rejected").await;
    assert!(
        shop.message(&emptied).contains("allowEmpty"),
        "{}",
        shop.message(&emptied)
    );
    let gone = shop.repository.push("no path", &[("flags.yaml", None)]);
    shop.until_outcome(&gone, "Rejected").await;
    assert!(
        shop.message(&gone).contains("apps/web"),
        "{}",
        shop.message(&gone)
    );
    assert_eq!(versions(&shop), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_became_a_link_is_refused_and_not_deleted() {
    let (shop, _agent) = at_rest("link", &json!({})).await;
    let before = versions(&shop);
    shop.repository.commit(
        "moves",
        &[
            ("flags.yaml", None),
            ("../../common/flags.yaml", Some(&config_map("flags", "1"))),
        ],
    );
    shop.repository
        .link("flags.yaml", "../../common/flags.yaml");
    let second = shop.repository.push("links", &[]);
    shop.until_outcome(&second, "Rejected").await;
    let message = shop.message(&second);
    assert!(
        message.contains("apps/web/flags.yaml:1:1: it is a symbolic link"),
        "{message}"
    );
    assert_eq!(versions(&shop), before);
}

/// The problem that a pass asked for now comes to.
async fn problem(shop: &Shop) -> (String, String) {
    shop.until_served().await;
    shop.problem()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_cannot_be_reached_deletes_nothing() {
    let (mut shop, _agent) = at_rest("unreachable", &json!({})).await;
    let before = versions(&shop);
    shop.server.stop().await;
    assert_eq!(problem(&shop).await.0, "GitUnreachable");
    shop.server.resume().await;
    assert_eq!(problem(&shop).await.0, "");
    let bare = shop.repository.bare();
    let aside = bare.with_extension("aside");
    std::fs::rename(&bare, &aside).expect("it is there");
    assert_eq!(problem(&shop).await.0, "GitUnreachable");
    std::fs::rename(&aside, &bare).expect("it is there");
    assert_eq!(problem(&shop).await.0, "");
    let git = |arguments: &[&str]| {
        let bare = bare.to_str().expect("a plain path");
        shop.repository
            .git(&[&["--git-dir", bare], arguments].concat())
    };
    git(&["update-ref", "refs/heads/other", "refs/heads/main"]);
    git(&["update-ref", "-d", "refs/heads/main"]);
    let (reason, message) = problem(&shop).await;
    assert!(
        reason == "GitUnreachable" && message.contains("main"),
        "{message}"
    );
    git(&["update-ref", "-d", "refs/heads/other"]);
    assert_eq!(problem(&shop).await.0, "GitUnreachable");
    assert_eq!(versions(&shop), before);
    let second = shop
        .repository
        .push("back", &[("flags.yaml", Some(&config_map("flags", "2")))]);
    shop.until_served().await;
    shop.until_outcome(&second, "Succeeded").await;
    assert_eq!(shop.get("configmap/flags")["data"]["value"], "2");
    assert_eq!(shop.problem().0, "");
}

/// Rewrites the last commit to one with flags 3.
fn rewrite(shop: &Shop) -> String {
    shop.repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let rewritten = shop.repository.commit(
        "flags 3",
        &[("flags.yaml", Some(&config_map("flags", "3")))],
    );
    shop.repository
        .git(&["push", "-q", "--force", "origin", "main"]);
    rewritten
}

#[tokio::test(flavor = "multi_thread")]
async fn rewritten_history_starts_nothing_until_it_is_approved() {
    let (shop, _agent) = at_rest("rewrite", &json!({})).await;
    let second = shop.repository.push(
        "flags 2",
        &[
            ("flags.yaml", Some(&config_map("flags", "2"))),
            ("more.yaml", Some(&config_map("more", "1"))),
        ],
    );
    shop.until_outcome(&second, "Succeeded").await;
    let rewritten = rewrite(&shop);
    let message = shop.until_problem("HistoryRewritten").await;
    assert!(message.contains("approve"), "{message}");
    shop.until_served().await;
    assert_eq!(shop.outcome(&rewritten), "Pending");
    assert_eq!(shop.get("configmap/flags")["data"]["value"], "2");
    assert!(shop.get("configmap/more").is_object());
    shop.ask("approve", &format!("{second}/rewrite"));
    shop.until_served().await;
    assert_eq!(shop.outcome(&rewritten), "Pending");
    shop.ask("approve", &format!("{rewritten}/rewrite"));
    shop.until_outcome(&rewritten, "Succeeded").await;
    assert_eq!(shop.get("configmap/flags")["data"]["value"], "3");
    assert!(shop.get("configmap/more").is_null());
    assert_eq!(shop.problem().0, "");
    let later = shop.repository.push(
        "flags 4",
        &[("flags.yaml", Some(&config_map("flags", "4")))],
    );
    shop.until_outcome(&later, "Succeeded").await;
    shop.repository.git(&["reset", "-q", "--hard", &rewritten]);
    shop.repository
        .git(&["push", "-q", "--force", "origin", "main"]);
    let message = shop.until_problem("HistoryRewritten").await;
    assert!(message.contains(&later[..7]), "{message}");
    assert_eq!(shop.get("configmap/flags")["data"]["value"], "4");
    let approved = shop.tidegate(&["approve", "web"]);
    assert!(approved.status.success(), "{approved:?}");
    shop.until("what is approved again is followed", || {
        shop.get("configmap/flags")["data"]["value"] == "3"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rewritten_history_is_followed_where_it_is_to_be_adopted() {
    let (shop, _agent) = at_rest("adopt", &json!({"source": {"rewrites": "Adopt"}})).await;
    let second = shop.repository.push(
        "flags 2",
        &[("flags.yaml", Some(&config_map("flags", "2")))],
    );
    shop.until_outcome(&second, "Succeeded").await;
    let rewritten = rewrite(&shop);
    shop.until_outcome(&rewritten, "Succeeded").await;
    assert_eq!(shop.get("configmap/flags")["data"]["value"], "3");
}

/// In none of its spellings may it be told.
const CANARY: &str = "canary-5e0c2d91";

#[tokio::test(flavor = "multi_thread")]
async fn values_of_secrets_are_never_told() {
    let shop = Shop::open(&real(), "secrets").await;
    ControlPlane::shared()
        .grant(&shop.account, &shop.namespace, "secrets", secrets_rules())
        .await;
    let secret = |more: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: token\nstringData:\n  token: {CANARY}\n{more}"
        )
    };
    let first = shop
        .repository
        .push("token", &[("token.yaml", Some(&secret("")))]);
    let mut command = shop.run_command("cache");
    command.env("RUST_LOG", "trace");
    let agent = shop.start_as(command);
    shop.until_outcome(&first, "Succeeded").await;
    let bad = [
        secret("  number: 590291590291\n"),
        secret("data:\n  other: \"not base64: canary-5e0c2d91\"\n"),
        secret("immutable: canary-5e0c2d91\n"),
        secret("type: {a: canary-5e0c2d91}\n"),
        secret("stringDota: {a: canary-5e0c2d91}\n"),
        secret("data: canary-5e0c2d91\n"),
        format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: token\nstringData: [{CANARY}]\n"),
    ];
    let mut told = String::new();
    for (number, manifest) in bad.iter().enumerate() {
        let commit = shop
            .repository
            .push(&format!("bad {number}"), &[("token.yaml", Some(manifest))]);
        shop.until_outcome(&commit, "Rejected").await;
        told += &shop.message(&commit);
    }
    shop.kubectl(&[
        "patch",
        "secret/token",
        "--type=merge",
        "--field-manager=kubectl-edit",
        "-p",
        r#"{"stringData":{"token":"by-hand"}}"#,
    ]);
    shop.until_note("token", "DriftCorrected", "`kubectl-edit`")
        .await;
    let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, CANARY);
    shop.until("the value of Git", || {
        shop.get("secret/token")["data"]["token"] == encoded.as_str()
    })
    .await;
    told += &agent.log();
    told += &shop.kubectl(&["get", "events.events.k8s.io", "-o", "yaml"]);
    told += &shop.kubectl(&["get", "configmaps", "-o", "yaml"]);
    assert!(told.contains("token"));
    for spelling in [CANARY, encoded.as_str(), "590291590291"] {
        let found = told.lines().find(|line| line.contains(spelling));
        assert!(
            found.is_none(),
            "{spelling} was told: {}",
            found.unwrap_or_default()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_not_refused_for_a_mirror_that_is_damaged_when_it_is_read() {
    for rewrites in ["Adopt", "Refuse"] {
        judged_on_a_damaged_mirror(rewrites).await;
    }
}

async fn judged_on_a_damaged_mirror(rewrites: &str) {
    let config = json!({"source": {"rewrites": rewrites}});
    let (shop, agent) = at_rest("damaged", &config).await;
    shop.verb(&["pause", "--reason", "lunch"]);
    shop.until("the pause", || !shop.ledger()["pause"].is_null())
        .await;
    let web = deployment("web", "2", "monitor: 0s");
    let second = shop.repository.push("web 2", &[("web.yaml", Some(&web))]);
    shop.sync();
    shop.until_outcome(&second, "Pending").await;
    let damaged = damage(&shop.folder().join("cache"));
    assert!(damaged > 0, "there was nothing to damage");
    shop.verb(&["resume"]);
    shop.until_outcome(&second, "Succeeded").await;
    for reason in ["Rejected", "HistoryRewritten"] {
        assert!(!agent.log().contains(reason), "{}", agent.log());
    }
}

/// Makes every pack of the mirrors below a cache unreadable; returns how many.
fn damage(cache: &std::path::Path) -> usize {
    let mirrors = std::fs::read_dir(cache).expect("the cache is there");
    let packs = mirrors.flat_map(|mirror| {
        let mirror = mirror.expect("it can be listed").path();
        let packs = std::fs::read_dir(mirror.join("repository/objects/pack"));
        packs.expect("a fetch brought packs")
    });
    let damage = |pack: std::io::Result<std::fs::DirEntry>| {
        let path = pack.expect("it can be listed").path();
        std::fs::remove_file(&path).expect("it can be removed");
        std::fs::write(&path, "garbage").expect("there is room");
    };
    packs.map(damage).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_lost_commits_or_is_gone_is_fetched_again_and_nothing_counts_as_rewritten() {
    let (shop, _agent) = at_rest("lost", &json!({"source": {"interval": "5s"}})).await;
    let damaged = damage(&shop.folder().join("cache"));
    assert!(damaged > 0, "there was nothing to damage");
    let push = |value: &str| {
        let flags = config_map("flags", value);
        shop.repository.push(value, &[("flags.yaml", Some(&flags))])
    };
    shop.until_outcome(&push("2"), "Succeeded").await;
    std::fs::remove_dir_all(shop.folder().join("cache")).unwrap();
    shop.until_outcome(&push("3"), "Succeeded").await;
    assert_eq!(shop.get("configmap/flags")["data"]["value"], "3");
}
