//! Label and field selectors.

mod query;

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What labels must be like; all requirements hold at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl Labels {
    /// Reads a selector of an object (`metav1.LabelSelector`, or a plain map of labels).
    #[must_use]
    pub fn of(selector: &Value) -> Self {
        let mut all = Vec::new();
        let is_plain = selector
            .get("matchLabels")
            .is_none_or(|labels| !labels.is_object())
            && !selector
                .get("matchExpressions")
                .is_some_and(Value::is_array);
        let labels = if is_plain {
            selector.as_object()
        } else {
            selector.get("matchLabels").and_then(Value::as_object)
        };
        for (key, value) in labels.into_iter().flatten() {
            if let Some(value) = value.as_str() {
                all.push(requirement(key, Test::In(vec![value.to_owned()])));
            }
        }
        let expressions = selector.get("matchExpressions").and_then(Value::as_array);
        for expression in expressions.into_iter().flatten() {
            let values = expression.get("values").and_then(Value::as_array);
            let values = values
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(ToOwned::to_owned)
                .collect();
            let test = match expression["operator"].as_str() {
                Some("NotIn") => Test::NotIn(values),
                Some("Exists") => Test::Exists,
                Some("DoesNotExist") => Test::Absent,
                _ => Test::In(values),
            };
            all.push(requirement(
                expression["key"].as_str().unwrap_or_default(),
                test,
            ));
        }
        Self(all)
    }

    /// Reads the text of a query, as `app=web,tier notin (a,b),!old`.
    ///
    /// # Errors
    /// 400 where it is no selector.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let all = query::requirements(text).map_err(Refusal::bad_request)?;
        Ok(Self(all))
    }

    /// Says whether labels fulfil it; an empty selector fits all.
    #[must_use]
    pub fn fit(&self, labels: Option<&Map<String, Value>>) -> bool {
        self.0.iter().all(|Requirement { key, test }| {
            let value = labels.and_then(|labels| labels.get(key)?.as_str());
            match test {
                Test::In(values) => value.is_some_and(|value| values.iter().any(|v| v == value)),
                Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|v| v != value)),
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::Above(least) => number(value).is_some_and(|number| number > *least),
                Test::Below(most) => number(value).is_some_and(|number| number < *most),
            }
        })
    }

    /// Says whether it asks for nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns its text, as `status.selector` of a Scale says it.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = self.0.iter().map(|Requirement { key, test }| match test {
            Test::In(values) if values.len() == 1 => format!("{key}={}", values[0]),
            Test::In(values) => format!("{key} in ({})", values.join(",")),
            Test::NotIn(values) => format!("{key} notin ({})", values.join(",")),
            Test::Exists => key.clone(),
            Test::Absent => format!("!{key}"),
            Test::Above(least) => format!("{key}>{least}"),
            Test::Below(most) => format!("{key}<{most}"),
        });
        let mut parts: Vec<String> = parts.collect();
        parts.sort_unstable();
        parts.join(",")
    }
}

fn requirement(key: &str, test: Test) -> Requirement {
    Requirement {
        key: key.trim().to_owned(),
        test,
    }
}

fn number(value: Option<&str>) -> Option<i64> {
    value?.parse().ok()
}

/// What fields must be like, as `metadata.name=web,status.phase!=Running`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldsOf(Vec<(String, bool, String)>);

impl FieldsOf {
    /// Reads the text of a query.
    ///
    /// # Errors
    /// 400 where it is no selector.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut all = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (key, is_equal, value) = if let Some((key, value)) = part.split_once("!=") {
                (key, false, value)
            } else if let Some((key, value)) = part.split_once("==") {
                (key, true, value)
            } else if let Some((key, value)) = part.split_once('=') {
                (key, true, value)
            } else {
                return Err(Refusal::bad_request(format!(
                    "invalid selector: '{text}'; can't understand '{part}'"
                )));
            };
            all.push((key.trim().to_owned(), is_equal, value.trim().to_owned()));
        }
        Ok(Self(all))
    }

    /// Says whether an object fulfils it. A field that is not there is an empty text.
    #[must_use]
    pub fn fit(&self, object: &Value) -> bool {
        self.0.iter().all(|(path, is_equal, wanted)| {
            let pointer = format!("/{}", path.replace('.', "/"));
            let value = match object.pointer(&pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => String::new(),
                Some(other) => other.to_string(),
            };
            (value == *wanted) == *is_equal
        })
    }

    /// Returns the name that it asks for, where it does.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let found = self
            .0
            .iter()
            .find(|(path, is_equal, _)| path == "metadata.name" && *is_equal);
        found.map(|(_, _, name)| name.as_str())
    }

    /// Returns the fields that it asks about.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(path, _, _)| path.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(selector: &str, labels: &Value) -> bool {
        Labels::parse(selector)
            .expect("a selector")
            .fit(labels.as_object())
    }

    #[test]
    fn selectors_are_read_as_kubectl_writes_them() {
        let labels = json!({"app": "web", "tier": "front"});
        for selector in [
            "app=web",
            "app==web,tier!=back",
            "app in (web,api)",
            "tier notin (back)",
            "app,!old",
            "",
        ] {
            assert!(fits(selector, &labels), "{selector}");
        }
        for selector in ["app=api", "old", "!app", "app notin (web)"] {
            assert!(!fits(selector, &labels), "{selector}");
        }
        assert!(Labels::parse("a b c").is_err());
    }

    #[test]
    fn a_selector_of_an_object_says_itself_in_text() {
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]}]});
        let labels = Labels::of(&selector);
        assert_eq!(labels.text(), "app=web,tier in (a,b)");
        assert!(labels.fit(json!({"app": "web", "tier": "a"}).as_object()));
        assert!(!labels.fit(json!({"app": "web"}).as_object()));
    }

    #[test]
    fn fields_that_are_missing_are_empty() {
        let object = json!({"metadata": {"name": "a"}, "spec": {}});
        let fits = |text: &str| FieldsOf::parse(text).expect("a selector").fit(&object);
        assert!(fits("metadata.name=a,spec.nodeName="));
        assert!(!fits("spec.nodeName=x"));
        assert!(fits("status.phase!=Running"));
    }
}
