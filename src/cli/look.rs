//! How `plan` and `diff` come by what the next sync would do.

use std::path::PathBuf;

use crate::config::GitSync;
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
    let origin = match (&files.local, &files.revision) {
        (Some(directory), _) => Origin::Directory(directory.clone()),
        (None, Some(revision)) => Origin::Revision(revision.clone()),
        (None, None) => Origin::Revision(sync.source.branch.clone()),
    };
    let options = Options {
        config: PathBuf::new(),
        once: true,
        allow_file_urls: true,
        secrets: None,
        instance: found.ledger.instance.clone(),
        cache: folder.path().to_owned(),
        namespace: Some(found.app.namespace.clone()),
        program: PathBuf::new(),
        kubeconfig: None,
        context: None,
    };
    Ok(preview(&found.cluster, sync, &options, origin).await?)
}
