//! Reading by the YAML parser, which only this file and its complaints know.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Options, Spanned};

use super::complaint::{MAX_ALIASED, MAX_DEPTH, message};
use super::{Budget, Content, Key, Node, json, scalar};
use crate::revision::{Fault, File, Position};

/// Bytes of stack that reading needs: a level of the deepest document may take 90 KB in an
/// unoptimised build; twice over.
pub const STACK: usize = 24 << 20;
/// Most bytes of a text that is no file: what Kubernetes allows all annotations of an object
/// (`TotalAnnotationSizeLimitB`).
const LONGEST_TEXT: usize = 256 << 10;

/// Reads the documents of a file and takes them off the budget of the commit; empty ones are left
/// out. A text that starts with `{` is read as JSON, several values one after another, if it is
/// that.
///
/// # Errors
///
/// Says where the first error is; nothing of a broken file is used.
pub fn read(path: &str, bytes: &[u8], budget: &mut Budget) -> Result<Vec<Node>, Fault> {
    let fault = |(position, message): At| Fault::new(path, position, message);
    let text = decode(bytes).map_err(fault)?;
    if text.trim_start().starts_with('{') {
        match json::split(text, budget.documents) {
            Ok(parts) => return read_values(&parts, budget).map_err(fault),
            Err(broken) if path.ends_with(".json") => return Err(fault(broken)),
            Err(_) => {}
        }
    }
    parse(text, budget).map_err(fault)
}

fn read_values(parts: &[(Position, &str)], budget: &mut Budget) -> Result<Vec<Node>, At> {
    let mut nodes = Vec::new();
    for (origin, part) in parts {
        let mut read = parse(part, budget).map_err(|(at, why)| (shift(at, *origin), why))?;
        read.iter_mut().for_each(|node| moved(node, *origin));
        nodes.append(&mut read);
    }
    Ok(nodes)
}

/// Reads one YAML document out of a text that is no file, such as an annotation; every part gets
/// the `position` of that text.
///
/// # Errors
///
/// Says what is wrong with it and in which of its lines.
pub fn read_text(text: &str, position: Position) -> Result<Node, String> {
    if text.len() > LONGEST_TEXT {
        let size = text.len() >> 10;
        return Err(format!("it has {size} KiB, more than the limit of 256 KiB"));
    }
    let nodes = parse(text, &mut Budget::default()).map_err(|(at, message)| match at.line {
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

fn decode(bytes: &[u8]) -> Result<&str, At> {
    let start = Position { line: 1, column: 1 };
    if bytes.len() > File::LARGEST {
        let (size, most) = (bytes.len(), File::LARGEST);
        return Err((
            start,
            format!("the file has {size} bytes, more than the limit of {most}: split it"),
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

/// A place in a text and what is wrong there.
type At = (Position, String);

fn parse(text: &str, budget: &mut Budget) -> Result<Vec<Node>, At> {
    let documents: Vec<Raw> =
        serde_saphyr::from_multiple_with_options(text, options(budget, text.len())).map_err(
            |error| {
                let at = error.location().map(position).unwrap_or_default();
                (at, message(error.without_snippet(), budget))
            },
        )?;
    let count = documents.len();
    let mut settling = Settling { text, nodes: 0 };
    let nodes = documents
        .into_iter()
        .map(|raw| settling.settle(raw))
        .filter(|node| !matches!(node, Ok(node) if node.is_null()))
        .collect();
    budget.spend(count, settling.nodes);
    nodes
}

fn options(budget: &Budget, bytes: usize) -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: budget.documents,
            max_depth: MAX_DEPTH,
            // A common anchor may be used by every document; what aliases add counts as well.
            enforce_alias_anchor_ratio: false,
            max_nodes: budget.nodes,
            // Each value comes with two events at most, each document with two more.
            max_events: 2 * (budget.nodes + budget.documents) + 2,
            // An alias may repeat what the text holds once.
            max_total_scalar_bytes: 2 * bytes.max(File::LARGEST),
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_ALIASED,
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

/// Turns what the parser made of a text into nodes, and counts them.
struct Settling<'a> {
    text: &'a str,
    nodes: usize,
}

impl Settling<'_> {
    fn settle(&mut self, Raw(spanned): Raw) -> Result<Node, At> {
        self.nodes += 1;
        let text = self.text;
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
                    .map(|item| self.settle(item))
                    .collect::<Result<_, _>>()?,
            ),
            Guess::Map(entries) => Content::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Ok((self.settle_key(key)?, self.settle(value)?)))
                    .collect::<Result<_, At>>()?,
            ),
        };
        Ok(Node { position, content })
    }

    /// Strings are keys, and integers as Kubernetes writes them; what else YAML 1.1 sees in a bare
    /// word would silently become another key.
    fn settle_key(&mut self, raw: Raw) -> Result<Key, At> {
        let Node { position, content } = self.settle(raw)?;
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

    /// Reads a file on a stack that is large enough, by the whole budget of a commit.
    fn read_one(path: &str, bytes: &[u8]) -> Result<Vec<Node>, Fault> {
        deep(|| read(path, bytes, &mut Budget::default()))
    }

    fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, work).unwrap().join().unwrap()
        })
    }

    fn one(text: &str) -> Result<Value, String> {
        let nodes = read_one("f.yaml", text.as_bytes()).map_err(|fault| fault.to_string())?;
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
        let nodes = read_one("f.yaml", text.as_bytes()).unwrap();
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
        let nodes = read_one("f.json", b"{\"a\": 1}\n  {\"b\":\n {\"c\": 1}}").unwrap();
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
        let anchored = "- &a x\n".repeat(60_000);
        for (text, limit) in [
            (bomb, "its aliases stand for more than 200000 values"),
            (deep, "nested deeper than 100 levels"),
            (anchored, "anchors"),
        ] {
            let fault = one(&text).unwrap_err();
            assert!(fault.contains(limit), "{fault}");
            assert!(fault.ends_with("write it plainly"), "{fault}");
        }
    }

    #[test]
    fn the_files_of_a_commit_share_one_budget_of_documents() {
        for (path, one) in [("f.yaml", "---\na: 1\n"), ("f.json", "{\"a\": 1}\n")] {
            deep(|| {
                let mut budget = Budget::default();
                let read = |count, budget: &mut Budget| {
                    let nodes = read(path, one.repeat(count).as_bytes(), budget);
                    nodes
                        .map(|nodes| nodes.len())
                        .map_err(|fault| fault.message)
                };
                assert_eq!(read(19_999, &mut budget), Ok(19_999));
                assert_eq!(read(1, &mut budget), Ok(1));
                let said =
                    "the commit holds more than 20000 documents: split it into several paths";
                assert_eq!(read(1, &mut budget), Err(said.to_owned()), "{path}");
                assert_eq!(read(20_001, &mut Budget::default()), Err(said.to_owned()));
            });
        }
    }

    #[test]
    fn values_are_counted_over_all_files_with_what_aliases_stand_for() {
        let budget = || Budget {
            documents: 9,
            nodes: 12,
        };
        let count = |text: &str| {
            let mut left = budget();
            deep(|| read("f.yaml", text.as_bytes(), &mut left)).map(|_| budget().nodes - left.nodes)
        };
        assert_eq!(count("a: [b, c]\n").unwrap(), 5);
        assert_eq!(count("a: &x [b, c]\nd: *x\n").unwrap(), 9);
        let fault = count("a: &x [b, c]\nd: *x\ne: *x\n").unwrap_err();
        assert!(
            fault.message.contains("more than 2000000 values"),
            "{fault}"
        );
        let mut left = budget();
        deep(|| {
            assert!(read("f.json", b"{\"a\": [1, 2, 3, 4, 5]}", &mut left).is_ok());
            assert!(read("f.yaml", b"a: [1, 2, 3]", &mut left).is_err());
            assert!(left.is_spent());
        });
    }

    #[test]
    fn a_text_that_no_annotation_can_hold_is_refused() {
        let text = "a".repeat((256 << 10) + 1);
        let fault = read_text(&text, Position::default()).unwrap_err();
        assert!(fault.contains("256 KiB"), "{fault}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = read_one("f.yaml", &bytes);
        }

        #[test]
        fn no_text_of_yaml_signs_makes_it_panic(text in "[-:{}\\[\\],&*!|>'\"%@`#?<ab01 \\n\\t\u{e9}]{0,80}") {
            let _ = read_one("f.yaml", text.as_bytes());
            let _ = deep(|| read_text(&text, Position::default()));
        }
    }
}
