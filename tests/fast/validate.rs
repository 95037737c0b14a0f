//! `tidegate validate`, as a pull request's checks run it: no cluster, no network.

use std::path::Path;
use std::process::Command;

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1'}]}
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("there is room");
            std::fs::write(path, text).expect("there is room");
        }
        Self(folder)
    }

    /// Exit code and standard output.
    fn validate(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .arg("validate")
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", "/nonexistent")
            .output()
            .expect("the binary starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        (output.status.code(), format!("{text}{errors}"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

#[test]
fn files_that_the_agent_would_take_pass() {
    let folder = Folder::new(&[("apps/web.yaml", DEPLOYMENT)]);
    let passed = "1 object in 1 file: no fault found; fields and types are those of Kubernetes 1.33, \
                  values are judged by the cluster alone\n";
    assert_eq!(folder.validate(&[]), (Some(0), passed.to_owned()));
    assert_eq!(folder.validate(&["apps"]), (Some(0), passed.to_owned()));
    let file = folder.validate(&["apps/web.yaml"]);
    assert_eq!(file, (Some(0), passed.to_owned()));
}

#[test]
fn every_fault_of_every_file_is_told_with_its_place_from_here() {
    let wrong = DEPLOYMENT.replace("replicas: 4", "replicas: 4\n  replicas: 5");
    let folder = Folder::new(&[
        ("apps/a.yaml", "apiVersion: v1\nkind: ConfigMap\n"),
        (
            "apps/b.yaml",
            &wrong.replace("name: web\nspec", "name: b\nspec"),
        ),
        ("apps/c.yaml", "a: [\n"),
    ]);
    let (code, said) = folder.validate(&["apps"]);
    assert_eq!(code, Some(1), "{said}");
    for place in ["apps/a.yaml:1:1: ", "apps/b.yaml:7:3: ", "apps/c.yaml:"] {
        assert!(
            said.contains(&format!("\n{place}")) || said.starts_with(place),
            "{said}"
        );
    }
    assert!(said.ends_with("errors in 3 files\n"), "{said}");
}

#[test]
fn unknown_fields_and_wrong_types_are_told_where_they_stand() {
    let wrong = DEPLOYMENT
        .replace("replicas: 4", "replicas: four\n  foo: 1")
        .replace("image: 'web:1'", "imag: 'web:1'");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ok}\ndata: {a: 1}\n";
    let folder = Folder::new(&[("web.yaml", &wrong), ("map.yaml", map)]);
    let (code, said) = folder.validate(&[]);
    assert_eq!(code, Some(1), "{said}");
    for told in [
        "map.yaml:4:8: data[a]: it has to be a text, and is a number",
        "web.yaml:6:3: spec.replicas: it has to be a whole number, and is a text",
        "web.yaml:7:3: spec.foo: there is no field `foo` here",
        "web.yaml:11:37: spec.template.spec.containers[0].imag: there is no field `imag` here; \
         did you mean `image`?",
    ] {
        assert!(said.contains(told), "{told} is missing:\n{said}");
    }
    let (_, said) = folder.validate(&["--without-types"]);
    assert!(!said.contains("there is no field"), "{said}");
}

#[test]
fn a_policy_with_a_typo_is_told_with_what_was_meant() {
    let policy = "onFailur: Rollback\n";
    let folder = Folder::new(&[("web.yaml", DEPLOYMENT), (".tidegate.yaml", policy)]);
    let (code, said) = folder.validate(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.starts_with(".tidegate.yaml:1:1: ") && said.contains("onFailure"),
        "{said}"
    );
}

#[test]
fn documents_say_which_path_and_namespaces_count() {
    let config = "\
apiVersion: tidegate.dev/v1alpha1
kind: GitSync
metadata: {name: web, namespace: shop}
spec:
  source: {url: 'https://git.example/x.git', ref: {branch: main}, path: apps}
";
    let elsewhere = DEPLOYMENT.replace("  name: web\nspec", "  name: web\n  namespace: pay\nspec");
    let folder = Folder::new(&[
        ("apps/web.yaml", &elsewhere),
        ("other/broken.yaml", "a: ["),
        ("gitsync.yaml", config),
    ]);
    let (code, said) = folder.validate(&["--config", "gitsync.yaml"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("apps/web.yaml:"), "{said}");
    assert!(
        said.contains("namespace `pay` is not allowed here"),
        "{said}"
    );
    assert!(said.ends_with("1 error in 1 file\n"), "{said}");
    let (code, said) = folder.validate(&["apps"]);
    assert_eq!(
        code,
        Some(0),
        "without documents any namespace passes: {said}"
    );
}

#[test]
fn what_is_not_there_is_an_unexpected_error() {
    let folder = Folder::new(&[]);
    for arguments in [&["nowhere"][..], &["--config", "nowhere.yaml"]] {
        let (code, said) = folder.validate(arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("nowhere"), "{said}");
    }
    let (code, said) = folder.validate(&[]);
    assert_eq!(code, Some(1), "an empty set: {said}");
    assert!(said.contains("allowEmpty"), "{said}");
}
