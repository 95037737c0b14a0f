//! Patches of all kinds, server-side apply among them.

use http::Response;
use serde_json::{Value, json};

use super::call::Call;
use super::reply::{Body, json as answer};
use super::{body, read, view};
use crate::sim::fields::faults_of;
use crate::sim::patch::{json_patch, keyless, merge_patch, strategic_patch};
use crate::sim::refusal::{Cause, Refusal};
use crate::sim::schema::{Schema, first_mistake};
use crate::sim::store::{Part, Store};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(super) const APPLY: &str = "application/apply-patch+yaml";

pub(super) fn patch(store: &mut Store, call: &Call) -> Result<Response<Body>, Refusal> {
    patch_part(store, call, Part::Main)
}

/// Patches one part of the object of a call.
pub(super) fn patch_part(
    store: &mut Store,
    call: &Call,
    part: Part,
) -> Result<Response<Body>, Refusal> {
    if call.media_type == APPLY {
        return apply(store, call, part);
    }
    let live = read::find(store, call)?;
    let mut patched = view::versioned(call, &live);
    perform(call, &call.version.schema, &mut patched)?;
    body::judge_patched(call, &patched)?;
    refuse_other(call, live.value(), &patched)?;
    let patched = body::place(call, patched)?;
    let written = store.update(&call.actor(part), patched)?;
    Ok(answer(200, &view::one(call, &written)))
}

/// Lays the patch of a call over a document.
///
/// # Errors
/// 400 where it cannot be read, 415 for a type that is not known here, 422 where it does not fit.
pub(super) fn perform(call: &Call, schema: &Schema, document: &mut Value) -> Result<(), Refusal> {
    let read = || -> Result<Value, Refusal> {
        serde_json::from_slice(&call.body).map_err(|fault| {
            let fault = body::in_words_of_go(&fault);
            Refusal::bad_request(format!("error decoding patch: {fault}"))
        })
    };
    match call.media_type.as_str() {
        JSON => json_patch(document, &read()?).map_err(|_| Refusal::unprocessable()),
        MERGE => {
            merge_patch(document, &object(read()?)?);
            Ok(())
        }
        STRATEGIC if !call.resource.is_custom => {
            let change = object(read()?)?;
            if let Some(fault) = keyless(schema, &change) {
                return Err(Refusal::unnamed(500, &fault));
            }
            strategic_patch(schema, document, &change);
            Ok(())
        }
        _ => Err(unknown_patch(call)),
    }
}

/// Refuses a patch that is no object.
fn object(patch: Value) -> Result<Value, Refusal> {
    let is = match patch {
        Value::Object(_) => return Ok(patch),
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Number(_) | Value::Null => "number",
    };
    Err(Refusal::bad_request(format!(
        "json: cannot unmarshal {is} into Go value of type map[string]interface {{}}"
    )))
}

/// Returns the refusal of a patch of a type that the kind does not take.
fn unknown_patch(call: &Call) -> Refusal {
    if call.media_type == STRATEGIC {
        return Refusal::unsupported_media_type(
            "the body of the request was in an unknown format - accepted media types include: \
             application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        );
    }
    let mut refusal = Refusal::unsupported_media_type("415: Unsupported Media Type");
    refusal.details = json!({});
    refusal
}

/// Refuses a patch that makes another object of it. What never changes is told twice, by the rules of
/// all kinds and by those of this one.
fn refuse_other(call: &Call, live: &Value, patched: &Value) -> Result<(), Refusal> {
    if patched["kind"] != live["kind"] {
        let text = Value::String(patched.to_string());
        let detail = format!(
            "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:111\"",
            patched["kind"], patched["apiVersion"]
        );
        let cause = Cause::invalid("patch", &text, &detail);
        return Err(Refusal::invalid_patch(&[cause]));
    }
    for key in ["uid", "deletionGracePeriodSeconds"] {
        let (was, now) = (&live["metadata"][key], &patched["metadata"][key]);
        if !now.is_null() && was != now {
            let cause = Cause::invalid(format!("metadata.{key}"), now, "field is immutable");
            let mut refusal = Refusal::invalid(&call.subject(), &[cause]);
            if let Some(causes) = refusal.details["causes"].as_array_mut() {
                causes.extend_from_within(..);
            }
            return Err(refusal);
        }
    }
    Ok(())
}

fn apply(store: &mut Store, call: &Call, part: Part) -> Result<Response<Body>, Refusal> {
    let config = configuration(call)?;
    let config = body::place(call, config)?;
    if part != Part::Main {
        read::find(store, call)?;
    }
    let (object, is_new) = store.apply(&call.actor(part), &config, call.is("force"))?;
    let code = if is_new { 201 } else { 200 };
    Ok(answer(code, &view::one(call, &object)))
}

/// Reads the configuration of an apply and holds it against the schema: what is not declared is
/// always refused, whatever `fieldValidation` says.
fn configuration(call: &Call) -> Result<Value, Refusal> {
    let validation = body::Validation::of(call);
    let (config, doubled) = match body::json(&call.body, &call.resource.kind.name) {
        Ok(read) => read,
        Err(_) => (yaml(call)?, Vec::new()),
    };
    if let Some(path) = doubled.first() {
        let key = path.rsplit('.').next().unwrap_or_default();
        let fault = format!("line 1: key {key:?} already set in map");
        match validation {
            body::Validation::Ignore => {}
            body::Validation::Warn => call.warn(fault),
            body::Validation::Strict => {
                return Err(Refusal::bad_request(format!(
                    "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal \
                     errors:\n  {fault}"
                )));
            }
        }
    }
    let entries = config.pointer("/metadata/managedFields");
    if entries.is_some_and(|entries| !entries.is_null()) {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    let own = call.api_version();
    let text = |pointer: &str| {
        let text = config.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_default()
    };
    let (version, kind) = (text("/apiVersion"), text("/kind"));
    if version != own || kind != call.resource.kind.name {
        let slash = if version.contains('/') { "" } else { "/" };
        return Err(Refusal::bad_request(format!(
            "invalid object type: {slash}{version}, Kind={kind}"
        )));
    }
    let namespace = text("/metadata/namespace");
    let malformed =
        |place: &str| Refusal::malformed_apply((namespace, &call.name), (&own, kind), place);
    let faults = faults_of(&call.version.schema, &config);
    if !faults.is_empty() {
        return Err(malformed(&in_lines(&faults)));
    }
    let definition = call.version.definition.as_deref();
    if let Some(fault) = definition.and_then(|definition| first_mistake(definition, &config)) {
        let slash = if own.contains('/') { "" } else { "/" };
        let own = format!("{slash}{own}, Kind={kind}");
        return Err(Refusal::unnamed(
            500,
            &format!(
                "failed to convert new object ({namespace}/{}; {own}) to proper version: unable to \
                 convert unstructured object to {own}: error decoding from json: {fault}",
                call.name
            ),
        ));
    }
    Ok(config)
}

/// Several faults stand in lines (`typed.ValidationErrors`).
fn in_lines(faults: &[String]) -> String {
    match faults {
        [one] => one.clone(),
        all => {
            let lines: Vec<String> = all.iter().map(|fault| format!("  {fault}")).collect();
            format!("errors:\n{}", lines.join("\n"))
        }
    }
}

fn yaml(call: &Call) -> Result<Value, Refusal> {
    let read: Result<Value, _> = serde_yaml::from_slice(&call.body);
    match read {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(Refusal::bad_request(
            "error decoding YAML: json: cannot unmarshal string into Go value of type \
             map[string]interface {}",
        )),
        Err(fault) => {
            let fault = fault.to_string();
            let bare = fault.split(" at line ").next().unwrap_or_default();
            Err(Refusal::bad_request(format!(
                "error decoding YAML: error converting YAML to JSON: yaml: {bare}"
            )))
        }
    }
}

/// Returns a document that no schema of the kind describes, as a Scale, with the patch of a call.
pub(super) fn patched_apart(call: &Call, mut document: Value) -> Result<Value, Refusal> {
    if call.media_type == APPLY {
        let (config, _) = body::json(&call.body, "Scale")?;
        merge_patch(&mut document, &config);
    } else {
        perform(call, &Schema::Untyped, &mut document)?;
        body::judge_scale(call, &document)?;
    }
    Ok(document)
}

/// Returns the refusal of a Scale that is none.
pub(super) fn no_number(field: &str, value: &Value) -> Refusal {
    Refusal::invalid_patch(&[Cause::invalid(field, value, "must be a whole number")])
}
