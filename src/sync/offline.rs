//! What can be said of a commit without any cluster: everything up to the dry run.

use jiff::Timestamp;

use crate::config::GitSync;
use crate::manifest::{self, KindScope, Scope};
use crate::object::{Digest, ObjectId};
use crate::plan::{Owner, Set, turns, wanted};
use crate::policy::{Baseline, FILE_NAME};
use crate::revision::{Fault, Position, Revision, Tree};

/// Kinds of Kubernetes itself that live in no namespace; all others are taken to live in one.
const CLUSTER_KINDS: [&str; 20] = [
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "FlowSchema",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

/// What was found in the files of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// For each of these the agent would refuse the whole commit, sorted by place.
    pub faults: Vec<Fault>,
    /// What people should know.
    pub notes: Vec<String>,
    /// Objects that were read; none where a file is at fault.
    pub objects: usize,
}

/// Reads files as the agent does for a `GitSync` and says what it would refuse. What only the API
/// server can know (schemas, admission, kinds of its own) is not judged. To be called
/// [`on_deep_stack`](super::on_deep_stack).
#[must_use]
pub fn check(tree: &Tree, sync: &GitSync) -> Checked {
    let kinds = |_: &str, kind: &str| {
        Some(if CLUSTER_KINDS.contains(&kind) {
            KindScope::Cluster
        } else {
            KindScope::Namespaced
        })
    };
    let (desired, of_files) = manifest::open(tree).sift(&scope(sync), &kinds);
    let is_read = of_files.is_empty();
    let mut notes = desired.notes.clone();
    let owner = Owner {
        instance: "tidegate".to_owned(),
        namespace: sync.namespace.clone(),
        name: sync.name.clone(),
    };
    let (set, of_policies) = dress(&desired, &uncommitted(), &owner, sync);
    let mut faults = joined(of_files, of_policies);
    notes.extend(policy_notes(&set));
    if faults.is_empty() {
        faults = empty(&set, tree, sync);
    }
    Checked {
        faults,
        notes,
        objects: if is_read { desired.objects.len() } else { 0 },
    }
}

/// What a `GitSync` lets its repository bring; the agent's own objects are added where it runs.
pub(super) fn scope(sync: &GitSync) -> Scope {
    let allow = &sync.allow;
    Scope {
        target_namespace: sync.target_namespace.clone(),
        allowed_kinds: allow.kinds.clone(),
        allowed_namespaces: allow.namespaces.clone(),
        cluster_scoped: allow.cluster_scoped,
        own: std::collections::BTreeSet::new(),
    }
}

/// Turns what was read into what is to be written, by the policies in force; returns all faults of
/// policies with it.
pub(super) fn dress(
    desired: &manifest::Desired,
    revision: &Revision,
    owner: &Owner,
    sync: &GitSync,
) -> (Set, Vec<Fault>) {
    let withdrawals = |id: &ObjectId| -> Vec<String> {
        let fields = sync.ignore_fields.iter().filter(|field| field.matches(id));
        fields.map(|field| field.pointer.clone()).collect()
    };
    match Baseline::read(sync.rollout.as_ref()) {
        Ok(baseline) => {
            let (set, mut faults) = wanted(desired, revision, owner, &baseline, &withdrawals);
            if faults.is_empty() {
                faults = turns::faults(&set);
            }
            (set, faults)
        }
        Err(faults) => (Set::new(), faults),
    }
}

/// Adds the faults of policies to those of files, sorted by place. Where a policy file could not be
/// read, what it would have said may be what another policy seems to lack.
pub(super) fn joined(mut of_files: Vec<Fault>, of_policies: Vec<Fault>) -> Vec<Fault> {
    let is_policy = |fault: &Fault| fault.place.path.ends_with(FILE_NAME);
    if !of_files.iter().any(is_policy) {
        of_files.extend(of_policies);
    }
    of_files.sort();
    of_files.dedup();
    of_files
}

fn policy_notes(set: &Set) -> Vec<String> {
    let notes = set.values().flat_map(|wanted| {
        let notes = wanted.policy.iter().flat_map(|resolved| &resolved.notes);
        notes.map(|note| format!("{}: {note}", wanted.place))
    });
    notes.collect()
}

/// An empty set would delete everything.
fn empty(set: &Set, tree: &Tree, sync: &GitSync) -> Vec<Fault> {
    if !set.is_empty() || sync.prune.allow_empty {
        return Vec::new();
    }
    let path = if tree.root.is_empty() {
        "."
    } else {
        &tree.root
    };
    let message = "there are no objects; an empty set would delete everything and is refused unless \
                   spec.prune.allowEmpty is true";
    vec![Fault::new(path, Position::default(), message)]
}

/// Stands for the commit that is not made yet.
fn uncommitted() -> Revision {
    let id = Digest::of(&serde_json::Value::Null).as_str()[..40].parse();
    Revision {
        id: id.expect("a digest has forty hexadecimal digits and more"),
        subject: String::new(),
        author: String::new(),
        time: Timestamp::UNIX_EPOCH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::File;

    fn checked(files: &[(&str, &str)], spec: &str) -> (Vec<String>, Vec<String>) {
        let text = format!(
            "apiVersion: tidegate.dev/v1alpha1\nkind: GitSync\n\
             metadata: {{name: web, namespace: shop}}\n\
             spec: {{source: {{url: 'https://git.example/x.git', ref: {{branch: main}}}}{spec}}}\n"
        );
        let sync = crate::config::read(&text, "gitsync.yaml")
            .unwrap()
            .remove(0);
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        let tree = Tree {
            root: String::new(),
            files: files.iter().map(file).collect(),
            unread: Vec::new(),
            notes: Vec::new(),
        };
        let checked = check(&tree, &sync);
        let faults = checked.faults.iter().map(ToString::to_string).collect();
        (faults, checked.notes)
    }

    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flags}\n";
    const ROLE: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\nrules: []\n";

    #[test]
    fn what_the_agent_applies_has_no_fault() {
        assert_eq!(checked(&[("map.yaml", MAP)], ""), (vec![], vec![]));
    }

    #[test]
    fn no_objects_at_all_are_a_fault_unless_allowed() {
        let (faults, _) = checked(&[], "");
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("allowEmpty"), "{faults:?}");
        let allowed = ", prune: {allowEmpty: true}";
        assert_eq!(checked(&[], allowed), (vec![], vec![]));
    }

    #[test]
    fn what_the_document_allows_is_allowed() {
        let (faults, _) = checked(&[("role.yaml", ROLE)], "");
        assert!(
            faults[0].starts_with("role.yaml:2:1: kind ClusterRole is not allowed here"),
            "{faults:?}"
        );
        let allow =
            ", allow: {kinds: [rbac.authorization.k8s.io/ClusterRole], clusterScoped: true}";
        assert_eq!(checked(&[("role.yaml", ROLE)], allow).0, [""; 0]);
    }

    #[test]
    fn a_policy_that_contradicts_itself_is_a_fault() {
        let deployment = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {tidegate.dev/rollout.steps: '[50%, 1, 100%]'}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1'}]}
";
        let (faults, _) = checked(&[("web.yaml", deployment)], "");
        assert!(faults[0].starts_with("web.yaml:5:17: "), "{faults:?}");
    }
}
