//! What people ask for by annotations on the head of the ledger.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tracing::info;

use crate::cluster::Records;
use crate::ledger::{Course, Outcome, Pause};
use crate::object::mark::request;
use crate::revision::CommitId;
use crate::status::approvals;
use crate::trigger::{Kind, Trigger};

use super::BookFault;
use super::app::App;

/// Who asked, where a request does not tell.
const SOMEONE: &str = "a person";

/// A pause as it is written.
#[derive(Deserialize)]
struct Asked {
    by: Option<String>,
    at: Option<Timestamp>,
    reason: Option<String>,
    until: Option<Timestamp>,
}

impl App {
    /// Serves every request that was not served yet.
    pub(super) async fn serve_requests(&mut self, now: Timestamp) -> Result<(), BookFault> {
        let head = Records::head(&self.owner.namespace, &self.owner.name);
        let Some(head) = self.shared.live.get(&head) else {
            return Ok(());
        };
        if let Some(fault) = self.book.lost_to(&head) {
            return Err(fault);
        }
        self.book.saw(&head);
        let asked: BTreeMap<&str, String> = request::ALL
            .iter()
            .filter_map(|key| Some((*key, head.annotation(key)?.to_owned())))
            .collect();
        self.serve_pause(asked.get(request::PAUSE), now);
        for (key, value) in asked {
            let served = self.book.ledger.served.get(key) == Some(&value);
            if served || key == request::PAUSE {
                continue;
            }
            if key == request::SYNC && self.requested.as_ref() == Some(&value) {
                continue;
            }
            if key == request::SYNC {
                self.reopen_rejected();
                self.queue.push(Trigger {
                    kind: Kind::Request(value),
                    at: now,
                });
                continue;
            }
            let Some(answer) = self.serve(key, &value).await? else {
                continue;
            };
            info!(gitsync = %self.label(), request = key, value, answer, "request served");
            self.announce(None, "RequestServed", format!("{key}: {answer}"), false);
            self.book.ledger.served.insert(key.to_owned(), value);
        }
        Ok(())
    }

    /// A pause stands as long as its annotation does, or until its end.
    fn serve_pause(&mut self, asked: Option<&String>, now: Timestamp) {
        let ended = self
            .book
            .ledger
            .pause
            .as_ref()
            .is_some_and(|pause| pause.until.is_some_and(|until| until <= now));
        match asked {
            Some(value) if self.book.ledger.served.get(request::PAUSE) != Some(value) => {
                let asked: Result<Asked, _> = serde_json::from_str(value);
                self.book
                    .ledger
                    .served
                    .insert(request::PAUSE.to_owned(), value.clone());
                match asked {
                    Ok(asked) => self.pause(asked, now),
                    Err(cause) => {
                        let note = format!("{} is no pause: {cause}", request::PAUSE);
                        self.announce(None, "RequestRefused", note, true);
                    }
                }
            }
            Some(_) if !ended => {}
            Some(_) | None => {
                if asked.is_none() {
                    self.book.ledger.served.remove(request::PAUSE);
                }
                if self.book.ledger.pause.take().is_some() {
                    self.resume();
                }
            }
        }
    }

    fn pause(&mut self, asked: Asked, now: Timestamp) {
        let pause = Pause {
            by: asked.by.unwrap_or_else(|| SOMEONE.to_owned()),
            at: asked.at.unwrap_or(now),
            reason: asked.reason.unwrap_or_default(),
            until: asked.until,
        };
        let note = format!("paused by {}: {}", pause.by, pause.reason);
        self.book.ledger.pause = Some(pause);
        self.announce(None, "Paused", note, false);
    }

    /// What had failed is judged afresh, as after a retry.
    fn resume(&mut self) {
        self.announce(None, "Resumed", "the pause is over".to_owned(), false);
        let aim = self
            .book
            .ledger
            .aim
            .as_ref()
            .map(|aim| aim.revision.id.clone());
        if self.has_failed()
            && let Some(commit) = aim
        {
            *self.book.ledger.retries.entry(commit).or_default() += 1;
        }
    }

    /// Does what is asked; `None`: not yet, it is asked again in the next pass.
    async fn serve(&mut self, key: &str, value: &str) -> Result<Option<String>, BookFault> {
        let answer = match key {
            request::ABORT => match wish(value) {
                Some((commit, by)) => return self.abort(&commit, &by).await,
                None => format!("`{value}` names no commit"),
            },
            request::PROMOTE => self.promote(value),
            request::APPROVE => self.approve(&token(value)),
            request::RETRY => match wish(value) {
                Some((commit, _)) => self.retry(&commit),
                None => format!("`{value}` names no commit"),
            },
            request::RESTART => self.restart(value),
            _ => "is no request".to_owned(),
        };
        Ok(Some(answer))
    }

    /// Notes an approval of what waits for one; anything else is refused.
    fn approve(&mut self, token: &str) -> String {
        let ledger = &mut self.book.ledger;
        let mut waiting = approvals(ledger).into_iter();
        if waiting.any(|approval| approval.token == token) {
            ledger.approvals.insert(token.to_owned());
            return format!("{token} is approved");
        }
        if ledger.approvals.contains(token) {
            return format!("{token} was approved before");
        }
        let note = format!(
            "`{token}` names nothing that waits for an approval; `tidegate status` lists what does"
        );
        self.announce(None, "RequestRefused", note.clone(), true);
        note
    }

    /// Lifts the quarantine of a commit, or what it is held by; what failed in place is judged
    /// afresh, and a tip that was held or rejected is judged again.
    fn retry(&mut self, commit: &CommitId) -> String {
        let ledger = &mut self.book.ledger;
        let mut lifted = ledger.quarantine.lift(commit);
        let mut tried = vec![commit.clone()];
        if let Some(aim) = &mut ledger.aim {
            let is_aim = aim.revision.id == *commit;
            if is_aim {
                let held = &aim.held;
                lifted |= ledger.quarantine.lift_from(&|id| held.contains_key(id));
            }
            if is_aim || lifted {
                aim.stage = None;
                tried.push(aim.revision.id.clone());
            }
        }
        let tip = ledger.tip.as_ref().map(|tip| tip.revision.id.clone());
        let tip = tip.filter(|tip| {
            let record = ledger.deployed(tip);
            record.is_some_and(|record| match record.outcome {
                Outcome::Held | Outcome::Rejected | Outcome::RolledBack | Outcome::Aborted => true,
                // Its pods are still going back, or it was to be tried again and was not.
                Outcome::Pending | Outcome::InProgress | Outcome::Failed => ledger.has_left(tip),
                Outcome::Succeeded | Outcome::CompletedWithFailures | Outcome::Superseded => false,
            }) && (lifted || tip == commit)
        });
        tried.extend(tip.clone());
        tried.sort();
        tried.dedup();
        for commit in tried {
            *ledger.retries.entry(commit).or_default() += 1;
        }
        self.denials.clear();
        self.end_fights();
        if let Some(tip) = tip {
            self.reopen(&tip);
        } else if lifted {
            self.reopen_untouched();
        }
        format!("{} is tried again", commit.short())
    }

    /// A tip that brought nothing new to what went back is judged after all.
    fn reopen_untouched(&mut self) {
        let ledger = &mut self.book.ledger;
        let (Some(tip), Some(aim)) = (&mut ledger.tip, &mut ledger.aim) else {
            return;
        };
        if aim.course != Course::Forward && ledger.untouched.contains(&tip.revision.id) {
            ledger.untouched.retain(|commit| *commit != tip.revision.id);
            aim.tree.clear();
            tip.is_judged = false;
        }
    }

    /// What kept a tip out may have been in the cluster: a right, a field of the live object. Who asks
    /// for a look has it judged again.
    fn reopen_rejected(&mut self) {
        let ledger = &self.book.ledger;
        let tip = ledger.tip.as_ref().map(|tip| tip.revision.id.clone());
        let is_rejected = |tip: &CommitId| {
            let record = ledger.deployed(tip);
            record.is_some_and(|record| record.outcome == Outcome::Rejected)
        };
        if let Some(tip) = tip.filter(is_rejected) {
            self.reopen(&tip);
        }
    }

    /// The tip is judged once more.
    pub(super) fn reopen(&mut self, commit: &CommitId) {
        self.sets.remove(commit);
        self.probes.clear();
        if let Some(record) = self.book.ledger.deployed_mut(commit) {
            record.ended = None;
            record.outcome = Outcome::Pending;
            record.message.clear();
        }
        if let Some(tip) = &mut self.book.ledger.tip {
            tip.is_judged = false;
        }
    }
}

/// Reads what is approved: `{"approve": token, "at": time}`, or the token alone.
fn token(value: &str) -> String {
    let json: Value = serde_json::from_str(value).unwrap_or_default();
    json["approve"].as_str().unwrap_or(value).trim().to_owned()
}

/// Reads the commit of a request, and who asks: `{"commit": id, "by": name}`, or the id alone.
fn wish(value: &str) -> Option<(CommitId, String)> {
    let json: Value = serde_json::from_str(value).unwrap_or_default();
    let commit = json["commit"].as_str().unwrap_or(value);
    let by = json["by"].as_str().unwrap_or(SOMEONE);
    Some((commit.trim().parse().ok()?, by.to_owned()))
}
