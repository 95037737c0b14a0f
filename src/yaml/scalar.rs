//! The few scalars that the parser reads otherwise than Kubernetes does.

use serde_json::{Number, Value};

/// The spellings of a boolean that YAML 1.1 lists; `yEs` is a string.
const BOOLEANS: [&str; 22] = [
    "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE", "n", "N", "no", "No",
    "NO", "off", "Off", "OFF", "false", "False", "FALSE",
];
/// The spellings of null that YAML 1.1 lists.
const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];
/// Up to here every integer is exact as a float: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Returns the boolean, or the string where `written` is no listed spelling of one.
pub(super) fn boolean(value: bool, written: &str) -> Value {
    if BOOLEANS.contains(&written) {
        value.into()
    } else {
        written.into()
    }
}

/// Returns null, or the string where `written` is no listed spelling of it.
pub(super) fn null(written: &str) -> Value {
    if NULLS.contains(&written) {
        Value::Null
    } else {
        written.into()
    }
}

/// Returns a number; one without a fraction becomes an integer, as in Go's JSON.
pub(super) fn float(value: f64) -> Result<Value, String> {
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "integral and within 2^53")]
        let whole = value as i64;
        return Ok(whole.into());
    }
    match Number::from_f64(value) {
        Some(number) if value.fract() != 0.0 => Ok(number.into()),
        _ => Err(TOO_LARGE.to_owned()),
    }
}

/// Returns an integer; the API has none beyond 64 bits with a sign.
pub(super) fn unsigned(value: u64) -> Result<Value, String> {
    i64::try_from(value)
        .map(Value::from)
        .map_err(|_| TOO_LARGE.to_owned())
}

const TOO_LARGE: &str =
    "the number is too large to be kept exactly: write it in quotes if a string is meant";
