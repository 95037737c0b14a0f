//! Everything of a document that does not fit its type, for whoever has no API server at hand.

use serde_json::Value;

use super::{Scalar, Schema};
use crate::object::hint;

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where, as `spec.template.spec.containers[0].imag`.
    pub path: String,
    /// What is the matter.
    pub words: String,
}

/// Returns the fields that a type does not have and the values that are of another type, as
/// server-side apply refuses them (`structured-merge-diff`, `typed/validate.go`).
#[must_use]
pub fn misfits(schema: &Schema, value: &Value) -> Vec<Misfit> {
    let mut found = Vec::new();
    walk(schema, value, "", &mut found);
    found
}

fn walk(schema: &Schema, value: &Value, path: &str, found: &mut Vec<Misfit>) {
    match (schema, value) {
        (Schema::Untyped, _) | (_, Value::Null) => {}
        (Schema::Struct(object), Value::Object(map)) => {
            for (key, value) in map {
                let below = join(path, key);
                match object.fields.get(key) {
                    Some(schema) => walk(schema, value, &below, found),
                    None if object.is_open => {}
                    None => {
                        let known = object.fields.keys().map(String::as_str);
                        let words = format!("there is no field `{key}` here{}", hint(key, known));
                        found.push(Misfit { path: below, words });
                    }
                }
            }
        }
        (Schema::Map { of, .. }, Value::Object(map)) => {
            for (key, value) in map {
                walk(of, value, &format!("{path}[{key}]"), found);
            }
        }
        (Schema::List(list), Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                walk(&list.of, item, &format!("{path}[{at}]"), found);
            }
        }
        (Schema::Scalar(scalar), value) if scalar.takes(value) => {}
        (Schema::Scalar(scalar), _) => found.push(mistyped(path, scalar.noun(), value)),
        (Schema::Struct(_) | Schema::Map { .. }, _) => {
            found.push(mistyped(path, "an object", value));
        }
        (Schema::List(_), _) => found.push(mistyped(path, "a list", value)),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn mistyped(path: &str, wanted: &str, value: &Value) -> Misfit {
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false: quote it if a text is meant",
        Value::Number(_) => "a number: quote it if a text is meant",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let is = if wanted == "a text" {
        is
    } else {
        is.split_once(':').map_or(is, |(is, _)| is)
    };
    Misfit {
        path: path.to_owned(),
        words: format!("it has to be {wanted}, and is {is}"),
    }
}

impl Scalar {
    fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text, Value::String(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::Number, Value::Number(_))
            | (Self::NumberOrText, Value::Number(_) | Value::String(_)) => true,
            (Self::Integer, Value::Number(number)) => {
                number.is_i64()
                    || number.is_u64()
                    || number.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            (
                Self::Text | Self::Bool | Self::Number | Self::NumberOrText | Self::Integer,
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_),
            ) => false,
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::NumberOrText => "a number or a text",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(definition: &str, value: &Value) -> Vec<String> {
        let schema = Schema::of_definition(definition);
        let told = misfits(&schema, value).into_iter();
        told.map(|one| format!("{}: {}", one.path, one.words))
            .collect()
    }

    #[test]
    fn every_typo_and_every_wrong_type_is_found() {
        let deployment = json!({"spec": {
            "replicas": "three", "paused": true, "foo": 1,
            "template": {
                "metadata": {"labels": {"a.b/c": 1}},
                "spec": {"containers": [
                    {"name": "x", "image": "nginx", "imag": "z"},
                    {"name": "y", "args": "a", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
                     "ports": [{"containerPort": 80}],
                     "readinessProbe": {"httpGet": {"port": "http"}}},
                ]},
            },
        }});
        let pod = "spec.template.spec.containers";
        let mut told = of("io.k8s.api.apps.v1.Deployment", &deployment);
        told.sort();
        assert_eq!(
            told,
            [
                "spec.foo: there is no field `foo` here".to_owned(),
                "spec.replicas: it has to be a whole number, and is a text".to_owned(),
                "spec.template.metadata.labels[a.b/c]: it has to be a text, and is a number: \
                 quote it if a text is meant"
                    .to_owned(),
                format!("{pod}[0].imag: there is no field `imag` here; did you mean `image`?"),
                format!("{pod}[1].args: it has to be a list, and is a text"),
            ]
        );
    }

    #[test]
    fn what_is_open_takes_anything_and_null_is_nothing() {
        let config = json!({"data": null, "immutable": true, "binaryData": {"a": "YQ=="}});
        assert_eq!(of("io.k8s.api.core.v1.ConfigMap", &config), [""; 0]);
    }
}
