//! Counts pods in the simulated cluster itself, so that what is told about them does not rest on the
//! agent's own word.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use super::shop::{NAME, NAMESPACE, tag};
use crate::object::Object;
use crate::sim::kind::Kind;
use crate::sim::town::Town;

/// The pods of the workload at one moment, those that are being deleted left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// By the tag of their image: all, and those that are Ready.
    tags: BTreeMap<String, (usize, usize)>,
    /// The tag that the workload itself asks for.
    pub(super) wanted: Option<String>,
    /// The pods that it asks for.
    pub(super) replicas: Option<usize>,
}

/// What was seen since a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) now: Census,
    /// The fewest that were Ready at any moment; `None` before the first count.
    pub(super) fewest: Option<usize>,
    /// The most pods of each tag at any moment.
    pub(super) most: BTreeMap<String, usize>,
}

/// Counts after each change of the cluster, until it is dropped.
pub(super) struct Witness {
    account: Arc<Mutex<Account>>,
    town: Town,
    task: JoinHandle<()>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Census {
    fn take(town: &Town) -> Self {
        let mut census = Self::default();
        town.enter(|store| {
            let workload = store.get(&Kind::DEPLOYMENT, NAMESPACE, NAME);
            census.wanted = workload.and_then(|it| tag_at(it, "/spec/template/spec"));
            let replicas = workload.and_then(|it| it.at("/spec/replicas")?.as_u64());
            census.replicas = replicas.and_then(|replicas| usize::try_from(replicas).ok());
            let pods = store.list(&Kind::POD, Some(NAMESPACE));
            let own = pods.filter(|pod| pod.label("app") == Some(NAME) && !pod.is_terminating());
            for pod in own {
                let tag = tag_at(pod, "/spec").unwrap_or_default();
                let (all, ready) = census.tags.entry(tag).or_default();
                *all += 1;
                let condition = pod.condition("Ready");
                *ready += usize::from(condition.is_some_and(|it| it["status"] == "True"));
            }
        });
        census
    }

    /// Returns how many have this tag.
    pub(super) fn pods(&self, tag: &str) -> usize {
        self.tags.get(tag).map_or(0, |(all, _)| *all)
    }

    /// Returns how many have this tag and are Ready.
    pub(super) fn ready(&self, tag: &str) -> usize {
        self.tags.get(tag).map_or(0, |(_, ready)| *ready)
    }

    /// Returns how many have another tag.
    pub(super) fn others(&self, tag: &str) -> usize {
        let others = self.tags.iter().filter(|(other, _)| *other != tag);
        others.map(|(_, (all, _))| all).sum()
    }

    /// Returns the Ready pods of other tags, by these.
    pub(super) fn serving_beside(&self, tag: &str) -> Vec<(&str, usize)> {
        let others = self.tags.iter().filter(|(other, _)| *other != tag);
        let ready = others.map(|(other, (_, ready))| (other.as_str(), *ready));
        ready.filter(|(_, ready)| *ready > 0).collect()
    }

    /// Returns how many are Ready.
    pub(super) fn all_ready(&self) -> usize {
        self.tags.values().map(|(_, ready)| ready).sum()
    }
}

impl Account {
    /// Returns the most pods of this tag at any moment.
    pub(super) fn most(&self, tag: &str) -> usize {
        self.most.get(tag).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, census: Census) {
        let ready = census.all_ready();
        self.fewest = Some(self.fewest.map_or(ready, |fewest| fewest.min(ready)));
        for (tag, (all, _)) in &census.tags {
            let most = self.most.entry(tag.clone()).or_default();
            *most = (*most).max(*all);
        }
        self.now = census;
    }
}

impl Witness {
    /// Begins to count.
    pub(super) fn call(town: &Town) -> Self {
        let account = Arc::new(Mutex::new(Account::default()));
        let (kept, watched) = (Arc::clone(&account), town.clone());
        let task = tokio::spawn(async move {
            let mut bell = watched.bell();
            while bell.changed().await.is_ok() {
                let census = Census::take(&watched);
                locked(&kept).add(census);
            }
        });
        Self {
            account,
            town: town.clone(),
            task,
        }
    }

    /// Begins a new account, with what is there now.
    pub(super) fn begin(&self) {
        let mut account = Account::default();
        account.add(Census::take(&self.town));
        *locked(&self.account) = account;
    }

    /// Returns the account so far.
    pub(super) fn account(&self) -> Account {
        locked(&self.account).clone()
    }
}

/// A poisoned lock holds a whole account all the same.
fn locked(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tag of the first container's image.
fn tag_at(object: &Object, spec: &str) -> Option<String> {
    let image = object.text(&format!("{spec}/containers/0/image"))?;
    tag(&format!("image: {image}")).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Census {
        /// A census of these tags, each with all its pods and the Ready ones.
        pub(in crate::cli::demo) fn of(tags: &[(&str, usize, usize)], wanted: &str) -> Self {
            let tags = tags
                .iter()
                .map(|(tag, all, ready)| ((*tag).to_owned(), (*all, *ready)));
            Self {
                tags: tags.collect(),
                wanted: Some(wanted.to_owned()),
                replicas: None,
            }
        }
    }

    #[test]
    fn an_account_keeps_the_fewest_ready_and_the_most_of_each_tag() {
        let mut account = Account::default();
        account.add(Census::of(&[("1.0", 12, 12)], "1.1"));
        account.add(Census::of(&[("1.0", 12, 11), ("1.1", 3, 0)], "1.1"));
        account.add(Census::of(&[("1.0", 9, 9), ("1.1", 1, 1)], "1.1"));
        account.add(Census::of(&[("1.1", 12, 12)], "1.1"));
        assert_eq!(account.fewest, Some(10));
        assert_eq!((account.most("1.0"), account.most("1.1")), (12, 12));
        assert_eq!(account.most("1.2"), 0);
        assert_eq!(
            (account.now.ready("1.1"), account.now.others("1.1")),
            (12, 0)
        );
    }
}
