//! Pod templates: their hash and when two are the same.

use serde_json::Value;

use super::super::seed::LETTERS;

/// The label by which the pods of a ReplicaSet are told apart.
pub(super) const HASH: &str = "pod-template-hash";

/// Returns the hash of a template in the form of the real one: FNV-1a of 32 bits, spelled in safe
/// letters (`ComputeHash`, `SafeEncodeString`). It is taken over JSON, not over a dump of Go
/// structures, so that the hash is another one than a real cluster gives the same template.
pub(super) fn hash(template: &Value, collisions: Option<i64>) -> String {
    let mut text = template.to_string();
    if let Some(collisions) = collisions {
        text.push_str(&collisions.to_string());
    }
    let number = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let digits = number.to_string();
    digits
        .bytes()
        .map(|digit| char::from(LETTERS[usize::from(digit) % LETTERS.len()]))
        .collect()
}

/// Says whether two templates are the same but for the hash label (`EqualIgnoreHash`).
pub(super) fn is_same(left: &Value, right: &Value) -> bool {
    left.get("spec") == right.get("spec")
        && entries(left, "annotations").eq(entries(right, "annotations"))
        && entries(left, "labels").eq(entries(right, "labels"))
}

fn entries<'a>(template: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let map = template
        .get("metadata")
        .and_then(|metadata| metadata.get(key));
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries.filter(|(name, _)| *name != HASH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_hash_is_repeatable_and_changes_with_the_template_and_collisions() {
        let template = json!({"spec": {"containers": []}});
        assert_eq!(hash(&template, None), hash(&template, None));
        assert_ne!(hash(&template, None), hash(&template, Some(1)));
        assert_ne!(hash(&template, None), hash(&json!({"spec": {}}), None));
        assert!(
            hash(&template, None)
                .bytes()
                .all(|byte| LETTERS.contains(&byte))
        );
    }

    #[test]
    fn templates_are_compared_without_the_hash_label() {
        let plain = json!({"metadata": {"labels": {"app": "web"}}});
        let marked = json!({"metadata": {"labels": {"app": "web", HASH: "abc"}}});
        assert!(is_same(&plain, &marked));
        assert!(!is_same(
            &plain,
            &json!({"metadata": {"labels": {"app": "api"}}})
        ));
    }
}
