//! What is to be done, from what Git wants, what lives and what is recorded.
//!
//! Never: a write; a wait.

mod adopted;
mod consequence;
mod diff;
mod editor;
mod inventory;
mod managers;
mod prune;
mod standing;
pub mod turns;
mod wanted;

pub use adopted::adopted;
pub use consequence::consequence;
pub use diff::{FieldChange, diff};
pub use inventory::{Entry, Good, Inventory, State};
pub use managers::{Edits, Managers};
pub use prune::{Budget, Prune, prune};
pub use standing::{Mark, Standing, standing};
pub use wanted::{Owner, Set, Wanted, scale_target, used, uses, wanted};
