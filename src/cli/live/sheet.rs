//! Where pictures go: a terminal, lines of text, or lines of JSON.

use std::io::IsTerminal as _;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::draw::{Canvas, draw};
use super::line::{Line, paragraph, wrapped};
use super::screen::{Screen, Size};
use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{Form, Show, plain_signs, stream, unwritten};
use crate::cli::table::{Tint, paint, plain};
use crate::clock;
use crate::status::{Errand, News, Picture, news};

/// The longest silence off a terminal, so that a CI runner does not take the job for dead.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// What pictures are put on.
pub(in crate::cli) struct Sheet {
    app: String,
    show: Show,
    medium: Medium,
}

enum Medium {
    Terminal {
        screen: Screen,
        /// The last picture, for when none can be had.
        last: Option<Picture>,
    },
    Lines {
        before: Option<Picture>,
        zone: TimeZone,
        /// When the last line was written, since boot.
        written: Duration,
    },
}

/// Says whether pictures go to a terminal that can be painted on.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line's own surroundings"
)]
pub(in crate::cli) fn is_live(show: Show) -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    show.is_table() && std::io::stdout().is_terminal() && !is_dumb
}

impl Sheet {
    pub(in crate::cli) fn new(show: Show, app: &str) -> Result<Self, Failure> {
        let medium = match show.output {
            Form::Table | Form::Wide | Form::Jsonl => {
                if is_live(show) {
                    Medium::Terminal {
                        screen: Screen::of_terminal(),
                        last: None,
                    }
                } else {
                    Medium::Lines {
                        before: None,
                        zone: TimeZone::system(),
                        written: clock::since_boot(),
                    }
                }
            }
            Form::Json | Form::Yaml => return Err(Failure::NoStream),
        };
        let app = app.to_owned();
        Ok(Self { app, show, medium })
    }

    /// Shows a picture; `is_awaited` says whether its commit is the one that is watched.
    pub(in crate::cli) fn show(
        &mut self,
        picture: &Picture,
        is_awaited: bool,
    ) -> Result<(), Failure> {
        let tail = self.tail(picture, is_awaited);
        let is_first = match &mut self.medium {
            Medium::Terminal { screen, last } => {
                *last = Some(picture.clone());
                return frame(screen, picture, &tail, self.show);
            }
            Medium::Lines { before, .. } => before.is_none(),
        };
        self.tell_news(picture)?;
        if is_first && !is_awaited {
            let words = "waits for the next commit".to_owned();
            self.tell(&News::about(picture, "Waiting", words))?;
        }
        self.beat(picture)
    }

    /// Shows the last picture and how it ended; on a terminal both stay.
    pub(super) fn end(
        &mut self,
        picture: &Picture,
        exit: Exit,
        words: &str,
    ) -> Result<(), Failure> {
        let subject = picture.subject.as_ref();
        let id = subject.map_or("", |subject| subject.id.short());
        let (ready, all) = picture.ready();
        let pods = match all {
            0 => "nothing more under way".to_owned(),
            all => format!("{ready} of {all} new pods ready"),
        };
        match &mut self.medium {
            Medium::Terminal { screen, .. } => {
                frame(screen, picture, &[], self.show)?;
                let (sign, tint) = match (exit == Exit::Done, self.show.ascii) {
                    (true, false) => ("✔", Tint::Good),
                    (true, true) => ("v", Tint::Good),
                    (false, false) => ("✖", Tint::Bad),
                    (false, true) => ("x", Tint::Bad),
                };
                let took = &picture.took;
                let text = format!("{sign} {}: {id} {words} ({pods}, {took})", self.app);
                let columns = Size::now().columns;
                let mut rows = wrapped(&plain(&text), columns, usize::MAX);
                for row in &mut rows {
                    *row = paint(row, tint, self.show.is_colourful());
                }
                if exit != Exit::Done {
                    rows.push(format!("  details: tidegate explain {}", self.app));
                }
                // Commands are for copying: the terminal breaks them, which leaves them whole.
                let next = picture.next.iter();
                rows.extend(next.map(|command| format!("  next: {}", plain(command))));
                stream(&format!("\n{}\n", rows.join("\n")))
            }
            Medium::Lines { .. } => {
                self.tell_news(picture)?;
                self.tell(&News::about(
                    picture,
                    "Ended",
                    format!("{id} {words} ({pods})"),
                ))
            }
        }
    }

    /// Tells that nothing can be seen for now; the last picture stays.
    pub(in crate::cli) fn trouble(&mut self, words: &str) -> Result<(), Failure> {
        match &mut self.medium {
            Medium::Terminal { screen, last } => {
                let columns = Size::now().columns;
                let note = paragraph(words, columns, Tint::Bad);
                match last {
                    Some(picture) => frame(screen, picture, &note, self.show),
                    None => {
                        let is_colourful = self.show.is_colourful();
                        let text = note.iter().map(|line| line.text(columns, is_colourful));
                        stream(&screen.paint(text.collect(), columns))
                    }
                }
            }
            Medium::Lines {
                before: Some(before),
                ..
            } => {
                let picture = before.clone();
                self.beat_with(&News::about(&picture, "Unreachable", words.to_owned()))
            }
            Medium::Lines { before: None, .. } => Ok(()),
        }
    }

    /// The last lines of a screen: what can be done.
    fn tail(&self, picture: &Picture, is_awaited: bool) -> Vec<Line> {
        let mut words: Vec<String> = picture
            .next
            .iter()
            .map(|command| format!("next: {command}"))
            .collect();
        let is_moving = picture.strips.iter().any(|strip| !strip.is_over());
        match (is_awaited, is_moving) {
            (_, true) => {
                words.push("Ctrl-C stops watching; the rollout goes on.".to_owned());
                let verbs = match picture.errand {
                    Errand::Commit => "pause|abort",
                    Errand::Restart | Errand::Repair => "pause",
                };
                words.push(format!("tidegate {verbs} {}", self.app));
            }
            (false, false) => {
                words.push("Waits for the next commit. Ctrl-C stops watching.".to_owned());
            }
            (true, false) => words.push("Ctrl-C stops watching.".to_owned()),
        }
        let columns = Size::now().columns;
        let lines = words.iter();
        lines
            .flat_map(|words| paragraph(words, columns, Tint::Plain))
            .collect()
    }

    fn tell_news(&mut self, picture: &Picture) -> Result<(), Failure> {
        let Medium::Lines { before, .. } = &mut self.medium else {
            return Ok(());
        };
        let told = news(before.as_ref(), picture);
        *before = Some(picture.clone());
        told.iter().try_for_each(|one| self.tell(one))
    }

    /// Writes a line where nothing was written for long.
    fn beat(&mut self, picture: &Picture) -> Result<(), Failure> {
        let words = format!("still {}: {}", picture.state, picture.message);
        self.beat_with(&News::about(picture, "Heartbeat", words))
    }

    fn beat_with(&mut self, one: &News) -> Result<(), Failure> {
        match &self.medium {
            Medium::Lines { written, .. } if clock::since_boot() >= *written + HEARTBEAT => {
                self.tell(one)
            }
            Medium::Lines { .. } | Medium::Terminal { .. } => Ok(()),
        }
    }

    fn tell(&mut self, one: &News) -> Result<(), Failure> {
        let Medium::Lines { zone, written, .. } = &mut self.medium else {
            return Ok(());
        };
        *written = clock::since_boot();
        let text = if self.show.output == Form::Jsonl {
            serde_json::to_string(one).map_err(unwritten)?
        } else {
            line(one, zone, self.show.is_colourful())
        };
        stream(&format!("{text}\n"))
    }
}

/// Paints a picture with its last lines, as large as the terminal is now.
fn frame(screen: &mut Screen, picture: &Picture, tail: &[Line], show: Show) -> Result<(), Failure> {
    let size = Size::now();
    let canvas = Canvas {
        columns: size.columns,
        // The cursor stands below the last line.
        rows: size.rows.saturating_sub(1),
        is_ascii: show.ascii,
    };
    let lines = draw(picture, tail, canvas);
    let text = |line: &Line| {
        let text = line.text(size.columns, show.is_colourful());
        if show.ascii { plain_signs(&text) } else { text }
    };
    let lines = lines.iter().map(text).collect();
    stream(&screen.paint(lines, size.columns))
}

/// One change in one line: time, what it is about, batch, and the words.
fn line(one: &News, zone: &TimeZone, is_colourful: bool) -> String {
    let time = one.time.to_zoned(zone.clone()).strftime("%H:%M:%S");
    let about = one.workload.as_ref().unwrap_or(&one.app);
    let batch = match (one.batch, one.batches) {
        (Some(batch), Some(batches)) => format!("{batch}/{batches}"),
        (Some(batch), None) => batch.to_string(),
        (None, _) => "-".to_owned(),
    };
    let tint = match one.kind.as_str() {
        "BatchFailed" | "RollbackFailed" | "RolloutFailed" => Tint::Bad,
        "BatchHealthy" | "RolloutCompleted" | "RolledBack" => Tint::Good,
        _ => Tint::Plain,
    };
    let words = paint(&plain(&one.message), tint, is_colourful);
    format!("{time} {about:<20} {batch:<6} {words}")
}
