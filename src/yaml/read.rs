//! The one place that knows the YAML parser.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Options, Spanned};

use super::{Content, Key, Node, json, scalar};
use crate::revision::{Fault, Position};

/// Most bytes of one file.
const MAX_BYTES: usize = 16 << 20;
/// Most documents of one file.
const MAX_DOCUMENTS: usize = 20_000;

/// Deepest nesting of a document.
const MAX_DEPTH: usize = 100;
/// Bytes of stack for [`MAX_DEPTH`] levels of an unoptimised build, twice over.
const DEEP_STACK: usize = 24 << 20;

/// Reads the documents of a file; empty ones are left out. A text that starts with `{` is read as
/// JSON, several values one after another, if it is that.
///
/// # Errors
///
/// Says where the first error is; nothing of a broken file is used.
pub fn read(path: &str, bytes: &[u8]) -> Result<Vec<Node>, Fault> {
    let fault = |position, message: String| Fault::new(path, position, message);
    let text = decode(bytes).map_err(|(position, message)| fault(position, message))?;
    if text.trim_start().starts_with('{') {
        match json::split(text) {
            Ok(parts) => {
                let node = |(origin, part): (Position, &str)| {
                    let broken = |(at, message)| fault(shift(at, origin), message);
                    let mut nodes = parse(part).map_err(broken)?;
                    nodes.iter_mut().for_each(|node| moved(node, origin));
                    Ok(nodes)
                };
                let nodes: Result<Vec<_>, Fault> = parts.into_iter().map(node).collect();
                return nodes.map(|lists| lists.into_iter().flatten().collect());
            }
            Err((position, message)) if path.ends_with(".json") => {
                return Err(fault(position, message));
            }
            Err(_) => {}
        }
    }
    parse(text).map_err(|(position, message)| fault(position, message))
}

/// Reads one YAML document out of a text that is no file, such as an annotation; every part gets
/// the `position` of that text.
///
/// # Errors
///
/// Says what is wrong with it and in which of its lines.
pub fn read_text(text: &str, position: Position) -> Result<Node, String> {
    let nodes = parse(text).map_err(|(at, message)| match at.line {
        0 | 1 => message,
        line => format!("{message} (in its line {line})"),
    })?;
    match &nodes[..] {
        [] => Ok(Node {
            position,
            content: Content::Scalar(Value::Null),
        }),
        [node] => Ok(Node::of(&node.value(), position)),
        _ => Err("it holds more than one YAML document".to_owned()),
    }
}

fn decode(bytes: &[u8]) -> Result<&str, (Position, String)> {
    let start = Position { line: 1, column: 1 };
    if bytes.len() > MAX_BYTES {
        let size = bytes.len() >> 20;
        return Err((
            start,
            format!("the file has {size} MiB, more than the limit of 16 MiB: split it"),
        ));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err((start, "the file is UTF-16: save it as UTF-8".to_owned()));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = after(
            start,
            &String::from_utf8_lossy(&bytes[..error.valid_up_to()]),
        );
        (
            at,
            "the file is not valid UTF-8 here: save it as UTF-8".to_owned(),
        )
    })?;
    match text.find('\0') {
        Some(nul) => Err((
            after(start, &text[..nul]),
            "the file holds a NUL character: remove it".to_owned(),
        )),
        None => Ok(text),
    }
}

/// Returns the position after `text`, which starts at `from`.
pub(super) fn after(from: Position, text: &str) -> Position {
    let lines = text.matches('\n').count() as u64;
    let last = text.rsplit('\n').next().unwrap_or_default().chars().count() as u64;
    let column = if lines == 0 {
        u64::from(from.column) + last
    } else {
        last + 1
    };
    Position {
        line: narrow(u64::from(from.line) + lines),
        column: narrow(column),
    }
}

fn shift(at: Position, origin: Position) -> Position {
    let column = if at.line <= 1 {
        at.column + origin.column - 1
    } else {
        at.column
    };
    Position {
        line: at.line.max(1) + origin.line - 1,
        column,
    }
}

fn moved(node: &mut Node, origin: Position) {
    node.position = shift(node.position, origin);
    match &mut node.content {
        Content::Scalar(_) => {}
        Content::List(items) => items.iter_mut().for_each(|item| moved(item, origin)),
        Content::Map(entries) => entries.iter_mut().for_each(|(key, item)| {
            key.position = shift(key.position, origin);
            moved(item, origin);
        }),
    }
}

type Parsed = Result<Vec<Node>, (Position, String)>;

/// Parses on a stack that the deepest document fits into: the parser recurses, and a level may
/// take 90 KB unoptimised. A level takes a byte of text at least, so short texts need no stack of
/// their own.
fn parse(text: &str) -> Parsed {
    if text.len() <= 16 {
        return parse_here(text);
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(DEEP_STACK);
        match thread.spawn_scoped(scope, || parse_here(text)) {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => Err((
                Position::default(),
                format!("there is no memory to read it: {error}"),
            )),
        }
    })
}

fn parse_here(text: &str) -> Parsed {
    let documents: Vec<Raw> = serde_saphyr::from_multiple_with_options(text, options(text.len()))
        .map_err(|error| {
        (
            error.location().map(position).unwrap_or_default(),
            message(error.without_snippet()),
        )
    })?;
    documents
        .into_iter()
        .map(|raw| settle(raw, text))
        .filter(|node| !matches!(node, Ok(node) if node.is_null()))
        .collect()
}

/// Returns the parser's message in our words, without the location, which stands before it.
fn message(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error {
        Error::AliasError { error, .. } => message(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is here twice: keep one")
        }
        Error::NonFiniteFloat { value, .. } => {
            format!("`{value}` is no number that JSON can hold: write it in quotes")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "the alias stands within its own anchor: write the value out".to_owned()
        }
        Error::UnsupportedTag { tag, .. } => format!("the tag `{tag}` is unknown: remove it"),
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } => TOO_MUCH.to_owned(),
        other => {
            let text = other.to_string();
            let first = text.lines().next().unwrap_or_default();
            let first = first.split(" at line ").next().unwrap_or(first);
            if first == "recursion limit exceeded" {
                TOO_MUCH
            } else {
                first
            }
            .to_owned()
        }
    }
}

const TOO_MUCH: &str =
    "the document is too deep, too large or has too many aliases: write it plainly";

fn options(bytes: usize) -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: MAX_DOCUMENTS,
            max_depth: MAX_DEPTH,
            // A common anchor may be used by every document; what aliases add is bounded below.
            enforce_alias_anchor_ratio: false,
            // One text of the largest size may hold a node every other byte.
            max_nodes: bytes + 100_000,
            max_events: 2 * bytes + 200_000,
            max_total_scalar_bytes: 2 * MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 200_000,
        },
        legacy_octal_numbers: true,
        strict_booleans: false,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn position(location: Location) -> Position {
    Position {
        line: narrow(location.line()),
        column: narrow(location.column()),
    }
}

fn narrow(wide: u64) -> u32 {
    u32::try_from(wide).unwrap_or(u32::MAX)
}

/// What the parser makes of a node, before [`settle`] compares it with what is written.
struct Raw(Spanned<Guess>);

enum Guess {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

fn settle(Raw(spanned): Raw, text: &str) -> Result<Node, (Position, String)> {
    let position = position(spanned.referenced);
    let written = || {
        let span = spanned.defined.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        text.get(start..start + usize::try_from(span.byte_len()?).ok()?)
    };
    let at = |message: String| (position, message);
    let content = match spanned.value {
        Guess::Null => Content::Scalar(scalar::null(written().unwrap_or_default().trim())),
        Guess::Bool(value) => {
            Content::Scalar(scalar::boolean(value, written().unwrap_or_default()))
        }
        Guess::Unsigned(value) => Content::Scalar(scalar::unsigned(value).map_err(at)?),
        Guess::Signed(value) => Content::Scalar(value.into()),
        Guess::Float(value) => Content::Scalar(scalar::float(value).map_err(at)?),
        Guess::Text(value) => Content::Scalar(value.into()),
        Guess::List(items) => Content::List(
            items
                .into_iter()
                .map(|item| settle(item, text))
                .collect::<Result<_, _>>()?,
        ),
        Guess::Map(entries) => Content::Map(
            entries
                .into_iter()
                .map(|(key, value)| Ok((settle_key(key, text)?, settle(value, text)?)))
                .collect::<Result<_, (Position, String)>>()?,
        ),
    };
    Ok(Node { position, content })
}

/// Strings are keys, and integers as Kubernetes writes them; what else YAML 1.1 sees in a bare
/// word would silently become another key.
fn settle_key(raw: Raw, text: &str) -> Result<Key, (Position, String)> {
    let Node { position, content } = settle(raw, text)?;
    let word = match content {
        Content::Scalar(Value::String(text)) => return Ok(Key { text, position }),
        Content::Scalar(Value::Number(number)) if number.is_i64() => {
            return Ok(Key {
                text: number.to_string(),
                position,
            });
        }
        Content::Scalar(Value::Bool(value)) => format!("the boolean {value}"),
        Content::Scalar(Value::Null) => "null".to_owned(),
        Content::Scalar(_) => "a fraction".to_owned(),
        Content::List(_) | Content::Map(_) => {
            let message = "a list or map cannot be a key; a template such as `{{ … }}` must be \
                           rendered before it is committed";
            return Err((position, message.to_owned()));
        }
    };
    Err((
        position,
        format!("YAML reads this key as {word}: write it in quotes"),
    ))
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Spanned::deserialize(from).map(Self)
    }
}

impl<'de> Deserialize<'de> for Guess {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyGuess)
    }
}

struct AnyGuess;

impl<'de> Visitor<'de> for AnyGuess {
    type Value = Guess;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Guess, E> {
        Ok(Guess::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Guess, E> {
        Ok(Guess::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Guess, E> {
        Ok(Guess::Unsigned(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Guess, E> {
        Ok(Guess::Signed(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Guess, E> {
        Ok(Guess::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Guess, E> {
        Ok(Guess::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Guess, E> {
        Ok(Guess::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Guess, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Guess::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Guess, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = from.next_entry()? {
            entries.push(entry);
        }
        Ok(Guess::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Result<Value, String> {
        let nodes = read("f.yaml", text.as_bytes()).map_err(|fault| fault.to_string())?;
        Ok(nodes.iter().map(Node::value).collect())
    }

    #[test]
    fn scalars_are_read_as_kubernetes_reads_them() {
        for (written, value) in [
            (
                "[yes, Yes, on, OFF, n, y]",
                json!([true, true, true, false, false, true]),
            ),
            ("[yEs, nULL, tRUE]", json!(["yEs", "nULL", "tRUE"])),
            ("[~, Null, null, ]", json!([null, null, null])),
            (
                "[0755, +0755, -0755, 0o755, 0x1F, 0b11]",
                json!([493, 493, -493, 493, 31, 3]),
            ),
            ("[08, 1_000, 1e3, 1.0, -0]", json!([8, 1000, 1000, 1, 0])),
            ("[1.10, .5, 1.25]", json!([1.1, 0.5, 1.25])),
            (
                "[2024-01-01, 12:30:45, 0x, 19e, =]",
                json!(["2024-01-01", "12:30:45", "0x", "19e", "="]),
            ),
            ("['yes', \"0755\", !!str 5]", json!(["yes", "0755", "5"])),
            (
                "[9223372036854775807, -9223372036854775808]",
                json!([i64::MAX, i64::MIN]),
            ),
            ("\"\\ud83d\\ude00\\/\"", json!("\u{1f600}/")),
        ] {
            assert_eq!(
                one(&format!("a: {written}")),
                Ok(json!([{"a": value}])),
                "{written}"
            );
        }
    }

    #[test]
    fn structure_is_read_as_kubernetes_reads_it() {
        for (text, documents) in [
            (
                "x: &a {b: 1, c: 2}\nz: {<<: *a, c: 3}",
                json!([{"x": {"b": 1, "c": 2}, "z": {"b": 1, "c": 3}}]),
            ),
            ("---\n# nothing\n---\na: 1\n---\n", json!([{"a": 1}])),
            ("\u{feff}a: 1\r\nb:\r\n- 2\r\n", json!([{"a": 1, "b": [2]}])),
            ("8080: x", json!([{"8080": "x"}])),
            ("'on': x", json!([{"on": "x"}])),
            ("{\"a\": 1}{\"b\":\n 2}\n", json!([{"a": 1}, {"b": 2}])),
            ("{a: 1}\n---\n{b: 2}", json!([{"a": 1}, {"b": 2}])),
            ("", json!([])),
            ("# nothing", json!([])),
        ] {
            assert_eq!(one(text), Ok(documents), "{text:?}");
        }
    }

    #[test]
    fn every_part_knows_where_it_is_written() {
        let text = "---\nkind: A\n---\nkind: B\nmetadata:\n  labels: {x: y}\n";
        let nodes = read("f.yaml", text.as_bytes()).unwrap();
        assert_eq!(nodes[1].position, Position { line: 4, column: 1 });
        assert_eq!(
            nodes[1].position_of(&["metadata", "labels", "x"]),
            Position {
                line: 6,
                column: 12
            }
        );
        assert_eq!(
            nodes[1].position_of(&["metadata", "name"]),
            Position { line: 5, column: 1 }
        );
        let nodes = read("f.json", b"{\"a\": 1}\n  {\"b\":\n {\"c\": 1}}").unwrap();
        assert_eq!(
            nodes[1].position_of(&["b"]),
            Position { line: 2, column: 4 }
        );
        assert_eq!(
            nodes[1].position_of(&["b", "c"]),
            Position { line: 3, column: 3 }
        );
    }

    #[test]
    fn an_alias_bomb_and_a_deep_document_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{below}]\n");
        }
        let deep = format!("a: {}{}", "[".repeat(20_000), "]".repeat(20_000));
        let nested = format!("a: {}{}", "[".repeat(90), "]".repeat(90));
        assert!(one(&nested).is_ok());
        for opened in 1..100 {
            assert!(one(&"[".repeat(opened)).is_err());
        }
        for text in [bomb, deep] {
            let fault = one(&text).unwrap_err();
            assert!(fault.contains("write it plainly"), "{fault}");
        }
    }

    #[test]
    fn a_file_may_hold_twenty_thousand_documents() {
        let text = "---\na: 1\n".repeat(20_000);
        assert_eq!(read("f.yaml", text.as_bytes()).unwrap().len(), 20_000);
        assert!(read("f.yaml", (text + "---\na: 1\n").as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = read("f.yaml", &bytes);
        }

        #[test]
        fn no_text_of_yaml_signs_makes_it_panic(text in "[-:{}\\[\\],&*!|>'\"%@`#?<ab01 \\n\\t\u{e9}]{0,80}") {
            let _ = read("f.yaml", text.as_bytes());
            let _ = read_text(&text, Position::default());
        }
    }
}
