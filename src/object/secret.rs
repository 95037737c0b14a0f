//! Secrets: one spelling of their values.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::Object;

impl Object {
    /// Writes the `stringData` of a Secret as `data`, as the API server stores it.
    ///
    /// An apply with `stringData` owns fields that the stored object does not have: a value that
    /// someone changed would not be noticed, and one that Git drops would stay. What is no text is
    /// left for the API server to refuse; other kinds stay as they are.
    pub fn fold_string_data(&mut self) {
        if self.api_version() != "v1" || self.kind() != "Secret" {
            return;
        }
        let Some(texts) = self.at("/stringData").and_then(Value::as_object).cloned() else {
            return;
        };
        let has_place = self.at("/data").is_none_or(Value::is_object);
        if !has_place || !texts.values().all(Value::is_string) {
            return;
        }
        self.remove(&["stringData"]);
        for (key, text) in texts {
            let text = text.as_str().unwrap_or_default();
            self.set(&["data", &key], json!(BASE64_STANDARD.encode(text)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(mut value: Value) -> Value {
        value["apiVersion"] = json!("v1");
        value["metadata"] = json!({"name": "token"});
        let mut object = Object::new(value).unwrap();
        object.fold_string_data();
        object.value().clone()
    }

    #[test]
    fn string_data_wins_over_data_and_is_gone() {
        let secret = folded(json!({
            "kind": "Secret",
            "data": {"a.b": "b2xk", "c": "Yw=="},
            "stringData": {"a.b": "new"},
        }));
        assert_eq!(secret["data"], json!({"a.b": "bmV3", "c": "Yw=="}));
        assert!(secret.get("stringData").is_none());
    }

    #[test]
    fn what_is_no_text_and_other_kinds_are_left() {
        let number = folded(json!({"kind": "Secret", "stringData": {"a": 1}}));
        assert_eq!(number["stringData"], json!({"a": 1}));
        let other = folded(json!({"kind": "ConfigMap", "stringData": {"a": "b"}}));
        assert_eq!(other["stringData"], json!({"a": "b"}));
    }
}
