//! How long pods take to start.

use std::time::Duration;

use crate::sim::seed::Seed;

/// How long pods take from being bound to the first that is heard of them, beyond what their image
/// tag says: a time between two, by chance. By default no time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    shortest: Duration,
    longest: Duration,
}

impl Pace {
    /// Returns a pace between two times; at least the first.
    #[must_use]
    pub const fn between(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest }
    }

    /// Draws a time, whole milliseconds apart.
    pub(super) fn draw(self, chance: &mut Seed) -> Duration {
        let room = self.longest.saturating_sub(self.shortest).as_millis();
        let room = u64::try_from(room).unwrap_or(u64::MAX);
        self.shortest + Duration::from_millis(chance.below(room.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_spread_between_both_ends_and_repeat_with_the_seed() {
        let (shortest, longest) = (Duration::from_millis(300), Duration::from_millis(900));
        let draws = |seed| -> Vec<Duration> {
            let mut chance = Seed::new(seed);
            let pace = Pace::between(shortest, longest);
            (0..100).map(|_| pace.draw(&mut chance)).collect()
        };
        assert!(
            draws(1)
                .iter()
                .all(|one| (shortest..=longest).contains(one))
        );
        assert!(draws(1).iter().any(|one| *one < Duration::from_millis(400)));
        assert!(draws(1).iter().any(|one| *one > Duration::from_millis(800)));
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        let none = Pace::default().draw(&mut Seed::new(1));
        assert_eq!(none, Duration::ZERO);
    }
}
