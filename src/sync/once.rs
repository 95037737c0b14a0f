//! What one pass over everything came to, for `--once`.

use crate::status::{Verdict, verdict};

use super::app::App;

/// How a `GitSync` stands when nothing is left to do without someone doing something first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// `namespace/name`.
    pub gitsync: String,
    /// The fate of the tip; what kept the agent from having one.
    pub fate: Result<Verdict, String>,
}

impl App {
    /// Says whether nothing is left to do without someone doing something first. What was left by
    /// an earlier process counts only after a look at Git.
    pub(super) fn is_settled(&self) -> bool {
        let ledger = &self.book.ledger;
        let judged = ledger.tip.as_ref().is_none_or(|tip| tip.is_judged);
        let over = ledger.aim.as_ref().is_none_or(|aim| aim.is_done);
        let goes_back = ledger.goes_back();
        let stuck = !ledger.problems.is_empty() || ledger.pause.is_some() || self.is_stopped();
        self.has_fetched
            && !self.is_fetching
            && (ledger.tip.is_some() || stuck)
            && ((judged && over) || (stuck && !goes_back))
    }

    /// What the tip came to.
    pub(super) fn fate(&self) -> Result<Verdict, String> {
        let ledger = &self.book.ledger;
        if let Some(problem) = ledger.unreachable() {
            return Err(problem.message.clone());
        }
        let known = ledger.tip.as_ref();
        let fate = known.map(|tip| verdict(ledger, &tip.revision.id));
        match fate {
            Some(Verdict::Going | Verdict::Unseen) | None => {
                let problem = ledger.problems.first();
                let told = problem.map(|problem| problem.message.clone());
                Err(told.unwrap_or_else(|| "nothing could be brought about".to_owned()))
            }
            Some(fate) => Ok(fate),
        }
    }
}
