//! `.tidegate.yaml`: policies for a directory and below.

use std::collections::BTreeMap;

use super::{
    Provenance,
    statement::{Source, Statement},
};
use crate::{
    object::is_rolled,
    revision::{Fault, Place, Position},
    yaml::Node,
};

/// Name of the file that holds the policy of a directory.
pub const FILE_NAME: &str = ".tidegate.yaml";

/// One `.tidegate.yaml`, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyFile {
    path: String,
    general: Statement,
    workloads: BTreeMap<(String, String), (Place, Statement)>,
}

impl PolicyFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// Returns every unknown, unsupported or wrong field with its place.
    pub fn read(path: &str, node: &Node) -> Result<Self, Vec<Fault>> {
        if !node.is_map() {
            let message = format!("the file is {}: write a map of policy fields", node.noun());
            return Err(vec![Fault::new(path, node.position, message)]);
        }
        let mut faults = Vec::new();
        let (lists, fields): (Vec<_>, Vec<_>) = node
            .entries()
            .iter()
            .partition(|(key, _)| key.text == "workloads");
        let general = statement(path, fields, &mut faults);
        let mut workloads = BTreeMap::new();
        for (key, list) in lists {
            let Some(items) = list.items() else {
                let message = format!(
                    "workloads is {}: write a list of {{kind, name, …}}",
                    list.noun()
                );
                faults.push(Fault::new(path, key.position, message));
                continue;
            };
            for item in items {
                match entry(path, item, &mut faults) {
                    Ok((id, statement)) => {
                        let place = Place::new(path, item.position);
                        let said = format!("{}/{} is here twice: keep one", id.0, id.1);
                        if workloads.insert(id, (place, statement)).is_some() {
                            faults.push(Fault::new(path, item.position, said));
                        }
                    }
                    Err(message) => faults.push(Fault::new(path, item.position, message)),
                }
            }
        }
        let path = path.to_owned();
        if faults.is_empty() {
            Ok(Self {
                path,
                general,
                workloads,
            })
        } else {
            Err(faults)
        }
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the workloads that it names, as kind and name, with the place of each.
    pub fn workloads(&self) -> impl Iterator<Item = (&str, &str, &Place)> {
        self.workloads
            .iter()
            .map(|((kind, name), (place, _))| (kind.as_str(), name.as_str(), place))
    }

    /// Says whether it counts for the file at `path`, one of its directory or below.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        path.starts_with(self.path.trim_end_matches(FILE_NAME))
    }

    /// Returns what it says of the workload, the nearer words first: its own entry, then the rest
    /// of the file.
    pub(super) fn of(&self, kind: &str, name: &str) -> impl Iterator<Item = &Statement> {
        let own = self.workloads.get(&(kind.to_owned(), name.to_owned()));
        own.map(|(_, statement)| statement)
            .into_iter()
            .chain([&self.general])
    }
}

type Id = (String, String);

/// Reads one entry of `workloads`; the faults of its fields go to `faults`.
fn entry(path: &str, node: &Node, faults: &mut Vec<Fault>) -> Result<(Id, Statement), String> {
    let text = |key: &str| {
        node.at(&[key])
            .and_then(Node::text)
            .unwrap_or_default()
            .to_owned()
    };
    let id = (text("kind"), text("name"));
    if id.0.is_empty() || id.1.is_empty() {
        return Err("an entry of workloads needs kind and name".to_owned());
    }
    if !is_rolled(&id.0) {
        return Err(format!(
            "kind {} has no policy: only a Deployment, a StatefulSet or a DaemonSet is rolled",
            id.0
        ));
    }
    let is_field = |text: &str| text != "kind" && text != "name";
    let fields = node
        .entries()
        .iter()
        .filter(|(key, _)| is_field(&key.text))
        .collect();
    Ok((id, statement(path, fields, faults)))
}

fn statement(
    path: &str,
    fields: Vec<&(crate::yaml::Key, Node)>,
    faults: &mut Vec<Fault>,
) -> Statement {
    let origin = |_: &str, at: Position| Provenance::File(Place::new(path, at).to_string());
    let source = Source {
        path,
        prefix: "",
        origin: &origin,
    };
    Statement::read(fields, &source).unwrap_or_else(|found| {
        faults.extend(found);
        Statement::default()
    })
}
