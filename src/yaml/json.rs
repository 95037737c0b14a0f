//! Several JSON values one after another, as `kubectl` accepts them.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::read::after;
use crate::revision::Position;

/// Splits `text` into its JSON values, each with where it starts; at most one more than `most`.
pub(super) fn split(text: &str, most: usize) -> Result<Vec<(Position, &str)>, (Position, String)> {
    let mut values = Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut parts = Vec::new();
    let (mut start, mut here) = (0, Position { line: 1, column: 1 });
    while parts.len() <= most
        && let Some(value) = values.next()
    {
        value.map_err(|error| fault(&error))?;
        let part = &text[start..values.byte_offset()];
        let value = part.trim_start();
        here = after(here, &part[..part.len() - value.len()]);
        parts.push((here, value));
        here = after(here, value);
        start = values.byte_offset();
    }
    Ok(parts)
}

/// Takes the position out of the text of `error`.
fn fault(error: &serde_json::Error) -> (Position, String) {
    let narrow = |wide: usize| u32::try_from(wide).unwrap_or(u32::MAX);
    let position = Position {
        line: narrow(error.line()),
        column: narrow(error.column()),
    };
    let text = error.to_string();
    (
        position,
        text.split(" at line ").next().unwrap_or(&text).to_owned(),
    )
}
