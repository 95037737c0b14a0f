//! All that is wrong with a commit, in the files and by the API server, where it is written.

use crate::ledger::Trouble;
use crate::manifest;
use crate::revision::{CommitId, Fault};

use super::BookFault;
use super::app::App;
use super::judging::Examined;
use super::probing::{ProbeFault, Wrong};
use super::reading::{Unsound, lines};
use super::rejection::Refused;
use super::stack::on_deep_stack;

impl App {
    /// Returns the faults of the files and those that the API server finds in the rest, sorted by
    /// place. What may be missing only because its file could not be read is no fault, and an API
    /// server that cannot say now keeps nobody from hearing of the files.
    pub(super) async fn faults_of(&mut self, commit: &CommitId, unsound: Unsound) -> Vec<Fault> {
        let mut faults = unsound.faults;
        let Err(refused) = self.probe_all(&unsound.sound).await else {
            return faults;
        };
        let mut wrongs = Vec::new();
        for fault in refused {
            match fault {
                ProbeFault::Commit(wrong) if wrong.needs_another => {}
                ProbeFault::Commit(wrong) => wrongs.push(wrong),
                ProbeFault::Owned(fault) | ProbeFault::Shared(fault, _) => faults.push(fault),
                ProbeFault::Cluster(_) => {}
            }
        }
        faults.append(&mut self.placed(commit, wrongs).await);
        faults.sort();
        faults
    }

    /// All faults that the API server finds; where it could not say, its refusal.
    pub(super) async fn sorted(
        &self,
        commit: &CommitId,
        faults: Vec<ProbeFault>,
    ) -> Result<Examined, BookFault> {
        let (mut wrongs, mut owned, mut shared) = (Vec::new(), Vec::new(), Vec::new());
        let mut contests = Vec::new();
        for fault in faults {
            match fault {
                ProbeFault::Commit(wrong) => wrongs.push(wrong),
                ProbeFault::Owned(fault) => owned.push(fault),
                ProbeFault::Shared(fault, contest) => {
                    shared.push(fault);
                    contests.push(contest);
                }
                ProbeFault::Cluster(refusal) => return Err(refusal.into()),
            }
        }
        let reason = match (wrongs.is_empty(), owned.is_empty()) {
            (false, _) => Trouble::Rejected,
            (true, false) => Trouble::FieldConflict,
            (true, true) => Trouble::SharedResource,
        };
        let mut all = self.placed(commit, wrongs).await;
        all.append(&mut owned);
        all.append(&mut shared);
        all.sort();
        Ok(Examined::Refused(Refused {
            reason,
            message: lines(&all),
            by_cluster: true,
            contests,
        }))
    }

    /// Moves faults from the place of their document to that of the field that is named. Reads the
    /// files once more for it: positions of all fields are not worth keeping. Where that does not
    /// go, the place of the document stays.
    async fn placed(&self, commit: &CommitId, wrongs: Vec<Wrong>) -> Vec<Fault> {
        let as_they_are = || wrongs.iter().map(|wrong| wrong.fault.clone()).collect();
        if wrongs.iter().all(|wrong| wrong.field.is_none()) {
            return as_they_are();
        }
        let Ok(tree) = self.mirror.tree(commit, &self.sync.source.path).await else {
            return as_they_are();
        };
        let fields: Vec<_> = wrongs
            .iter()
            .map(|wrong| (wrong.fault.place.clone(), wrong.field.clone()))
            .collect();
        let positions = on_deep_stack(move || {
            let opened = manifest::open(&tree);
            let position = |(place, field): &(_, Option<String>)| {
                let field = field.as_deref().unwrap_or_default();
                opened.position_of(place, field)
            };
            fields.iter().map(position).collect::<Vec<_>>()
        });
        let Ok(positions) = positions.await else {
            return as_they_are();
        };
        let place = |(wrong, position): (Wrong, _)| {
            let mut fault = wrong.fault;
            fault.place.position = position;
            fault
        };
        wrongs.into_iter().zip(positions).map(place).collect()
    }
}
