//! `tidegate validate`: what the agent would refuse, without a cluster; what admission and the
//! validation of the cluster itself add is told by its dry run alone.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::config::{self, GitSync};
use crate::git::Mirror;
use crate::manifest::namespaces;
use crate::revision::{File, Tree};
use crate::sync::{Checked, RunFault, check, on_deep_stack};

use super::Exit;
use super::failure::Failure;
use super::fields::{Fields, KUBERNETES, fields};
use super::findings::{Findings, Format};
use super::show::print;

/// What is validated.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The directory or file, as it would be committed; with --config the root of the repository.
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// The GitSync documents by which it is judged, each with its own path, kinds and namespaces.
    /// Without them application kinds in any namespace pass.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Leaves out field names and types, as for a cluster that is newer than the types that this
    /// program knows.
    #[arg(long)]
    without_types: bool,
    /// The form of the findings.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) async fn run(asked: Arguments) -> Result<Exit, Failure> {
    let mut findings = Findings {
        types: (!asked.without_types).then_some(KUBERNETES),
        ..Findings::default()
    };
    for sync in asked.documents()? {
        let tree = asked.tree(sync.as_ref()).await?;
        findings.files += tree.files.len();
        let with_types = !asked.without_types;
        let checked = on_deep_stack(move || {
            let sync = sync.map_or_else(|| undocumented(&tree), Ok)?;
            let mut checked = check(&tree, &sync);
            if with_types {
                let Fields { faults, notes } = fields(&tree);
                checked.faults.extend(faults);
                checked.notes.extend(notes);
            }
            Ok::<_, Failure>(checked)
        });
        findings.add(&asked.path, checked.await.map_err(Failure::Thread)??);
    }
    findings.sort();
    print(&asked.format.write(&findings))?;
    Ok(if findings.faults.is_empty() {
        Exit::Done
    } else {
        Exit::Difference
    })
}

impl Arguments {
    /// The documents, or one that is not written.
    fn documents(&self) -> Result<Vec<Option<GitSync>>, Failure> {
        let Some(file) = &self.config else {
            return Ok(vec![None]);
        };
        let text = std::fs::read_to_string(file).map_err(|cause| {
            let file = file.clone();
            Failure::Config { file, cause }
        })?;
        let syncs = config::read(&text, &file.display().to_string());
        let syncs = syncs.map_err(|faults| Failure::Run(RunFault::Config(faults)))?;
        Ok(syncs.into_iter().map(Some).collect())
    }

    /// The files as a commit would have them.
    async fn tree(&self, sync: Option<&GitSync>) -> Result<Tree, Failure> {
        if self.path.is_file() {
            return one(&self.path);
        }
        let folder = tempfile::tempdir().map_err(Failure::Folder)?;
        let mirror = Mirror::snapshot(&self.path, folder.path()).await;
        let (mirror, commit) = mirror.map_err(RunFault::Git)?;
        let path = sync.map_or(".", |sync| sync.source.path.as_str());
        Ok(mirror.tree(&commit, path).await.map_err(RunFault::Git)?)
    }
}

fn one(path: &Path) -> Result<Tree, Failure> {
    let bytes = std::fs::read(path).map_err(|cause| Failure::Unread {
        file: path.to_owned(),
        cause,
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Tree {
        root: String::new(),
        files: vec![File {
            path: name.into_owned(),
            bytes,
        }],
        unread: Vec::new(),
        notes: Vec::new(),
    })
}

/// The document that is assumed where there is none: it lets objects be in the namespaces that
/// they name.
fn undocumented(tree: &Tree) -> Result<GitSync, Failure> {
    let document = json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "GitSync",
        "metadata": {"name": "validate", "namespace": "default"},
        "spec": {
            "source": {"url": "https://localhost/validate.git", "ref": {"branch": "main"}},
        },
    });
    let mut sync: GitSync = serde_json::from_value(document)
        .map_err(|fault| Failure::Spec("validate".to_owned(), fault))?;
    sync.allow.namespaces = namespaces(tree).into_iter().collect();
    Ok(sync)
}

impl Findings {
    /// Takes what was found below a path; places are told from where the command was given.
    fn add(&mut self, path: &Path, checked: Checked) {
        let below = if path.is_file() {
            path.parent().unwrap_or(Path::new(""))
        } else {
            path
        };
        let below = below.strip_prefix(".").unwrap_or(below);
        for mut fault in checked.faults {
            let place = &mut fault.place;
            // What has no line is a field of the document, or the whole directory.
            if place.position.line > 0 {
                place.path = below.join(&place.path).display().to_string();
            } else if place.path == "." {
                place.path = path.display().to_string();
            }
            self.faults.push(fault);
        }
        self.notes.extend(checked.notes);
        self.objects += checked.objects;
    }
}
