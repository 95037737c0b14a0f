//! What the set wants of a workload.

use std::sync::Arc;

use serde_json::Value;

use crate::ledger::Course;
use crate::object::{Digest, ObjectId, Workload};
use crate::plan::{Set, Wanted, uses};
use crate::rollout::Goal;

use super::BookFault;
use super::app::App;
use super::probing::ProbeFault;

impl App {
    /// All that a failure of a workload is judged by beside its template.
    pub(super) fn judged_by(&self, id: &ObjectId, set: &Set) -> Digest {
        let retries = self.book.ledger.retries.get(set[id].commit());
        let retries = retries.copied().unwrap_or_default();
        let judged_by = vec![uses(set, id).to_string().into(), retries.into()];
        Digest::of(&Value::Array(judged_by))
    }

    /// Digest of the template that is wanted of a workload, restarts by hand apart; `None` where
    /// its manifest was not tried out.
    pub(super) fn wanted_template(&self, id: &ObjectId, wanted: &Wanted) -> Option<Digest> {
        let probe = self.probes.get(&(id.clone(), wanted.hash.clone()))?;
        Some(Workload(&probe.object).restart_blind_digest())
    }

    /// What the set wants of a workload, as the API server would store it. `None` where it could
    /// not be told; the reason is noted.
    pub(super) async fn goal(
        &mut self,
        id: &ObjectId,
        set: &Arc<Set>,
    ) -> Result<Option<Goal>, BookFault> {
        let wanted = &set[id];
        let probe = match self.probe(id, wanted).await {
            Ok(probe) => probe,
            Err(ProbeFault::Cluster(refusal)) => return Err(refusal.into()),
            Err(fault) => {
                self.tell_fault(fault);
                return Ok(None);
            }
        };
        let leave = self.leave_of(id, set);
        let view = Workload(&probe.object);
        let template = view.restart_blind_digest();
        let ledger = &self.book.ledger;
        let entry = ledger.inventory.get(id);
        let last = ledger
            .rolling(id)
            .map(|kept| &kept.write.template)
            .or_else(|| entry.and_then(|entry| entry.template.as_ref()));
        let is_back = matches!(
            ledger.aim.as_ref().map(|aim| &aim.course),
            Some(Course::Back { .. })
        );
        let succeeded = entry.is_some_and(|entry| entry.has_succeeded(&view.content_digest()));
        let aim = ledger.aim.as_ref();
        let returns = aim.is_some_and(|aim| aim.returns.workloads.contains(id));
        let succeeded = succeeded && (returns || ledger.is_held(id));
        let restart = ledger.restarts.get(id);
        let is_restart = restart.is_some_and(|restart| last == restart.from.as_ref());
        Ok(Some(Goal {
            commit: wanted.commit().clone(),
            content: view.template().clone(),
            manifest: wanted.hash.clone(),
            replicas: Workload(&wanted.object).written_replicas(),
            min_ready_seconds: view.min_ready_seconds(),
            progress_deadline_seconds: view.progress_deadline_seconds(),
            strategy: view.strategy(),
            is_paused: view.is_paused(),
            policy: wanted
                .policy
                .as_ref()
                .map(|resolved| resolved.policy.clone())
                .unwrap_or_default(),
            judged_by: self.judged_by(id, set),
            is_return: (is_back || succeeded)
                && !is_restart
                && last.is_some_and(|last| *last != template),
            leave,
            template,
        }))
    }
}
