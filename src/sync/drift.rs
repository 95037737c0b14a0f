//! Drift: what others changed in objects that are as Git wants them.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Drift;
use crate::ledger::{Outcome, Trouble};
use crate::object::{Digest, ObjectId, later, mark};
use crate::plan::{Managers, Set};
use crate::rollout::Reason;

use super::app::App;

/// Corrections against one manager within [`WINDOW`]; the next is a fight.
const CORRECTIONS: usize = 3;
/// For how long a correction is remembered.
const WINDOW: Duration = Duration::from_mins(10);

/// The shortest time between two corrections of a workload in mid-rollout once it is a fight.
const SELDOM: Duration = Duration::from_secs(30);

/// What is remembered of changes by others. A restart begins anew.
#[derive(Default)]
pub(super) struct Fights {
    /// Corrections by object and manager: when, and of which version of the object.
    made: HashMap<(ObjectId, String), Vec<(Timestamp, String)>>,
    /// What was wanted of an object when it was last corrected: of anything else the count begins
    /// anew.
    wanted: HashMap<ObjectId, Digest>,
    /// Other appliers whose fields were taken back.
    rivals: HashMap<ObjectId, String>,
    /// The version of a workload of which a word was told last in mid-rollout.
    told: HashMap<(ObjectId, Reason), i64>,
    /// Whose fields of a workload were absorbed last, until it is written.
    absorbed: HashMap<ObjectId, String>,
    /// What is being taken back, until it is written or refused.
    correcting: HashMap<ObjectId, String>,
    /// Generation of a workload that others fight for when it was put back last, and when that was.
    last: HashMap<ObjectId, (i64, Timestamp)>,
    /// What another applier had of a workload when that was last tried out.
    applied: HashMap<ObjectId, Digest>,
}

impl Fights {
    /// Says whether one more correction is none too many, and remembers it. The same version again
    /// is the same correction, tried again.
    fn allow(&mut self, id: &ObjectId, who: &str, version: &str, now: Timestamp) -> bool {
        let key = (id.clone(), who.to_owned());
        let made = self.made.entry(key).or_default();
        made.retain(|(at, _)| later(*at, WINDOW) > now);
        if made.iter().any(|(_, known)| known == version) {
            return true;
        }
        if made.len() >= CORRECTIONS {
            return false;
        }
        made.push((now, version.to_owned()));
        true
    }

    /// Forgets the corrections of an object where it is to be something else from now on; says so.
    fn begin_anew(&mut self, id: &ObjectId, wanted: &Digest) -> bool {
        let known = self.wanted.insert(id.clone(), wanted.clone());
        let is_other = known.is_some_and(|known| known != *wanted);
        if is_other {
            self.made.retain(|(other, _), _| other != id);
        }
        is_other
    }

    /// Says whether another applier has written something else to a workload than it had when that
    /// was last tried out.
    pub(super) fn is_new_apply(&mut self, id: &ObjectId, applied: Digest) -> bool {
        self.applied.insert(id.clone(), applied.clone()) != Some(applied)
    }

    /// Says whether something in mid-rollout was not told of this version yet: only drift may be
    /// found several times before it is taken back.
    pub(super) fn is_news(&mut self, id: &ObjectId, reason: Reason, version: i64) -> bool {
        !is_drift(reason) || self.told.insert((id.clone(), reason), version) != Some(version)
    }
}

impl App {
    /// Decides whether drift of an object is taken back: by the mode, and not against a manager
    /// that brings it again and again.
    pub(super) fn may_correct(&mut self, id: &ObjectId, set: &Set, now: Timestamp) -> bool {
        if self.due_again(id, &set[id]).is_some() {
            // It was told, tried and refused a moment ago.
            return true;
        }
        let text = self.drift(id, set);
        match self.sync.drift {
            Drift::Ignore => false,
            Drift::Report => {
                if !self.book.ledger.drifted.contains_key(id) {
                    self.announce(Some(id), "DriftDetected", text.clone(), true);
                    self.book.ledger.drifted.insert(id.clone(), text);
                }
                false
            }
            Drift::Correct => {
                let allowed = self.allow_correction(id, set, &text, now);
                if allowed && !self.is_only_added_to(id, set) {
                    // Once it is absorbed nobody can be named any more.
                    self.fights.correcting.entry(id.clone()).or_insert(text);
                }
                allowed
            }
        }
    }

    /// Says whether another applier added fields of its own to an object and took none of ours:
    /// they stay, since nobody but that applier can take them away.
    fn is_only_added_to(&self, id: &ObjectId, set: &Set) -> bool {
        let Some(live) = self.shared.live.get(id) else {
            return false;
        };
        let managers = Managers::of(&live);
        let wanted = &set[id].object;
        let applier = managers.applier(&self.sync.take_from);
        applier.is_some_and(|applier| {
            managers.editor_name(wanted) == Some(applier) && !managers.has_taken(applier, wanted)
        })
    }

    /// Tells of an applier that writes to a workload, once for each of its writes.
    pub(super) fn tell_applier(&mut self, id: &ObjectId, applier: &str, set: &Set) {
        if self.is_only_added_to(id, set) {
            let note = format!(
                "`{applier}` adds fields of its own to {id}; they stay in it beside Git's: take it \
                 out of the other tool, or list `{applier}` in spec.takeFrom"
            );
            self.announce(Some(id), "FieldConflict", note, true);
        }
    }

    /// What people own in a workload becomes ours before it is written over.
    pub(super) fn absorbs(&mut self, id: &ObjectId, editor: Option<String>) {
        if let Some(editor) = editor {
            self.fights.absorbed.insert(id.clone(), editor);
        }
    }

    /// Drift of an object was taken back by a write.
    pub(super) fn corrected(&mut self, id: &ObjectId) {
        self.fights.absorbed.remove(id);
        if let Some(text) = self.fights.correcting.remove(id) {
            let note = format!("{text}; it is taken back");
            self.announce(Some(id), "DriftCorrected", note, false);
        }
    }

    /// Drift of an object cannot be taken back: it stays and is tried again.
    pub(super) fn not_corrected(&mut self, id: &ObjectId, why: &str) {
        let Some(text) = self.fights.correcting.remove(id) else {
            return;
        };
        let words = format!("{text}, and taking it back is refused: {why}");
        if self.book.ledger.drifted.get(id) != Some(&words) {
            self.announce(Some(id), "DriftDetected", words.clone(), true);
            self.book.ledger.drifted.insert(id.clone(), words);
        }
    }

    /// Says whether a correction is none too many against the same manager; where it is, tells so.
    pub(super) fn allow_correction(
        &mut self,
        id: &ObjectId,
        set: &Set,
        text: &str,
        now: Timestamp,
    ) -> bool {
        if self.fights.begin_anew(id, &set[id].hash) {
            self.calm(id);
        }
        let live = self.shared.live.get(id);
        let named = live
            .as_ref()
            .and_then(|live| Managers::of(live).editor_name(&set[id].object));
        // What was absorbed before it is written over names nobody any more.
        let absorbed = self.fights.absorbed.get(id).cloned();
        let who = absorbed.or_else(|| named.map(ToOwned::to_owned));
        let who = who.as_deref().unwrap_or("someone");
        let entry = self.book.ledger.inventory.get(id);
        let version = match &live {
            // The status of a workload moves its resource version all the time.
            Some(live) if id.is_workload() => live.generation().to_string(),
            Some(live) => live.resource_version().unwrap_or_default().to_owned(),
            None => entry
                .and_then(|entry| entry.uid.clone())
                .unwrap_or_default(),
        };
        if self.fights.allow(id, who, &version, now) {
            self.name_rival(id, set);
            return true;
        }
        let then = if self.is_rolling(id) {
            "no further batch opens, and it is put back twice a minute at most"
        } else {
            "it is left as it is"
        };
        let message = format!(
            "{text}, again after `{}` took it back {CORRECTIONS} times in {} minutes; {then}: let \
             one of `{}` and `{who}` alone set it",
            mark::MANAGER,
            WINDOW.as_secs() / 60,
            mark::MANAGER,
        );
        if !self.is_fought_for(id) {
            let generation = live.map_or(0, |live| live.generation());
            self.fights.last.insert(id.clone(), (generation, now));
        }
        if self.book.ledger.drifted.get(id) != Some(&message) {
            self.book.ledger.drifted.insert(id.clone(), message.clone());
            self.tell_fights(&message);
        }
        false
    }

    /// Tells of everything that others fight for: what was told before and is not over, and `new`.
    fn tell_fights(&mut self, new: &str) {
        let ledger = &self.book.ledger;
        let known = ledger.problem(Trouble::DriftFight);
        let known = known.map_or("", |known| known.message.as_str());
        let fights = ledger.drifted.values().map(String::as_str);
        let fights: Vec<&str> = fights
            .filter(|text| *text == new || known.contains(text))
            .collect();
        if fights.is_empty() {
            self.clear(Trouble::DriftFight);
            return;
        }
        self.trouble(Trouble::DriftFight, fights.join("; "));
    }

    /// Says whether others fight for a workload in the middle of its rollout: it advances no more.
    pub(super) fn is_fought_for(&self, id: &ObjectId) -> bool {
        let ledger = &self.book.ledger;
        ledger.problem(Trouble::DriftFight).is_some() && ledger.drifted.contains_key(id)
    }

    /// Tells of another applier that took fields of ours; our next write takes them back.
    fn name_rival(&mut self, id: &ObjectId, set: &Set) {
        let Some(live) = self.shared.live.get(id) else {
            return;
        };
        let managers = Managers::of(&live);
        let rival = managers.applier(&self.sync.take_from);
        let Some(rival) = rival.filter(|rival| managers.has_taken(rival, &set[id].object)) else {
            return;
        };
        let message = format!(
            "{id} is applied by `{}` and by `{rival}`, which took fields of it; they are taken \
             back: take it out of the other tool, or list `{rival}` in spec.takeFrom",
            mark::MANAGER,
        );
        self.fights.rivals.insert(id.clone(), rival.to_owned());
        self.trouble(Trouble::FieldConflict, message);
    }

    /// Forgets other appliers that have nothing in common with us any more.
    pub(super) fn settle_conflicts(&mut self) {
        let (live, ledger) = (&self.shared.live, &self.book.ledger);
        self.fights.rivals.retain(|id, rival| {
            let shares = |live| Managers::of(live).shares_with(rival);
            let live = live.get(id);
            let is_in_common = live.as_deref().is_some_and(shares);
            is_in_common || (live.is_some() && ledger.drifted.contains_key(id))
        });
        let tip = ledger.tip.as_ref().map(|tip| &tip.revision.id);
        let record = tip.and_then(|tip| ledger.deployed(tip));
        let is_rejected = record.is_some_and(|record| record.outcome == Outcome::Rejected);
        if self.fights.rivals.is_empty() && !is_rejected {
            self.clear(Trouble::FieldConflict);
        }
    }

    /// An object is as Git wants it.
    pub(super) fn calm(&mut self, id: &ObjectId) {
        self.fights.correcting.remove(id);
        if self.book.ledger.drifted.remove(id).is_some() {
            self.tell_fights("");
        }
    }

    /// When a workload that others fight for is put back again, lest its rollout run on under
    /// their levers; `None`: now.
    pub(super) fn put_back_at(&mut self, id: &ObjectId, now: Timestamp) -> Option<Timestamp> {
        let generation = self.shared.live.get(id).map(|live| live.generation());
        let generation = generation.unwrap_or_default();
        let last = self.fights.last.entry(id.clone());
        let (known, at) = last.or_insert((generation, now));
        let due = later(*at, SELDOM);
        if *known != generation && now < due {
            return Some(due);
        }
        if *known != generation {
            (*known, *at) = (generation, now);
        }
        None
    }

    /// Another commit is judged afresh in the workloads that others fought for.
    pub(super) fn begin_fights_anew(&mut self) {
        let ledger = &self.book.ledger;
        let rolling = ledger.drifted.keys().filter(|id| self.is_rolling(id));
        for id in rolling.cloned().collect::<Vec<_>>() {
            self.fights.made.retain(|(other, _), _| *other != id);
            self.calm(&id);
        }
    }

    /// What was left to others is corrected once more, as a person asked.
    pub(super) fn end_fights(&mut self) {
        self.fights.made.clear();
        if self.book.ledger.problem(Trouble::DriftFight).is_some() {
            self.book.ledger.drifted.clear();
            self.clear(Trouble::DriftFight);
        }
    }

    /// Says whether drift of an object is left as it is.
    pub(super) fn is_left(&self, id: &ObjectId) -> bool {
        let is_fight = self.book.ledger.drifted.contains_key(id) && !self.denials.contains_key(id);
        self.sync.drift != Drift::Correct || is_fight
    }

    /// What happened to an object, with the manager, verb and time.
    fn drift(&self, id: &ObjectId, set: &Set) -> String {
        let Some(live) = self.shared.live.get(id) else {
            return format!("{id} was deleted by hand");
        };
        let editor = Managers::of(&live).editor(&set[id].object);
        format!(
            "{id} was changed by {}",
            editor.as_deref().unwrap_or("someone")
        )
    }
}

/// Says whether a word is about what others changed.
pub(super) fn is_drift(reason: Reason) -> bool {
    matches!(reason, Reason::DriftDetected | Reason::DriftCorrected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_correction_against_the_same_manager_in_ten_minutes_is_a_fight() {
        let id: ObjectId = "/ConfigMap/shop/flags".parse().unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut fights = Fights::default();
        assert!(fights.allow(&id, "a", "1", at(0)));
        assert!(fights.allow(&id, "a", "1", at(1)), "tried again");
        assert!(fights.allow(&id, "a", "2", at(2)));
        assert!(fights.allow(&id, "a", "3", at(3)));
        assert!(!fights.allow(&id, "a", "4", at(4)));
        assert!(fights.allow(&id, "b", "4", at(4)), "another manager");
        assert!(fights.allow(&id, "a", "5", at(601)), "ten minutes later");
    }

    #[test]
    fn what_is_wanted_anew_is_corrected_from_the_first_time_on() {
        let id: ObjectId = "/ConfigMap/shop/flags".parse().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let (one, other) = (Digest::of(&"1".into()), Digest::of(&"2".into()));
        let mut fights = Fights::default();
        assert!(!fights.begin_anew(&id, &one));
        for version in ["1", "2", "3"] {
            assert!(fights.allow(&id, "a", version, now));
        }
        assert!(!fights.begin_anew(&id, &one));
        assert!(!fights.allow(&id, "a", "4", now));
        assert!(fights.begin_anew(&id, &other));
        assert!(fights.allow(&id, "a", "4", now));
    }
}
