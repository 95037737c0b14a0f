//! Paths of fields as the API server writes them in what it refuses.
//!
//! Validation writes `spec.containers[0].image` and `data[key]` (`field.Path` of apimachinery),
//! server-side apply `.spec.containers[name="web"].image` (`PathElement` of structured-merge-diff).

use serde_json::Value;

use crate::revision::Position;
use crate::yaml::Node;

/// Returns where a document has a field, or the deepest part of its path that is there.
pub(super) fn position(document: &Node, field: &str) -> Position {
    let (mut here, mut position) = (document, document.position);
    for step in steps(field) {
        let Some((at, below)) = enter(here, step) else {
            break;
        };
        (here, position) = (below, at);
    }
    position
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'a> {
    Key(&'a str),
    /// What stands in brackets: an index, a key, or what tells an item from others.
    Bracket(&'a str),
}

fn steps(field: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = field;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').unwrap_or(inner.len());
            steps.push(Step::Bracket(&inner[..end]));
            rest = inner.get(end + 1..).unwrap_or_default();
        } else {
            let key = rest.strip_prefix('.').unwrap_or(rest);
            let end = key.find(['.', '[']).unwrap_or(key.len());
            if end > 0 {
                steps.push(Step::Key(&key[..end]));
            }
            rest = &key[end..];
        }
    }
    steps
}

fn enter<'n>(node: &'n Node, step: Step<'_>) -> Option<(Position, &'n Node)> {
    let entry = |wanted: &str| {
        let found = node.entries().iter().find(|(key, _)| key.text == wanted);
        found.map(|(key, below)| (key.position, below))
    };
    match (step, node.items()) {
        (Step::Key(key) | Step::Bracket(key), None) => entry(key),
        (Step::Key(_), Some(_)) => None,
        (Step::Bracket(which), Some(items)) => {
            let found = match which.parse::<usize>() {
                Ok(index) => items.get(index),
                Err(_) => items.iter().find(|item| is_meant(item, which)),
            };
            found.map(|item| (item.position, item))
        }
    }
}

/// Says whether an item of a list has all of `name="web",port=80`; `="web"` is the item itself.
fn is_meant(item: &Node, which: &str) -> bool {
    which.split(',').all(|part| {
        let Some((key, written)) = part.split_once('=') else {
            return false;
        };
        let value = serde_json::from_str::<Value>(written).unwrap_or_default();
        let found = if key.is_empty() {
            Some(item)
        } else {
            item.at(&[key])
        };
        found.is_some_and(|found| found.value() == value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Budget, read};

    const WEB: &str = "\
kind: Deployment
metadata:
  annotations: {a.b/c: x}
spec:
  template:
    spec:
      containers:
      - name: web
        ports:
        - {containerPort: 80, protocol: TCP}
      - name: log
        imagge: log:1
";

    fn place(field: &str) -> (u32, u32) {
        let thread = std::thread::Builder::new().stack_size(crate::yaml::STACK);
        let read = || read("web.yaml", WEB.as_bytes(), &mut Budget::default());
        let nodes = thread.spawn(read).unwrap().join().unwrap().unwrap();
        let at = position(&nodes[0], field);
        (at.line, at.column)
    }

    #[test]
    fn a_field_is_found_by_both_ways_to_write_its_path() {
        for (field, at) in [
            ("spec.template.spec.containers[1].imagge", (12, 9)),
            (
                ".spec.template.spec.containers[name=\"log\"].imagge",
                (12, 9),
            ),
            (
                "spec.template.spec.containers[0].ports[0].protocol",
                (10, 31),
            ),
            (
                ".spec.template.spec.containers[name=\"web\"].ports[containerPort=80,protocol=\"TCP\"].protocol",
                (10, 31),
            ),
            ("metadata.annotations[a.b/c]", (3, 17)),
        ] {
            assert_eq!(place(field), at, "{field}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_at_the_deepest_part_that_is() {
        assert_eq!(place("spec.selector"), (4, 1));
        assert_eq!(place("spec.template.spec.containers[0].image"), (8, 9));
        assert_eq!(place("spec.template.spec.containers[7]"), (7, 7));
        assert_eq!(place("metadata.annotations.a.b/c"), (3, 3));
        assert_eq!(place("status"), (1, 1));
        assert_eq!(place("[[]..x"), (1, 1));
        assert_eq!(place(""), (1, 1));
    }
}
