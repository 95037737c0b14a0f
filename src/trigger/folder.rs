//! Tells that something in a folder changed; not what.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{
    sync::Notify,
    time::{Instant, timeout, timeout_at},
};

/// How often one looks although nothing was told: a network file system tells nothing, and a
/// replaced folder nothing more.
const LOOK: Duration = Duration::from_secs(60);

/// Watches folders as long as it lives.
#[derive(Debug)]
pub(super) struct Folders {
    changed: Arc<Notify>,
    looked: Instant,
    _watcher: Option<RecommendedWatcher>,
}

impl Folders {
    /// Watches each folder, with all below it where so said. Where the system refuses, that is
    /// logged, and [`Folders::changed`] still returns once a minute.
    pub(super) fn watch(folders: &[(PathBuf, RecursiveMode)]) -> Self {
        let changed = Arc::new(Notify::new());
        let watcher = watcher(Arc::clone(&changed)).and_then(|mut watcher| {
            for (folder, mode) in folders {
                watcher.watch(folder, *mode)?;
            }
            Ok(watcher)
        });
        let watcher = watcher.map_err(|fault| {
            let folders: Vec<&Path> = folders.iter().map(|(folder, _)| folder.as_path()).collect();
            tracing::warn!(?folders, %fault, "watch was refused, looking once a minute instead");
        });
        Self {
            changed,
            looked: Instant::now(),
            _watcher: watcher.ok(),
        }
    }

    /// Waits for a change since it last returned, a minute from then at most.
    pub(super) async fn changed(&mut self) {
        // Both ends mean the same: look again.
        let _ = timeout_at(self.looked + LOOK, self.changed.notified()).await;
        self.looked = Instant::now();
    }

    /// Waits until nothing has changed for `quiet`, ten times as long at most.
    pub(super) async fn settled(&self, quiet: Duration) {
        for _ in 0..10 {
            if timeout(quiet, self.changed.notified()).await.is_err() {
                return;
            }
        }
    }
}

/// Reading makes events too; reacting to these would never end.
fn watcher(changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if !event.is_ok_and(|event| event.kind.is_access()) {
            changed.notify_one();
        }
    })
}
