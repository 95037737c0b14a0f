//! What a pod does, as the image tag of its first container says: `shop/web:1.2` is healthy,
//! `shop/web:1.3-crash` crash-loops.
//!
//! | tag contains | the pod |
//! |---|---|
//! | `-slow` | is Ready after 3 s |
//! | `-never` | runs and never becomes Ready |
//! | `-flap` | is Ready and not Ready in turn, every second |
//! | `-pull` | waits: ErrImagePull, then ImagePullBackOff, `manifest unknown` |
//! | `-config` | waits: CreateContainerConfigError |
//! | `-crash` | waits: CrashLoopBackOff, with a growing restart count |
//! | `-needsenv` | crash-loops unless the container has the environment variable `FIXED` |
//! | `-needsmap` | crash-loops unless the ConfigMap `settings` says `fixed: "true"` when the pod starts |
//! | `-unschedulable` | finds no node |
//!
//! The pod of a Job succeeds, or fails where it would crash-loop.

use std::time::Duration;

/// From being bound to being Ready, for a healthy pod.
const START: Duration = Duration::from_millis(50);
/// The same for a slow one, from running on.
const SLOW_START: Duration = Duration::from_secs(3);
/// Between two states of a pod that flaps, and before an image pull backs off.
const BEAT: Duration = Duration::from_secs(1);
/// The longest that a crash-looping pod waits for its next start.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

/// From being deleted to being gone, whatever grace the pod asks for.
pub const GRACE: Duration = Duration::from_millis(50);

/// The ConfigMap, the key and the value that a pod with `-needsmap` asks for.
pub const SETTINGS: (&str, &str, &str) = ("settings", "fixed", "true");

/// What a pod does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// Becomes Ready.
    Healthy,
    /// Becomes Ready after 3 s.
    Slow,
    /// Runs and never becomes Ready.
    NeverReady,
    /// Is Ready and not Ready in turn.
    Flaps,
    /// Its image cannot be pulled.
    ImageMissing,
    /// Its container cannot be made.
    Misconfigured,
    /// Ends again and again.
    Crashes,
    /// Crashes without its settings ([`SETTINGS`]).
    NeedsSettings,
    /// No node takes it.
    Unschedulable,
}

impl Conduct {
    /// Reads it off the image of the first container and the names of its environment variables.
    #[must_use]
    pub fn of(image: &str, variables: &[&str]) -> Self {
        tag(image)
            .split('-')
            .skip(1)
            .find_map(|word| Self::said_by(word, variables))
            .unwrap_or(Self::Healthy)
    }

    fn said_by(word: &str, variables: &[&str]) -> Option<Self> {
        let conduct = match word {
            "slow" => Self::Slow,
            "never" => Self::NeverReady,
            "flap" => Self::Flaps,
            "pull" => Self::ImageMissing,
            "config" => Self::Misconfigured,
            "crash" => Self::Crashes,
            "needsenv" if variables.contains(&"FIXED") => Self::Healthy,
            "needsenv" => Self::Crashes,
            "needsmap" => Self::NeedsSettings,
            "unschedulable" => Self::Unschedulable,
            _ => return None,
        };
        Some(conduct)
    }

    /// Returns what becomes of a pod from the moment that it has a node. `has_settings` says
    /// whether the settings are there; `ends` whether its containers may end, as those of a Job.
    #[must_use]
    pub fn course(self, image: &str, has_settings: bool, ends: bool) -> Course {
        let conduct = match self {
            Self::NeedsSettings if has_settings => Self::Healthy,
            Self::NeedsSettings => Self::Crashes,
            other => other,
        };
        Course {
            conduct,
            ends,
            image: image.to_owned(),
            turns: 0,
        }
    }
}

/// What a kubelet says of the containers of a pod. Only the first container has a say of its own;
/// all others run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// All run; the first is Ready or not.
    Running {
        /// Whether the pod is Ready.
        is_ready: bool,
    },
    /// The first cannot be started.
    Waiting {
        /// As in the status: `ImagePullBackOff`.
        reason: &'static str,
        /// What people read.
        message: String,
    },
    /// The first has ended with an error and been started again so many times.
    CrashLoop {
        /// The restart count.
        restarts: u32,
    },
    /// The first has ended for good.
    Ended {
        /// 0 for success.
        exit_code: u8,
    },
}

impl Look {
    /// Returns reason and message of the Event by which a kubelet complains of it, about the
    /// container and the pod of these names; `None` where all is well.
    #[must_use]
    pub fn complaint(&self, container: &str, pod: &str) -> Option<(&'static str, String)> {
        match self {
            Self::Running { is_ready: false } => {
                let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
                Some(("Unhealthy", message.to_owned()))
            }
            Self::Waiting { reason, message } if *reason == "ImagePullBackOff" => {
                Some(("BackOff", message.clone()))
            }
            Self::Waiting { message, .. } => Some(("Failed", format!("Error: {message}"))),
            Self::CrashLoop { .. } => Some((
                "BackOff",
                format!("Back-off restarting failed container {container} in pod {pod}"),
            )),
            Self::Running { is_ready: true } | Self::Ended { .. } => None,
        }
    }
}

/// One thing that a kubelet reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// How long after the one before it.
    pub after: Duration,
    /// What it says.
    pub look: Look,
}

/// What becomes of a pod, turn by turn; it comes to rest where there are no more.
#[derive(Debug, Clone)]
pub struct Course {
    conduct: Conduct,
    ends: bool,
    image: String,
    turns: u32,
}

impl Iterator for Course {
    type Item = Turn;

    fn next(&mut self) -> Option<Turn> {
        let turn = self.turns;
        self.turns += 1;
        let ready = |is_ready| Look::Running { is_ready };
        let (after, look) = match (self.conduct, turn) {
            (Conduct::Unschedulable, _) => return None,
            (_, 1..) if self.ends => return None,
            (conduct, 0) if self.ends => {
                let exit_code = u8::from(conduct == Conduct::Crashes);
                (START, Look::Ended { exit_code })
            }
            (Conduct::Flaps, 0) => (START, ready(true)),
            (Conduct::Flaps, turn) => (BEAT, ready(turn.is_multiple_of(2))),
            (Conduct::Crashes, turn) => {
                let restarts = turn + 1;
                (back_off(turn), Look::CrashLoop { restarts })
            }
            (Conduct::Healthy | Conduct::NeedsSettings, 0) => (START, ready(true)),
            (Conduct::NeverReady | Conduct::Slow, 0) => (START, ready(false)),
            (Conduct::Slow, 1) => (SLOW_START, ready(true)),
            (Conduct::ImageMissing, 0) => (START, self.cannot_pull()),
            (Conduct::ImageMissing, 1) => (BEAT, self.backs_off()),
            (Conduct::Misconfigured, 0) => (START, misses_its_settings()),
            (
                Conduct::Healthy
                | Conduct::NeedsSettings
                | Conduct::NeverReady
                | Conduct::Slow
                | Conduct::ImageMissing
                | Conduct::Misconfigured,
                1..,
            ) => return None,
        };
        Some(Turn { after, look })
    }
}

impl Course {
    fn pull_error(&self) -> String {
        let image = &self.image;
        format!(
            "failed to pull and unpack image {image:?}: failed to resolve reference {image:?}: \
             unexpected status from HEAD request: 404 Not Found: manifest unknown"
        )
    }

    fn cannot_pull(&self) -> Look {
        Look::Waiting {
            reason: "ErrImagePull",
            message: self.pull_error(),
        }
    }

    fn backs_off(&self) -> Look {
        let (image, error) = (&self.image, self.pull_error());
        Look::Waiting {
            reason: "ImagePullBackOff",
            message: format!("Back-off pulling image {image:?}: ErrImagePull: {error}"),
        }
    }
}

fn misses_its_settings() -> Look {
    Look::Waiting {
        reason: "CreateContainerConfigError",
        message: "configmap \"absent\" not found".to_owned(),
    }
}

/// The wait before the restart after so many: it doubles from a beat to the longest.
fn back_off(turn: u32) -> Duration {
    match turn {
        0 => START,
        turn => (BEAT * 2_u32.saturating_pow(turn.min(8) - 1)).min(LONGEST_BACK_OFF),
    }
}

/// Returns the tag of an image, empty where it has none.
#[must_use]
pub fn tag(image: &str) -> &str {
    let named = image.split('@').next().unwrap_or(image);
    named
        .rsplit_once(':')
        .map(|(_, tag)| tag)
        .filter(|tag| !tag.contains('/'))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first turns of an image, in milliseconds and in short.
    fn turns(image: &str, ends: bool) -> Vec<(u128, String)> {
        let course = Conduct::of(image, &[]).course(image, false, ends);
        let told = |look| match look {
            Look::Running { is_ready: true } => "ready".to_owned(),
            Look::Running { is_ready: false } => "running".to_owned(),
            Look::Waiting { reason, .. } => reason.to_owned(),
            Look::CrashLoop { restarts } => format!("restart {restarts}"),
            Look::Ended { exit_code } => format!("exit {exit_code}"),
        };
        let first = course.take(6);
        first
            .map(|turn| (turn.after.as_millis(), told(turn.look)))
            .collect()
    }

    fn told(turns: &[(u128, &str)]) -> Vec<(u128, String)> {
        let owned = turns
            .iter()
            .map(|(after, look)| (*after, (*look).to_owned()));
        owned.collect()
    }

    #[test]
    fn the_tag_is_neither_a_port_nor_a_digest() {
        assert_eq!(tag("registry:5000/shop/web:1.2-crash"), "1.2-crash");
        assert_eq!(tag("registry:5000/shop/web"), "");
        assert_eq!(tag("shop/web:1.2@sha256:0af1"), "1.2");
    }

    #[test]
    fn the_first_word_of_the_tag_that_means_something_counts() {
        assert_eq!(Conduct::of("web:slow", &[]), Conduct::Healthy);
        assert_eq!(Conduct::of("web:1-rc1-slow-crash", &[]), Conduct::Slow);
        assert_eq!(Conduct::of("web:1-needsenv", &["FIXED"]), Conduct::Healthy);
        assert_eq!(Conduct::of("web:1-needsenv", &["OTHER"]), Conduct::Crashes);
    }

    #[test]
    fn each_tag_has_its_course() {
        assert_eq!(turns("web:1", false), told(&[(50, "ready")]));
        let slow = [(50, "running"), (3000, "ready")];
        assert_eq!(turns("web:1-slow", false), told(&slow));
        assert_eq!(turns("web:1-never", false), told(&[(50, "running")]));
        let pull = [(50, "ErrImagePull"), (1000, "ImagePullBackOff")];
        assert_eq!(turns("web:1-pull", false), told(&pull));
        let config = [(50, "CreateContainerConfigError")];
        assert_eq!(turns("web:1-config", false), told(&config));
        let flap = turns("web:1-flap", false);
        assert_eq!(
            flap[..3],
            told(&[(50, "ready"), (1000, "running"), (1000, "ready")])
        );
        assert_eq!(turns("web:1-unschedulable", false), []);
    }

    #[test]
    fn a_crash_loop_backs_off_up_to_ten_seconds() {
        let waits: Vec<u128> = turns("web:1-crash", false)
            .iter()
            .map(|(w, _)| *w)
            .collect();
        assert_eq!(waits, [50, 1000, 2000, 4000, 8000, 10_000]);
        assert_eq!(turns("web:1-crash", false)[5].1, "restart 6");
    }

    #[test]
    fn a_kubelet_complains_of_what_is_not_well() {
        let complaints = |image: &str| -> Vec<&'static str> {
            let course = Conduct::of(image, &[]).course(image, false, false);
            let complaints = course.take(2);
            complaints
                .filter_map(|turn| turn.look.complaint("web", "web-1_shop"))
                .map(|(reason, _)| reason)
                .collect()
        };
        assert!(complaints("web:1").is_empty());
        assert_eq!(complaints("web:1-slow"), ["Unhealthy"]);
        assert_eq!(complaints("web:1-pull"), ["Failed", "BackOff"]);
        assert_eq!(complaints("web:1-crash"), ["BackOff", "BackOff"]);
    }

    #[test]
    fn the_pod_of_a_job_ends_once() {
        assert_eq!(turns("web:1", true), told(&[(50, "exit 0")]));
        assert_eq!(turns("web:1-crash", true), told(&[(50, "exit 1")]));
    }

    #[test]
    fn settings_decide_when_the_pod_starts() {
        let course = |has_settings| {
            let conduct = Conduct::of("web:1-needsmap", &[]);
            conduct.course("web:1-needsmap", has_settings, false).next()
        };
        let ready = Look::Running { is_ready: true };
        assert_eq!(course(true).map(|turn| turn.look), Some(ready));
        let crash = Look::CrashLoop { restarts: 1 };
        assert_eq!(course(false).map(|turn| turn.look), Some(crash));
    }
}
