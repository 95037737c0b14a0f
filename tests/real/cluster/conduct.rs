//! What a pod does, as the image tag of its first container says: `shop/web:1.2` is healthy,
//! `shop/web:1.3-crash` crash-loops.
//!
//! | tag contains | the pod |
//! |---|---|
//! | `-slow` | is Ready after 3 s |
//! | `-never` | runs and never becomes Ready |
//! | `-flap` | is Ready and not Ready in turn, every second |
//! | `-pull` | waits: ErrImagePull, then ImagePullBackOff, `manifest unknown` |
//! | `-config` | waits: CreateContainerConfigError |
//! | `-crash` | waits: CrashLoopBackOff, with a growing restart count |
//! | `-needsenv` | crash-loops unless the container has the environment variable `FIXED` |
//! | `-needsmap` | crash-loops unless the ConfigMap `settings` says `fixed: "true"` when the pod starts |
//! | `-unschedulable` | finds no node |
//!
//! The pod of a Job succeeds, or fails where it would crash-loop.

use k8s_openapi::api::core::v1::{Container, Pod};

/// What a pod does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conduct {
    Healthy,
    Slow,
    NeverReady,
    Flaps,
    ImageMissing,
    Misconfigured,
    Crashes,
    NeedsSettings,
    Unschedulable,
}

impl Conduct {
    /// Reads it off the pod.
    pub(super) fn of(pod: &Pod) -> Self {
        let Some(container) = pod.spec.as_ref().and_then(|spec| spec.containers.first()) else {
            return Self::Healthy;
        };
        tag(container.image.as_deref().unwrap_or_default())
            .split('-')
            .skip(1)
            .find_map(|word| Self::said_by(word, container))
            .unwrap_or(Self::Healthy)
    }

    fn said_by(word: &str, container: &Container) -> Option<Self> {
        let conduct = match word {
            "slow" => Self::Slow,
            "never" => Self::NeverReady,
            "flap" => Self::Flaps,
            "pull" => Self::ImageMissing,
            "config" => Self::Misconfigured,
            "crash" => Self::Crashes,
            "needsenv" if has_variable(container, "FIXED") => Self::Healthy,
            "needsenv" => Self::Crashes,
            "needsmap" => Self::NeedsSettings,
            "unschedulable" => Self::Unschedulable,
            _ => return None,
        };
        Some(conduct)
    }
}

fn has_variable(container: &Container, name: &str) -> bool {
    container
        .env
        .iter()
        .flatten()
        .any(|variable| variable.name == name)
}

/// Returns the tag of an image, empty where it has none.
pub(super) fn tag(image: &str) -> &str {
    let named = image.split('@').next().unwrap_or(image);
    named
        .rsplit_once(':')
        .map(|(_, tag)| tag)
        .filter(|tag| !tag.contains('/'))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn the_tag_is_neither_a_port_nor_a_digest() {
        assert_eq!(tag("registry:5000/shop/web:1.2-crash"), "1.2-crash");
        assert_eq!(tag("registry:5000/shop/web"), "");
        assert_eq!(tag("shop/web:1.2@sha256:0af1"), "1.2");
    }
}
