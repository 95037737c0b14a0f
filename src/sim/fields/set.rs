//! Sets of fields of one object, and their form `fieldsV1`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::sim::schema::{List, Order, Schema};

/// One step of the path to a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A key of an object.
    Field(String),
    /// The item of a keyed list that has these values, as sorted JSON.
    Key(String),
    /// The item of a set that is this value, as JSON.
    Value(String),
    /// A place in a list.
    Index(usize),
}

impl Step {
    /// Returns the step to an item of a list; `None` for an atomic list or where a key is missing
    /// that has no default.
    #[must_use]
    pub fn to_item(list: &List, item: &Value) -> Option<Self> {
        match &list.order {
            Order::Atomic => None,
            Order::Set => Some(Self::Value(item.to_string())),
            Order::Keyed(keys) => {
                let mut key = Map::new();
                for (name, default) in keys {
                    let value = item.get(name).or(default.as_ref());
                    if let Some(value) = value {
                        key.insert(name.clone(), value.clone());
                    }
                }
                (!key.is_empty()).then(|| Self::Key(Value::Object(key).to_string()))
            }
        }
    }

    fn encoded(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(key) => format!("k:{key}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(at) => format!("i:{at}"),
        }
    }

    fn decoded(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => serde_json::from_str::<Value>(rest)
                .ok()
                .map(|key| Self::Key(key.to_string())),
            "v" => Some(Self::Value(rest.to_owned())),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }
}

/// As the API server writes it in conflicts: `.spec`, `[name="web"]`, `[="a"]`, `[0]`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(key) => {
                let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let parts: Vec<String> = key
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                write!(f, "[{}]", parts.join(","))
            }
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(at) => write!(f, "[{at}]"),
        }
    }
}

/// A set of fields: a tree in which some places are members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    is_member: bool,
    below: BTreeMap<Step, Self>,
}

impl Fields {
    /// Says whether it has no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_member && self.below.values().all(Self::is_empty)
    }

    /// Says whether this very place is a member.
    #[must_use]
    pub const fn is_member(&self) -> bool {
        self.is_member
    }

    /// Makes this very place a member.
    pub const fn insert(&mut self) {
        self.is_member = true;
    }

    /// Returns what is behind a step, made where it is missing.
    pub fn enter(&mut self, step: Step) -> &mut Self {
        self.below.entry(step).or_default()
    }

    /// Returns what is behind a step.
    #[must_use]
    pub fn at(&self, step: &Step) -> Option<&Self> {
        self.below.get(step)
    }

    /// Makes the field at `path` a member.
    pub fn insert_at(&mut self, path: &[&str]) {
        let mut here = self;
        for key in path {
            here = here.enter(Step::Field((*key).to_owned()));
        }
        here.insert();
    }

    /// Returns the members of both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.is_member |= other.is_member;
        for (step, theirs) in &other.below {
            let ours = all.below.entry(step.clone()).or_default();
            *ours = ours.union(theirs);
        }
        all
    }

    /// Returns the members that `other` has too.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let below = self.below.iter().filter_map(|(step, ours)| {
            let both = ours.intersection(other.below.get(step)?);
            (!both.is_empty()).then(|| (step.clone(), both))
        });
        Self {
            is_member: self.is_member && other.is_member,
            below: below.collect(),
        }
    }

    /// Returns the members that `other` does not have.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let below = self.below.iter().filter_map(|(step, ours)| {
            let rest = match other.below.get(step) {
                Some(theirs) => ours.difference(theirs),
                None => ours.clone(),
            };
            (!rest.is_empty()).then(|| (step.clone(), rest))
        });
        Self {
            is_member: self.is_member && !other.is_member,
            below: below.collect(),
        }
    }

    /// Takes away the field at `path` with all that is in it.
    pub fn cut(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let step = Step::Field((*first).to_owned());
        if rest.is_empty() {
            self.below.remove(&step);
        } else if let Some(below) = self.below.get_mut(&step) {
            below.cut(rest);
            if below.is_empty() {
                self.below.remove(&step);
            }
        }
    }

    /// Keeps of the fields at the top only `names`.
    pub fn keep(&mut self, names: &[&str]) {
        self.below.retain(|step, _| match step {
            Step::Field(name) => names.contains(&name.as_str()),
            Step::Key(_) | Step::Value(_) | Step::Index(_) => true,
        });
    }

    /// Returns the same set where every place on the way to a member that is a named field of the
    /// schema is a member too.
    #[must_use]
    pub fn with_named_fields(&self, schema: &Schema) -> Self {
        let mut all = self.clone();
        for (step, below) in &mut all.below {
            let (inner, is_named) = match (step, schema) {
                (Step::Field(name), _) => (schema.field(name), schema.names(name)),
                (_, Schema::List(list)) => (list.of.as_ref(), false),
                (Step::Key(_) | Step::Value(_) | Step::Index(_), _) => (&Schema::Untyped, false),
            };
            *below = below.with_named_fields(inner);
            below.is_member |= is_named;
        }
        all
    }

    /// Returns the path of every member, as people read it.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, path: &str, paths: &mut Vec<String>) {
        if self.is_member {
            paths.push(path.to_owned());
        }
        for (step, below) in &self.below {
            below.collect(&format!("{path}{step}"), paths);
        }
    }

    /// Returns the form `fieldsV1`.
    #[must_use]
    pub fn encode(&self) -> Value {
        let mut map = Map::new();
        for (step, below) in self.below.iter().filter(|(_, below)| !below.is_empty()) {
            let mut inner = below.encode();
            if below.is_member
                && let Value::Object(inner) = &mut inner
                && !inner.is_empty()
            {
                inner.insert(".".to_owned(), Value::Object(Map::new()));
            }
            map.insert(step.encoded(), inner);
        }
        Value::Object(map)
    }

    /// Reads the form `fieldsV1`; what is not understood is left out.
    #[must_use]
    pub fn decode(encoded: &Value) -> Self {
        let mut fields = Self::default();
        for (key, inner) in encoded.as_object().into_iter().flatten() {
            if let Some(step) = Step::decoded(key) {
                let mut below = Self::decode(inner);
                let is_leaf = inner.as_object().is_none_or(Map::is_empty);
                below.is_member = is_leaf || inner.get(".").is_some();
                fields.below.insert(step, below);
            }
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {
            "f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}, "f:name": {}}},
            "f:finalizers": {"v:\"a\"": {}},
        }})
    }

    #[test]
    fn the_text_form_is_read_and_written_alike() {
        assert_eq!(Fields::decode(&sample()).encode(), sample());
    }

    #[test]
    fn members_are_named_as_the_api_server_names_them() {
        let paths = Fields::decode(&sample()).paths();
        let expected = [
            ".metadata.labels",
            ".metadata.labels.app",
            ".spec.containers[name=\"web\"]",
            ".spec.containers[name=\"web\"].image",
            ".spec.containers[name=\"web\"].name",
            ".spec.finalizers[=\"a\"]",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn sets_are_joined_cut_and_compared() {
        let all = Fields::decode(&sample());
        let labels = Fields::decode(&json!({"f:metadata": {"f:labels": {"f:app": {}}}}));
        assert_eq!(all.intersection(&labels), labels);
        assert_eq!(all.difference(&labels).union(&labels), all);
        assert!(labels.difference(&all).is_empty());
        let mut cut = all.clone();
        cut.cut(&["spec"]);
        assert_eq!(cut.paths().len(), 2);
    }
}
