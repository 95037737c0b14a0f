//! Git: manifests, commits, and what the rest of the agent makes of them for one workload.

use serde_json::json;
use tidegate::object::{Amount, Digest, Strategy};
use tidegate::policy::Policy;
use tidegate::revision::CommitId;
use tidegate::rollout::{Goal, Leave, Stance};

use super::{Mould, World};

/// The manifest of the Deployment with its policy and configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest {
    pub(crate) image: u32,
    pub(crate) replicas: Option<u32>,
    pub(crate) min_ready: i64,
    pub(crate) deadline: i64,
    pub(crate) strategy: Strategy,
    pub(crate) paused: bool,
    pub(crate) policy: Policy,
    /// A ConfigMap in use.
    pub(crate) config: u32,
}

/// What Git and the whole commit say.
pub(crate) struct Git {
    pub(crate) goal_manifest: Manifest,
    pub(crate) goal: Goal,
    pub(crate) stance: Stance,
    /// Manifests that succeeded, the last one last.
    pub(crate) good: Vec<Manifest>,
    /// How often a person asked to try again.
    pub(crate) tries: u32,
    /// What people let the commit do.
    leave: Leave,
    /// Whether every commit may do all.
    is_open: bool,
    commits: u32,
}

impl Manifest {
    /// Ten pods of image 0 with a strategy in percent or counts.
    pub(crate) fn ten(surge: &str, unavailable: &str) -> Self {
        let amount = |text: &str| text.parse::<Amount>().expect("an amount");
        Self {
            image: 0,
            replicas: None,
            min_ready: 0,
            deadline: 600,
            strategy: Strategy::RollingUpdate {
                max_surge: amount(surge),
                max_unavailable: amount(unavailable),
            },
            paused: false,
            policy: Policy::default(),
            config: 0,
        }
    }
}

impl Git {
    pub(crate) fn new(manifest: Manifest) -> Self {
        Self {
            goal: goal(&manifest, 0, 0, false),
            goal_manifest: manifest,
            stance: Stance::Go,
            good: Vec::new(),
            tries: 0,
            leave: Leave::default(),
            is_open: false,
            commits: 0,
        }
    }
}

impl World {
    /// Someone pushes this manifest.
    pub(crate) fn push(&mut self, manifest: Manifest) {
        self.git.commits += 1;
        // What was let was let of the commit before.
        if !self.git.is_open {
            let leave = &mut self.git.leave;
            (leave.approved, leave.promoted) = (0, 0);
        }
        let rolled = self.agent.rolled.is_some_and(|it| it != manifest.image);
        let mut good = self.git.good.iter();
        let is_return = rolled && good.any(|good| good.image == manifest.image);
        self.aim(manifest, is_return);
    }

    /// A push of the same with something changed.
    pub(crate) fn commit(&mut self, change: impl FnOnce(&mut Manifest)) {
        let mut manifest = self.git.goal_manifest.clone();
        change(&mut manifest);
        self.push(manifest);
    }

    /// The workload is to go back to what succeeded last; says whether anything ever did.
    pub(crate) fn abort(&mut self) -> bool {
        let Some(good) = self.git.good.last().cloned() else {
            return false;
        };
        if self.agent.rolled.is_none_or(|image| image == good.image) {
            return false;
        }
        self.aim(good, true);
        true
    }

    /// People and the clock let the commit do something else.
    pub(crate) fn let_do(&mut self, change: impl FnOnce(&mut Leave)) {
        change(&mut self.git.leave);
        self.git.goal.leave = self.git.leave.clone();
        self.agent.is_due = true;
        self.tell(|world| format!("{:?}", world.git.leave));
    }

    /// From now on every commit may do all.
    pub(crate) fn open_up(&mut self) {
        self.git.is_open = true;
        self.let_do(|leave| *leave = Leave::default().full());
    }

    /// A person asks to try again.
    pub(crate) fn retry(&mut self) {
        self.git.tries += 1;
        let (manifest, is_return) = (self.git.goal_manifest.clone(), self.git.goal.is_return);
        self.aim(manifest, is_return);
    }

    fn aim(&mut self, manifest: Manifest, is_return: bool) {
        let git = &mut self.git;
        git.goal = Goal {
            leave: git.leave.clone(),
            ..goal(&manifest, git.commits, git.tries, is_return)
        };
        git.goal_manifest = manifest;
        self.agent.is_due = true;
        self.tell(|world| {
            let manifest = &world.git.goal_manifest;
            format!("git: {manifest:?} is_return={is_return}")
        });
    }
}

fn goal(manifest: &Manifest, commit: u32, tries: u32, is_return: bool) -> Goal {
    let digest = |text: String| Digest::of_bytes(text.as_bytes());
    let mould = Mould::of(manifest.image);
    Goal {
        commit: format!("{commit:07x}{:033}", 0)
            .parse::<CommitId>()
            .expect("forty hex digits"),
        template: mould.template(),
        content: json!(manifest.image),
        manifest: digest(format!("{manifest:?}")),
        replicas: manifest.replicas,
        min_ready_seconds: manifest.min_ready,
        progress_deadline_seconds: manifest.deadline,
        strategy: manifest.strategy,
        is_paused: manifest.paused,
        policy: manifest.policy.clone(),
        judged_by: digest(format!("{:?} {} {tries}", manifest.policy, manifest.config)),
        is_return,
        leave: Leave::default(),
    }
}
