//! Repeatable chance: UIDs and the random ends of names.

use std::fmt::Write as _;

/// The letters of generated names (`apimachinery/pkg/util/rand`): no vowels, nothing alike.
pub(super) const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A source of chance that gives the same for the same seed (`splitmix64`).
#[derive(Clone, Debug)]
pub struct Seed(u64);

impl Seed {
    /// Starts at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns the next number below `end`; 0 where `end` is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        let number = self.number();
        if end == 0 { 0 } else { number % end }
    }

    /// Returns `length` letters, as the API server appends them to a `generateName`.
    pub fn letters(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| {
                let at = self.number() % LETTERS.len() as u64;
                char::from(LETTERS[usize::try_from(at).unwrap_or_default()])
            })
            .collect()
    }

    /// Returns a UUID of version 4.
    pub fn uid(&mut self) -> String {
        let high = self.number() & 0xffff_ffff_ffff_0fff | 0x4000;
        let low = self.number() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
        let digits = format!("{high:016x}{low:016x}");
        let mut uid = String::with_capacity(36);
        for (at, digit) in digits.chars().enumerate() {
            if matches!(at, 8 | 12 | 16 | 20) {
                uid.push('-');
            }
            // Writing into a string cannot fail.
            let _written = uid.write_char(digit);
        }
        uid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_names() {
        let (mut one, mut other) = (Seed::new(7), Seed::new(7));
        assert_eq!(one.letters(5), other.letters(5));
        assert_eq!(one.uid(), other.uid());
        assert_ne!(one.uid(), one.uid());
    }

    #[test]
    fn a_uid_is_a_uuid_of_version_4() {
        let uid = Seed::new(1).uid();
        let parts: Vec<usize> = uid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(uid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uid.as_bytes()[19]));
    }
}
