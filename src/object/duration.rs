//! Durations as people write them in documents: `30s`, `1m`, `1m30s`, `2h`.

use std::time::Duration;

/// Says why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration such as 30s, 1m30s or 2h")]
pub struct DurationFault(String);

/// The units, largest first, with their seconds.
const UNITS: [(char, u64); 3] = [('h', 3600), ('m', 60), ('s', 1)];

/// Reads whole hours, minutes and seconds, each unit at most once and the larger one first. `0s`
/// is the way to write none.
///
/// # Errors
/// Refuses everything else: bare numbers, signs, fractions, spaces, other units, and what passes
/// `u32::MAX` seconds.
pub fn read_duration(text: &str) -> Result<Duration, DurationFault> {
    seconds(text)
        .map(|all| Duration::from_secs(all.into()))
        .ok_or(DurationFault(text.to_owned()))
}

/// Writes a duration so that [`read_duration`] reads it back; fractions of a second are dropped.
#[must_use]
pub fn write_duration(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut text = String::new();
    for (unit, length) in UNITS {
        if rest >= length || (unit == 's' && text.is_empty()) {
            text.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    text
}

fn seconds(text: &str) -> Option<u32> {
    let mut rest = text;
    let mut total: u64 = 0;
    for (unit, length) in UNITS {
        let Some((digits, tail)) = rest.split_once(unit) else {
            continue;
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(length)?)?;
        rest = tail;
    }
    let is_whole = rest.is_empty() && !text.is_empty();
    is_whole
        .then_some(total)
        .and_then(|total| u32::try_from(total).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_back_as_it_was_written() {
        for (text, seconds) in [
            ("0s", 0),
            ("30s", 30),
            ("1m", 60),
            ("1m30s", 90),
            ("2h", 7200),
            ("1h1s", 3601),
        ] {
            assert_eq!(read_duration(text), Ok(Duration::from_secs(seconds)));
            assert_eq!(write_duration(Duration::from_secs(seconds)), text);
        }
        assert_eq!(read_duration("90s"), read_duration("1m30s"));
    }

    #[test]
    fn what_is_no_duration_is_refused_by_its_text() {
        for text in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "+1s",
            "1 s",
            "1s1m",
            "1s1s",
            "1d",
            "100ms",
            "1mm",
            "PT1S",
            "4294967296s",
            "99999999999999999999h",
        ] {
            assert_eq!(read_duration(text), Err(DurationFault(text.to_owned())));
        }
    }
}
