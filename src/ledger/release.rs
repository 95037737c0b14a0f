//! What a release leaves of the records once its mark is taken away.

use jiff::Timestamp;

use crate::object::ObjectId;

use super::{Course, Ledger, Outcome, Trouble};

impl Ledger {
    /// Takes the mark of a release away. The workloads that it gave back have no levers any more:
    /// rollouts that went on natively are watched to their end, those that went back are no longer
    /// under way, and a failed commit whose pods went back is left for the last good revision.
    pub fn take_up(&mut self, now: Timestamp) {
        let Some(mark) = self.released.take() else {
            return;
        };
        let is_return = mark.is_back || self.goes_back();
        let engaged = self
            .rollouts
            .iter()
            .filter(|(_, kept)| kept.engagement.is_some());
        let (back, onward): (Vec<_>, Vec<_>) =
            engaged.partition(|(_, kept)| is_return || kept.goes_back_when_released());
        let ids = |part: Vec<(&ObjectId, _)>| part.into_iter().map(|(id, _)| id.clone()).collect();
        let (back, onward): (Vec<ObjectId>, Vec<ObjectId>) = (ids(back), ids(onward));
        for id in &onward {
            if let Some(kept) = self.rollouts.get_mut(id) {
                kept.release(now);
            }
        }
        self.rollouts.retain(|id, _| !back.contains(id));
        // What was last written is not there any more; that is nobody's drift.
        for id in back.iter().chain(&onward) {
            if let Some(entry) = self.inventory.get_mut(id) {
                entry.hash = None;
            }
        }
        if !back.is_empty() {
            self.leave_failed_commit();
        }
    }

    /// A commit that had failed is left for the last good revision, where there is one.
    fn leave_failed_commit(&mut self) {
        let (Some(aim), Some(good)) = (self.aim.clone(), self.last_good.clone()) else {
            return;
        };
        let failed = self
            .deployed(&aim.revision.id)
            .is_some_and(|record| record.outcome == Outcome::Failed);
        if aim.course == Course::Forward && failed && !good.is(&aim) {
            if let Some(record) = self.deployed_mut(&aim.revision.id) {
                record.rollback_to = Some(good.revision.id.clone());
            }
            self.aim = Some(aim.back_to(good, Outcome::RolledBack, aim.started));
            self.clear(Trouble::RolloutFailed);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::object::ObjectId;
    use crate::rollout::{Overlay, Phase};

    use super::*;

    fn sha(letter: char) -> String {
        String::from(letter).repeat(40)
    }

    fn revision(letter: char) -> Value {
        json!({"id": sha(letter), "subject": "s", "author": "a", "time": "2026-01-01T00:00:00Z"})
    }

    fn web() -> ObjectId {
        "apps/Deployment/shop/web".parse().unwrap()
    }

    /// A rollout of commit b over commit a that was released in batch 1.
    fn released(outcome: &str, failure: &Value, is_back: bool) -> Ledger {
        let at = "2026-01-01T00:00:00Z";
        let digest = crate::object::Digest::of(&json!("x"));
        let write = json!({
            "commit": sha('b'), "manifest": digest, "template": digest, "base": 1, "restart": null,
            "overlay": {"Frozen": {"surge": "10%", "unavailable": "0%"}},
        });
        let judge = json!({"since": at, "forgiven": {}, "ready": {}, "flaps": {}, "condemned": {}});
        let engagement = json!({
            "since": at, "minReadySeconds": 0, "progressDeadlineSeconds": 600,
            "strategy": {}, "template": {},
        });
        let kept = json!({
            "uid": "u1", "phase": if failure.is_null() { "Progressing" } else { "Failed" },
            "batch": 1, "batches": 3, "target": 1, "replicas": 10, "write": write,
            "judgedBy": digest, "engagement": engagement, "started": at, "opened": at,
            "healthySince": null, "judge": judge, "isHeld": false, "failure": failure,
            "evidence": [], "largest": 1,
        });
        let mut ledger = serde_json::to_value(Ledger::new("tidegate", "agent", json!({}))).unwrap();
        ledger["released"] = json!({"by": "ada", "at": at, "isBack": is_back});
        ledger["rollouts"] = json!({web().key(): kept});
        ledger["lastGood"] = revision('a');
        ledger["aim"] = json!({
            "revision": revision('b'), "tree": "t", "course": "Forward", "held": {},
            "started": at, "stage": null, "isDone": false,
        });
        ledger["history"] = json!([{
            "revision": revision('b'), "outcome": outcome, "started": at, "ended": null,
            "batches": [0, 3], "images": [], "rollbackTo": null, "rendered": null, "message": "",
        }]);
        let mut ledger: Ledger = serde_json::from_value(ledger).unwrap();
        let commit = sha('b').parse().unwrap();
        let mut entry = crate::plan::Entry::intended("apps/v1", &commit, "web.yaml");
        entry.hash = Some(digest);
        ledger.inventory.insert(web(), entry);
        ledger
    }

    fn crashed() -> Value {
        let cause = json!({
            "class": "Revision", "pod": "p", "container": "c", "reason": "CrashLoopBackOff",
            "message": "",
        });
        json!({"cause": cause, "at": "2026-01-01T00:00:00Z", "batch": 1})
    }

    #[test]
    fn what_went_on_natively_is_watched_without_levers() {
        let mut ledger = released("InProgress", &Value::Null, false);
        ledger.take_up(Timestamp::UNIX_EPOCH);
        assert_eq!(ledger.released, None);
        let kept = &ledger.rollouts[&web()];
        assert_eq!(kept.phase, Phase::Native);
        assert_eq!(kept.write.overlay, Overlay::Plain);
        assert_eq!(kept.engagement, None);
        assert_eq!(ledger.inventory[&web()].hash, None, "it is written again");
        assert_eq!(ledger.aim.unwrap().course, Course::Forward);
    }

    #[test]
    fn what_was_taken_back_by_a_person_is_begun_anew() {
        let mut ledger = released("InProgress", &Value::Null, true);
        ledger.take_up(Timestamp::UNIX_EPOCH);
        assert!(ledger.rollouts.is_empty());
        assert_eq!(ledger.aim.unwrap().course, Course::Forward);
    }

    #[test]
    fn a_failed_commit_is_left_for_the_last_good_revision() {
        let mut ledger = released("Failed", &crashed(), false);
        ledger.take_up(Timestamp::UNIX_EPOCH);
        assert!(ledger.rollouts.is_empty());
        let aim = ledger.aim.unwrap();
        assert_eq!(aim.revision.id.to_string(), sha('a'));
        let (from, outcome) = (sha('b').parse().unwrap(), Outcome::RolledBack);
        assert_eq!(aim.course, Course::Back { from, outcome });
    }

    #[test]
    fn without_a_mark_nothing_changes() {
        let mut ledger = released("InProgress", &Value::Null, false);
        ledger.released = None;
        let before = ledger.clone();
        ledger.take_up(Timestamp::UNIX_EPOCH);
        assert_eq!(ledger, before);
    }
}
