//! Durations as Go and Kubernetes write them (`30s`, `1m30s`, `500ms`), and what comes after one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Says why a text is no duration, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationFault {
    /// It does not read as one.
    #[error("`{0}` is no duration such as 30s, 1m30s or 2h")]
    Malformed(String),
    /// It is below zero.
    #[error("`{0}` is negative: write a duration of 0s or more")]
    Negative(String),
    /// It is a bare number.
    #[error("`{0}` has no unit: write `{0}s` if seconds are meant")]
    NoUnit(String),
    /// It passes 2^63 nanoseconds.
    #[error("`{0}` is longer than 292 years: write a shorter duration")]
    TooLong(String),
}

/// Units in nanoseconds; the longer name first where one begins like another.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

/// Reads `30s`, `1m30s`, `1.5h`, `500ms` or `0`; at most 2^63 nanoseconds, as Go's `ParseDuration`.
///
/// # Errors
/// Refuses everything else: bare numbers, signs, spaces, other units.
pub fn read_duration(text: &str) -> Result<Duration, DurationFault> {
    let fault = || DurationFault::Malformed(text.to_owned());
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.starts_with('-') {
        return Err(DurationFault::Negative(text.to_owned()));
    }
    if text.parse::<f64>().is_ok() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(DurationFault::NoUnit(text.to_owned()));
    }
    let mut nanos: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(fault)?;
        let (number, tail) = rest.split_at(digits);
        let unit = UNITS
            .iter()
            .find(|(unit, _)| tail.starts_with(unit))
            .ok_or_else(fault)?;
        nanos = nanos.saturating_add(scaled(number, unit.1).ok_or_else(fault)?);
        rest = &tail[unit.0.len()..];
    }
    i64::try_from(nanos)
        .ok()
        .and_then(|nanos| u64::try_from(nanos).ok())
        .map(Duration::from_nanos)
        .ok_or_else(|| DurationFault::TooLong(text.to_owned()))
}

/// Writes a duration so that [`read_duration`] reads it back.
#[must_use]
pub fn write_duration(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for unit in ["h", "m", "s", "ms", "us", "ns"] {
        let length = UNITS.iter().find(|(name, _)| *name == unit);
        let length = length.map_or(1, |(_, length)| *length);
        if rest >= length {
            text.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// Returns the time `wait` after `start`; a sum beyond what a calendar holds is the calendar's end.
#[must_use]
pub fn later(start: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| start.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Returns `number`, which may have a fraction, times `unit`; too large ones saturate.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let digits = |text: &str| match text.trim_start_matches('0') {
        "" => 0,
        text => text.parse::<u64>().map_or(u128::from(u64::MAX), u128::from),
    };
    let fraction = &fraction[..fraction.len().min(15)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    Some(digits(whole).saturating_mul(unit) + digits(fraction) * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_back_as_it_was_written() {
        for (text, millis) in [
            ("0s", 0),
            ("30s", 30_000),
            ("1m", 60_000),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("1h1s", 3_601_000),
            ("1s500ms", 1_500),
        ] {
            assert_eq!(read_duration(text), Ok(Duration::from_millis(millis)));
            assert_eq!(write_duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(write_duration(Duration::from_nanos(2_003)), "2us3ns");
        assert_eq!(read_duration("90s"), read_duration("1m30s"));
    }

    #[test]
    fn a_wait_without_end_ends_with_the_calendar() {
        let start = Timestamp::UNIX_EPOCH;
        assert_eq!(later(start, Duration::from_secs(90)).as_second(), 90);
        assert_eq!(later(start, Duration::MAX), Timestamp::MAX);
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("500ms", 500),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("1h1m1s1ms", 3_661_001),
            ("2000us", 2),
            ("2000µs", 2),
        ] {
            assert_eq!(
                read_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_told_why() {
        for (text, message) in [
            ("30", "`30` has no unit: write `30s` if seconds are meant"),
            (
                "1.5",
                "`1.5` has no unit: write `1.5s` if seconds are meant",
            ),
            ("-5s", "`-5s` is negative: write a duration of 0s or more"),
            (
                "9999999h",
                "`9999999h` is longer than 292 years: write a shorter duration",
            ),
            (
                "99999999999999999999h",
                "`99999999999999999999h` is longer than 292 years: write a shorter duration",
            ),
            ("1e9h", "`1e9h` is no duration such as 30s, 1m30s or 2h"),
            (
                "5 minutes",
                "`5 minutes` is no duration such as 30s, 1m30s or 2h",
            ),
            ("1d", "`1d` is no duration such as 30s, 1m30s or 2h"),
            ("s", "`s` is no duration such as 30s, 1m30s or 2h"),
            ("1..5s", "`1..5s` is no duration such as 30s, 1m30s or 2h"),
            ("1s30", "`1s30` is no duration such as 30s, 1m30s or 2h"),
            ("+1s", "`+1s` is no duration such as 30s, 1m30s or 2h"),
            ("1 s", "`1 s` is no duration such as 30s, 1m30s or 2h"),
            ("1mm", "`1mm` is no duration such as 30s, 1m30s or 2h"),
            ("PT1S", "`PT1S` is no duration such as 30s, 1m30s or 2h"),
            ("", "`` is no duration such as 30s, 1m30s or 2h"),
        ] {
            let fault = read_duration(text).unwrap_err();
            assert_eq!(fault.to_string(), message, "{text}");
        }
    }
}
