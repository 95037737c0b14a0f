//! Fetches: in the background, while rollouts go on.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::{debug, warn};

use crate::config::GitSync;
use crate::git::{Limits, Remote};
use crate::trigger::{Kind, Trigger};

use super::app::{App, Found, Shared};

impl App {
    /// Looks at a repository on this machine whenever it changes.
    pub(super) fn follow_repository(&self) -> Option<JoinHandle<()>> {
        let path = self.sync.source.url.to_file_path().ok()?;
        let branch = self.sync.source.branch.clone();
        Some(tokio::spawn(crate::trigger::follow_repository(
            self.queue.clone(),
            path,
            branch,
        )))
    }

    /// Starts a fetch in the background; rollouts go on meanwhile.
    pub(super) fn fetch(&mut self, triggers: &[Trigger]) {
        for trigger in triggers {
            if let Kind::Request(token) = &trigger.kind {
                self.requested = Some(token.clone());
            }
        }
        self.is_fetching = true;
        let (mirror, answer) = (Arc::clone(&self.mirror), self.fetches.0.clone());
        debug!(gitsync = %self.label(), ?triggers, "fetch began");
        tokio::spawn(async move {
            let found = mirror.fetch().await;
            // The app is gone: nobody needs the answer.
            let _ = answer.send(found).await;
        });
    }

    /// Takes up what a fetch came to.
    pub(super) async fn fetched(&mut self, found: Found) {
        self.is_fetching = false;
        self.has_fetched = true;
        if let Some(token) = self.requested.take() {
            let key = crate::object::mark::request::SYNC.to_owned();
            self.book.ledger.served.insert(key, token);
        }
        match found {
            Ok(fetched) => {
                self.failures.send_replace(0);
                self.reached(&fetched).await;
            }
            Err(fault) => {
                self.failures.send_modify(|failures| *failures += 1);
                warn!(gitsync = %self.label(), cause = %fault, "fetch failed");
                self.unreached(&fault);
            }
        }
    }
}

/// Where the source is and how it is reached.
pub(super) fn remote(sync: &GitSync, shared: &Shared) -> Remote {
    let secret = sync.source.secret.as_deref();
    Remote {
        url: sync.source.url.to_string(),
        branch: sync.source.branch.clone(),
        credentials: shared
            .secrets
            .as_ref()
            .zip(secret)
            .map(|(directory, name)| directory.join(name)),
        timeout: sync.source.timeout,
        allow_file: shared.allow_file,
        limits: Limits::default(),
        program: shared.program.clone(),
    }
}
