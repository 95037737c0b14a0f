//! The parameters of requests, judged before anything else is done
//! (`apimachinery/pkg/apis/meta/{v1,internalversion}/validation`): all that is wrong is told at once.

use serde_json::{Value, json};

use super::call::Call;
use super::patching::APPLY;
use crate::sim::fault::Verb;
use crate::sim::refusal::{Cause, Refusal};

/// The longest name of a field manager, in bytes.
pub(super) const LONGEST_MANAGER: usize = 128;
/// Numbers of lists.
const NUMBERS: &[&str] = &["limit", "timeoutSeconds"];

/// Refuses what cannot be meant.
///
/// # Errors
/// 400 for what is no number, 422 for the rest.
pub(super) fn check(call: &Call) -> Result<(), Refusal> {
    let (kind, causes) = match call.verb {
        Verb::Get => return Ok(()),
        Verb::List => ("ListOptions", list(call)?),
        Verb::Watch => ("ListOptions", watch(call)?),
        Verb::DeleteCollection => {
            let faults = list(call)?;
            if !faults.is_empty() {
                return Err(Refusal::options("ListOptions", &faults));
            }
            ("DeleteOptions", dry_run(call))
        }
        Verb::Delete => ("DeleteOptions", dry_run(call)),
        Verb::Create => ("CreateOptions", write(call)),
        Verb::Update => ("UpdateOptions", write(call)),
        Verb::Patch => ("PatchOptions", patch(call)),
    };
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Refusal::options(kind, &causes))
    }
}

fn said<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.parameter(name).filter(|said| !said.is_empty())
}

fn numbers(call: &Call) -> Result<(), Refusal> {
    for name in NUMBERS {
        if let Some(text) = said(call, name)
            && text.parse::<i64>().is_err()
        {
            return Err(Refusal::bad_request(format!(
                "strconv.ParseInt: parsing {text:?}: invalid syntax"
            )));
        }
    }
    Ok(())
}

const MATCH: &str = "resourceVersionMatch";
const INITIAL: &str = "sendInitialEvents";

fn list(call: &Call) -> Result<Vec<Cause>, Refusal> {
    numbers(call)?;
    let mut causes = Vec::new();
    let mut forbid = |field: &str, why: String| causes.push(Cause::forbidden(field, &why));
    let version = said(call, "resourceVersion");
    if let Some(how) = said(call, MATCH) {
        if version.is_none() {
            forbid(
                MATCH,
                format!("{MATCH} is forbidden unless resourceVersion is provided"),
            );
        }
        if call.continues() {
            forbid(
                MATCH,
                format!("{MATCH} is forbidden when continue is provided"),
            );
        }
        if how == "Exact" && version == Some("0") {
            let why = format!("{MATCH} \"exact\" is forbidden for resourceVersion \"0\"");
            forbid(MATCH, why);
        }
        if !matches!(how, "Exact" | "NotOlderThan") {
            let known = ["Exact", "NotOlderThan", ""];
            causes.push(Cause::unsupported(MATCH, &json!(how), &known));
        }
    }
    if call.parameter(INITIAL).is_some() {
        let why = format!("{INITIAL} is forbidden for list");
        causes.push(Cause::forbidden(INITIAL, &why));
    }
    Ok(causes)
}

fn watch(call: &Call) -> Result<Vec<Cause>, Refusal> {
    numbers(call)?;
    let mut causes = Vec::new();
    let how = said(call, MATCH);
    let asks = call.parameter(INITIAL).is_some();
    if asks && how != Some("NotOlderThan") {
        let why = format!("{INITIAL} requires setting {MATCH} to NotOlderThan");
        causes.push(Cause::forbidden(MATCH, &why));
    }
    if let Some(how) = how {
        if !asks {
            let why = format!("{MATCH} is forbidden for watch unless {INITIAL} is provided");
            causes.push(Cause::forbidden(MATCH, &why));
        }
        if how != "NotOlderThan" {
            causes.push(Cause::unsupported(MATCH, &json!(how), &["NotOlderThan"]));
        }
        if call.continues() {
            let why = format!("{MATCH} is forbidden when continue is provided");
            causes.push(Cause::forbidden(MATCH, &why));
        }
    }
    Ok(causes)
}

fn write(call: &Call) -> Vec<Cause> {
    let mut causes = Vec::new();
    if said(call, "fieldManager").is_some_and(|name| name.len() > LONGEST_MANAGER) {
        causes.push(Cause::too_long("fieldManager", LONGEST_MANAGER));
    }
    causes.extend(dry_run(call));
    let known = ["", "Ignore", "Strict", "Warn"];
    if let Some(how) = said(call, "fieldValidation")
        && !known.contains(&how)
    {
        let cause = Cause::unsupported("fieldValidation", &json!(how), &known);
        causes.push(cause);
    }
    causes
}

fn patch(call: &Call) -> Vec<Cause> {
    let mut causes = Vec::new();
    let is_apply = call.media_type == APPLY;
    if is_apply && said(call, "fieldManager").is_none() {
        causes.push(Cause::required(
            "fieldManager",
            "is required for apply patch",
        ));
    }
    if !is_apply && call.parameter("force").is_some() {
        let why = "may not be specified for non-apply patch";
        causes.push(Cause::forbidden("force", why));
    }
    causes.extend(write(call));
    causes
}

fn dry_run(call: &Call) -> Vec<Cause> {
    match said(call, "dryRun") {
        None | Some("All") => Vec::new(),
        Some(other) => vec![no_dry_run(&json!([other]))],
    }
}

/// Returns what is wrong with a way to try something that there is not.
pub(super) fn no_dry_run(said: &Value) -> Cause {
    Cause::unsupported("dryRun", said, &["All"])
}
