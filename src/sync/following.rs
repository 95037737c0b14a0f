//! What of the cluster one `GitSync` keeps an eye on.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cluster::{Records, Watch};
use crate::ledger::Trouble;
use crate::object::mark;
use crate::plan::Set;

use super::app::App;
use super::observing::followers;

impl App {
    /// Follows all that a set and the inventory name, and waits until it is seen once. Says whether
    /// it is; what cannot be seen is told, and nobody else waits for it.
    pub(super) async fn look_at(&mut self, set: &Set) -> bool {
        let own = self.named(set);
        let mut needed = own.clone();
        // In most passes this is the very set that is looked at.
        let under_way = self.composed.iter();
        let under_way = under_way.filter(|other| !std::ptr::eq(Arc::as_ptr(other), set));
        needed.extend(under_way.flat_map(|other| self.named(other)));
        needed.extend(self.unjudged().iter().flat_map(|set| self.named(set)));
        let has_nodes = needed.iter().any(|watch| watch.kind == "DaemonSet");
        needed.extend(has_nodes.then(nodes));
        for gone in self.followed.difference(&needed) {
            self.shared.live.unfollow(gone);
        }
        self.followed = needed;
        if has_nodes {
            self.look_at_nodes().await;
        }
        let all = own.into_iter().chain(self.basics()).collect();
        if let Err(faults) = self.shared.live.settle(&all).await {
            let message = format!("the cluster cannot be watched: {}", faults.join("; "));
            self.trouble(Trouble::WatchFailed, message);
            return false;
        }
        self.clear(Trouble::WatchFailed);
        true
    }

    /// Nodes are seen where that is allowed: else their names and what their pods say decide about
    /// the order of a DaemonSet, and that is told once.
    async fn look_at_nodes(&mut self) {
        let seen = self.shared.live.settle(&[nodes()].into()).await;
        if let Err(faults) = seen
            && !std::mem::replace(&mut self.has_told_nodes, true)
        {
            let text = format!(
                "nodes cannot be watched, so their label {} says nothing: {}",
                mark::CANARY,
                faults.join("; ")
            );
            self.announce(None, "NodesNotSeen", text, true);
        }
    }

    /// The set of a tip that is still to be judged, or is judged again and again.
    fn unjudged(&self) -> Option<&Arc<Set>> {
        let tip = self.book.ledger.tip.as_ref()?;
        let is_due = !tip.is_judged || self.refused_tip().is_some();
        is_due.then(|| self.sets.get(&tip.revision.id)).flatten()
    }

    /// Stops following what this `GitSync` alone follows.
    pub(super) fn look_away(&mut self) {
        for watch in std::mem::take(&mut self.followed) {
            self.shared.live.unfollow(&watch);
        }
    }

    /// The ledgers, and the workloads with their pods in every namespace that may be written to.
    pub(super) fn basics(&self) -> Vec<Watch> {
        let records = Records::new(&self.shared.cluster, &self.owner.instance);
        let heads = Watch {
            namespace: Some(self.owner.namespace.clone()),
            labels: records.label(),
            ..Watch::of("v1", "ConfigMap")
        };
        let mut namespaces = vec![&self.sync.target_namespace];
        namespaces.extend(&self.sync.allow.namespaces);
        let workloads = namespaces
            .into_iter()
            .flat_map(|namespace| chain("Deployment", Some(namespace)));
        std::iter::once(heads).chain(workloads).collect()
    }

    /// Every kind of the set and of the inventory, by our label; workloads with all that leads to
    /// their pods. Those of Deployments are followed anyway.
    fn named(&self, set: &Set) -> BTreeSet<Watch> {
        let wanted = set
            .iter()
            .map(|(id, wanted)| (wanted.object.api_version(), id));
        let recorded = self.book.ledger.inventory.iter();
        let recorded = recorded.map(|(id, entry)| (entry.api_version.as_str(), id));
        let (workloads, others): (Vec<_>, Vec<_>) =
            wanted.chain(recorded).partition(|(_, id)| id.is_workload());
        let workloads: BTreeSet<(&str, Option<&String>)> = workloads
            .into_iter()
            .filter(|(_, id)| id.kind != "Deployment")
            .map(|(_, id)| (id.kind.as_str(), id.namespace.as_ref()))
            .collect();
        let places: BTreeSet<(&str, &str, Option<&str>)> = others
            .into_iter()
            .map(|(api_version, id)| (api_version, id.kind.as_str(), id.namespace.as_deref()))
            .collect();
        let label = (mark::GITSYNC.to_owned(), self.owner.label());
        let watch = |(api_version, kind, namespace): (&str, &str, Option<&str>)| Watch {
            namespace: namespace.map(ToOwned::to_owned),
            labels: [label.clone()].into(),
            ..Watch::of(api_version, kind)
        };
        let chains = workloads
            .into_iter()
            .flat_map(|(kind, namespace)| chain(kind, namespace));
        places.into_iter().map(watch).chain(chains).collect()
    }
}

/// All nodes.
fn nodes() -> Watch {
    Watch::of("v1", "Node")
}

/// All workloads of a kind, and what leads to their pods, in one namespace.
fn chain(kind: &str, namespace: Option<&String>) -> Vec<Watch> {
    let all = std::iter::once(("apps/v1", kind)).chain(followers(kind));
    let watch = |(api_version, kind)| Watch {
        namespace: namespace.cloned(),
        ..Watch::of(api_version, kind)
    };
    all.map(watch).collect()
}
