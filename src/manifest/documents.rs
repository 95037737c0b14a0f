//! From files to single documents; lists are taken apart.

use std::collections::BTreeSet;

use super::check;
use crate::{
    policy::{self, PolicyFile},
    revision::{Fault, File, Position, Tree},
    yaml::{self, Budget, Content, Key, Node},
};

/// One document and the file that holds it.
pub(super) struct Document {
    pub(super) path: String,
    pub(super) node: Node,
    /// What is wrong with it whatever may be applied and whatever the cluster knows.
    pub(super) faults: Vec<(Position, String)>,
}

/// What the files hold.
#[derive(Default)]
pub(super) struct Documents {
    pub(super) objects: Vec<Document>,
    pub(super) policies: Vec<PolicyFile>,
    pub(super) notes: Vec<String>,
    pub(super) faults: Vec<Fault>,
    budget: Budget,
}

/// Reads all files that `kubectl apply -R -f` would read, but for hidden ones. Once the commit
/// holds too much, the rest is not read.
pub(super) fn documents(tree: &Tree) -> Documents {
    let mut found = Documents {
        notes: tree.notes.clone(),
        ..Documents::default()
    };
    let is_hidden = |part: &str| part.starts_with('.');
    for (path, why) in &tree.unread {
        let below = path.strip_prefix(&tree.root).unwrap_or(path);
        if below.split('/').any(is_hidden) {
            continue;
        }
        found
            .faults
            .push(Fault::new(path, START, format!("it {why}")));
    }
    for file in &tree.files {
        let below = file.path.strip_prefix(&tree.root).unwrap_or(&file.path);
        let (directory, name) = below.rsplit_once('/').unwrap_or(("", below));
        let kind = Kind::of(name);
        if directory.split('/').any(is_hidden) && !matches!(kind, Kind::Other) {
            let note = format!("{}: in a hidden directory, so it is not read", file.path);
            found.notes.push(note);
            continue;
        }
        match kind {
            Kind::Policy => read_policy(file, &mut found),
            Kind::Misnamed(message) => found.faults.push(Fault::new(&file.path, START, message)),
            Kind::Manifest if is_hidden(name) => {
                found
                    .notes
                    .push(format!("{}: hidden, so it is not read", file.path));
            }
            Kind::Manifest => read_manifest(file, &mut found),
            Kind::Other => {}
        }
        if found.objects.len() > Budget::DOCUMENTS {
            let message = format!(
                "the commit holds more than {} objects: split it into several paths",
                Budget::DOCUMENTS
            );
            found.faults.push(Fault::new(&file.path, START, message));
        } else if !found.budget.is_spent() {
            continue;
        }
        found.objects.clear();
        break;
    }
    found
}

/// Returns the namespaces that the objects of a commit name, as they are written; files that cannot
/// be read are left out. Needs [`super::STACK`] bytes of stack.
#[must_use]
pub fn namespaces(tree: &Tree) -> BTreeSet<String> {
    let named = documents(tree).objects.into_iter().filter_map(|document| {
        let namespace = document.node.at(&["metadata", "namespace"])?;
        Some(namespace.text()?.to_owned())
    });
    named.collect()
}

const START: Position = Position { line: 1, column: 1 };

/// What a file is by its name.
enum Kind {
    Manifest,
    Policy,
    Misnamed(&'static str),
    Other,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            policy::FILE_NAME => Self::Policy,
            ".tidegate.yml" | ".tidegate.json" => {
                Self::Misnamed("this file would not be read: rename it to .tidegate.yaml")
            }
            "kustomization.yaml" | "kustomization.yml" | "Kustomization" => Self::Misnamed(
                "rendering by kustomize is not supported yet: commit the output of `kustomize build`",
            ),
            "Chart.yaml" => Self::Misnamed(
                "rendering by helm is not supported yet: commit the output of `helm template`",
            ),
            _ => match name.rsplit_once('.') {
                Some((_, "yaml" | "yml" | "json")) => Self::Manifest,
                _ => Self::Other,
            },
        }
    }
}

fn read_policy(file: &File, found: &mut Documents) {
    let nodes = match yaml::read(&file.path, &file.bytes, &mut found.budget) {
        Ok(nodes) => nodes,
        Err(fault) => return found.faults.push(fault),
    };
    match &nodes[..] {
        [] => {}
        [node] => match PolicyFile::read(&file.path, node) {
            Ok(policy) => found.policies.push(policy),
            Err(faults) => found.faults.extend(faults),
        },
        [_, second, ..] => {
            let message = "a policy file holds one document: merge them";
            found
                .faults
                .push(Fault::new(&file.path, second.position, message));
        }
    }
}

fn read_manifest(file: &File, found: &mut Documents) {
    if let Some((position, message)) = foreign(&file.bytes) {
        return found.faults.push(Fault::new(&file.path, position, message));
    }
    match yaml::read(&file.path, &file.bytes, &mut found.budget) {
        Ok(nodes) => {
            for node in nodes {
                take_apart(&file.path, node, found);
            }
        }
        Err(mut fault) => {
            if is_template(&file.bytes) && !fault.message.contains("{{") {
                fault.message += "; the file looks like a template: commit what it renders to";
            }
            found.faults.push(fault);
        }
    }
}

/// Recognises files that are something else altogether.
fn foreign(bytes: &[u8]) -> Option<(Position, &'static str)> {
    let text = String::from_utf8_lossy(bytes);
    let head = text.trim_start_matches('\u{feff}').trim_start();
    if head.starts_with("version https://git-lfs.github.com/spec/") {
        return Some((
            START,
            "this is a Git LFS pointer, not the file: commit the file itself",
        ));
    }
    let opening: String = head.chars().take(14).collect::<String>().to_lowercase();
    if opening.starts_with("<!doctype html") || opening.starts_with("<html") {
        return Some((
            START,
            "this is an HTML page, not a manifest: a download probably failed",
        ));
    }
    let is_marker = |line: &str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
    let line = text.lines().position(is_marker)?;
    let line = u32::try_from(line + 1).unwrap_or(u32::MAX);
    Some((
        Position { line, column: 1 },
        "a merge conflict was committed: resolve it",
    ))
}

fn is_template(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"{{" || pair == b"{%")
}

/// Puts the items of a list, or the document itself, among the objects.
fn take_apart(path: &str, mut node: Node, found: &mut Documents) {
    let list_of = node
        .at(&["kind"])
        .and_then(Node::text)
        .and_then(|kind| kind.strip_suffix("List"))
        .map(ToOwned::to_owned);
    let Some((kind, items)) = list_of.zip(take_items(&mut node)) else {
        return found.objects.push(Document {
            path: path.to_owned(),
            faults: check::faults(&node),
            node,
        });
    };
    let api_version = node.at(&["apiVersion"]).cloned();
    for mut item in items {
        // The items of a `DeploymentList` may leave out what its kind says already.
        if let (Content::Map(entries), false, Some(api)) =
            (&mut item.content, kind.is_empty(), &api_version)
        {
            let position = item.position;
            let mut add = |name: &str, value: Node| {
                if !entries.iter().any(|(key, _)| key.text == name) {
                    entries.push((
                        Key {
                            text: name.to_owned(),
                            position,
                        },
                        value,
                    ));
                }
            };
            add("apiVersion", api.clone());
            add(
                "kind",
                Node {
                    position,
                    content: Content::Scalar(kind.clone().into()),
                },
            );
        }
        take_apart(path, item, found);
    }
}

fn take_items(node: &mut Node) -> Option<Vec<Node>> {
    let Content::Map(entries) = &mut node.content else {
        return None;
    };
    let (_, items) = entries.iter_mut().find(|(key, _)| key.text == "items")?;
    match &mut items.content {
        Content::List(items) => Some(std::mem::take(items)),
        Content::Scalar(value) if value.is_null() => Some(Vec::new()),
        Content::Scalar(_) | Content::Map(_) => None,
    }
}
