//! The agent: observe, step, store, perform; and what may go wrong in between.

use tidegate::object::{FREEZE_DEADLINE, FREEZE_MIN_READY};
use tidegate::policy::OnFailure;
use tidegate::rollout::{Action, Checkpoint, Decision, Overlay, Phase, Reason, Seen, step};

use super::{DAWN, Deployment, Mould, World, at};

/// What goes wrong in one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Killed before the ledger is written.
    BeforeStore,
    /// Killed between ledger and write.
    BeforeWrite,
    /// Killed after the write.
    AfterWrite,
    /// An older observation is used.
    Stale,
}

/// The agent with its ledger.
#[derive(Default)]
pub(crate) struct Agent {
    /// The ledger.
    pub(crate) stored: Option<Checkpoint>,
    /// What the process remembers.
    pub(crate) memory: Option<Checkpoint>,
    /// Whether something has changed since it looked.
    pub(crate) is_due: bool,
    /// When it wants to look again.
    pub(crate) wake: Option<i64>,
    /// Image that it wrote last.
    pub(crate) rolled: Option<u32>,
    /// What it decided last.
    pub(crate) last: Option<Decision>,
    /// Writes that took effect.
    pub(crate) writes: u32,
    /// Writes of another template: rollouts begun, forward or back.
    pub(crate) rollouts: u32,
    views: Vec<(u64, Seen)>,
}

impl Agent {
    /// Says whether it would look again by itself now.
    pub(crate) fn is_awake(&self, now: i64) -> bool {
        self.is_due || self.wake.is_some_and(|wake| wake <= now)
    }

    fn restart(&mut self) {
        self.memory = self.stored.clone();
        self.is_due = true;
    }
}

impl World {
    /// The agent looks once and does what it decides.
    pub(crate) fn act(&mut self, fault: Fault) {
        let (version, seen) = self.view(fault);
        self.agent.is_due = false;
        let opens = self.git.goal.leave.closed_until;
        if opens.is_some_and(|opens| opens <= at(self.now)) {
            self.let_do(|leave| leave.closed_until = None);
            self.agent.is_due = false;
        }
        let git = &self.git;
        let memory = self.agent.memory.take();
        let decision = step(&git.goal, git.stance, &seen, memory.as_ref());
        self.tell(|world| told(world, fault, &decision));
        self.judge(&seen, memory.as_ref(), &decision);
        if fault == Fault::BeforeStore {
            self.agent.restart();
            return;
        }
        self.agent.memory = decision.checkpoint.clone().or(memory);
        if decision.must_store {
            self.agent.stored.clone_from(&self.agent.memory);
            self.mark.is_forgotten = false;
        }
        self.agent.wake = decision.wake.map(|wake| wake.as_second() - DAWN);
        if fault == Fault::BeforeWrite {
            self.agent.restart();
            self.learn();
            return;
        }
        self.perform(&decision, version, &seen);
        self.learn();
        self.agent.last = Some(decision);
        if fault == Fault::AfterWrite {
            self.agent.restart();
        }
        if self
            .live
            .as_ref()
            .is_some_and(|live| live.version == version)
        {
            self.agent.views.push((version, seen));
        }
        if self.agent.views.len() > 3 {
            self.agent.views.remove(0);
        }
    }

    fn view(&mut self, fault: Fault) -> (u64, Seen) {
        if fault == Fault::Stale && !self.agent.views.is_empty() {
            let index = self.dice.below(self.agent.views.len() as u32) as usize;
            let (version, mut seen) = self.agent.views.swap_remove(index);
            seen.now = at(self.now);
            self.agent.is_due = true;
            return (version, seen);
        }
        (
            self.live.as_ref().map_or(0, |live| live.version),
            self.seen(),
        )
    }

    /// What the rest of the agent does with the state of a rollout.
    fn learn(&mut self) {
        let Some(memory) = &self.agent.memory else {
            return;
        };
        let (phase, template) = (memory.phase, memory.write.template.clone());
        let manifest = &self.git.goal_manifest;
        let is_ours = Mould::of(manifest.image).template() == template;
        if phase == Phase::Succeeded && is_ours && self.git.good.last() != Some(manifest) {
            self.git.good.push(manifest.clone());
        }
        let goes_back = manifest.policy.on_failure == OnFailure::Rollback;
        if phase == Phase::Failed && goes_back && is_ours && !self.git.goal.is_return {
            self.abort();
        }
    }

    fn perform(&mut self, decision: &Decision, version: u64, seen: &Seen) {
        match &decision.action {
            // At rest the plan applies what is not as in Git beside the template.
            Action::Wait if decision.reason == Reason::InSync => {
                self.write(Overlay::Plain, version, seen);
            }
            Action::Wait => {}
            Action::Write => {
                let write = decision.checkpoint.as_ref().map(|c| c.write.overlay);
                let overlay = write.expect("a write is recorded");
                self.agent.is_due = true;
                self.write(overlay, version, seen);
            }
            Action::Absorb => {
                self.agent.is_due = true;
                if let Some(live) = self.live.as_mut().filter(|live| live.version == version) {
                    live.owners = [None; 3];
                    live.version += 1;
                }
            }
            Action::Delete(pods) => {
                self.agent.is_due = true;
                let now = self.now;
                let all = self.sets.iter_mut().flat_map(|set| &mut set.pods);
                for pod in all.filter(|pod| pod.deleted.is_none()) {
                    if pods.iter().any(|(_, uid)| *uid == pod.uid()) {
                        pod.end(now);
                    }
                }
            }
        }
    }

    fn write(&mut self, overlay: Overlay, version: u64, seen: &Seen) {
        let Some(before) = self.live.clone() else {
            let replicas = self.git.goal.replicas.unwrap_or(1);
            self.create(replicas);
            return;
        };
        self.agent.rolled = Some(self.git.goal_manifest.image);
        if before.version != version {
            self.tell(|_| "   refused: conflict".to_owned());
            return;
        }
        let mut live = before.clone();
        self.apply(&mut live, overlay);
        let once = live.clone();
        self.apply(&mut live, overlay);
        self.law(once.generation == live.generation, || {
            "I7: the same write again changes something".to_owned()
        });
        let changed = once != before;
        self.live = Some(once.clone());
        if changed {
            self.agent.writes += 1;
            self.agent.rollouts += u32::from(once.mould.template() != before.mould.template());
            // The answer is newer than all that was seen before.
            self.agent.views.clear();
            self.note_write(&before, Some(seen));
            self.note_way(&before, Some(seen));
        }
    }

    /// Server-side apply of Git's manifest with the overlay.
    fn apply(&self, live: &mut Deployment, overlay: Overlay) {
        let before = live.clone();
        let goal = &self.git.goal;
        live.owners[0] = None;
        live.mould = Mould {
            image: self.git.goal_manifest.image,
            extra: live.mould.extra && live.owners[1].is_some(),
            restart: live.owners[2].map_or(0, |_| live.mould.restart),
        };
        (live.min_ready, live.deadline) = (goal.min_ready_seconds, goal.progress_deadline_seconds);
        live.strategy = overlay.strategy().unwrap_or(goal.strategy);
        if let Overlay::Frozen { .. } = overlay {
            (live.min_ready, live.deadline) = (FREEZE_MIN_READY, FREEZE_DEADLINE);
        }
        live.paused = goal.is_paused;
        live.replicas = goal.replicas.unwrap_or(live.replicas);
        live.bump(&before);
    }

    /// The Deployment is created from Git.
    pub(crate) fn create(&mut self, replicas: u32) {
        let goal = &self.git.goal;
        self.live = Some(Deployment {
            uid: 1 + self.live.as_ref().map_or(0, |live| live.uid),
            version: 1,
            generation: 1,
            observed: 0,
            replicas,
            min_ready: goal.min_ready_seconds,
            deadline: goal.progress_deadline_seconds,
            strategy: goal.strategy,
            paused: goal.is_paused,
            mould: Mould::of(self.git.goal_manifest.image),
            owners: [None; 3],
            editor: None,
            counts: tidegate::rollout::Counts::default(),
        });
        self.agent.is_due = true;
        self.agent.rolled = Some(self.git.goal_manifest.image);
    }
}

impl Deployment {
    /// What the API server does after a write.
    pub(crate) fn bump(&mut self, before: &Self) {
        if *self == *before {
            return;
        }
        self.version += 1;
        let spec = |it: &Self| {
            let times = (it.min_ready, it.deadline, it.paused);
            (it.replicas, times, it.strategy, it.mould)
        };
        if spec(self) != spec(before) {
            self.generation += 1;
        }
    }
}

fn told(world: &World, fault: Fault, decision: &Decision) -> String {
    let kept = decision.checkpoint.as_ref().map(|c| {
        let batch = (c.batch, c.batches, c.target, c.replicas);
        format!(
            "{:?} batch/of/target/R {batch:?} {:?} base {}",
            c.phase, c.write.overlay, c.write.base
        )
    });
    let notes: Vec<&str> = decision.notes.iter().map(|n| n.text.as_str()).collect();
    format!(
        "agent {fault:?} {:?}: {:?} {:?} {} wake {:?} {notes:?}",
        world.git.stance,
        decision.reason,
        decision.action,
        kept.unwrap_or_default(),
        decision.wake.map(|wake| wake.as_second() - DAWN),
    )
}
