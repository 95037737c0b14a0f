//! Which nodes take which pods: selectors, required affinity and taints
//! (`component-helpers/scheduling`).

use serde_json::Value;

use crate::object::Object;

/// What a node would do with a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    /// It may start there.
    pub(crate) may_start: bool,
    /// It may stay there.
    pub(crate) may_stay: bool,
}

/// Judges a node for the spec of a pod.
pub(crate) fn welcome(node: &Object, spec: &Value) -> Welcome {
    let fits = has_labels(node, spec) && fits_affinity(node, spec);
    let taints = node.at("/spec/taints").and_then(Value::as_array);
    let untolerated = |effect: &str| {
        let mut taints = taints.into_iter().flatten();
        taints.any(|taint| taint["effect"] == effect && !tolerates(spec, taint))
    };
    let must_leave = untolerated("NoExecute");
    Welcome {
        may_start: fits && !must_leave && !untolerated("NoSchedule"),
        may_stay: fits && !must_leave,
    }
}

fn has_labels(node: &Object, spec: &Value) -> bool {
    let labels = spec.get("nodeSelector").and_then(Value::as_object);
    let mut labels = labels.into_iter().flatten();
    labels.all(|(key, value)| node.label(key) == value.as_str())
}

fn fits_affinity(node: &Object, spec: &Value) -> bool {
    let required = spec.pointer(
        "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms",
    );
    let Some(terms) = required.and_then(Value::as_array) else {
        return true;
    };
    terms.iter().any(|term| {
        let all = |key: &str| term[key].as_array().into_iter().flatten();
        all("matchExpressions").all(|one| {
            let key = one["key"].as_str().unwrap_or_default();
            holds(one, node.label(key))
        }) && all("matchFields").all(|one| holds(one, node.text("/metadata/name")))
    })
}

fn holds(requirement: &Value, value: Option<&str>) -> bool {
    let values = || requirement["values"].as_array().into_iter().flatten();
    let is_among = value.is_some_and(|value| values().any(|one| one == value));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let limit = number(values().next().and_then(Value::as_str));
    let has = number(value);
    match requirement["operator"].as_str() {
        Some("In") => is_among,
        Some("NotIn") => !is_among,
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        Some("Gt") => has.zip(limit).is_some_and(|(has, limit)| has > limit),
        Some("Lt") => has.zip(limit).is_some_and(|(has, limit)| has < limit),
        Some(_) | None => false,
    }
}

/// Says whether a pod puts up with a taint.
pub(crate) fn tolerates(spec: &Value, taint: &Value) -> bool {
    let tolerations = spec.get("tolerations").and_then(Value::as_array);
    let mut tolerations = tolerations.into_iter().flatten();
    tolerations.any(|toleration| is_toleration_of(toleration, taint))
}

/// `ToleratesTaint`.
pub(crate) fn is_toleration_of(toleration: &Value, taint: &Value) -> bool {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let effect = text(toleration, "effect");
    let key = text(toleration, "key");
    let exists = text(toleration, "operator") == "Exists";
    (effect.is_empty() || effect == text(taint, "effect"))
        && (key.is_empty() && exists || key == text(taint, "key"))
        && (exists || text(toleration, "value") == text(taint, "value"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(taints: &Value) -> Object {
        Object::new(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "node-1", "labels": {"zone": "a", "cores": "8"}},
            "spec": {"taints": taints},
        }))
        .unwrap()
    }

    fn starts(spec: &Value) -> bool {
        welcome(&node(&json!([])), spec).may_start
    }

    #[test]
    fn a_pod_starts_where_selector_and_affinity_fit() {
        let affinity = |part: &str, requirement: &Value| {
            json!({"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution":
                    {"nodeSelectorTerms": [{part: [requirement]}]},
            }}})
        };
        assert!(starts(&json!({})));
        assert!(starts(&json!({"nodeSelector": {"zone": "a"}})));
        assert!(!starts(&json!({"nodeSelector": {"zone": "b"}})));
        let named =
            |name: &str| json!({"key": "metadata.name", "operator": "In", "values": [name]});
        assert!(starts(&affinity("matchFields", &named("node-1"))));
        assert!(!starts(&affinity("matchFields", &named("node-2"))));
        let many = json!({"key": "cores", "operator": "Gt", "values": ["4"]});
        assert!(starts(&affinity("matchExpressions", &many)));
    }

    #[test]
    fn taints_keep_pods_away_and_send_them_off_unless_they_are_tolerated() {
        let taint = |effect: &str| json!([{"key": "k", "value": "v", "effect": effect}]);
        let judged = |effect: &str, spec: &Value| {
            let welcome = welcome(&node(&taint(effect)), spec);
            (welcome.may_start, welcome.may_stay)
        };
        assert_eq!(judged("NoSchedule", &json!({})), (false, true));
        assert_eq!(judged("NoExecute", &json!({})), (false, false));
        let tolerant = json!({"tolerations": [{"key": "k", "operator": "Exists"}]});
        assert_eq!(judged("NoExecute", &tolerant), (true, true));
        let other = json!({"tolerations": [{"key": "k", "value": "w"}]});
        assert_eq!(judged("NoSchedule", &other), (false, true));
    }
}
