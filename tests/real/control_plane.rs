//! The control plane of the tests is what a cluster is to a rollout.

use std::io::{BufRead, BufReader, stdin};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::cluster::ControlPlane;
use crate::cluster::accounts::secrets_rules;
use crate::cluster::audit::Call;
use crate::shop::{Exposure, Trace};

const SOON: Duration = Duration::from_secs(60);

/// A Deployment `web` of this many replicas, whose native progress is held back by nothing.
fn web(replicas: usize, tag: &str) -> String {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": format!("shop/web:{tag}")}]},
            },
        },
    })
    .to_string()
}

/// A pod on its own, named after its tag.
fn lone_pod(tag: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": tag},
        "spec": {"containers": [{"name": "web", "image": format!("shop/web:1.0-{tag}")}]},
    })
    .to_string()
}

/// Waits until a pod is as wanted.
async fn pod_that(
    plane: &ControlPlane,
    namespace: &str,
    name: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let pods: Api<Pod> = Api::namespaced(plane.client().await, namespace);
    let mut last = Value::Null;
    let found = timeout(SOON, async {
        loop {
            last = json!(pods.get(name).await.expect("the pod exists"));
            if wanted(&last) {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    let found = found.await;
    assert!(found.is_ok(), "{name} stayed {last:#}");
    last
}

fn first(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]
}

fn waits_for(reason: &str) -> impl Fn(&Value) -> bool {
    move |pod| first(pod)["state"]["waiting"]["reason"] == reason
}

fn condition<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let conditions = pod["status"]["conditions"].as_array();
    conditions
        .and_then(|conditions| {
            conditions
                .iter()
                .find(|condition| condition["type"] == name)
        })
        .unwrap_or(&Value::Null)
}

fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready")["status"] == "True"
}

#[tokio::test]
async fn a_deployment_made_with_kubectl_becomes_available() {
    let plane = ControlPlane::shared();
    let namespace = plane.namespace("available").await;
    let in_it = |arguments: &[&str]| {
        let output = plane.kubectl(&[&["-n", &namespace], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("kubectl writes text")
    };
    in_it(&[
        "create",
        "deployment",
        "web",
        "--image=shop/web:1.2",
        "--replicas=3",
    ]);
    in_it(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let shown = in_it(&["get", "pods", "--no-headers"]);
    assert_eq!(shown.matches("1/1   Running   0").count(), 3, "{shown}");
}

#[tokio::test]
async fn an_update_that_is_held_back_rests_at_its_surge() {
    let plane = ControlPlane::shared();
    let namespace = plane.namespace("held").await;
    plane.apply(&namespace, &web(10, "1.2"));
    let trace = Trace::start(plane.client().await, &namespace, "web").await;
    trace
        .until_settled("10 ready", SOON, |pods| pods.ready() == 10)
        .await;

    let trace = Trace::start(plane.client().await, &namespace, "web").await;
    let update = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "shop/web:1.3"},
        {"op": "add", "path": "/spec/minReadySeconds", "value": 2_147_483_646},
        {"op": "add", "path": "/spec/progressDeadlineSeconds", "value": 2_147_483_647},
        {"op": "add", "path": "/spec/strategy", "value": {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}}]);
    let patch = format!("--patch={update}");
    let patched = plane.kubectl(&[
        "-n",
        &namespace,
        "patch",
        "deployment/web",
        "--type=json",
        &patch,
    ]);
    assert!(patched.status.success(), "{patched:?}");
    trace
        .until_settled("held", SOON, |pods| {
            pods.with_tag("1.3") == 2 && pods.ready() == 12
        })
        .await;

    let rests: Vec<(usize, usize)> = trace
        .settled()
        .iter()
        .map(|pods| (pods.without_tag("1.3"), pods.with_tag("1.3")))
        .collect();
    assert_eq!(rests.last(), Some(&(10, 2)), "{trace}");
    assert_eq!(
        (trace.fewest_ready(), trace.most_pods()),
        (10, 12),
        "{trace}"
    );
}

#[tokio::test]
async fn each_bad_tag_tells_its_own_ailment() {
    let plane = ControlPlane::shared();
    let namespace = &plane.namespace("ailing").await;
    for tag in [
        "never",
        "pull",
        "config",
        "crash",
        "slow",
        "flap",
        "unschedulable",
    ] {
        plane.apply(namespace, &lone_pod(tag));
    }
    let pod_that = async |name, wanted: &dyn Fn(&Value) -> bool| {
        pod_that(plane, namespace, name, wanted).await
    };

    let pod = pod_that("pull", &waits_for("ImagePullBackOff")).await;
    let message = first(&pod)["state"]["waiting"]["message"].to_string();
    assert!(message.contains("manifest unknown"), "{message}");
    let pod = pod_that("crash", &|pod| {
        first(pod)["restartCount"].as_u64() >= Some(2)
    })
    .await;
    assert_eq!(first(&pod)["lastState"]["terminated"]["exitCode"], 1);
    assert!(waits_for("CrashLoopBackOff")(&pod), "{pod:#}");
    pod_that("config", &waits_for("CreateContainerConfigError")).await;
    let pod = pod_that("unschedulable", &|pod| {
        !condition(pod, "PodScheduled").is_null()
    })
    .await;
    assert_eq!(condition(&pod, "PodScheduled")["reason"], "Unschedulable");
    pod_that("flap", &is_ready).await;
    pod_that("flap", &|pod| !is_ready(pod)).await;
    pod_that("flap", &is_ready).await;
    let slow = pod_that("slow", &is_ready).await;
    assert_ne!(
        slow["status"]["startTime"],
        condition(&slow, "Ready")["lastTransitionTime"]
    );
    let never = pod_that("never", &|pod| pod["status"]["phase"] == "Running").await;
    assert_eq!(condition(&never, "Ready")["reason"], "ContainersNotReady");
}

#[tokio::test]
async fn a_pod_that_lacks_configuration_runs_once_it_has_it() {
    let plane = ControlPlane::shared();
    let namespace = plane.namespace("lacking").await;
    plane.apply(&namespace, &lone_pod("needsmap"));
    pod_that(plane, &namespace, "needsmap", waits_for("CrashLoopBackOff")).await;
    plane.apply(
        &namespace,
        r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"fixed": "true"}}"#,
    );
    let deleted = plane.kubectl(&["-n", &namespace, "delete", "pod", "needsmap"]);
    assert!(deleted.status.success(), "{deleted:?}");
    plane.apply(&namespace, &lone_pod("needsmap"));
    pod_that(plane, &namespace, "needsmap", is_ready).await;

    plane.apply(&namespace, &web(1, "1.0-needsenv"));
    let trace = Trace::start(plane.client().await, &namespace, "web").await;
    let broken = trace
        .until("a pod", SOON, |pods| pods.total() == 1)
        .await
        .templates();
    let set = plane.kubectl(&[
        "-n",
        &namespace,
        "set",
        "env",
        "deployment/web",
        "FIXED=yes",
    ]);
    assert!(set.status.success(), "{set:?}");
    trace
        .until_settled("fixed", SOON, |pods| {
            pods.ready() == 1 && pods.of_template(&broken[0]) == 0
        })
        .await;
}

#[tokio::test]
async fn a_daemon_set_has_a_pod_on_each_node_and_a_job_ends() {
    let plane = ControlPlane::shared();
    let namespace = plane.namespace("others").await;
    let pod = |name: &str| json!({"containers": [{"name": name, "image": "shop/log:1"}]});
    let labels = json!({"app": "log"});
    plane.apply(
        &namespace,
        &json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "log"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod("log")},
            },
        })
        .to_string(),
    );
    let mut once = pod("once");
    once["restartPolicy"] = "Never".into();
    plane.apply(
        &namespace,
        &json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
            "spec": {"template": {"spec": once}},
        })
        .to_string(),
    );

    let status =
        |what| plane.kubectl(&["-n", &namespace, "rollout", "status", what, "--timeout=60s"]);
    let rolled = status("daemonset/log");
    assert!(rolled.status.success(), "{rolled:?}");
    let done = plane.kubectl(&[
        "-n",
        &namespace,
        "wait",
        "--for=condition=Complete",
        "job/once",
        "--timeout=60s",
    ]);
    assert!(done.status.success(), "{done:?}");
    let pods: Api<Pod> = Api::namespaced(plane.client().await, &namespace);
    let pods = pods
        .list(&ListParams::default().labels("app=log"))
        .await
        .unwrap();
    let mut nodes: Vec<_> = pods
        .iter()
        .filter_map(|pod| pod.spec.as_ref()?.node_name.clone())
        .collect();
    nodes.sort();
    assert_eq!(nodes, ["node-0", "node-1", "node-2", "node-3", "node-4"]);
}

#[tokio::test]
async fn two_hundred_pods_are_ready_soon() {
    let plane = ControlPlane::shared();
    let namespace = plane.namespace("many").await;
    plane.apply(&namespace, &web(200, "1.2"));
    let trace = Trace::start(plane.client().await, &namespace, "web").await;
    trace
        .until("200 ready", SOON, |pods| pods.ready() == 200)
        .await;
    let deleted = plane.kubectl(&[
        "-n",
        &namespace,
        "delete",
        "deployment",
        "web",
        "--cascade=foreground",
    ]);
    assert!(deleted.status.success(), "{deleted:?}");
}

#[tokio::test]
async fn an_agent_may_do_what_it_needs_and_no_more_and_its_calls_are_told() {
    let plane = ControlPlane::shared();
    let (served, other) = (
        plane.namespace("served").await,
        plane.namespace("other").await,
    );
    let agent = plane.agent(&[&served], &served).await;
    let mark = plane.audit().mark();
    let kubeconfig = format!("--kubeconfig={}", agent.kubeconfig.display());
    let may = |namespace: &str, verb: &str, what: &str| {
        let asked = plane.kubectl(&[&kubeconfig, "-n", namespace, "auth", "can-i", verb, what]);
        asked.status.success()
    };
    assert!(may(&served, "patch", "deployments"));
    assert!(may(&served, "delete", "pods"));
    assert!(may(&served, "create", "leases"));
    assert!(!may(&other, "get", "deployments"));
    assert!(!may(&served, "get", "secrets"));
    plane
        .grant(&agent, &served, "secrets", secrets_rules())
        .await;
    assert!(may(&served, "get", "secrets"));

    let dry = plane.kubectl(&[
        &kubeconfig,
        "-n",
        &served,
        "create",
        "configmap",
        "settings",
        "--dry-run=server",
    ]);
    assert!(dry.status.success(), "{dry:?}");
    let creation = Call {
        verb: "create".to_owned(),
        resource: "configmaps".to_owned(),
        subresource: String::new(),
        namespace: served.clone(),
        name: "settings".to_owned(),
        dry_run: true,
        code: 201,
    };
    let told = timeout(SOON, async {
        while !plane.audit().calls(&agent.user, mark).contains(&creation) {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(
        told.await.is_ok(),
        "{:#?}",
        plane.audit().calls(&agent.user, mark)
    );
    assert!(plane.audit().calls("admin", mark).is_empty());
}

#[tokio::test]
async fn pods_go_on_when_the_api_server_is_back() {
    let mut plane = ControlPlane::private();
    let namespace = plane.namespace("back").await;
    plane.apply(&namespace, &web(3, "1.2-slow"));
    plane.stop_api();
    plane.start_api();
    let trace = Trace::start(plane.client().await, &namespace, "web").await;
    trace
        .until("ready after a restart", SOON, |pods| pods.ready() == 3)
        .await;

    plane.pause_api();
    let hangs = plane.kubectl(&["get", "namespaces", "--request-timeout=1s"]);
    assert!(!hangs.status.success(), "{hangs:?}");
    plane.resume_api();
    let scaled = plane.kubectl(&["-n", &namespace, "scale", "deployment/web", "--replicas=4"]);
    assert!(scaled.status.success(), "{scaled:?}");
    trace
        .until("ready after a pause", SOON, |pods| pods.ready() == 4)
        .await;
}

/// Has a child start a control plane, kills the child, and looks for what it started.
#[test]
fn no_program_outlives_a_killed_test_process() {
    let mut child = Command::new(std::env::current_exe().expect("this is a program"))
        .args([
            "--exact",
            "control_plane::a_control_plane_waits_for_its_end",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this is a program");
    let told = BufReader::new(child.stdout.take().expect("it is piped"));
    let started = told
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("started ")?.1.to_owned()))
        .expect("the child tells what it started");
    let (folder, programs) = started.split_once(' ').expect("a folder and ids");
    let programs: Vec<Pid> = programs
        .split(',')
        .filter_map(|id| Pid::from_raw(id.parse().ok()?))
        .collect();
    let left = || {
        let runs = |program: &&Pid| test_kill_process(**program).is_ok();
        programs.iter().filter(runs).count()
    };
    assert_eq!(left(), 3, "{started}");

    child.kill().expect("it runs");
    child.wait().expect("it is our child");
    for _ in 0..200 {
        if left() == 0 && !Path::new(folder).exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("of {started} are left: {} programs", left());
}

#[test]
#[ignore = "it is the child of the test above, and ends when its standard input does"]
fn a_control_plane_waits_for_its_end() {
    let plane = ControlPlane::private();
    let folder = plane.admin_kubeconfig();
    let folder = folder.parent().expect("it lies in a folder").display();
    let [etcd, api, controllers] = plane.process_ids();
    println!("started {folder} {etcd},{api},{controllers}");
    stdin().read_line(&mut String::new()).expect("it is a pipe");
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "7 pods are new")]
async fn a_write_that_lets_more_pods_be_new_than_it_says_is_found() {
    let plane = ControlPlane::shared();
    let namespace = plane.namespace("exposure").await;
    plane.apply(&namespace, &web(10, "1"));
    let trace = Trace::start(plane.client().await, &namespace, "web").await;
    trace
        .until_settled("ten pods", SOON, |pods| pods.ready() == 10)
        .await;
    let exposure = Exposure::start(plane.client().await, &namespace, "web");
    let patch = |surge: u32, unavailable: u32| {
        let change = json!({"spec": {
            "minReadySeconds": 2_147_483_646, "progressDeadlineSeconds": 2_147_483_647,
            "strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
            "template": {"spec": {"containers": [{"name": "web", "image": "shop/web:2"}]}},
        }});
        let change = change.to_string();
        let done = plane.kubectl(&["patch", "-n", &namespace, "deployment/web", "-p", &change]);
        assert!(done.status.success());
    };
    patch(1, 4);
    trace
        .until_settled("five new pods", SOON, |pods| {
            pods.with_tag("2") == 5 && pods.with_tag("1") == 6
        })
        .await;
    exposure.assert_never_enlarged();
    // Six are meant; to lower maxUnavailable adds new pods instead.
    patch(3, 3);
    trace
        .until_settled("seven new pods", SOON, |pods| pods.with_tag("2") == 7)
        .await;
    exposure.assert_never_enlarged();
}
