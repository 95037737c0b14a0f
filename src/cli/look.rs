//! How `plan` and `diff` come by what the next sync would do.

use std::path::PathBuf;

use crate::config::GitSync;
use crate::git;
use crate::sync::{Options, Origin, Preview, preview};

use super::failure::Failure;
use super::reach::Target;
use super::show::Show;

/// What is looked at, and how it is shown.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    pub(super) show: Show,
}

/// Which files are looked at.
#[derive(clap::Args, Debug)]
struct Files {
    /// A work tree of the repository, as if all of it had just been committed.
    #[arg(long, value_name = "DIR", conflicts_with = "revision")]
    local: Option<PathBuf>,
    /// A branch, tag or commit; by default the branch that is followed. It is fetched with the
    /// program git and your own credentials.
    #[arg(long, value_name = "REV")]
    revision: Option<String>,
}

/// Asks the cluster, by dry runs, what the next sync would do.
pub(super) async fn look(asked: &Arguments) -> Result<Preview, Failure> {
    let files = &asked.files;
    let found = asked.target.find().await?;
    let sync: GitSync = serde_json::from_value(found.ledger.spec.clone())
        .map_err(|fault| Failure::Spec(found.app.to_string(), fault))?;
    let folder = tempfile::tempdir().map_err(Failure::Folder)?;
    let mut subject = None;
    let directory = match &files.local {
        Some(directory) => directory.clone(),
        None => {
            let directory = folder.path().join("work");
            std::fs::create_dir(&directory).map_err(Failure::Folder)?;
            let revision = files.revision.as_deref().unwrap_or(&sync.source.branch);
            let url = sync.source.url.as_str();
            subject = Some(
                git::checkout(url, revision, &directory)
                    .await
                    .map_err(Failure::Source)?,
            );
            directory
        }
    };
    let options = Options {
        config: PathBuf::new(),
        once: true,
        allow_file_urls: true,
        secrets: None,
        instance: found.ledger.instance.clone(),
        cache: folder.path().join("mirror"),
        namespace: Some(found.app.namespace.clone()),
        program: PathBuf::new(),
        kubeconfig: None,
        context: None,
    };
    let mut looked = preview(&found.cluster, sync, &options, Origin::Directory(directory)).await?;
    if let Some((id, subject)) = subject {
        // The snapshot has an id of its own; people mean the commit that it was taken of.
        looked.revision.subject = subject;
        if let Ok(id) = id.parse() {
            looked.revision.id = id;
        }
    }
    Ok(looked)
}
