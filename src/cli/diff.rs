//! `tidegate diff`: the live objects against Git, field by field.

use std::fmt::Write as _;

use serde_json::Value;

use crate::plan::FieldChange;
use crate::sync::{Change, Preview, Verb};

use super::Exit;
use super::failure::Failure;
use super::look::{Arguments, look};
use super::plan::verdict;
use super::table::{Tint, paint, plain};

pub(super) async fn run(asked: Arguments) -> Result<Exit, Failure> {
    let looked = look(&asked).await?;
    let is_colourful = asked.show.is_colourful();
    asked.show.one(&looked, || text(&looked, is_colourful))?;
    Ok(verdict(&looked))
}

fn text(looked: &Preview, is_colourful: bool) -> String {
    if looked.refused.is_some() {
        return super::plan::text(looked, is_colourful);
    }
    let mut text = String::new();
    for change in &looked.changes {
        text.push_str(&section(change, is_colourful));
    }
    let _ = writeln!(
        text,
        "{} objects differ, {} do not",
        looked.changes.len(),
        looked.unchanged
    );
    text
}

fn section(change: &Change, is_colourful: bool) -> String {
    let (sign, tint, fate) = match change.verb {
        Verb::Create => ("+", Tint::Good, "will be created"),
        Verb::Prune => ("-", Tint::Bad, "will be deleted"),
        Verb::Keep => ("=", Tint::Plain, "stays"),
        Verb::Hold => ("=", Tint::Busy, "is held"),
        Verb::Refuse => ("!", Tint::Bad, "is refused"),
        Verb::Adopt | Verb::Update | Verb::Roll | Verb::GoBack | Verb::Correct => {
            ("~", Tint::Busy, change.verb.word())
        }
    };
    let detail = if change.detail.is_empty() {
        String::new()
    } else {
        format!(": {}", change.detail)
    };
    let head = format!("{sign} {}  {fate}{}", change.object, plain(&detail));
    let mut text = format!("{}\n", paint(&head, tint, is_colourful));
    for field in &change.fields {
        text.push_str(&one(field, is_colourful));
    }
    text
}

fn one(field: &FieldChange, is_colourful: bool) -> String {
    let mut text = format!("    {}\n", plain(&field.path));
    let sides = [("-", Tint::Bad, &field.from), ("+", Tint::Good, &field.to)];
    for (sign, tint, value) in sides {
        if let Some(value) = value {
            let line = format!("{sign} {}", plain(&shown(value)));
            let _ = writeln!(text, "      {}", paint(&line, tint, is_colourful));
        }
    }
    text
}

/// A string without its quotes, anything else as JSON.
fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_changed_field_shows_both_sides() {
        let change = Change {
            verb: Verb::Update,
            object: "apps/Deployment/shop/web".parse().unwrap(),
            detail: String::new(),
            fields: vec![FieldChange {
                path: "spec.replicas".to_owned(),
                from: Some(json!(20)),
                to: Some(json!(12)),
            }],
        };
        assert_eq!(
            section(&change, false),
            "~ Deployment/shop/web  update\n    spec.replicas\n      - 20\n      + 12\n"
        );
    }
}
