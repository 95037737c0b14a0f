//! The kinds of patches, server-side apply apart.

mod json;
mod merge;
mod strategic;

pub(super) use json::patch as json_patch;
pub(super) use merge::patch as merge_patch;
pub(super) use strategic::{keyless, patch as strategic_patch};
