//! Keyed digests in place of the values of Secrets.

use std::sync::LazyLock;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// The annotation in which client-side `kubectl apply` keeps a copy of all values.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// One key a process, so that a digest tells nothing outside of it.
static KEY: LazyLock<[u8; 32]> = LazyLock::new(random);

/// Replaces every value of a Secret, or of each Secret of a list, by a digest keyed for this
/// process: equal values have equal digests, and the value cannot be told.
///
/// Everything that this room returns went through it. Manifests that are to be compared with live
/// objects, or shown, have to go through it too. Other kinds stay as they are.
pub fn seal(object: &mut Value) {
    if object["apiVersion"] != "v1" {
        return;
    }
    match object["kind"].as_str() {
        Some("Secret") => seal_secret(object),
        Some("SecretList") => {
            let items = object.get_mut("items").and_then(Value::as_array_mut);
            items.into_iter().flatten().for_each(seal_secret);
        }
        Some(_) | None => {}
    }
}

fn seal_secret(secret: &mut Value) {
    for field in ["data", "stringData"] {
        match secret.get_mut(field) {
            Some(Value::Object(values)) => values.values_mut().for_each(seal_value),
            Some(Value::Null) | None => {}
            Some(malformed) => seal_value(malformed),
        }
    }
    let annotations = secret
        .get_mut("metadata")
        .and_then(|meta| meta.get_mut("annotations"));
    if let Some(copy) = annotations.and_then(|all| all.get_mut(LAST_APPLIED)) {
        seal_value(copy);
    }
}

fn seal_value(value: &mut Value) {
    let mut mac = Hmac::<Sha256>::new_from_slice(&*KEY).expect("HMAC takes keys of any length");
    match &*value {
        Value::String(text) => mac.update(text.as_bytes()),
        other => mac.update(other.to_string().as_bytes()),
    }
    let digest = hex::encode(mac.finalize().into_bytes());
    *value = format!("sealed:{}", &digest[..32]).into();
}

/// Eight hex digits that no other process has.
pub(super) fn nonce() -> String {
    hex::encode(random::<4>())
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let provider = rustls::crypto::ring::default_provider();
    provider
        .secure_random
        .fill(&mut bytes)
        .expect("the system has a source of randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_values_stay_equal_and_none_can_be_read() {
        let secret = |value: &str| {
            let copy = format!("{{\"stringData\":\"{value}\"}}");
            json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "db", "annotations": {LAST_APPLIED: copy, "team": "shop"}},
                "data": {"password": value}, "stringData": {"password": value}})
        };
        let (mut one, mut same, mut other) = (secret("canary"), secret("canary"), secret("bird"));
        [&mut one, &mut same, &mut other].into_iter().for_each(seal);
        assert_eq!(one, same);
        assert_ne!(one["data"], other["data"]);
        assert!(!one.to_string().contains("canary"), "{one}");
        assert_eq!(one["metadata"]["annotations"]["team"], "shop");
    }

    #[test]
    fn secrets_of_a_list_and_malformed_data_are_sealed_too() {
        let mut list = json!({"apiVersion": "v1", "kind": "SecretList",
            "items": [{"metadata": {"name": "a"}, "data": "canary"}, {"data": {"k": ["canary"]}}]});
        seal(&mut list);
        assert!(!list.to_string().contains("canary"), "{list}");
    }

    #[test]
    fn other_kinds_stay_as_they_are() {
        for kind in [
            json!(["v1", "ConfigMap"]),
            json!(["example.dev/v1", "Secret"]),
        ] {
            let before = json!({"apiVersion": kind[0], "kind": kind[1], "data": {"a": "b"}});
            let mut after = before.clone();
            seal(&mut after);
            assert_eq!(before, after);
        }
    }
}
