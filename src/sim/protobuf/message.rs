//! Messages: the table says what a number is called, the schema what stands there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Fault;
use super::table::{self, Entry};
use super::wire::{self, Field, Raw, fields};
use crate::sim::schema::{definition, reference};

/// Reads a message of a type; `None` where there is no such type. Fields that the schema does not
/// have are left out: they are those of newer versions.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Option<Map<String, Value>>, Fault> {
    let (Some(_), Some(schema)) = (table::of(name), definition(name)) else {
        return Ok(None);
    };
    let mut map = Map::new();
    read_into(&mut map, (name, schema), bytes)?;
    Ok(Some(map))
}

/// Reads the fields of a type into an object that has a schema of its own.
fn read_into(
    map: &mut Map<String, Value>,
    (name, schema): (&str, &Value),
    bytes: &[u8],
) -> Result<(), Fault> {
    let Some(entries) = table::of(name) else {
        return Ok(());
    };
    for field in fields(bytes) {
        let Field(number, raw) = field?;
        match (entries.get(&number), raw) {
            (Some(Entry::Within(inner)), Raw::Bytes(bytes)) => {
                read_into(map, (inner, schema), bytes)?;
            }
            (
                Some(Entry::Named {
                    name,
                    is_absent_at_zero,
                }),
                raw,
            ) => {
                let Some(schema) = schema["properties"].get(name) else {
                    continue;
                };
                if !(*is_absent_at_zero && raw.is_zero()) {
                    add(map, name, (schema, raw))?;
                }
            }
            (Some(Entry::Within(_)) | None, _) => {}
        }
    }
    Ok(())
}

/// Adds a value, or one more to a list or map.
fn add(
    map: &mut Map<String, Value>,
    name: &str,
    (schema, raw): (&Value, Raw<'_>),
) -> Result<(), Fault> {
    if schema["type"] == "array" {
        let list = map.entry(name).or_insert_with(|| json!([]));
        let item = value(&schema["items"], raw)?;
        if let Value::Array(list) = list {
            list.push(item);
        }
        return Ok(());
    }
    let of = &schema["additionalProperties"];
    if of.is_object() {
        let (key, item) = entry(of, raw.bytes()?)?;
        map.entry(name).or_insert_with(|| json!({}))[key] = item;
        return Ok(());
    }
    let value = value(schema, raw)?;
    // A time that was never set.
    if !value.is_null() {
        map.insert(name.to_owned(), value);
    }
    Ok(())
}

fn entry(of: &Value, bytes: &[u8]) -> Result<(String, Value), Fault> {
    let (mut key, mut item) = (String::new(), None);
    for field in fields(bytes) {
        match field? {
            Field(1, raw) => key = wire::text(raw.bytes()?)?,
            Field(2, raw) => item = Some(value(of, raw)?),
            Field(..) => {}
        }
    }
    let item = item.map_or_else(|| value(of, Raw::Bytes(&[])), Ok)?;
    Ok((key, item))
}

fn value(schema: &Value, raw: Raw<'_>) -> Result<Value, Fault> {
    if let Some(name) = reference(schema) {
        return named(name, raw.bytes()?);
    }
    let format = schema["format"].as_str();
    let value = match (schema["type"].as_str(), format) {
        (Some("string"), Some("byte")) => json!(STANDARD.encode(raw.bytes()?)),
        (Some("string"), _) => json!(wire::text(raw.bytes()?)?),
        (Some("boolean"), _) => json!(raw.number()? != 0),
        (Some("integer"), _) => json!(raw.number()?.cast_signed()),
        (Some("number"), _) => json!(raw.double()?),
        // A list inside a map is a message with the list in it.
        (Some("array"), _) => {
            let items = fields(raw.bytes()?).map(|field| value(&schema["items"], field?.1));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        _ => Value::Null,
    };
    Ok(value)
}

/// Reads what a reference means: a message, or one of the types with a form of their own.
fn named(name: &str, bytes: &[u8]) -> Result<Value, Fault> {
    let (_, short) = name.rsplit_once('.').unwrap_or_default();
    match short {
        "Time" => time(bytes, 0),
        "MicroTime" => time(bytes, 6),
        "Quantity" => Ok(json!(wire::text(first(bytes)?)?)),
        "IntOrString" => number_or_text(bytes),
        "FieldsV1" | "RawExtension" => {
            serde_json::from_slice(first(bytes)?).map_err(|_| Fault::Form)
        }
        "ByteString" => Ok(json!(STANDARD.encode(bytes))),
        _ => Ok(read(name, bytes)?.map_or(Value::Null, Value::Object)),
    }
}

/// Returns the only field of a message.
fn first(bytes: &[u8]) -> Result<&[u8], Fault> {
    fields(bytes)
        .next()
        .map_or(Ok(&[]), |field| field?.1.bytes())
}

/// Reads seconds and nanoseconds; a message without either is a time that was not set.
fn time(bytes: &[u8], digits: u8) -> Result<Value, Fault> {
    let (mut seconds, mut nanos) = (None, 0);
    for field in fields(bytes) {
        match field? {
            Field(1, raw) => seconds = Some(raw.number()?.cast_signed()),
            Field(2, raw) => nanos = i32::try_from(raw.number()?).map_err(|_| Fault::Form)?,
            Field(..) => {}
        }
    }
    let Some(seconds) = seconds else {
        return Ok(Value::Null);
    };
    let time = Timestamp::new(seconds, nanos).map_err(|_| Fault::Form)?;
    let digits = usize::from(digits);
    Ok(json!(format!("{time:.digits$}")))
}

fn number_or_text(bytes: &[u8]) -> Result<Value, Fault> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    for field in fields(bytes) {
        match field? {
            Field(1, raw) => is_text = raw.number()? != 0,
            Field(2, raw) => number = raw.number()?.cast_signed(),
            Field(3, raw) => text = wire::text(raw.bytes()?)?,
            Field(..) => {}
        }
    }
    Ok(if is_text { json!(text) } else { json!(number) })
}

impl<'a> Raw<'a> {
    fn is_zero(self) -> bool {
        match self {
            Self::Number(number) => number == 0,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Double(number) => number == 0.0,
        }
    }

    fn bytes(self) -> Result<&'a [u8], Fault> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) | Self::Double(_) => Err(Fault::Form),
        }
    }

    fn number(self) -> Result<u64, Fault> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) | Self::Double(_) => Err(Fault::Form),
        }
    }

    fn double(self) -> Result<f64, Fault> {
        match self {
            Self::Double(number) => Ok(number),
            Self::Number(_) | Self::Bytes(_) => Err(Fault::Form),
        }
    }
}
