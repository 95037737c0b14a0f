//! Columns of text, and colours.

pub(super) use crate::object::plain;

use unicode_width::UnicodeWidthStr as _;

/// Space between columns.
const GAP: usize = 2;

/// What a word means, to be coloured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tint {
    Plain,
    Good,
    Busy,
    Bad,
}

/// One word of a table.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    tint: Tint,
}

impl Cell {
    /// Tints a text; control characters become spaces, since they come from commits and pods.
    pub(super) fn tinted(text: impl Into<String>, tint: Tint) -> Self {
        Self {
            text: plain(&text.into()),
            tint,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::tinted(text, Tint::Plain)
    }
}

/// Writes a text as one word of a shell, whatever is in it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Cuts a text to a width, with an ellipsis where something is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        kept.push(letter);
        if kept.width() >= most {
            kept.pop();
            break;
        }
    }
    kept.push('…');
    kept
}

/// Paints a text where colours are wanted.
pub(super) fn paint(text: &str, tint: Tint, is_colourful: bool) -> String {
    let code = match tint {
        Tint::Plain => return text.to_owned(),
        Tint::Good => 32,
        Tint::Busy => 33,
        Tint::Bad => 31,
    };
    if is_colourful {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// Lays rows out in columns, the first row being the header; no line ends in spaces.
pub(super) fn columns(rows: &[Vec<Cell>], is_colourful: bool) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.text.width())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        let mut gap = 0;
        for (cell, width) in row.iter().zip(&widths) {
            if !cell.text.is_empty() {
                line.push_str(&" ".repeat(gap));
                line.push_str(&paint(&cell.text, cell.tint, is_colourful));
                gap = 0;
            }
            gap += width - cell.text.width() + GAP;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_words_neither_steer_the_terminal_nor_a_shell() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c"), "a [31mbc");
        assert_eq!(quoted("it's $(rm) `x` \"y\""), r#"'it'\''s $(rm) `x` "y"'"#);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_word_in_any_script() {
        let rows = [
            vec!["NAME".into(), "AUTHOR".into(), "SUBJECT".into()],
            vec!["web".into(), "山田 太郎".into(), "a".into()],
            vec!["a-long-name".into(), "".into(), "b".into()],
        ];
        assert_eq!(
            columns(&rows, false),
            "NAME         AUTHOR     SUBJECT\n\
             web          山田 太郎  a\n\
             a-long-name             b\n"
        );
    }

    #[test]
    fn what_a_commit_says_cannot_move_the_cursor() {
        let rows = [vec!["\u{1b}[2Jgone\n".into()]];
        assert_eq!(columns(&rows, false), " [2Jgone \n");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let row = |tint| vec![Cell::tinted("ok", tint), "x".into()];
        assert_eq!(columns(&[row(Tint::Plain)], true), "ok  x\n");
        assert_eq!(
            columns(&[row(Tint::Good)], true),
            "\u{1b}[32mok\u{1b}[0m  x\n"
        );
    }

    #[test]
    fn a_text_that_is_cut_says_so() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
    }
}
