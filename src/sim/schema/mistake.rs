//! Values that the type of a field cannot hold, in the words of Go's decoder.

use serde_json::Value;

use super::definition;
use super::reference;

/// Returns what is wrong first in an object of one of Kubernetes' own types.
#[must_use]
pub fn first_mistake(definition: &str, value: &Value) -> Option<String> {
    in_struct(definition, value, "")
}

fn in_struct(name: &str, value: &Value, path: &str) -> Option<String> {
    let properties = definition(name)?["properties"].as_object()?;
    value.as_object()?.iter().find_map(|(key, value)| {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        in_field(properties.get(key)?, value, (last(name), &path))
    })
}

fn last(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

fn in_field(schema: &Value, value: &Value, place: (&str, &str)) -> Option<String> {
    if value.is_null() {
        return None;
    }
    if let Some(name) = reference(schema) {
        return in_reference(name, value, place);
    }
    let kind = schema["type"].as_str();
    let items = &schema["items"];
    let of = &schema["additionalProperties"];
    match (kind, value) {
        (Some("string"), Value::String(text)) if schema["format"] == "byte" => no_base64(text),
        (Some("array"), Value::Array(values)) => values
            .iter()
            .find_map(|value| in_field(items, value, place)),
        (Some("object"), Value::Object(map)) if of.is_object() => {
            map.values().find_map(|value| in_field(of, value, place))
        }
        (Some("integer"), Value::Number(number)) if number.is_f64() => {
            Some(wrong(&format!("number {number}"), place, &go_type(schema)))
        }
        (None, _)
        | (Some("string"), Value::String(_))
        | (Some("boolean"), Value::Bool(_))
        | (Some("integer" | "number"), Value::Number(_))
        | (Some("object"), Value::Object(_)) => None,
        (Some(_), _) => Some(wrong(kind_of(value), place, &go_type(schema))),
    }
}

fn in_reference(name: &str, value: &Value, place: (&str, &str)) -> Option<String> {
    match (last(name), value) {
        ("Quantity", Value::String(text)) => (!is_quantity(text)).then(|| NO_QUANTITY.to_owned()),
        (_, Value::Object(_)) => in_struct(name, value, place.1),
        // Types with a reader of their own.
        ("Quantity" | "IntOrString" | "Time" | "MicroTime" | "FieldsV1" | "RawExtension", _) => {
            None
        }
        _ if definition(name)?["properties"].is_object() => {
            Some(wrong(kind_of(value), place, &go_name(name)))
        }
        _ => None,
    }
}

fn wrong(is: &str, (holder, path): (&str, &str), wanted: &str) -> String {
    format!("json: cannot unmarshal {is} into Go struct field {holder}.{path} of type {wanted}")
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn go_type(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return go_name(name);
    }
    let of = &schema["additionalProperties"];
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("boolean"), _) => "bool".to_owned(),
        (Some("integer"), Some("int64")) => "int64".to_owned(),
        (Some("integer"), _) => "int32".to_owned(),
        (Some("array"), _) => format!("[]{}", go_type(&schema["items"])),
        (Some("object"), _) if of.is_object() => format!("map[string]{}", go_type(of)),
        (Some(other), _) => other.to_owned(),
        (None, _) => "interface {}".to_owned(),
    }
}

/// Returns a type as Go names it, as `v1.PodTemplateSpec`.
fn go_name(name: &str) -> String {
    let (package, last) = name.rsplit_once('.').unwrap_or(("", name));
    let package = package.rsplit_once('.').map_or(package, |(_, last)| last);
    format!("{package}.{last}")
}

const NO_QUANTITY: &str = "quantities must match the regular expression \
    '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_digit = |letter: char| letter.is_ascii_digit() || letter == '.';
    let suffix = unsigned.trim_start_matches(is_digit);
    let rest = suffix.trim_start_matches(|letter| "eEinumkKMGTP".contains(letter));
    let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    suffix.len() < unsigned.len() && rest.chars().all(|letter| letter.is_ascii_digit())
}

/// Names the first byte that is no base64.
fn no_base64(text: &str) -> Option<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    STANDARD.decode(text).err()?;
    let is_fine = |letter: &char| letter.is_ascii_alphanumeric() || "+/".contains(*letter);
    let at = text.chars().take_while(is_fine).count();
    Some(format!("illegal base64 data at input byte {at}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_deployment(spec: &Value) -> Option<String> {
        let deployment = json!({"spec": spec});
        first_mistake("io.k8s.api.apps.v1.Deployment", &deployment)
    }

    #[test]
    fn a_mistake_is_told_with_the_types_of_go() {
        let told = |spec: &Value| of_deployment(spec).expect("a mistake");
        let in_spec = |is, field, wanted| {
            format!("json: cannot unmarshal {is} into Go struct field {field} of type {wanted}")
        };
        assert_eq!(
            told(&json!({"replicas": "three"})),
            in_spec("string", "DeploymentSpec.spec.replicas", "int32")
        );
        assert_eq!(
            told(&json!({"template": []})),
            in_spec(
                "array",
                "DeploymentSpec.spec.template",
                "v1.PodTemplateSpec"
            )
        );
        let args = json!({"template": {"spec": {"containers": [{"args": "a"}]}}});
        let place = "Container.spec.template.spec.containers.args";
        assert_eq!(told(&args), in_spec("string", place, "[]string"));
    }

    #[test]
    fn quantities_and_base64_are_read() {
        let limits = |cpu: &str| json!({"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": cpu}}}]}}});
        assert_eq!(of_deployment(&limits("500m")), None);
        assert_eq!(of_deployment(&limits("1e3")), None);
        assert_eq!(of_deployment(&limits("lots")).as_deref(), Some(NO_QUANTITY));
        let secret = json!({"data": {"a": "YQ==", "b": "a?"}});
        let told = first_mistake("io.k8s.api.core.v1.Secret", &secret);
        assert_eq!(told.as_deref(), Some("illegal base64 data at input byte 1"));
    }
}
