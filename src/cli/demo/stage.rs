//! Everything that the demo stands on: a folder, a repository, a simulated cluster, an agent.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use url::Url;

use super::agent::Agent;
use super::script::{Scenario, on_failure};
use super::shop::{BRANCH, FILE, NAME, NAMESPACE, files, gitsync, tag};
use super::witness::Witness;
use crate::cli::failure::Failure;
use crate::cli::reach::{App, Found, read};
use crate::cluster::Cluster;
use crate::git::Worktree;
use crate::object::{Object, ObjectId};
use crate::sim::kind::Kind;
use crate::sim::kubelet::Pace;
use crate::sim::serving::Serving;
use crate::sim::town::{Plan, Town, Work};
use crate::sync::Options;

/// The same pods get the same names and times in each demo.
const SEED: u64 = 20;
/// Nodes of the cluster.
pub(super) const NODES: usize = 4;
/// Who commits.
const AUTHOR: (&str, &str) = ("Demo", "demo@example.com");
/// The pods take between these to start.
const START: (Duration, Duration) = (Duration::from_millis(700), Duration::from_millis(2800));
/// A batch is watched for so long; longer than a simulated flap, whose second no speed shortens.
const WATCHED: Duration = Duration::from_secs(2);
/// Between two tries to remove the folder.
const AGAIN: Duration = Duration::from_millis(50);
/// Tries to remove the folder; what was killed a moment ago may still be writing to it.
const TRIES: usize = 40;

/// How much faster than life everything goes; times are divided by it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speed(pub(super) f64);

impl Speed {
    /// Returns what becomes of a time.
    pub(super) fn of(self, time: Duration) -> Duration {
        // Whole milliseconds, since the policy is read by people.
        let seconds = time.as_secs_f64() / self.0;
        let milliseconds = Duration::from_secs_f64(seconds).as_millis();
        Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
    }
}

/// Where the demo's files are.
pub(super) enum Folder {
    /// Removed at the end.
    Passing(TempDir),
    /// Asked for by the user, and kept.
    Kept(PathBuf),
}

impl Folder {
    /// Makes the folder.
    pub(super) fn make(asked: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = asked else {
            let made = tempfile::Builder::new().prefix("tidegate-").tempdir();
            return made.map(Self::Passing).map_err(Failure::Folder);
        };
        let made = std::fs::create_dir_all(path).and_then(|()| path.canonicalize());
        let path = made.map_err(|cause| unwritten(path, cause))?;
        let mut entries = std::fs::read_dir(&path).map_err(|cause| unwritten(&path, cause))?;
        match entries.next() {
            Some(_) => Err(Failure::Occupied(path)),
            None => Ok(Self::Kept(path)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        match self {
            Self::Passing(_) => false,
            Self::Kept(_) => true,
        }
    }

    /// Removes it, unless it is kept.
    pub(super) async fn leave(self) -> Result<(), Failure> {
        let Self::Passing(folder) = self else {
            return Ok(());
        };
        let path = folder.keep();
        let mut tries = 0;
        loop {
            match std::fs::remove_dir_all(&path) {
                Ok(()) => return Ok(()),
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(cause) if tries == TRIES => return Err(unwritten(&path, cause)),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// What plays.
pub(super) struct Stage {
    pub(super) town: Town,
    pub(super) witness: Witness,
    pub(super) worktree: Worktree,
    pub(super) cluster: Cluster,
    pub(super) agent: Option<Agent>,
    pub(super) places: Places,
    options: Options,
    _serving: Serving,
    _work: Work,
}

/// The paths in a folder.
pub(super) struct Places {
    pub(super) repository: PathBuf,
    pub(super) kubeconfig: PathBuf,
    pub(super) config: PathBuf,
    pub(super) log: PathBuf,
}

impl Places {
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            repository: folder.join("repo"),
            kubeconfig: folder.join("kubeconfig"),
            config: folder.join("gitsync.yaml"),
            log: folder.join("agent.log"),
        }
    }
}

impl Stage {
    /// Founds a cluster with everything that is to be there before an agent comes, and a repository
    /// with a first commit.
    pub(super) async fn found(
        folder: &Path,
        speed: Speed,
        scenario: Option<Scenario>,
    ) -> Result<Self, Failure> {
        let places = Places::of(folder);
        let pace = Pace::between(speed.of(START.0), speed.of(START.1));
        let town = Town::found(&Plan::real(SEED, NODES).at(pace));
        let work = town.start();
        let serving = town.serve(0).await.map_err(Failure::Serving)?;
        write(&places.kubeconfig, &serving.kubeconfig(NAMESPACE))?;
        let worktree = Worktree::found(&places.repository, BRANCH, AUTHOR)?;
        let url = Url::from_file_path(&places.repository);
        let url = url.map_err(|()| Failure::Relative(places.repository.clone()))?;
        write(&places.config, &gitsync(&url))?;
        let watched = if scenario == Some(Scenario::Flapping) {
            WATCHED
        } else {
            speed.of(WATCHED)
        };
        let files = files(watched, on_failure(scenario));
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        worktree.commit("web 1.0", &files)?;
        let cluster = Cluster::connect(Some(&places.kubeconfig), None).await?;
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
        });
        let namespace = Object::new(namespace).expect("it has kind and name");
        cluster.create(&namespace).await?;
        Ok(Self {
            witness: Witness::call(&town),
            options: options(folder, &places)?,
            places,
            agent: None,
            town,
            worktree,
            cluster,
            _serving: serving,
            _work: work,
        })
    }

    /// Starts an agent, as `tidegate run` would.
    pub(super) fn start_agent(&mut self) -> Result<(), Failure> {
        let agent = Agent::start(self.options.clone()).map_err(Failure::Runtime)?;
        self.agent = Some(agent);
        Ok(())
    }

    /// Kills the agent.
    pub(super) fn kill_agent(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.kill();
        }
    }

    /// Returns what is to be watched; `None` before the agent has written its ledger.
    pub(super) async fn app(&self) -> Result<Option<Found>, Failure> {
        let app = App {
            namespace: NAMESPACE.to_owned(),
            name: NAME.to_owned(),
        };
        match read(&self.cluster, &app).await {
            Ok(ledger) => Ok(Some(Found {
                cluster: self.cluster.clone(),
                app,
                ledger,
            })),
            Err(Failure::NoSuchApp(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Returns the tag that the newest commit says; `None` where it names no image of the shop's.
    pub(super) fn tag(&self) -> Result<Option<String>, Failure> {
        let file = self.worktree.file(FILE)?;
        Ok(file.as_deref().and_then(tag).map(ToOwned::to_owned))
    }

    /// Changes the image as `kubectl set image` does, past Git.
    pub(super) async fn set_image(&self, to: &str) -> Result<(), Failure> {
        let id = ObjectId {
            group: "apps".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some(NAMESPACE.to_owned()),
            name: NAME.to_owned(),
        };
        let live = self.cluster.get("apps/v1", &id).await?;
        let containers = live.and_then(|live| live.at("/spec/template/spec/containers").cloned());
        // A merge patch knows lists only as a whole.
        let mut containers = containers.unwrap_or_default();
        if let Some(container) = containers.get_mut(0) {
            container["image"] = format!("shop/{NAME}:{to}").into();
        }
        let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        self.cluster
            .merge("apps/v1", &id, &patch, "kubectl-set")
            .await?;
        Ok(())
    }

    /// Returns a node that has pods with this tag, and how many of the workload's pods it has.
    pub(super) fn node_with(&self, tag: &str) -> Option<(String, usize)> {
        let image = format!("shop/{NAME}:{tag}");
        self.town.enter(|store| {
            let store = &*store;
            let pods = || {
                let pods = store.list(&Kind::POD, Some(NAMESPACE));
                pods.filter(|pod| pod.label("app") == Some(NAME) && !pod.is_terminating())
            };
            let mut new = pods().filter(|pod| pod.text("/spec/containers/0/image") == Some(&image));
            let node = new.find_map(|pod| pod.text("/spec/nodeName"))?.to_owned();
            let count = pods().filter(|pod| pod.text("/spec/nodeName") == Some(&node));
            let count = count.count();
            Some((node, count))
        })
    }

    /// Ends all of it; in good order where there is time.
    pub(super) async fn end(mut self, is_hurried: bool) {
        match self.agent.take() {
            Some(agent) if is_hurried => agent.kill(),
            Some(agent) => agent.retire().await,
            None => {}
        }
    }
}

fn options(folder: &Path, places: &Places) -> Result<Options, Failure> {
    Ok(Options {
        config: places.config.clone(),
        once: false,
        allow_file_urls: true,
        secrets: None,
        instance: "tidegate".to_owned(),
        cache: folder.join("mirrors"),
        namespace: None,
        program: std::env::current_exe().map_err(Failure::Program)?,
        kubeconfig: Some(places.kubeconfig.clone()),
        context: None,
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|cause| unwritten(path, cause))
}

pub(super) fn unwritten(path: &Path, cause: io::Error) -> Failure {
    let file = path.to_owned();
    Failure::Unwritten { file, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_divides_times() {
        assert_eq!(Speed(1.0).of(WATCHED), WATCHED);
        assert_eq!(Speed(8.0).of(WATCHED), Duration::from_millis(250));
        assert_eq!(Speed(0.5).of(WATCHED), Duration::from_secs(4));
    }

    #[test]
    fn a_folder_that_has_something_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let fresh = folder.path().join("a/b");
        let made = Folder::make(Some(&fresh)).unwrap();
        assert!(made.is_kept() && made.path().is_dir());
        std::fs::write(fresh.join("mine"), "x").unwrap();
        let again = Folder::make(Some(&fresh));
        assert!(matches!(again, Err(Failure::Occupied(_))));
    }

    #[tokio::test]
    async fn a_passing_folder_goes_with_all_that_is_in_it() {
        let folder = Folder::make(None).unwrap();
        let path = folder.path().to_owned();
        std::fs::create_dir(path.join("repo")).unwrap();
        folder.leave().await.unwrap();
        assert!(!path.exists());
    }
}
