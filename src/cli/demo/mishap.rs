//! What befalls the cluster in mid-rollout, and how it is put right.

use std::time::Duration;

use super::paper::Mark;
use super::play::{Play, Scene};
use super::script::Mishap;
use super::shop::NAME;
use crate::cli::failure::Failure;
use crate::clock::since_boot;

/// How long the cluster is without an agent.
const ABSENCE: Duration = Duration::from_secs(5);
/// Pods of the new tag by which a rollout is in its second batch.
const UNDER_WAY: usize = 2;

/// How far the mishap of a step is.
pub(super) enum Blow {
    /// It has not come, or there is none.
    Spared,
    /// It came: when, since boot, and what it left.
    Struck(Duration, Wreck),
    /// It is overcome.
    Mended,
}

/// What a mishap left.
pub(super) enum Wreck {
    Node(String),
    NoAgent,
}

impl Play {
    /// Lets the mishap of a step come, or pass. Returns what did not happen as told.
    pub(super) fn befall(&mut self, index: usize) -> Result<Option<String>, Failure> {
        let (step, _) = &self.steps[index];
        let (Some(mishap), to) = (step.mishap, step.to.clone()) else {
            return Ok(None);
        };
        let Scene::Step(_, _, blow) = &self.scene else {
            return Ok(None);
        };
        let new = self.stage.witness.account().now.pods(&to);
        match blow {
            Blow::Spared if new >= UNDER_WAY => self.strike(mishap, &to).map(|()| None),
            Blow::Struck(at, Wreck::NoAgent) if since_boot() >= *at + self.speed.of(ABSENCE) => {
                self.replace_agent(new)
            }
            Blow::Spared | Blow::Struck(..) | Blow::Mended => Ok(None),
        }
    }

    fn strike(&mut self, mishap: Mishap, to: &str) -> Result<(), Failure> {
        let (words, wreck) = match mishap {
            Mishap::NodeLost => {
                let Some((node, pods)) = self.stage.node_with(to) else {
                    return Ok(());
                };
                self.stage.town.lose_node(&node);
                let words = format!("{node} is lost, with {pods} pods of {NAME} on it");
                (words, Wreck::Node(node))
            }
            Mishap::AgentKilled => {
                self.stage.kill_agent();
                let words = "the agent is killed, in the middle of a batch".to_owned();
                (words, Wreck::NoAgent)
            }
        };
        self.paper.tell(Mark::Failed, &words)?;
        self.bear(Blow::Struck(since_boot(), wreck));
        Ok(())
    }

    /// Starts another agent, so many pods being new by now. Returns what did not happen as told: the
    /// killed one's last word on it still holds.
    fn replace_agent(&mut self, new: usize) -> Result<Option<String>, Failure> {
        let allowed = self.eyes.as_ref().and_then(|eyes| {
            let mut rollouts = eyes.ledger.rollouts.iter();
            rollouts.find_map(|(id, kept)| (id.name == NAME).then_some(kept.target))
        });
        let allowed = allowed.map_or(0, |pods| usize::try_from(pods).unwrap_or(usize::MAX));
        // Fewer where it was killed before the write that its ledger allowed.
        if new > allowed {
            let words = format!("without an agent {allowed} pods were to be new, not {new}");
            return Ok(Some(words));
        }
        self.stage.start_agent()?;
        let words = format!(
            "nobody moved a pod meanwhile: {new} new ones, no more; another agent starts, and \
             waits for the Lease of the first"
        );
        self.paper.tell(Mark::Busy, &words)?;
        self.bear(Blow::Mended);
        Ok(None)
    }

    /// Puts right what a mishap left.
    pub(super) fn recover(&mut self) -> Result<(), Failure> {
        if let Scene::Step(_, _, Blow::Struck(_, Wreck::Node(node))) = &self.scene {
            self.stage.town.find_node(node);
            let words = format!("{node} is back, and its lost pods are gone");
            self.paper.tell(Mark::Done, &words)?;
        }
        Ok(())
    }

    fn bear(&mut self, new: Blow) {
        if let Scene::Step(_, _, blow) = &mut self.scene {
            *blow = new;
        }
    }
}
