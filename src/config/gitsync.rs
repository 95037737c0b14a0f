//! One `GitSync`: its reading from a document and its writing back.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Fault,
    document::read_stored,
    fault::Cause,
    fields::{Fields, nature},
    source::Source,
    value::{boolean, choice, duration, kind_name, label, name, number, pointer, text},
    word::{Allow, Drift, IgnoredField, OnDelete, Prune, word},
};
use crate::{
    object::{KindName, write_duration},
    policy::Baseline,
};

/// The `apiVersion` of the documents.
pub(super) const API_VERSION: &str = "tidegate.dev/v1alpha1";
/// The `kind` of the documents.
pub(super) const KIND: &str = "GitSync";

/// One repository path that a cluster follows, with all defaults filled in.
///
/// As JSON it is the document again; reading that back gives an equal value or a [`Fault`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub struct GitSync {
    /// Its name, a DNS label of at most 52 characters; names of its records derive from it.
    pub name: String,
    /// Its namespace, where its records are kept.
    pub namespace: String,
    /// Where the manifests come from.
    pub source: Source,
    /// Namespace of objects that name none. Default: its own.
    pub target_namespace: String,
    /// How long a stage other than workloads may take to be healthy. Default 5 min, at least 1 s.
    pub health_timeout: Duration,
    /// What may come from the repository. Default: application kinds in the target namespace.
    pub allow: Allow,
    /// What may be deleted.
    pub prune: Prune,
    /// What happens to a live object that differs from Git. Default [`Drift::Correct`].
    pub drift: Drift,
    /// Fields whose live value is left alone.
    pub ignore_fields: Vec<IgnoredField>,
    /// Field managers whose fields may be taken over.
    pub take_from: Vec<String>,
    /// Whether nothing is written for now. Default false.
    pub suspend: bool,
    /// The default policy of its workloads as written, a mapping; the room `policy` says what it
    /// means.
    pub rollout: Option<Value>,
    /// Templates and deployed commits kept for going back, 1 to 100. Default 20.
    pub history_limit: u32,
}

impl GitSync {
    /// Reads a whole document; `None` where a fault leaves no name, namespace or source.
    pub(super) fn read(mut fields: Fields<'_>) -> Option<Self> {
        constant(&mut fields, "apiVersion", API_VERSION);
        constant(&mut fields, "kind", KIND);
        let mut metadata = fields.inner("metadata");
        let own_name = metadata.required("name", |value| label(value, 52));
        let namespace = metadata.required("namespace", |value| label(value, 63));
        let spec = fields.inner("spec");
        // The agent writes it; a document taken from a cluster has it.
        fields.raw("status");
        fields.close();
        let identity = own_name.zip(namespace);
        Self::read_spec(spec, identity)
    }

    fn read_spec(mut spec: Fields<'_>, identity: Option<(String, String)>) -> Option<Self> {
        not_yet(&mut spec);
        let source = Source::read(spec.inner("source"));
        let target = spec.optional("targetNamespace", |value| label(value, 63));
        let health_timeout = spec.optional("healthTimeout", |value| duration(value, 1));
        let allow = read_allow(spec.inner("allow"));
        let prune = read_prune(spec.inner("prune"));
        let drifts = [Drift::Correct, Drift::Report, Drift::Ignore];
        let drift = spec.optional("drift", |value| choice(value, &drifts));
        let ignored = spec
            .inners("ignoreFields")
            .into_iter()
            .filter_map(read_ignored)
            .collect();
        let take_from = spec.list("takeFrom", text);
        let suspend = spec.optional("suspend", boolean).unwrap_or_default();
        let rollout = spec.optional("rollout", rollout);
        let history_limit = spec.optional("historyLimit", |value| number(value, 1..=100));
        spec.close();
        let (name, namespace) = identity?;
        Some(Self {
            target_namespace: target.unwrap_or_else(|| namespace.clone()),
            name,
            namespace,
            source: source?,
            health_timeout: health_timeout.unwrap_or(Duration::from_secs(300)),
            allow,
            prune,
            drift: drift.unwrap_or(Drift::Correct),
            ignore_fields: ignored,
            take_from,
            suspend,
            rollout,
            history_limit: history_limit.unwrap_or(20),
        })
    }

    /// Returns the document, defaults written out.
    fn document(&self) -> Value {
        let mut spec = json!({
            "source": self.source.document(),
            "targetNamespace": self.target_namespace,
            "healthTimeout": write_duration(self.health_timeout),
            "allow": {
                "kinds": kinds(&self.allow.kinds),
                "namespaces": self.allow.namespaces,
                "clusterScoped": self.allow.cluster_scoped,
            },
            "prune": {
                "enabled": self.prune.enabled,
                "maxObjects": self.prune.max_objects,
                "maxPercent": self.prune.max_percent,
                "protectedKinds": kinds(&self.prune.protected_kinds),
                "allowEmpty": self.prune.allow_empty,
                "onDelete": word(self.prune.on_delete),
            },
            "drift": word(self.drift),
            "ignoreFields": self.ignore_fields.iter().map(ignored_document).collect::<Vec<_>>(),
            "takeFrom": self.take_from,
            "suspend": self.suspend,
            "historyLimit": self.history_limit,
        });
        if let Some(rollout) = &self.rollout {
            spec["rollout"] = rollout.clone();
        }
        json!({
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": spec,
        })
    }
}

impl From<GitSync> for Value {
    fn from(sync: GitSync) -> Self {
        sync.document()
    }
}

impl TryFrom<Value> for GitSync {
    type Error = Fault;

    fn try_from(document: Value) -> Result<Self, Fault> {
        read_stored(&document)
    }
}

/// What api.md has and this version does not do, with the value that says so.
fn not_yet(spec: &mut Fields<'_>) {
    for field in ["serviceAccountName", "webhook", "limits"] {
        spec.not_yet(field, &Value::Null);
    }
    for field in ["dependsOn", "notifications"] {
        spec.not_yet(field, &json!([]));
    }
    spec.not_yet("rollback", &json!({"push": "Never"}));
}

fn constant(fields: &mut Fields<'_>, field: &'static str, expected: &str) {
    fields.required(field, |value| match value.as_str() {
        Some(text) if text == expected => Ok(()),
        _ => Err(format!("must be {expected}; no other documents are read here").into()),
    });
}

/// Checks the policy as far as no workload is needed, all its faults in one.
fn rollout(value: &Value) -> Result<Value, Cause> {
    if !value.is_object() {
        return Err(format!("is {}; must be a mapping of fields", nature(value)).into());
    }
    match Baseline::read(Some(value)) {
        Ok(_) => Ok(value.clone()),
        Err(faults) => {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Err(faults.join("; ").into())
        }
    }
}

fn read_allow(mut fields: Fields<'_>) -> Allow {
    let allow = Allow {
        kinds: fields.list("kinds", kind_name),
        namespaces: fields.list("namespaces", |value| label(value, 63)),
        cluster_scoped: fields
            .optional("clusterScoped", boolean)
            .unwrap_or_default(),
    };
    fields.close();
    allow
}

fn read_prune(mut fields: Fields<'_>) -> Prune {
    let default = Prune::default();
    let max_objects = fields.optional("maxObjects", |value| number(value, 0..=u32::MAX));
    let max_percent = fields.optional("maxPercent", |value| number(value, 0..=100));
    let on_delete = fields.optional("onDelete", |value| choice(value, &[OnDelete::Orphan]));
    let prune = Prune {
        enabled: fields
            .optional("enabled", boolean)
            .unwrap_or(default.enabled),
        max_objects: max_objects.unwrap_or(default.max_objects),
        max_percent: max_percent.unwrap_or(default.max_percent),
        protected_kinds: fields.list("protectedKinds", kind_name),
        allow_empty: fields
            .optional("allowEmpty", boolean)
            .unwrap_or(default.allow_empty),
        on_delete: on_delete.unwrap_or(default.on_delete),
    };
    fields.close();
    prune
}

fn read_ignored(mut fields: Fields<'_>) -> Option<IgnoredField> {
    let kind = fields.required("kind", kind_name);
    let name = fields.optional("name", name);
    let pointer = fields.required("pointer", pointer);
    fields.close();
    Some(IgnoredField {
        kind: kind?,
        name,
        pointer: pointer?,
    })
}

fn ignored_document(ignored: &IgnoredField) -> Value {
    let mut document = json!({"kind": ignored.kind.to_string(), "pointer": ignored.pointer});
    if let Some(name) = &ignored.name {
        document["name"] = json!(name);
    }
    document
}

fn kinds(kinds: &[KindName]) -> Vec<String> {
    kinds.iter().map(ToString::to_string).collect()
}
