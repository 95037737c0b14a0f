//! Answers without what chance and the clock decide.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

/// What stands for what: in this order.
static BLURRED: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let list = [
        // An Event is called after the moment in which it was first told.
        (r"\.1[89a-f][0-9a-f]{14}\b", ".EVENT"),
        // What the client notes of its watches.
        (r"(?m)^[IWE]\d{4} .*reflector\.go.*\n", ""),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "TIME"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", "TIME"),
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "UID",
        ),
        (r#"(resourceVersion[\\"]*: ?[\\"]*)\d+"#, "${1}N"),
        (r"(Resource ?Version:\s+)\d+", "${1}N"),
        // Hashes of templates and ends of names are spelled in these letters.
        (r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-?"),
        (r"-[bcdfghjklmnpqrstvwxz2456789]{7,10}\b", "-#"),
        (
            r#"((?:hash|controller-uid)[a-z\\"]*[:=] ?[\\"]*)[bcdfghjklmnpqrstvwxz2456789]{7,10}\b"#,
            "${1}#",
        ),
        (r"\b10\.\d+\.\d+\.\d+\b", "IP"),
        (r"\bnode-\d\b", "NODE"),
        (r"\b(\d+[smhd])+ago\b", "AGE"),
        (
            r#"(?m)(^|[ (x"])(\d+d)?(\d+h)?(\d+m)?\d+(s|m|h|d)\b"#,
            "${1}AGE",
        ),
        (r"stand-in://[0-9a-f]{64}", "stand-in://ID"),
        (r"\bzone-\d\b", "ZONE"),
        (r"<(invalid|unknown)>( +|$)", "AGE "),
        (
            r"(ResourceVersion in (?:the precondition|record) \()\d+",
            "${1}N",
        ),
        // The object that a patch makes: its keys are in another order.
        (
            r#"(patch: Invalid value: |\.message = "Invalid value: )\\*"\{.*\}\\*":"#,
            "${1}OBJECT:",
        ),
        (r"0\.\d+s\b", "AGE"),
        (r"/tmp/[^ ]*", "FILE"),
        (r"https?://127\.0\.0\.1:\d+", "SERVER"),
        (r"127\.0\.0\.1:\d+", "SERVER"),
        (r" +", " "),
        (r"(?m) $", ""),
    ];
    let compiled = list
        .into_iter()
        .map(|(pattern, stands)| (Regex::new(pattern).unwrap(), stands));
    compiled.collect()
});

/// Makes a text comparable.
pub(super) fn text(text: &str) -> String {
    BLURRED
        .iter()
        .fold(text.to_owned(), |text, (pattern, stands)| {
            pattern.replace_all(&text, *stands).into_owned()
        })
}

/// Makes a document comparable: without made-up names, times, revisions, and without what
/// controllers write meanwhile.
pub(super) fn document(value: &mut Value) {
    match value {
        Value::Object(map) => object(map),
        Value::Array(items) => items.iter_mut().for_each(document),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn object(map: &mut Map<String, Value>) {
    for key in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "continue",
        "time",
    ] {
        if let Some(value) = map.get_mut(key)
            && value.as_str().is_some_and(|text| !text.is_empty())
        {
            *value = json!("some");
        }
    }
    // What a column means is told in many words.
    if let Some(Value::Array(columns)) = map.get_mut("columnDefinitions") {
        for column in columns.iter_mut().filter_map(Value::as_object_mut) {
            column.remove("description");
        }
    }
    if map.contains_key("spec") {
        map.remove("status");
    }
    if let Some(Value::Array(entries)) = map.get_mut("managedFields") {
        entries.retain(|entry| entry["subresource"] != "status");
    }
    arrange(map);
    for key in ["clusterIP", "clusterIPs"] {
        if let Some(value) = map.get_mut(key) {
            *value = json!("some");
        }
    }
    map.values_mut().for_each(document);
}

/// Puts the owners of fields into an order that does not depend on the second in which they wrote.
fn arrange(map: &mut Map<String, Value>) {
    if let Some(Value::Array(entries)) = map.get_mut("managedFields") {
        entries.sort_by_cached_key(|entry| {
            ["operation", "manager", "subresource"].map(|key| entry[key].to_string())
        });
    }
}

/// The same in a document that `kubectl` has printed; other texts stay as they are.
pub(super) fn printed(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) if value.is_object() => {
            let lists = value["items"].as_array_mut();
            for object in lists.into_iter().flatten() {
                object["metadata"].as_object_mut().map(arrange);
            }
            value["metadata"].as_object_mut().map(arrange);
            serde_json::to_string_pretty(&value).unwrap()
        }
        _ => text.to_owned(),
    }
}

#[test]
fn what_chance_decides_is_blurred() {
    let told = "web-5d8c7b9f6d-x2x4z   1/1   Running   0   2m3s   10.64.0.3   node-4   <none>";
    assert_eq!(text(told), "web-#-? 1/1 Running 0 AGE IP NODE <none>");
    let yaml = "  resourceVersion: \"123\"\n  uid: 0a0b0c0d-0000-4000-8000-000000000000\n";
    assert_eq!(text(yaml), " resourceVersion: \"N\"\n uid: UID\n");
}
