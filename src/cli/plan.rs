//! `tidegate plan`: what the next sync would do.

use std::fmt::Write as _;

use crate::sync::{Change, Preview, Verb};

use super::Exit;
use super::failure::Failure;
use super::look::{Arguments, look};
use super::table::{Cell, Tint, columns, plain};

pub(super) async fn run(asked: Arguments) -> Result<Exit, Failure> {
    let looked = look(&asked).await?;
    let is_colourful = asked.show.is_colourful();
    asked.show.one(&looked, || text(&looked, is_colourful))?;
    Ok(verdict(&looked))
}

/// How a look ends: refused, with differences, or with none.
pub(super) fn verdict(looked: &Preview) -> Exit {
    match (&looked.refused, looked.changes.is_empty()) {
        (Some(_), _) => Exit::Failed,
        (None, true) => Exit::Done,
        (None, false) => Exit::Difference,
    }
}

/// The plan for people.
pub(super) fn text(looked: &Preview, is_colourful: bool) -> String {
    let to = format!(
        "{} \"{}\"",
        looked.revision.id.short(),
        plain(&looked.revision.subject)
    );
    let from = looked
        .running
        .as_ref()
        .map_or("nothing", |running| running.id.short());
    let mut text = format!("Plan for {}: {from} → {to}\n\n", looked.gitsync);
    if let Some(faults) = &looked.refused {
        text.push_str("It would be refused, and nothing would be written:\n");
        for fault in faults.lines() {
            let _ = writeln!(text, "  {}", plain(fault));
        }
        return text;
    }
    let rows: Vec<Vec<Cell>> = looked.changes.iter().enumerate().map(row).collect();
    text.push_str(&columns(&rows, is_colourful));
    for note in &looked.notes {
        let _ = writeln!(text, "note: {}", plain(note));
    }
    let _ = writeln!(text, "{} objects stay as they are", looked.unchanged);
    text
}

fn row((index, change): (usize, &Change)) -> Vec<Cell> {
    let tint = match change.verb {
        Verb::Prune | Verb::Refuse => Tint::Bad,
        Verb::Hold | Verb::Keep => Tint::Busy,
        Verb::Create | Verb::Adopt | Verb::Update | Verb::Roll | Verb::GoBack | Verb::Correct => {
            Tint::Plain
        }
    };
    vec![
        format!("{:>2}.", index + 1).into(),
        Cell::tinted(change.verb.word(), tint),
        change.object.to_string().into(),
        change.detail.as_str().into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::Revision;

    fn looked(refused: Option<&str>) -> Preview {
        let change = |verb, object: &str, detail: &str| Change {
            verb,
            object: object.parse().unwrap(),
            detail: detail.to_owned(),
            fields: Vec::new(),
        };
        Preview {
            gitsync: "shop/web".to_owned(),
            revision: Revision {
                id: "9f3c2e1".repeat(6)[..40].parse().unwrap(),
                subject: "web 1.8.0".to_owned(),
                author: "Ada".to_owned(),
                time: jiff::Timestamp::UNIX_EPOCH,
            },
            running: None,
            refused: refused.map(ToOwned::to_owned),
            changes: vec![
                change(Verb::Create, "/ConfigMap/shop/flags", ""),
                change(
                    Verb::Roll,
                    "apps/Deployment/shop/web",
                    "10 pods, 2 batches: 5 · 5",
                ),
            ],
            unchanged: 3,
            notes: vec![],
        }
    }

    #[test]
    fn changes_are_listed_in_their_order() {
        assert_eq!(
            text(&looked(None), false),
            "\
Plan for shop/web: nothing → 9f3c2e1 \"web 1.8.0\"

 1.  create  ConfigMap/shop/flags
 2.  roll    Deployment/shop/web   10 pods, 2 batches: 5 · 5
3 objects stay as they are
"
        );
        assert_eq!(verdict(&looked(None)), Exit::Difference);
    }

    #[test]
    fn a_commit_that_would_be_refused_shows_its_faults_only() {
        let text = text(
            &looked(Some("web.yaml:1:1: no kind\nweb.yaml:9:1: no name")),
            false,
        );
        assert!(
            text.ends_with("  web.yaml:1:1: no kind\n  web.yaml:9:1: no name\n"),
            "{text}"
        );
        assert_eq!(verdict(&looked(Some("x"))), Exit::Failed);
    }
}
