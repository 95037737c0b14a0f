//! What the failures of a commit lead to.

use crate::health::Class;
use crate::policy::OnFailure;

/// Returns what a commit's failures lead to, each given with what the workload's policy asks for;
/// `None` where nothing failed. Want of room never goes back by itself, and of several Pause wins.
#[must_use]
pub fn consequence(failures: impl IntoIterator<Item = (Class, OnFailure)>) -> Option<OnFailure> {
    let asked = failures.into_iter().map(|(class, asked)| {
        if class.is_against_revision() {
            asked
        } else {
            OnFailure::Pause
        }
    });
    asked.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_failures_pause_wins_over_rollback() {
        let rollback = (Class::Revision, OnFailure::Rollback);
        let pause = (Class::Revision, OnFailure::Pause);
        assert_eq!(consequence([]), None);
        assert_eq!(consequence([rollback, rollback]), Some(OnFailure::Rollback));
        assert_eq!(consequence([rollback, pause]), Some(OnFailure::Pause));
        assert_eq!(consequence([pause, rollback]), Some(OnFailure::Pause));
    }

    #[test]
    fn want_of_room_pauses_whatever_the_policy_asks_for() {
        let no_room = (Class::Capacity, OnFailure::Rollback);
        assert_eq!(consequence([no_room]), Some(OnFailure::Pause));
        let broken = (Class::Revision, OnFailure::Rollback);
        assert_eq!(consequence([no_room, broken]), Some(OnFailure::Pause));
    }
}
