//! What the README says of the fields.

use serde_json::Value;
use tidegate::config;

const README: &str = include_str!("../../README.md");
const EXAMPLE: &str = include_str!("../../examples/gitsync.yaml");

/// The paths of all fields below a value; a policy is told elsewhere.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if path != "rollout" => {
            for (name, below) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                paths(below, &format!("{path}{dot}{name}"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn the_readme_names_every_field_of_a_gitsync() {
    let syncs = config::read(EXAMPLE, "examples/gitsync.yaml").unwrap();
    let document = serde_json::to_value(&syncs[0]).unwrap();
    let mut found = Vec::new();
    paths(&document["spec"], "", &mut found);
    assert!(found.len() > 20, "{found:?}");
    for path in found {
        let last = path.rsplit('.').next().unwrap();
        let named =
            README.contains(&format!("| `{path}`")) || README.contains(&format!(", `.{last}` |"));
        assert!(named, "the README does not name `{path}`");
    }
}
