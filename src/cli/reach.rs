//! How a command reaches the cluster, and the ledgers that it is about.

use std::path::PathBuf;

use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::cluster::{Cluster, Records};
use crate::ledger::{self, Ledger};
use crate::revision::CommitId;
use crate::status::{Search, find};

use super::failure::Failure;

/// Ledgers that are read at once.
const READS: usize = 16;

/// Which cluster.
#[derive(Args, Clone, Debug)]
pub(super) struct Access {
    /// The kubeconfig; by default as kubectl finds it, else the pod's service account.
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; by default its current one.
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
}

/// Which cluster, and which namespace of it.
#[derive(Args, Clone, Debug)]
pub(super) struct Reach {
    #[command(flatten)]
    pub(super) access: Access,
    /// The namespace; by default that of the context.
    #[arg(short, long, env = "TIDEGATE_NAMESPACE")]
    namespace: Option<String>,
    /// The installation whose GitSyncs are looked for where none is named.
    #[arg(
        long,
        value_name = "NAME",
        env = "TIDEGATE_INSTANCE",
        default_value = "tidegate"
    )]
    instance: String,
}

/// One GitSync and where it is.
#[derive(Args, Clone, Debug)]
pub(super) struct Target {
    #[command(flatten)]
    pub(super) reach: Reach,
    /// The GitSync; may be left out where the namespace has just one.
    #[arg(value_name = "[NAMESPACE/]NAME")]
    pub(super) app: Option<String>,
}

/// A GitSync by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct App {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A GitSync with its ledger, as it was when it was read.
pub(super) struct Found {
    pub(super) cluster: Cluster,
    pub(super) app: App,
    pub(super) ledger: Ledger,
}

impl std::fmt::Display for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Reach {
    pub(super) async fn cluster(&self) -> Result<Cluster, Failure> {
        Ok(Cluster::connect(
            self.access.kubeconfig.as_deref(),
            self.access.context.as_deref(),
        )
        .await?)
    }

    /// Returns the namespace that was named, else the context's.
    pub(super) fn namespace<'a>(&'a self, cluster: &'a Cluster) -> &'a str {
        self.namespace
            .as_deref()
            .unwrap_or(cluster.default_namespace())
    }

    /// Returns the GitSyncs of a namespace, or of all, in the order of their names.
    pub(super) async fn apps(
        &self,
        cluster: &Cluster,
        namespace: Option<&str>,
    ) -> Result<Vec<App>, Failure> {
        let label = Records::new(cluster, &self.instance).label();
        let heads = cluster.list("v1", "ConfigMap", namespace, &label).await?;
        let app = |id: crate::object::ObjectId| {
            let name = Records::owner_of(&id)?.to_owned();
            Some(App {
                namespace: id.namespace?,
                name,
            })
        };
        let mut apps: Vec<App> = heads.iter().filter_map(|head| app(head.id())).collect();
        apps.sort();
        Ok(apps)
    }
}

impl Target {
    /// Finds the GitSync that is meant and reads its ledger.
    pub(super) async fn find(&self) -> Result<Found, Failure> {
        let cluster = self.reach.cluster().await?;
        let app = self.app(&cluster).await?;
        let ledger = read(&cluster, &app).await?;
        Ok(Found {
            cluster,
            app,
            ledger,
        })
    }

    /// Finds the GitSync that is meant.
    pub(super) async fn app(&self, cluster: &Cluster) -> Result<App, Failure> {
        let namespace = self.reach.namespace(cluster);
        if let Some(written) = &self.app {
            return named(written, namespace);
        }
        let mut apps = self.reach.apps(cluster, Some(namespace)).await?;
        let place = format!("namespace {namespace}");
        match apps.len() {
            0 => Err(Failure::NoApps(place)),
            1 => Ok(apps.remove(0)),
            _ => {
                let apps = apps.iter().map(ToString::to_string).collect();
                Err(Failure::WhichApp { place, apps })
            }
        }
    }
}

impl Found {
    /// Returns the one commit that the ledger knows by this beginning.
    pub(super) fn commit(&self, beginning: &str) -> Result<CommitId, Failure> {
        known(&self.ledger, beginning)?.ok_or_else(|| Failure::NoSuchCommit {
            app: self.app.to_string(),
            commit: beginning.to_owned(),
        })
    }
}

/// Returns the one commit that a ledger knows by this beginning; `None` where it knows none.
pub(super) fn known(ledger: &Ledger, beginning: &str) -> Result<Option<CommitId>, Failure> {
    well_formed(beginning)?;
    match find(ledger, beginning) {
        Search::One(commit) => Ok(Some(commit)),
        Search::Unknown => Ok(None),
        Search::Ambiguous(commits) => {
            let beginning = beginning.to_owned();
            Err(Failure::Ambiguous { beginning, commits })
        }
    }
}

/// Says whether text can be the beginning of a commit's name.
pub(super) fn well_formed(beginning: &str) -> Result<(), Failure> {
    let is_hex = beginning.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && (4..=40).contains(&beginning.len()) {
        Ok(())
    } else {
        Err(Failure::BadCommit(beginning.to_owned()))
    }
}

/// Reads `[NAMESPACE/]NAME`.
pub(super) fn named(written: &str, namespace: &str) -> Result<App, Failure> {
    let (namespace, name) = written.split_once('/').unwrap_or((namespace, written));
    if namespace.is_empty() || name.is_empty() || name.contains('/') {
        return Err(Failure::BadTarget(written.to_owned()));
    }
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    Ok(App { namespace, name })
}

/// Reads the ledger of a GitSync.
pub(super) async fn read(cluster: &Cluster, app: &App) -> Result<Ledger, Failure> {
    let records = Records::new(cluster, "");
    let stored = records.load(&app.namespace, &app.name).await?;
    let stored = stored.ok_or_else(|| Failure::NoSuchApp(app.to_string()))?;
    ledger::decode(&stored.head, &stored.shards).map_err(|fault| Failure::Ledger {
        app: app.to_string(),
        fault,
    })
}

/// Reads the ledgers of several; the order stays.
pub(super) async fn read_all(
    cluster: &Cluster,
    apps: Vec<App>,
) -> Result<Vec<(App, Ledger)>, Failure> {
    let reads = apps.into_iter().map(|app| async move {
        let ledger = read(cluster, &app).await?;
        Ok((app, ledger))
    });
    stream::iter(reads).buffered(READS).try_collect().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_names_its_namespace_or_takes_the_one_in_force() {
        let app = named("pay/ledger", "shop").unwrap();
        assert_eq!(app.to_string(), "pay/ledger");
        assert_eq!(named("web", "shop").unwrap().to_string(), "shop/web");
        for written in ["", "/web", "shop/", "a/b/c"] {
            assert!(
                matches!(named(written, "shop"), Err(Failure::BadTarget(_))),
                "{written}"
            );
        }
    }
}
