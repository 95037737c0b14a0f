//! Pod templates as small numbers, with their digests.

use std::sync::LazyLock;

use serde_json::{Value, json};
use tidegate::object::Digest;

/// Images × added variable × restarts by hand.
const RESTARTS: u32 = 16;
static DIGESTS: LazyLock<Vec<Digest>> = LazyLock::new(|| {
    let all = 0..64 * 2 * RESTARTS;
    all.map(|number| Digest::of_bytes(format!("template {number}").as_bytes()))
        .collect()
});

/// One pod template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mould {
    pub(crate) image: u32,
    /// Whether someone added a variable.
    pub(crate) extra: bool,
    /// How often someone restarted it.
    pub(crate) restart: u32,
}

impl Mould {
    /// What Git says of an image.
    pub(crate) fn of(image: u32) -> Self {
        Self {
            image,
            extra: false,
            restart: 0,
        }
    }

    /// Digest without the restarts.
    pub(crate) fn template(self) -> Digest {
        Self { restart: 0, ..self }.restart_digest()
    }

    /// Digest with the restarts.
    pub(crate) fn restart_digest(self) -> Digest {
        let number = (self.image * 2 + u32::from(self.extra)) * RESTARTS + self.restart % RESTARTS;
        DIGESTS[number as usize].clone()
    }

    /// The template itself.
    pub(crate) fn content(self) -> Value {
        json!(self.image)
    }
}
