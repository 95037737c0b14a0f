//! Who owns which fields: sets of fields, their text form in `managedFields`, and what server-side
//! apply makes of them (`sigs.k8s.io/structured-merge-diff`, `apimachinery/pkg/util/managedfields`).

mod apply;
mod compare;
mod declared;
mod managed;
mod merge;
mod set;

pub use apply::{Applied, ApplyFault, Conflict, apply, before_first_apply};
pub use compare::{Comparison, compare, fields_of};
pub use declared::faults_of;
pub use managed::{Claim, Claims, Operation};
pub use merge::{merge, remove};
pub use set::{Fields, Step};
