//! Kubernetes' own kinds in protobuf, as typed clients of Go send them: read into JSON.
//!
//! Never: written. A client that offers protobuf takes JSON as well, and that is what it gets.

mod message;
mod table;
mod wire;

use serde_json::{Value, json};

use wire::{Field, Raw, fields};

/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What stands before each document (`apimachinery/pkg/runtime/serializer/protobuf`).
const MAGIC: &[u8] = b"k8s\0";

/// Why bytes are no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// They do not begin as one.
    #[error("provided data does not appear to be a protobuf message, expected prefix {MAGIC:?}")]
    Prefix,
    /// They end too early, or hold what cannot be.
    #[error("proto: illegal wire format")]
    Form,
    /// There is no such type here.
    #[error("no kind {kind:?} is registered for version {api_version:?}")]
    Kind {
        /// `apiVersion` of the document.
        api_version: String,
        /// `kind` of the document.
        kind: String,
    },
}

/// Reads one document into what it is in JSON.
///
/// # Errors
/// Where the bytes are none, or of a type that is not known here.
pub fn read(bytes: &[u8]) -> Result<Value, Fault> {
    let envelope = bytes.strip_prefix(MAGIC).ok_or(Fault::Prefix)?;
    let (mut head, mut body): (&[u8], &[u8]) = (&[], &[]);
    for field in fields(envelope) {
        match field? {
            Field(1, Raw::Bytes(bytes)) => head = bytes,
            Field(2, Raw::Bytes(bytes)) => body = bytes,
            Field(..) => {}
        }
    }
    let (mut api_version, mut kind) = (String::new(), String::new());
    for field in fields(head) {
        match field? {
            Field(1, Raw::Bytes(bytes)) => api_version = wire::text(bytes)?,
            Field(2, Raw::Bytes(bytes)) => kind = wire::text(bytes)?,
            Field(..) => {}
        }
    }
    let name = definition_of(&api_version, &kind);
    let Some(mut map) = message::read(&name, body)? else {
        return Err(Fault::Kind { api_version, kind });
    };
    map.insert("apiVersion".to_owned(), json!(api_version));
    map.insert("kind".to_owned(), json!(kind));
    Ok(Value::Object(map))
}

/// Returns the name of the type behind a kind, as `io.k8s.api.apps.v1.Deployment`.
fn definition_of(api_version: &str, kind: &str) -> String {
    if kind == "DeleteOptions" {
        return "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions".to_owned();
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let group = group.split('.').next().unwrap_or_default();
    let group = if group.is_empty() { "core" } else { group };
    format!("io.k8s.api.{group}.{version}.{kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a field of bytes.
    fn part(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("short");
        let mut part = vec![number << 3 | 2];
        // Lengths beyond 127 take two bytes.
        if length < 0x80 {
            part.push(length);
        } else {
            part.extend([length, 1]);
        }
        part.extend(bytes);
        part
    }

    fn number(number: u8, value: u8) -> Vec<u8> {
        vec![number << 3, value]
    }

    fn document(api_version: &str, kind: &str, body: &[u8]) -> Vec<u8> {
        let head = [part(1, api_version.as_bytes()), part(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), part(1, &head), part(2, body)].concat()
    }

    #[test]
    fn a_deployment_is_read_without_what_go_leaves_out() {
        let container = [part(1, b"a"), part(2, b"x:1"), part(14, b"")].concat();
        let pod = part(2, &container);
        let template = part(2, &pod);
        let surge = part(1, &[number(1, 1), part(3, b"25%")].concat());
        let rolling = part(2, &[part(1, b""), surge].concat());
        let spec = [
            number(1, 0),
            part(3, &template),
            part(4, &rolling),
            number(5, 0),
            number(7, 0),
        ];
        let metadata = [part(1, b"web"), part(3, b""), part(8, b"")].concat();
        let labels = part(11, &[part(1, b"app"), part(2, b"")].concat());
        let body = [
            part(1, &[metadata, labels].concat()),
            part(2, &spec.concat()),
        ];
        let read = read(&document("apps/v1", "Deployment", &body.concat())).expect("a document");
        let expected = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"app": ""}},
            "spec": {"replicas": 0,
                     "strategy": {"rollingUpdate": {"maxUnavailable": "25%"}},
                     "template": {"spec": {"containers": [{"name": "a", "image": "x:1"}]}}}});
        assert_eq!(read, expected);
    }

    #[test]
    fn values_with_a_form_of_their_own_are_read() {
        let entry = [part(1, b"key"), part(2, b"\x01\x02")].concat();
        let secret = read(&document("v1", "Secret", &part(2, &entry))).expect("a document");
        assert_eq!(secret["data"], json!({"key": "AQI="}));
        let limit = [part(1, b"cpu"), part(2, &part(1, b"500m"))].concat();
        let quota = read(&document("v1", "ResourceQuota", &part(2, &part(1, &limit))));
        assert_eq!(
            quota.expect("a document")["spec"]["hard"],
            json!({"cpu": "500m"})
        );
        let extra = [part(1, b"who"), part(2, &part(1, b"me"))].concat();
        let review = document(
            "authorization.k8s.io/v1",
            "SubjectAccessReview",
            &part(2, &part(5, &extra)),
        );
        let review = read(&review).expect("a document");
        assert_eq!(review["spec"]["extra"], json!({"who": ["me"]}));
        let policy = document("v1", "DeleteOptions", &part(4, b"Foreground"));
        let policy = read(&policy).expect("a document");
        assert_eq!(policy["propagationPolicy"], "Foreground");
    }

    #[test]
    fn a_source_of_a_volume_stands_in_the_volume_itself() {
        let source = part(6, &part(1, b"keys"));
        let volume = [part(1, b"v"), part(2, &source)].concat();
        let pod = document("v1", "Pod", &part(2, &part(1, &volume)));
        let read = read(&pod).expect("a document");
        let expected = json!({"name": "v", "secret": {"secretName": "keys"}});
        assert_eq!(read["spec"]["volumes"][0], expected);
    }

    #[test]
    fn bytes_that_are_no_document_are_refused() {
        assert_eq!(read(b"{}"), Err(Fault::Prefix));
        let mut cut = document("v1", "Pod", &part(1, &part(1, b"name")));
        cut.pop();
        assert_eq!(read(&cut), Err(Fault::Form));
        let strange = Fault::Kind {
            api_version: "sea.dev/v1".to_owned(),
            kind: "Boat".to_owned(),
        };
        assert_eq!(read(&document("sea.dev/v1", "Boat", b"")), Err(strange));
    }
}
