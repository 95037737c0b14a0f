//! Quarantine holds pairs of workload and template, or of object and manifest, not commits: a fix
//! never waits for anybody.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::{Digest, Object, ObjectId, Workload};
use crate::revision::CommitId;

/// Commits that failed, with the pairs that are held because of them; oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quarantine(Vec<Culprit>);

/// A commit that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Culprit {
    /// The commit.
    pub commit: CommitId,
    /// Why, for people.
    pub why: String,
    /// When.
    pub at: Timestamp,
    /// What failed by its pods.
    pub pairs: Vec<Pair>,
    /// What failed otherwise: objects that did not become healthy in their stage or that the API
    /// server refused for good, with the hash of the manifest.
    pub objects: BTreeMap<ObjectId, Digest>,
    /// The objects that it changed, with the hash of its manifest; `None`: it removed them.
    pub changed: BTreeMap<ObjectId, Option<Digest>>,
}

/// A template that failed on a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    /// The workload and what it ran.
    #[serde(flatten)]
    pub failed: Candidate,
    /// Digest, images apart, of the last template that succeeded; `None` where none did.
    pub good_imageless: Option<Digest>,
    /// Images of the failed template that the last good one does not have.
    pub bad_images: Vec<String>,
}

/// What was before a candidate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past<'a> {
    /// Hash of the manifest that Git had of the workload before; `None` where there was none, or
    /// it cannot be read.
    pub before: Option<&'a Digest>,
    /// Whether its template succeeded here.
    pub has_succeeded: bool,
}

/// What a commit would run on a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The workload.
    pub workload: ObjectId,
    /// Digest of the template.
    pub template: Digest,
    /// Digest of the template with its images left out.
    pub imageless: Digest,
    /// Its images.
    pub images: Vec<String>,
    /// Digest of the policy and of the ConfigMaps and Secrets that the template uses.
    pub uses: Digest,
}

impl Candidate {
    /// Describes a workload as the API server would store it; `uses` covers policy and
    /// configuration.
    #[must_use]
    pub fn of(workload: ObjectId, dry_run: &Object, uses: Digest) -> Self {
        let view = Workload(dry_run);
        let mut blank = view.template().clone();
        for list in ["initContainers", "containers"] {
            let containers = blank.pointer_mut(&format!("/spec/{list}"));
            for container in containers
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                container["image"] = Value::Null;
            }
        }
        Self {
            workload,
            template: view.content_digest(),
            imageless: Digest::of(&blank),
            images: view.images().into_iter().map(|(_, image)| image).collect(),
            uses,
        }
    }
}

impl Quarantine {
    /// Returns all culprits, oldest first.
    #[must_use]
    pub fn culprits(&self) -> &[Culprit] {
        &self.0
    }

    /// Adds a culprit, or more pairs to a known one.
    pub fn add(&mut self, culprit: Culprit) {
        match self
            .0
            .iter_mut()
            .find(|known| known.commit == culprit.commit)
        {
            Some(known) => {
                known.pairs.extend(
                    culprit
                        .pairs
                        .into_iter()
                        .filter(|new| !known.pairs.iter().any(|pair| pair.failed == new.failed))
                        .collect::<Vec<_>>(),
                );
                known.objects.extend(culprit.objects);
                known.changed.extend(culprit.changed);
            }
            None => self.0.push(culprit),
        }
    }

    /// Lifts what a commit brought about; says whether there was anything.
    pub fn lift(&mut self, commit: &CommitId) -> bool {
        let before = self.0.len();
        self.0.retain(|culprit| culprit.commit != *commit);
        self.0.len() < before
    }

    /// Lifts whatever holds one of these objects; says whether there was anything.
    pub fn lift_from(&mut self, is_held: &dyn Fn(&ObjectId) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|culprit| {
            let mut pairs = culprit.pairs.iter();
            !pairs.any(|pair| is_held(&pair.failed.workload))
                && !culprit.objects.keys().any(is_held)
        });
        self.0.len() < before
    }

    /// Returns what a commit is held for; `None` where it is no culprit.
    #[must_use]
    pub fn culprit(&self, commit: &CommitId) -> Option<&Culprit> {
        self.0.iter().find(|culprit| culprit.commit == *commit)
    }

    /// Says whether something of a workload failed before, whatever it was.
    #[must_use]
    pub fn knows(&self, workload: &ObjectId) -> bool {
        let mut pairs = self.0.iter().flat_map(|culprit| &culprit.pairs);
        pairs.any(|pair| pair.failed.workload == *workload)
    }

    /// The objects of a commit that failed otherwise than by pods.
    pub fn blamed_of<'a>(&'a self, commit: &'a CommitId) -> impl Iterator<Item = &'a ObjectId> {
        let culprits = self.0.iter();
        let own = culprits.filter(move |culprit| culprit.commit == *commit);
        own.flat_map(|culprit| culprit.objects.keys())
    }

    /// Says whether objects of a commit failed otherwise than by pods.
    #[must_use]
    pub fn blames_objects_of(&self, commit: &CommitId) -> bool {
        self.blamed_of(commit).next().is_some()
    }

    /// Drops the oldest culprits beyond `limit`.
    pub fn shorten(&mut self, limit: usize) {
        let surplus = self.0.len().saturating_sub(limit);
        self.0.drain(..surplus);
    }

    /// Returns the culprit that holds a candidate: it brings the failed template again, or differs
    /// from the last good one in images only and brings a failed image back; with policy and
    /// configuration as they were.
    ///
    /// Another template than the failed one is no bot's where it comes right after the failed
    /// manifest, and none to be afraid of where it has succeeded.
    #[must_use]
    pub fn holds(&self, candidate: &Candidate, past: Past<'_>) -> Option<&Culprit> {
        self.0.iter().rev().find(|culprit| {
            let failed = culprit.changed.get(&candidate.workload);
            let failed = failed.and_then(Option::as_ref);
            let mends = past.has_succeeded || failed.is_some() && failed == past.before;
            let mut pairs = culprit.pairs.iter();
            pairs.any(|pair| pair.is(candidate) || !mends && pair.brings_back(candidate))
        })
    }

    /// Returns the culprit that holds an object: its manifest is the one that failed.
    #[must_use]
    pub fn holds_object(&self, id: &ObjectId, manifest: &Digest) -> Option<&Culprit> {
        let mut culprits = self.0.iter().rev();
        culprits.find(|culprit| culprit.objects.get(id) == Some(manifest))
    }
}

impl Pair {
    /// Pairs a failed candidate with the last good one of the same workload.
    #[must_use]
    pub fn new(failed: Candidate, good: Option<&Candidate>) -> Self {
        let bad_images = failed
            .images
            .iter()
            .filter(|image| good.is_none_or(|good| !good.images.contains(image)))
            .cloned()
            .collect();
        Self {
            good_imageless: good.map(|good| good.imageless.clone()),
            bad_images,
            failed,
        }
    }

    /// Says whether a candidate is what failed.
    fn is(&self, candidate: &Candidate) -> bool {
        self.is_judged_alike(candidate) && candidate.template == self.failed.template
    }

    /// Says whether a candidate is the last good template with an image that failed.
    fn brings_back(&self, candidate: &Candidate) -> bool {
        let images_only = self.good_imageless.as_ref() == Some(&candidate.imageless);
        let mut images = candidate.images.iter();
        let is_bad_again = images.any(|image| self.bad_images.contains(image));
        self.is_judged_alike(candidate) && images_only && is_bad_again
    }

    fn is_judged_alike(&self, candidate: &Candidate) -> bool {
        candidate.workload == self.failed.workload && candidate.uses == self.failed.uses
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn candidate(image: &str, env: &str, uses: &str) -> Candidate {
        let object = Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": image, "env": env}]}}},
        }))
        .unwrap();
        Candidate::of(object.id(), &object, Digest::of(&json!(uses)))
    }

    fn quarantine(failed: Candidate, good: &Candidate) -> Quarantine {
        let mut quarantine = Quarantine::default();
        quarantine.add(Culprit {
            commit: "a".repeat(40).parse().unwrap(),
            why: "batch 1 failed".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            pairs: vec![Pair::new(failed, Some(good))],
            objects: BTreeMap::new(),
            changed: BTreeMap::new(),
        });
        quarantine
    }

    #[test]
    fn the_failed_template_is_held_until_something_that_matters_changes() {
        let good = candidate("web:1", "a", "x");
        let quarantine = quarantine(candidate("web:2", "a", "x"), &good);
        assert!(
            quarantine
                .holds(&candidate("web:2", "a", "x"), Past::default())
                .is_some()
        );
        assert!(
            quarantine
                .holds(&candidate("web:3", "a", "x"), Past::default())
                .is_none(),
            "another image"
        );
        assert!(
            quarantine
                .holds(&candidate("web:2", "b", "x"), Past::default())
                .is_none(),
            "one more variable"
        );
        assert!(
            quarantine
                .holds(&candidate("web:2", "a", "y"), Past::default())
                .is_none(),
            "another ConfigMap"
        );
        assert!(
            quarantine.holds(&good, Past::default()).is_none(),
            "the way back"
        );
    }

    #[test]
    fn a_failed_image_that_a_bot_brings_back_is_held() {
        let good = candidate("web:1", "a", "x");
        let quarantine = quarantine(candidate("web:2", "b", "x"), &good);
        assert!(
            quarantine
                .holds(&candidate("web:2", "a", "x"), Past::default())
                .is_some()
        );
    }

    #[test]
    fn what_comes_right_after_the_failed_manifest_is_no_bot_s() {
        let good = candidate("web:1", "a", "x");
        let failed = candidate("web:2", "b", "x");
        let mut quarantine = quarantine(failed.clone(), &good);
        let manifest = Digest::of(&json!("failed"));
        quarantine.0[0].changed = [(failed.workload.clone(), Some(manifest.clone()))].into();
        let mended = candidate("web:2", "a", "x");
        let after = |before| Past {
            before: Some(before),
            has_succeeded: false,
        };
        assert!(quarantine.holds(&mended, after(&manifest)).is_none());
        assert!(quarantine.holds(&failed, after(&manifest)).is_some());
        let reverted = Digest::of(&json!("good"));
        assert!(quarantine.holds(&mended, after(&reverted)).is_some());
        let proven = Past {
            before: Some(&reverted),
            has_succeeded: true,
        };
        assert!(quarantine.holds(&mended, proven).is_none());
    }

    #[test]
    fn an_object_that_failed_is_held_until_its_manifest_changes() {
        let id: ObjectId = "/Service/shop/web".parse().unwrap();
        let (bad, fixed) = (Digest::of(&json!("bad")), Digest::of(&json!("fixed")));
        let good = candidate("web:1", "a", "x");
        let mut quarantine = quarantine(candidate("web:2", "a", "x"), &good);
        quarantine.add(Culprit {
            pairs: Vec::new(),
            objects: [(id.clone(), bad.clone())].into(),
            ..quarantine.culprits()[0].clone()
        });
        assert!(quarantine.holds_object(&id, &bad).is_some());
        assert!(quarantine.holds_object(&id, &fixed).is_none());
        assert!(!quarantine.lift_from(&|other| other.name == "another"));
        assert!(quarantine.lift_from(&|other| *other == id));
        assert!(quarantine.holds_object(&id, &bad).is_none());
    }

    #[test]
    fn a_retry_lifts_what_the_commit_brought_about() {
        let good = candidate("web:1", "a", "x");
        let failed = candidate("web:2", "a", "x");
        let mut quarantine = quarantine(failed.clone(), &good);
        assert!(quarantine.lift(&"a".repeat(40).parse().unwrap()));
        assert!(quarantine.holds(&failed, Past::default()).is_none());
    }
}
