//! Scenarios that run on both grounds, the simulator and the real control plane, where each traced
//! Deployment has to take the same course: the same sequence of settled pod counts.
//!
//! In the fast lane they run on the simulator alone; in the real lane on both, side by side.
//!
//! A settled pod count is one at which every controller has done what it was asked: before each write
//! that changes the Deployment's specification, and at the end. It follows from the order of what was
//! stored, not from clocks. Where the agent answers something else than pods at rest, how far the
//! controllers get before its write is chance on either ground: `hands` leaves out of the comparison
//! what stands while people are at work, `newest` what stands before the last of three commits won.
//!
//! What runs on the real control plane only, and why (`tests/real`):
//!
//! * `control_plane`, `cluster_room`, `fidelity`: are about the control plane itself, or compare
//!   object by object already.
//! * `standby`, `side_by_side`, `thousand`: ask the audit log of the API server who called what.
//! * `denied`: an admission policy in CEL refuses; the simulator has none.
//! * `spaces`, `kinds`, `explained`, `previews`, `refusals`: depend on rights (RBAC), which the
//!   simulator does not restrict, or on what exactly the API server says to nonsense.
//! * `released`, `appliers`: end with kubectl's own client-side logic (`rollout status`, the merge of
//!   `apply`).
//! * `handover`, `waited`, `watched`, `terminal`, `once`, `readme`, `git_*`: trace no Deployment;
//!   they are about Git, the command line, or objects that have no pods.

use crate::shop::{Agent, Ladder, Shop, Stage};

mod adoption;
mod batches;
mod crashes;
mod failures;
mod hands;
mod leave;
mod newest;
mod nodes;
mod pruning;
mod restarted;
mod reverts;
mod shapes;
mod stateful;
mod stuck;
mod tolerated;
mod turns;

/// A container's part in a manifest: it takes its variables from the ConfigMap `settings`.
const NEEDS_SETTINGS: &str = "        envFrom:\n        - configMapRef: {name: settings}\n";

/// A shop in which a manifest of five pods of `1`, of a workload such as `statefulset/web`, has
/// succeeded, with a record of these pods from then on.
async fn laddered(
    stage: &Stage,
    prefix: &str,
    (what, manifest): (&str, &str),
) -> (Shop, Agent, Ladder) {
    let shop = Shop::open(stage, prefix).await;
    let agent = shop.start();
    shop.begin(&[("web.yaml", Some(manifest))]).await;
    let ladder = shop.ladder(what);
    shop.until("the pods to be seen", || {
        let rests = ladder.rests();
        rests.last().is_some_and(|rest| rest.ends_with("1 1 1 1 1"))
    })
    .await;
    (shop, agent, ladder)
}
