//! What the demo is told on: a terminal that is painted over and over below the story so far,
//! elsewhere one line a change.

use std::path::Path;

use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr as _;

use super::script::Step;
use super::shop::{NAME, NAMESPACE, PODS};
use super::stage::{NODES, Places};
use crate::cli::failure::Failure;
use crate::cli::live::{Canvas, Line, Screen, Sheet, Size, draw, is_live, wrapped};
use crate::cli::show::{Show, plain_signs, stream};
use crate::cli::table::{Tint, paint, plain, quoted};
use crate::clock;
use crate::status::Picture;

/// Columns before what is told.
const INDENT: usize = 3;
/// Columns before what can be done.
const LABEL: usize = 7;

/// Where the story goes.
pub(super) struct Paper {
    show: Show,
    medium: Medium,
    /// Whether anything was told since the introduction.
    has_told: bool,
}

enum Medium {
    Terminal(Screen),
    Lines(Box<Sheet>, TimeZone),
}

/// How far a step is, or what is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Ahead,
    Busy,
    Done,
    Failed,
    /// What a person would type for it.
    Typed,
}

impl Mark {
    const fn sign(self, is_ascii: bool) -> (&'static str, Tint) {
        match (self, is_ascii) {
            (Self::Ahead, false) => ("·", Tint::Plain),
            (Self::Ahead, true) => (".", Tint::Plain),
            (Self::Busy, false) => ("●", Tint::Busy),
            (Self::Busy, true) => ("*", Tint::Busy),
            (Self::Done, false) => ("✔", Tint::Good),
            (Self::Done, true) => ("v", Tint::Good),
            (Self::Failed, false) => ("✖", Tint::Bad),
            (Self::Failed, true) => ("x", Tint::Bad),
            (Self::Typed, _) => ("$", Tint::Busy),
        }
    }
}

impl Paper {
    pub(super) fn new(show: Show) -> Result<Self, Failure> {
        let medium = if is_live(show) {
            Medium::Terminal(Screen::of_terminal())
        } else {
            let sheet = Sheet::new(show, &format!("{NAMESPACE}/{NAME}"))?;
            Medium::Lines(Box::new(sheet), TimeZone::system())
        };
        Ok(Self {
            show,
            medium,
            has_told: false,
        })
    }

    /// Says what this is, where everything is, and what can be tried.
    pub(super) fn introduce(&mut self, folder: &Path, steps: &[Step]) -> Result<(), Failure> {
        let places = Places::of(folder);
        let columns = match self.medium {
            Medium::Terminal(_) => Size::now().columns,
            Medium::Lines(..) => usize::MAX,
        };
        let cluster = format!(
            "{NODES} nodes; {NAME} ({PODS} pods) and cache (3 pods) in namespace {NAMESPACE}"
        );
        let mut lines = vec![banner(), Line::default()];
        for (label, words) in [
            ("cluster", cluster),
            ("repository", format!("cd {}", shown(&places.repository))),
            (
                "kubectl",
                format!("export KUBECONFIG={}", shown(&places.kubeconfig)),
            ),
            (
                "tidegate",
                format!("status|watch|explain {NAME}, with the same KUBECONFIG"),
            ),
            ("agent's log", shown(&places.log)),
        ] {
            lines.extend(place(label, &words, columns));
        }
        let words = match steps.len() {
            1 => {
                "To try, by Enter here or by hand in another terminal, where a commit is enough: \
                  the agent watches the repository."
            }
            _ => {
                "Things to try, by Enter here or by hand in another terminal, where a commit is \
                  enough: the agent watches the repository."
            }
        };
        lines.push(Line::default());
        let rows = wrapped(words, columns, usize::MAX);
        lines.extend(rows.iter().map(|row| Line::from(row.as_str())));
        lines.push(Line::default());
        for (number, step) in (1..).zip(steps) {
            lines.push(Line::from(format!("  {number}  {}", step.title).as_str()));
            let commands = step.commands();
            lines.extend(
                commands
                    .iter()
                    .map(|command| Line::from(format!("     {command}").as_str())),
            );
        }
        lines.push(Line::default());
        self.leave(&lines)
    }

    /// Tells one thing that has happened.
    pub(super) fn tell(&mut self, mark: Mark, words: &str) -> Result<(), Failure> {
        let (sign, tint) = mark.sign(self.show.ascii);
        self.has_told = true;
        match &self.medium {
            Medium::Terminal(_) => {
                let room = Size::now().columns.saturating_sub(INDENT);
                let rows = wrapped(&plain(words), room, usize::MAX);
                let first = format!(" {sign} ");
                let margins = std::iter::once(first.as_str()).chain(std::iter::repeat("   "));
                let line = |(margin, row): (&str, &String)| {
                    Line::default().with(margin, tint).with(row, Tint::Plain)
                };
                let lines: Vec<Line> = margins.zip(&rows).map(line).collect();
                self.leave(&lines)
            }
            Medium::Lines(_, zone) => {
                let time = clock::now().to_zoned(zone.clone()).strftime("%H:%M:%S");
                let words = format!("{sign} {}", plain(words));
                let words = paint(&words, tint, self.show.is_colourful());
                stream(&self.signs(&format!("{time} {:<20} {:<6} {words}\n", "demo", "-")))
            }
        }
    }

    /// Shows how things stand; `foot` says what can be done, each with a label.
    pub(super) fn show(
        &mut self,
        picture: Option<&Picture>,
        steps: &[(&'static str, Mark)],
        foot: &[(&'static str, String)],
    ) -> Result<(), Failure> {
        let show = self.show;
        match (&mut self.medium, picture) {
            (Medium::Lines(sheet, _), Some(picture)) => sheet.show(picture, true),
            (Medium::Lines(..), None) => Ok(()),
            (Medium::Terminal(screen), picture) => {
                let size = Size::now();
                let mut lines = Vec::new();
                if self.has_told {
                    lines.push(Line::default());
                }
                lines.extend(head(steps, show.ascii, size.columns));
                let foot = laid(foot, size.columns);
                match picture {
                    Some(picture) => {
                        let canvas = Canvas {
                            columns: size.columns,
                            // The cursor stands below the last line.
                            rows: size.rows.saturating_sub(1 + lines.len()),
                            is_ascii: show.ascii,
                        };
                        lines.extend(draw(picture, &foot, canvas));
                    }
                    None => lines.extend(foot),
                }
                let text = |line: &Line| signs(show, line.text(size.columns, show.is_colourful()));
                let lines = lines.iter().map(text).collect();
                stream(&screen.paint(lines, size.columns))
            }
        }
    }

    /// Writes lines that stay.
    fn leave(&mut self, lines: &[Line]) -> Result<(), Failure> {
        let show = self.show;
        let text = |line: &Line| signs(show, line.text(usize::MAX, show.is_colourful()));
        let lines: Vec<String> = lines.iter().map(text).collect();
        let text = match &mut self.medium {
            Medium::Terminal(screen) => screen.leave(&lines, Size::now().columns),
            Medium::Lines(..) => lines.iter().map(|line| format!("{line}\n")).collect(),
        };
        stream(&text)
    }

    /// Takes away what is painted, so that the terminal's next line follows the story.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        match &mut self.medium {
            Medium::Terminal(screen) => stream(&screen.clear(Size::now().columns)),
            Medium::Lines(..) => Ok(()),
        }
    }

    fn signs(&self, text: &str) -> String {
        signs(self.show, text.to_owned())
    }
}

fn signs(show: Show, text: String) -> String {
    if show.ascii { plain_signs(&text) } else { text }
}

fn banner() -> Line {
    Line::from("tidegate demo   ")
        .with("SIMULATED", Tint::Busy)
        .with(" cluster, in this process alone", Tint::Plain)
}

/// Words beside a label, below it where they have no room there; what is copied is never broken.
fn place(label: &str, words: &str, columns: usize) -> Vec<Line> {
    let beside = Line::from(format!("  {label:<11} {words}").as_str());
    if beside.width() <= columns {
        return vec![beside];
    }
    let rows = if words.starts_with("cd ") || words.starts_with("export ") {
        vec![words.to_owned()]
    } else {
        wrapped(words, columns.saturating_sub(4), usize::MAX)
    };
    let rows = rows
        .iter()
        .map(|row| Line::from(format!("    {row}").as_str()));
    std::iter::once(Line::from(format!("  {label}").as_str()))
        .chain(rows)
        .collect()
}

/// A path as a shell takes it.
pub(super) fn shown(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@:,=".contains(letter);
    if path.chars().all(is_plain) {
        path
    } else {
        quoted(&path)
    }
}

/// Lays out what can be done below what is seen.
fn laid(foot: &[(&'static str, String)], columns: usize) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    for (label, words) in foot {
        let rows = wrapped(words, columns.saturating_sub(LABEL), usize::MAX);
        let labels = std::iter::once(*label).chain(std::iter::repeat(""));
        lines.extend(labels.zip(&rows).map(|(label, row)| {
            Line::default()
                .with(&format!(" {label:<6}"), Tint::Busy)
                .with(row, Tint::Plain)
        }));
    }
    lines
}

/// Says on each screen that nothing of it is real, and how far the steps are; in as many lines as
/// the steps need.
fn head(steps: &[(&'static str, Mark)], is_ascii: bool, columns: usize) -> Vec<Line> {
    let mut line = Line::default().with(" SIMULATED ", Tint::Busy);
    let mut lines = Vec::new();
    for (title, mark) in steps {
        let (sign, tint) = mark.sign(is_ascii);
        if line.width() + 4 + title.width() > columns {
            lines.push(std::mem::replace(&mut line, Line::from("           ")));
        }
        line.add(&format!("  {sign} "), tint);
        line.add(title, Tint::Plain);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_simulated_and_fits_any_width() {
        let steps = [
            ("a good commit", Mark::Done),
            ("a broken one", Mark::Busy),
            ("a revert", Mark::Ahead),
        ];
        let text = |columns: usize, is_ascii| -> Vec<String> {
            let lines = head(&steps, is_ascii, columns);
            lines.iter().map(|line| line.text(columns, false)).collect()
        };
        assert_eq!(
            text(60, false),
            [" SIMULATED   ✔ a good commit  ● a broken one  · a revert"]
        );
        assert_eq!(
            text(40, true),
            [
                " SIMULATED   v a good commit",
                "             * a broken one  . a revert"
            ]
        );
    }

    #[test]
    fn places_are_broken_between_words_and_what_is_copied_not_at_all() {
        let text = |label, words: &str, columns| -> Vec<String> {
            let lines = place(label, words, columns);
            lines.iter().map(|line| line.text(99, false)).collect()
        };
        let kubeconfig = "export KUBECONFIG=/tmp/tidegate-abcdef/kubeconfig";
        assert_eq!(
            text("kubectl", kubeconfig, 60),
            [
                "  kubectl",
                "    export KUBECONFIG=/tmp/tidegate-abcdef/kubeconfig"
            ]
        );
        assert_eq!(
            text("cluster", "4 nodes; web (12 pods) and cache", 30),
            ["  cluster", "    4 nodes; web (12 pods) and", "    cache"]
        );
    }

    #[test]
    fn a_path_is_written_as_a_shell_takes_it() {
        assert_eq!(
            shown(Path::new("/tmp/tidegate-x/repo")),
            "/tmp/tidegate-x/repo"
        );
        assert_eq!(shown(Path::new("/tmp/Ada's demo")), r"'/tmp/Ada'\''s demo'");
    }
}
