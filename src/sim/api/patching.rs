//! Patches of all kinds, server-side apply among them.

use http::Response;
use serde_json::Value;

use super::call::Call;
use super::reply::{Body, json as answer};
use super::{body, read, view};
use crate::sim::fields::faults_of;
use crate::sim::patch::{json_patch, merge_patch, strategic_patch};
use crate::sim::refusal::{Cause, Refusal};
use crate::sim::schema::Schema;
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
    body::check_type(call, &patched)?;
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
        serde_json::from_slice(&call.body)
            .map_err(|fault| Refusal::bad_request(format!("error decoding patch: {fault}")))
    };
    match call.media_type.as_str() {
        JSON => json_patch(document, &read()?)
            .map_err(|fault| Refusal::unprocessable(&call.subject(), &fault)),
        MERGE => {
            merge_patch(document, &read()?);
            Ok(())
        }
        STRATEGIC if !call.resource.is_custom => {
            strategic_patch(schema, document, &read()?);
            Ok(())
        }
        _ => Err(unknown_patch(call)),
    }
}

/// Returns the refusal of a patch of a type that the kind does not take.
fn unknown_patch(call: &Call) -> Refusal {
    let taken = [JSON, MERGE, STRATEGIC, APPLY];
    let taken = taken.into_iter();
    let taken = taken.filter(|kind| !call.resource.is_custom || *kind != STRATEGIC);
    Refusal::unsupported_media_type(format!(
        "the body of the request was in an unknown format - accepted media types include: {}",
        taken.collect::<Vec<_>>().join(", ")
    ))
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
    let (config, doubled) = match body::json(&call.body) {
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
    let version = config.get("apiVersion").and_then(Value::as_str);
    let version = version.unwrap_or_default();
    if version != own {
        return Err(Refusal::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, \
             expected: {own}"
        )));
    }
    let namespace = &call.namespace;
    let malformed = |place: &str| {
        let kind = &call.resource.kind.name;
        Refusal::malformed_apply((namespace, &call.name), (&own, kind), place)
    };
    let faults = faults_of(&call.version.schema, &config);
    if !faults.is_empty() {
        return Err(malformed(&in_lines(&faults)));
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
        Err(fault) => Err(Refusal::bad_request(format!(
            "error decoding YAML: {fault}"
        ))),
    }
}

/// Returns a document that no schema of the kind describes, as a Scale, with the patch of a call.
pub(super) fn patched_apart(call: &Call, mut document: Value) -> Result<Value, Refusal> {
    if call.media_type == APPLY {
        let (config, _) = body::json(&call.body)?;
        merge_patch(&mut document, &config);
    } else {
        perform(call, &Schema::Untyped, &mut document)?;
    }
    Ok(document)
}

/// Returns the refusal of a Scale that is none.
pub(super) fn no_number(field: &str, value: &Value) -> Refusal {
    Refusal::invalid_patch(&[Cause::invalid(field, value, "must be a whole number")])
}
