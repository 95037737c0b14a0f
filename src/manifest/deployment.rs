//! What is wrong with a Deployment before the API server sees it.

use crate::{
    object::{Amount, mark},
    revision::Position,
    yaml::Node,
};

/// Returns what would never roll, each with its position.
pub(super) fn faults(node: &Node) -> Vec<(Position, String)> {
    let mut faults: Vec<_> = standstill(node).into_iter().collect();
    faults.extend(stray_labels(node));
    faults.extend(stray_policies(node));
    faults
}

/// Both limits zero: no pod could ever be replaced.
fn standstill(node: &Node) -> Option<(Position, String)> {
    let path = ["spec", "strategy", "rollingUpdate"];
    let limits = node.at(&path)?;
    let is_zero = |key: &str| {
        let amount = limits
            .at(&[key])
            .and_then(|node| Amount::try_from(node.value()).ok());
        amount.is_some_and(Amount::is_zero)
    };
    (is_zero("maxSurge") && is_zero("maxUnavailable")).then(|| {
        let message = "maxSurge and maxUnavailable are both 0, so that no pod can be replaced: \
                       write `maxSurge: 1`";
        (node.position_of(&path), message.to_owned())
    })
}

/// Labels that the selector wants and the pods do not have.
fn stray_labels(node: &Node) -> impl Iterator<Item = (Position, String)> {
    let selector = node.at(&["spec", "selector", "matchLabels"]);
    let labels = node.at(&["spec", "template", "metadata", "labels"]);
    let wanted = selector.map(Node::entries).unwrap_or_default().iter();
    let missing = wanted.filter(move |(key, wanted)| {
        let have = labels.and_then(|labels| labels.at(&[&key.text]));
        have.map(Node::value) != Some(wanted.value())
    });
    missing.map(|(key, wanted)| {
        let message = format!(
            "the selector wants `{}: {}`, which the pod template does not have: add it to \
             spec.template.metadata.labels",
            key.text,
            wanted.text().unwrap_or_default()
        );
        (key.position, message)
    })
}

/// Policies on the pods instead of on the workload.
fn stray_policies(node: &Node) -> impl Iterator<Item = (Position, String)> {
    let metadata = node.at(&["spec", "template", "metadata"]);
    let places = ["annotations", "labels"].into_iter();
    let entries = places
        .filter_map(move |place| metadata?.at(&[place]))
        .flat_map(Node::entries);
    let ours = entries.filter(|(key, _)| key.text.starts_with(mark::PREFIX));
    ours.map(|(key, _)| {
        let message = format!(
            "`{}` has no effect on a pod template: move it to the metadata.annotations of the workload",
            key.text
        );
        (key.position, message)
    })
}
