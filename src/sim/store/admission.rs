//! What is asked of every object before it is kept: its namespace, its name, the quota.

use serde_json::{Value, json};

use super::Store;
use crate::sim::kind::{Kind, Resource};
use crate::sim::refusal::{Refusal, Subject};

impl Store {
    /// Asks whether something new may be made in `namespace`.
    pub(super) fn admit(&self, subject: &Subject, namespace: &str) -> Result<(), Refusal> {
        let Some(found) = self.get(&Kind::NAMESPACE, "", namespace) else {
            return Err(Refusal::not_found(
                &self.subject(&Kind::NAMESPACE, namespace),
            ));
        };
        if !found.is_terminating() {
            return Ok(());
        }
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut refusal = Refusal::forbidden(subject, &why);
        let message = format!("namespace {namespace} is being terminated");
        refusal.details["causes"] = json!([
            {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"},
        ]);
        Err(refusal)
    }

    /// Asks whether the quotas of the namespace have room for one more object, as far as they count
    /// objects (`pods`, `count/<resource>`).
    pub(super) fn admit_by_quota(
        &self,
        resource: &Resource,
        subject: &Subject,
        namespace: &str,
    ) -> Result<(), Refusal> {
        let names = [
            resource.plural.clone(),
            format!("count/{}", subject.resource()),
        ];
        for quota in self.list(&Kind::RESOURCE_QUOTA, Some(namespace)) {
            for name in &names {
                let limit = quota.at("/spec/hard").and_then(|hard| hard.get(name));
                let Some(limit) = limit.and_then(number) else {
                    continue;
                };
                let used = self.count(&resource.kind, namespace);
                if u64::try_from(used).unwrap_or(u64::MAX) >= limit {
                    let quota = quota.text("/metadata/name").unwrap_or_default();
                    return Err(Refusal::forbidden(
                        subject,
                        &format!(
                            "exceeded quota: {quota}, requested: {name}=1, used: {name}={used}, \
                             limited: {name}={limit}"
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Returns how many objects count for a name of a quota, as `pods` or `count/deployments.apps`;
    /// `None` where it counts something else.
    pub(in crate::sim) fn used(&self, name: &str, namespace: &str) -> Option<usize> {
        let named = name.strip_prefix("count/").unwrap_or(name);
        let (plural, group) = named.split_once('.').unwrap_or((named, ""));
        let resource = self.registry().find(group, plural)?;
        Some(self.count(&resource.kind, namespace))
    }

    fn count(&self, kind: &Kind, namespace: &str) -> usize {
        let all = self.list(kind, Some(namespace));
        all.filter(|object| !has_ended(object.value())).count()
    }
}

/// A pod that has run to its end takes no room.
fn has_ended(object: &Value) -> bool {
    let phase = object.pointer("/status/phase").and_then(Value::as_str);
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn number(quantity: &Value) -> Option<u64> {
    match quantity {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
