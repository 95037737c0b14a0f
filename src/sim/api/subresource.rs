//! Sub-resources: status, scale, eviction, binding, log, finalize.

use http::Response;
use serde_json::{Value, json};

use super::call::Call;
use super::reply::{self, Body, json as answer};
use super::{body, patching, read, view};
use crate::object::Object;
use crate::sim::fault::Verb;
use crate::sim::kind::{Kind, ScalePaths};
use crate::sim::refusal::{Cause, Refusal, Subject};
use crate::sim::selector::Labels;
use crate::sim::store::{Actor, Deletion, Part, Store};
use crate::sim::time::seconds;

/// Seconds after which an eviction may be tried again.
const EVICTION_RETRY: u32 = 10;

pub(super) fn perform(
    store: &mut Store,
    call: &Call,
    subresource: &str,
) -> Result<Response<Body>, Refusal> {
    let is_pod = call.resource.kind == Kind::POD;
    match (subresource, call.verb) {
        ("status", verb) if call.version.has_status => status(store, call, verb),
        ("scale", verb) => match &call.resource.scale {
            Some(paths) => scale(store, call, (verb, paths)),
            None if call.resource.is_custom => Err(Refusal::not_found(&call.subject())),
            None => Err(Refusal::no_such_path()),
        },
        ("eviction", Verb::Create) if is_pod => evict(store, call),
        ("binding", Verb::Create) if is_pod => bind(store, call),
        ("log", Verb::Get) if is_pod => log(store, call),
        ("finalize", Verb::Update) if call.resource.kind == Kind::NAMESPACE => {
            finalize(store, call)
        }
        _ => Err(Refusal::no_such_path()),
    }
}

fn status(store: &mut Store, call: &Call, verb: Verb) -> Result<Response<Body>, Refusal> {
    match verb {
        Verb::Get => read::get(store, call),
        Verb::Update => {
            let object = body::object(call)?;
            let written = store.update(&call.actor(Part::Status), object)?;
            Ok(answer(200, &view::one(call, &written)))
        }
        Verb::Patch => patching::patch_part(store, call, Part::Status),
        Verb::List | Verb::Watch | Verb::Create | Verb::Delete | Verb::DeleteCollection => {
            Err(Refusal::method_not_allowed())
        }
    }
}

fn scale(
    store: &mut Store,
    call: &Call,
    (verb, paths): (Verb, &ScalePaths),
) -> Result<Response<Body>, Refusal> {
    let live = read::find(store, call)?;
    let shown = scale_of(&live, paths);
    let wanted = match verb {
        Verb::Get => return Ok(answer(200, &view::scale(call, shown))),
        Verb::Update => body::json(&call.body, "Scale")?.0,
        Verb::Patch => patching::patched_apart(call, shown)?,
        Verb::List | Verb::Watch | Verb::Create | Verb::Delete | Verb::DeleteCollection => {
            return Err(Refusal::method_not_allowed());
        }
    };
    let replicas = wanted.pointer("/spec/replicas").cloned();
    let replicas = replicas.unwrap_or_else(|| json!(0));
    match replicas.as_i64() {
        None => return Err(patching::no_number("spec.replicas", &replicas)),
        Some(i64::MIN..0) => return Err(below_zero(call, &replicas)),
        Some(_) => {}
    }
    if call.media_type == patching::APPLY {
        return apply_scale(store, call, (paths, &replicas));
    }
    let mut object = live.value().clone();
    let version = wanted.pointer("/metadata/resourceVersion").cloned();
    object["metadata"]["resourceVersion"] = version.unwrap_or_default();
    if let Some(place) = object.pointer_mut(&paths.wanted) {
        *place = replicas;
    }
    let written = store.update(&call.actor(Part::Scale), object)?;
    Ok(answer(200, &view::scale(call, scale_of(&written, paths))))
}

fn below_zero(call: &Call, replicas: &Value) -> Refusal {
    let scale = Subject {
        group: "autoscaling".to_owned(),
        kind: "Scale".to_owned(),
        ..call.subject()
    };
    let detail = "must be greater than or equal to 0";
    Refusal::invalid(&scale, &[Cause::invalid("spec.replicas", replicas, detail)])
}

/// An apply of a Scale is one of the field that it stands for.
fn apply_scale(
    store: &mut Store,
    call: &Call,
    (paths, replicas): (&ScalePaths, &Value),
) -> Result<Response<Body>, Refusal> {
    let mut config = json!({
        "apiVersion": call.api_version(),
        "kind": call.resource.kind.name,
        "metadata": {"name": call.name, "namespace": call.namespace},
    });
    let keys = paths.wanted.split('/').skip(1);
    let place = keys.fold(&mut config, |place, key| &mut place[key]);
    *place = replicas.clone();
    let (object, _) = store.apply(&call.actor(Part::Scale), &config, call.is("force"))?;
    Ok(answer(200, &view::scale(call, scale_of(&object, paths))))
}

/// Returns the Scale of an object.
fn scale_of(object: &Object, paths: &ScalePaths) -> Value {
    let number = |pointer: &str| object.at(pointer).and_then(Value::as_i64);
    let selector = paths.selector.as_deref().and_then(|path| object.at(path));
    let selector = match selector {
        Some(Value::String(text)) => text.clone(),
        Some(selector) => Labels::of(selector).text(),
        None => String::new(),
    };
    let mut metadata = json!({"name": object.text("/metadata/name")});
    for key in ["namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.text(&format!("/metadata/{key}")) {
            metadata[key] = json!(value);
        }
    }
    let mut status = json!({"replicas": number(&paths.existing).unwrap_or_default()});
    if !selector.is_empty() {
        status["selector"] = json!(selector);
    }
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": number(&paths.wanted).unwrap_or_default()},
        "status": status,
    })
}

/// Deletes a pod unless a budget forbids it (`registry/core/pod/storage/eviction.go`).
fn evict(store: &mut Store, call: &Call) -> Result<Response<Body>, Refusal> {
    let pod = read::find(store, call)?;
    let (eviction, _) = body::json(&call.body, "Eviction")?;
    let named = eviction.pointer("/metadata/name").and_then(Value::as_str);
    if named != Some(&call.name) {
        let text = "name in URL does not match name in Eviction object";
        return Err(Refusal::bad_request(text));
    }
    let labels = pod.at("/metadata/labels").and_then(Value::as_object);
    let budget = store
        .list(&Kind::POD_DISRUPTION_BUDGET, Some(&call.namespace))
        .find(|budget| {
            let selector = budget.at("/spec/selector");
            selector.is_some_and(|selector| Labels::of(selector).fit(labels))
        })
        .cloned();
    if let Some(budget) = budget {
        spend(store, call, &budget)?;
    }
    let grace = eviction.pointer("/deleteOptions/gracePeriodSeconds");
    let deletion = Deletion {
        uid: pod.uid().map(ToOwned::to_owned),
        grace_seconds: grace.and_then(Value::as_i64),
        is_dry_run: call.is_dry_run(),
        ..Deletion::default()
    };
    store.delete(&Kind::POD, &call.namespace, &call.name, &deletion)?;
    let success = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                         "status": "Success", "code": 201});
    Ok(answer(201, &success))
}

/// Asks whether a budget lets one more pod go. It is counted here and now: no controller keeps the
/// budget's status.
fn spend(store: &Store, call: &Call, budget: &Object) -> Result<(), Refusal> {
    let name = budget.text("/metadata/name").unwrap_or_default();
    let selector = budget.at("/spec/selector").map(Labels::of);
    let selector = selector.unwrap_or_default();
    let covered: Vec<_> = store
        .list(&Kind::POD, Some(&call.namespace))
        .filter(|pod| selector.fit(pod.at("/metadata/labels").and_then(Value::as_object)))
        .collect();
    let healthy = covered.iter().filter(|pod| is_healthy(pod)).count();
    let needed = needed(budget, covered.len());
    let is_ill = store
        .get(&Kind::POD, &call.namespace, &call.name)
        .is_some_and(|pod| !is_healthy(pod));
    if healthy > needed || is_ill && healthy >= needed {
        return Ok(());
    }
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let mut refusal = Refusal::too_many_requests(message, EVICTION_RETRY);
    let cause = format!(
        "The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"
    );
    refusal.details["causes"] = json!([{"reason": "DisruptionBudget", "message": cause}]);
    Err(refusal)
}

fn is_healthy(pod: &Object) -> bool {
    let conditions = pod.at("/status/conditions").and_then(Value::as_array);
    let is_ready =
        |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    !pod.is_terminating() && conditions.is_some_and(|all| all.iter().any(is_ready))
}

/// Returns how many of `covered` pods a budget needs (`controller/disruption/disruption.go`):
/// shares are rounded up.
fn needed(budget: &Object, covered: usize) -> usize {
    let amount = |pointer: &str| match budget.at(pointer) {
        Some(Value::String(text)) => {
            let percent: Option<usize> = text.strip_suffix('%').and_then(|text| text.parse().ok());
            percent.map(|percent| (covered * percent).div_ceil(100))
        }
        Some(value) => value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok()),
        None => None,
    };
    match (amount("/spec/minAvailable"), amount("/spec/maxUnavailable")) {
        (Some(least), _) => least,
        (None, Some(most)) => covered.saturating_sub(most),
        (None, None) => covered.saturating_sub(1),
    }
}

/// Puts a pod on a node (`registry/core/pod/storage/storage.go`).
fn bind(store: &mut Store, call: &Call) -> Result<Response<Body>, Refusal> {
    let (binding, _) = body::json(&call.body, "Binding")?;
    let node = binding.pointer("/target/name").and_then(Value::as_str);
    let pod = read::find(store, call)?;
    let uid = binding.pointer("/metadata/uid").and_then(Value::as_str);
    if uid.is_some_and(|uid| pod.uid() != Some(uid)) {
        let why = format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            uid.unwrap_or_default(),
            pod.uid().unwrap_or_default()
        );
        return Err(Refusal::conflict(&call.subject(), &why));
    }
    if pod.is_terminating() {
        let why = "pod is being deleted, cannot be assigned to a host";
        return Err(Refusal::conflict(
            &call.subject(),
            &format!("pod {} {why}", call.name),
        ));
    }
    let bound = pod.text("/spec/nodeName").unwrap_or_default();
    if !bound.is_empty() {
        let why = format!("pod {} is already assigned to node {bound:?}", call.name);
        return Err(Refusal::conflict(&call.subject(), &why));
    }
    store.bind((&call.namespace, &call.name), node.unwrap_or_default())?;
    let success = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                         "status": "Success", "code": 201});
    Ok(answer(201, &success))
}

/// Tells what the container of a simulated pod would have written.
fn log(store: &Store, call: &Call) -> Result<Response<Body>, Refusal> {
    let pod = read::find(store, call)?;
    let wanted = call.parameter("container").unwrap_or_default();
    let containers = pod.at("/spec/containers").and_then(Value::as_array);
    let containers = containers.map_or(&[][..], Vec::as_slice);
    let found = containers
        .iter()
        .find(|container| wanted.is_empty() || container["name"] == wanted);
    let Some(container) = found else {
        let name = &call.name;
        return Err(Refusal::bad_request(format!(
            "container {wanted} is not valid for pod {name}"
        )));
    };
    let name = container["name"].as_str().unwrap_or_default();
    let statuses = pod
        .at("/status/containerStatuses")
        .and_then(Value::as_array);
    let state = statuses
        .into_iter()
        .flatten()
        .find(|status| status["name"] == name)
        .map(|status| status["state"].clone())
        .unwrap_or_default();
    if let Some(reason) = state.pointer("/waiting/reason").and_then(Value::as_str)
        && reason != "CrashLoopBackOff"
    {
        return Err(Refusal::bad_request(format!(
            "container {name:?} in pod {:?} is waiting to start: {}",
            call.name,
            waiting(reason)
        )));
    }
    let image = container["image"].as_str().unwrap_or_default();
    let started = state.pointer("/running/startedAt").and_then(Value::as_str);
    let at = started.map_or_else(|| seconds(store.now()), ToOwned::to_owned);
    let end = if started.is_some() {
        "serving"
    } else {
        "exiting: simulated failure"
    };
    Ok(reply::text(
        200,
        &format!("{at} SIMULATED {image}: starting\n{at} SIMULATED {image}: {end}\n"),
    ))
}

fn waiting(reason: &str) -> &str {
    match reason {
        "ErrImagePull" | "ImagePullBackOff" => "trying and failing to pull image",
        other => other,
    }
}

/// Sets what holds a namespace.
fn finalize(store: &mut Store, call: &Call) -> Result<Response<Body>, Refusal> {
    let object = body::object(call)?;
    let finalizers = object.pointer("/spec/finalizers").cloned();
    let actor: Actor = call.actor(Part::Main);
    let place = (&Kind::NAMESPACE, "", call.name.as_str());
    let written = store.change(&actor, place, |namespace| {
        namespace["spec"]["finalizers"] = finalizers.unwrap_or_else(|| json!([]));
    })?;
    Ok(answer(200, &view::one(call, &written)))
}
