//! One line of a screen: words with their tints.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::cli::table::{Tint, cut, paint, plain};

/// Words side by side.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Line(Vec<(String, Tint)>);

impl Line {
    /// Adds words; control characters become spaces, since they come from commits and pods.
    pub(in crate::cli) fn add(&mut self, words: &str, tint: Tint) {
        let words = plain(words);
        match self.0.last_mut() {
            Some((last, same)) if *same == tint => last.push_str(&words),
            Some(_) | None => self.0.push((words, tint)),
        }
    }

    /// The same for words that are part of a chain.
    pub(in crate::cli) fn with(mut self, words: &str, tint: Tint) -> Self {
        self.add(words, tint);
        self
    }

    /// Adds another line behind this one.
    pub(in crate::cli) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Adds spaces up to a column.
    pub(in crate::cli) fn pad(&mut self, column: usize) {
        let missing = column.saturating_sub(self.width());
        self.add(&" ".repeat(missing), Tint::Plain);
    }

    /// Returns how many columns it takes.
    pub(in crate::cli) fn width(&self) -> usize {
        self.0.iter().map(|(words, _)| words.width()).sum()
    }

    /// Returns its text, cut to a width; no line ends in spaces.
    pub(in crate::cli) fn text(&self, width: usize, is_colourful: bool) -> String {
        let mut left = width;
        let mut text = String::new();
        let is_said = |(words, _): &(String, Tint)| !words.trim().is_empty();
        let count = self.0.iter().rposition(is_said).map_or(0, |last| last + 1);
        for (index, (words, tint)) in self.0.iter().take(count).enumerate() {
            let is_last = index + 1 == count;
            let words = if is_last { words.trim_end() } else { words };
            // A word that fits to the last column is cut if another one follows.
            let room = if is_last {
                left
            } else {
                left.saturating_sub(1)
            };
            let fits = words.width() <= room;
            let kept = if fits {
                words.to_owned()
            } else {
                cut(words, left)
            };
            text.push_str(&paint(&kept, *tint, is_colourful));
            left = left.saturating_sub(kept.width());
            if !fits {
                break;
            }
        }
        text
    }
}

/// Breaks words into rows of so many columns, at most `most` of them, of which the last has all that
/// is left; a word that is wider than a row is broken where the row ends.
pub(in crate::cli) fn wrapped(words: &str, columns: usize, most: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in words.split(' ') {
        let is_last = rows.len() >= most;
        let row = rows.last_mut().expect("there is always one");
        let gap = usize::from(!row.is_empty());
        if is_last || row.width() + gap + word.width() <= columns {
            row.push_str(&" "[..gap]);
            row.push_str(word);
            continue;
        }
        if row.is_empty() {
            rows.pop();
        }
        rows.extend(pieces(word, columns));
    }
    rows
}

/// Breaks a word into pieces of so many columns.
fn pieces(word: &str, columns: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for letter in word.chars() {
        let piece = pieces.last_mut().expect("there is always one");
        if !piece.is_empty() && piece.width() + letter.width().unwrap_or_default() > columns {
            pieces.push(letter.to_string());
        } else {
            piece.push(letter);
        }
    }
    pieces
}

/// Lays words out as lines of so many columns, those after the first two columns further in; spaces
/// before the words move all of them.
pub(in crate::cli) fn paragraph(words: &str, columns: usize, tint: Tint) -> Vec<Line> {
    const MARGIN: usize = 1;
    const FURTHER: usize = 3;
    let inner = words.trim_start();
    let indent = words.len() - inner.len();
    let rows = wrapped(inner, columns.saturating_sub(FURTHER + indent), usize::MAX);
    let mut rows = rows.iter();
    let first = rows.next().map(|row| (MARGIN + indent, row.as_str()));
    let others = rows.map(|row| (FURTHER + indent, row.trim_start()));
    let line =
        |(margin, row): (usize, &str)| Line::from(" ".repeat(margin).as_str()).with(row, tint);
    first.into_iter().chain(others).map(line).collect()
}

impl From<&str> for Line {
    fn from(words: &str) -> Self {
        Self::default().with(words, Tint::Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_never_passes_its_width_and_says_where_it_was_cut() {
        let line = Line::from("shop/web  ").with("a long subject", Tint::Good);
        assert_eq!(line.text(80, false), "shop/web  a long subject");
        assert_eq!(line.text(24, false), "shop/web  a long subject");
        assert_eq!(line.text(16, false), "shop/web  a lon…");
        assert_eq!(line.text(9, false), "shop/web…");
        for width in 1..30 {
            assert!(line.text(width, false).width() <= width, "{width}");
        }
    }

    #[test]
    fn spaces_at_the_end_and_control_characters_are_left_out() {
        let mut line = Line::from("a\u{1b}[2J");
        line.pad(20);
        assert_eq!(line.text(80, true), "a [2J");
    }

    #[test]
    fn a_paragraph_loses_no_letter_at_any_width() {
        let words = "AwaitingPromotion: d221543 does not descend from 9f3c2e1";
        for columns in 10..80 {
            let lines = paragraph(words, columns, Tint::Plain);
            let text: Vec<String> = lines.iter().map(|line| line.text(columns, false)).collect();
            let letters = |text: &str| text.replace([' ', '\n'], "");
            assert_eq!(letters(&text.join("\n")), letters(words), "{columns}");
        }
    }

    #[test]
    fn rows_are_broken_between_words_and_the_last_has_the_rest() {
        assert_eq!(
            wrapped("1.1 runs on all pods", 11, 9),
            ["1.1 runs on", "all pods"]
        );
        assert_eq!(
            wrapped("a considerably long one", 6, 9),
            ["a", "consid", "erably", "long", "one"]
        );
        assert_eq!(wrapped("a b c d", 1, 2), ["a", "b c d"]);
    }
}
