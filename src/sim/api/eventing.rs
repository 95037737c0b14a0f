//! Events of `events.k8s.io/v1`: another view of the Events of the core API
//! (`pkg/apis/events/v1/conversion.go`).

use serde_json::Value;

use crate::sim::kind::Kind;

/// Keys of the new form and of the kept one.
const RENAMED: &[(&str, &str)] = &[
    ("note", "message"),
    ("regarding", "involvedObject"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

/// Returns the kind under which objects of `kind` are kept.
pub(super) fn kept_as(kind: &Kind) -> Kind {
    if kind.group == "events.k8s.io" {
        Kind::EVENT
    } else {
        kind.clone()
    }
}

/// Returns a selector of fields in the words of the kept form.
pub(super) fn kept_fields(kind: &Kind, selector: &str) -> String {
    if kept_as(kind) == *kind {
        return selector.to_owned();
    }
    selector
        .replace("regarding.", "involvedObject.")
        .replace("reportingController", "reportingComponent")
}

/// Returns a kept Event in the new form.
pub(super) fn to_new(mut event: Value) -> Value {
    if let Some(map) = event.as_object_mut() {
        for (new, kept) in RENAMED {
            if let Some(value) = map.remove(*kept) {
                map.insert((*new).to_owned(), value);
            }
        }
    }
    event
}

/// Returns an Event of the new form as it is kept.
pub(super) fn to_kept(mut event: Value) -> Value {
    if let Some(map) = event.as_object_mut() {
        for (new, kept) in RENAMED {
            if let Some(value) = map.remove(*new) {
                map.insert((*kept).to_owned(), value);
            }
        }
        map.insert("apiVersion".to_owned(), "v1".into());
    }
    event
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_the_same_in_both_forms() {
        let new = json!({"apiVersion": "events.k8s.io/v1", "note": "n", "reason": "R",
                         "regarding": {"name": "web"}, "reportingController": "tidegate"});
        let kept = to_kept(new.clone());
        assert_eq!(kept["message"], "n");
        assert_eq!(kept["involvedObject"]["name"], "web");
        assert_eq!(to_new(kept)["regarding"], new["regarding"]);
    }

    #[test]
    fn fields_of_the_new_form_are_found_in_the_kept_one() {
        let kind = Kind::of("events.k8s.io", "Event");
        let kept = kept_fields(&kind, "regarding.name=web,type=Warning");
        assert_eq!(kept, "involvedObject.name=web,type=Warning");
    }
}
