//! What runs in the demo: the files of its repository, and the document of the agent.

use std::time::Duration;

use url::Url;

use crate::object::write_duration;

/// Namespace of everything.
pub(super) const NAMESPACE: &str = "shop";
/// Name of the GitSync and of the workload that is changed.
pub(super) const NAME: &str = "web";
/// Pods of that workload.
pub(super) const PODS: usize = 12;
/// Batches of a whole rollout of it.
pub(super) const BATCHES: u32 = 4;
/// The branch.
pub(super) const BRANCH: &str = "main";
/// The file that is edited.
pub(super) const FILE: &str = "web.yaml";

const WEB: &str = r#"# The image's tag says what the simulated pods do: 1.2 is healthy. 1.2-crash ends again and
# again, 1.2-slow starts slowly, 1.2-flap loses readiness, 1.2-never never becomes ready,
# 1.2-pull has an image that does not exist.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    app: web
spec:
  replicas: 12
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: shop/web:1.0
          ports:
            - name: http
              containerPort: 8080
          readinessProbe:
            httpGet:
              path: /ready
              port: http
            periodSeconds: 1
      # Three seconds instead of five minutes until the pods of a lost node are replaced.
      tolerations:
        - key: node.kubernetes.io/unreachable
          operator: Exists
          effect: NoExecute
          tolerationSeconds: 3
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
    - name: http
      port: 80
      targetPort: http
"#;

const CACHE: &str = r#"# A commit that leaves this file as it is moves none of these pods.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cache
  labels:
    app: cache
spec:
  replicas: 3
  selector:
    matchLabels:
      app: cache
  template:
    metadata:
      labels:
        app: cache
    spec:
      containers:
        - name: cache
          image: shop/cache:7.2
"#;

/// Returns the files of the first commit, each with its path. `watched` is how long a batch is
/// watched before the next one opens.
pub(super) fn files(watched: Duration, on_failure: &str) -> Vec<(&'static str, String)> {
    let watched = write_duration(watched);
    let policy = format!(
        "# How workloads of this directory roll: one pod, then a quarter, a half, all; each batch is\n\
         # healthy for so long before the next one opens.\n\
         steps: [\"1\", \"25%\", \"50%\", \"100%\"]\n\
         soak: {watched}\n\
         monitor: {watched}\n\
         onFailure: {on_failure}\n"
    );
    vec![
        (FILE, WEB.to_owned()),
        ("cache.yaml", CACHE.to_owned()),
        (crate::policy::FILE_NAME, policy),
    ]
}

/// Returns the GitSync document that follows this repository.
pub(super) fn gitsync(repository: &Url) -> String {
    format!(
        "# tidegate run --allow-file-urls --config with this file does the same on any cluster that\n\
         # has the namespace {NAMESPACE}.\n\
         apiVersion: tidegate.dev/v1alpha1\n\
         kind: GitSync\n\
         metadata:\n  \
           name: {NAME}\n  \
           namespace: {NAMESPACE}\n\
         spec:\n  \
           source:\n    \
             url: {repository}\n    \
             ref:\n      \
               branch: {BRANCH}\n"
    )
}

/// Returns the manifest with another tag of the image.
pub(super) fn retagged(manifest: &str, tag: &str) -> String {
    let line = |line: &str| match line.split_once("image: shop/web:") {
        Some((before, _)) => format!("{before}image: shop/web:{tag}\n"),
        None => format!("{line}\n"),
    };
    manifest.lines().map(line).collect()
}

/// Returns the tag of the image in a manifest; `None` where it has another image.
pub(super) fn tag(manifest: &str) -> Option<&str> {
    let line = manifest
        .lines()
        .find_map(|line| line.split_once("image: shop/web:"));
    line.map(|(_, tag)| tag.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_read_and_changed_where_it_stands() {
        assert_eq!(tag(WEB), Some("1.0"));
        let changed = retagged(WEB, "1.1");
        assert_eq!(tag(&changed), Some("1.1"));
        assert_eq!(retagged(&changed, "1.0"), WEB, "all else stays");
        assert_eq!(tag("image: other/web:1.0"), None);
    }

    #[test]
    fn a_person_s_sed_makes_the_same_change() {
        assert_eq!(WEB.replacen("web:1.0", "web:1.1", 1), retagged(WEB, "1.1"));
        assert_eq!(WEB.matches("web:1.0").count(), 1);
    }
}
