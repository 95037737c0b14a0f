//! Kubernetes Events about what the agent does.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::sync::mpsc;

use super::{Cluster, lease, seal};
use crate::{
    clock,
    object::{Object, ObjectId},
};

/// Announcements that wait for the API server; further ones are dropped.
const WAITING: usize = 256;
/// The API server takes no longer notes.
const LONGEST_NOTE: usize = 1024;
/// Longest name of an object.
const LONGEST_NAME: usize = 253;
/// The same announcement is not made again within this time.
const AGAIN: Duration = Duration::from_secs(600);
const DEADLINE: Duration = Duration::from_secs(10);
const CONTROLLER: &str = "tidegate.dev/agent";

/// Whether an Event tells of something that went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// All is as meant.
    Normal,
    /// Somebody should look.
    Warning,
}

/// One Event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announcement {
    /// API version of the object it is about.
    pub api_version: String,
    /// The object it is about; those of the cluster's scope appear in the namespace `default`.
    pub id: ObjectId,
    /// UID of that object.
    pub uid: String,
    /// Its tone.
    pub tone: Tone,
    /// Why, in one word in CamelCase: `BatchHealthy`. At most 128 characters.
    pub reason: String,
    /// What was being done, in one word: `Rollout`. At most 128 characters.
    pub action: String,
    /// What happened, for people; cut at 1 KiB. Never a value of a Secret.
    pub note: String,
}

/// Makes Events in the background, as well as it can: it never waits and never fails. Cheap to
/// clone.
///
/// kube's recorder is not used: it folds Events that differ only in their note into one series and
/// keeps the first note, so that "batch 2 is healthy" would never be seen.
#[derive(Clone)]
pub struct Announcer {
    queue: mpsc::Sender<Announcement>,
    lost: Arc<AtomicU64>,
}

impl Announcer {
    /// Starts the background task; it ends when the last clone is dropped. `instance` names this
    /// process. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(cluster: &Cluster, instance: &str) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let crier = Crier {
            cluster: cluster.within(DEADLINE),
            instance: instance.to_owned(),
            lost: Arc::clone(&lost),
            made: BTreeMap::new(),
        };
        tokio::spawn(crier.run(waiting));
        Self { queue, lost }
    }

    /// Makes an Event soon, or never.
    pub fn announce(&self, announcement: Announcement) {
        if self.queue.try_send(announcement).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many Events could not be made.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

struct Crier {
    cluster: Cluster,
    instance: String,
    lost: Arc<AtomicU64>,
    /// What was announced, and when, since boot.
    made: BTreeMap<Announcement, Duration>,
}

impl Crier {
    async fn run(mut self, mut waiting: mpsc::Receiver<Announcement>) {
        while let Some(announcement) = waiting.recv().await {
            if !self.is_news(&announcement, clock::since_boot()) {
                continue;
            }
            if let Err(refusal) = self.cluster.create(&self.event(&announcement)).await {
                self.lost.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%refusal, reason = announcement.reason, "an event was lost");
            }
        }
    }

    fn is_news(&mut self, announcement: &Announcement, now: Duration) -> bool {
        self.made
            .retain(|_, made| now.saturating_sub(*made) < AGAIN);
        if self.made.contains_key(announcement) {
            return false;
        }
        self.made.insert(announcement.clone(), now);
        true
    }

    fn event(&self, told: &Announcement) -> Object {
        let Announcement {
            api_version,
            id,
            uid,
            tone,
            reason,
            action,
            note,
        } = told;
        let namespace = id.namespace.as_deref().unwrap_or("default");
        let unique = format!(".{:x}{}", clock::now().as_nanosecond(), seal::nonce());
        let name = event_name(&id.name, &unique);
        let event = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"namespace": namespace, "name": name},
            "eventTime": lease::now(),
            "type": match tone { Tone::Normal => "Normal", Tone::Warning => "Warning" },
            "reason": reason, "action": action, "note": cut(note),
            "reportingController": CONTROLLER, "reportingInstance": self.instance,
            "regarding": {"apiVersion": api_version, "kind": id.kind,
                "namespace": id.namespace, "name": id.name, "uid": uid},
        });
        Object::new(event).expect("it has a version, a kind and a name")
    }
}

/// The name of an Event about an object: a DNS name of at most 253 characters, which names of roles
/// need not be.
fn event_name(about: &str, unique: &str) -> String {
    let about: String = about
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() || letter == '.' {
                letter
            } else {
                '-'
            }
        })
        .take(LONGEST_NAME - unique.len())
        .collect();
    format!(
        "{}{unique}",
        about.to_ascii_lowercase().trim_matches(['-', '.'])
    )
}

/// The API server counts bytes.
fn cut(note: &str) -> &str {
    &note[..note.floor_char_boundary(LONGEST_NOTE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_about_any_object_has_a_name_that_the_api_server_takes() {
        assert_eq!(event_name("web", ".1f"), "web.1f");
        assert_eq!(event_name("system:Reader", ".1f"), "system-reader.1f");
        let long = event_name(&"a".repeat(253), ".1f");
        assert_eq!((long.len(), long.ends_with("aa.1f")), (253, true));
        assert_eq!(
            event_name(&format!("{}-b", "a".repeat(249)), ".1f").len(),
            252
        );
    }

    #[test]
    fn notes_are_cut_between_characters() {
        let long = "ß".repeat(600);
        assert_eq!(cut(&long).len(), 1024);
        assert_eq!(cut(&format!("a{long}")).len(), 1023);
        assert_eq!(cut("short"), "short");
    }
}
