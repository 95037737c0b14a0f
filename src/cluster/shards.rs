//! The parts of a ledger beside its head, each a ConfigMap that never changes.

use std::collections::BTreeMap;

use serde_json::json;

use super::records::{CONTENT, Records, config_map, document, text};
use super::{Cause, Refusal};
use crate::object::{Digest, Object, ObjectId};

/// Label of the shards: the name of their head.
const SHARD: &str = "tidegate.dev/ledger-shard";

/// Names of shards, with their UIDs.
pub(super) type Shards = BTreeMap<String, String>;

impl Records {
    /// Stores a shard and returns its UID.
    pub(super) async fn create_shard(
        &self,
        head: &ObjectId,
        name: &str,
        content: &str,
    ) -> Result<String, Refusal> {
        let id = config_map(head.namespace.as_deref().unwrap_or_default(), name);
        let labels = BTreeMap::from([(SHARD.to_owned(), head.name.clone())]);
        let mut shard = document(&id, Some(&labels), &json!({CONTENT: content}));
        // Its name tells its content.
        shard.set(&["immutable"], json!(true));
        let stored = match self.cluster.create(&shard).await {
            Err(Refusal {
                cause: Cause::AlreadyExists,
                ..
            }) => {
                let known = self.cluster.get("v1", &id).await?;
                known.filter(|known| self::text(known, CONTENT) == content)
            }
            created => Some(created?),
        };
        let stored = stored.ok_or_else(|| missing(&id))?;
        Ok(stored.uid().unwrap_or_default().to_owned())
    }

    /// The shards that are there, with their UIDs.
    pub(super) async fn stored_shards(&self, head: &ObjectId) -> Result<Shards, Refusal> {
        let labels = BTreeMap::from([(SHARD.to_owned(), head.name.clone())]);
        let place = head.namespace.as_deref();
        let shards = self.cluster.list("v1", "ConfigMap", place, &labels).await?;
        let uid = |shard: &Object| shard.uid().unwrap_or_default().to_owned();
        Ok(shards
            .iter()
            .map(|shard| (shard.id().name, uid(shard)))
            .collect())
    }

    /// Deletes shards that the head does not name. Only after a save of ours: whoever would still
    /// name them has lost the compare-and-swap. What fails is tried again after a restart.
    pub(super) async fn sweep(&self, head: &ObjectId, surplus: &Shards) {
        for (name, uid) in surplus {
            let id = config_map(head.namespace.as_deref().unwrap_or_default(), name);
            if let Err(refusal) = self.cluster.delete("v1", &id, uid, None).await {
                tracing::debug!(%refusal, "a surplus shard stays");
            }
        }
    }
}

/// The name of a shard tells its content.
pub(super) fn shard_name(head: &ObjectId, content: &str) -> String {
    format!(
        "{}.{}",
        head.name,
        Digest::of_bytes(content.as_bytes()).short()
    )
}

pub(super) fn missing(shard: &ObjectId) -> Refusal {
    let message =
        "the ledger names this shard, and it is missing or was changed; put it back as it \
                   was, or give the workloads back (tidegate release) and delete the head of the \
                   ledger: the agent then adopts what runs"
            .to_owned();
    let cause = Cause::Invalid {
        message,
        fields: Vec::new(),
        immutable: false,
    };
    Refusal {
        call: format!("get of `{shard}`"),
        cause,
    }
}
