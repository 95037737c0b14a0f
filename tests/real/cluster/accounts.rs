//! Who may call the API server, and what the agent's own account may do there.
//!
//! The API server knows its accounts from a file that it reads once, so they are made beforehand
//! and handed out one by one. An account has no right until it is granted one.

use std::fs;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::shop::ground::Account;

/// The number of accounts for agents that one control plane has.
const AGENTS: usize = 256;

/// The group of all agents' accounts; the audit log tells of their calls.
pub(crate) const AGENTS_GROUP: &str = "tidegate:agents";

/// The rights as they are told to users: the tests run with just these.
const RIGHTS: &str = include_str!("../../../examples/rights.yaml");

/// Returns what the agent does to the objects of an application in a namespace that it serves.
/// Secrets are granted apart ([`secrets_rules`]).
pub(crate) fn application_rules() -> Vec<PolicyRule> {
    rules_of("tidegate-applications")
}

/// Returns what the agent needs in its own namespace: its lease, its index and its ledgers.
pub(crate) fn own_rules() -> Vec<PolicyRule> {
    rules_of("tidegate")
}

/// Returns what it needs in the whole cluster for the order of nodes.
pub(crate) fn nodes_rules() -> Vec<PolicyRule> {
    rules_of("tidegate-nodes")
}

/// The rules of a Role, or ClusterRole, of the example.
fn rules_of(role: &str) -> Vec<PolicyRule> {
    let documents = serde_yaml::Deserializer::from_str(RIGHTS);
    let mut roles = documents.filter_map(|document| {
        let document = Value::deserialize(document).expect("the example is YAML");
        let is_role = document["kind"] == "Role" || document["kind"] == "ClusterRole";
        let is_meant = is_role && document["metadata"]["name"] == role;
        is_meant.then(|| document["rules"].clone())
    });
    let rules = roles.next().expect("the example has the role");
    serde_json::from_value(rules).expect("they are rules")
}

/// Returns what an agent needs more where Git holds Secrets.
pub(crate) fn secrets_rules() -> Vec<PolicyRule> {
    let every = [
        "get", "list", "watch", "create", "patch", "update", "delete",
    ];
    vec![rule("", &["secrets"], &every)]
}

/// Returns what an agent needs more where Git holds definitions and objects of this group.
pub(crate) fn definitions_rules(group: &str) -> Vec<PolicyRule> {
    let every = [
        "get", "list", "watch", "create", "patch", "update", "delete",
    ];
    let definitions = ["customresourcedefinitions"];
    vec![
        rule("apiextensions.k8s.io", &definitions, &every),
        rule(group, &["*"], &every),
    ]
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().copied().map(str::to_owned).collect();
    PolicyRule {
        api_groups: Some(owned(&[group])),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

/// Writes the file that tells the API server all its accounts, and their kubeconfigs.
pub(super) fn write(folder: &Path, server: &str, authority_pem: &str) {
    let mut tokens = account_line("admin", "system:masters");
    for user in (0..AGENTS).map(agent) {
        tokens += &account_line(&user, AGENTS_GROUP);
        write_kubeconfig(folder, &user, server, authority_pem);
    }
    write_kubeconfig(folder, "admin", server, authority_pem);
    fs::write(folder.join("tokens.csv"), tokens).expect("the folder can be written");
}

/// Returns the account of this number.
pub(super) fn account(folder: &Path, number: usize) -> Account {
    assert!(
        number < AGENTS,
        "all {AGENTS} accounts of this control plane are handed out: raise AGENTS"
    );
    let user = agent(number);
    Account {
        kubeconfig: kubeconfig(folder, &user),
        user,
    }
}

/// Returns where the kubeconfig of a user is.
pub(super) fn kubeconfig(folder: &Path, user: &str) -> PathBuf {
    folder.join(format!("{user}.kubeconfig"))
}

fn agent(number: usize) -> String {
    format!("agent-{number}")
}

fn account_line(user: &str, group: &str) -> String {
    format!("{},{user},{user},\"{group}\"\n", token(user))
}

/// Long enough to be searched for in whatever an agent puts out.
fn token(user: &str) -> String {
    hex::encode(Sha256::digest(format!("token of {user}")))
}

fn write_kubeconfig(folder: &Path, user: &str, server: &str, authority_pem: &str) {
    let config: Value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {
            "server": server,
            "certificate-authority-data": BASE64_STANDARD.encode(authority_pem),
        }}],
        "users": [{"name": user, "user": {"token": token(user)}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "current-context": "test",
    });
    fs::write(kubeconfig(folder, user), config.to_string()).expect("the folder can be written");
}
