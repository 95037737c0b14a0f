//! What the next sync would do: everything up to the plan, and no write at all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::clock;
use crate::cluster::Cluster;
use crate::config::GitSync;
use crate::git::Mirror;
use crate::ledger::Tip;
use crate::object::{Object, ObjectId, Workload, write_duration};
use crate::plan::{FieldChange, Managers, Set, Standing, Wanted, adopted, diff};
use crate::policy::{Order, Policy, closed_until};
use crate::revision::{CommitId, Revision};
use crate::rollout::Schedule;

use super::app::{App, owner};
use super::book::Book;
use super::fetching::remote;
use super::judging::Examined;
use super::run::{RunFault, shared};

/// Where the files come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// The branch, fetched as the agent does.
    Branch,
    /// A branch, tag or commit, fetched by the program `git` with the caller's credentials.
    Revision(String),
    /// A directory, as if it had just been committed.
    Directory(PathBuf),
}

/// What the next sync of a `GitSync` would do.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// `namespace/name`.
    pub gitsync: String,
    /// The commit that was looked at.
    pub revision: Revision,
    /// The commit that the cluster follows now.
    pub running: Option<Revision>,
    /// Why it would be refused, one fault a line; `None` where it would not.
    pub refused: Option<String>,
    /// What would change, in order.
    pub changes: Vec<Change>,
    /// Objects that stay as they are.
    pub unchanged: usize,
    /// What people should know.
    pub notes: Vec<String>,
}

/// One change.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// What would happen to it.
    pub verb: Verb,
    /// The object.
    pub object: ObjectId,
    /// More, for people; may be empty.
    pub detail: String,
    /// The fields that would change, against the live object.
    pub fields: Vec<FieldChange>,
}

/// What would happen to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// It is made.
    Create,
    /// It is there already and becomes ours.
    Adopt,
    /// It is written.
    Update,
    /// Its pods are replaced in batches.
    Roll,
    /// Its pods go back to a template that succeeded before.
    #[serde(rename = "go back")]
    GoBack,
    /// What others changed is taken back.
    Correct,
    /// Quarantine keeps it as it is.
    Hold,
    /// Another `GitSync` owns it: it is not touched.
    Refuse,
    /// It is deleted.
    Prune,
    /// Git has it no more, and it stays.
    Keep,
}

impl Verb {
    /// Returns it as it stands in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Update => "update",
            Self::Roll => "roll",
            Self::GoBack => "go back",
            Self::Correct => "correct",
            Self::Hold => "hold",
            Self::Refuse => "refuse",
            Self::Prune => "prune",
            Self::Keep => "keep",
        }
    }
}

/// Looks at what the next sync would do. Needs the rights to read and to dry-run.
///
/// # Errors
/// Where Git, the ledger or the cluster cannot be read.
pub async fn preview(
    cluster: &Cluster,
    sync: GitSync,
    options: &super::Options,
    origin: Origin,
) -> Result<Preview, RunFault> {
    let namespace = options.namespace.as_deref().unwrap_or_default();
    let shared = shared(options, cluster, namespace, "preview");
    let spec = serde_json::to_value(&sync).unwrap_or_default();
    let book = Book::peek(cluster, &owner(&sync, &shared), spec).await?;
    let (mirror, commit) = match origin {
        Origin::Branch => {
            let mirror = Mirror::open(&shared.cache, remote(&sync, &shared)).await?;
            let fetched = mirror.fetch().await?;
            (mirror, fetched.tip)
        }
        Origin::Revision(revision) => {
            Mirror::of_revision(sync.source.url.as_str(), &revision, &shared.cache).await?
        }
        Origin::Directory(directory) => Mirror::snapshot(&directory, &shared.cache).await?,
    };
    App::new(sync, shared, book, Arc::new(mirror))
        .look(&commit)
        .await
}

impl App {
    async fn look(mut self, commit: &CommitId) -> Result<Preview, RunFault> {
        let revision = self.mirror.revision(commit).await?;
        let tip = Tip {
            revision: revision.clone(),
            tree: String::new(),
            seen_at: clock::now(),
            is_judged: false,
            refused: None,
            waits: BTreeMap::new(),
        };
        let mut preview = Preview {
            gitsync: self.label(),
            revision,
            running: self
                .book
                .ledger
                .aim
                .as_ref()
                .map(|aim| aim.revision.clone()),
            refused: None,
            changes: Vec::new(),
            unchanged: 0,
            notes: Vec::new(),
        };
        match self.examine(&tip).await? {
            Examined::Refused(refused) => preview.refused = Some(refused.message),
            Examined::Unknown => {
                let problems = &self.book.ledger.problems;
                let why = problems.first().map(|problem| problem.message.clone());
                let why = why.unwrap_or_else(|| "the cluster cannot be read".to_owned());
                return Err(RunFault::Unknown(why));
            }
            Examined::Accepted { set, held } => {
                let mut ids: Vec<ObjectId> = set.keys().cloned().collect();
                ids.sort_by_key(|id| (set[id].stage, id.clone()));
                for id in ids {
                    match self.change(&id, &set, held.contains_key(&id)) {
                        Some(change) => preview.changes.push(change),
                        None => preview.unchanged += 1,
                    }
                }
                self.list_prunes(&set, &mut preview);
            }
        }
        Ok(preview)
    }

    /// What would happen to one object; `None`: nothing.
    fn change(&mut self, id: &ObjectId, set: &Set, is_held: bool) -> Option<Change> {
        let wanted = &set[id];
        let (stranger, after) = self.foreseen(id, wanted);
        // What is not ours yet is in no watch; the dry run has seen it.
        let live = self.shared.live.get(id).or_else(|| stranger.clone());
        let fields = live
            .as_ref()
            .map(|live| diff(live, &after))
            .unwrap_or_default();
        let verb = match self.standing(id, set) {
            Standing::InSync | Standing::Terminating => return None,
            Standing::Missing if stranger.is_some() => Verb::Adopt,
            Standing::Missing => Verb::Create,
            Standing::Unowned => Verb::Adopt,
            Standing::Drifted => Verb::Correct,
            Standing::Shared => Verb::Refuse,
            Standing::Changed => Verb::Update,
        };
        let detail = match (verb, &live) {
            (Verb::Correct, Some(live)) => {
                let editor = Managers::of(live).editor(&set[id].object);
                editor
                    .map(|editor| format!("changed in the cluster by {editor}"))
                    .unwrap_or_default()
            }
            _ => String::new(),
        };
        let change = Change {
            verb,
            object: id.clone(),
            detail,
            fields,
        };
        if is_held {
            let detail = "quarantine holds it; `tidegate retry` lifts it".to_owned();
            return Some(Change {
                verb: Verb::Hold,
                detail,
                ..change
            });
        }
        Some(match live {
            Some(live) if id.is_workload() => self.rolled(change, set, &live, &after),
            Some(_) | None => change,
        })
    }

    /// The live object where it is not ours yet, and the object as it would be stored.
    fn foreseen(&self, id: &ObjectId, wanted: &Wanted) -> (Option<Arc<Object>>, Object) {
        let Some(probe) = self.probes.get(&(id.clone(), wanted.hash.clone())) else {
            return (None, wanted.object.clone());
        };
        let after = match &probe.stranger {
            Some(stranger) => adopted(stranger, wanted, &probe.object, &self.sync.take_from),
            None => probe.object.clone(),
        };
        (probe.stranger.clone(), after)
    }

    /// Tells how a workload would be rolled, where its template differs.
    fn rolled(&self, change: Change, set: &Set, live: &Object, after: &Object) -> Change {
        let (old, new) = (Workload(live), Workload(after));
        let template = new.restart_blind_digest();
        if old.restart_blind_digest() == template {
            return change;
        }
        let id = &change.object;
        let entry = self.book.ledger.inventory.get(id);
        let policy = set[id]
            .policy
            .as_ref()
            .map(|resolved| resolved.policy.clone());
        let policy = policy.unwrap_or_default();
        let replicas = Workload(&set[id].object)
            .written_replicas()
            .unwrap_or(old.replicas());
        let content = new.content_digest();
        let is_restart = old.content_digest() == content;
        if !is_restart && entry.is_some_and(|entry| entry.has_succeeded(&content)) {
            let detail = format!("{replicas} pods go back at once, within the surge");
            return Change {
                verb: Verb::GoBack,
                detail,
                ..change
            };
        }
        let schedule = Schedule::of(&policy, new.strategy(), replicas);
        let sizes: Vec<String> = (1..=schedule.batches())
            .map(|batch| schedule.size(batch).to_string())
            .collect();
        let order = match schedule.order {
            Order::SurgeFirst => "surge-first",
            Order::StopFirst => "stop-first",
        };
        let adopts = if change.verb == Verb::Adopt {
            "adopted; "
        } else {
            ""
        };
        let detail = format!(
            "{adopts}{replicas} pods, {} batches: {} ({order}, soak {}, on failure {:?}{})",
            sizes.len(),
            sizes.join(" · "),
            soaks(&schedule),
            policy.on_failure,
            gates(&policy, &schedule),
        );
        Change {
            verb: Verb::Roll,
            detail,
            ..change
        }
    }

    fn list_prunes(&self, set: &Set, preview: &mut Preview) {
        let plan = self.prune_plan(set);
        let change = |verb, object: &ObjectId, detail: &str| Change {
            verb,
            object: object.clone(),
            detail: detail.to_owned(),
            fields: Vec::new(),
        };
        for (object, why) in &plan.kept {
            preview.changes.push(change(Verb::Keep, object, why));
        }
        if self.sync.prune.enabled {
            for object in &plan.deletes {
                preview.changes.push(change(
                    Verb::Prune,
                    object,
                    "last, once the rest is healthy",
                ));
            }
            preview.notes.extend(
                plan.over_budget
                    .map(|why| format!("a person has to approve: {why}")),
            );
        }
    }
}

/// How long the batches soak; once where all do alike.
fn soaks(schedule: &Schedule) -> String {
    let batches = 1..=schedule.batches();
    let mut soaks: Vec<String> = batches
        .map(|batch| write_duration(schedule.soak(batch)))
        .collect();
    if soaks.iter().all(|soak| *soak == soaks[0]) {
        soaks.truncate(1);
    }
    soaks.join(" · ")
}

/// What people and the clock have to let open.
fn gates(policy: &Policy, schedule: &Schedule) -> String {
    let approved: Vec<String> = (1..=schedule.batches())
        .filter(|batch| schedule.needs_approval(*batch))
        .map(|batch| batch.to_string())
        .collect();
    let approval = if approved.is_empty() {
        String::new()
    } else {
        format!(", approval before batch {}", approved.join(", "))
    };
    let window = closed_until(&policy.windows, clock::now());
    let window = window.map_or_else(String::new, |at| format!(", not before {at}"));
    approval + &window
}
