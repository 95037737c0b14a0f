//! One workload of a picture: its bar, and its batches one under the other.

use crate::cli::table::Tint;
use crate::status::{Progress, Row, Slot, Strip};

use super::draw::{Fold, Pen};
use super::line::{Line, paragraph, wrapped};

/// Most cells of a batch; more pods make a bar.
const CELLS: usize = 40;
/// Columns that a note beside the cells is left at least.
const NOTE: usize = 16;
/// Most columns of a bar.
const BAR: usize = 24;
/// Fewest columns of a bar that has its counts beside it.
const LEAST: usize = 4;
/// Columns of the label before a remark.
const LABEL: usize = 7;
/// Most rows of a remark.
const REMARK: usize = 3;

impl Pen {
    pub(super) fn strip(&self, strip: &Strip, lines: &mut Vec<Line>) {
        if strip.is_over() {
            lines.extend(self.finished(strip));
            return;
        }
        lines.extend(self.overall(strip));
        let rows = folded(&strip.rows, self.fold);
        let layout = self.layout(&rows);
        lines.extend(rows.iter().map(|row| self.row(row, layout)));
        let (columns, most) = match self.fold {
            Fold::Nothing | Fold::Closed => (self.canvas.columns, REMARK),
            Fold::Ahead => (self.canvas.columns, 1),
        };
        let mut remark = |label: &str, words: &str, tint| {
            let rows = wrapped(words, columns.saturating_sub(2 + LABEL), most);
            let labels = std::iter::once(label).chain(std::iter::repeat(""));
            lines.extend(labels.zip(&rows).map(|(label, row)| {
                Line::from(format!("  {label:<LABEL$}").as_str()).with(row, tint)
            }));
        };
        if let Some(cause) = &strip.cause {
            remark("cause", cause, Tint::Bad);
        }
        if let Some(trouble) = &strip.trouble
            && strip.cause.as_ref() != Some(trouble)
        {
            remark("waits", trouble, Tint::Busy);
        }
        if let Some(next) = &strip.next {
            let failure = strip
                .on_failure
                .map(|act| format!("   on failure: {act:?}"));
            let room = (self.canvas.columns).saturating_sub(2 + LABEL + next.len());
            let failure = failure.filter(|words| words.len() <= room);
            let words = format!("{next}{}", failure.unwrap_or_default());
            remark("next", &words, Tint::Plain);
        }
    }

    /// A workload of which nothing more is to come, in one line.
    fn finished(&self, strip: &Strip) -> Vec<Line> {
        let sign = if strip.is_back() {
            self.cell(Slot::Back)
        } else {
            self.sign(Progress::Closed)
        };
        let mut words = format!(
            "{sign} {}  {}/{} pods ready on {}",
            strip.id.short(),
            strip.tally.ready,
            strip.desired,
            strip.to.short()
        );
        if !strip.took.is_empty() {
            words.push_str(&format!("  took {}", strip.took));
        }
        paragraph(&words, self.canvas.columns, Tint::Good)
    }

    /// Name, a bar over all pods, and their numbers: these are never cut, the bar shrinks for them.
    fn overall(&self, strip: &Strip) -> Vec<Line> {
        let tally = strip.tally;
        let slots: Vec<Slot> = strip
            .rows
            .iter()
            .flat_map(|row| row.slots.clone())
            .collect();
        let counts = [
            (tally.ready, "ready"),
            (tally.starting, "starting"),
            (tally.failing, "failing"),
            (tally.old, "old"),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let words = format!("{} / {}", counts.join(", "), strip.desired);
        let columns = self.canvas.columns;
        let mut line = Line::from(format!(" {}  ", strip.id.short()).as_str());
        let most = BAR.min(columns / 4);
        let room = columns.saturating_sub(line.width() + 2 + words.len());
        if room >= LEAST {
            self.bar(&slots, most.min(room), &mut line);
            return vec![line.with("  ", Tint::Plain).with(&words, Tint::Plain)];
        }
        let mut lines = paragraph(&strip.id.short(), columns, Tint::Plain);
        let mut line = Line::from("   ");
        self.bar(&slots, most, &mut line);
        lines.push(line);
        lines.extend(paragraph(&format!("  {words}"), columns, Tint::Plain));
        lines
    }

    /// Where the columns of the rows are: after the title, after the cells, after the count.
    fn layout(&self, rows: &[Row]) -> [usize; 3] {
        let titles = rows.iter().map(|row| title(row).len()).max().unwrap_or(0);
        let counts = rows.iter().map(|row| count(row).len()).max().unwrap_or(0);
        let cells = rows.iter().map(|row| row.slots.len()).max().unwrap_or(0);
        let first = 2 + titles + 2 + 1 + 2;
        let most = self
            .canvas
            .columns
            .saturating_sub(first + 2 + counts + 2 + NOTE);
        let cells = if cells <= most.min(CELLS) {
            cells
        } else {
            BAR.min(most.max(8))
        };
        [first, first + cells + 2, first + cells + 2 + counts + 2]
    }

    fn row(&self, row: &Row, [cells, count_at, note]: [usize; 3]) -> Line {
        let tint = match row.progress {
            Progress::Closed | Progress::Arrived => Tint::Good,
            Progress::Open | Progress::Back => Tint::Busy,
            Progress::Failed => Tint::Bad,
            Progress::Ahead => Tint::Plain,
        };
        let mut line = Line::from(format!("  {}", title(row)).as_str());
        line.pad(cells - 3);
        line.add(self.sign(row.progress), tint);
        line.pad(cells);
        if row.slots.len() <= count_at - cells - 2 {
            for slot in &row.slots {
                line.add(self.cell(*slot), tint_of(*slot));
            }
        } else {
            self.bar(&row.slots, count_at - cells - 2, &mut line);
        }
        line.pad(count_at);
        line.add(&count(row), Tint::Plain);
        line.pad(note);
        line.with(&row.note, Tint::Plain)
    }

    /// Draws so many pods into so many columns.
    fn bar(&self, slots: &[Slot], columns: usize, line: &mut Line) {
        for column in 0..columns {
            let Some(slot) = slots.get(column * slots.len() / columns) else {
                break;
            };
            let sign = match (slot, self.canvas.is_ascii) {
                (_, true) | (Slot::Failing | Slot::Back | Slot::Empty, false) => self.cell(*slot),
                (Slot::Ready, false) => "█",
                (Slot::Starting, false) => "▒",
                (Slot::Old, false) => "░",
            };
            line.add(sign, tint_of(*slot));
        }
    }

    pub(super) fn cell(&self, slot: Slot) -> &'static str {
        let (sign, ascii) = match slot {
            Slot::Ready => ("■", "#"),
            Slot::Starting => ("◧", "+"),
            Slot::Failing => ("✖", "x"),
            Slot::Old => ("□", "."),
            Slot::Back => ("↩", "<"),
            Slot::Empty => ("·", "-"),
        };
        if self.canvas.is_ascii { ascii } else { sign }
    }

    pub(super) fn sign(&self, progress: Progress) -> &'static str {
        let (sign, ascii) = match progress {
            Progress::Closed | Progress::Arrived => ("✔", "v"),
            Progress::Open | Progress::Back => ("●", "*"),
            Progress::Failed => ("✖", "x"),
            Progress::Ahead => ("·", "."),
        };
        if self.canvas.is_ascii { ascii } else { sign }
    }
}

pub(super) fn tint_of(slot: Slot) -> Tint {
    match slot {
        Slot::Ready | Slot::Back => Tint::Good,
        Slot::Starting => Tint::Busy,
        Slot::Failing => Tint::Bad,
        Slot::Old | Slot::Empty => Tint::Plain,
    }
}

fn title(row: &Row) -> String {
    match (row.progress, row.first, row.last) {
        (Progress::Back | Progress::Arrived, _, _) => "rollback".to_owned(),
        (_, 0, _) => "pods".to_owned(),
        (_, first, last) if first == last => format!("batch {first}"),
        (_, first, last) => format!("batches {first}-{last}"),
    }
}

/// Pods that are as they should be, of all in the row; only all where none can be yet.
fn count(row: &Row) -> String {
    let all = row.slots.len();
    let of = |wanted: &[Slot]| {
        row.slots
            .iter()
            .filter(|slot| wanted.contains(slot))
            .count()
    };
    match row.progress {
        Progress::Failed if all == 0 => String::new(),
        Progress::Closed | Progress::Open | Progress::Failed => {
            format!("{}/{all}", of(&[Slot::Ready]))
        }
        Progress::Ahead => all.to_string(),
        Progress::Back | Progress::Arrived => format!("{}/{all}", of(&[Slot::Old, Slot::Back])),
    }
}

/// Neighbours that are folded into one row.
fn folded(rows: &[Row], fold: Fold) -> Vec<Row> {
    let folds = |row: &Row| match row.progress {
        Progress::Closed => fold >= Fold::Closed,
        Progress::Ahead => fold >= Fold::Ahead,
        Progress::Open | Progress::Failed | Progress::Back | Progress::Arrived => false,
    };
    let mut kept: Vec<Row> = Vec::new();
    for row in rows {
        match kept.last_mut() {
            Some(last) if folds(row) && last.progress == row.progress => {
                last.last = row.last;
                last.slots.extend_from_slice(&row.slots);
                last.note.clear();
            }
            Some(_) | None => kept.push(row.clone()),
        }
    }
    kept
}
