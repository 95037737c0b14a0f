//! Health of objects other than pods, by the rules of kstatus where it has one.

use serde_json::Value;

use crate::object::Object;

/// Whether an object has become what its manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has.
    Current,
    /// Not yet, and why.
    InProgress(String),
    /// It will not without help, and why.
    Failed(String),
    /// Its deletion has begun.
    Terminating,
}

/// Returns the health of a live object. Workloads that are rolled in batches are judged by their
/// pods instead.
#[must_use]
pub fn of(object: &Object) -> Health {
    if object.is_terminating() {
        return Health::Terminating;
    }
    let observed = object
        .at("/status/observedGeneration")
        .and_then(Value::as_i64);
    if observed.is_some_and(|observed| observed < object.generation()) {
        return progress("its controller has not seen it yet");
    }
    match (
        object.api_version().split('/').next().unwrap_or_default(),
        object.kind(),
    ) {
        ("v1", "Namespace") => phase(object, "Active"),
        ("v1", "PersistentVolumeClaim") => claim(object),
        ("v1", "Service") => service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        ("apiregistration.k8s.io", "APIService") => wants(object, "Available"),
        ("v1" | "apps" | "batch" | "policy" | "rbac.authorization.k8s.io" | "autoscaling", _) => {
            Health::Current
        }
        _ => generic(object),
    }
}

fn progress(why: &str) -> Health {
    Health::InProgress(why.to_owned())
}

fn phase(object: &Object, wanted: &str) -> Health {
    match object.text("/status/phase") {
        Some(phase) if phase == wanted => Health::Current,
        Some(phase) => progress(&format!("its phase is {phase}")),
        None => progress("it has no phase yet"),
    }
}

/// A pending claim may wait for its first pod, which comes in a later stage.
fn claim(object: &Object) -> Health {
    match object.text("/status/phase") {
        Some("Lost") => Health::Failed("its volume is lost".to_owned()),
        _ => Health::Current,
    }
}

fn service(object: &Object) -> Health {
    let balanced = object.text("/spec/type") == Some("LoadBalancer");
    let ingress = object
        .at("/status/loadBalancer/ingress")
        .and_then(Value::as_array);
    if balanced && ingress.is_none_or(Vec::is_empty) {
        return progress("its load balancer has no address yet");
    }
    Health::Current
}

fn definition(object: &Object) -> Health {
    if object
        .condition("NamesAccepted")
        .is_some_and(|c| c["status"] == "False")
    {
        return Health::Failed("its names are not accepted".to_owned());
    }
    wants(object, "Established")
}

fn wants(object: &Object, kind: &str) -> Health {
    match object.condition(kind) {
        Some(condition) if condition["status"] == "True" => Health::Current,
        Some(condition) => progress(&told(condition)),
        None => progress(&format!("it has no condition {kind} yet")),
    }
}

/// The generic rules of kstatus: Stalled, Reconciling, then Ready; none of them is current.
fn generic(object: &Object) -> Health {
    let truth = |kind| object.condition(kind).filter(|c| c["status"] == "True");
    if let Some(stalled) = truth("Stalled") {
        return Health::Failed(told(stalled));
    }
    if let Some(reconciling) = truth("Reconciling") {
        return progress(&told(reconciling));
    }
    match object.condition("Ready") {
        Some(ready) if ready["status"] != "True" => progress(&told(ready)),
        _ => Health::Current,
    }
}

fn told(condition: &Value) -> String {
    let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    format!(
        "{}={} {}: {}",
        text("type"),
        text("status"),
        text("reason"),
        text("message")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn health(value: Value) -> Health {
        of(&Object::new(value).unwrap())
    }

    #[test]
    fn a_namespace_must_be_active_and_a_definition_established() {
        let meta = json!({"name": "x"});
        let namespace = |phase: &str| {
            health(
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": meta, "status": {"phase": phase}}),
            )
        };
        assert_eq!(namespace("Active"), Health::Current);
        assert!(matches!(namespace("Terminating"), Health::InProgress(_)));
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": meta,
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        });
        assert_eq!(health(definition), Health::Current);
    }

    #[test]
    fn a_resource_that_says_it_is_stalled_has_failed() {
        let stalled = json!({
            "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "x", "generation": 2},
            "status": {"observedGeneration": 2, "conditions": [
                {"type": "Stalled", "status": "True", "reason": "Broken", "message": "no"}
            ]},
        });
        assert_eq!(
            health(stalled),
            Health::Failed("Stalled=True Broken: no".to_owned())
        );
    }

    #[test]
    fn an_object_without_conditions_is_current() {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}});
        assert_eq!(health(map), Health::Current);
    }
}
