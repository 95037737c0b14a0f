//! What the agent is told when it is started.

use std::path::PathBuf;

use crate::config::{self, Fault, GitSync};

/// The options of `tidegate run`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file with the `GitSync` documents.
    pub config: PathBuf,
    /// Ends once everything is done or waits for someone.
    pub once: bool,
    /// Lets sources be `file:` URLs.
    pub allow_file_urls: bool,
    /// The directory that holds one directory for each secret; `None`: sources are anonymous.
    pub secrets: Option<PathBuf>,
    /// The name of the installation.
    pub instance: String,
    /// The directory of the mirrors; can be lost at any time.
    pub cache: PathBuf,
    /// The agent's own namespace, for its Lease and index. `None`: that of the kubeconfig's
    /// context, or of its pod.
    pub namespace: Option<String>,
    /// This program, which runs itself for network work.
    pub program: PathBuf,
    /// The kubeconfig; `None`: as kubectl finds it, else the pod's service account.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; `None`: its current one.
    pub context: Option<String>,
}

impl Options {
    /// Reads the text of the configuration's file; what this process has no means for is refused.
    ///
    /// # Errors
    /// All faults.
    pub fn gitsyncs(&self, text: &str) -> Result<Vec<GitSync>, Vec<Fault>> {
        let file = self.config.display().to_string();
        let syncs = config::read(text, &file)?;
        let fault = |sync: &GitSync, field: &str, cause: &str| Fault::Field {
            file: file.clone(),
            subject: format!("GitSync {}/{}", sync.namespace, sync.name),
            field: field.to_owned(),
            cause: cause.to_owned(),
        };
        let mut faults = Vec::new();
        for sync in &syncs {
            if sync.source.secret.is_some() && self.secrets.is_none() {
                let cause = "names credentials, and this agent knows no place for them; start it \
                             with --secrets DIR, a directory with one directory for each secret";
                faults.push(fault(sync, "spec.source.secretRef", cause));
            }
            if sync.source.url.scheme() == "file" && !self.allow_file_urls {
                let cause = "is a file: URL, a repository on the agent's own machine; start it with \
                             --allow-file-urls if that is meant";
                faults.push(fault(sync, "spec.source.url", cause));
            }
        }
        if faults.is_empty() {
            Ok(syncs)
        } else {
            Err(faults)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_agent_has_no_means_for_is_refused() {
        let mut options = Options {
            config: "gitsync.yaml".into(),
            once: false,
            allow_file_urls: false,
            secrets: None,
            instance: "tidegate".to_owned(),
            cache: PathBuf::new(),
            namespace: None,
            program: PathBuf::new(),
            kubeconfig: None,
            context: None,
        };
        let text = "apiVersion: tidegate.dev/v1alpha1\nkind: GitSync\nmetadata: {name: web, namespace: shop}\n\
                    spec: {source: {url: https://git.example/x.git, ref: {branch: main}, path: apps, secretRef: {name: key}}}\n";
        let faults = options.gitsyncs(text).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].to_string().starts_with(
                "gitsync.yaml: GitSync shop/web: spec.source.secretRef: names credentials"
            ),
            "{}",
            faults[0]
        );
        options.secrets = Some("secrets".into());
        assert_eq!(options.gitsyncs(text).unwrap().len(), 1);
        let text = text.replace("https://git.example/x.git", "file:///x.git");
        let faults = options.gitsyncs(&text).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0]
                .to_string()
                .contains("spec.source.url: is a file: URL"),
            "{}",
            faults[0]
        );
        options.allow_file_urls = true;
        assert_eq!(options.gitsyncs(&text).unwrap().len(), 1);
    }
}
