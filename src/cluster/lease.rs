//! Leader election on a `coordination.k8s.io/v1` Lease.
//!
//! Clocks of other machines are never read: a standby takes over only after it has itself seen no
//! change of the record for as long as the lease lasts. Being leader is no fence; see [`Fence`].

use std::time::Duration;

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use serde_json::{Value, json};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::{Cause, Cluster, Fence, Refusal};
use crate::{
    clock,
    object::{Object, ObjectId, mark},
};

const API_VERSION: &str = "coordination.k8s.io/v1";

/// How long leadership lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who renewed longer ago is leader no more; 15 s by default, in whole seconds.
    pub lease: Duration,
    /// A leader that could not renew for this long stands back; 10 s by default.
    pub renew: Duration,
    /// Time between two tries; 2 s by default.
    pub retry: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            lease: seconds(15),
            renew: seconds(10),
            retry: seconds(2),
        }
    }
}

/// What this process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It holds the Lease.
    Leader {
        /// How often the Lease has changed hands.
        transitions: u64,
    },
    /// Another holds it, or nobody knows yet.
    Standby {
        /// Who holds it, as far as known.
        holder: Option<String>,
        /// Why the last try to have it failed; `None` where it was answered.
        trouble: Option<String>,
    },
}

/// Before anything is known.
const NOBODY: Role = Role::Standby {
    holder: None,
    trouble: None,
};

/// The Lease that agents of one installation compete for.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// How long leadership lasts.
    pub terms: Terms,
}

/// A candidacy that goes on until it is dropped or resigned.
pub struct Standing {
    role: watch::Receiver<Role>,
    fence: Fence,
    resign: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Lease {
    /// Stands for leadership. `identity` is for people (the name of the pod); a random part makes
    /// it unique, so that a restarted process is never taken for the one before.
    ///
    /// Must be called within a tokio runtime. The cluster must not be fenced by this very lease.
    #[must_use]
    pub fn stand(self, cluster: &Cluster, identity: &str) -> Standing {
        let fence = Fence::new(self.terms.lease);
        let (tell, role) = watch::channel(NOBODY);
        let (resign, resigned) = oneshot::channel();
        let id = ObjectId {
            group: "coordination.k8s.io".to_owned(),
            kind: "Lease".to_owned(),
            namespace: Some(self.namespace),
            name: self.name,
        };
        let candidate = Candidate {
            cluster: cluster.within(self.terms.renew / 2),
            id,
            identity: format!("{identity}_{}", super::seal::nonce()),
            terms: self.terms,
            fence: fence.clone(),
            tell,
            held: None,
            renewed: Duration::ZERO,
            seen: None,
            holder: None,
            told: None,
        };
        let task = tokio::spawn(candidate.run(resigned));
        Standing {
            role,
            fence,
            resign: Some(resign),
            task,
        }
    }
}

impl Standing {
    /// Returns a view of the role that follows its changes.
    #[must_use]
    pub fn role(&self) -> watch::Receiver<Role> {
        self.role.clone()
    }

    /// Returns the fence that all writes of the leader have to pass.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Closes the fence and gives the Lease back, so that a standby takes over at once. Stop all
    /// writes before. Takes a few calls; where the API server hangs, up to twice the renew
    /// deadline.
    pub async fn resign(mut self) {
        self.fence.close();
        if let Some(resign) = self.resign.take() {
            let _ = resign.send(());
        }
        let _ = (&mut self.task).await;
    }
}

/// Without giving the Lease back: others wait until it has run out.
impl Drop for Standing {
    fn drop(&mut self) {
        self.task.abort();
        self.fence.close();
    }
}

struct Candidate {
    cluster: Cluster,
    id: ObjectId,
    identity: String,
    terms: Terms,
    fence: Fence,
    tell: watch::Sender<Role>,
    /// The record while it is ours.
    held: Option<Object>,
    /// When the last successful renewal was sent, since boot.
    renewed: Duration,
    /// The record of another, and since when we see it unchanged.
    seen: Option<(Value, Duration)>,
    /// Who holds it, as far as known.
    holder: Option<String>,
    /// What went wrong last and was told.
    told: Option<String>,
}

impl Candidate {
    async fn run(mut self, mut resigned: oneshot::Receiver<()>) {
        loop {
            // Never cut short: a renewal under way would make giving back fail.
            self.round().await;
            tokio::select! {
                asked = &mut resigned => {
                    // Dropped without a word, the Lease runs out.
                    if asked.is_ok() {
                        self.give_back().await;
                    }
                    return;
                }
                () = tokio::time::sleep(self.terms.retry) => {}
            }
        }
    }

    /// One try to keep or to get the Lease.
    async fn round(&mut self) {
        let sent = clock::since_boot();
        let outcome = match self.held.clone() {
            Some(record) => self.renew(&record, sent).await,
            None => self.compete(sent).await,
        };
        let words = outcome.err().map(|refusal| refusal.to_string());
        if let Some(refusal) = words
            .as_ref()
            .filter(|words| self.told.as_ref() != Some(words))
        {
            tracing::warn!(
                refusal,
                "the lease could not be renewed or read; tried again"
            );
        }
        self.told = words;
        if self.held.is_none() {
            self.tell_standby();
        }
        if self.told.is_none() {
            return;
        }
        let unrenewed = clock::since_boot().saturating_sub(self.renewed);
        if self.held.is_some() && unrenewed >= self.terms.renew {
            self.stand_back(None);
        }
    }

    async fn renew(&mut self, record: &Object, sent: Duration) -> Result<(), Refusal> {
        match self.write(record, json!({})).await {
            Ok(renewed) => self.lead(renewed, sent),
            // Changed by another, or by an own renewal whose answer was lost.
            Err(Refusal {
                cause: Cause::Conflict | Cause::NotFound,
                ..
            }) => {
                return self.compete(sent).await;
            }
            Err(refusal) => return Err(refusal),
        }
        Ok(())
    }

    async fn compete(&mut self, sent: Duration) -> Result<(), Refusal> {
        let Some(record) = self.cluster.get(API_VERSION, &self.id).await? else {
            self.stand_back(None);
            let created = self.cluster.create(&self.first()).await?;
            self.lead(created, sent);
            return Ok(());
        };
        let holder = record
            .text("/spec/holderIdentity")
            .unwrap_or_default()
            .to_owned();
        if holder == self.identity {
            let renewed = self.write(&record, json!({})).await?;
            self.lead(renewed, sent);
            return Ok(());
        }
        self.stand_back((!holder.is_empty()).then(|| holder.clone()));
        if holder.is_empty() || self.has_run_out(&record, clock::since_boot()) {
            let transitions = transitions(&record) + 1;
            let claim = json!({"leaseTransitions": transitions, "acquireTime": now()});
            let sent = clock::since_boot();
            let taken = self.write(&record, claim).await?;
            self.lead(taken, sent);
        }
        Ok(())
    }

    /// Says whether we have seen the record unchanged for as long as its holder's lease and ours.
    fn has_run_out(&mut self, record: &Object, now: Duration) -> bool {
        let spec = record.at("/spec").cloned().unwrap_or_default();
        let theirs = spec["leaseDurationSeconds"].as_u64().unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == spec => {
                let lease = self.terms.lease.max(Duration::from_secs(theirs));
                now.saturating_sub(*since) >= lease
            }
            Some(_) | None => {
                self.seen = Some((spec, now));
                false
            }
        }
    }

    fn lead(&mut self, record: Object, sent: Duration) {
        self.renewed = sent;
        self.fence.renew(sent);
        self.seen = None;
        let role = Role::Leader {
            transitions: transitions(&record),
        };
        self.held = Some(record);
        self.become_(role);
    }

    fn stand_back(&mut self, holder: Option<String>) {
        self.fence.close();
        self.held = None;
        self.holder = holder;
        self.tell_standby();
    }

    fn tell_standby(&self) {
        self.become_(Role::Standby {
            holder: self.holder.clone(),
            trouble: self.told.clone(),
        });
    }

    fn become_(&self, role: Role) {
        self.tell.send_if_modified(|known| {
            let is_new = *known != role;
            *known = role;
            is_new
        });
    }

    /// Writes the record as ours, guarded by its resource version.
    async fn write(&self, record: &Object, more: Value) -> Result<Object, Refusal> {
        let mut spec = self.claim();
        if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
            spec.extend(more);
        }
        let version = record.resource_version();
        let patch = json!({"metadata": {"resourceVersion": version}, "spec": spec});
        self.cluster
            .merge(API_VERSION, &self.id, &patch, mark::MANAGER)
            .await
    }

    fn claim(&self) -> Value {
        let seconds = self.terms.lease.as_secs().max(1);
        json!({"holderIdentity": self.identity, "leaseDurationSeconds": seconds,
            "renewTime": now()})
    }

    fn first(&self) -> Object {
        let mut spec = self.claim();
        spec["acquireTime"] = json!(now());
        spec["leaseTransitions"] = json!(0);
        let meta = json!({"namespace": self.id.namespace, "name": self.id.name});
        let lease =
            json!({"apiVersion": API_VERSION, "kind": "Lease", "metadata": meta, "spec": spec});
        Object::new(lease).expect("it has a version, a kind and a name")
    }

    async fn give_back(&mut self) {
        self.fence.close();
        let Some(record) = self.held.take() else {
            return;
        };
        if let Err(refusal) = self.write(&record, json!({"holderIdentity": ""})).await {
            tracing::debug!(%refusal, "the lease could not be given back");
        }
        self.become_(NOBODY);
    }
}

fn transitions(record: &Object) -> u64 {
    record
        .at("/spec/leaseTransitions")
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

/// Now, as `MicroTime` demands it: six digits of a second.
pub(super) fn now() -> String {
    micro_time(clock::now())
}

fn micro_time(at: Timestamp) -> String {
    DateTimePrinter::new()
        .precision(Some(6))
        .timestamp_to_string(&at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate() -> Candidate {
        let silent = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Err::<http::Response<kube::client::Body>, _>("down")
        });
        let lease = |lease| Terms {
            lease,
            ..Terms::default()
        };
        Candidate {
            cluster: Cluster::new(kube::Client::new(silent, "default"), "default"),
            id: "coordination.k8s.io/Lease/tidegate/tidegate.tidegate"
                .parse()
                .unwrap(),
            identity: "one_1".to_owned(),
            terms: lease(Duration::from_secs(15)),
            fence: Fence::new(Duration::from_secs(15)),
            tell: watch::Sender::new(NOBODY),
            holder: None,
            told: None,
            held: None,
            renewed: Duration::ZERO,
            seen: None,
        }
    }

    fn record(renewed: &str, seconds: u64) -> Object {
        let spec = json!({"holderIdentity": "two_2", "renewTime": renewed,
            "leaseDurationSeconds": seconds});
        let lease = json!({"apiVersion": API_VERSION, "kind": "Lease",
            "metadata": {"name": "tidegate.tidegate"}, "spec": spec});
        Object::new(lease).unwrap()
    }

    #[tokio::test]
    async fn a_record_runs_out_by_our_own_watch_and_not_by_its_times() {
        let mut candidate = candidate();
        let at = Duration::from_secs;
        let ancient = record("1999-01-01T00:00:00.000000Z", 15);
        assert!(
            !candidate.has_run_out(&ancient, at(100)),
            "seen for the first time"
        );
        assert!(!candidate.has_run_out(&ancient, at(114)));
        assert!(candidate.has_run_out(&ancient, at(115)));
        assert!(!candidate.has_run_out(&record("2999-01-01T00:00:00.000000Z", 15), at(115)));
    }

    #[tokio::test]
    async fn a_longer_lease_of_the_holder_is_respected() {
        let mut candidate = candidate();
        let at = Duration::from_secs;
        candidate.has_run_out(&record("x", 60), at(100));
        assert!(!candidate.has_run_out(&record("x", 60), at(130)));
        assert!(candidate.has_run_out(&record("x", 60), at(160)));
    }

    #[tokio::test]
    async fn a_leader_that_cannot_renew_stands_back_and_closes_the_fence() {
        let mut candidate = candidate();
        candidate.lead(record("x", 15), clock::since_boot());
        candidate.round().await;
        assert!(candidate.fence.check(), "one failure is no end");
        candidate.terms.renew = Duration::ZERO;
        candidate.round().await;
        assert!(!candidate.fence.check());
        let role = candidate.tell.borrow().clone();
        let Role::Standby {
            holder: None,
            trouble: Some(why),
        } = role
        else {
            panic!("{role:?}")
        };
        assert!(why.contains("down"), "{why}");
    }

    #[test]
    fn times_have_six_digits_of_a_second() {
        assert_eq!(
            micro_time(Timestamp::UNIX_EPOCH),
            "1970-01-01T00:00:00.000000Z"
        );
    }
}
