//! A picture as lines for a terminal of some size.

use crate::object::ObjectId;
use crate::status::{Errand, Picture, Progress, Reason, Slot, Strip};

use super::bars::tint_of;
use super::line::{Line, paragraph};
use crate::cli::table::Tint;

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
pub(super) enum Fold {
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
pub(super) struct Pen {
    pub(super) canvas: Canvas,
    pub(super) fold: Fold,
}

impl Pen {
    fn all(&self, picture: &Picture, tail: &[Line]) -> Vec<Line> {
        let mut lines = self.title(picture);
        lines.extend(self.state(picture));
        for strip in &picture.strips {
            self.gap(&mut lines);
            self.strip(strip, &mut lines);
        }
        if !picture.queued.is_empty() {
            self.gap(&mut lines);
            let words = waiting(&picture.queued);
            let words = format!("{} {words}", self.sign(Progress::Ahead));
            lines.extend(paragraph(&words, self.canvas.columns, Tint::Plain));
        }
        if picture.is_partial() {
            let words = " the pods cannot be seen; this is what the ledger tells of them";
            lines.extend(paragraph(words, self.canvas.columns, Tint::Busy));
        }
        if picture.strips.iter().any(|strip| !strip.is_over()) {
            self.gap(&mut lines);
            lines.extend(self.legend(picture));
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
    fn title(&self, picture: &Picture) -> Vec<Line> {
        let mut words = format!("{}  {}", picture.app, picture.branch);
        let arrow = if self.canvas.is_ascii { "->" } else { "→" };
        if let Some(subject) = &picture.subject {
            let from = picture.from.as_ref();
            let from = from.map_or_else(String::new, |from| format!("{} {arrow} ", from.short()));
            let (id, title) = (subject.id.short(), &subject.subject);
            words.push_str(&format!("  {from}{id}  \"{title}\"  {}", subject.author));
        }
        paragraph(&words, self.canvas.columns, Tint::Plain)
    }

    fn state(&self, picture: &Picture) -> Vec<Line> {
        let (progress, tint) = match picture.state {
            Reason::Synced => (Progress::Closed, Tint::Good),
            Reason::RollingOut | Reason::WindowClosed => (Progress::Open, Tint::Busy),
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
        let is_moving = picture.strips.iter().any(|strip| !strip.is_over());
        let said = said(picture);
        let mut rows = said.lines();
        let first = rows.next().unwrap_or_default();
        let mut words = vec![format!("{} {first}", self.sign(progress))];
        // A state that is told in a sentence of its own ends with it.
        let is_moving =
            is_moving && matches!(picture.state, Reason::RollingOut | Reason::RolloutFailed);
        if let [strip] = picture.strips.as_slice()
            && strip.batch > 0
            && is_moving
        {
            words.push(format!("batch {} of {}", strip.batch, strip.batches));
        }
        if picture.strips.len() > 1 && is_moving {
            let (ready, all) = picture.ready();
            words.push(format!("{ready} of {all} new pods ready"));
        }
        if !picture.took.is_empty() && is_moving {
            words.push(format!("{} elapsed", picture.took));
        }
        let columns = self.canvas.columns;
        let mut lines = paragraph(&words.join("   "), columns, tint);
        lines.extend(rows.flat_map(|row| paragraph(&format!("  {row}"), columns, tint)));
        lines
    }

    fn legend(&self, picture: &Picture) -> Vec<Line> {
        let is_back = picture.strips.iter().any(Strip::is_back);
        let signs = [
            (Slot::Ready, "new, ready"),
            (Slot::Starting, "new, starting"),
            (Slot::Failing, "failing"),
            (Slot::Old, "old"),
            (Slot::Back, "came back"),
        ];
        let mut lines = vec![Line::default()];
        for (slot, words) in signs {
            if slot == Slot::Back && !is_back {
                continue;
            }
            let sign = Line::from(" ")
                .with(self.cell(slot), tint_of(slot))
                .with(&format!(" {words}"), Tint::Plain);
            let line = lines.last_mut().expect("there is always one");
            if line.width() == 0 {
                *line = sign;
            } else if line.width() + 2 + sign.width() <= self.canvas.columns {
                line.add("  ", Tint::Plain);
                line.append(sign);
            } else {
                lines.push(sign);
            }
        }
        lines
    }
}

/// The workloads whose turn has not come; of many only the first are named.
fn waiting(queued: &[ObjectId]) -> String {
    const NAMED: usize = 3;
    let named: Vec<String> = queued.iter().take(NAMED).map(ObjectId::short).collect();
    let more = match queued.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}: when others have ended", named.join(", "))
}

/// The state in the words of the moment; a cause stands beside its workload.
fn said(picture: &Picture) -> String {
    let back = picture.back_to.as_ref();
    let is_moving = picture.strips.iter().any(|strip| !strip.is_over());
    match (picture.state, back) {
        (Reason::RollingOut, _) if is_moving => match picture.errand {
            Errand::Commit => "rolling out".to_owned(),
            Errand::Restart => "restarting: new pods, the same content".to_owned(),
            Errand::Repair => "taking back what was changed past Git".to_owned(),
        },
        (Reason::RolloutFailed, Some(back)) if is_moving => {
            format!("failed, going back to {}", back.short())
        }
        (Reason::RolloutFailed, None) if is_moving => "failed, held as it is".to_owned(),
        (Reason::Synced, _) => {
            let missing = picture.pods.filter(|(ready, all)| ready < all);
            let missing = missing.map(|(ready, all)| format!("; {ready} of {all} pods are ready"));
            let missing = missing.unwrap_or_default();
            format!("in sync: {}{missing}", picture.message)
        }
        (state, _) => format!("{state}: {}", picture.message),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::health::Pod;
    use crate::ledger::Ledger;
    use crate::object::Strategy;
    use crate::plan::Entry;
    use crate::policy::{Batches, OnFailure, Policy, Resolved};
    use crate::rollout::{Counts, Kind, Live, Seen, Set};
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
            is_base: false,
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
                kind: Kind::Deployment,
                spots: std::collections::BTreeMap::new(),
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
        let commit = ledger.last_good.as_ref().unwrap().revision.id.clone();
        let mut entry = Entry::intended("apps/v1", &commit, "web.yaml");
        entry.policy = Some(Resolved {
            policy: Policy {
                batches: Batches::steps(steps.iter().map(|step| step.parse().unwrap())),
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
    fn workloads_whose_turn_has_not_come_are_named_and_counted() {
        let mut ledger = ledger(&STEPS, &[]);
        let id = |name| format!("apps/Deployment/shop/{name}").parse().unwrap();
        ledger.queued = ["a", "b", "c", "d", "e"].map(id).to_vec();
        let drawn = drawn(&ledger, Some(seen(&ledger, "rsrs", 6)), canvas(80));
        let told = " · Deployment/a, Deployment/b, Deployment/c and 2 more: when others have ended";
        assert!(drawn.contains(told), "{drawn}");
    }

    #[test]
    fn a_restart_is_told_as_one() {
        let mut ledger = ledger(&STEPS, &[("/aim/isDone", json!(true))]);
        let restart = json!({"at": "2026-11-21T10:41:00Z", "by": "ada", "from": null});
        let restart = serde_json::from_value(restart).unwrap();
        ledger.restarts.insert(web(), restart);
        let drawn = drawn(&ledger, Some(seen(&ledger, "rsrs", 6)), canvas(80));
        let head = " shop/web  main  9f3c2e1  \"bump web to 1.8.0\"  Ada L.
 ● restarting: new pods, the same content   batch 2 of 3   1m28s elapsed
";
        assert!(drawn.starts_with(head), "{drawn}");
    }

    /// A picture at rest, with a state that takes many words.
    fn resting(message: &str, columns: usize) -> Vec<String> {
        let mut ledger = ledger(&STEPS, &[("/aim/isDone", json!(true))]);
        ledger.rollouts.clear();
        let mut picture = picture("shop/web", &ledger, &BTreeMap::new(), now());
        picture.pods = Some((10, 12));
        if !message.is_empty() {
            (picture.state, picture.message) = (Reason::AwaitingPromotion, message.to_owned());
        }
        let lines = draw(&picture, &[], canvas(columns));
        lines.iter().map(|line| line.text(columns, false)).collect()
    }

    #[test]
    fn a_head_is_wrapped_and_never_cut() {
        let words = "the branch main was rewritten: d221543 does not descend from 9f3c2e1; \
                     tidegate approve shop/web accepts it";
        for columns in [60, 80] {
            let lines = resting(words, columns);
            let text = lines.join(" ");
            let text: Vec<&str> = text.split_whitespace().collect();
            assert!(text.join(" ").ends_with(words), "{lines:#?}");
        }
    }

    #[test]
    fn pods_that_are_missing_at_rest_are_counted() {
        let lines = resting("", 80);
        assert!(lines[1].contains("; 10 of 12 pods are ready"), "{lines:#?}");
    }

    #[test]
    fn counts_stand_below_a_bar_that_has_no_room_for_them() {
        let mut ledger = ledger(&STEPS, &[]);
        let long: ObjectId = "apps/Deployment/shop/a-name-that-nobody-would-type-twice"
            .parse()
            .unwrap();
        let kept = ledger.rollouts.remove(&web()).unwrap();
        ledger.rollouts.insert(long, kept);
        let drawn = drawn(&ledger, None, canvas(60));
        let rows = " Deployment/a-name-that-nobody-would-type-twice
   ██▒▒▒▒▒▒░░░░░░░
   1 ready, 4 starting, 5 old / 10
";
        assert!(drawn.contains(rows), "{drawn}");
    }

    #[test]
    fn a_narrow_terminal_gets_the_same_with_no_word_and_no_count_cut() {
        let ledger = ledger(&STEPS, &[]);
        let drawn = drawn(&ledger, Some(seen(&ledger, "rsrs", 6)), canvas(60));
        assert_eq!(
            drawn,
            " shop/web  main  41aa0d7 → 9f3c2e1  \"bump web to 1.8.0\"
   Ada L.
 ● rolling out   batch 2 of 3   1m30s elapsed

 Deployment/web  ██▒▒░░░░░░  2 ready, 2 starting, 6 old / 10
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
            " shop/web  main  41aa0d7 -> 9f3c2e1  \"bump web to 1.8.0\"
   Ada L.
 * rolling out   batch 2 of 3   1m30s elapsed

 Deployment/web  ##+..  60 ready, 30 starting, 110 old / 200
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
 ● rolling out   7 of 20 new pods ready   1m30s elapsed

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
