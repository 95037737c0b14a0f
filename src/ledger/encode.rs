//! The ledger as text: a head, and shards of what is recorded of each object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::object::{Digest, ObjectId};
use crate::plan::Entry;
use crate::rollout::Checkpoint;

use super::{Ledger, SCHEMA};

/// Bytes of a shard above which the objects are spread over twice as many. Objects of an API
/// server hold about 1 MiB.
const LARGEST: usize = 400_000;
/// Objects of a shard: a change of one object writes the records of so many.
const OBJECTS: usize = 64;

/// A ledger as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The head: JSON.
    pub head: String,
    /// The shards: JSON each, named in the head by their digest.
    pub shards: Vec<String>,
}

/// Says why a stored text is no ledger; the cluster is left as it is until someone looks.
#[derive(Debug, thiserror::Error)]
pub enum LedgerFault {
    /// The head is no JSON of a ledger.
    #[error("the head of the ledger cannot be read: {0}")]
    Head(#[source] serde_json::Error),
    /// It was written by another version.
    #[error(
        "the ledger has schema {0}, this version reads {SCHEMA}; install the version that wrote it"
    )]
    Schema(u32),
    /// A shard is missing, changed or no JSON.
    #[error(
        "shard {0} of the ledger is missing or was changed by someone else; put it back as it was, or give the workloads back (tidegate release) and delete the head of the ledger: the agent then adopts what runs"
    )]
    Shard(usize),
}

#[derive(Serialize, Deserialize)]
struct Head {
    schema: u32,
    shards: Vec<Digest>,
    ledger: serde_json::Value,
}

/// What is recorded of some objects. A rollout that is over is here and not in the head, which
/// would outgrow what an API server takes where a commit brings a thousand workloads.
#[derive(Default, Serialize)]
struct Shard<'a> {
    inventory: BTreeMap<&'a ObjectId, &'a Entry>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    over: BTreeMap<&'a ObjectId, &'a Checkpoint>,
}

/// The same, read.
#[derive(Deserialize)]
struct Found {
    inventory: BTreeMap<ObjectId, Entry>,
    #[serde(default)]
    over: BTreeMap<ObjectId, Checkpoint>,
}

/// Encodes a ledger. A change of one object changes the head and one shard.
#[must_use]
pub fn encode(ledger: &Ledger) -> Stored {
    let mut count = ledger
        .inventory
        .len()
        .div_ceil(OBJECTS)
        .next_power_of_two()
        .min(1024);
    let shards = loop {
        let shards = spread(ledger, count);
        if count >= 1024 || shards.iter().all(|shard| shard.len() <= LARGEST) {
            break shards;
        }
        count *= 2;
    };
    let mut rest = serde_json::to_value(ledger).expect("records of strings and numbers are JSON");
    if let Some(rollouts) = rest["rollouts"].as_object_mut() {
        for (id, _) in over(ledger) {
            rollouts.remove(&id.key());
        }
    }
    let head = Head {
        schema: ledger.schema,
        shards: shards
            .iter()
            .map(|shard| Digest::of_bytes(shard.as_bytes()))
            .collect(),
        ledger: rest,
    };
    Stored {
        head: serde_json::to_string(&head).expect("JSON values are JSON"),
        shards,
    }
}

/// Returns the epoch that a head tells, without its shards; `None` where it tells none.
#[must_use]
pub fn epoch(head: &str) -> Option<u64> {
    let head: Head = serde_json::from_str(head).ok()?;
    head.ledger.get("epoch")?.as_u64()
}

/// Returns who wrote a head last, in words, without its shards; `None` where it does not tell.
#[must_use]
pub fn writer(head: &str) -> Option<String> {
    let head: Head = serde_json::from_str(head).ok()?;
    let text = |pointer| head.ledger.pointer(pointer)?.as_str();
    let release = text("/released/by").map(|by| format!("a release by {by}"));
    release.or_else(|| text("/holder").map(ToOwned::to_owned))
}

/// Decodes a ledger from its head and its shards.
///
/// # Errors
/// When the head cannot be read, has another schema, or does not name just these shards.
pub fn decode(head: &str, shards: &[String]) -> Result<Ledger, LedgerFault> {
    let mut ledger = decode_head(head)?;
    let head: Head = serde_json::from_str(head).map_err(LedgerFault::Head)?;
    for (index, digest) in head.shards.iter().enumerate() {
        let shard = shards.get(index).ok_or(LedgerFault::Shard(index))?;
        if Digest::of_bytes(shard.as_bytes()) != *digest {
            return Err(LedgerFault::Shard(index));
        }
        let found: Found = serde_json::from_str(shard).map_err(|_| LedgerFault::Shard(index))?;
        ledger.inventory.extend(found.inventory);
        ledger.rollouts.extend(found.over);
    }
    Ok(ledger)
}

/// Decodes the head alone: all rollouts that are under way, and nothing that the shards hold.
///
/// # Errors
/// When the head cannot be read or has another schema.
pub fn decode_head(head: &str) -> Result<Ledger, LedgerFault> {
    let head: Head = serde_json::from_str(head).map_err(LedgerFault::Head)?;
    if head.schema != SCHEMA {
        return Err(LedgerFault::Schema(head.schema));
    }
    serde_json::from_value(head.ledger).map_err(LedgerFault::Head)
}

/// Returns a head with other records in it, which still names the shards that it named.
///
/// # Errors
/// When the head cannot be read.
pub fn encode_head(ledger: &Ledger, before: &str) -> Result<String, LedgerFault> {
    let head: Head = serde_json::from_str(before).map_err(LedgerFault::Head)?;
    let stored = encode(ledger);
    let fresh: Head = serde_json::from_str(&stored.head).map_err(LedgerFault::Head)?;
    let head = Head {
        shards: head.shards,
        ..fresh
    };
    Ok(serde_json::to_string(&head).expect("JSON values are JSON"))
}

fn over(ledger: &Ledger) -> impl Iterator<Item = (&ObjectId, &Checkpoint)> {
    ledger.rollouts.iter().filter(|(_, kept)| kept.is_over())
}

fn spread(ledger: &Ledger, count: usize) -> Vec<String> {
    let mut shards: Vec<Shard<'_>> = (0..count).map(|_| Shard::default()).collect();
    for (id, entry) in &ledger.inventory {
        shards[place(id, count)].inventory.insert(id, entry);
    }
    for (id, kept) in over(ledger) {
        shards[place(id, count)].over.insert(id, kept);
    }
    shards
        .iter()
        .map(|shard| serde_json::to_string(shard).expect("records of strings are JSON"))
        .collect()
}

fn place(id: &ObjectId, count: usize) -> usize {
    let hash = Sha256::digest(id.key());
    usize::from(u16::from_be_bytes([hash[0], hash[1]])) % count
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(stored: &Stored) -> Result<Ledger, LedgerFault> {
        decode(&stored.head, &stored.shards)
    }

    fn ledger(objects: usize) -> Ledger {
        let mut ledger = Ledger::new("tidegate", "agent-1", json!({}));
        let commit = "c".repeat(40).parse().unwrap();
        for index in 0..objects {
            let id = format!("/ConfigMap/shop/map-{index}").parse().unwrap();
            ledger
                .inventory
                .insert(id, Entry::intended("v1", &commit, "apps/web/map.yaml"));
        }
        ledger
    }

    fn checkpoint(phase: &str) -> Checkpoint {
        let (digest, time) = (Digest::of(&json!(1)), "2026-01-01T00:00:00Z");
        let write = json!({"commit": "c".repeat(40), "manifest": digest, "template": digest,
            "overlay": "Plain", "base": 1, "restart": null});
        let judge = json!({"since": time, "forgiven": {}, "ready": {}, "flaps": {},
            "condemned": {}});
        let kept = json!({"uid": "u", "phase": phase, "batch": 1, "batches": 3, "target": 1,
            "replicas": 10, "write": write, "judgedBy": digest, "engagement": null,
            "started": time, "opened": time, "healthySince": null, "judge": judge,
            "isHeld": false, "failure": null, "evidence": [], "largest": 1});
        serde_json::from_value(kept).unwrap()
    }

    #[test]
    fn a_ledger_reads_back_as_it_was_written() {
        for objects in [0, 1, 5000] {
            let ledger = ledger(objects);
            assert_eq!(read(&encode(&ledger)).unwrap(), ledger);
        }
    }

    #[test]
    fn a_change_of_one_object_changes_one_shard() {
        let mut ledger = ledger(5000);
        let before = encode(&ledger);
        assert!(before.shards.len() > 1);
        let id = "/ConfigMap/shop/map-7".parse().unwrap();
        ledger.inventory.get_mut(&id).unwrap().path = "elsewhere.yaml".to_owned();
        let after = encode(&ledger);
        let changed = before
            .shards
            .iter()
            .zip(&after.shards)
            .filter(|(a, b)| a != b)
            .count();
        assert_eq!(changed, 1);
    }

    #[test]
    fn a_rollout_that_is_over_leaves_the_head_and_reads_back() {
        let mut ledger = ledger(100);
        for (index, id) in ledger.inventory.keys().enumerate() {
            let phase = if index == 7 {
                "Progressing"
            } else {
                "Succeeded"
            };
            ledger.rollouts.insert(id.clone(), checkpoint(phase));
        }
        let stored = encode(&ledger);
        assert_eq!(stored.head.matches("\"phase\"").count(), 1);
        assert_eq!(read(&stored).unwrap(), ledger);
    }

    #[test]
    fn a_head_alone_tells_who_wrote_it() {
        let mut ledger = ledger(0);
        assert_eq!(writer(&encode(&ledger).head).as_deref(), Some("agent-1"));
        let by = serde_json::from_value(json!({"by": "Ada", "at": "2026-01-01T00:00:00Z"}));
        ledger.released = Some(by.unwrap());
        let told = writer(&encode(&ledger).head);
        assert_eq!(told.as_deref(), Some("a release by Ada"));
        assert_eq!(writer("{}"), None);
    }

    #[test]
    fn a_tampered_or_missing_shard_and_another_schema_are_refused() {
        let mut stored = encode(&ledger(3));
        stored.shards[0].push(' ');
        assert!(matches!(read(&stored), Err(LedgerFault::Shard(0))));
        stored.shards.clear();
        assert!(matches!(read(&stored), Err(LedgerFault::Shard(0))));
        let mut future = ledger(0);
        future.schema = 99;
        assert!(matches!(
            read(&encode(&future)),
            Err(LedgerFault::Schema(99))
        ));
    }
}
