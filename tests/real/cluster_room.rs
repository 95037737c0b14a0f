//! The room `cluster` against a real API server.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::{Value, json};
use tidegate::{
    clock,
    cluster::{
        Announcement, Announcer, Cause, Cluster, Deletion, Fence, Lease, Live, NewRecord, Records,
        Refusal, Role, Standing, Terms, Tone, Watch,
    },
    object::{Object, ObjectId, mark},
};
use tokio::time::{sleep, timeout};

use crate::cluster::ControlPlane;

const SOON: Duration = Duration::from_secs(30);
const CANARY: &str = "Y2FuYXJ5LWluLXRoZS1taW5l";

async fn admin(plane: &ControlPlane) -> Cluster {
    connect(&plane.admin_kubeconfig()).await
}

async fn connect(kubeconfig: &Path) -> Cluster {
    Cluster::connect(Some(kubeconfig), None)
        .await
        .expect("the kubeconfig is good")
}

fn object(api_version: &str, kind: &str, namespace: &str, name: &str, more: &Value) -> Object {
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"namespace": namespace, "name": name}});
    object
        .as_object_mut()
        .expect("a map")
        .extend(more.as_object().expect("a map").clone());
    Object::new(object).expect("it has a version, a kind and a name")
}

fn flags(namespace: &str, name: &str, value: &str) -> Object {
    object(
        "v1",
        "ConfigMap",
        namespace,
        name,
        &json!({"data": {"flag": value}}),
    )
}

fn web(namespace: &str) -> Object {
    let template = json!({"metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "shop/web:1.2"}]}});
    let spec = json!({"selector": {"matchLabels": {"app": "web"}}, "template": template});
    object(
        "apps/v1",
        "Deployment",
        namespace,
        "web",
        &json!({"spec": spec}),
    )
}

/// Waits until a view is as wanted.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let found = timeout(SOON, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    found
        .await
        .unwrap_or_else(|_| panic!("{what} did not come to pass"))
}

fn cause<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> Cause {
    outcome.expect_err("it is refused").cause
}

#[tokio::test]
async fn a_dry_run_names_the_path_of_an_unknown_field_and_changes_nothing() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("dry").await);
    let mut wrong = web(&namespace);
    wrong.set(&["spec", "template", "spec", "imagge"], json!("x"));
    let refusal = cluster
        .dry_run(&wrong)
        .await
        .expect_err("the field is unknown");
    assert!(
        refusal.to_string().contains(".spec.template.spec.imagge"),
        "{refusal}"
    );
    assert!(!refusal.is_transient(), "{refusal}");

    let right = web(&namespace);
    let defaulted = cluster.dry_run(&right).await.expect("it is valid");
    assert_eq!(
        defaulted.at("/spec/progressDeadlineSeconds"),
        Some(&json!(600))
    );
    assert_eq!(cluster.get("apps/v1", &right.id()).await, Ok(None));

    cluster
        .apply(&right, mark::MANAGER)
        .await
        .expect("it is valid");
    let mut moved = right.clone();
    moved.set(
        &["spec", "selector"],
        json!({"matchLabels": {"app": "shop"}}),
    );
    moved.set(
        &["spec", "template", "metadata", "labels"],
        json!({"app": "shop"}),
    );
    assert!(matches!(
        cause(cluster.dry_run(&moved).await),
        Cause::Invalid {
            immutable: true,
            ..
        }
    ));
    cluster
        .dry_run_as_new(&moved, "web-scratch")
        .await
        .expect("as a new one it is valid");
}

#[tokio::test]
async fn what_is_missing_is_told_apart() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("missing").await);
    let nowhere = flags("no-such-namespace", "flags", "on");
    assert_eq!(
        cause(cluster.apply(&nowhere, mark::MANAGER).await),
        Cause::NamespaceMissing
    );
    let widget = object("example.dev/v1", "Widget", &namespace, "w", &json!({}));
    assert!(matches!(
        cause(cluster.dry_run(&widget).await),
        Cause::KindUnknown { .. }
    ));
    assert_eq!(cluster.kind("apps/v1", "Widget").await, Ok(None));
    let deployments = cluster
        .kind("apps/v1", "Deployment")
        .await
        .expect("served")
        .expect("known");
    assert_eq!(
        (deployments.plural.as_str(), deployments.namespaced),
        ("deployments", true)
    );
    let crossing = flags(&namespace, "../../secrets/x", "on");
    assert!(matches!(
        cause(cluster.dry_run(&crossing).await),
        Cause::Invalid { .. }
    ));
}

#[tokio::test]
async fn an_apply_with_a_stale_version_is_refused_and_never_revives_a_deleted_object() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("lock").await);
    let first = cluster
        .apply(&flags(&namespace, "flags", "a"), mark::MANAGER)
        .await;
    let first = first.expect("it is valid");
    let locked = |value: &str| {
        let mut object = flags(&namespace, "flags", value);
        object.set(
            &["metadata", "resourceVersion"],
            json!(first.resource_version()),
        );
        object.set(&["metadata", "uid"], json!(first.uid()));
        object
    };
    cluster
        .apply(&locked("b"), mark::MANAGER)
        .await
        .expect("the version is the live one");
    assert_eq!(
        cause(cluster.apply(&locked("c"), mark::MANAGER).await),
        Cause::Conflict
    );
    let patch = json!({"metadata": {"resourceVersion": first.resource_version()}, "data": {}});
    let patched = cluster
        .merge("v1", &first.id(), &patch, mark::MANAGER)
        .await;
    assert_eq!(cause(patched), Cause::Conflict);

    let uid = first.uid().expect("live").to_owned();
    let id = first.id();
    let other = cluster.delete("v1", &id, "another", None).await;
    assert_eq!(other, Ok(Deletion::AnotherUid));
    let stale = cluster
        .delete("v1", &id, &uid, first.resource_version())
        .await;
    assert_eq!(cause(stale), Cause::Conflict);
    assert_eq!(
        cluster.delete("v1", &id, &uid, None).await,
        Ok(Deletion::Gone)
    );
    assert_eq!(
        cluster.delete("v1", &id, &uid, None).await,
        Ok(Deletion::Gone),
        "gone already"
    );
    assert_eq!(
        cause(cluster.apply(&locked("d"), mark::MANAGER).await),
        Cause::Conflict
    );
    assert_eq!(cluster.get("v1", &id).await, Ok(None));
}

#[tokio::test]
async fn the_cache_follows_changes_and_is_never_behind_an_own_write() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("live").await);
    let kept = cluster
        .apply(&flags(&namespace, "kept", "a"), mark::MANAGER)
        .await
        .expect("valid");
    let live = Live::new(&cluster);
    let mut changes = live.subscribe();
    let watch = Watch {
        namespace: Some(namespace.clone()),
        ..Watch::of("v1", "ConfigMap")
    };
    live.follow(watch.clone());
    timeout(SOON, live.settle(&[watch.clone()].into()))
        .await
        .expect("in time")
        .expect("it may list");
    assert_eq!(
        live.get(&kept.id()).expect("listed").text("/data/flag"),
        Some("a")
    );
    assert!(
        live.get(&kept.id())
            .expect("listed")
            .at("/metadata/managedFields")
            .is_some()
    );

    let written = cluster
        .apply(&flags(&namespace, "kept", "b"), mark::MANAGER)
        .await;
    live.saw(written.expect("valid"));
    assert_eq!(
        live.get(&kept.id()).expect("there").text("/data/flag"),
        Some("b")
    );
    cluster
        .apply(&flags(&namespace, "kept", "c"), mark::MANAGER)
        .await
        .expect("valid");
    let flag = async || {
        let found = live.get(&kept.id()).expect("there");
        (found.text("/data/flag") == Some("c")).then_some(())
    };
    until("the change", flag).await;
    let changed = timeout(SOON, async {
        while changes.recv().await.expect("never so far behind").id != kept.id() {}
    });
    changed.await.expect("it is told");

    let uid = kept.uid().expect("live");
    cluster
        .delete("v1", &kept.id(), uid, None)
        .await
        .expect("it may");
    live.gone(&kept.id(), uid);
    assert_eq!(live.get(&kept.id()), None);
    live.unfollow(&watch);
    assert!(live.list("", "ConfigMap", Some(&namespace)).is_empty());
}

#[tokio::test]
async fn pods_are_found_by_the_uid_of_their_replica_set() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("owned").await);
    let live = Live::new(&cluster);
    let chain = [
        ("v1", "Pod"),
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "Deployment"),
    ];
    let chain = chain.map(|(version, kind)| Watch {
        namespace: Some(namespace.clone()),
        ..Watch::of(version, kind)
    });
    live.settle(&chain.into()).await.expect("it may list");
    let mut changes = live.subscribe();
    let web = cluster
        .apply(&web(&namespace), mark::MANAGER)
        .await
        .expect("valid");
    let pod = until("the pod", async || {
        let sets = live.owned_by(web.uid().expect("live"));
        let pods = live.owned_by(sets.first()?.uid().expect("live"));
        pods.first().cloned()
    });
    let pod = pod.await;
    assert_eq!(pod.at("/spec/containers/0"), Some(&json!({"name": "web"})));
    assert_eq!(pod.at("/metadata/managedFields"), None);
    let told = timeout(SOON, async {
        loop {
            let change = changes.recv().await.expect("never so far behind");
            if change.id == pod.id() {
                return change.root;
            }
        }
    });
    assert_eq!(told.await.expect("it is told"), web.id());
}

#[tokio::test]
async fn values_of_secrets_never_come_in() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("secret").await);
    let live = Live::new(&cluster);
    let watch = Watch {
        namespace: Some(namespace.clone()),
        ..Watch::of("v1", "Secret")
    };
    live.settle(&[watch].into()).await.expect("it may list");
    let secret = |value: &str| {
        object(
            "v1",
            "Secret",
            &namespace,
            "db",
            &json!({"data": {"password": value}}),
        )
    };
    let dry = cluster.dry_run(&secret(CANARY)).await.expect("valid");
    let applied = cluster
        .apply(&secret(CANARY), mark::MANAGER)
        .await
        .expect("valid");
    let read = cluster
        .get("v1", &applied.id())
        .await
        .expect("it may")
        .expect("there");
    let listed = cluster
        .list("v1", "Secret", Some(&namespace), &BTreeMap::new())
        .await;
    let watched = until("the secret", async || live.get(&applied.id())).await;
    let known = [
        &dry,
        &applied,
        &read,
        &listed.expect("it may")[0],
        &*watched,
    ];
    for object in known {
        assert!(
            !object.value().to_string().contains(CANARY),
            "{:?}",
            object.value()
        );
        assert_eq!(
            object.at("/data/password"),
            applied.at("/data/password"),
            "equal stays equal"
        );
    }
    let other = cluster.dry_run(&secret("Zm9v")).await.expect("valid");
    assert_ne!(
        other.at("/data/password"),
        applied.at("/data/password"),
        "changes are seen"
    );
    let wrong = secret("no base64: canary-in-the-mine");
    let refusal = cluster.dry_run(&wrong).await.expect_err("no base64");
    assert!(!format!("{refusal:?}").contains("canary"), "{refusal}");
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let plane = ControlPlane::shared();
    let namespace = plane.namespace("rights").await;
    let agent = plane.agent(&[], &namespace).await;
    let cluster = connect(&agent.kubeconfig).await;
    let live = Live::new(&cluster);
    let watch = |kind| Watch {
        namespace: Some(namespace.clone()),
        ..Watch::of("v1", kind)
    };
    let secrets = [watch("Secret")].into();
    let faults = timeout(SOON, live.settle(&secrets))
        .await
        .expect("in time")
        .expect_err("it may not");
    let right = format!("list resource \"secrets\" in the namespace \"{namespace}\"");
    assert!(faults[0].contains(&right), "{faults:?}");
    assert_eq!(live.faults().len(), 1);

    let nobody = admin(plane)
        .await
        .acting_as(&namespace, "nobody")
        .expect("a name");
    let read = nobody.get("v1", &flags(&namespace, "flags", "").id()).await;
    let right = format!("get resource \"configmaps\" in the namespace \"{namespace}\"");
    assert_eq!(
        cause(read),
        Cause::Forbidden { right },
        "impersonation takes rights away"
    );
}

fn terms() -> Terms {
    let lease = Duration::from_secs(2);
    Terms {
        lease,
        renew: lease / 2,
        retry: lease / 10,
    }
}

async fn stand(plane: &ControlPlane, namespace: &str, identity: &str) -> (Cluster, Standing) {
    let cluster = admin(plane).await;
    let (namespace, name) = (namespace.to_owned(), "tidegate.tidegate".to_owned());
    let standing = Lease {
        namespace,
        name,
        terms: terms(),
    }
    .stand(&cluster, identity);
    let fenced = cluster.fenced(standing.fence());
    (fenced, standing)
}

async fn leads(standing: &Standing) {
    let mut role = standing.role();
    let leader = role.wait_for(|role| matches!(role, Role::Leader { .. }));
    timeout(SOON, leader)
        .await
        .expect("it takes over")
        .expect("it stands");
}

#[tokio::test]
async fn one_leads_and_the_other_takes_over_when_it_resigns_or_falls_silent() {
    let plane = ControlPlane::shared();
    let namespace = plane.namespace("lease").await;
    let (first_cluster, first) = stand(plane, &namespace, "first").await;
    leads(&first).await;
    let (second_cluster, second) = stand(plane, &namespace, "second").await;
    let mut role = second.role();
    let named = |role: &Role| matches!(role, Role::Standby { holder: Some(h), .. } if h.starts_with("first_"));
    timeout(SOON, role.wait_for(named))
        .await
        .expect("it sees the leader")
        .expect("it stands");

    let write = flags(&namespace, "flags", "on");
    first_cluster
        .apply(&write, mark::MANAGER)
        .await
        .expect("the leader writes");
    assert_eq!(
        cause(second_cluster.apply(&write, mark::MANAGER).await),
        Cause::NotLeader
    );
    second_cluster
        .dry_run(&write)
        .await
        .expect("a dry run is no write");

    first.resign().await;
    let resigned = clock::since_boot();
    assert_eq!(
        cause(first_cluster.apply(&write, mark::MANAGER).await),
        Cause::NotLeader
    );
    leads(&second).await;
    let took = clock::since_boot().saturating_sub(resigned);
    assert!(
        took < terms().lease,
        "a lease that was given back is taken at once: {took:?}"
    );

    let (third_cluster, third) = stand(plane, &namespace, "third").await;
    drop(second);
    let silent = clock::since_boot();
    leads(&third).await;
    let took = clock::since_boot().saturating_sub(silent);
    assert!(
        took >= terms().lease - terms().retry * 2,
        "silence is waited out: {took:?}"
    );
    third_cluster
        .apply(&write, mark::MANAGER)
        .await
        .expect("the new leader writes");
    assert_eq!(
        cause(second_cluster.apply(&write, mark::MANAGER).await),
        Cause::NotLeader
    );
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_closes_the_fence_by_itself() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("fence").await);
    let fence = Fence::new(Duration::from_secs(1));
    let fenced = cluster.fenced(fence.clone());
    let write = flags(&namespace, "flags", "on");
    fenced.dry_run(&write).await.expect("a dry run is no write");
    fence.renew(clock::since_boot());
    fenced
        .apply(&write, mark::MANAGER)
        .await
        .expect("it was renewed just now");
    until("the end", async || (!fence.check()).then_some(())).await;
    assert_eq!(
        cause(fenced.apply(&write, mark::MANAGER).await),
        Cause::NotLeader
    );
}

#[tokio::test]
async fn a_ledger_is_swapped_whole_and_requests_on_it_survive() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("ledger").await);
    let records = Records::new(&cluster, "tidegate");
    assert_eq!(records.load(&namespace, "shop").await, Ok(None));
    let shards = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    let (one, two) = (shards(&["a", "b"]), shards(&["b", "c", "a"]));
    let save = async |head: &str, shards: &[String], expected: Option<&str>| {
        records
            .save(&namespace, "shop", NewRecord { head, shards }, expected)
            .await
    };
    let version = save("{\"epoch\":1}", &one, None)
        .await
        .expect("there is none yet");
    assert_eq!(
        cause(save("{}", &one, None).await),
        Cause::Conflict,
        "there is one now"
    );

    let head = Records::head(&namespace, "shop");
    let request = json!({"metadata": {"annotations": {mark::request::SYNC: "now"}}});
    let asked = cluster
        .merge("v1", &head, &request, mark::CLI_MANAGER)
        .await
        .expect("valid");
    assert_eq!(asked.label("tidegate.dev/ledger"), Some("tidegate"));
    assert_eq!(
        cause(save("{}", &one, Some(&version)).await),
        Cause::Conflict
    );

    let current = records
        .load(&namespace, "shop")
        .await
        .expect("it may")
        .expect("there");
    assert_eq!(
        (current.head.as_str(), &current.shards),
        ("{\"epoch\":1}", &one)
    );
    let version = save("{\"epoch\":2}", &two, Some(&current.resource_version)).await;
    let version = version.expect("it is the live version");
    let fresh = Records::new(&cluster, "tidegate");
    let stored = fresh
        .load(&namespace, "shop")
        .await
        .expect("it may")
        .expect("there");
    assert_eq!((stored.shards, &stored.resource_version), (two, &version));
    assert_eq!(stored.annotations[mark::request::SYNC], "now");
}

#[tokio::test]
async fn shards_that_the_head_no_longer_names_are_swept_and_a_lost_one_is_told() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("shards").await);
    let head = Records::head(&namespace, "shop");
    let label = BTreeMap::from([("tidegate.dev/ledger-shard".to_owned(), head.name.clone())]);
    let left = async || {
        let left = cluster
            .list("v1", "ConfigMap", Some(&namespace), &label)
            .await;
        left.expect("it may")
    };
    let mut version = None;
    for texts in [["a", "b"], ["b", "c"], ["c", "d"]] {
        // A new process each time: nothing depends on what one remembers.
        let records = Records::new(&cluster, "tidegate");
        let shards = texts.map(ToOwned::to_owned);
        let record = NewRecord {
            head: "{}",
            shards: &shards,
        };
        let saved = records
            .save(&namespace, "shop", record, version.as_deref())
            .await;
        version = Some(saved.expect("it is the live version"));
        assert_eq!(left().await.len(), 2);
    }
    let records = Records::new(&cluster, "tidegate");
    let stored = records
        .load(&namespace, "shop")
        .await
        .expect("it may")
        .expect("there");
    let shard = left().await.remove(0);
    let uid = shard.uid().expect("live");
    cluster
        .delete("v1", &shard.id(), uid, None)
        .await
        .expect("it may");
    let refusal = records
        .load(&namespace, "shop")
        .await
        .expect_err("a shard is lost");
    assert!(refusal.to_string().contains(&shard.id().name), "{refusal}");
    records
        .remove(&namespace, "shop", &stored.uid)
        .await
        .expect("it may");
    assert!(left().await.is_empty());
}

#[tokio::test]
async fn an_index_is_swapped_and_never_overwritten() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("index").await);
    let records = Records::new(&cluster, "tidegate");
    let version = records
        .save_index(&namespace, "[]", None)
        .await
        .expect("there is none yet");
    records
        .save_index(&namespace, "[1]", Some(&version))
        .await
        .expect("it is the live version");
    let stale = records.save_index(&namespace, "[2]", Some(&version)).await;
    assert_eq!(cause(stale), Cause::Conflict);
    let index = records
        .load_index(&namespace)
        .await
        .expect("it may")
        .expect("there");
    assert_eq!(index.content, "[1]");
}

#[tokio::test]
async fn announcements_become_events_once() {
    let plane = ControlPlane::shared();
    let (cluster, namespace) = (admin(plane).await, plane.namespace("events").await);
    let flags = cluster
        .apply(&flags(&namespace, "flags", "on"), mark::MANAGER)
        .await
        .expect("ok");
    let announcer = Announcer::new(&cluster, "agent-0");
    let about = |note: &str| Announcement {
        api_version: "v1".to_owned(),
        id: flags.id(),
        uid: flags.uid().expect("live").to_owned(),
        tone: Tone::Normal,
        reason: "BatchHealthy".to_owned(),
        action: "Rollout".to_owned(),
        note: note.to_owned(),
    };
    for note in ["batch 1", "batch 1", &"batch 2 ".repeat(500)] {
        announcer.announce(about(note));
    }
    let events = until("both events", async || {
        let place = Some(namespace.as_str());
        let events = cluster
            .list("events.k8s.io/v1", "Event", place, &BTreeMap::new())
            .await;
        events.ok().filter(|events| events.len() >= 2)
    });
    assert_eq!(events.await.len(), 2);
    assert_eq!(announcer.lost(), 0);
}

#[tokio::test]
async fn a_hanging_api_server_holds_nobody_up_and_a_restarted_one_is_followed_again() {
    let mut plane = ControlPlane::private();
    let (cluster, namespace) = (admin(&plane).await, plane.namespace("hang").await);
    let live = Live::new(&cluster);
    let watch = Watch {
        namespace: Some(namespace.clone()),
        ..Watch::of("v1", "ConfigMap")
    };
    live.settle(&[watch].into()).await.expect("it may list");
    let left = cluster
        .apply(&flags(&namespace, "left", "a"), mark::MANAGER)
        .await
        .expect("valid");
    let id: ObjectId = left.id();
    until("the first change", async || live.get(&id)).await;

    plane.pause_api();
    let quick = cluster.within(Duration::from_millis(300));
    assert!(matches!(
        cause(quick.get("v1", &id).await),
        Cause::Unreachable { .. }
    ));
    let write = quick
        .apply(&flags(&namespace, "late", "a"), mark::MANAGER)
        .await;
    assert!(matches!(cause(write), Cause::OutcomeUnknown { .. }));
    plane.resume_api();

    plane.stop_api();
    assert!(matches!(
        cause(cluster.get("v1", &id).await),
        Cause::Unreachable { .. }
    ));
    let write = cluster
        .apply(&flags(&namespace, "never", "a"), mark::MANAGER)
        .await;
    assert!(
        matches!(cause(write), Cause::Unreachable { .. }),
        "it never left"
    );
    until("the fault", async || {
        (!live.faults().is_empty()).then_some(())
    })
    .await;
    plane.start_api();
    cluster
        .delete("v1", &id, left.uid().expect("live"), None)
        .await
        .expect("it may");
    until("the delete", async || live.get(&id).is_none().then_some(())).await;
    assert!(live.faults().is_empty(), "{:?}", live.faults());
}
