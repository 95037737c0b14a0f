//! Plays the steps: does what is next, waits for what must come of it, and tells it.

use std::time::Duration;

use super::drift::Drift;
use super::keys::{Key, Keys};
use super::loss::Loss;
use super::mishap::Blow;
use super::paper::{Mark, Paper};
use super::promise::{Known, Standing, judge};
use super::script::Step;
use super::shop::{NAME, PODS};
use super::stage::{Speed, Stage};
use crate::cli::failure::Failure;
use crate::cli::live::Eyes;
use crate::clock::{now, since_boot};
use crate::revision::{CommitId, Revision};
use crate::status::{Picture, Verdict, verdict};

/// Time between two frames.
const FRAME: Duration = Duration::from_millis(200);
/// The longest that the first commit, or a step, may take; what fails is known much earlier.
const PATIENCE: Duration = Duration::from_mins(3);
/// Time to read what was told before the next step is played.
const REST: Duration = Duration::from_secs(3);

/// How the demo has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Everything was played and happened as told, or the user has left.
    Well,
    /// Something did not happen.
    Badly,
}

/// One performance.
pub(super) struct Play {
    pub(super) stage: Stage,
    pub(super) paper: Paper,
    pub(super) keys: Keys,
    pub(super) speed: Speed,
    pub(super) is_auto: bool,
    pub(super) steps: Vec<(Step, Mark)>,
    pub(super) eyes: Option<Eyes>,
    pub(super) scene: Scene,
    /// When the scene began, since boot.
    since: Duration,
    /// The newest commit that was taken notice of.
    pub(super) tip: Option<CommitId>,
    /// The tag that it says.
    pub(super) said: Option<String>,
    pub(super) has_failed: bool,
    /// What is gone of what is looked at.
    pub(super) loss: Option<Loss>,
    pub(super) drift: Drift,
}

/// What is going on.
pub(super) enum Scene {
    /// The first commit is brought about.
    Opening,
    /// Nothing; the next step may begin.
    Rest,
    /// A step, with its commit where it is one.
    Step(usize, Option<Revision>, Blow),
}

impl Play {
    pub(super) fn new(
        stage: Stage,
        paper: Paper,
        keys: Keys,
        steps: Vec<Step>,
        (speed, is_auto): (Speed, bool),
    ) -> Self {
        Self {
            stage,
            paper,
            keys,
            speed,
            is_auto,
            steps: steps.into_iter().map(|step| (step, Mark::Ahead)).collect(),
            eyes: None,
            scene: Scene::Opening,
            since: since_boot(),
            tip: None,
            said: None,
            has_failed: false,
            loss: None,
            drift: Drift::default(),
        }
    }

    /// Plays until everything was played or the user leaves.
    ///
    /// # Errors
    /// Where the simulation itself, or the terminal, fails.
    pub(super) async fn run(&mut self) -> Result<Ended, Failure> {
        self.stage.start_agent()?;
        loop {
            let frame = tokio::time::Instant::now() + FRAME;
            let picture = self.look().await?;
            self.tell_drift(picture.as_ref()).await?;
            let (marks, foot) = (self.marks(), self.foot(picture.as_ref())?);
            self.paper.show(picture.as_ref(), &marks, &foot)?;
            if let Some(ended) = self.turn(picture.as_ref()).await? {
                self.paper.close()?;
                return Ok(ended);
            }
            tokio::time::sleep_until(frame).await;
        }
    }

    /// Ends agent and cluster, and gives the terminal back.
    pub(super) async fn end(self, is_hurried: bool) {
        let Self { stage, keys, .. } = self;
        drop(keys);
        stage.end(is_hurried).await;
    }

    /// Looks at the cluster as any user does; `None` while there is nothing to see.
    async fn look(&mut self) -> Result<Option<Picture>, Failure> {
        if let Some(agent) = &mut self.stage.agent
            && let Some(why) = agent.ended().await
        {
            return Err(Failure::AgentEnded(why));
        }
        let look = match &mut self.eyes {
            Some(eyes) => eyes.look(now()).await.map(Some),
            None => match self.stage.app().await {
                Ok(None) if self.loss.is_some() => Err(Failure::NoSuchApp(NAME.to_owned())),
                Ok(found) => {
                    self.eyes = found.map(Eyes::new);
                    Ok(None)
                }
                Err(failure) => Err(failure),
            },
        };
        match look {
            Ok(picture) => {
                if picture.is_some() {
                    self.find()?;
                }
                Ok(picture)
            }
            Err(Failure::Refused(refusal)) if refusal.is_transient() => Ok(None),
            Err(failure @ (Failure::NoSuchApp(_) | Failure::Ledger { .. })) => {
                self.lose(&failure).await?;
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Goes on as far as things are; says how it ended where it did.
    async fn turn(&mut self, picture: Option<&Picture>) -> Result<Option<Ended>, Failure> {
        let is_asked = matches!(self.scene, Scene::Rest);
        let key = self.keys.next(is_asked);
        if key == Some(Key::Quit) {
            return Ok(Some(Ended::Well));
        }
        if is_asked && key.is_none() && self.keys.have_run_out() {
            let words = "the input has ended, and so does the demo";
            self.paper.tell(Mark::Done, words)?;
            return Ok(Some(self.ended()));
        }
        match self.scene {
            Scene::Opening => self.open(picture),
            Scene::Rest => self.rest(key).await,
            Scene::Step(index, ..) => self.go_on(index, picture).await,
        }
    }

    /// Waits for the first commit.
    fn open(&mut self, picture: Option<&Picture>) -> Result<Option<Ended>, Failure> {
        let tip = self.stage.worktree.tip()?;
        let (Some(first), Some(eyes), Some(picture)) = (tip, &self.eyes, picture) else {
            return self.late("the agent to begin");
        };
        let ready = self.stage.witness.account().now.ready("1.0");
        match verdict(&eyes.ledger, &first.id) {
            Verdict::Done(_) if ready == PODS => {
                let (ready, all) = picture.ready();
                let words = format!(
                    "{} \"{}\" is installed: {ready} of {all} pods are ready",
                    first.id.short(),
                    first.subject
                );
                self.paper.tell(Mark::Done, &words)?;
                self.tip = Some(first.id);
                self.said = self.stage.tag()?;
                self.rest_now();
                Ok(None)
            }
            Verdict::Failed(why) | Verdict::Waiting(_, why) => self.broken(&why),
            Verdict::Done(_) | Verdict::Going | Verdict::Superseded | Verdict::Unseen => {
                self.late("the first commit to be installed")
            }
        }
    }

    /// Begins the next step where it is time, or where the user has begun it.
    async fn rest(&mut self, key: Option<Key>) -> Result<Option<Ended>, Failure> {
        let next = self.steps.iter().position(|(_, mark)| *mark == Mark::Ahead);
        if self.is_auto {
            if since_boot() < self.since + self.speed.of(REST) {
                return Ok(None);
            }
            return match next {
                Some(next) => self.begin(next).await,
                None => Ok(Some(self.ended())),
            };
        }
        if let Some(next) = next
            && self.has_begun(next)?
        {
            return Ok(None);
        }
        match (key, next) {
            (Some(Key::Enter), Some(next)) => self.begin(next).await,
            (Some(Key::Enter | Key::Quit) | None, _) => Ok(None),
        }
    }

    /// Goes on with a step: its mishap, and what must come of it.
    async fn go_on(
        &mut self,
        index: usize,
        picture: Option<&Picture>,
    ) -> Result<Option<Ended>, Failure> {
        if let Some(what) = self.befall(index)? {
            return self.broken(&what);
        }
        let (Some(eyes), Some(picture)) = (&self.eyes, picture) else {
            return self.late("the ledger to be read");
        };
        let Scene::Step(_, commit, blow) = &self.scene else {
            return Ok(None);
        };
        let account = self.stage.witness.account();
        let tip = self.stage.worktree.tip()?.map(|tip| tip.id);
        let known = Known {
            ledger: &eyes.ledger,
            picture,
            account: &account,
            commit: commit.as_ref(),
            tip: tip.as_ref(),
        };
        let step = &self.steps[index].0;
        let is_unharmed = step.mishap.is_some() && matches!(blow, Blow::Spared);
        match judge(step, &known) {
            Standing::Kept(_) if is_unharmed => {
                self.broken("the rollout was over before anything befell it")
            }
            Standing::Kept(words) => {
                self.steps[index].1 = Mark::Done;
                self.paper.tell(Mark::Done, &words)?;
                self.recover()?;
                self.rest_now();
                Ok(None)
            }
            Standing::Open(what) => self.late(&what),
            Standing::Broken(why) => self.broken(&why),
        }
    }

    /// How it ends if it ends now.
    fn ended(&self) -> Ended {
        if self.has_failed {
            Ended::Badly
        } else {
            Ended::Well
        }
    }

    pub(super) fn enter(&mut self, index: usize, commit: Option<Revision>) {
        self.steps[index].1 = Mark::Busy;
        self.scene = Scene::Step(index, commit, Blow::Spared);
        self.since = since_boot();
    }

    fn rest_now(&mut self) {
        self.scene = Scene::Rest;
        self.since = since_boot();
        self.stage.witness.begin();
    }

    /// Waits on, unless it was too long.
    fn late(&mut self, what: &str) -> Result<Option<Ended>, Failure> {
        if since_boot() < self.since + PATIENCE {
            return Ok(None);
        }
        self.broken(&format!("waited in vain for {what}"))
    }

    /// Tells what did not happen. Nothing more is played by itself.
    pub(super) fn broken(&mut self, why: &str) -> Result<Option<Ended>, Failure> {
        if let Scene::Step(index, ..) = &self.scene {
            self.steps[*index].1 = Mark::Failed;
        }
        let words = format!("this did not happen as told: {why}");
        self.paper.tell(Mark::Failed, &words)?;
        self.has_failed = true;
        self.recover()?;
        self.rest_now();
        Ok(self.is_auto.then_some(Ended::Badly))
    }

    fn marks(&self) -> Vec<(&'static str, Mark)> {
        let marks = self.steps.iter().map(|(step, mark)| (step.title, *mark));
        marks.collect()
    }
}
