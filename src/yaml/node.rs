//! JSON with the position of every part.

use serde_json::{Map, Value};

use crate::revision::Position;

/// A JSON value and where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value starts.
    pub position: Position,
    /// The value.
    pub content: Content,
}

/// What a [`Node`] holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text; no key is there twice.
    Map(Vec<(Key, Node)>),
}

/// A key of a map and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub text: String,
    /// Where it starts.
    pub position: Position,
}

impl Node {
    /// Returns `value` as a node whose parts all are at `position`.
    #[must_use]
    pub fn of(value: &Value, position: Position) -> Self {
        let content = match value {
            Value::Array(items) => {
                Content::List(items.iter().map(|item| Self::of(item, position)).collect())
            }
            Value::Object(map) => Content::Map(
                map.iter()
                    .map(|(key, item)| {
                        (
                            Key {
                                text: key.clone(),
                                position,
                            },
                            Self::of(item, position),
                        )
                    })
                    .collect(),
            ),
            scalar => Content::Scalar(scalar.clone()),
        };
        Self { position, content }
    }

    /// Returns the entries of a map; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.content {
            Content::Map(entries) => entries,
            Content::Scalar(_) | Content::List(_) => &[],
        }
    }

    /// Returns the items of a list, `None` for anything else.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match &self.content {
            Content::List(items) => Some(items),
            Content::Scalar(_) | Content::Map(_) => None,
        }
    }

    /// Returns the string that it is.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(value) => value.as_str(),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Says whether it is a map.
    #[must_use]
    pub fn is_map(&self) -> bool {
        matches!(self.content, Content::Map(_))
    }

    /// Says whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(Value::Null))
    }

    /// Returns the value at a path of keys.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter()
            .try_fold(self, |node, key| Some(&node.entry(key)?.1))
    }

    /// Returns the position of the key at a path of keys, or of the deepest one that is there.
    #[must_use]
    pub fn position_of(&self, path: &[&str]) -> Position {
        let (mut here, mut position) = (self, self.position);
        for key in path {
            let Some((key, node)) = here.entry(key) else {
                break;
            };
            (here, position) = (node, key.position);
        }
        position
    }

    /// Returns the value without positions.
    #[must_use]
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::value).collect(),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, node)| (key.text.clone(), node.value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Says in one word what it is, for messages: `a number`, `a map`, …
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match &self.content {
            Content::Scalar(Value::Bool(_)) => "a boolean",
            Content::Scalar(Value::Number(_)) => "a number",
            Content::Scalar(Value::String(_)) => "a string",
            Content::Scalar(_) => "null",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }

    fn entry(&self, key: &str) -> Option<&(Key, Self)> {
        self.entries().iter().find(|(have, _)| have.text == key)
    }
}
