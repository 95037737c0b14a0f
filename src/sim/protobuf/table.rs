//! The numbers of fields, which OpenAPI does not tell.

use std::collections::HashMap;
use std::sync::LazyLock;

/// One type a line: its name, then its fields in the order of their numbers, which begin at 1; a
/// number stands where they go on with another one than the next. `+` is a type whose fields stand
/// among those of the outer one in JSON, `~` a field that Go does not write while it is zero.
///
/// Source: the protobuf and JSON tags of the types of `k8s.io/api` and `k8s.io/apimachinery` 1.36.
const FIELDS: &str = include_str!("fields.txt");

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A field of JSON.
    Named {
        name: &'static str,
        is_absent_at_zero: bool,
    },
    /// A message whose fields stand among those of the outer one.
    Within(&'static str),
}

type Message = HashMap<u32, Entry>;

static TABLE: LazyLock<HashMap<&str, Message>> = LazyLock::new(|| {
    FIELDS
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, message(words)))
        })
        .collect()
});

fn message(words: impl Iterator<Item = &'static str>) -> Message {
    let mut next = 1;
    let mut message = Message::new();
    for word in words {
        if let Ok(number) = word.parse() {
            next = number;
            continue;
        }
        let entry = match word.strip_prefix('+') {
            Some(inner) => Entry::Within(inner),
            None => Entry::Named {
                name: word.trim_end_matches('~'),
                is_absent_at_zero: word.ends_with('~'),
            },
        };
        message.insert(next, entry);
        next += 1;
    }
    message
}

/// Returns the fields of a type, as `apps.v1.Deployment` or with the whole name of its definition.
pub(super) fn of(name: &str) -> Option<&'static Message> {
    let short = ["io.k8s.api.", "io.k8s.apimachinery.pkg.apis."]
        .iter()
        .find_map(|start| name.strip_prefix(start));
    TABLE.get(short.unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::schema::definition;

    /// Fields that came after the version of which the types are.
    const NEWER: usize = 60;

    #[test]
    fn numbers_leave_gaps() {
        let spec = of("io.k8s.api.apps.v1.DeploymentSpec").expect("there");
        let named = |name, is_absent_at_zero| {
            Some(Entry::Named {
                name,
                is_absent_at_zero,
            })
        };
        assert_eq!(spec.get(&7).copied(), named("paused", true));
        assert_eq!(spec.get(&8), None);
        assert_eq!(
            spec.get(&9).copied(),
            named("progressDeadlineSeconds", false)
        );
        let volume = of("core.v1.Volume").expect("there");
        assert_eq!(volume.get(&2), Some(&Entry::Within("core.v1.VolumeSource")));
    }

    #[test]
    fn fields_are_those_of_the_definitions() {
        let mut unknown = Vec::new();
        for (of, message) in TABLE.iter() {
            let groups = ["io.k8s.api.", "io.k8s.apimachinery.pkg.apis."];
            let Some(definition) = groups
                .iter()
                .find_map(|start| definition(&format!("{start}{of}")))
            else {
                continue;
            };
            for entry in message.values() {
                if let Entry::Named { name, .. } = entry
                    && definition["properties"].get(name).is_none()
                {
                    unknown.push(format!("{of}.{name}"));
                }
            }
        }
        assert!(unknown.len() <= NEWER, "{}: {unknown:?}", unknown.len());
    }
}
