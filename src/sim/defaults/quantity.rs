//! Quantities in the one form in which the API server keeps them
//! (`apimachinery/pkg/api/resource/quantity.go`).

use serde_json::{Value, json};

/// Decimal suffixes by powers of a thousand, from milli.
const DECIMAL: &[&str] = &["m", "", "k", "M", "G", "T", "P", "E"];
/// Binary suffixes by powers of 1,024.
const BINARY: &[&str] = &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Returns a quantity in its canonical form; what is none is returned as it is.
#[must_use]
pub fn canonical(text: &str) -> String {
    let split = text
        .find(|letter: char| !letter.is_ascii_digit() && !matches!(letter, '.' | '+' | '-'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let Some(thousandths) = thousandths(number) else {
        return text.to_owned();
    };
    if let Some(power) = BINARY
        .iter()
        .position(|name| *name == suffix && power_is_said(name))
    {
        return in_binary(thousandths, power).unwrap_or_else(|| text.to_owned());
    }
    let Some(power) = DECIMAL.iter().position(|name| *name == suffix) else {
        return text.to_owned();
    };
    in_decimal(thousandths, power).unwrap_or_else(|| text.to_owned())
}

const fn power_is_said(name: &str) -> bool {
    !name.is_empty()
}

/// Reads `1.5` as 1,500; `None` where it is no number or finer than that.
fn thousandths(number: &str) -> Option<i128> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.len() > 3 {
        return None;
    }
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let whole: i128 = if matches!(whole, "" | "-" | "+") {
        0
    } else {
        whole.parse().ok()?
    };
    let part: i128 = format!("{part:0<3}").parse().ok()?;
    Some(whole * 1000 + sign * part)
}

fn in_binary(thousandths: i128, power: usize) -> Option<String> {
    let mut bytes = thousandths.checked_mul(1024_i128.checked_pow(u32::try_from(power).ok()?)?)?;
    if bytes % 1000 != 0 {
        return None;
    }
    bytes /= 1000;
    let mut power = 0;
    while power + 1 < BINARY.len() && bytes != 0 && bytes % 1024 == 0 {
        bytes /= 1024;
        power += 1;
    }
    Some(format!("{bytes}{}", BINARY[power]))
}

fn in_decimal(thousandths: i128, power: usize) -> Option<String> {
    // In thousandths of a milli, so that `1m` is exact.
    let exact = thousandths.checked_mul(1000_i128.checked_pow(u32::try_from(power).ok()?)?)?;
    if exact % 1000 != 0 {
        return None;
    }
    let mut amount = exact / 1000;
    let mut power = 0;
    while power + 1 < DECIMAL.len() && amount != 0 && amount % 1000 == 0 {
        amount /= 1000;
        power += 1;
    }
    if amount == 0 {
        return Some("0".to_owned());
    }
    Some(format!("{amount}{}", DECIMAL[power]))
}

/// Brings every value of a map of quantities into its form; numbers become texts.
pub(super) fn all(map: &mut Value) {
    for value in map.as_object_mut().into_iter().flat_map(|m| m.values_mut()) {
        let text = match &*value {
            Value::String(text) => canonical(text),
            Value::Number(number) => canonical(&number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => continue,
        };
        *value = json!(text);
    }
}

/// Brings `limits` and `requests` into their form.
pub(super) fn of_resources(resources: &mut Value) {
    for key in ["limits", "requests"] {
        if let Some(map) = resources.get_mut(key) {
            all(map);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_one_form() {
        for (written, kept) in [
            ("1", "1"),
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1500m", "1500m"),
            ("1024Mi", "1Gi"),
            ("128Mi", "128Mi"),
            ("1.5Gi", "1536Mi"),
            ("1000", "1k"),
            ("0", "0"),
            ("a lot", "a lot"),
        ] {
            assert_eq!(canonical(written), kept, "{written}");
        }
    }
}
