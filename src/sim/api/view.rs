//! How objects are shown: whole, as metadata, as a table; and in which version.

use serde_json::{Value, json};

use super::call::Call;
use super::{eventing, table};
use crate::object::Object;
use crate::sim::kind::{Resource, Version};
use crate::sim::refusal::Refusal;
use crate::sim::selector::FieldsOf;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Objects as they are.
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    /// `Table`, which `kubectl get` prints.
    Table,
}

impl View {
    /// Chooses the first form of an `Accept` header that can be given.
    ///
    /// # Errors
    /// 406 where there is none.
    pub(super) fn accepted(header: &str) -> Result<Self, Refusal> {
        if header.is_empty() {
            return Ok(Self::Whole);
        }
        for choice in header.split(',') {
            let mut parts = choice.split(';').map(str::trim);
            let is_json = matches!(
                parts.next(),
                Some("application/json" | "*/*" | "application/*")
            );
            if !is_json {
                continue;
            }
            match parts.find_map(|part| part.strip_prefix("as=")) {
                None => return Ok(Self::Whole),
                Some("Table") => return Ok(Self::Table),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => {
                    return Ok(Self::Metadata);
                }
                Some(_) => {}
            }
        }
        Err(Refusal::not_acceptable())
    }
}

/// Returns an object in the version that is asked for.
pub(super) fn versioned(call: &Call, object: &Object) -> Value {
    let mut value = object.value().clone();
    if call.kind() != call.resource.kind {
        value = eventing::to_new(value);
    }
    value["apiVersion"] = json!(call.api_version());
    value
}

/// Returns one object in the form that is asked for.
pub(super) fn one(call: &Call, object: &Object) -> Value {
    match call.view {
        View::Whole => versioned(call, object),
        View::Metadata => metadata(object),
        View::Table => table::of(call, &[object], object.resource_version()),
    }
}

/// Returns a Scale in the form that is asked for.
pub(super) fn scale(call: &Call, scale: Value) -> Value {
    let object = Object::new(scale.clone());
    match (call.view, object) {
        (View::Table, Some(object)) => table::of(call, &[&object], object.resource_version()),
        (View::Metadata, Some(object)) => metadata(&object),
        (View::Whole, _) | (_, None) => scale,
    }
}

/// Returns a list in the form that is asked for.
pub(super) fn many(call: &Call, objects: &[&Object], metadata_of_list: &Value) -> Value {
    match call.view {
        View::Whole => {
            let kind = format!("{}List", call.resource.kind.name);
            let items: Vec<Value> = objects.iter().map(|object| listed(call, object)).collect();
            json!({"kind": kind, "apiVersion": call.api_version(), "metadata": metadata_of_list,
                   "items": items})
        }
        View::Metadata => {
            let items: Vec<Value> = objects.iter().map(|object| metadata(object)).collect();
            json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                   "metadata": metadata_of_list, "items": items})
        }
        View::Table => {
            let mut table = table::of(call, objects, None);
            table["metadata"] = metadata_of_list.clone();
            table
        }
    }
}

/// Returns an object as it stands in a list, which says once for all what its items are; only those
/// of custom kinds say it themselves as well.
fn listed(call: &Call, object: &Object) -> Value {
    let mut value = versioned(call, object);
    if !call.resource.is_custom
        && let Some(map) = value.as_object_mut()
    {
        map.remove("apiVersion");
        map.remove("kind");
    }
    value
}

/// Returns the metadata of an object.
pub(super) fn metadata(object: &Object) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
           "metadata": object.at("/metadata")})
}

/// Refuses selectors of fields that the kind does not offer; name and namespace always are.
pub(super) fn check_fields(
    (resource, version): (&Resource, &Version),
    fields: &FieldsOf,
) -> Result<(), Refusal> {
    let known: &[&str] = match (resource.kind.group.as_ref(), resource.kind.name.as_ref()) {
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Namespace") => &["status.phase"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("", "ReplicationController") => &["status.replicas"],
        ("batch", "Job") => &["status.successful"],
        (_, "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "reason",
            "reportingComponent",
            "reportingController",
            "source",
            "type",
        ],
        _ => &[],
    };
    let is_known = |path: &&str| {
        matches!(*path, "metadata.name" | "metadata.namespace")
            || known.contains(path)
            || version.selectable.iter().any(|named| named == path)
    };
    let Some(path) = fields.paths().find(|path| !is_known(path)) else {
        return Ok(());
    };
    Err(Refusal::bad_request(
        match (
            known.is_empty() && version.selectable.is_empty(),
            resource.kind.name.as_ref(),
        ) {
            (true, _) => format!(
                "{path:?} is not a known field selector: only \"metadata.name\", \
                 \"metadata.namespace\""
            ),
            (false, "Job") => format!("field label {path:?} not supported for Job"),
            (false, _) => format!("field label not supported: {path}"),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_can_be_given_is_chosen() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        assert_eq!(View::accepted(table), Ok(View::Table));
        let typed = "application/vnd.kubernetes.protobuf,application/json";
        assert_eq!(View::accepted(typed), Ok(View::Whole));
        assert_eq!(View::accepted(""), Ok(View::Whole));
        let fault = View::accepted("application/vnd.kubernetes.protobuf");
        assert_eq!(fault.map_err(|refusal| refusal.code), Err(406));
    }
}
