//! What somebody may have meant.

/// Returns the word of `known` that is closest to `word`, `None` where none is close enough to be
/// meant: one edit in three letters, three at most.
#[must_use]
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let limit = lower.chars().count().div_ceil(3).min(3);
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::osa_distance(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns `; did you mean …?` for the word of `known` that is closest to `word`, or nothing.
#[must_use]
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, known)
        .map(|meant| format!("; did you mean `{meant}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_finds_its_word_and_another_word_finds_none() {
        let known = ["soak", "steps", "batchSize", "onFailure"];
        assert_eq!(closest("sok", known), Some("soak"));
        assert_eq!(closest("batchsize", known), Some("batchSize"));
        assert_eq!(closest("onFialure", known), Some("onFailure"));
        assert_eq!(closest("colour", known), None);
        assert_eq!(hint("step", known), "; did you mean `steps`?");
    }
}
