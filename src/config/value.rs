//! Reads single values: names, numbers, durations, choices.

use std::{ops::RangeInclusive, time::Duration};

use serde::Serialize;
use serde_json::Value;

use super::{fault::Cause, fields::nature};
use crate::object::{KindName, closest, read_duration};

/// Reads a string that is not empty and has no control characters.
pub(super) fn text(value: &Value) -> Result<String, Cause> {
    match value.as_str() {
        Some("") => Err("is empty".into()),
        Some(text) if text.chars().any(char::is_control) => Err("has control characters".into()),
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("is {}; must be a string", nature(value)).into()),
    }
}

/// Reads `true` or `false`; their strings are none.
pub(super) fn boolean(value: &Value) -> Result<bool, Cause> {
    value
        .as_bool()
        .ok_or_else(|| format!("is {}; must be true or false", nature(value)).into())
}

/// Reads a whole number within `range`.
pub(super) fn number(value: &Value, range: RangeInclusive<u32>) -> Result<u32, Cause> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            format!(
                "must be a whole number from {} to {}",
                range.start(),
                range.end()
            )
            .into()
        })
}

/// Reads a duration of at least `least` seconds.
pub(super) fn duration(value: &Value, least: u64) -> Result<Duration, Cause> {
    let Some(text) = value.as_str() else {
        return Err(format!("is {}; must be a duration such as 30s", nature(value)).into());
    };
    let duration = read_duration(text)?;
    if duration < Duration::from_secs(least) {
        return Err(format!("is {text}; must be at least {least}s").into());
    }
    Ok(duration)
}

/// Reads the name of a kind.
pub(super) fn kind_name(value: &Value) -> Result<KindName, Cause> {
    Ok(text(value)?.parse::<KindName>()?)
}

/// Reads one of the words that `choices` have in documents.
pub(super) fn choice<T: Copy + Serialize>(value: &Value, choices: &[T]) -> Result<T, Cause> {
    let words: Vec<Value> = choices
        .iter()
        .map(|choice| super::word::word(*choice))
        .collect();
    if let Some(at) = words.iter().position(|word| word == value) {
        return Ok(choices[at]);
    }
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    let Some(text) = value.as_str() else {
        return Err(format!("is {}; must be one of {}", nature(value), words.join(", ")).into());
    };
    Err(match closest(text, words.iter().copied()) {
        Some(meant) => format!("is `{text}`; did you mean `{meant}`?"),
        None => format!("is `{text}`; must be one of {}", words.join(", ")),
    }
    .into())
}

/// Reads a DNS label (RFC 1123) of at most `longest` characters.
pub(super) fn label(value: &Value, longest: usize) -> Result<String, Cause> {
    let text = text(value)?;
    if text.len() > longest {
        return Err(format!(
            "has {} characters; at most {longest} are allowed",
            text.len()
        )
        .into());
    }
    if !is_label(&text) {
        return Err(
            format!("`{text}` must be lower-case letters, digits and inner hyphens").into(),
        );
    }
    Ok(text)
}

/// Reads the name of an object (a DNS subdomain).
pub(super) fn name(value: &Value) -> Result<String, Cause> {
    let text = text(value)?;
    if text.len() > 253 || !text.split('.').all(is_label) {
        return Err(format!("`{text}` is no name of an object, such as deploy-key").into());
    }
    Ok(text)
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Reads a JSON pointer to a field (RFC 6901); the empty one, the whole object, is refused.
pub(super) fn pointer(value: &Value) -> Result<String, Cause> {
    let text = text(value)?;
    let is_escaped = text
        .split('~')
        .skip(1)
        .all(|part| part.starts_with(['0', '1']));
    if !text.starts_with('/') || !is_escaped {
        return Err(format!("`{text}` is no JSON pointer such as /spec/replicas").into());
    }
    Ok(text)
}

/// Reads a path inside the repository and returns it without `.`, doubled or outer slashes; empty
/// for the root.
pub(super) fn path(value: &Value) -> Result<String, Cause> {
    let text = text(value)?;
    if text.starts_with('/') || text.contains('\\') {
        return Err(format!("`{text}` must be relative to the repository's root, with `/`").into());
    }
    let parts: Vec<&str> = text
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    if parts.contains(&"..") {
        return Err(format!("`{text}` must not contain `..`").into());
    }
    Ok(parts.join("/"))
}

/// Reads the short name of a branch, by the rules of `git check-ref-format`.
pub(super) fn branch(value: &Value) -> Result<String, Cause> {
    let text = text(value)?;
    if text.starts_with("refs/") {
        return Err(format!("`{text}` must be the branch's short name, such as main").into());
    }
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.ends_with(".lock")
    };
    let is_branch = text.split('/').all(is_part)
        && !text.starts_with('-')
        && text != "@"
        && !text.contains("..")
        && !text.contains("@{")
        && !text.contains([' ', '~', '^', ':', '?', '*', '[', '\\']);
    if is_branch {
        Ok(text)
    } else {
        Err(format!("`{text}` is no name of a branch").into())
    }
}
