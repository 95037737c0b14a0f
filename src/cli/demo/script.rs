//! What is played: steps, each with what a person would type and what must come of it.

use clap::ValueEnum;

use super::shop::{FILE, NAME};

/// What the whole demo is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// A good commit rolls out in batches.
    Good,
    /// An image that does not exist; the agent goes back by itself.
    BadImage,
    /// Pods that crash; they are held until the commit is reverted.
    CrashLoop,
    /// Pods that take their time; each batch waits for its own.
    SlowStart,
    /// Pods that become ready and lose it again; the agent goes back by itself.
    Flapping,
    /// A node is lost in mid-rollout.
    NodeLoss,
    /// The agent is killed in mid-rollout, and another one takes over.
    AgentCrash,
    /// Someone changes the image by hand, past Git; it is taken back.
    Drift,
}

/// One thing that is done, by Enter or by the user's own hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// In a few words: `a good commit`.
    pub(super) title: &'static str,
    pub(super) act: Act,
    /// The image's tag in the repository before it.
    pub(super) from: String,
    /// The tag that it asks for.
    pub(super) to: String,
    pub(super) promise: Promise,
    pub(super) mishap: Option<Mishap>,
    /// What there is to see meanwhile.
    pub(super) tale: String,
}

/// How a step is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The tag is changed in Git.
    Commit,
    /// The newest commit is reverted.
    Revert,
    /// The tag is changed in the cluster, past Git.
    SetImage,
}

/// What must come of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// The commit rolls out in all its batches.
    RollsOut,
    /// It fails in its first batch, and is held with one pod of it.
    IsHeld,
    /// It fails in its first batch, and the agent goes back.
    GoesBack,
    /// What the commit before it did is undone.
    IsUndone,
    /// What was changed past Git is as Git says again.
    IsTakenBack,
}

/// What befalls the cluster in mid-rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    NodeLost,
    AgentKilled,
}

impl Step {
    /// Returns the lines that a person types for it, in the repository.
    pub(super) fn commands(&self) -> Vec<String> {
        let Self { from, to, .. } = self;
        match self.act {
            Act::Commit => vec![
                format!("sed -i s/web:{from}/web:{to}/ web.yaml"),
                format!("git commit -qam \"{}\"", self.subject()),
            ],
            Act::Revert => vec!["git revert --no-edit HEAD".to_owned()],
            Act::SetImage => vec![format!(
                "kubectl set image deployment/web web=shop/web:{to}"
            )],
        }
    }

    /// Returns it as it is in a repository that says this tag; why it cannot be done where it cannot.
    pub(super) fn in_repository(&self, said: Option<&str>) -> Result<Self, String> {
        let Some(said) = said else {
            return Err(format!(
                "{FILE} has no image shop/{NAME} any more, so there is no tag to change"
            ));
        };
        if self.act != Act::Revert && said == self.to {
            return Err(format!("{FILE} says {NAME}:{said} already"));
        }
        Ok(Self {
            from: said.to_owned(),
            ..self.clone()
        })
    }

    /// Returns it as one that began with this tag, where there was one.
    pub(super) fn begun_at(self, before: Option<String>) -> Self {
        let from = before.unwrap_or_else(|| self.from.clone());
        Self { from, ..self }
    }

    /// Returns it with the tag that its commit has brought.
    pub(super) fn with_outcome(self, said: &str) -> Self {
        if self.to == said {
            return self;
        }
        Self {
            to: said.to_owned(),
            tale: format!(
                "Git says {said} again: back at once if that ran on all pods before, else in batches"
            ),
            ..self
        }
    }

    /// Returns the subject of its commit.
    pub(super) fn subject(&self) -> String {
        let version = self.to.split('-').next().unwrap_or(&self.to);
        format!("web {version}")
    }
}

/// Returns the steps of a scenario, without one those of the whole tour.
pub(super) fn script(scenario: Option<Scenario>) -> Vec<Step> {
    let Some(scenario) = scenario else {
        return vec![
            good("1.0", "1.1"),
            crash("1.1", "1.2-crash"),
            revert("1.2-crash", "1.1"),
        ];
    };
    match scenario {
        Scenario::Good => vec![good("1.0", "1.1")],
        Scenario::BadImage => vec![
            Step {
                title: "an image that does not exist",
                promise: Promise::GoesBack,
                tale: "the pull may yet succeed: the agent gives it 20 seconds, then goes back"
                    .to_owned(),
                ..good("1.0", "1.1-pull")
            },
            revert("1.1-pull", "1.0"),
        ],
        Scenario::CrashLoop => vec![crash("1.0", "1.1-crash"), revert("1.1-crash", "1.0")],
        Scenario::SlowStart => vec![Step {
            title: "pods that start slowly",
            tale: "each pod takes three seconds longer, and each batch waits for its own"
                .to_owned(),
            ..good("1.0", "1.1-slow")
        }],
        Scenario::Flapping => vec![
            Step {
                title: "pods that flap",
                promise: Promise::GoesBack,
                tale: "ready, not ready, ready: nothing that soaks, so the agent goes back"
                    .to_owned(),
                ..good("1.0", "1.1-flap")
            },
            revert("1.1-flap", "1.0"),
        ],
        Scenario::NodeLoss => vec![Step {
            title: "a node is lost in mid-rollout",
            mishap: Some(Mishap::NodeLost),
            tale: "lost pods speak for no commit and against none; they are replaced".to_owned(),
            ..good("1.0", "1.1")
        }],
        Scenario::AgentCrash => vec![Step {
            title: "the agent is killed in mid-rollout",
            mishap: Some(Mishap::AgentKilled),
            tale: "without an agent the pods stay where they are; the next one goes on from there"
                .to_owned(),
            ..good("1.0", "1.1")
        }],
        Scenario::Drift => vec![Step {
            title: "a change past Git",
            act: Act::SetImage,
            promise: Promise::IsTakenBack,
            tale: "what Git does not say is taken back; pods it had not reached stay".to_owned(),
            ..good("1.0", "9.9")
        }],
    }
}

/// Returns what the policy of a scenario says about failures.
pub(super) const fn on_failure(scenario: Option<Scenario>) -> &'static str {
    match scenario {
        Some(Scenario::BadImage | Scenario::Flapping) => "Rollback",
        None
        | Some(
            Scenario::Good
            | Scenario::CrashLoop
            | Scenario::SlowStart
            | Scenario::NodeLoss
            | Scenario::AgentCrash
            | Scenario::Drift,
        ) => "Pause",
    }
}

fn good(from: &str, to: &str) -> Step {
    Step {
        title: "a good commit",
        act: Act::Commit,
        from: from.to_owned(),
        to: to.to_owned(),
        promise: Promise::RollsOut,
        mishap: None,
        tale: "each batch is proven healthy before the next one opens".to_owned(),
    }
}

fn crash(from: &str, to: &str) -> Step {
    Step {
        title: "a broken one",
        promise: Promise::IsHeld,
        tale: "one pod is tried first; all others go on serving".to_owned(),
        ..good(from, to)
    }
}

fn revert(from: &str, to: &str) -> Step {
    Step {
        title: "a revert",
        act: Act::Revert,
        promise: Promise::IsUndone,
        tale: "what ran before is known to be good: back at once, without trying it again"
            .to_owned(),
        ..good(from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_begins_where_the_one_before_it_ended() {
        let scenarios = Scenario::value_variants().iter().copied().map(Some);
        for scenario in scenarios.chain([None]) {
            let mut tag = "1.0".to_owned();
            for step in script(scenario) {
                assert_eq!(step.from, tag, "{scenario:?}: {}", step.title);
                tag = step.to;
            }
        }
    }

    #[test]
    fn a_step_is_that_of_the_repository_as_it_is() {
        let broken = &script(None)[1];
        let step = broken.in_repository(Some("2.0")).unwrap();
        assert_eq!(
            step.commands(),
            [
                "sed -i s/web:2.0/web:1.2-crash/ web.yaml",
                "git commit -qam \"web 1.2\"",
            ]
        );
        let again = broken.in_repository(Some("1.2-crash"));
        assert_eq!(again, Err("web.yaml says web:1.2-crash already".to_owned()));
        assert!(broken.in_repository(None).is_err());
        let revert = script(None)[2].in_repository(Some("1.2-crash")).unwrap();
        assert_eq!(revert.clone().with_outcome("1.1"), revert);
        let other = revert.with_outcome("2.0");
        assert_eq!(other.to, "2.0");
        assert!(other.tale.contains("else in batches"), "{}", other.tale);
    }

    #[test]
    fn the_commands_are_what_a_person_would_type() {
        let commands: Vec<String> = script(None).iter().flat_map(Step::commands).collect();
        assert_eq!(
            commands,
            [
                "sed -i s/web:1.0/web:1.1/ web.yaml",
                "git commit -qam \"web 1.1\"",
                "sed -i s/web:1.1/web:1.2-crash/ web.yaml",
                "git commit -qam \"web 1.2\"",
                "git revert --no-edit HEAD",
            ]
        );
        for command in commands {
            assert!(command.len() <= 54, "{command} is too long for 60 columns");
        }
    }
}
