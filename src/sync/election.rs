//! Who leads: one agent of an installation works, the others stand by.

use std::time::Duration;

use tokio::sync::watch;
use tracing::info;

use crate::cluster::Role;

/// How long `--once` waits for the Lease: an agent that died has lost it by then.
pub(super) const ONCE: Duration = Duration::from_secs(30);

/// Waits until this process leads, and tells who does meanwhile; `false` where that will never be.
pub(super) async fn lead(role: &mut watch::Receiver<Role>) -> bool {
    loop {
        match &*role.borrow_and_update() {
            Role::Leader { .. } => return true,
            Role::Standby {
                holder: Some(holder),
                ..
            } => info!(
                holder,
                "standing by until the lease of the other agent ends"
            ),
            Role::Standby { holder: None, .. } => {}
        }
        if role.changed().await.is_err() {
            return false;
        }
    }
}

/// Why this process does not lead.
pub(super) fn why_not(role: &Role) -> String {
    match role {
        Role::Standby {
            trouble: Some(trouble),
            ..
        } => trouble.clone(),
        Role::Standby {
            holder: Some(holder),
            ..
        } => format!(
            "{holder} holds it; that agent does this work, so ask it with `tidegate sync --wait`"
        ),
        Role::Standby { .. } | Role::Leader { .. } => "nobody knows who holds it".to_owned(),
    }
}

pub(super) fn is_leader(role: &Role) -> bool {
    matches!(role, Role::Leader { .. })
}

/// A name for people; the Lease adds what makes it unique.
pub(super) fn holder() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    format!("{name}.{}", std::process::id())
}
