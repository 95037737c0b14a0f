//! What the user may take away from under the demo: the namespace, or the agent's ledger.

use super::paper::Mark;
use super::play::{Play, Scene};
use super::shop::{NAME, NAMESPACE};
use crate::cli::failure::Failure;
use crate::object::ObjectId;

/// What is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The namespace, with all that was in it.
    Namespace,
    /// The agent's records of it.
    Ledger,
    /// They are there and cannot be used; why.
    Unreadable(String),
}

impl Loss {
    /// Says what is gone, and how it goes on.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Namespace => format!(
                "the namespace {NAMESPACE} was deleted, and everything in it; after `kubectl create \
                 namespace {NAMESPACE}` the agent installs what Git says"
            ),
            Self::Ledger => format!(
                "the agent's ledger of {NAME} was deleted; the agent writes it again with the next \
                 change, a commit or one past Git"
            ),
            Self::Unreadable(why) => why.clone(),
        }
    }
}

impl Play {
    /// Tells what is gone, once; a step that rested on it cannot be judged any more.
    pub(super) async fn lose(&mut self, failure: &Failure) -> Result<(), Failure> {
        self.eyes = None;
        let loss = match failure {
            Failure::NoSuchApp(_) if self.is_namespace_gone().await => Loss::Namespace,
            Failure::NoSuchApp(_) => Loss::Ledger,
            other => Loss::Unreadable(other.to_string()),
        };
        // What was deleted a moment ago may still be half there.
        let is_known = matches!(
            (&self.loss, &loss),
            (Some(Loss::Namespace), _) | (Some(Loss::Ledger), Loss::Ledger)
        );
        if is_known || self.loss.as_ref() == Some(&loss) {
            return Ok(());
        }
        self.paper.tell(Mark::Failed, &loss.words())?;
        self.loss = Some(loss);
        if matches!(self.scene, Scene::Step(..)) {
            self.broken("the records of this step are gone")?;
        }
        Ok(())
    }

    /// Tells that there is something to look at again.
    pub(super) fn find(&mut self) -> Result<(), Failure> {
        if self.loss.take().is_none() {
            return Ok(());
        }
        let words = "the agent has its records again, and does what Git says";
        self.paper.tell(Mark::Done, words)
    }

    async fn is_namespace_gone(&self) -> bool {
        let id = ObjectId {
            group: String::new(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: NAMESPACE.to_owned(),
        };
        match self.stage.cluster.get("v1", &id).await {
            Ok(Some(namespace)) => namespace.is_terminating(),
            Ok(None) => true,
            Err(_) => false,
        }
    }
}
