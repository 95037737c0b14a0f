//! `tidegate history`: what became of commits.

use jiff::{Timestamp, tz::TimeZone};

use crate::clock;
use crate::ledger::{Deployed, Ledger, Outcome};

use super::Exit;
use super::failure::Failure;
use super::reach::Target;
use super::show::{Form, Show, took};
use super::table::{Cell, Tint, columns, cut, plain};

/// Longest subject in the narrow table.
const SUBJECT: usize = 50;

/// What is to be shown.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// How many commits at most.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    show: Show,
}

pub(super) async fn run(asked: Arguments) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    let shown: Vec<&Deployed> = found.ledger.history.iter().take(asked.limit).collect();
    let page = Page {
        ledger: &found.ledger,
        zone: TimeZone::system(),
        now: clock::now(),
    };
    asked.show.all(&shown, || page.table(&shown, asked.show))?;
    Ok(Exit::Done)
}

/// What the lines are seen against.
struct Page<'a> {
    ledger: &'a Ledger,
    zone: TimeZone,
    now: Timestamp,
}

impl Page<'_> {
    fn table(&self, history: &[&Deployed], show: Show) -> String {
        let is_wide = show.output == Form::Wide;
        let mut header = vec![
            "REVISION", "DATE", "AUTHOR", "OUTCOME", "TOOK", "BATCHES", "SUBJECT",
        ];
        if is_wide {
            header.extend(["IMAGES", "MESSAGE"]);
        }
        let mut rows = vec![header.into_iter().map(Cell::from).collect::<Vec<_>>()];
        for deployed in history {
            rows.push(self.row(deployed, is_wide, show.ascii));
        }
        columns(&rows, show.is_colourful())
    }

    fn row(&self, deployed: &Deployed, is_wide: bool, ascii: bool) -> Vec<Cell> {
        let revision = &deployed.revision;
        let date = deployed
            .started
            .to_zoned(self.zone.clone())
            .strftime("%Y-%m-%d %H:%M");
        let ended = deployed.ended.unwrap_or(self.now);
        let (closed, planned) = deployed.batches;
        let batches = if planned > 0 {
            format!("{closed}/{planned}")
        } else {
            "-".to_owned()
        };
        let good = self
            .ledger
            .last_good
            .as_ref()
            .is_some_and(|good| good.revision.id == revision.id);
        let subject = plain(&revision.subject);
        let mut subject = if is_wide {
            subject
        } else {
            cut(&subject, SUBJECT)
        };
        if let Some(to) = &deployed.rollback_to {
            subject.push_str(&format!("  (back to {})", to.short()));
        }
        if good {
            subject.push_str("  <- last good");
        }
        let mut row = vec![
            revision.id.short().into(),
            date.to_string().into(),
            revision.author.as_str().into(),
            outcome(deployed.outcome, ascii),
            took(deployed.started, ended).into(),
            batches.into(),
            subject.into(),
        ];
        if is_wide {
            row.push(deployed.images.join(", ").into());
            row.push(deployed.message.as_str().into());
        }
        row
    }
}

fn outcome(outcome: Outcome, ascii: bool) -> Cell {
    let (sign, plain, words, tint) = match outcome {
        Outcome::Pending => ("◌", ".", "pending", Tint::Busy),
        Outcome::InProgress => ("◌", ".", "in progress", Tint::Busy),
        Outcome::Succeeded => ("✔", "+", "succeeded", Tint::Good),
        Outcome::Rejected => ("✖", "x", "rejected", Tint::Bad),
        Outcome::Failed => ("✖", "x", "failed", Tint::Bad),
        Outcome::RolledBack => ("✖", "x", "rolled back", Tint::Bad),
        Outcome::Aborted => ("✖", "x", "aborted", Tint::Bad),
        Outcome::CompletedWithFailures => ("✖", "x", "with failures", Tint::Bad),
        Outcome::Superseded => ("-", "-", "superseded", Tint::Plain),
        Outcome::Held => ("!", "!", "held", Tint::Bad),
    };
    Cell::tinted(
        format!("{} {words}", if ascii { plain } else { sign }),
        tint,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::Colour;

    #[test]
    fn history_tells_the_outcome_of_each_commit() {
        let text = include_str!("../../tests/fixtures/ledger.json");
        let ledger: Ledger = serde_json::from_str(text).unwrap();
        let now = "2026-11-21T10:43:41Z".parse().unwrap();
        let page = Page {
            ledger: &ledger,
            zone: TimeZone::UTC,
            now,
        };
        let history: Vec<&Deployed> = ledger.history.iter().collect();
        let show = |ascii| Show {
            output: Form::Table,
            color: Colour::Never,
            ascii,
        };
        assert_eq!(
            page.table(&history, show(false)),
            "\
REVISION  DATE              AUTHOR    OUTCOME        TOOK   BATCHES  SUBJECT
9f3c2e1   2026-11-21 10:41  Ada L.    ◌ in progress  2m41s  1/3      bump web to 1.8.0
41aa0d7   2026-11-19 16:02  Grace H.  ✔ succeeded    6m10s  5/5      web 1.7.3  <- last good
3d4e5f6   2026-11-19 15:11  Ada L.    ✖ rolled back  3m44s  1/5      web 1.7.2
"
        );
        assert!(page.table(&history, show(true)).is_ascii());
    }
}
