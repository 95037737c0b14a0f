//! Where ledgers are kept: ConfigMaps, written by compare-and-swap.
//!
//! A ledger is a head and shards. The head names its shards, and a shard is named by the digest of
//! its content and never changed: new shards are written first, the head last, and shards that it
//! no longer names are deleted after. So a head is whole whenever it can be read, wherever a writer
//! died.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::shards::{Shards, missing, shard_name};
use super::{Cause, Cluster, Refusal};
use crate::object::{Object, ObjectId, mark};

/// Label of the heads, for watches: the installation.
const HEAD: &str = "tidegate.dev/ledger";
/// Key of the content, in heads, shards and the index.
pub(super) const CONTENT: &str = "ledger";
/// Key of a head under which its shards are named.
const SHARDS: &str = "shards";

/// A ledger as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Content of the head.
    pub head: String,
    /// Contents of the shards, in the order in which they were saved.
    pub shards: Vec<String>,
    /// Resource version of the head, for the next save.
    pub resource_version: String,
    /// UID of the head.
    pub uid: String,
    /// Annotations of the head: requests that people make.
    pub annotations: BTreeMap<String, String>,
}

/// A ledger to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// Content of the head.
    pub head: &'a str,
    /// Contents of the shards, each below 500 KB.
    pub shards: &'a [String],
}

/// The index of an installation: the GitSyncs that it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Content.
    pub content: String,
    /// Resource version, for the next save.
    pub resource_version: String,
}

/// The store of one installation's ledgers.
pub struct Records {
    pub(super) cluster: Cluster,
    instance: String,
    /// The shards that are known to be stored, of each head, with their UIDs.
    known: Mutex<BTreeMap<ObjectId, Shards>>,
}

impl Records {
    /// Returns the store of an installation.
    #[must_use]
    pub fn new(cluster: &Cluster, instance: &str) -> Self {
        let known = Mutex::default();
        Self {
            cluster: cluster.clone(),
            instance: instance.to_owned(),
            known,
        }
    }

    /// Returns the identity of the head of a GitSync's ledger.
    #[must_use]
    pub fn head(namespace: &str, name: &str) -> ObjectId {
        config_map(namespace, &format!("{}{name}", mark::LEDGER_PREFIX))
    }

    /// Returns the name of the GitSync whose ledger has this head; `None` for other objects.
    #[must_use]
    pub fn owner_of(head: &ObjectId) -> Option<&str> {
        head.name.strip_prefix(mark::LEDGER_PREFIX)
    }

    /// Returns the content of a head that was read by other ways; `None` where it has none.
    #[must_use]
    pub fn content(head: &Object) -> Option<&str> {
        head.text(&format!("/data/{CONTENT}"))
    }

    /// Returns the label that heads of this installation carry, to watch them by.
    #[must_use]
    pub fn label(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(HEAD.to_owned(), self.instance.clone())])
    }

    /// Reads the head of a GitSync's ledger alone; `None` where there is none.
    ///
    /// # Errors
    /// Where the API server refuses or cannot be reached.
    pub async fn read_head(&self, namespace: &str, name: &str) -> Result<Option<Object>, Refusal> {
        self.cluster.get("v1", &Self::head(namespace, name)).await
    }

    /// Reads the ledger of a GitSync; `None` where there is none.
    ///
    /// # Errors
    /// Where the API server refuses or cannot be reached, and where a shard is missing.
    pub async fn load(&self, namespace: &str, name: &str) -> Result<Option<Record>, Refusal> {
        let id = Self::head(namespace, name);
        let Some(mut head) = self.cluster.get("v1", &id).await? else {
            return Ok(None);
        };
        loop {
            match self.shards(&id, &head).await {
                Ok(shards) => return Ok(Some(stored(&head, shards))),
                Err(refusal) => {
                    // A writer may have replaced head and shards between the reads.
                    let again = self.cluster.get("v1", &id).await?;
                    match again {
                        Some(again) if again.resource_version() != head.resource_version() => {
                            head = again;
                        }
                        Some(_) | None => return Err(refusal),
                    }
                }
            }
        }
    }

    async fn shards(&self, head: &ObjectId, record: &Object) -> Result<Vec<String>, Refusal> {
        let names = named(record);
        let reads = names.iter().map(|name| async move {
            let id = config_map(head.namespace.as_deref().unwrap_or_default(), name);
            let shard = self.cluster.get("v1", &id).await?;
            let content = shard
                .as_ref()
                .and_then(|one| one.text(&format!("/data/{CONTENT}")));
            let content = content.filter(|content| shard_name(head, content) == *name);
            content.map(ToOwned::to_owned).ok_or_else(|| missing(&id))
        });
        futures::future::try_join_all(reads).await
    }

    /// Replaces the content of a head that still has the resource version `expected`, and leaves
    /// the shards that it names as they are.
    ///
    /// # Errors
    /// [`Cause::Conflict`] where another has written meanwhile; else where the API server refuses
    /// or cannot be reached.
    pub async fn replace_head(
        &self,
        namespace: &str,
        name: &str,
        content: &str,
        expected: &str,
    ) -> Result<(), Refusal> {
        let id = Self::head(namespace, name);
        let data = json!({CONTENT: content});
        self.swap(&id, &data, None, Some(expected)).await.map(drop)
    }

    /// Stores the ledger of a GitSync if the head still has the resource version `expected` (with
    /// `None`: if there is none) and returns the new one. Annotations of the head stay. Shards
    /// that are stored already are not written again.
    ///
    /// # Errors
    /// [`Cause::Conflict`] where another has written meanwhile: load, and decide again. Else where
    /// the API server refuses or cannot be reached; the ledger is then either the old or the new.
    pub async fn save(
        &self,
        namespace: &str,
        name: &str,
        record: NewRecord<'_>,
        expected: Option<&str>,
    ) -> Result<String, Refusal> {
        let id = Self::head(namespace, name);
        let outcome = self.store(&id, record, expected).await;
        if outcome.is_err() {
            // Another may be at work, or we do not know what we did: look again next time.
            self.known().remove(&id);
        }
        outcome
    }

    async fn store(
        &self,
        id: &ObjectId,
        record: NewRecord<'_>,
        expected: Option<&str>,
    ) -> Result<String, Refusal> {
        let known = self.known().get(id).cloned();
        let mut there = match known {
            Some(shards) => shards,
            None => self.stored_shards(id).await?,
        };
        let names: Vec<String> = record
            .shards
            .iter()
            .map(|content| shard_name(id, content))
            .collect();
        for (name, content) in names.iter().zip(record.shards) {
            if !there.contains_key(name) {
                let uid = self.create_shard(id, name, content).await?;
                there.insert(name.clone(), uid);
            }
        }
        let data = json!({CONTENT: record.head, SHARDS: names.join(" ")});
        let version = self.swap(id, &data, Some(&self.label()), expected).await?;
        let (wanted, surplus): (Shards, Shards) = there
            .into_iter()
            .partition(|(name, _)| names.contains(name));
        self.known().insert(id.clone(), wanted);
        self.sweep(id, &surplus).await;
        Ok(version)
    }

    /// Deletes a ledger: the head, if it still has that UID, then its shards.
    ///
    /// # Errors
    /// Where the API server refuses or cannot be reached.
    pub async fn remove(&self, namespace: &str, name: &str, uid: &str) -> Result<(), Refusal> {
        let id = Self::head(namespace, name);
        self.known().remove(&id);
        if self.cluster.delete("v1", &id, uid, None).await? == super::Deletion::Gone {
            let shards = self.stored_shards(&id).await?;
            self.sweep(&id, &shards).await;
        }
        Ok(())
    }

    /// Reads the index of this installation.
    ///
    /// # Errors
    /// Where the API server refuses or cannot be reached.
    pub async fn load_index(&self, namespace: &str) -> Result<Option<Index>, Refusal> {
        let found = self.cluster.get("v1", &self.index(namespace)).await?;
        Ok(found.map(|index| Index {
            content: text(&index, CONTENT),
            resource_version: index.resource_version().unwrap_or_default().to_owned(),
        }))
    }

    /// Stores the index if it still has the resource version `expected` (with `None`: if there is
    /// none) and returns the new one.
    ///
    /// # Errors
    /// [`Cause::Conflict`] where another has written meanwhile; else where the API server refuses
    /// or cannot be reached.
    pub async fn save_index(
        &self,
        namespace: &str,
        content: &str,
        expected: Option<&str>,
    ) -> Result<String, Refusal> {
        let data = json!({CONTENT: content});
        self.swap(&self.index(namespace), &data, None, expected)
            .await
    }

    fn index(&self, namespace: &str) -> ObjectId {
        config_map(namespace, &mark::installation(&self.instance))
    }

    /// Creates a ConfigMap, or changes it if it has the version `expected`.
    async fn swap(
        &self,
        id: &ObjectId,
        data: &Value,
        labels: Option<&BTreeMap<String, String>>,
        expected: Option<&str>,
    ) -> Result<String, Refusal> {
        let written = match expected {
            Some(version) => {
                let mut patch = json!({"metadata": {"resourceVersion": version}, "data": data});
                if let Some(labels) = labels {
                    patch["metadata"]["labels"] = json!(labels);
                }
                self.cluster.merge("v1", id, &patch, mark::MANAGER).await
            }
            None => self.cluster.create(&document(id, labels, data)).await,
        };
        match written {
            Ok(written) => Ok(written.resource_version().unwrap_or_default().to_owned()),
            Err(Refusal {
                call,
                cause: Cause::AlreadyExists | Cause::NotFound,
            }) => Err(Refusal {
                call,
                cause: Cause::Conflict,
            }),
            Err(refusal) => Err(refusal),
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<ObjectId, Shards>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn config_map(namespace: &str, name: &str) -> ObjectId {
    ObjectId {
        group: String::new(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

pub(super) fn document(
    id: &ObjectId,
    labels: Option<&BTreeMap<String, String>>,
    data: &Value,
) -> Object {
    let meta = json!({"namespace": id.namespace, "name": id.name, "labels": labels});
    let document = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data});
    Object::new(document).expect("it has a version, a kind and a name")
}

fn named(head: &Object) -> Vec<String> {
    text(head, SHARDS)
        .split_whitespace()
        .map(ToOwned::to_owned)
        .collect()
}

pub(super) fn text(object: &Object, key: &str) -> String {
    object
        .text(&format!("/data/{key}"))
        .unwrap_or_default()
        .to_owned()
}

fn stored(head: &Object, shards: Vec<String>) -> Record {
    let annotations = head.at("/metadata/annotations").and_then(Value::as_object);
    let text_of = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    Record {
        head: text(head, CONTENT),
        shards,
        resource_version: head.resource_version().unwrap_or_default().to_owned(),
        uid: head.uid().unwrap_or_default().to_owned(),
        annotations: annotations
            .into_iter()
            .flatten()
            .filter_map(text_of)
            .collect(),
    }
}
