//! What is done, by the demo or by the user's own hands: each step as the repository is by then.

use super::paper::Mark;
use super::play::{Ended, Play};
use super::script::{Act, Step};
use super::shop::{FILE, retagged};
use crate::cli::failure::Failure;
use crate::git::GitFault;
use crate::revision::Revision;

/// What came of doing a step.
enum Deed {
    /// It is done, with its commit where it is one.
    Done(Step, Option<Revision>),
    /// It cannot be done, or not be judged; why.
    Undone(String),
}

impl Play {
    /// Takes notice where the user has done a step by hand.
    pub(super) fn has_begun(&mut self, index: usize) -> Result<bool, Failure> {
        let step = self.steps[index].0.clone();
        if step.act == Act::SetImage {
            let wanted = self.stage.witness.account().now.wanted;
            let has_begun = wanted.as_ref() == Some(&step.to);
            if has_begun {
                self.enter(index, None);
            }
            return Ok(has_begun);
        }
        let tip = self.stage.worktree.tip()?;
        let Some(tip) = tip.filter(|tip| self.tip.as_ref() != Some(&tip.id)) else {
            return Ok(false);
        };
        let before = std::mem::replace(&mut self.said, self.stage.tag()?);
        self.tip = Some(tip.id.clone());
        let is_it = self.said.as_ref() == Some(&step.to) && before != self.said;
        let words = format!("you committed {} \"{}\"", tip.id.short(), tip.subject);
        self.paper.tell(Mark::Busy, &words)?;
        if is_it {
            self.follow(index, step.begun_at(before), Some(tip));
        }
        Ok(is_it)
    }

    /// Does a step, and tells what a person would have typed.
    pub(super) async fn begin(&mut self, index: usize) -> Result<Option<Ended>, Failure> {
        self.stage.witness.begin();
        let done = match self.act(index).await {
            Ok(done) => done,
            // The user's own changes are in the way; it is for the user to say what becomes of them.
            Err(Failure::Worktree(
                fault @ (GitFault::Worktree { .. } | GitFault::Revert { .. }),
            )) => {
                self.paper.tell(Mark::Failed, &fault.to_string())?;
                self.has_failed = true;
                return Ok(self.is_auto.then_some(Ended::Badly));
            }
            Err(Failure::Refused(refusal)) => Deed::Undone(refusal.to_string()),
            Err(failure) => return Err(failure),
        };
        match done {
            Deed::Done(step, commit) => {
                for command in step.commands() {
                    self.paper.tell(Mark::Typed, &command)?;
                }
                self.follow(index, step, commit);
                Ok(None)
            }
            Deed::Undone(why) => {
                self.enter(index, None);
                self.broken(&why)
            }
        }
    }

    /// Does what a person would do.
    async fn act(&mut self, index: usize) -> Result<Deed, Failure> {
        let worktree = &self.stage.worktree;
        let step = match self.steps[index]
            .0
            .in_repository(self.stage.tag()?.as_deref())
        {
            Ok(step) => step,
            Err(why) => return Ok(Deed::Undone(why)),
        };
        let commit = match step.act {
            Act::Commit => {
                let file = worktree.file(FILE)?.unwrap_or_default();
                let file = retagged(&file, &step.to);
                Some(worktree.commit(&step.subject(), &[(FILE, &file)])?)
            }
            Act::Revert => match worktree.tip()? {
                Some(tip) => Some(worktree.revert(&tip.id)?),
                None => return Ok(Deed::Undone("there is no commit to revert".to_owned())),
            },
            Act::SetImage => {
                self.stage.set_image(&step.to).await?;
                return Ok(Deed::Done(step, None));
            }
        };
        self.tip = commit.as_ref().map(|commit| commit.id.clone());
        self.said = self.stage.tag()?;
        Ok(match &self.said {
            Some(said) => Deed::Done(step.with_outcome(said), commit),
            None => Deed::Undone(format!("after that revert {FILE} has no image to watch")),
        })
    }

    /// Watches what comes of a step; the revert after it leads back to where it began.
    fn follow(&mut self, index: usize, step: Step, commit: Option<Revision>) {
        if let Some((revert, _)) = self.steps.get_mut(index + 1)
            && revert.act == Act::Revert
        {
            *revert = revert.clone().with_outcome(&step.from);
        }
        self.steps[index].0 = step;
        self.enter(index, commit);
    }
}
