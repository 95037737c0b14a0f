//! A picture as lines for a terminal of some size.

use crate::status::{Picture, Progress, Reason, Row, Slot, Strip};

use super::line::{Line, wrapped};
use crate::cli::table::Tint;

/// Most cells of a batch; more pods make a bar.
const CELLS: usize = 40;
/// Columns that a note beside the cells is left at least.
const NOTE: usize = 16;
/// Most columns of a bar.
const BAR: usize = 24;

/// Columns of the label before a remark.
const LABEL: usize = 7;
/// Most rows of a remark.
const REMARK: usize = 3;

/// What is drawn on.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Canvas {
    pub(in crate::cli) columns: usize,
    /// Most lines.
    pub(in crate::cli) rows: usize,
    pub(in crate::cli) is_ascii: bool,
}

/// How much is folded so that a picture fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fold {
    Nothing,
    /// Batches that are closed become one line.
    Closed,
    /// And those whose turn has not come, and no line is empty.
    Ahead,
}

/// Draws a picture. What does not fit is folded, then cut from the middle; the top always stays.
pub(in crate::cli) fn draw(picture: &Picture, tail: &[Line], canvas: Canvas) -> Vec<Line> {
    let mut lines = Vec::new();
    for fold in [Fold::Nothing, Fold::Closed, Fold::Ahead] {
        lines = Pen { canvas, fold }.all(picture, tail);
        if lines.len() <= canvas.rows {
            return lines;
        }
    }
    cut_middle(lines, canvas)
}

fn cut_middle(mut lines: Vec<Line>, canvas: Canvas) -> Vec<Line> {
    let rows = canvas.rows.max(3);
    let top = rows / 2;
    let bottom = rows - top - 1;
    let cut = lines.len() - top - bottom;
    let sign = if canvas.is_ascii { "..." } else { "…" };
    let note = Line::from(format!("  {sign} {cut} more lines").as_str());
    lines.splice(top..top + cut, [note]);
    lines
}

/// Draws with one measure.
struct Pen {
    canvas: Canvas,
    fold: Fold,
}

impl Pen {
    fn all(&self, picture: &Picture, tail: &[Line]) -> Vec<Line> {
        let mut lines = vec![self.title(picture), self.state(picture)];
        for strip in &picture.strips {
            self.gap(&mut lines);
            self.strip(strip, &mut lines);
        }
        if picture.is_partial() {
            let words = "  the pods cannot be seen; this is what the ledger tells of them";
            lines.push(Line::default().with(words, Tint::Busy));
        }
        if picture.strips.iter().any(|strip| !strip.is_over()) {
            self.gap(&mut lines);
            lines.push(self.legend(picture));
        }
        lines.extend_from_slice(tail);
        lines
    }

    fn gap(&self, lines: &mut Vec<Line>) {
        if self.fold < Fold::Ahead {
            lines.push(Line::default());
        }
    }

    /// What goes where: `shop/web  main  41aa0d7 -> 9f3c2e1  "subject"  author`.
    fn title(&self, picture: &Picture) -> Line {
        let mut words = format!(" {}  {}", picture.app, picture.branch);
        let arrow = if self.canvas.is_ascii { "->" } else { "→" };
        if let Some(subject) = &picture.subject {
            let from = picture.from.as_ref();
            let from = from.map_or_else(String::new, |from| format!("{} {arrow} ", from.short()));
            let (id, title) = (subject.id.short(), &subject.subject);
            words.push_str(&format!("  {from}{id}  \"{title}\"  {}", subject.author));
        }
        Line::from(words.as_str())
    }

    fn state(&self, picture: &Picture) -> Line {
        let (progress, tint) = match picture.state {
            Reason::Synced => (Progress::Closed, Tint::Good),
            Reason::RollingOut => (Progress::Open, Tint::Busy),
            Reason::AwaitingPromotion | Reason::Paused => (Progress::Ahead, Tint::Busy),
            Reason::RolledBack
            | Reason::RolloutFailed
            | Reason::Rejected
            | Reason::ApplyFailed
            | Reason::RenderFailed
            | Reason::GitUnreachable
            | Reason::InvalidSpec
            | Reason::Quarantined => (Progress::Failed, Tint::Bad),
        };
        let mut words = vec![format!(" {} {}", self.sign(progress), said(picture))];
        if let [strip] = picture.strips.as_slice()
            && strip.batch > 0
            && !strip.is_over()
        {
            words.push(format!("batch {} of {}", strip.batch, strip.batches));
        }
        if !picture.took.is_empty() && picture.strips.iter().any(|strip| !strip.is_over()) {
            words.push(format!("{} elapsed", picture.took));
        }
        Line::default().with(&words.join("   "), tint)
    }

    fn strip(&self, strip: &Strip, lines: &mut Vec<Line>) {
        if strip.is_over() {
            lines.push(self.finished(strip));
            return;
        }
        lines.push(self.overall(strip));
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
    fn finished(&self, strip: &Strip) -> Line {
        let sign = if strip.is_back() {
            self.cell(Slot::Back)
        } else {
            self.sign(Progress::Closed)
        };
        let mut words = format!(
            " {sign} {}  {}/{} pods ready on {}",
            strip.id.short(),
            strip.tally.ready,
            strip.desired,
            strip.to.short()
        );
        if !strip.took.is_empty() {
            words.push_str(&format!("  took {}", strip.took));
        }
        Line::default().with(&words, Tint::Good)
    }

    /// Name, a bar over all pods, and their numbers.
    fn overall(&self, strip: &Strip) -> Line {
        let tally = strip.tally;
        let slots: Vec<Slot> = strip
            .rows
            .iter()
            .flat_map(|row| row.slots.clone())
            .collect();
        let mut line = Line::from(format!(" {}  ", strip.id.short()).as_str());
        self.bar(&slots, BAR.min(self.canvas.columns / 4), &mut line);
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
        let words = format!("  {} / {}", counts.join(", "), strip.desired);
        line.with(&words, Tint::Plain)
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

    fn legend(&self, picture: &Picture) -> Line {
        let is_back = picture.strips.iter().any(Strip::is_back);
        let signs = [
            (Slot::Ready, "new, ready"),
            (Slot::Starting, "new, starting"),
            (Slot::Failing, "failing"),
            (Slot::Old, "old"),
            (Slot::Back, "came back"),
        ];
        let mut line = Line::default();
        for (slot, words) in signs {
            if slot != Slot::Back || is_back {
                line.add(" ", Tint::Plain);
                line.add(self.cell(slot), tint_of(slot));
                line.add(&format!(" {words}  "), Tint::Plain);
            }
        }
        line
    }

    fn cell(&self, slot: Slot) -> &'static str {
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

    fn sign(&self, progress: Progress) -> &'static str {
        let (sign, ascii) = match progress {
            Progress::Closed | Progress::Arrived => ("✔", "v"),
            Progress::Open | Progress::Back => ("●", "*"),
            Progress::Failed => ("✖", "x"),
            Progress::Ahead => ("·", "."),
        };
        if self.canvas.is_ascii { ascii } else { sign }
    }
}

/// The state in the words of the moment; a cause stands beside its workload.
fn said(picture: &Picture) -> String {
    let back = picture.back_to.as_ref();
    let is_moving = picture.strips.iter().any(|strip| !strip.is_over());
    match (picture.state, back) {
        (Reason::RollingOut, _) if is_moving => "rolling out".to_owned(),
        (Reason::RolloutFailed, Some(back)) if is_moving => {
            format!("failed, going back to {}", back.short())
        }
        (Reason::RolloutFailed, None) if is_moving => "failed, held as it is".to_owned(),
        (Reason::Synced, _) => format!("in sync: {}", picture.message),
        (state, _) => format!("{state}: {}", picture.message),
    }
}

fn tint_of(slot: Slot) -> Tint {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::health::Pod;
    use crate::ledger::Ledger;
    use crate::object::{ObjectId, Strategy};
    use crate::plan::Entry;
    use crate::policy::{Batches, OnFailure, Policy, Resolved};
    use crate::rollout::{Counts, Live, Seen, Set};
    use crate::status::picture;

    /// A rollout of 9f3c2e1 over 41aa0d7, in batch 2 of 3, at 10:42:30.
    const ROLLING: &str = include_str!("../../../tests/fixtures/ledger.json");
    const WEB: &str = "/rollouts/apps~1Deployment~1shop~1web";

    fn web() -> ObjectId {
        "apps/Deployment/shop/web".parse().unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-21T10:42:30Z".parse().unwrap()
    }

    /// A pod that is Ready (`r`), starting (`s`), or whose image cannot be pulled (`f`).
    fn pod(kind: char, index: usize, created: &str) -> Pod {
        let created: Timestamp = created.parse().unwrap();
        let waiting = ("web", "ErrImagePull", "manifest unknown");
        Pod {
            name: format!("web-{kind}{index}"),
            uid: format!("{kind}{index}"),
            created,
            is_terminating: false,
            ready_since: (kind == 'r').then_some(created),
            unready_since: None,
            scheduled_since: Some(created),
            unschedulable: None,
            restarts: 0,
            waiting: (kind == 'f')
                .then(|| (waiting.0.into(), waiting.1.into(), waiting.2.into()))
                .into_iter()
                .collect(),
            gone: None,
        }
    }

    /// New pods as a word of [`pod`]'s letters, and so many old ones.
    fn seen(ledger: &Ledger, new: &str, old: usize) -> Seen {
        let template = ledger.rollouts[&web()].write.template.clone();
        let set = |is_current, pods: Vec<Pod>| Set {
            template: if is_current {
                template.clone()
            } else {
                crate::object::Digest::of(&json!("old"))
            },
            is_current,
            replicas: u32::try_from(pods.len()).unwrap(),
            pods,
            refused: None,
        };
        let mine = new.chars().enumerate();
        let mine = mine.map(|(index, kind)| pod(kind, index, "2026-11-21T10:42:10Z"));
        let theirs = (0..old).map(|index| pod('r', index, "2026-11-19T10:00:00Z"));
        Seen {
            now: now(),
            live: Some(Live {
                uid: "u1".into(),
                generation: 3,
                observed_generation: 3,
                replicas: 10,
                min_ready_seconds: 0,
                progress_deadline_seconds: 600,
                strategy: Strategy::Recreate,
                is_paused: false,
                template: template.clone(),
                restart: template.clone(),
                content: Value::Null,
                spec_editor: None,
                editor: None,
                counts: Counts::default(),
                sets: vec![set(true, mine.collect()), set(false, theirs.collect())],
            }),
        }
    }

    fn ledger(steps: &[&str], changes: &[(&str, Value)]) -> Ledger {
        let mut json: Value = serde_json::from_str(ROLLING).unwrap();
        for (pointer, value) in changes {
            let pointer = pointer.replace("WEB", WEB);
            *json.pointer_mut(&pointer).unwrap() = value.clone();
        }
        let mut ledger: Ledger = serde_json::from_value(json).unwrap();
        let commit = ledger.last_good.as_ref().unwrap().id.clone();
        let mut entry = Entry::intended("apps/v1", &commit, "web.yaml");
        entry.policy = Some(Resolved {
            policy: Policy {
                batches: Batches::Steps(steps.iter().map(|step| step.parse().unwrap()).collect()),
                soak: std::time::Duration::from_secs(30),
                on_failure: OnFailure::Rollback,
                ..Policy::default()
            },
            origins: BTreeMap::new(),
            notes: Vec::new(),
        });
        ledger.inventory.insert(web(), entry);
        ledger
    }

    fn drawn(ledger: &Ledger, seen: Option<Seen>, canvas: Canvas) -> String {
        let seen = seen.map(|seen| (web(), seen)).into_iter().collect();
        let picture = picture("shop/web", ledger, &seen, now());
        let tail = [Line::from(" Ctrl-C stops watching.")];
        let lines = draw(&picture, &tail, canvas);
        let text = lines.iter().map(|line| line.text(canvas.columns, false));
        text.collect::<Vec<_>>().join("\n")
    }

    fn canvas(columns: usize) -> Canvas {
        Canvas {
            columns,
            rows: 50,
            is_ascii: false,
        }
    }

    const STEPS: [&str; 3] = ["1", "50%", "100%"];

    #[test]
    fn batches_stand_one_under_the_other_with_a_cell_for_each_pod() {
        let ledger = ledger(&STEPS, &[]);
        let drawn = drawn(&ledger, Some(seen(&ledger, "rsrs", 6)), canvas(80));
        assert_eq!(
            drawn,
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ● rolling out   batch 2 of 3   1m30s elapsed

 Deployment/web  ████▒▒▒▒░░░░░░░░░░░░  2 ready, 2 starting, 6 old / 10
  batch 1  ✔  ■      1/1  took 58s
  batch 2  ●  ■◧◧□   1/4  open for 30s
  batch 3  ·  □□□□□  5
  next   batch 3 when 5 new pods are ready for 30s   on failure: Rollback

 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
    }

    #[test]
    fn a_narrow_terminal_gets_the_same_cut_at_its_edge() {
        let ledger = ledger(&STEPS, &[]);
        let drawn = drawn(&ledger, Some(seen(&ledger, "rsrs", 6)), canvas(60));
        assert_eq!(
            drawn,
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ad…
 ● rolling out   batch 2 of 3   1m30s elapsed

 Deployment/web  ███▒▒▒░░░░░░░░░  2 ready, 2 starting, 6 ol…
  batch 1  ✔  ■      1/1  took 58s
  batch 2  ●  ■◧◧□   1/4  open for 30s
  batch 3  ·  □□□□□  5
  next   batch 3 when 5 new pods are ready for 30s

 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
    }

    #[test]
    fn a_wide_terminal_shows_the_whole_trouble_of_a_pod() {
        let ledger = ledger(&STEPS, &[]);
        let drawn = drawn(&ledger, Some(seen(&ledger, "rf", 8)), canvas(200));
        assert_eq!(
            drawn,
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ● rolling out   batch 2 of 3   1m30s elapsed

 Deployment/web  ███✖✖░░░░░░░░░░░░░░░░░░░  1 ready, 1 failing, 8 old / 10
  batch 1  ✔  ■      1/1  took 58s
  batch 2  ●  ✖□□□   0/4  open for 30s
  batch 3  ·  □□□□□  5
  waits  pod web-f1, container web: ErrImagePull: manifest unknown
  next   batch 3 when 5 new pods are ready for 30s   on failure: Rollback

 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
    }

    #[test]
    fn a_failure_shows_its_pod_and_its_cause() {
        let failure = json!({
            "at": "2026-11-21T10:42:20Z", "batch": 2,
            "cause": {"class": "Revision", "pod": "web-s1", "container": "web",
                "reason": "CrashLoopBackOff", "message": "exit 1"},
        });
        let ledger = ledger(
            &STEPS,
            &[("WEB/phase", json!("Failed")), ("WEB/failure", failure)],
        );
        let drawn = drawn(&ledger, Some(seen(&ledger, "rs", 8)), canvas(80));
        assert_eq!(
            drawn,
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ✖ failed, held as it is   batch 2 of 3   1m30s elapsed

 Deployment/web  ██✖✖░░░░░░░░░░░░░░░░  1 ready, 1 failing, 8 old / 10
  batch 1  ✔  ■      1/1  took 58s
  batch 2  ✖  ✖□□□   0/4  failed after 20s
  batch 3  ·  □□□□□  5
  cause  pod web-s1, container web: CrashLoopBackOff: exit 1

 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
    }

    #[test]
    fn a_long_cause_is_broken_into_rows_where_there_is_room_for_them() {
        let message = "back-off restarting failed container in pod web-s1_shop";
        let failure = json!({
            "at": "2026-11-21T10:42:20Z", "batch": 2,
            "cause": {"class": "Revision", "pod": "web-s1", "container": "web",
                "reason": "CrashLoopBackOff", "message": message},
        });
        let ledger = ledger(
            &STEPS,
            &[("WEB/phase", json!("Failed")), ("WEB/failure", failure)],
        );
        let all = drawn(&ledger, Some(seen(&ledger, "rs", 8)), canvas(60));
        let rows = "  cause  pod web-s1, container web: CrashLoopBackOff:
         back-off restarting failed container in pod
         web-s1_shop
";
        assert!(all.contains(rows), "{all}");
        let short = Canvas {
            rows: 9,
            ..canvas(60)
        };
        let folded = drawn(&ledger, Some(seen(&ledger, "rs", 8)), short);
        assert!(!folded.contains("web-s1_shop"), "{folded}");
    }

    #[test]
    fn a_cause_that_still_stands_is_told_once() {
        let failure = json!({
            "at": "2026-11-21T10:42:20Z", "batch": 2,
            "cause": {"class": "Revision", "pod": "web-f1", "container": "web",
                "reason": "ErrImagePull", "message": "manifest unknown"},
        });
        let ledger = ledger(
            &STEPS,
            &[("WEB/phase", json!("Failed")), ("WEB/failure", failure)],
        );
        let drawn = drawn(&ledger, Some(seen(&ledger, "rf", 8)), canvas(80));
        let told = drawn.matches("ErrImagePull: manifest unknown");
        assert_eq!(told.count(), 1, "{drawn}");
    }

    /// On the way back to 41aa0d7 after batch 2 of 9f3c2e1 failed.
    fn going_back() -> Ledger {
        let good: Value = serde_json::from_str::<Value>(ROLLING).unwrap()["lastGood"].clone();
        let failed = format!("9f3c2e1{}", "0".repeat(33));
        let failure = json!({
            "at": "2026-11-21T10:42:20Z", "batch": 2,
            "cause": {"class": "Revision", "pod": "web-x", "container": "web",
                "reason": "CrashLoopBackOff", "message": "exit 1"},
        });
        ledger(
            &STEPS,
            &[
                (
                    "/aim/course",
                    json!({"Back": {"from": failed, "outcome": "RolledBack"}}),
                ),
                ("/aim/revision", good.clone()),
                ("WEB/phase", json!("RollingBack")),
                ("WEB/write/commit", good["id"].clone()),
                ("WEB/started", json!("2026-11-21T10:42:00Z")),
                ("WEB/batch", json!(0)),
                ("WEB/batches", json!(0)),
                ("WEB/evidence", json!([])),
                ("WEB/failure", failure),
            ],
        )
    }

    #[test]
    fn the_way_back_shows_what_stayed_what_came_back_and_what_has_to_go() {
        let ledger = going_back();
        let mut seen = seen(&ledger, "rrrrrrrs", 2);
        let live = seen.live.as_mut().unwrap();
        for pod in &mut live.sets[0].pods[..5] {
            pod.created = "2026-11-19T10:00:00Z".parse().unwrap();
        }
        let drawn = drawn(&ledger, Some(seen), canvas(80));
        assert_eq!(
            drawn,
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ✖ failed, going back to 41aa0d7   1m30s elapsed

 Deployment/web  ░░░░░░░░░░↩↩↩↩▒▒████  7 ready, 1 starting, 2 old / 10
  batch 2   ✖                    failed
  rollback  ●  □□□□□↩↩◧■■  7/10  for 30s
  cause  pod web-x, container web: CrashLoopBackOff: exit 1

 ■ new, ready   ◧ new, starting   ✖ failing   □ old   ↩ came back
 Ctrl-C stops watching."
        );
    }

    #[test]
    fn more_pods_than_cells_become_a_bar_with_counts() {
        let mut ledger = ledger(&["20", "50%", "100%"], &[("WEB/replicas", json!(200))]);
        let kept = ledger.rollouts.get_mut(&web()).unwrap();
        kept.target = 100;
        kept.evidence[0].target = 20;
        let new = format!("{}{}", "r".repeat(60), "s".repeat(30));
        let seen = seen(&ledger, &new, 110);
        assert_eq!(
            drawn(&ledger, Some(seen.clone()), canvas(80)),
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ● rolling out   batch 2 of 3   1m30s elapsed

 Deployment/web  ██████▒▒▒░░░░░░░░░░░  60 ready, 30 starting, 110 old / 200
  batch 1  ✔  ■■■■■■■■■■■■■■■■■■■■      20/20  took 58s
  batch 2  ●  ████████████▒▒▒▒▒▒▒▒▒░░░  40/80  open for 30s
  batch 3  ·  ░░░░░░░░░░░░░░░░░░░░░░░░  100
  next   batch 3 when 100 new pods are ready for 30s   on failure: Rollback

 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
        let ascii = Canvas {
            is_ascii: true,
            ..canvas(60)
        };
        assert_eq!(
            drawn(&ledger, Some(seen), ascii),
            " shop/web  main  41aa0d7 -> 9f3c2e1  \"bump web to 1.8.0\"  A…
 * rolling out   batch 2 of 3   1m30s elapsed

 Deployment/web  #####++........  60 ready, 30 starting, 11…
  batch 1  v  ####################   20/20  took 58s
  batch 2  *  ###########++++++++..  40/80  open for 30s
  batch 3  .  .....................  100
  next   batch 3 when 100 new pods are ready for 30s

 # new, ready   + new, starting   x failing   . old
 Ctrl-C stops watching."
        );
    }

    #[test]
    fn a_short_screen_folds_batches_and_never_loses_its_top() {
        let mut ledger = ledger(&["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], &[]);
        let kept = ledger.rollouts.get_mut(&web()).unwrap();
        (kept.batch, kept.batches, kept.target) = (5, 10, 5);
        let drawn = |rows| {
            let canvas = Canvas { rows, ..canvas(80) };
            let drawn = drawn(&ledger, Some(seen(&ledger, "rrrrs", 5)), canvas);
            assert!(drawn.lines().count() <= rows, "{drawn}");
            drawn
        };
        assert_eq!(
            drawn(16),
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ● rolling out   batch 5 of 10   1m30s elapsed

 Deployment/web  ████████▒▒░░░░░░░░░░  4 ready, 1 starting, 5 old / 10
  batches 1-4  ✔  ■■■■  4/4
  batch 5      ●  ◧     0/1
  batch 6      ·  □     1
  batch 7      ·  □     1
  batch 8      ·  □     1
  batch 9      ·  □     1
  batch 10     ·  □     1
  next   batch 6 when 5 new pods are ready for 30s   on failure: Rollback

 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
        assert_eq!(
            drawn(12),
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ● rolling out   batch 5 of 10   1m30s elapsed
 Deployment/web  ████████▒▒░░░░░░░░░░  4 ready, 1 starting, 5 old / 10
  batches 1-4   ✔  ■■■■   4/4
  batch 5       ●  ◧      0/1
  batches 6-10  ·  □□□□□  5
  next   batch 6 when 5 new pods are ready for 30s   on failure: Rollback
 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
        assert_eq!(
            drawn(7),
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ● rolling out   batch 5 of 10   1m30s elapsed
 Deployment/web  ████████▒▒░░░░░░░░░░  4 ready, 1 starting, 5 old / 10
  … 3 more lines
  next   batch 6 when 5 new pods are ready for 30s   on failure: Rollback
 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
    }

    #[test]
    fn pods_that_cannot_be_seen_are_told_by_the_ledger_and_said_to_be() {
        let ledger = ledger(&STEPS, &[]);
        assert_eq!(
            drawn(&ledger, None, canvas(80)),
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ● rolling out   batch 2 of 3   1m30s elapsed

 Deployment/web  ██▒▒▒▒▒▒▒▒░░░░░░░░░░  1 ready, 4 starting, 5 old / 10
  batch 1  ✔  ■      1/1  took 58s
  batch 2  ●  ◧◧◧◧   0/4  open for 30s
  batch 3  ·  □□□□□  5
  next   batch 3 when 5 new pods are ready for 30s   on failure: Rollback
  the pods cannot be seen; this is what the ledger tells of them

 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
    }

    #[test]
    fn batches_that_the_ledger_does_not_know_are_not_invented() {
        let mut ledger = ledger(&STEPS, &[]);
        ledger.inventory.clear();
        let seen = seen(&ledger, "rsrs", 6);
        let drawn = drawn(&ledger, Some(seen), canvas(80));
        assert_eq!(
            drawn,
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ● rolling out   batch 2 of 3   1m30s elapsed

 Deployment/web  ████▒▒▒▒░░░░░░░░░░░░  2 ready, 2 starting, 6 old / 10
  batch 1  ✔  ■      1/1  took 58s
  batch 2  ●  ■◧◧□   1/4  open for 30s
  batch 3  ·  □□□□□  5
  next   batch 3 when 5 new pods are ready

 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
    }

    #[test]
    fn a_workload_that_has_ended_takes_one_line_beside_others() {
        let mut ledger = ledger(&STEPS, &[]);
        let mut ended = ledger.rollouts[&web()].clone();
        ended.phase = crate::rollout::Phase::Succeeded;
        let api: ObjectId = "apps/Deployment/shop/api".parse().unwrap();
        ledger.rollouts.insert(api, ended);
        let drawn = drawn(&ledger, Some(seen(&ledger, "rsrs", 6)), canvas(80));
        assert_eq!(
            drawn,
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ● rolling out   1m30s elapsed

 ✔ Deployment/api  5/10 pods ready on 9f3c2e1  took 58s

 Deployment/web  ████▒▒▒▒░░░░░░░░░░░░  2 ready, 2 starting, 6 old / 10
  batch 1  ✔  ■      1/1  took 58s
  batch 2  ●  ■◧◧□   1/4  open for 30s
  batch 3  ·  □□□□□  5
  next   batch 3 when 5 new pods are ready for 30s   on failure: Rollback

 ■ new, ready   ◧ new, starting   ✖ failing   □ old
 Ctrl-C stops watching."
        );
    }
}
