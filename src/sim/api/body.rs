//! The documents that requests bring: read, and held against the schema.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::call::Call;
use super::eventing;
use crate::sim::fault::Verb;
use crate::sim::protobuf;
use crate::sim::refusal::{Cause, Refusal};
use crate::sim::schema::{Schema, first_mistake, unknown_fields};

/// How unknown and doubled fields are taken (`fieldValidation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validation {
    Ignore,
    Warn,
    Strict,
}

impl Validation {
    /// Reads the parameter; warnings by default.
    pub(super) fn of(call: &Call) -> Self {
        match call.parameter("fieldValidation") {
            Some("Ignore") => Self::Ignore,
            Some("Strict") => Self::Strict,
            Some(_) | None => Self::Warn,
        }
    }
}

/// Returns the body of a call as JSON, also where it came as YAML or protobuf. Patches are of other
/// types and stay as they are.
///
/// # Errors
/// 400 where it is not what it says, 415 for another type.
pub(super) fn readable(call: &Call) -> Result<Bytes, Refusal> {
    let body = &call.body;
    if body.is_empty() || call.verb == Verb::Patch {
        return Ok(body.clone());
    }
    let unreadable = |fault: &dyn fmt::Display| Refusal::bad_request(fault.to_string());
    let read: Value = match call.media_type.as_str() {
        "" | "application/json" => return Ok(body.clone()),
        "application/yaml" => serde_yaml::from_slice(body).map_err(|fault| unreadable(&fault))?,
        protobuf::MEDIA_TYPE if !call.resource.is_custom => {
            protobuf::read(body).map_err(|fault| unreadable(&fault))?
        }
        _ => {
            let last = if call.resource.is_custom {
                String::new()
            } else {
                format!(", {}", protobuf::MEDIA_TYPE)
            };
            return Err(Refusal::unsupported_media_type(format!(
                "the body of the request was in an unknown format - accepted media types include: \
                 application/json, application/yaml{last}"
            )));
        }
    };
    Ok(read.to_string().into())
}

/// Reads the object that a `POST` or `PUT` brings: of the right kind, place and types.
///
/// # Errors
/// 400 as the real server says it.
pub(super) fn object(call: &Call) -> Result<Value, Refusal> {
    let (object, doubled) = json(&call.body, &call.resource.kind.name)?;
    placed(call, object, &doubled)
}

/// Reads JSON, and the paths of fields that stand in it twice.
///
/// # Errors
/// 400 where it is no object.
pub(super) fn json(body: &[u8], kind: &str) -> Result<(Value, Vec<String>), Refusal> {
    let mut doubled = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let seed = Attentive {
        path: String::new(),
        doubled: &mut doubled,
    };
    let read = seed.deserialize(&mut reader).and_then(|value| {
        reader.end()?;
        Ok(value)
    });
    match read {
        Ok(value) if value.is_object() => Ok((value, doubled)),
        Ok(value) => {
            let is = match value {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                Value::Null | Value::Number(_) | Value::Object(_) => "number",
            };
            let fault = format!(
                "json: cannot unmarshal {is} into Go value of type struct {{ APIVersion string \
                 \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
                 \"json:\\\"kind,omitempty\\\"\" }}"
            );
            Err(unrecognised(body, kind, &fault))
        }
        Err(fault) => Err(unrecognised(body, kind, &in_words_of_go(&fault))),
    }
}

/// Returns the refusal of a body that is no object, with how it begins (`handlers/rest.go`).
fn unrecognised(body: &[u8], kind: &str, fault: &str) -> Refusal {
    const SHOWN: usize = 30;
    let (begins, rest) = body.split_at(body.len().min(SHOWN));
    let begins = match begins.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(begins).into_owned(),
        Some(_) => hex::encode(begins),
    };
    let more = if rest.is_empty() { "" } else { " ..." };
    Refusal::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; \
         json parse error: {fault} ({begins}{more})"
    ))
}

/// Says what is wrong with JSON as Go's reader would, where that can be told.
pub(super) fn in_words_of_go(fault: &serde_json::Error) -> String {
    if fault.is_eof() {
        "unexpected end of JSON input".to_owned()
    } else {
        fault.to_string()
    }
}

/// Brings an object of a request into its kept version, after asking whether it is the right one.
pub(super) fn placed(call: &Call, object: Value, doubled: &[String]) -> Result<Value, Refusal> {
    check_kind(call, &object)?;
    judge(call, &object, doubled)?;
    check_type(call, &object)?;
    place(call, object)
}

/// Fills in namespace and kept version.
pub(super) fn place(call: &Call, mut object: Value) -> Result<Value, Refusal> {
    object["apiVersion"] = call.api_version().into();
    object["kind"] = call.resource.kind.name.as_ref().into();
    if call.kind() != call.resource.kind {
        object = eventing::to_kept(object);
    }
    let Some(metadata) = metadata(&mut object) else {
        return Err(Refusal::bad_request("metadata is no object"));
    };
    let text = |key: &str| {
        metadata
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (name, namespace) = (text("name").to_owned(), text("namespace").to_owned());
    if !call.name.is_empty() && name != call.name {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.name
        )));
    }
    if call.resource.is_namespaced {
        if !namespace.is_empty() && namespace != call.namespace {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the \
                 request",
            ));
        }
        metadata.insert("namespace".to_owned(), call.namespace.as_str().into());
    }
    Ok(object)
}

fn metadata(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let object = object.as_object_mut()?;
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    metadata.as_object_mut()
}

fn check_kind(call: &Call, object: &Value) -> Result<(), Refusal> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let (own_version, own) = (call.api_version(), call.resource.kind.name.as_ref());
    if !version.is_empty() && version != own_version {
        return Err(Refusal::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version \
             ({own_version})"
        )));
    }
    if !kind.is_empty() && kind != own {
        let short = &call.version.name;
        return Err(Refusal::bad_request(format!(
            "{kind} in version {short:?} cannot be handled as a {own}: converting \
             ({short}.{kind}) to ({}.{own}): unknown conversion",
            package(&call.resource.kind.group)
        )));
    }
    Ok(())
}

/// Returns the Go package of a group's types.
fn package(group: &str) -> &str {
    match group.split('.').next() {
        None | Some("") => "core",
        Some(first) => first,
    }
}

/// Refuses or warns of fields that the schema does not name and of doubled ones.
pub(super) fn judge(call: &Call, object: &Value, doubled: &[String]) -> Result<(), Refusal> {
    sentence(call, faults(call, object, doubled), |faults| {
        let (version, kind) = (&call.version.name, &call.resource.kind.name);
        Refusal::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: \
             {faults}"
        ))
    })
}

/// The same for the result of a patch, which is refused in other words.
pub(super) fn judge_patched(call: &Call, object: &Value) -> Result<(), Refusal> {
    let refused = |detail: &str| {
        let text = Value::String(object.to_string());
        Refusal::invalid_patch(&[Cause::invalid("patch", &text, detail)])
    };
    sentence(call, faults(call, object, &[]), |faults| {
        refused(&format!("strict decoding error: {faults}"))
    })?;
    mistake(call, object).map_or(Ok(()), |fault| Err(refused(&fault)))
}

/// The same for a Scale, whatever object it is of.
pub(super) fn judge_scale(call: &Call, scale: &Value) -> Result<(), Refusal> {
    let schema = Schema::of_definition("io.k8s.api.autoscaling.v1.Scale");
    let unknown = unknown_fields(&schema, scale);
    let unknown = unknown.iter().map(|path| format!("unknown field {path:?}"));
    sentence(call, unknown.collect(), |faults| {
        let text = Value::String(scale.to_string());
        let detail = format!("strict decoding error: {faults}");
        Refusal::invalid_patch(&[Cause::invalid("patch", &text, &detail)])
    })
}

/// Does with the faults what the request asks for: nothing, warnings, or a refusal.
fn sentence(
    call: &Call,
    faults: Vec<String>,
    refusal: impl FnOnce(&str) -> Refusal,
) -> Result<(), Refusal> {
    match Validation::of(call) {
        Validation::Ignore => Ok(()),
        Validation::Warn => {
            faults.into_iter().for_each(|fault| call.warn(fault));
            Ok(())
        }
        Validation::Strict if faults.is_empty() => Ok(()),
        Validation::Strict => Err(refusal(&faults.join(", "))),
    }
}

fn faults(call: &Call, object: &Value, doubled: &[String]) -> Vec<String> {
    let unknown = unknown_fields(&call.version.schema, object);
    let unknown = unknown.iter().map(|path| format!("unknown field {path:?}"));
    let doubled = doubled
        .iter()
        .map(|path| format!("duplicate field {path:?}"));
    doubled.chain(unknown).collect()
}

/// Refuses values that the type of a field cannot hold, in the words of Go's decoder.
fn check_type(call: &Call, object: &Value) -> Result<(), Refusal> {
    let Some(fault) = mistake(call, object) else {
        return Ok(());
    };
    let (version, kind) = (&call.version.name, &call.resource.kind.name);
    Err(Refusal::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a {kind}: {fault}"
    )))
}

fn mistake(call: &Call, object: &Value) -> Option<String> {
    let definition = call.version.definition.as_deref();
    definition.and_then(|name| first_mistake(name, object))
}

/// Reads a value and remembers keys that stand twice; the last one counts.
struct Attentive<'a> {
    path: String,
    doubled: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Attentive<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Attentive<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let seed = Attentive {
                path: format!("{}[{}]", self.path, list.len()),
                doubled: self.doubled,
            };
            let Some(item) = items.next_element_seed(seed)? else {
                return Ok(Value::Array(list));
            };
            list.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let path = if self.path.is_empty() {
                key.clone()
            } else {
                format!("{}.{key}", self.path)
            };
            if map.contains_key(&key) {
                self.doubled.push(path.clone());
            }
            let seed = Attentive {
                path,
                doubled: self.doubled,
            };
            map.insert(key, entries.next_value_seed(seed)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_stand_twice_are_named() {
        let text = br#"{"spec": {"replicas": 1, "replicas": 2, "l": [{"a": 1, "a": 2}]}}"#;
        let (value, doubled) = json(text, "Deployment").expect("an object");
        assert_eq!(value["spec"]["replicas"], 2);
        assert_eq!(doubled, ["spec.replicas", "spec.l[0].a"]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert_eq!(json(b"[]", "Pod").map_err(|refusal| refusal.code), Err(400));
        assert_eq!(json(b"{", "Pod").map_err(|refusal| refusal.code), Err(400));
    }
}
