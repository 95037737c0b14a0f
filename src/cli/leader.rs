//! The agent that leads: whether anybody works at all.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::clock;
use crate::cluster::Cluster;
use crate::ledger::Ledger;
use crate::object::{Object, ObjectId, mark};
use crate::status::Leader;

use super::show::age;

/// Leases that were read, each once.
#[derive(Default)]
pub(super) struct Leases(BTreeMap<(String, String), Option<Leader>>);

impl Leases {
    /// The agent that writes a ledger. `None` where its Lease cannot be read: who may see workloads
    /// need not have a right to Leases.
    pub(super) async fn leader(
        &mut self,
        cluster: &Cluster,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Option<Leader> {
        let key = (ledger.agent_namespace.clone(), ledger.instance.clone());
        if let Some(known) = self.0.get(&key) {
            return known.clone();
        }
        let leader = read(cluster, &Seat::of(ledger), now).await;
        self.0.insert(key, leader.clone());
        leader
    }
}

/// Where the Lease of an installation is.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    namespace: String,
    instance: String,
}

impl Seat {
    /// The Lease of the agent that writes a ledger.
    pub(super) fn of(ledger: &Ledger) -> Self {
        Self {
            namespace: ledger.agent_namespace.clone(),
            instance: ledger.instance.clone(),
        }
    }

    /// Says in words that no agent works; `None` where one does, or nobody may say.
    pub(super) async fn silence(&self, cluster: &Cluster) -> Option<String> {
        let now = clock::now();
        let leader = read(cluster, self, now).await?;
        leader.is_silent.then(|| words(&leader, now))
    }
}

async fn read(cluster: &Cluster, seat: &Seat, now: Timestamp) -> Option<Leader> {
    if seat.namespace.is_empty() {
        return None;
    }
    let id = ObjectId {
        group: "coordination.k8s.io".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(seat.namespace.clone()),
        name: mark::installation(&seat.instance),
    };
    let lease = cluster.get("coordination.k8s.io/v1", &id).await.ok()?;
    let text = |pointer: &str| {
        lease
            .as_ref()
            .and_then(|lease: &Object| lease.text(pointer))
    };
    let holder = text("/spec/holderIdentity").filter(|holder| !holder.is_empty());
    // The end of the name makes it unique; it says nothing to people.
    let holder = holder.map(|holder| {
        let known = holder.rsplit_once('_').map_or(holder, |(name, _)| name);
        known.to_owned()
    });
    let renewed = text("/spec/renewTime").and_then(|at| at.parse().ok());
    Some(Leader::new(holder, renewed, now))
}

/// One line about it.
pub(super) fn words(leader: &Leader, now: Timestamp) -> String {
    let since = leader.renewed_at.map(|at| age(now.duration_since(at)));
    match (&leader.holder, since, leader.is_silent) {
        (Some(holder), Some(since), false) => format!("{holder}, last sign of life {since} ago"),
        (Some(holder), Some(since), true) => format!(
            "none: {holder} gave its last sign of life {since} ago; nothing is done until an agent runs"
        ),
        (_, Some(since), _) => format!(
            "none: the last one gave its Lease back {since} ago; nothing is done until an agent runs"
        ),
        (_, None, _) => "none leads; nothing is done until an agent runs".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn told(holder: Option<&str>, renewed: Option<i64>) -> (bool, String) {
        let leader = Leader::new(holder.map(ToOwned::to_owned), renewed.map(at), at(1000));
        (leader.is_silent, words(&leader, at(1000)))
    }

    #[test]
    fn an_agent_is_told_as_gone_after_a_minute_of_silence() {
        let (silent, text) = told(Some("tidegate-0.7"), Some(997));
        assert!(!silent);
        assert_eq!(text, "tidegate-0.7, last sign of life 3s ago");
        let (silent, text) = told(Some("tidegate-0.7"), Some(940));
        assert!(
            silent && text.starts_with("none: tidegate-0.7 gave its last sign"),
            "{text}"
        );
        let (silent, text) = told(None, Some(990));
        assert!(
            silent && text.contains("gave its Lease back 10s ago"),
            "{text}"
        );
        let (silent, text) = told(None, None);
        assert!(silent && text.starts_with("none leads"), "{text}");
    }
}
