//! When rollouts may begin and go on: windows by cron expressions.

use std::{fmt, str::FromStr as _, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use jiff_cron::Schedule;
use serde::{Deserialize, Serialize};

use crate::object::{later, write_duration};

/// Names of the days of a week, from cron's 0; its 7 is Sunday again.
const DAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
/// How often a search for the next opening looks further.
const LOOKS: usize = 1_000;
const WEEK: Duration = Duration::from_hours(7 * 24);

/// A stretch of time that comes again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Whether it opens or closes.
    pub kind: WindowKind,
    /// When it begins: the five fields of cron, or `@daily` and the like.
    pub schedule: String,
    /// How long it lasts.
    #[serde(with = "super::word::seconds")]
    pub duration: Duration,
    /// IANA name of the time zone of the schedule. Default `UTC`.
    pub time_zone: String,
}

/// What a window does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowKind {
    /// Batches open only in a window of this kind, where there is one.
    Allow,
    /// No batch opens in it, whatever allows it.
    Deny,
}

/// Returns when batches may open again; `None` where they may now. The end of the calendar where
/// that is never.
#[must_use]
pub fn closed_until(windows: &[Window], now: Timestamp) -> Option<Timestamp> {
    if is_open(windows, now) {
        return None;
    }
    let mut at = now;
    for _ in 0..LOOKS {
        let changes = windows.iter().filter_map(|window| match window.kind {
            WindowKind::Allow => window.next(at),
            WindowKind::Deny => Some(later(window.current(at)?, window.duration)),
        });
        let Some(next) = changes.filter(|change| *change > at).min() else {
            break;
        };
        if is_open(windows, next) {
            return Some(next);
        }
        at = next;
    }
    Some(Timestamp::MAX)
}

fn is_open(windows: &[Window], at: Timestamp) -> bool {
    let of = |kind| windows.iter().filter(move |window| window.kind == kind);
    let holds = |window: &Window| window.current(at).is_some();
    let is_allowed = of(WindowKind::Allow).any(holds);
    let is_denied = of(WindowKind::Deny).any(holds);
    (is_allowed || of(WindowKind::Allow).next().is_none()) && !is_denied
}

/// Says whether windows are open for no minute of any week.
pub(super) fn are_never_open(windows: &[Window]) -> bool {
    // 2024 began on a Monday.
    let mut monday = Timestamp::constant(1_704_067_200, 0);
    for _ in 0..53 {
        let next = later(monday, WEEK);
        if closed_until(windows, monday).is_none_or(|opens| opens < next) {
            return false;
        }
        monday = next;
    }
    true
}

impl Window {
    /// Checks what stands in it; says what is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        parse(&self.schedule)?;
        TimeZone::get(&self.time_zone).map_err(|_| {
            format!(
                "timeZone: `{}` is no IANA time zone such as Europe/Berlin",
                self.time_zone
            )
        })?;
        if self.duration < Duration::from_mins(1) {
            let written = write_duration(self.duration);
            return Err(format!(
                "duration: {written} is shorter than a minute, cron's own step"
            ));
        }
        Ok(())
    }

    /// When the window that is open at a time began, the one that ends first.
    fn current(&self, at: Timestamp) -> Option<Timestamp> {
        let before = at.checked_sub(self.duration).ok()?;
        self.next(before).filter(|start| *start <= at)
    }

    /// When it begins next after a time.
    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let schedule = parse(&self.schedule).ok()?;
        let zone = TimeZone::get(&self.time_zone).ok()?;
        let next = schedule.after(after.to_zoned(zone)).next()?;
        Some(next.timestamp())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            schedule,
            duration,
            time_zone,
        } = self;
        let duration = write_duration(*duration);
        write!(f, "{kind:?} `{schedule}` {time_zone} for {duration}")
    }
}

/// Reads the five fields of cron, whose days of the week count from Sunday, 0.
fn parse(text: &str) -> Result<Schedule, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let fault = |why: &str| {
        format!("schedule: `{text}` is no cron expression such as `0 9 * * 1-5`: {why}")
    };
    let whole = match fields.as_slice() {
        [word] if word.starts_with('@') => (*word).to_owned(),
        [_, _, day, _, weekday] if *day != "*" && *weekday != "*" => {
            return Err(fault(
                "a day of the month and a day of the week exclude each other; write two windows",
            ));
        }
        [minute, hour, day, month, weekday] => {
            let weekday = weekdays(weekday)
                .ok_or_else(|| fault("its days of the week are 0 to 7 or SUN to SAT"))?;
            format!("0 {minute} {hour} {day} {month} {weekday}")
        }
        _ => {
            return Err(fault(
                "it has five fields: minute, hour, day, month, day of the week",
            ));
        }
    };
    Schedule::from_str(&whole).map_err(|_| fault("a field is out of its range, or cannot be read"))
}

/// Writes days of the week by their names, since their numbers count differently elsewhere.
fn weekdays(field: &str) -> Option<String> {
    if field == "*" {
        return Some(field.to_owned());
    }
    let mut names = Vec::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: usize = step.parse().ok().filter(|step| *step > 0)?;
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            Some((first, last)) => (weekday(first)?, weekday(last)?),
            None => (weekday(range)?, weekday(range)?),
        };
        // FRI-SUN goes on over the end of the week.
        let last = if last < first { last + 7 } else { last };
        names.extend((first..=last).step_by(step).map(|day| DAYS[day % 7]));
    }
    Some(names.join(","))
}

fn weekday(text: &str) -> Option<usize> {
    let named = DAYS.iter().position(|name| name.eq_ignore_ascii_case(text));
    named.or_else(|| text.parse().ok().filter(|day| *day <= 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kind: WindowKind, schedule: &str, hours: u64, time_zone: &str) -> Window {
        Window {
            kind,
            schedule: schedule.to_owned(),
            duration: Duration::from_hours(hours),
            time_zone: time_zone.to_owned(),
        }
    }

    fn opens(windows: &[Window], at: &str) -> Option<String> {
        closed_until(windows, at.parse().unwrap()).map(|at| at.to_string())
    }

    #[test]
    fn office_hours_are_those_of_their_time_zone_summer_and_winter() {
        let office = [window(WindowKind::Allow, "0 9 * * 1-5", 8, "Europe/Berlin")];
        assert_eq!(
            opens(&office, "2026-11-20T08:00:00Z"),
            None,
            "a Friday, nine sharp"
        );
        assert_eq!(opens(&office, "2026-11-20T15:59:59Z"), None);
        let monday = Some("2026-11-23T08:00:00Z".to_owned());
        assert_eq!(
            opens(&office, "2026-11-20T16:00:00Z"),
            monday,
            "at five it closes"
        );
        let summer = Some("2026-07-20T07:00:00Z".to_owned());
        assert_eq!(opens(&office, "2026-07-19T12:00:00Z"), summer);
    }

    #[test]
    fn what_denies_wins_and_alone_leaves_the_rest_open() {
        let freeze = window(WindowKind::Deny, "0 0 24 12 *", 72, "UTC");
        assert_eq!(
            opens(std::slice::from_ref(&freeze), "2026-12-23T23:59:59Z"),
            None
        );
        let over = Some("2026-12-27T00:00:00Z".to_owned());
        assert_eq!(
            opens(std::slice::from_ref(&freeze), "2026-12-24T00:00:00Z"),
            over
        );
        let daily = window(WindowKind::Allow, "@daily", 1, "UTC");
        assert_eq!(opens(&[freeze, daily], "2026-12-25T00:30:00Z"), over);
    }

    #[test]
    fn days_of_the_week_are_crons_own() {
        for (field, names) in [
            ("1-5", Some("MON,TUE,WED,THU,FRI")),
            ("0", Some("SUN")),
            ("7", Some("SUN")),
            ("5-7", Some("FRI,SAT,SUN")),
            ("fri-mon", Some("FRI,SAT,SUN,MON")),
            ("*/2", Some("SUN,TUE,THU,SAT")),
            ("8", None),
            ("1-5/0", None),
            ("Freitag", None),
        ] {
            assert_eq!(weekdays(field).as_deref(), names, "{field}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_to_write() {
        let told = |schedule: &str| window(WindowKind::Allow, schedule, 1, "UTC").check();
        assert_eq!(told("30 9 * * mon"), Ok(()));
        for (schedule, word) in [
            ("0 9 * *", "five fields"),
            ("0 0 9 * * 1", "five fields"),
            ("0 25 * * *", "out of its range"),
            ("0 9 1 * 1", "exclude each other"),
            ("0 9 * * 9", "0 to 7"),
        ] {
            let why = told(schedule).unwrap_err();
            assert!(why.contains(word), "{schedule}: {why}");
        }
        let nowhere = window(WindowKind::Allow, "@daily", 1, "Mars/Olympus");
        assert!(nowhere.check().unwrap_err().starts_with("timeZone: "));
    }

    #[test]
    fn windows_that_leave_no_minute_are_found() {
        let always = window(WindowKind::Deny, "* * * * *", 1, "UTC");
        let monthly = window(WindowKind::Allow, "0 3 15 * *", 2, "UTC");
        assert!(are_never_open(std::slice::from_ref(&always)));
        assert!(!are_never_open(std::slice::from_ref(&monthly)));
        assert!(are_never_open(&[always, monthly]));
        assert!(!are_never_open(&[]));
    }
}
