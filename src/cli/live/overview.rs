//! Many GitSyncs at once: their table on a terminal, elsewhere one line a change of each.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::screen::{Screen, Size};
use super::sheet::{Sheet, is_live};
use crate::cli::failure::Failure;
use crate::cli::reach::App;
use crate::cli::show::{Show, plain_signs, stream};
use crate::cli::table::cut;
use crate::ledger::Ledger;
use crate::status::picture;

/// What was shown of them so far.
pub(in crate::cli) struct Overview {
    show: Show,
    screen: Screen,
    /// Off a terminal, one for each.
    sheets: BTreeMap<App, Sheet>,
}

impl Overview {
    pub(in crate::cli) fn new(show: Show) -> Self {
        Self {
            show,
            screen: Screen::of_terminal(),
            sheets: BTreeMap::new(),
        }
    }

    /// Shows them as they are now; `table` is what a terminal gets.
    pub(in crate::cli) fn show(
        &mut self,
        ledgers: &[(App, Ledger)],
        table: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        if is_live(self.show) {
            let size = Size::now();
            let lines = table.lines().take(size.rows.saturating_sub(1));
            let line = |line: &str| {
                let line = cut(line, size.columns);
                if self.show.ascii {
                    plain_signs(&line)
                } else {
                    line
                }
            };
            let lines = lines.map(line).collect();
            return stream(&self.screen.paint(lines, size.columns));
        }
        for (app, ledger) in ledgers {
            let name = app.to_string();
            if !self.sheets.contains_key(app) {
                let sheet = Sheet::new(self.show, &name)?;
                self.sheets.insert(app.clone(), sheet);
            }
            if let Some(sheet) = self.sheets.get_mut(app) {
                sheet.show(&picture(&name, ledger, &BTreeMap::new(), now), true)?;
            }
        }
        Ok(())
    }
}
