//! How one object stands to what is wanted of it.

use crate::object::{Digest, Object, Workload, mark};

use super::{Edits, Entry, Managers, Owner, State, Wanted};

/// What is looked at of a live object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// UID.
    pub uid: String,
    /// Digest of our own `managedFields` entry.
    pub managed: Option<Digest>,
    /// Digest of the pod template; workloads only.
    pub template: Option<Digest>,
    /// Fields of the spec that people own; workloads only.
    pub edits: Option<Edits>,
    /// Owner annotation.
    pub owner: Option<String>,
    /// Whether its deletion has begun.
    pub is_terminating: bool,
}

/// How an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As Git wants it.
    InSync,
    /// It is not there.
    Missing,
    /// Git wants something else than was last written.
    Changed,
    /// Someone else changed what we wrote.
    Drifted,
    /// It is there and was never ours.
    Unowned,
    /// Another `GitSync` owns it.
    Shared,
    /// It is being deleted.
    Terminating,
}

impl Mark {
    /// Reads the mark of a live object.
    #[must_use]
    pub fn of(live: &Object) -> Self {
        let is_workload = live.id().is_workload();
        let managers = Managers::of(live);
        Self {
            uid: live.uid().unwrap_or_default().to_owned(),
            managed: managers.own(),
            template: is_workload.then(|| Workload(live).restart_blind_digest()),
            edits: is_workload.then(|| managers.edits()),
            owner: live.annotation(mark::OWNER).map(ToOwned::to_owned),
            is_terminating: live.is_terminating(),
        }
    }
}

/// Compares what is wanted, what is recorded and what lives.
#[must_use]
pub fn standing(
    wanted: &Wanted,
    owner: &Owner,
    entry: Option<&Entry>,
    live: Option<&Mark>,
) -> Standing {
    let Some(live) = live else {
        return Standing::Missing;
    };
    if live.is_terminating {
        return Standing::Terminating;
    }
    let theirs = live.owner.as_deref().unwrap_or_default();
    if owner.rival(&wanted.object.id(), theirs).is_some() {
        return Standing::Shared;
    }
    let Some(entry) = entry.filter(|entry| entry.state == State::Applied) else {
        return if live.managed.is_some() {
            Standing::Changed
        } else {
            Standing::Unowned
        };
    };
    if entry.uid.as_deref() != Some(&live.uid) {
        return Standing::Changed;
    }
    if entry.hash.as_ref() != Some(&wanted.hash) {
        return Standing::Changed;
    }
    let same_template = entry.template.is_none() || entry.template == live.template;
    let edits = live.edits.as_ref();
    let is_edited = edits.is_some_and(|edits| !edits.are_only(&wanted.withdrawn));
    if entry.managed == live.managed && same_template && !is_edited {
        Standing::InSync
    } else {
        Standing::Drifted
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owner() -> Owner {
        Owner {
            instance: "t".into(),
            namespace: "shop".into(),
            name: "web".into(),
        }
    }

    fn wanted() -> Wanted {
        let object = Object::new(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "flags", "namespace": "shop"}, "data": {"a": "1"},
        }))
        .unwrap();
        let id = object.id();
        Wanted {
            hash: Digest::of(object.value()),
            object,
            revision: crate::revision::Revision {
                id: "a".repeat(40).parse().unwrap(),
                subject: String::new(),
                author: String::new(),
                time: jiff::Timestamp::UNIX_EPOCH,
            },
            place: crate::revision::Place::new(
                "flags.yaml",
                crate::revision::Position { line: 1, column: 1 },
            ),
            stage: crate::manifest::stage(&id),
            policy: None,
            withdrawn: Vec::new(),
        }
    }

    fn entry(wanted: &Wanted) -> Entry {
        let mut entry = Entry::intended("v1", wanted.commit(), "flags.yaml");
        entry.state = State::Applied;
        entry.uid = Some("u1".to_owned());
        entry.hash = Some(wanted.hash.clone());
        entry.managed = Some(Digest::of(&json!({"f:data": {}})));
        entry
    }

    fn live(entry: &Entry) -> Mark {
        Mark {
            uid: "u1".to_owned(),
            managed: entry.managed.clone(),
            template: None,
            edits: None,
            owner: Some(owner().annotation(&wanted().object.id())),
            is_terminating: false,
        }
    }

    #[test]
    fn an_object_is_in_sync_while_hash_and_own_entry_are_unchanged() {
        let wanted = wanted();
        let entry = entry(&wanted);
        let live = live(&entry);
        let judge =
            |entry: &Entry, live: &Mark| standing(&wanted, &owner(), Some(entry), Some(live));
        assert_eq!(judge(&entry, &live), Standing::InSync);
        let moved = Mark {
            managed: Some(Digest::of(&json!({}))),
            ..live.clone()
        };
        assert_eq!(judge(&entry, &moved), Standing::Drifted);
        let other = Entry {
            hash: None,
            ..entry.clone()
        };
        assert_eq!(judge(&other, &live), Standing::Changed);
        let replaced = Mark {
            uid: "u2".to_owned(),
            ..live.clone()
        };
        assert_eq!(judge(&entry, &replaced), Standing::Changed);
        assert_eq!(
            standing(&wanted, &owner(), Some(&entry), None),
            Standing::Missing
        );
    }

    #[test]
    fn an_object_of_another_gitsync_is_shared_and_a_copy_of_ours_is_not() {
        let wanted = wanted();
        let entry = entry(&wanted);
        let theirs = |text: &str| Mark {
            owner: Some(text.to_owned()),
            ..live(&entry)
        };
        let judge = |live: &Mark| standing(&wanted, &owner(), Some(&entry), Some(live));
        assert_eq!(
            judge(&theirs("t/shop/other:/ConfigMap/shop/flags")),
            Standing::Shared
        );
        assert_eq!(
            judge(&theirs("t/shop/other:/ConfigMap/shop/copied-from")),
            Standing::InSync
        );
    }
}
