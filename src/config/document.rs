//! From the text of a file to its `GitSync`s.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::{
    Fault, GitSync,
    fault::FieldFault,
    fields::{Faults, Fields},
};

/// Reads all documents of a file; `file` is its name in faults. Empty documents between `---` are
/// skipped.
///
/// # Errors
/// Returns every fault of every document: [`Fault::Empty`] alone where there is no document. After
/// a [`Fault::Syntax`] the rest of the file is not read.
pub fn read(text: &str, file: &str) -> Result<Vec<GitSync>, Vec<Fault>> {
    let mut syncs = Vec::new();
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for document in serde_yaml::Deserializer::from_str(text) {
        let yaml = match serde_yaml::Value::deserialize(document) {
            Ok(serde_yaml::Value::Null) => continue,
            Ok(yaml) => yaml,
            Err(fault) => {
                faults.push(syntax(&fault, file));
                break;
            }
        };
        count += 1;
        match read_yaml(yaml) {
            Ok(sync) if seen.insert((sync.namespace.clone(), sync.name.clone())) => {
                syncs.push(sync);
            }
            Ok(sync) => {
                let subject = format!("GitSync {}/{}", sync.namespace, sync.name);
                faults.push(Fault::Duplicate {
                    file: file.to_owned(),
                    subject,
                });
            }
            Err((subject, fields)) => {
                let subject = subject.unwrap_or_else(|| format!("document {count}"));
                faults.extend(fields.into_iter().map(|fault| told(fault, &subject, file)));
            }
        }
    }
    if !faults.is_empty() {
        Err(faults)
    } else if syncs.is_empty() {
        Err(vec![Fault::Empty {
            file: file.to_owned(),
        }])
    } else {
        Ok(syncs)
    }
}

/// Reads the copy of one document that was written as JSON.
pub(super) fn read_stored(document: &Value) -> Result<GitSync, Fault> {
    read_document(document).map_err(|(subject, mut faults)| {
        let subject = subject.unwrap_or_else(|| "a GitSync".to_owned());
        told(faults.swap_remove(0), &subject, "stored copy")
    })
}

/// Whose the faults are, where that can be read, and the faults; at least one.
type Refused = (Option<String>, Vec<FieldFault>);

fn read_yaml(yaml: serde_yaml::Value) -> Result<GitSync, Refused> {
    let document = json(yaml, "").map_err(|fault| (None, vec![fault]))?;
    read_document(&document)
}

fn read_document(document: &Value) -> Result<GitSync, Refused> {
    let faults = Faults::default();
    let sync = GitSync::read(Fields::open(String::new(), Some(document), &faults));
    let faults = faults.into_inner();
    match sync {
        Some(sync) if faults.is_empty() => Ok(sync),
        _ => Err((subject(document), faults)),
    }
}

fn subject(document: &Value) -> Option<String> {
    let text = |pointer| document.pointer(pointer).and_then(Value::as_str);
    Some(format!(
        "GitSync {}/{}",
        text("/metadata/namespace")?,
        text("/metadata/name")?
    ))
}

fn told(fault: FieldFault, subject: &str, file: &str) -> Fault {
    Fault::Field {
        file: file.to_owned(),
        subject: subject.to_owned(),
        field: if fault.field.is_empty() {
            "the document".to_owned()
        } else {
            fault.field
        },
        cause: fault.cause.to_string(),
    }
}

fn syntax(fault: &serde_yaml::Error, file: &str) -> Fault {
    let cause = fault.to_string();
    let (position, cause) = match fault.location() {
        Some(at) => {
            let said = format!(" at line {} column {}", at.line(), at.column());
            (
                format!(":{}:{}", at.line(), at.column()),
                cause.replacen(&said, "", 1),
            )
        }
        None => (String::new(), cause),
    };
    Fault::Syntax {
        file: file.to_owned(),
        position,
        cause,
    }
}

/// Turns YAML into JSON; what JSON cannot say (tags, keys that are no strings, infinity) is a
/// fault.
fn json(yaml: serde_yaml::Value, path: &str) -> Result<Value, FieldFault> {
    let refused = |cause: &str| FieldFault {
        field: path.to_owned(),
        cause: cause.into(),
    };
    match yaml {
        serde_yaml::Value::Null => Ok(Value::Null),
        serde_yaml::Value::Bool(is) => Ok(Value::Bool(is)),
        serde_yaml::Value::String(text) => Ok(Value::String(text)),
        serde_yaml::Value::Number(number) if number.as_f64().is_some_and(f64::is_finite) => {
            serde_json::to_value(number).map_err(|_| refused("is no number"))
        }
        serde_yaml::Value::Number(_) => Err(refused("is no finite number")),
        serde_yaml::Value::Sequence(entries) => {
            let entry = |(at, entry)| json(entry, &format!("{path}[{at}]"));
            entries.into_iter().enumerate().map(entry).collect()
        }
        serde_yaml::Value::Mapping(fields) => {
            let mut map = Map::new();
            for (key, value) in fields {
                let serde_yaml::Value::String(key) = key else {
                    return Err(refused("has a key that is no string; put it in quotes"));
                };
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                map.insert(key, json(value, &below)?);
            }
            Ok(Value::Object(map))
        }
        serde_yaml::Value::Tagged(_) => Err(refused("has a YAML tag; write the value without it")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        config::{Drift, Prune, Render, Rewrites},
        object::ObjectId,
    };

    const SMALLEST: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: GitSync
metadata: {name: web, namespace: shop}
spec:
  source: {url: https://git.example/shop/deploy.git}
";

    const WHOLE: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: GitSync
metadata: {name: web, namespace: shop, labels: {team: a}, annotations: {any: thing}}
spec:
  source:
    url: ssh://git@git.example/shop/deploy.git
    ref: {branch: release/2}
    path: ./apps//web/
    extraPaths: [base, lib/x]
    secretRef: {name: deploy-key}
    interval: 1m30s
    timeout: 2m
    verify: {mode: None}
    rewrites: Adopt
    render: Plain
  targetNamespace: store
  healthTimeout: 10m
  allow: {kinds: [apps/Deployment, ConfigMap], namespaces: [other], clusterScoped: true}
  prune: {enabled: false, maxObjects: 0, maxPercent: 100, protectedKinds: [Service], allowEmpty: true, onDelete: Orphan}
  drift: Report
  ignoreFields: [{kind: Deployment, name: web, pointer: /spec/replicas}, {kind: Service, pointer: /spec/a~1b}]
  takeFrom: [helm]
  dependsOn: []
  suspend: true
  rollout: {steps: [1, 50%, 100%], soak: 2s}
  rollback: {push: Never}
  notifications: []
  historyLimit: 7
status: {summary: x}
";

    fn one(text: &str) -> GitSync {
        read(text, "sync.yaml").unwrap().swap_remove(0)
    }

    /// The faults of the smallest document with `spec` lines changed, as people read them.
    fn faults(from: &str, to: &str) -> Vec<String> {
        let text = SMALLEST.replace(from, to);
        assert_ne!(text, SMALLEST);
        let faults = read(&text, "sync.yaml").unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    fn source(line: &str) -> Vec<String> {
        faults("git}", &format!("git, {line}}}"))
    }

    fn spec(line: &str) -> Vec<String> {
        faults("spec:", &format!("spec:\n  {line}"))
    }

    #[test]
    fn the_smallest_document_has_the_documented_defaults() {
        let sync = one(SMALLEST);
        assert_eq!(
            (sync.name.as_str(), sync.namespace.as_str()),
            ("web", "shop")
        );
        assert_eq!(sync.target_namespace, "shop");
        assert_eq!(
            (sync.source.branch.as_str(), sync.source.path.as_str()),
            ("main", "")
        );
        assert_eq!(sync.source.interval, Duration::from_secs(60));
        assert_eq!(sync.source.timeout, Duration::from_secs(60));
        assert_eq!(
            (sync.source.rewrites, sync.source.render),
            (Rewrites::Refuse, Render::Auto)
        );
        assert_eq!(sync.health_timeout, Duration::from_secs(300));
        assert_eq!(sync.prune, Prune::default());
        assert_eq!(
            (sync.drift, sync.suspend, sync.history_limit),
            (Drift::Correct, false, 20)
        );
        assert_eq!((sync.source.secret, sync.rollout), (None, None));
    }

    #[test]
    fn the_example_that_ships_is_read() {
        let sync = one(include_str!("../../examples/gitsync.yaml"));
        assert_eq!(sync.source.url.scheme(), "file");
    }

    #[test]
    fn every_field_of_a_whole_document_is_taken() {
        let sync = one(WHOLE);
        assert_eq!(sync.source.path, "apps/web");
        assert_eq!(sync.source.branch, "release/2");
        assert_eq!(sync.source.extra_paths, ["base", "lib/x"]);
        assert_eq!(sync.source.secret.as_deref(), Some("deploy-key"));
        assert_eq!(sync.source.interval, Duration::from_secs(90));
        assert_eq!(
            (sync.source.rewrites, sync.source.render),
            (Rewrites::Adopt, Render::Plain)
        );
        assert_eq!(
            (sync.target_namespace.as_str(), sync.drift),
            ("store", Drift::Report)
        );
        assert_eq!((sync.prune.max_objects, sync.prune.max_percent), (0, 100));
        assert_eq!((sync.history_limit, sync.suspend), (7, true));
        assert_eq!(
            sync.rollout.unwrap()["steps"],
            serde_json::json!([1, "50%", "100%"])
        );
    }

    #[test]
    fn a_kind_with_a_group_names_only_that_group_and_a_field_without_a_name_every_object() {
        let sync = one(WHOLE);
        let deployment: ObjectId = "apps/Deployment/shop/api".parse().unwrap();
        let foreign: ObjectId = "other.io/Deployment/shop/api".parse().unwrap();
        let service: ObjectId = "/Service/shop/api".parse().unwrap();
        assert!(sync.allow.kinds[0].matches(&deployment));
        assert!(!sync.allow.kinds[0].matches(&foreign));
        assert!(!sync.ignore_fields[0].matches(&deployment));
        assert!(sync.ignore_fields[1].matches(&service));
    }

    #[test]
    fn what_is_written_reads_back_equal() {
        for text in [SMALLEST, WHOLE] {
            let sync = one(text);
            let stored = serde_json::to_string(&sync).unwrap();
            assert_eq!(serde_json::from_str::<GitSync>(&stored).unwrap(), sync);
            assert_eq!(one(&stored), sync);
        }
    }

    #[test]
    fn a_spoilt_stored_copy_is_a_fault() {
        let mut stored = serde_json::to_value(one(SMALLEST)).unwrap();
        stored["spec"]["historyLimit"] = serde_json::json!(0);
        let fault = serde_json::from_value::<GitSync>(stored).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "stored copy: GitSync shop/web: spec.historyLimit: must be a whole number from 1 to 100"
        );
    }

    #[test]
    fn an_unknown_field_is_refused_with_the_closest_match() {
        assert_eq!(
            source("intreval: 1m"),
            [
                "sync.yaml: GitSync shop/web: spec.source.intreval: is no known field; \
              did you mean `interval`?"
            ]
        );
        assert_eq!(
            spec("allow: {everything: true}"),
            [
                "sync.yaml: GitSync shop/web: spec.allow.everything: is no known field; \
              known here: kinds, namespaces, clusterScoped"
            ]
        );
        let listed = &spec("zzzzzz: 1")[0];
        assert!(listed.contains("known here: "), "{listed}");
        for field in ["serviceAccountName", "webhook", "limits", "dependsOn"] {
            assert!(!listed.contains(field), "{listed}");
        }
        assert!(
            spec("drift: correct")[0]
                .ends_with("spec.drift: is `correct`; did you mean `Correct`?")
        );
    }

    #[test]
    fn what_is_documented_for_later_is_refused_as_not_supported_yet() {
        for line in [
            "serviceAccountName: a",
            "dependsOn: [{name: database}]",
            "webhook: {provider: GitHub}",
            "limits: {maxBatch: 50%}",
            "rollback: {push: Revert}",
            "rollback: {push: Never, author: me}",
            "notifications: [{type: Slack}]",
        ] {
            let faults = spec(line);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].contains("is not supported yet"), "{faults:?}");
        }
        for line in [
            "ref: {tag: v1}",
            "ref: {semver: 1.x}",
            "ref: {commit: abc}",
            "verify: {mode: Head}",
            "verify: {mode: None, secretRef: {name: a}}",
            "render: Helm",
        ] {
            let faults = source(line);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].contains("not supported yet"), "{faults:?}");
        }
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        for line in [
            "path: ../other",
            "path: a/../b",
            "path: /etc",
            "path: 'a\\b'",
            "path: 7",
            "extraPaths: base",
            "extraPaths: [..]",
            "interval: 4s",
            "interval: 60",
            "timeout: 0s",
            "timeout: 1 s",
            "ref: {branch: refs/heads/main}",
            "ref: {branch: a..b}",
            "ref: {branch: -x}",
            "ref: {branch: a.lock}",
            "ref: main",
            "secretRef: {}",
            "secretRef: {name: ../x}",
            "rewrites: Allow",
        ] {
            assert_eq!(source(line).len(), 1, "{line}");
        }
        for line in [
            "healthTimeout: 0s",
            "historyLimit: 101",
            "historyLimit: '7'",
            "suspend: 'true'",
            "allow: {kinds: [deployment]}",
            "allow: {kinds: [/Service]}",
            "allow: []",
            "allow: {namespaces: [Shop]}",
            "prune: {maxPercent: 101}",
            "prune: {maxObjects: -1}",
            "prune: {onDelete: Delete}",
            "ignoreFields: [{kind: Service, pointer: spec}]",
            "ignoreFields: [{kind: Service, pointer: /a~2}]",
            "rollout: fast",
            "rollout: {soka: 2s}",
            "rollout: {steps: [1]}",
            "rollout: {healthyDeadline: 2m, progressDeadline: 1m}",
            "takeFrom: ['']",
            "targetNamespace: a.b",
            "suspend: !yes true",
            "rollout: {1: 2}",
            "historyLimit: .inf",
        ] {
            assert_eq!(spec(line).len(), 1, "{line}");
        }
        let long = "a".repeat(53);
        assert_eq!(faults("name: web", &format!("name: {long}")).len(), 1);
        assert_eq!(faults("name: web,", "").len(), 1);
        assert_eq!(faults("kind: GitSync", "kind: List").len(), 1);
    }

    #[test]
    fn only_plain_urls_of_three_schemes_are_followed() {
        let url = "https://git.example/shop/deploy.git";
        for good in ["ssh://git@git.example:22/a.git", "file:///srv/git/a.git"] {
            assert_eq!(one(&SMALLEST.replace(url, good)).source.url.as_str(), good);
        }
        for bad in [
            "http://git.example/a.git",
            "git://git.example/a.git",
            "git@git.example:a.git",
            "https://git.example",
            "https://git.example/a.git?x=1",
            "https://git.example/a#b",
            "ssh://git.example/a.git",
            "file://srv/a.git",
            "'https://git.example/a b'",
            "https://",
            "ext::sh",
            "/srv/a.git",
        ] {
            assert_eq!(faults(url, bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_never_repeated() {
        let url = "https://git.example/shop/deploy.git";
        for bad in [
            "https://hunter2@git.example/a.git",
            "https://me:hunter2@git.example/a.git",
            "ssh://git:hunter2@git.example/a.git",
            "https://git.example/a.git?token=hunter2",
            "hunter2:x@git.example/a.git",
            "hunter2://git.example/a",
            "https://me:hunter2@",
        ] {
            let faults = faults(url, bad);
            assert!(!faults.concat().contains("hunter2"), "{faults:?}");
        }
        let words = faults(url, "https://me:hunter2@git.example/a.git");
        assert!(
            words[0].contains("spec.source.url: has credentials in it"),
            "{words:?}"
        );
    }

    #[test]
    fn all_faults_of_all_documents_are_told() {
        let text = format!(
            "{}---\n# nothing\n---\n{}---\nkind: GitSync\n",
            SMALLEST.replace("url: https", "interval: 1s, url: http"),
            SMALLEST
                .replace("name: web", "name: api")
                .replace("spec:", "spec:\n  drift: No"),
        );
        let faults: Vec<String> = read(&text, "f")
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(faults.len(), 7, "{faults:#?}");
        assert!(
            faults[0].starts_with("f: GitSync shop/web: spec.source.url: "),
            "{faults:#?}"
        );
        assert!(
            faults[2].starts_with("f: GitSync shop/api: spec.drift: "),
            "{faults:#?}"
        );
        assert_eq!(
            faults[3],
            "f: document 3: apiVersion: is missing; it must be given"
        );
    }

    #[test]
    fn several_documents_are_read_and_a_name_may_be_used_once() {
        let second = SMALLEST.replace("name: web", "name: api");
        assert_eq!(
            read(&format!("{SMALLEST}---{second}"), "f").unwrap().len(),
            2
        );
        let faults = read(&format!("{SMALLEST}---{SMALLEST}"), "f").unwrap_err();
        assert_eq!(
            faults,
            [Fault::Duplicate {
                file: "f".to_owned(),
                subject: "GitSync shop/web".to_owned()
            }]
        );
    }

    #[test]
    fn a_file_without_documents_is_empty_and_not_invalid() {
        for text in ["", "\n", "# comment\n", "---\n---\n", "null"] {
            assert_eq!(
                read(text, "f"),
                Err(vec![Fault::Empty {
                    file: "f".to_owned()
                }]),
                "{text:?}"
            );
        }
    }

    #[test]
    fn broken_yaml_is_told_with_its_place_and_ends_the_reading() {
        let text = format!("{SMALLEST}---\na: [1\nb: 2\n---\nkind: GitSync\n");
        let faults = read(&text, "f").unwrap_err();
        assert!(
            matches!(&faults[..], [Fault::Syntax { position, .. }] if position.starts_with(":9:")),
            "{faults:?}"
        );
        let twice = read("kind: a\nkind: b\n", "f").unwrap_err();
        assert!(matches!(&twice[..], [Fault::Syntax { .. }]), "{twice:?}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_fail_otherwise_than_by_faults(text in "[ -~\n]{0,80}") {
            let _ = read(&text, "f");
            let _ = read(&format!("{SMALLEST}  {text}"), "f");
        }
    }
}
