//! Policies by one word.

use std::time::Duration;

use super::Batches;
use crate::{
    object::{Amount, hint},
    yaml::Node,
};

/// What one word stands for. It never changes `minReadySeconds`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Preset {
    /// The word.
    pub(super) name: &'static str,
    batch: Amount,
    /// `maxSurge`.
    pub(super) surge: Amount,
    /// `soak`.
    pub(super) soak: Duration,
}

const PRESETS: [Preset; 3] = [
    Preset {
        name: "conservative",
        batch: Amount::Count(1),
        surge: Amount::Count(1),
        soak: Duration::from_secs(30),
    },
    Preset {
        name: "balanced",
        batch: Amount::Count(1),
        surge: Amount::Count(1),
        soak: Duration::from_secs(10),
    },
    Preset {
        name: "fast",
        batch: Amount::Percent(75),
        surge: Amount::Percent(50),
        soak: Duration::ZERO,
    },
];

impl Preset {
    /// `batchSize`.
    pub(super) fn size(&self) -> Batches {
        Batches::Size(self.batch)
    }
}

/// Reads the word.
pub(super) fn find(node: &Node) -> Result<Preset, String> {
    let names = || PRESETS.iter().map(|preset| preset.name);
    let list = || names().collect::<Vec<_>>().join(", ");
    let Some(text) = node.text() else {
        return Err(format!("is {}: write one of {}", node.noun(), list()));
    };
    let found = PRESETS.iter().find(|preset| preset.name == text);
    found.copied().ok_or_else(|| {
        let hint = hint(text, names());
        format!("`{text}` is unknown: it is one of {}{hint}", list())
    })
}
