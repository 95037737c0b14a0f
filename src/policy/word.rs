//! The words of a policy.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::Window;
use crate::object::{Amount, write_duration};

/// How one workload is rolled. Durations of zero mean "at once".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Who paces the rollout.
    pub strategy: Mode,
    /// How the pods are cut into batches.
    pub batches: Batches,
    /// Whether new pods come before old ones leave. `None`: surge-first, but stop-first where the
    /// workload's own strategy has no surge and no batches are given.
    pub order: Option<Order>,
    /// Cap on extra pods. `None`: the size of the batch, or the workload's own maxSurge where no
    /// batches are given.
    pub max_surge: Option<Amount>,
    /// How long a batch must be healthy before the next one opens. Default 0.
    #[serde(with = "seconds")]
    pub soak: Duration,
    /// How long all pods are watched after the last batch. Default 5 s.
    #[serde(with = "seconds")]
    pub monitor: Duration,
    /// Which batches a person has to approve before they open. Default none.
    #[serde(default)]
    pub approval: Approval,
    /// When a rollout may begin and its batches may open. Empty: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// What happens when a batch fails. Default [`OnFailure::Pause`].
    pub on_failure: OnFailure,
    /// Failed new pods that are put up with, as a share of the pods to update; more act as
    /// [`Self::on_failure`] says. 0 to 1, default 0.
    #[serde(default)]
    pub max_failure_ratio: f64,
    /// The batch with whose end the way back ends too: [`OnFailure::Rollback`] is
    /// [`OnFailure::Pause`] from then on. `None`: it never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_rollback_after: Option<u32>,
    /// How long one pod may take to become healthy, from its creation. `None`: the smaller of five
    /// minutes and the progress deadline, at least minReadySeconds and a minute.
    #[serde(with = "optional_seconds")]
    pub healthy_deadline: Option<Duration>,
    /// How long a batch may go without another pod becoming healthy. `None`: the workload's own
    /// `progressDeadlineSeconds`.
    #[serde(with = "optional_seconds")]
    pub progress_deadline: Option<Duration>,
    /// How a rollback goes.
    pub rollback: GoingBack,
    /// Its group: no two workloads of one are rolled at once. `None`: it is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Workloads of lower waves are rolled first. Default 0.
    #[serde(default)]
    pub wave: i32,
    /// Workloads of the same commit and namespace that are rolled first, as `Kind/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

/// Who paces a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// tidegate opens batch after batch.
    Rolling,
    /// The change is applied as it is and Kubernetes goes on by itself; tidegate watches.
    Native,
}

/// How the pods are cut into batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Batches {
    /// By the workload's own maxSurge + maxUnavailable.
    Own,
    /// That many pods, or that percent (rounded up, at least 1), a batch.
    Size(Amount),
    /// Batches in rising order; the last is all pods.
    Steps(Vec<Step>),
}

impl Batches {
    /// Batches that say no more than their cumulative targets.
    #[must_use]
    pub fn steps(targets: impl IntoIterator<Item = Amount>) -> Self {
        Self::Steps(targets.into_iter().map(Step::from).collect())
    }
}

/// One batch as people write it: its cumulative target, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenStep", into = "WrittenStep")]
pub struct Step {
    /// So many pods, or that percent of them (rounded up, at least 1), are new after it.
    pub target: Amount,
    /// How long it must be healthy before the next one opens. `None`: [`Policy::soak`].
    pub soak: Option<Duration>,
    /// Whether a person has to approve it before it opens.
    pub approval: bool,
}

/// Which batches a person has to approve before they open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Approval {
    /// None.
    #[default]
    None,
    /// The first: the rollout as a whole.
    Before,
    /// Every one, the first too.
    EveryBatch,
    /// The last.
    BeforeFull,
}

/// What goes first within a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// New pods are Ready before old ones leave; capacity never falls.
    SurgeFirst,
    /// Old pods leave before new ones come; no extra pods.
    StopFirst,
}

/// What happens when a rollout fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OnFailure {
    /// Goes on: failed pods are put up with, and the rollout ends as completed with failures.
    Continue,
    /// Goes back to the last revision that succeeded.
    Rollback,
    /// Holds as it is until a person or a commit says more. The greatest: of several it wins.
    Pause,
}

/// How a rollback goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GoingBack {
    /// Extra pods while going back; at least one. Default 25 %.
    pub max_surge: Amount,
    /// What goes first. Default surge-first.
    pub order: Order,
}

/// Where a value was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Provenance {
    /// An annotation on the workload: its key and `path:line`.
    Annotation(String),
    /// A `.tidegate.yaml`: `path:line:column` or `path`.
    File(String),
    /// `spec.rollout` of the `GitSync`.
    GitSync,
    /// The strategy that the workload itself has.
    Workload,
    /// Built in.
    Default,
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation(at) => write!(f, "annotation {at}"),
            Self::File(at) => f.write_str(at),
            Self::GitSync => f.write_str("spec.rollout"),
            Self::Workload => f.write_str("the workload's own strategy"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A policy with the origin of each field and what people should know about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolved {
    /// The values in force.
    pub policy: Policy,
    /// Field name as people write it (`soak`, `maxSurge`, `rollback.maxSurge`, …) → origin. Every
    /// field is here.
    pub origins: BTreeMap<String, Provenance>,
    /// Warnings that do not stop the commit.
    pub notes: Vec<String>,
}

impl From<Amount> for Step {
    /// A batch that says no more than its target.
    fn from(target: Amount) -> Self {
        Self {
            target,
            soak: None,
            approval: false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.target)?;
        let soak = self
            .soak
            .map(|soak| format!("soak {}", write_duration(soak)));
        let approval = self.approval.then(|| "approval".to_owned());
        let more: Vec<String> = soak.into_iter().chain(approval).collect();
        if more.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", more.join(", "))
    }
}

/// A step in the ledger: the target alone where it says no more.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenStep {
    Target(Amount),
    Whole {
        target: Amount,
        #[serde(with = "optional_seconds")]
        soak: Option<Duration>,
        approval: bool,
    },
}

impl From<WrittenStep> for Step {
    fn from(written: WrittenStep) -> Self {
        match written {
            WrittenStep::Target(target) => target.into(),
            WrittenStep::Whole {
                target,
                soak,
                approval,
            } => Self {
                target,
                soak,
                approval,
            },
        }
    }
}

impl From<Step> for WrittenStep {
    fn from(step: Step) -> Self {
        if step == Step::from(step.target) {
            return Self::Target(step.target);
        }
        Self::Whole {
            target: step.target,
            soak: step.soak,
            approval: step.approval,
        }
    }
}

impl Provenance {
    /// Returns it for a value that a preset stands for.
    #[must_use]
    pub fn by_preset(&self, preset: &str) -> Self {
        match self {
            Self::Annotation(at) => Self::Annotation(format!("{at} (preset {preset})")),
            Self::File(at) => Self::File(format!("{at} (preset {preset})")),
            Self::GitSync | Self::Workload | Self::Default => self.clone(),
        }
    }
}

impl Policy {
    /// Says whether a person or the clock may have to let a batch open.
    #[must_use]
    pub fn asks_for_leave(&self) -> bool {
        let by_steps = match &self.batches {
            Batches::Own | Batches::Size(_) => false,
            Batches::Steps(steps) => steps.iter().any(|step| step.approval),
        };
        by_steps || self.approval != Approval::None || !self.windows.is_empty()
    }

    /// Returns what goes first; `None` where that is left to the workload's own strategy.
    #[must_use]
    pub fn order_in_force(&self) -> Option<Order> {
        let by_batches = match self.batches {
            Batches::Own => None,
            Batches::Size(_) | Batches::Steps(_) => Some(Order::SurgeFirst),
        };
        self.order.or(by_batches)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            strategy: Mode::Rolling,
            batches: Batches::Own,
            order: None,
            max_surge: None,
            soak: Duration::ZERO,
            monitor: Duration::from_secs(5),
            approval: Approval::None,
            windows: Vec::new(),
            on_failure: OnFailure::Pause,
            max_failure_ratio: 0.0,
            no_rollback_after: None,
            healthy_deadline: None,
            progress_deadline: None,
            rollback: GoingBack {
                max_surge: Amount::Percent(25),
                order: Order::SurgeFirst,
            },
            group: None,
            wave: 0,
            depends_on: Vec::new(),
        }
    }
}

/// Durations as seconds with fractions, for the ledger.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(in crate::policy) fn serialize<S: Serializer>(
        value: &Duration,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64())
    }

    pub(in crate::policy) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
    }
}

mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|duration| duration.as_secs_f64()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(from)?;
        seconds
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(D::Error::custom)
    }
}
