//! Paints lines on a terminal over those that it painted before, and over nothing else.

use std::task::{Context, Poll, Waker};

use rustix::process::Signal as Name;
use tokio::signal::unix::{Signal, SignalKind, signal};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns where the terminal does not tell its size.
const COLUMNS: usize = 80;
/// Rows where the terminal does not tell its size.
const ROWS: usize = 24;

/// What stands on the terminal.
#[derive(Debug, Default)]
pub(in crate::cli) struct Screen {
    painted: Vec<String>,
    /// Columns of the terminal when they were painted.
    columns: usize,
    /// Tells that the process was stopped and goes on.
    goes_on: Option<Signal>,
}

/// Columns and rows of the terminal that standard output goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Size {
    pub(in crate::cli) columns: usize,
    pub(in crate::cli) rows: usize,
}

impl Size {
    /// Asks the terminal.
    pub(in crate::cli) fn now() -> Self {
        let told = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
        let told = told.filter(|told| told.ws_col > 0 && told.ws_row > 0);
        Self {
            columns: told.map_or(COLUMNS, |told| told.ws_col.into()),
            rows: told.map_or(ROWS, |told| told.ws_row.into()),
        }
    }
}

impl Screen {
    /// Begins on a terminal that a shell may take back for a while (Ctrl-Z, `fg`): whatever it wrote
    /// meanwhile stays, and the next picture stands below it. Must be called within a tokio runtime.
    pub(in crate::cli) fn of_terminal() -> Self {
        let goes_on = signal(SignalKind::from_raw(Name::CONT.as_raw())).ok();
        Self {
            painted: Vec::new(),
            columns: 0,
            goes_on,
        }
    }

    /// Gives up lines that may not be the last ones any more.
    fn look_for_stops(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        let Some(goes_on) = &mut self.goes_on else {
            return;
        };
        while let Poll::Ready(Some(())) = goes_on.poll_recv(&mut context) {
            self.painted.clear();
        }
    }

    /// Returns what is to be written so that these lines stand where the last ones stood; nothing
    /// where they are the same. No line may be wider than the terminal.
    pub(in crate::cli) fn paint(&mut self, lines: Vec<String>, columns: usize) -> String {
        self.look_for_stops();
        if lines == self.painted && columns == self.columns {
            return String::new();
        }
        let before = self.rows(columns);
        let mut text = to_the_top(before);
        let is_anew = self.has_another_width(columns);
        let rows: usize = lines.iter().map(|line| rows(line, columns)).sum();
        text.extend(lines.iter().map(|line| ended(line, columns, is_anew)));
        if rows < before || is_anew {
            text.push_str("\u{1b}[J");
        }
        self.painted = lines;
        self.columns = columns;
        text
    }

    /// Returns what is to be written so that these lines stay for good, above what is painted, which
    /// then stands below them. They may be wider than the terminal, which wraps them.
    pub(in crate::cli) fn leave(&mut self, lines: &[String], columns: usize) -> String {
        self.look_for_stops();
        let mut text = to_the_top(self.rows(columns));
        let is_anew = self.has_another_width(columns);
        self.columns = columns;
        let all = lines.iter().chain(&self.painted);
        text.extend(all.map(|line| ended(line, columns, is_anew)));
        if is_anew {
            text.push_str("\u{1b}[J");
        }
        text
    }

    /// Returns what is to be written so that nothing that was painted is left.
    pub(in crate::cli) fn clear(&mut self, columns: usize) -> String {
        self.look_for_stops();
        let mut text = to_the_top(self.rows(columns));
        if !text.is_empty() {
            text.push_str("\u{1b}[J");
        }
        self.painted.clear();
        text
    }

    /// The rows that the painted lines take now: where the terminal has become narrower since, it has
    /// wrapped them.
    fn rows(&self, columns: usize) -> usize {
        self.painted.iter().map(|line| rows(line, columns)).sum()
    }

    /// Says whether the terminal has another width than when something was painted. It remembers
    /// which rows it had wrapped, and would join whatever is written there as soon as it becomes
    /// wider, unless each of them is erased first.
    fn has_another_width(&self, columns: usize) -> bool {
        !self.painted.is_empty() && columns != self.columns
    }
}

/// Moves the cursor up to the first of so many rows.
fn to_the_top(rows: usize) -> String {
    match rows {
        0 => String::new(),
        rows => format!("\r\u{1b}[{rows}A"),
    }
}

/// A line that takes the place of whatever stood in its rows; `is_anew` erases its row first. (All
/// rows at once would be too much: some terminals keep what is erased from the top of the screen.)
fn ended(line: &str, columns: usize, is_anew: bool) -> String {
    let width = bare(line).width();
    // Behind a full row the cursor still stands on its last column, which would be erased.
    let is_full = width > 0 && width.is_multiple_of(columns.max(1));
    let end = if is_full { "\n" } else { "\u{1b}[K\n" };
    let begin = if is_anew { "\u{1b}[K" } else { "" };
    format!("{begin}{line}{end}")
}

/// The rows that a terminal of so many columns wraps a line into; a wide character is not split.
fn rows(line: &str, columns: usize) -> usize {
    let (mut rows, mut column) = (1, 0);
    for letter in bare(line).chars() {
        let width = letter.width().unwrap_or_default();
        if column + width > columns {
            (rows, column) = (rows + 1, 0);
        }
        column += width;
    }
    rows
}

/// A line without its colours.
fn bare(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn only_own_lines_are_painted_over() {
        let mut screen = Screen::default();
        let first = screen.paint(lines(&["one", "two"]), 80);
        assert_eq!(
            first, "one\u{1b}[K\ntwo\u{1b}[K\n",
            "nothing is moved at first"
        );
        let second = screen.paint(lines(&["one", "2"]), 80);
        assert_eq!(second, "\r\u{1b}[2Aone\u{1b}[K\n2\u{1b}[K\n");
        let third = screen.paint(lines(&["1"]), 80);
        assert_eq!(third, "\r\u{1b}[2A1\u{1b}[K\n\u{1b}[J");
    }

    #[test]
    fn what_is_left_stays_above_and_the_picture_stands_below_it_in_the_same_write() {
        let mut screen = Screen::default();
        assert_eq!(screen.leave(&lines(&["story"]), 80), "story\u{1b}[K\n");
        screen.paint(lines(&["one", "two"]), 80);
        let left = screen.leave(&lines(&["more"]), 80);
        assert_eq!(left, "\r\u{1b}[2Amore\u{1b}[K\none\u{1b}[K\ntwo\u{1b}[K\n");
        let next = screen.paint(lines(&["1", "two"]), 80);
        assert_eq!(
            next, "\r\u{1b}[2A1\u{1b}[K\ntwo\u{1b}[K\n",
            "what was left is not painted over"
        );
        assert_eq!(screen.clear(80), "\r\u{1b}[2A\u{1b}[J");
        assert_eq!(screen.clear(80), "", "nothing is painted any more");
    }

    #[test]
    fn the_same_lines_are_not_painted_again() {
        let mut screen = Screen::default();
        screen.paint(lines(&["one"]), 80);
        assert_eq!(screen.paint(lines(&["one"]), 80), "");
    }

    #[test]
    fn a_narrower_terminal_keeps_nothing_of_the_lines_that_it_wrapped() {
        let mut screen = Screen::default();
        screen.paint(lines(&["\u{1b}[32m12345678\u{1b}[0m", "1234"]), 8);
        let text = screen.paint(lines(&["x", "y"]), 4);
        assert_eq!(
            text,
            "\r\u{1b}[3A\u{1b}[Kx\u{1b}[K\n\u{1b}[Ky\u{1b}[K\n\u{1b}[J"
        );
        let wider = screen.paint(lines(&["x", "y"]), 8);
        let anew = "\r\u{1b}[2A\u{1b}[Kx\u{1b}[K\n\u{1b}[Ky\u{1b}[K\n\u{1b}[J";
        assert_eq!(wider, anew, "what the terminal had wrapped is not joined");
    }

    #[test]
    fn a_wide_letter_that_does_not_fit_stands_in_the_next_row() {
        assert_eq!(rows("山田太", 5), 2);
        assert_eq!(rows("山田太", 6), 1);
        assert_eq!(rows("", 6), 1);
    }

    #[test]
    fn the_last_letter_of_a_full_row_is_not_erased() {
        let mut screen = Screen::default();
        assert_eq!(screen.paint(lines(&["1234"]), 4), "1234\n");
    }
}
