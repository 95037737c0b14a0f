//! What becomes of an object that was there before us.

use serde_json::Value;

use crate::object::Object;

use super::{Managers, Wanted};

/// Returns `applied`, the dry run of what is wanted over a live object that is not ours yet,
/// without the fields that people own and Git does not name: on adoption they become ours, so the
/// apply removes them. `taken` are managers whose fields may be taken too. Items of lists stay:
/// which go with their owner is for the API server to say.
#[must_use]
pub fn adopted(stranger: &Object, wanted: &Wanted, applied: &Object, taken: &[String]) -> Object {
    let mut object = applied.clone();
    let fields = Managers::of(stranger).absorbed(&wanted.withdrawn, taken);
    if let Some(own) = fields.as_ref().and_then(|entries| entries.get(0)) {
        drop_unnamed(
            &own["fieldsV1"],
            Some(wanted.object.value()),
            object.value_mut(),
        );
    }
    object
}

/// Removes from `live` each leaf of the set of fields `owned` that `named` does not have.
fn drop_unnamed(owned: &Value, named: Option<&Value>, live: &mut Value) {
    let (Value::Object(owned), Value::Object(live)) = (owned, live) else {
        return;
    };
    for (key, below) in owned {
        let Some(key) = key.strip_prefix("f:") else {
            continue;
        };
        let named = named.and_then(|named| named.get(key));
        let is_leaf = below
            .as_object()
            .is_none_or(|fields| fields.keys().all(|key| key == "."));
        if !is_leaf {
            if let Some(live) = live.get_mut(key) {
                drop_unnamed(below, named, live);
            }
        } else if named.is_none() {
            live.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::stage;
    use crate::object::Digest;
    use crate::revision::{Place, Position, Revision};

    fn map(data: &Value, managed: &Value) -> Object {
        Object::new(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {"name": "flags", "namespace": "shop", "managedFields": managed},
        }))
        .unwrap()
    }

    fn wanted(object: Object) -> Wanted {
        Wanted {
            hash: Digest::of(object.value()),
            stage: stage(&object.id()),
            object,
            revision: Revision {
                id: "a".repeat(40).parse().unwrap(),
                subject: String::new(),
                author: String::new(),
                time: jiff::Timestamp::UNIX_EPOCH,
            },
            place: Place::new("flags.yaml", Position { line: 1, column: 1 }),
            policy: None,
            withdrawn: Vec::new(),
        }
    }

    #[test]
    fn what_people_own_and_git_does_not_name_goes_and_the_rest_stays() {
        let managed = json!([
            {"manager": "kubectl-create", "operation": "Update", "apiVersion": "v1",
             "fieldsV1": {"f:data": {".": {}, "f:a": {}, "f:b": {}}}},
            {"manager": "flux", "operation": "Apply", "apiVersion": "v1",
             "fieldsV1": {"f:data": {"f:c": {}}}},
        ]);
        let stranger = map(&json!({"a": "1", "b": "2", "c": "3"}), &managed);
        let wanted = wanted(map(&json!({"a": "9"}), &json!([])));
        let applied = map(&json!({"a": "9", "b": "2", "c": "3"}), &managed);
        let after = adopted(&stranger, &wanted, &applied, &[]);
        assert_eq!(after.at("/data"), Some(&json!({"a": "9", "c": "3"})));
    }
}
