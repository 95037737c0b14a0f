//! Paints lines on a terminal over those that it painted before, and over nothing else.

use std::task::{Context, Poll, Waker};

use rustix::process::Signal as Name;
use tokio::signal::unix::{Signal, SignalKind, signal};
use unicode_width::UnicodeWidthStr as _;

/// Columns where the terminal does not tell its size.
const COLUMNS: usize = 80;
/// Rows where the terminal does not tell its size.
const ROWS: usize = 24;

/// What stands on the terminal.
#[derive(Debug, Default)]
pub(in crate::cli) struct Screen {
    painted: Vec<String>,
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
        if lines == self.painted {
            return String::new();
        }
        let mut text = self.to_the_top(columns);
        for line in &lines {
            text.push_str(line);
            // What is left of a longer line goes.
            text.push_str("\u{1b}[K\n");
        }
        if lines.len() < self.painted.len() {
            text.push_str("\u{1b}[J");
        }
        self.painted = lines;
        text
    }

    /// Returns what is to be written so that these lines stay for good, above whatever is painted
    /// next. They may be wider than the terminal, which wraps them.
    pub(in crate::cli) fn leave(&mut self, lines: &[String], columns: usize) -> String {
        self.look_for_stops();
        let mut text = self.to_the_top(columns);
        if !text.is_empty() {
            text.push_str("\u{1b}[J");
        }
        self.painted.clear();
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Moves the cursor to the first line that was painted. Where the terminal has become narrower
    /// since, it has wrapped them.
    fn to_the_top(&self, columns: usize) -> String {
        let rows = |line: &String| bare(line).width().div_ceil(columns.max(1)).max(1);
        match self.painted.iter().map(rows).sum::<usize>() {
            0 => String::new(),
            rows => format!("\r\u{1b}[{rows}A"),
        }
    }
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
    fn what_is_left_stays_above_what_is_painted_later() {
        let mut screen = Screen::default();
        assert_eq!(screen.leave(&lines(&["story"]), 80), "story\n");
        screen.paint(lines(&["one", "two"]), 80);
        let left = screen.leave(&lines(&["more"]), 80);
        assert_eq!(left, "\r\u{1b}[2A\u{1b}[Jmore\n");
        let next = screen.paint(lines(&["one", "two"]), 80);
        assert_eq!(next, "one\u{1b}[K\ntwo\u{1b}[K\n", "it is not painted over");
    }

    #[test]
    fn the_same_lines_are_not_painted_again() {
        let mut screen = Screen::default();
        screen.paint(lines(&["one"]), 80);
        assert_eq!(screen.paint(lines(&["one"]), 80), "");
    }

    #[test]
    fn lines_that_a_narrower_terminal_wrapped_count_as_often() {
        let mut screen = Screen::default();
        screen.paint(lines(&["\u{1b}[32m12345678\u{1b}[0m", "1234"]), 8);
        let text = screen.paint(lines(&["x"]), 4);
        assert!(text.starts_with("\r\u{1b}[3A"), "{text:?}");
    }
}
