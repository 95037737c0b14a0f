//! What leaves the program: data to standard output, narration to standard error.

use std::io::{IsTerminal, Write as _};

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::failure::Failure;

/// How data is written.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Show {
    /// The form of the output.
    #[arg(short, long, value_enum, default_value = "table")]
    pub(super) output: Form,
    /// When words are coloured; `NO_COLOR` in the environment means never.
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) color: Colour,
    /// Uses no signs beyond ASCII; names and subjects stay as they are.
    #[arg(long)]
    pub(super) ascii: bool,
}

/// How what was done is told.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Report {
    /// The form of the output.
    #[arg(short, long, value_enum, default_value = "table")]
    pub(super) output: Form,
}

impl Report {
    /// Says whether it is for people.
    pub(super) fn is_table(self) -> bool {
        matches!(self.output, Form::Table | Form::Wide)
    }

    /// Prints one value; `table` makes the text for people.
    pub(super) fn one<T: Serialize>(
        self,
        value: &T,
        table: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let show = Show {
            output: self.output,
            color: Colour::Never,
            ascii: false,
        };
        show.one(value, table)
    }
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people.
    Table,
    /// For people, with more columns.
    Wide,
    /// One JSON document.
    Json,
    /// One line of JSON for each entry.
    Jsonl,
    /// YAML.
    Yaml,
}

/// When words are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal.
    Auto,
    /// Also where the output is no terminal.
    Always,
    /// Not at all.
    Never,
}

/// Speaks on standard error, unless told to be quiet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    pub(super) is_quiet: bool,
}

impl Voice {
    /// Says one line.
    pub(super) fn say(self, text: &str) {
        if !self.is_quiet {
            narrate(&super::table::plain(text));
        }
    }
}

/// Writes a line to standard error; nobody may be listening any more.
pub(super) fn narrate(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Says whether words that go there are coloured.
#[expect(
    clippy::disallowed_methods,
    reason = "NO_COLOR is read by its presence; this is its home"
)]
pub(super) fn is_colourful(colour: Colour, there: &impl IsTerminal) -> bool {
    match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            there.is_terminal() && !refused
        }
    }
}

impl Show {
    /// Says whether it is for people.
    pub(super) fn is_table(self) -> bool {
        matches!(self.output, Form::Table | Form::Wide)
    }

    pub(super) fn is_colourful(self) -> bool {
        is_colourful(self.color, &std::io::stdout())
    }

    /// Prints one value; `table` makes the text for people.
    pub(super) fn one<T: Serialize>(
        self,
        value: &T,
        table: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        print(&self.text(value, table)?)
    }

    fn text<T: Serialize>(
        self,
        value: &T,
        table: impl FnOnce() -> String,
    ) -> Result<String, Failure> {
        Ok(match self.output {
            Form::Table | Form::Wide if self.ascii => plain_signs(&table()),
            Form::Table | Form::Wide => table(),
            Form::Json => line(serde_json::to_string_pretty(value).map_err(unwritten)?),
            Form::Jsonl => line(serde_json::to_string(value).map_err(unwritten)?),
            Form::Yaml => yaml(value)?,
        })
    }

    /// Prints a list, or the next part of one.
    pub(super) fn all<T: Serialize>(
        self,
        values: &[T],
        table: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.output != Form::Jsonl {
            return stream(&self.text(&values, table)?);
        }
        let mut text = String::new();
        for value in values {
            text.push_str(&line(serde_json::to_string(value).map_err(unwritten)?));
        }
        stream(&text)
    }
}

/// Writes the signs that stand between words by ASCII ones; words stay as they are.
pub(super) fn plain_signs(text: &str) -> String {
    text.replace('→', "->").replace('·', "-").replace('…', "~")
}

fn line(mut text: String) -> String {
    text.push('\n');
    text
}

/// By way of JSON, so that both have the same names.
fn yaml<T: Serialize>(value: &T) -> Result<String, Failure> {
    let json = serde_json::to_value(value).map_err(unwritten)?;
    serde_yaml::to_string(&json).map_err(unwritten)
}

pub(super) fn unwritten(fault: impl std::fmt::Display) -> Failure {
    Failure::Output(fault.to_string())
}

/// Writes data to standard output; a reader that has gone away is no fault.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match stream(text) {
        Err(Failure::ReaderGone) => Ok(()),
        answer => answer,
    }
}

/// The same for output that goes on: without a reader there is nothing more to do.
pub(super) fn stream(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    written.map_err(|fault| match fault.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => unwritten(fault),
    })
}

/// Writes a span of time in its largest unit: `45s`, `12m`, `3h`, `12d`.
pub(super) fn age(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Writes how long something took: `41s`, `2m41s`.
pub(super) fn took(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    let seconds = u64::try_from(seconds).unwrap_or_default();
    crate::object::write_duration(std::time::Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_between_words_have_ascii_ones_and_words_stay() {
        let text = "nothing → 9f3c2e1  5 · 5  Zoë bumps the versi…";
        assert_eq!(
            plain_signs(text),
            "nothing -> 9f3c2e1  5 - 5  Zoë bumps the versi~"
        );
    }
}
