//! What is wrong with a Deployment before the API server sees it.

use crate::{
    object::{Amount, mark},
    revision::Position,
    yaml::Node,
};

/// Returns what would never roll, each with its position.
pub(super) fn faults(node: &Node) -> Vec<(Position, String)> {
    [standstill(node), stray_labels(node), stray_policy(node)]
        .into_iter()
        .flatten()
        .collect()
}

/// Both limits zero: no pod could ever be replaced.
fn standstill(node: &Node) -> Option<(Position, String)> {
    let path = ["spec", "strategy", "rollingUpdate"];
    let limits = node.at(&path)?;
    let is_zero = |key: &str| {
        let amount = limits
            .at(&[key])
            .and_then(|node| Amount::try_from(node.value()).ok());
        matches!(amount, Some(Amount::Count(0) | Amount::Percent(0)))
    };
    (is_zero("maxSurge") && is_zero("maxUnavailable")).then(|| {
        let message = "maxSurge and maxUnavailable are both 0, so that no pod can be replaced: \
                       write `maxSurge: 1`";
        (node.position_of(&path), message.to_owned())
    })
}

/// Labels that the selector wants and the pods do not have.
fn stray_labels(node: &Node) -> Option<(Position, String)> {
    let path = ["spec", "selector", "matchLabels"];
    let labels = node.at(&["spec", "template", "metadata", "labels"]);
    let (key, wanted) = node.at(&path)?.entries().iter().find(|(key, wanted)| {
        let have = labels.and_then(|labels| labels.at(&[&key.text]));
        have.map(Node::value) != Some(wanted.value())
    })?;
    let wanted = wanted.text().unwrap_or_default();
    Some((
        key.position,
        format!(
            "the selector wants `{0}: {wanted}`, which the pod template does not have: add it to \
             spec.template.metadata.labels",
            key.text
        ),
    ))
}

/// A policy on the pods instead of on the workload.
fn stray_policy(node: &Node) -> Option<(Position, String)> {
    let metadata = node.at(&["spec", "template", "metadata"])?;
    ["annotations", "labels"].into_iter().find_map(|place| {
        let (key, _) = metadata
            .at(&[place])?
            .entries()
            .iter()
            .find(|(key, _)| key.text.starts_with(mark::PREFIX))?;
        let message = format!(
            "`{}` has no effect on a pod template: move it to the metadata.annotations of the Deployment",
            key.text
        );
        Some((key.position, message))
    })
}
