//! How long ago something was, in few letters (`apimachinery/pkg/util/duration/duration.go`).

use jiff::Timestamp;

/// Returns the time since a timestamp; `<unknown>` for none.
pub(super) fn since(at: Option<&str>, now: Timestamp) -> String {
    match at.and_then(|at| at.parse::<Timestamp>().ok()) {
        Some(at) => human(now.duration_since(at).as_secs()),
        None => "<unknown>".to_owned(),
    }
}

/// Writes seconds as `kubectl` does.
pub(super) fn human(seconds: i64) -> String {
    const DAY: i64 = 24;
    const YEAR: i64 = 365;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / DAY;
    let two = |large: i64, unit: &str, small: i64, part: &str| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit}{small}{part}")
        }
    };
    match () {
        () if seconds < -1 => "<invalid>".to_owned(),
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < DAY * 8 => two(days, "d", hours % DAY, "h"),
        () if days < YEAR * 2 => format!("{days}d"),
        () if days < YEAR * 8 => two(days / YEAR, "y", days % YEAR, "d"),
        () => format!("{}y", days / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_kubectl_writes_them() {
        for (seconds, text) in [
            (-5, "<invalid>"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (600, "10m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 60, "3h1m"),
            (47 * 3600, "47h"),
            (3 * 86_400 + 3600, "3d1h"),
            (9 * 86_400, "9d"),
        ] {
            assert_eq!(human(seconds), text, "{seconds}");
        }
    }
}
