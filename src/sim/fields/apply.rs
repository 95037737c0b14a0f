//! Server-side apply.

use std::collections::BTreeMap;

use serde_json::Value;

use super::compare::{compare, fields_of};
use super::managed::{Claim, Claims, Operation, strip};
use super::merge::{merge, remove};
use super::set::Fields;
use crate::sim::schema::Schema;

/// The annotation of client-side apply, whose fields `kubectl` may take over without force.
const LAST_APPLIED: &str =
    "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

/// What an apply makes of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object, `managedFields` apart.
    pub object: Value,
    /// Who claims what afterwards.
    pub claims: Claims,
}

/// Why an apply is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyFault {
    /// The configuration cannot be merged; the text says where.
    #[error("{0}")]
    Malformed(String),
    /// Others own fields that would change.
    #[error("{}", in_words(.0))]
    Conflicts(Vec<Conflict>),
}

/// A field that another manager owns and that would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The other manager as conflicts name it.
    pub manager: String,
    /// The field.
    pub field: String,
}

/// The text of `internal/conflict.go`.
fn in_words(conflicts: &[Conflict]) -> String {
    if let [one] = conflicts {
        return format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            one.manager, one.field
        );
    }
    let mut by_manager: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for conflict in conflicts {
        let fields = by_manager.entry(&conflict.manager).or_default();
        fields.push(&conflict.field);
    }
    let mut lines = Vec::new();
    for (manager, fields) in by_manager {
        lines.push(format!("conflicts with {manager}:"));
        lines.extend(fields.iter().map(|field| format!("- {field}")));
    }
    let count = conflicts.len();
    format!("Apply failed with {count} conflicts: {}", lines.join("\n"))
}

/// Applies `config` to `live` for the manager of `claim`, whose fields are set here. `reset` are
/// fields that this manager cannot set, as `status` through the object itself.
///
/// # Errors
/// Where the configuration is malformed, or others own what would change and it is not forced.
pub fn apply(
    schema: &Schema,
    live: &Value,
    config: &Value,
    mut claim: Claim,
    (reset, is_forced): (&[&[&str]], bool),
) -> Result<Applied, ApplyFault> {
    let mut claims = Claims::of(live);
    let merged = merge(schema, live, config).map_err(ApplyFault::Malformed)?;
    let before = claims.find(&claim).map(|entry| entry.fields.clone());
    let mut own = fields_of(schema, config);
    for path in reset {
        own.cut(path);
    }
    claim.fields = own.clone();
    claims.put(claim.clone());
    let object = match before {
        Some(before) if !before.is_empty() => prune(schema, &merged, &claims, &before),
        Some(_) | None => merged,
    };
    let mut comparison = compare(schema, live, &object);
    for path in reset {
        comparison.added.cut(path);
        comparison.modified.cut(path);
        comparison.removed.cut(path);
    }
    let written = comparison.written();
    let mut conflicts = Vec::new();
    let allowed = taken_over(schema, live, &claim);
    for other in claims.all().iter().filter(|other| !other.is_of(&claim)) {
        let contested = other.fields.intersection(&written).difference(&allowed);
        conflicts.extend(contested.paths().into_iter().map(|field| Conflict {
            manager: other.printed(),
            field,
        }));
    }
    if !is_forced && !conflicts.is_empty() {
        return Err(ApplyFault::Conflicts(conflicts));
    }
    claims.lose(&written.union(&comparison.removed), Some(&claim));
    strip(&mut own);
    claim.fields = own;
    keep_time(&mut claim, live, &object);
    claims.put(claim);
    Ok(Applied { object, claims })
}

/// An apply that changes nothing keeps the time of its entry.
fn keep_time(claim: &mut Claim, live: &Value, object: &Value) {
    if live == object
        && let Some(entry) = Claims::of(live).find(claim)
        && entry.fields == claim.fields
    {
        claim.time.clone_from(&entry.time);
    }
}

/// Takes out what the manager named before, names no more, and nobody else owns.
fn prune(schema: &Schema, merged: &Value, claims: &Claims, before: &Fields) -> Value {
    let named = |fields: &Fields| fields.with_named_fields(schema);
    let before = named(before);
    let all = named(&fields_of(schema, merged));
    let mut pruned = remove(schema, merged, &before);
    let owned = claims
        .all()
        .iter()
        .fold(Fields::default(), |all, claim| all.union(&claim.fields));
    let kept = named(&fields_of(schema, &pruned)).union(&named(&owned));
    pruned = remove(schema, merged, &all.difference(&kept));
    // What hangs below something that was taken out, but was never the manager's, comes back.
    let rest = named(&fields_of(schema, &pruned));
    remove(schema, merged, &all.difference(&rest).intersection(&before))
}

/// Returns the fields that `kubectl apply --server-side` may take over from `kubectl apply`: those
/// of the last client-side apply that still have its values (`internal/lastappliedmanager.go`).
fn taken_over(schema: &Schema, live: &Value, claim: &Claim) -> Fields {
    let last = live.pointer(LAST_APPLIED).and_then(Value::as_str);
    let Some(last) = last.filter(|_| claim.manager == "kubectl") else {
        return Fields::default();
    };
    let Ok(last) = serde_json::from_str::<Value>(last) else {
        return Fields::default();
    };
    let comparison = compare(schema, &last, live);
    fields_of(schema, &last)
        .difference(&comparison.written())
        .difference(&comparison.removed)
}

/// Returns the claim of everything that was there before the first apply, where nobody claims
/// anything (`internal/skipnonapplied.go`).
#[must_use]
pub fn before_first_apply(schema: &Schema, live: &Value, api_version: &str, time: &str) -> Claims {
    let mut claims = Claims::default();
    let claim = Claim {
        manager: "before-first-apply".to_owned(),
        operation: Operation::Update,
        subresource: String::new(),
        api_version: api_version.to_owned(),
        time: time.to_owned(),
        fields: Fields::default(),
    };
    claims.record(claim, schema, &Value::Object(serde_json::Map::new()), live);
    claims
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> std::sync::Arc<Schema> {
        Schema::of_definition("io.k8s.api.apps.v1.Deployment")
    }

    fn claim(manager: &str) -> Claim {
        Claim {
            manager: manager.to_owned(),
            operation: Operation::Apply,
            subresource: String::new(),
            api_version: "apps/v1".to_owned(),
            time: "2026-01-01T00:00:00Z".to_owned(),
            fields: Fields::default(),
        }
    }

    fn applied(
        live: &Value,
        config: &Value,
        manager: &str,
        is_forced: bool,
    ) -> Result<Value, String> {
        let reset: &[&[&str]] = &[&["status"]];
        let applied = apply(&schema(), live, config, claim(manager), (reset, is_forced))
            .map_err(|fault| fault.to_string())?;
        let mut object = applied.object;
        applied.claims.write(&mut object);
        Ok(object)
    }

    fn with_replicas(replicas: u32) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
               "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "a", "image": "x"}]}}}})
    }

    fn empty() -> Value {
        json!({"metadata": {}})
    }

    #[test]
    fn a_field_that_is_named_no_more_goes() {
        let live = applied(&empty(), &with_replicas(3), "tidegate", false).expect("new");
        let mut config = with_replicas(3);
        config["spec"]["replicas"].take();
        let config = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                            "spec": {"template": config["spec"]["template"]}});
        let live = applied(&live, &config, "tidegate", false).expect("own fields");
        assert_eq!(live["spec"].get("replicas"), None);
        assert_eq!(live["spec"]["template"], config["spec"]["template"]);
    }

    #[test]
    fn a_field_that_two_own_stays_with_the_other() {
        let live = applied(&empty(), &with_replicas(3), "one", false).expect("new");
        let live = applied(&live, &with_replicas(3), "other", false).expect("the same value");
        let bare =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
        let live = applied(&live, &bare, "one", false).expect("own fields");
        assert_eq!(live["spec"], with_replicas(3)["spec"]);
        assert_eq!(Claims::of(&live).all().len(), 1);
    }

    #[test]
    fn another_value_for_the_field_of_another_is_a_conflict_unless_forced() {
        let live = applied(&empty(), &with_replicas(3), "one", false).expect("new");
        let fault = applied(&live, &with_replicas(4), "other", false);
        let text = "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas";
        assert_eq!(fault, Err(text.to_owned()));
        let live = applied(&live, &with_replicas(4), "other", true).expect("forced");
        assert_eq!(live["spec"]["replicas"], 4);
        let one = Claims::of(&live);
        let one = one.find(&claim("one")).expect("still owns the rest");
        assert!(!one.fields.paths().contains(&".spec.replicas".to_owned()));
    }

    #[test]
    fn an_item_that_is_named_no_more_goes_but_what_others_put_into_it_keeps_it() {
        let two = json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}}}});
        let live = applied(&empty(), &two, "one", false).expect("new");
        let by_hand = json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [
            {"name": "b", "tty": true}]}}}});
        let touched = applied(&live, &by_hand, "hand", false).expect("no conflict");
        let one = json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "x"}]}}}});
        let containers = |live: &Value| {
            let object = applied(live, &one, "one", false).expect("own fields");
            object["spec"]["template"]["spec"]["containers"].clone()
        };
        assert_eq!(containers(&live), json!([{"name": "a", "image": "x"}]));
        let kept = containers(&touched);
        assert_eq!(kept[1], json!({"name": "b", "tty": true}));
    }
}
